/** From facts of the ledger to ranges of billing periods, in bounded transactions that move the cursor with them. */
import type pg from 'pg';
import { isWithin } from '../domain/time/instant.js';
import { invariant } from '../domain/failure.js';
import type { Instant, Interval, Position } from '../domain/values.js';
import type { Database } from './database.js';
import { isOfValues, queryCanceled, reasonOfOne, sqlState } from './errors.js';
import { lockCursor, readCursor, type Turn } from './relay-cursor.js';
import { planSql } from './relay-plan-sql.js';
import {
  catchUp,
  customersBetween,
  factsRefused,
  isAnyoneAside,
  periodNotCreated,
  plannedUpTo,
  setAside,
  toTryAgain,
  triedInVain,
  type Unplannable,
} from './relay-set-aside.js';
import type { UnmeteredWatch } from './relay-unmetered.js';
import { safeHorizon } from './safe-horizon.js';
import type { BillingPeriodStore } from './types.js';

/** Positions a transaction plans at most (one position is at most one fact), and transactions of one call. */
const positionsPerPlan = 200_000n;
const plansPerCall = 8;
/**
 * Memory for the facts of one plan: with the default of 4 MB they are written to disk and read back several times.
 * Compiling the statement (JIT) would take longer than most plans.
 */
const planSettings = `SET LOCAL work_mem = '64MB'; SET LOCAL jit = off`;

export interface Planned {
  readonly position: Position;
  readonly facts: number;
}

type Attempt =
  (Planned & { readonly kind: 'planned' }) | { readonly kind: 'missing'; readonly places: readonly Place[] };
/** The facts in (from, to] were not planned: the database refuses a value of one, or they take longer than a statement may. */
interface Failed {
  readonly kind: 'refused' | 'slow';
  readonly from: Position;
  readonly to: Position;
  readonly error: unknown;
}
/** How far a plan may go: to the horizon, and over so many positions. */
interface PlanBounds {
  readonly horizon: Position;
  readonly stretch: bigint;
}
/** A customer and a time without a stored period. */
interface Place {
  readonly customerId: string;
  readonly at: Instant;
}

interface PlanRow {
  readonly facts: string;
  readonly missing: readonly Place[] | null;
}

export class RelayPlanner {
  /** Positions that a transaction can plan at present: halved when they take too long, doubled with each call. */
  private pace = positionsPerPlan;

  constructor(
    private readonly db: Database,
    private readonly periods: Pick<BillingPeriodStore, 'periodAt'>,
    private readonly unmetered: Pick<UnmeteredWatch, 'note'>,
  ) {}

  /**
   * Plans up to the safe horizon in bounded transactions; a relay far behind needs several calls. A customer of whom a period
   * cannot be created, or whose facts the statement refuses, is set aside, and holds up nobody.
   *
   * No value that came through ingest is known to be refused (bounded decimals and times; a test tries the rest). Where one is
   * all the same, the stretch is halved until it is planned or holds one position: that fact's customer it is. What takes longer
   * than a statement may is halved, too.
   */
  async plan(group: string, epoch: number): Promise<Planned> {
    const turn = { group, epoch };
    const horizon = await safeHorizon(this.db);
    let facts = 0;
    let position = await readCursor(this.db.pool, turn);
    this.pace = this.pace * 2n < positionsPerPlan ? this.pace * 2n : positionsPerPlan;
    let stretch = this.pace;
    for (let plans = 0; plans < plansPerCall && BigInt(position) < BigInt(horizon);) {
      const attempt = await this.planOnce(turn, { horizon, stretch });
      if (attempt.kind === 'missing') {
        const unplannable = await this.createPeriods(attempt.places);
        const isNew = unplannable.length === 0 || (await this.setAside(turn, unplannable));
        invariant(isNew, 'the facts of customers that are set aside are not planned');
        continue;
      }
      if (attempt.kind !== 'planned') {
        stretch = await this.narrowed(turn, attempt);
        continue;
      }
      position = attempt.position;
      facts += attempt.facts;
      // A stretch of unused positions costs next to nothing: it does not count, and the next one may be longer.
      if (attempt.facts > 0) plans += 1;
      else stretch = stretch * 2n < positionsPerPlan ? stretch * 2n : positionsPerPlan;
      // Everybody's, whoever is set aside. After the commit: a crash in between loses a finding until the next such event, never a range.
      if (attempt.from !== undefined) await this.unmetered.note(attempt.from, attempt.position);
    }
    return { position, facts: facts + (await this.planSetAside(turn)) };
  }

