/** The bytes of a request: read within limits, inflated where they were sent compressed. */
import type { Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { DomainFailure } from '../../domain/failure.js';
import type { Lease } from './admission.js';
import { ingestLimits } from './limits.js';

/** A body that is still to be read, with the header `Content-Encoding`. */
export interface BodyStream {
  readonly payload: Readable;
  readonly encoding: string | undefined;
}

/** What zlib has read of what it was given: it stops, without a word, where what was compressed ends. */
interface Consumed {
  readonly bytesWritten: number;
}

type Inflating = Transform & Consumed;

const codings: ReadonlyMap<string, () => Inflating> = new Map([
  ['gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
]);

/** For the header `Accept-Encoding` of a refusal (RFC 9110, 15.5.16). */
export const acceptedEncodings = [...codings.keys()].join(', ');

/** @throws DomainFailure UNSUPPORTED_MEDIA_TYPE */
function codingOf(encoding: string | undefined): (() => Inflating) | null {
  if (encoding === undefined || encoding === '' || encoding.toLowerCase() === 'identity') return null;
  const coding = codings.get(encoding.toLowerCase());
  if (coding !== undefined) return coding;
  const detail = `"Content-Encoding: ${encoding.slice(0, 60)}" is not taken here; possible: ${acceptedEncodings}, one of them, once.`;
  throw new DomainFailure('UNSUPPORTED_MEDIA_TYPE', detail);
}

/** How a body that is read as a whole is bounded while it comes. */
export interface BodyBounds {
  /** The header `Content-Length`. */
  readonly length: string | undefined;
  /** Grows with what has come; it ends when all of it has. */
  readonly lease: Lease;
}

/**
 * The whole body as it was sent. It listens and calls back, and sets no timer for a body that comes in one piece: the cheapest way
 * for the small bodies that nearly all are.
 * @param done gets BODY_TOO_LARGE, OVER_CAPACITY, or what broke the connection
 */
export function readWhole(
  payload: Readable,
  { length, lease }: BodyBounds,
  done: (error: Error | null, bytes?: Buffer) => void,
): void {
  const declared = length === undefined ? Infinity : Number(length);
  const chunks: Buffer[] = [];
  let size = 0;
  let pause: NodeJS.Timeout | undefined;
  const end = (error: Error | null): void => {
    payload.off('data', take).off('end', finish).off('error', end);
    clearTimeout(pause);
    lease.end();
    if (error === null) done(null, Buffer.concat(chunks, size));
    else done(error);
  };
  const finish = (): void => end(null);
  const take = (chunk: Buffer): void => {
    size += chunk.length;
    try {
      if (size > ingestLimits.bodyBytes) throw tooLarge();
      lease.resize(size);
    } catch (error) {
      throwAway(payload);
      end(error as Error);
      return;
    }
    chunks.push(chunk);
    if (size >= declared) return;
    pause ??= endWhenPausing(payload);
    pause.refresh();
  };
  if (declared > ingestLimits.bodyBytes && length !== undefined) {
    throwAway(payload);
    end(tooLarge());
  } else payload.on('data', take).on('end', finish).on('error', end);
}

/** Reads the rest for nothing, so that its sender gets to read the answer. */
function throwAway(payload: Readable): void {
  payload.on('error', () => undefined).resume();
}

/** A whole body as it was sent, with the header `Content-Encoding`. */
export interface SentBody {
  readonly bytes: Buffer;
  readonly encoding: string;
  /** Grows with what is inflated, before it is kept: a few bytes may become very many. */
  readonly lease: Pick<Lease, 'resize'>;
}

/** @throws DomainFailure UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE, OVER_CAPACITY, INVALID_JSON (cannot be inflated) */
export async function inflateWhole({ bytes, encoding, lease }: SentBody): Promise<Buffer> {
  const coding = codingOf(encoding);
  if (coding === null) return bytes;
  const inflating = coding();
  const chunks: Buffer[] = [];
  let size = 0;
  inflating.end(bytes);
  try {
    for await (const chunk of inflating as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > ingestLimits.bodyBytes) throw tooLarge();
      lease.resize(bytes.length + size);
      chunks.push(chunk);
    }
  } catch (error) {
    throw refusalOfInflate(error);
  }
  requireAllRead(inflating, bytes.length);
  return Buffer.concat(chunks, size);
}

/**
 * The bytes as they come, inflated. Reading stops while the consumer is busy, so a sender is never faster than the ledger.
 * What the consumer leaves unread is read and thrown away, so that the sender gets to read the answer.
 * @throws DomainFailure UNSUPPORTED_MEDIA_TYPE, INVALID_JSON (cannot be inflated)
 */
export async function* readChunks({ payload, encoding }: BodyStream): AsyncGenerator<Buffer> {
  const coding = codingOf(encoding);
  const inflating = coding === null ? null : coding();
  const source = inflating ?? payload;
  const pace = new Pace(payload);
  let received = 0;
  try {
    if (inflating !== null) {
      payload.on('data', (chunk: Buffer) => {
        received += chunk.length;
        pace.add(chunk.length);
      });
      payload.on('error', (error) => inflating.destroy(error));
      payload.pipe(inflating);
    }
    for await (const chunk of source.iterator({ destroyOnReturn: inflating !== null })) {
      if (inflating === null) pace.add((chunk as Buffer).length);
      pace.stop();
      yield chunk as Buffer;
      pace.wait();
    }
    if (inflating !== null) requireAllRead(inflating, received);
  } catch (error) {
    throw refusalOfInflate(error);
  } finally {
    pace.end();
    if (inflating !== null) payload.unpipe(inflating);
    payload.resume();
  }
}

/** What follows would be lost in silence. (gzip goes on with a further member by itself.) */
function requireAllRead({ bytesWritten }: Consumed, received: number): void {
  if (bytesWritten >= received) return;
  const detail = `What was compressed ends after ${bytesWritten} of ${received} bytes. Send one compressed text a request, and nothing behind it.`;
  throw new DomainFailure('INVALID_JSON', detail);
}

/** Ends the connection of a sender that begins a body and does not go on: it would hold its place for ever. */
function endWhenPausing(payload: Readable): NodeJS.Timeout {
  return setTimeout(() => payload.destroy(new Error('the body paused for too long')), ingestLimits.bodyPauseMs);
}

/**
 * Ends the connection of a sender that is slower than the limits while it is waited for, whether it pauses or trickles. The time that
 * the ledger takes is not the sender's.
 */
class Pace {
  private pause: NodeJS.Timeout | undefined;
  private since = 0;
  private waited = 0;
  private bytes = 0;

  constructor(private readonly payload: Readable) {
    this.wait();
  }

  wait(): void {
    this.since = performance.now();
    this.pause = endWhenPausing(this.payload);
  }

  add(bytes: number): void {
    this.bytes += bytes;
  }

  end(): void {
    clearTimeout(this.pause);
  }

  /** What was waited for has come. */
  stop(): void {
    this.end();
    this.waited += performance.now() - this.since;
    if (this.waited < ingestLimits.streamPaceMs) return;
    if (this.bytes < ingestLimits.streamPaceBytes) this.payload.destroy(new Error('the body came too slowly'));
    this.waited = 0;
    this.bytes = 0;
  }
}

function tooLarge(): DomainFailure {
  const detail = `The body is larger than ${ingestLimits.bodyBytes / 1024 / 1024} MiB. Send it in parts, or as application/x-ndjson.`;
  return new DomainFailure('BODY_TOO_LARGE', detail);
}

/** What zlib says of bytes that are not what they are said to be, or are too many. Other errors stay as they are. */
function refusalOfInflate(error: unknown): unknown {
  const code = (error as { readonly code?: unknown } | null)?.code;
  if (typeof code !== 'string' || !/^(Z_|ERR__ERROR_|ERR_BROTLI_)/.test(code)) return error;
  return new DomainFailure(
    'INVALID_JSON',
    'The body cannot be inflated: it is not what Content-Encoding says, or cut off.',
  );
}
