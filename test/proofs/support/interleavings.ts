/** Schedules: in which order the steps of several actors can happen, and how to run them where some wait for others. */
import type pg from 'pg';

/** One step of one actor. Steps of an actor happen in their order; between actors any order is possible. */
export interface ScheduledStep {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** Every order of the elements of all chains that keeps the order within each chain. */
export function* interleavings<T>(chains: readonly (readonly T[])[]): Generator<readonly T[]> {
  const open = chains.filter((chain) => chain.length > 0);
  if (open.length === 0) yield [];
  for (const chain of open) {
    const [first, ...rest] = chain;
    const others = open.map((other) => (other === chain ? rest : other));
    if (first !== undefined) for (const tail of interleavings(others)) yield [first, ...tail];
  }
}

/** Tells when nothing moves any more in a database: every statement under way waits for a lock. */
export class LockWatch {
  constructor(private readonly client: pg.Client) {}

  /** Resolves when `work` has ended, or when, twice in a row, some backend waits for a lock and none works. */
  async endOrStandstill(work: Promise<unknown>): Promise<void> {
    let isOver = false;
    const ended = work.catch(() => undefined).then(() => (isOver = true));
    for (let still = 0; still < 2;) {
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, pollMs))]);
      if (isOver) return;
      const { rows } = await this.client.query<{ waiting: boolean; working: boolean }>(standstillSql);
      const [now] = rows;
      still = now?.waiting === true && !now.working ? still + 1 : 0;
    }
  }
}

const pollMs = 3;
const standstillSql = `SELECT coalesce(bool_or(wait_event_type = 'Lock'), false) AS waiting,
    coalesce(bool_or(state = 'active' AND wait_event_type IS DISTINCT FROM 'Lock'), false) AS working
  FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;

/**
 * Runs the steps in this order. A step that waits for a lock is left waiting and the next one begins; it ends when the step that
 * frees it has run. At the end all have ended.
 * @param atTheEnd frees what the steps themselves did not free
 */
export async function runInOrder(
  steps: readonly ScheduledStep[],
  watch: LockWatch,
  atTheEnd: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const begun: Promise<void>[] = [];
  for (const step of steps) {
    const running = step.run();
    begun.push(running);
    await watch.endOrStandstill(running);
  }
  begun.push(atTheEnd());
  // A failure is thrown now, when nothing is left waiting.
  const failed = (await Promise.allSettled(begun)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Steps of one actor as a chain: a step begins when the one before it has ended, however long that waits. */
export function chained(steps: readonly ScheduledStep[]): readonly ScheduledStep[] {
  let last: Promise<void> = Promise.resolve();
  return steps.map(({ name, run }) => ({
    name,
    run: () => {
      last = last.then(run);
      return last;
    },
  }));
}

/** A generator of numbers in [0, 1) that gives the same ones for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