  /** How far to go instead: half as far; of one position its customer is set aside. @throws what is not one customer's doing */
  private async narrowed(turn: Turn, { kind, from, to, error }: Failed): Promise<bigint> {
    const half = (BigInt(to) - BigInt(from)) / 2n;
    if (kind === 'slow') this.pace = half > 0n ? half : 1n;
    if (half > 0n) return half;
    if (kind === 'slow') throw error;
    const reason = factsRefused(reasonOfOne(error));
    const customers = await customersBetween(this.db.pool, from, to);
    // Somebody's fact it must be, and his facts are not in the next attempt: else that would fail alike, without end.
    const isNew = await this.setAside(
      turn,
      customers.map((customerId) => ({ customerId, reason })),
    );
    if (!isNew) throw error;
    return this.pace;
  }

  /** Whether any of them was not set aside before. */
  private setAside(turn: Turn, customers: readonly Unplannable[]): Promise<boolean> {
    return this.db.transaction((client) => setAside(client, turn, customers));
  }

  /**
   * A transaction in which the facts of a stretch are planned.
   * @param work says which stretch it is before it looks at them: what fails earlier is not about them
   * @throws what is wrong with more than these facts
   */
  private async attempt<T>(
    work: (client: pg.PoolClient, begin: (from: Position, to: Position) => void) => Promise<T>,
  ): Promise<T | Failed> {
    let tried = null as Pick<Failed, 'from' | 'to'> | null;
    const begin = (from: Position, to: Position): void => {
      tried = { from, to };
    };
    try {
      return await this.db.transaction((client) => work(client, begin), planSettings);
    } catch (error) {
      const kind = isOfValues(error) ? 'refused' : sqlState(error) === queryCanceled ? 'slow' : null;
      if (tried === null || kind === null) throw error;
      return { kind, ...tried, error };
    }
  }

  /** Ranges and cursor move together or not at all; with a period missing, not at all. */
  private planOnce(
    turn: Turn,
    { horizon, stretch }: PlanBounds,
  ): Promise<(Attempt & { readonly from?: Position }) | Failed> {
    return this.attempt(async (client, begin) => {
      const from = await lockCursor(client, turn);
      // Another call of this epoch has planned beyond this one's horizon: the cursor never goes back.
      if (BigInt(from) >= BigInt(horizon)) return nothingPlanned(from);
      const scope = (await isAnyoneAside(client, turn.group)) ? 'beside' : 'all';
      const to = nextStop(from, horizon, stretch);
      begin(from, to);
      const { rows } = await client.query<PlanRow>(planSql(scope), [
        from,
        to,
        ...(scope === 'all' ? [] : [turn.group]),
      ]);
      const attempted = attemptOf(rows, to);
      if (attempted.kind === 'missing') return attempted;
      await client.query('UPDATE relay_cursors SET position = $2, updated_at = now() WHERE partition_group = $1', [
        turn.group,
        to,
      ]);
      return { ...attempted, from };
    });
  }

