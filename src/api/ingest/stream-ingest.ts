/**
 * POST /events as `application/x-ndjson`: committed in batches of lines while it streams, so that a body may be large and the
 * memory stays small. Batches are committed one after the other, because within a request the lower index wins (RULES 6); the
 * next one is read and checked meanwhile.
 */
import { DomainFailure } from '../../domain/failure.js';
import { StorageUnavailable } from '../../storage/errors.js';
import { IngestInterrupted, RefusedForNow } from '../problem.js';
import type { EventIngest, IngestAnswer, PreparedEvents, SentFor } from './event-ingest.js';
import { lineBatches, type Line, type LineBatch } from './line-batches.js';
import { ingestLimits } from './limits.js';
import { parseLines } from './parse-body.js';
import type { EventResult } from './read-request.js';

/** The answer to a stream: every line is counted, what was not newly accepted is listed up to a limit. */
export interface StreamAnswer extends IngestAnswer {
  /** Lines of the body, blank ones too. */
  readonly lines: number;
  /** Whether `results` lists less than it counts. */
  readonly truncated: boolean;
}

interface Part extends PreparedEvents {
  readonly batch: LineBatch;
  /** Of each item its line in the stream. */
  readonly lineOf: (index: number) => number;
}

type Settled = { readonly answer: IngestAnswer } | { readonly error: unknown };

/**
 * @throws IngestInterrupted with how much is committed, when the stream could not be taken to its end. Every line up to
 *   there needs no repetition; sending all of it again is safe.
 */
export async function ingestLines(
  ingest: EventIngest,
  chunks: AsyncIterable<Buffer>,
  sent: SentFor = {},
): Promise<StreamAnswer> {
  const tally = new Tally();
  let committing: { readonly part: Part; readonly settled: Promise<Settled> } | null = null;
  const settle = async (): Promise<void> => {
    if (committing === null) return;
    const { part, settled } = committing;
    committing = null;
    const result = await settled;
    if ('error' in result) throw result.error;
    tally.add(part, result.answer);
  };
  try {
    for await (const batch of lineBatches(chunks)) {
      const part = await prepare(ingest, batch, sent);
      await settle();
      committing = { part, settled: settledOf(ingest.commitPart(part)) };
    }
    await settle();
    return tally.answer();
  } catch (error) {
    // What was under way is counted as well, unless it is what failed.
    await settle().catch(() => undefined);
    throw interrupted(error, tally.answer());
  }
}

/** Never rejects: it is waited for later than it is begun. */
function settledOf(commit: Promise<IngestAnswer>): Promise<Settled> {
  return commit.then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error }),
  );
}

async function prepare(ingest: EventIngest, batch: LineBatch, sent: SentFor): Promise<Part> {
  const { first } = batch;
  const lines: Line[] = [];
  const skipped: number[] = [];
  batch.lines.forEach((line, at) => {
    if (isBlank(line)) skipped.push(at);
    else lines.push(line);
  });
  const lineOf = skipped.length === 0 ? (index: number) => first + index : lineNumbers(batch, skipped);
  return { ...(await ingest.prepare(parseLines(lines), sent)), batch, lineOf };
}

function isBlank(line: Line): boolean {
  return typeof line === 'string' && (line === '' || (line.charCodeAt(0) <= 32 && line.trim() === ''));
}

function lineNumbers({ first, lines }: LineBatch, skipped: readonly number[]): (index: number) => number {
  const blank = new Set(skipped);
  const numbers = Array.from(lines.keys()).filter((at) => !blank.has(at));
  return (index) => first + (numbers[index] ?? 0);
}

class Tally {
  private readonly counts = { accepted: 0, duplicates: 0, rejected: 0, lines: 0 };
  private readonly results: EventResult[] = [];
  private readonly listed = { duplicate: 0, rejected: 0 };

  add({ batch, lineOf }: Part, answer: IngestAnswer): void {
    this.counts.accepted += answer.accepted;
    this.counts.duplicates += answer.duplicates;
    this.counts.rejected += answer.rejected;
    this.counts.lines = batch.first + batch.lines.length;
    for (const result of answer.results) {
      // Limits of their own, so that many duplicates do not hide the few that were rejected.
      if (this.listed[result.status] >= ingestLimits.streamResults) continue;
      this.listed[result.status] += 1;
      this.results.push({ ...result, index: lineOf(result.index) });
    }
  }

  answer(): StreamAnswer {
    const { duplicates, rejected } = this.counts;
    return { ...this.counts, truncated: this.results.length < duplicates + rejected, results: this.results };
  }
}

function interrupted(error: unknown, progress: StreamAnswer): unknown {
  const { lines, accepted, duplicates, rejected } = progress;
  const committed =
    lines === 0
      ? 'Send all of it again: nothing is counted twice.'
      : `The first ${lines} lines are committed; go on behind them, or send all of it again: nothing is counted twice.`;
  const because = { progress: { lines, accepted, duplicates, rejected }, cause: error };
  if (error instanceof DomainFailure) {
    const { code, detail } = error;
    const wait = error instanceof RefusedForNow ? { retryAfter: error.retryAfter } : {};
    return new IngestInterrupted({ code, detail: `${detail} ${committed}` }, { ...because, ...wait });
  }
  if (error instanceof StorageUnavailable) {
    const detail = `The database cannot be reached. ${committed}`;
    return new IngestInterrupted({ code: 'DATABASE_UNAVAILABLE', detail }, because);
  }
  return error;
}
