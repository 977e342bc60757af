/** Sends batches of events: a few at a time, each until the API has answered it. */
import { ApiProblem, ApiUnreachable, isObject } from '../api-client.js';
import type { ApiClient, JsonObject } from '../api-client.js';

/** Events of consecutive rows. */
export interface Batch {
  /** Every row up to this one is in this batch, in an earlier one, or was not to be sent. */
  readonly throughRow: number;
  readonly rows: readonly number[];
  /** JSON texts, in the order of `rows`. */
  readonly events: readonly string[];
}

export interface BatchAnswer {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  /** What was not newly accepted, by index in the batch. */
  readonly results: readonly JsonObject[];
}

export interface RetryPolicy {
  /** Tries after the first one. */
  readonly retries: number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Told before each wait. */
  readonly onRetry: (error: Error, waitMs: number) => void;
}

const firstWaitMs = 250;
const longestWaitMs = 30_000;

export interface Sending extends RetryPolicy {
  /** The backfill that the events are for; null: none. */
  readonly backfill: string | null;
}

/**
 * Posts one batch. Repeating it is safe whatever became of an earlier try, because its events keep their ids.
 * @throws ApiProblem, ApiUnreachable when the API refused the batch, or every try failed
 */
export async function sendBatch(api: ApiClient, batch: Batch, policy: Sending): Promise<BatchAnswer> {
  const body = `{"events":[${batch.events.join(',')}]}`;
  const query = policy.backfill === null ? {} : { query: { backfill_id: policy.backfill } };
  for (let attempt = 0; ; attempt += 1) {
    try {
      return readAnswer(await api.json('/events', { method: 'POST', body, ...query }));
    } catch (error) {
      if (!isPassing(error) || attempt >= policy.retries) throw error;
      const waitMs = waitBefore(attempt, error);
      policy.onRetry(error, waitMs);
      await policy.sleep(waitMs);
    }
  }
}

/** Whether the same request may succeed later: nobody answered, or the server was not able to. */
function isPassing(error: unknown): error is ApiProblem | ApiUnreachable {
  if (error instanceof ApiUnreachable) return true;
  return error instanceof ApiProblem && (error.status === 429 || error.status >= 500);
}

/** Doubles from try to try, spread so that parallel batches do not come back together; never less than was asked for. */
function waitBefore(attempt: number, error: ApiProblem | ApiUnreachable): number {
  const backoff = Math.min(longestWaitMs, firstWaitMs * 2 ** attempt) * (0.5 + Math.random() / 2);
  const asked = error instanceof ApiProblem ? (error.retryAfterMs ?? 0) : 0;
  return Math.round(Math.max(backoff, asked));
}

function readAnswer(answer: unknown): BatchAnswer {
  const { accepted, duplicates, rejected, results } = isObject(answer) ? answer : {};
  if (!Number.isSafeInteger(accepted) || !Number.isSafeInteger(duplicates) || !Number.isSafeInteger(rejected)) {
    throw new ApiProblem(202, 'UNEXPECTED_ANSWER', 'the answer to POST /events does not say what became of the events');
  }
  return {
    accepted: Number(accepted),
    duplicates: Number(duplicates),
    rejected: Number(rejected),
    results: (Array.isArray(results) ? results : []).filter(isObject),
  };
}

/**
 * Runs `work` for each item, at most `concurrency` at a time; the source is read no faster than the work is done. The
 * first error stops the reading; it is thrown when what was begun has ended.
 */
export async function forEachConcurrently<T>(
  items: AsyncIterable<T>,
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];
  for await (const item of items) {
    const task: Promise<void> = work(item)
      .catch((error: unknown) => void errors.push(error))
      .finally(() => running.delete(task));
    running.add(task);
    if (running.size >= concurrency) await Promise.race(running);
    if (errors.length > 0) break;
  }
  await Promise.all(running);
  if (errors.length > 0) throw errors[0];
}