  /** Plans what customers that were set aside have missed, as far as it can be by now; returns the facts. */
  private async planSetAside(turn: Turn): Promise<number> {
    let facts = 0;
    let plans = 0;
    for (const customerId of await toTryAgain(this.db.pool, turn.group)) {
      let stretch = positionsPerPlan;
      for (let isBehind = true; isBehind && plans < plansPerCall; plans += 1) {
        const attempt = await this.planSetAsideOnce(turn, customerId, stretch);
        if (attempt === null) break;
        if (attempt.kind === 'planned') {
          facts += attempt.facts;
          isBehind = attempt.isBehind;
          continue;
        }
        // A few steps to the smallest one, so that the others do not wait for long.
        if (attempt.kind === 'slow') stretch = (BigInt(attempt.to) - BigInt(attempt.from)) / 16n;
        if (attempt.kind === 'slow' && stretch > 0n) continue;
        const unplannable = await this.stillUnplannable(customerId, attempt);
        if (unplannable === null) continue;
        await triedInVain(this.db.pool, turn.group, unplannable);
        break;
      }
    }
    return facts;
  }

  /** Why his facts still cannot be planned; null: now they may be. */
  private async stillUnplannable(
    customerId: string,
    attempt: Failed | Extract<Attempt, { readonly kind: 'missing' }>,
  ): Promise<Unplannable | null> {
    if (attempt.kind === 'missing') return (await this.createPeriods(attempt.places))[0] ?? null;
    const why = attempt.kind === 'slow' ? 'it takes longer than a statement may' : reasonOfOne(attempt.error);
    return { customerId, reason: factsRefused(why) };
  }

  /**
   * One bounded stretch of what the customer has missed. Nothing of his was planned since he was set aside, so his ranges go on
   * where they ended. Null: he is not set aside any more.
   */
  private planSetAsideOnce(
    turn: Turn,
    customerId: string,
    stretch: bigint,
  ): Promise<(Attempt & { readonly isBehind: boolean }) | Failed | null> {
    return this.attempt(async (client, begin) => {
      const cursor = await lockCursor(client, turn);
      const from = await plannedUpTo(client, turn.group, customerId);
      if (from === null) return null;
      const to = nextStop(from, cursor, stretch);
      begin(from, to);
      const attempted =
        BigInt(from) < BigInt(to)
          ? attemptOf((await client.query<PlanRow>(planSql('one'), [from, to, customerId])).rows, to)
          : nothingPlanned(to);
      if (attempted.kind === 'planned') await catchUp(client, { group: turn.group, customerId }, { to, cursor });
      return { ...attempted, isBehind: to !== cursor };
    });
  }

  /** The customers that no period could be created for. @throws StorageUnavailable, and what concerns everybody */
  private async createPeriods(places: readonly Place[]): Promise<readonly Unplannable[]> {
    const created = new Map<string, Interval[]>();
    const unplannable = new Map<string, Unplannable>();
    for (const { customerId, at } of places) {
      const known = created.get(customerId) ?? [];
      if (unplannable.has(customerId) || known.some((period) => isWithin(at, period))) continue;
      try {
        const period = await this.periods.periodAt(customerId, at);
        invariant(isWithin(at, period), `the period of "${customerId}" at ${at} has that time`); // else it were missing for ever
        known.push(period);
        created.set(customerId, known);
      } catch (error) {
        unplannable.set(customerId, { customerId, reason: periodNotCreated(reasonOfOne(error)) });
      }
    }
    return [...unplannable.values()];
  }
}

const nothingPlanned = (position: Position): Planned & { readonly kind: 'planned' } => ({
  kind: 'planned',
  position,
  facts: 0,
});

/** Where a plan from a position ends: it is bounded, and never goes beyond the limit. */
function nextStop(from: Position, limit: Position, stretch: bigint): Position {
  const furthest = BigInt(from) + stretch;
  return furthest < BigInt(limit) ? (furthest.toString() as Position) : limit;
}

function attemptOf([planned]: readonly PlanRow[], to: Position): Attempt {
  invariant(planned !== undefined, 'a plan answers with one row');
  if (planned.missing !== null) return { kind: 'missing', places: planned.missing };
  return { kind: 'planned', position: to, facts: Number(planned.facts) };
}
