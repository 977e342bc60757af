/** The lock under which windows are closed and invoices are issued: one (customer, period) at a time, at one cutoff. */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { LocalDate, Position } from '../domain/values.js';
import type { Database } from './database.js';
import { type Horizon, readHorizon } from './safe-horizon.js';

interface PeriodKey {
  readonly customerId: string;
  readonly period: LocalDate;
}

/** A horizon read for several callers at once, and the places for transactions that wait for one. */
interface Turnstile {
  readonly horizon: () => Promise<Horizon>;
  readonly enter: () => Promise<() => void>;
}

const turnstiles = new WeakMap<Database, Turnstile>();

/**
 * Runs `work` in a transaction that holds the locks of these (customer, period), with a cutoff taken after the locks and
 * before every snapshot that `work` takes. So cutoffs of one period only rise, whoever closes, and everything at or below the
 * cutoff is visible.
 */
export async function withPeriodsLocked<T>(
  db: Database,
  keys: readonly PeriodKey[],
  work: (client: pg.PoolClient, cutoff: Position) => Promise<T>,
): Promise<T> {
  const turnstile = turnstileOf(db);
  const leave = await turnstile.enter();
  try {
    return await db.transaction(
      async (client) => work(client, (await turnstile.horizon()).position),
      `${planning} ${locking(keys)}`,
    );
  } finally {
    leave();
  }
}

/**
 * Plans of named statements are made once a connection: planning the statements of a gate for each customer anew takes longer
 * than running them. What may be large says otherwise (`planForValues`). Compiling them (JIT) never pays.
 */
const planOnce = 'SET LOCAL plan_cache_mode = force_generic_plan';
const planning = `${planOnce}; SET LOCAL jit = off;`;

/** Connections that plan for the values at hand, or did when their transaction ended. */
const plansForValues = new WeakSet<pg.PoolClient>();

/** In a transaction of `withPeriodsLocked`: as it began, whether or not `planForValues` was called. */
export async function planOnceAgain(client: pg.PoolClient): Promise<void> {
  if (plansForValues.delete(client)) await client.query(planOnce);
}

/** In a transaction of `withPeriodsLocked`: what follows is planned for the values at hand. */
export async function planForValues(client: pg.PoolClient): Promise<void> {
  plansForValues.add(client);
  await client.query('SET LOCAL plan_cache_mode = force_custom_plan');
}

/** For a transaction that needs no cutoff. */
export async function lockPeriod(client: pg.PoolClient, key: PeriodKey): Promise<void> {
  await client.query(`SELECT pg_advisory_xact_lock(${periodLockOf(key)})`);
}

/** In order of the locks, so that nobody waits in a circle. */
function locking(keys: readonly PeriodKey[]): string {
  const locks = [...new Set(keys.map(periodLockOf))].sort((a, b) => (a < b ? -1 : 1));
  return locks.map((lock) => `SELECT pg_advisory_xact_lock(${lock})`).join(';');
}

const periodLockOf = ({ customerId, period }: PeriodKey): bigint => lockOf('billing-period', customerId, period);

/** Exclusive: who learns a version or begins a rollout; shared: gates that are pricing by the price book. */
export const priceBookLockOf = (code: string): bigint => lockOf('price-book', code);

/** Exclusive: who adds a meter, or a version of the schema, of the event type. */
export const eventTypeLockOf = (eventType: string): bigint => lockOf('event-type', eventType);

/** Exclusive: who begins to look back for new meters; shared: gates that skip a period. */
export const meterLookBackLock: bigint = lockOf('meter-look-back');

/** 64 bits of a hash: two that share a lock would only wait for each other. */
function lockOf(...names: readonly string[]): bigint {
  const hex = createHash('sha256').update(JSON.stringify(names)).digest('hex');
  return BigInt.asIntN(64, BigInt(`0x${hex.slice(0, 16)}`));
}

/** A safe horizon read after the call, shared with gates and with whoever else asks at the same time. */
export const horizonOf = (db: Database): Promise<Horizon> => turnstileOf(db).horizon();

function turnstileOf(db: Database): Turnstile {
  const known = turnstiles.get(db);
  if (known !== undefined) return known;
  // The horizon needs a connection while its caller holds one: were all of them held by callers, nobody could go on.
  const places = Math.max(1, Math.floor(db.pool.options.max / 2));
  const made = { horizon: sharedHorizon(() => readHorizon(db)), enter: limitedTo(places) };
  turnstiles.set(db, made);
  return made;
}

/**
 * One read at a time; who asks while one is under way shares the next one, which begins after every one of them asked. The
 * exclusive lock behind it holds up ingest, so a hundred gates, or dashboards, should not take it a hundred times.
 */
export function sharedHorizon<T>(read: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
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
