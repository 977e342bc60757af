/** The lock under which windows are closed and invoices are issued: one (customer, period) at a time, at one cutoff. */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { LocalDate, Position } from '../domain/values.js';
import type { Database } from './database.js';
import { safeHorizon } from './safe-horizon.js';

interface PeriodKey {
  readonly customerId: string;
  readonly period: LocalDate;
}

/** A horizon read for several callers at once, and the places for transactions that wait for one. */
interface Turnstile {
  readonly horizon: () => Promise<Position>;
  readonly enter: () => Promise<() => void>;
}

const turnstiles = new WeakMap<Database, Turnstile>();

/**
 * Runs `work` in a transaction that holds the lock of (customer, period), with a cutoff taken after the lock and before
 * every snapshot that `work` takes. So cutoffs of one period only rise, whoever closes, and everything at or below the
 * cutoff is visible.
 */
export async function withPeriodLocked<T>(
  db: Database,
  key: PeriodKey,
  work: (client: pg.PoolClient, cutoff: Position) => Promise<T>,
): Promise<T> {
  const turnstile = turnstileOf(db);
  const leave = await turnstile.enter();
  try {
    return await db.transaction(
      async (client) => work(client, await turnstile.horizon()),
      `${planning} SELECT pg_advisory_xact_lock(${periodLockOf(key)})`,
    );
  } finally {
    leave();
  }
}

/**
 * Plans of named statements are made once a connection: planning the statements of a gate for each customer anew takes longer
 * than running them. What may be large says otherwise (`planForValues`). Compiling them (JIT) never pays.
 */
const planning = `SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off;`;

/** In a transaction of `withPeriodLocked`: what follows is planned for the values at hand. */
export async function planForValues(client: pg.PoolClient): Promise<void> {
  await client.query('SET LOCAL plan_cache_mode = force_custom_plan');
}

/** For a transaction that needs no cutoff. */
export async function lockPeriod(client: pg.PoolClient, key: PeriodKey): Promise<void> {
  await client.query(`SELECT pg_advisory_xact_lock(${periodLockOf(key)})`);
}

/** 64 bits of a hash: two periods that share a lock would only wait for each other. */
function periodLockOf({ customerId, period }: PeriodKey): bigint {
  const hex = createHash('sha256')
    .update(JSON.stringify(['billing-period', customerId, period]))
    .digest('hex');
  return BigInt.asIntN(64, BigInt(`0x${hex.slice(0, 16)}`));
}

function turnstileOf(db: Database): Turnstile {
  const known = turnstiles.get(db);
  if (known !== undefined) return known;
  // The horizon needs a connection while its caller holds one: were all of them held by callers, nobody could go on.
  const places = Math.max(1, Math.floor(db.pool.options.max / 2));
  const made = { horizon: sharedHorizon(() => safeHorizon(db)), enter: limitedTo(places) };
  turnstiles.set(db, made);
  return made;
}

/**
 * One read at a time; who asks while one is under way shares the next one, which begins after every one of them asked. The
 * exclusive lock behind it holds up ingest, so a hundred gates should not take it a hundred times.
 */
export function sharedHorizon(read: () => Promise<Position>): () => Promise<Position> {
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<Position> | null = null;
  return () => {
    if (next !== null) return next;
    const mine = last
      .catch(() => undefined)
      .then(() => {
        next = null;
        return read();
      });
    next = mine;
    last = mine;
    return mine;
  };
}

/** At most so many inside; the others wait in order. */
function limitedTo(count: number): () => Promise<() => void> {
  let free = count;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    const first = waiting.shift();
    if (first === undefined) free += 1;
    else first();
  };
  return async () => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return leave;
  };
}
