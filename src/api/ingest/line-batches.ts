/** Cuts a stream of bytes into batches of lines, in bounded memory. */
import { isUtf8 } from 'node:buffer';
import { DomainFailure } from '../../domain/failure.js';
import { withoutByteOrderMark } from '../json-text.js';
import { UnreadableLine } from './event-format.js';
import { ingestLimits } from './limits.js';

/** Lines that are committed together. Few enough that what waits in memory is small, enough that a commit is worth it. */
const batchLines = 5_000;
const batchBytes = 1024 * 1024;

export interface LineBatch {
  /** Number of the first of its lines in the stream, counted from 0, blank ones too. */
  readonly first: number;
  readonly lines: readonly Line[];
  readonly bytes: number;
}

export type Line = string | UnreadableLine;

/**
 * The lines between line feeds; the last one needs none. One that is longer than the limit comes cut somewhere beyond it:
 * its reader refuses it.
 * @throws DomainFailure BODY_TOO_LARGE, BATCH_TOO_LARGE
 */
export async function* lineBatches(chunks: AsyncIterable<Buffer>): AsyncGenerator<LineBatch> {
  const collected = new LineCollector();
  for await (const chunk of chunks) {
    collected.add(chunk);
    if (collected.bytes >= batchBytes) yield* collected.batches();
  }
  collected.end();
  yield* collected.batches();
}

const lineFeed = 10;
const newLine = Buffer.from('\n');

class LineCollector {
  /** Whole lines, each with its line feed. */
  private whole: Buffer[] = [];
  private wholeBytes = 0;
  /** The beginning of the line that is not complete yet. */
  private begun: Buffer[] = [];
  private begunBytes = 0;
  private total = 0;
  private next = 0;

  /** Of whole lines. */
  get bytes(): number {
    return this.wholeBytes;
  }

  add(chunk: Buffer): void {
    this.total += chunk.length;
    if (this.total > ingestLimits.streamBytes) {
      const detail = `The body is larger than ${ingestLimits.streamBytes / 1024 / 1024} MiB, inflated. Send it in parts.`;
      throw new DomainFailure('BODY_TOO_LARGE', detail);
    }
    const end = chunk.lastIndexOf(lineFeed) + 1;
    if (end > 0) this.complete(chunk.subarray(0, end));
    this.begin(chunk.subarray(end));
  }

  end(): void {
    if (this.begunBytes > 0) this.complete(newLine);
  }

  *batches(): Generator<LineBatch> {
    const lines = this.decoded(Buffer.concat(this.whole, this.wholeBytes));
    this.whole = [];
    this.wholeBytes = 0;
    for (let from = 0; from < lines.length; from += batchLines) {
      const some = lines.slice(from, from + batchLines);
      if (this.next + some.length > ingestLimits.streamLines) {
        const detail = `The body has more than ${ingestLimits.streamLines} lines. Send it in parts.`;
        throw new DomainFailure('BATCH_TOO_LARGE', detail);
      }
      const bytes = some.reduce((sum, line) => sum + (typeof line === 'string' ? line : line.text).length, 0);
      yield { first: this.next, lines: some, bytes };
      this.next += some.length;
    }
  }

  private decoded(bytes: Buffer): readonly Line[] {
    const lines = decodedLines(bytes);
    const [begin] = this.next === 0 ? lines : [];
    if (typeof begin !== 'string' || withoutByteOrderMark(begin) === begin) return lines;
    return [withoutByteOrderMark(begin), ...lines.slice(1)];
  }

  /** @param bytes that end in a line feed */
  private complete(bytes: Buffer): void {
    this.begin(bytes);
    for (const piece of this.begun) this.whole.push(piece);
    this.wholeBytes += this.begunBytes;
    this.begun = [];
    this.begunBytes = 0;
  }

  /** Of a line that is too long anyway, what comes further on is dropped. */
  private begin(bytes: Buffer): void {
    const lineEnd = bytes.indexOf(lineFeed);
    const dropped = this.begunBytes <= ingestLimits.lineBytes ? 0 : lineEnd < 0 ? bytes.length : lineEnd;
    const kept = bytes.subarray(dropped);
    if (kept.length === 0) return;
    this.begun.push(kept);
    this.begunBytes += kept.length;
  }
}

/** @param bytes lines that each end in a line feed; UTF-8, or what was sent as such */
function decodedLines(bytes: Buffer): readonly Line[] {
  if (bytes.length === 0) return [];
  if (!isUtf8(bytes)) return Array.from(splitLines(bytes), decodedLine);
  const lines = bytes.toString('utf8').split('\n');
  lines.pop(); // behind the last line feed
  return lines;
}

function* splitLines(bytes: Buffer): Generator<Buffer> {
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(lineFeed, from);
    yield bytes.subarray(from, end);
    from = end + 1;
  }
}

/** Said of bytes that are no text: most often they are a compressed body that does not say so. */
export function notUtf8(what: 'body' | 'line', bytes: Buffer): string {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return `The ${what} is not valid UTF-8${isGzip ? '; it looks like gzip: send Content-Encoding: gzip' : ''}.`;
}

function decodedLine(bytes: Buffer): Line {
  const text = bytes.toString('utf8');
  // First, because one that is too long may have been cut within a character.
  if (bytes.length > ingestLimits.lineBytes) return UnreadableLine.tooLong(text);
  return isUtf8(bytes) ? text : new UnreadableLine(text, notUtf8('line', bytes), 'INVALID_JSON');
}
