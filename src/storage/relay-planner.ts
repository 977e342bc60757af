/** From facts of the ledger to ranges of billing periods, in bounded transactions that move the cursor with them. */
import { isWithin } from '../domain/time/instant.js';
import { invariant } from '../domain/failure.js';
import type { Instant, Interval, Position } from '../domain/values.js';
import type { Database } from './database.js';
import { isOfValues, reasonOfOne } from './errors.js';
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
/** The database refuses a value of a fact in (from, to]. */
interface Refused {
  readonly kind: 'refused';
  readonly from: Position;
  readonly to: Position;
  readonly reason: string;
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
   * all the same, the stretch is halved until it is planned or holds one position: that fact's customer it is.
   */
  async plan(group: string, epoch: number): Promise<Planned> {
    const turn = { group, epoch };
    const horizon = await safeHorizon(this.db);
    let facts = 0;
    let position = await readCursor(this.db.pool, turn);
    let stretch = positionsPerPlan;
    for (let plans = 0; plans < plansPerCall && BigInt(position) < BigInt(horizon);) {
      const attempt = await this.planOrRefuse(turn, { horizon, position, stretch });
      if (attempt.kind === 'refused') {
        const { from, to, reason } = attempt;
        stretch = (BigInt(to) - BigInt(from)) / 2n;
        if (stretch > 0n) continue;
        const refused = (await customersBetween(this.db.pool, from, to)).map((customerId) => ({ customerId, reason }));
        // Somebody's fact it must be: else it is not one customer's doing.
        if (refused.length === 0) throw attempt.error;
        await this.db.transaction((client) => setAside(client, turn, refused));
        stretch = positionsPerPlan;
        continue;
      }
      if (attempt.kind === 'missing') {
        const unplannable = await this.createPeriods(attempt.places);
        if (unplannable.length > 0) await this.db.transaction((client) => setAside(client, turn, unplannable));
        continue;
      }
      position = attempt.position;
      facts += attempt.facts;
      if (attempt.facts > 0) plans += 1; // a stretch of unused positions costs next to nothing
    }
    return { position, facts: facts + (await this.planSetAside(turn)) };
  }

  /** `planOnce`, where a value that the database refuses is an answer. @throws what is wrong with more than values */
  private async planOrRefuse(
    turn: Turn,
    bounds: PlanBounds & { readonly position: Position },
  ): Promise<Attempt | Refused> {
    try {
      return await this.planOnce(turn, bounds);
    } catch (error) {
      if (!isOfValues(error)) throw error;
      const reason = factsRefused(reasonOfOne(error));
      const { position: from, horizon, stretch } = bounds;
      return { kind: 'refused', from, to: nextStop(from, horizon, stretch), reason, error };
    }
  }

  /** Ranges and cursor move together or not at all; with a period missing, not at all. */
  private async planOnce(turn: Turn, { horizon, stretch }: PlanBounds): Promise<Attempt> {
    type Outcome = Attempt & { readonly from?: Position };
    const attempt = await this.db.transaction<Outcome>(async (client) => {
      const from = await lockCursor(client, turn);
      // Another call of this epoch has planned beyond this one's horizon: the cursor never goes back.
      if (BigInt(from) >= BigInt(horizon)) return nothingPlanned(from);
      const scope = (await isAnyoneAside(client, turn.group)) ? 'beside' : 'all';
      const to = nextStop(from, horizon, stretch);
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
    }, planSettings);
    // Everybody's, whoever is set aside. After the commit: a crash in between loses a finding until the next such event, never a range.
    if (attempt.kind === 'planned' && attempt.from !== undefined)
      await this.unmetered.note(attempt.from, attempt.position);
    return attempt;
  }

  /** Plans what customers that were set aside have missed, as far as it can be by now; returns the facts. */
  private async planSetAside(turn: Turn): Promise<number> {
    let facts = 0;
    let plans = 0;
    for (const customerId of await toTryAgain(this.db.pool, turn.group)) {
      for (let isBehind = true; isBehind && plans < plansPerCall; plans += 1) {
        const attempt = await this.planSetAsideOnce(turn, customerId).catch((error: unknown) =>
          this.inVain(turn, customerId, error),
        );
        if (attempt === null) break;
        if (attempt.kind === 'missing') {
          const [unplannable] = await this.createPeriods(attempt.places);
          if (unplannable === undefined) continue;
          await triedInVain(this.db.pool, turn.group, unplannable);
          break;
        }
        facts += attempt.facts;
        isBehind = attempt.isBehind;
      }
    }
    return facts;
  }

  /** It is still refused. @throws what is not his */
  private async inVain(turn: Turn, customerId: string, error: unknown): Promise<null> {
    if (!isOfValues(error)) throw error;
    await triedInVain(this.db.pool, turn.group, { customerId, reason: factsRefused(reasonOfOne(error)) });
    return null;
  }

  /**
   * One bounded stretch of what the customer has missed. Nothing of his was planned since he was set aside, so his ranges go on
   * where they ended. Null: he is not set aside any more.
   */
  private async planSetAsideOnce(
    turn: Turn,
    customerId: string,
  ): Promise<(Attempt & { readonly isBehind: boolean }) | null> {
    return this.db.transaction(async (client) => {
      const cursor = await lockCursor(client, turn);
      const from = await plannedUpTo(client, turn.group, customerId);
      if (from === null) return null;
      const to = nextStop(from, cursor);
      const attempted =
        BigInt(from) < BigInt(to)
          ? attemptOf((await client.query<PlanRow>(planSql('one'), [from, to, customerId])).rows, to)
          : nothingPlanned(to);
      if (attempted.kind === 'planned') await catchUp(client, { group: turn.group, customerId }, { to, cursor });
      return { ...attempted, isBehind: to !== cursor };
    }, planSettings);
  }

  /** The customers that no period could be created for. @throws StorageUnavailable, and what concerns everybody */
  private async createPeriods(places: readonly Place[]): Promise<readonly Unplannable[]> {
    const created = new Map<string, Interval[]>();
    const unplannable = new Map<string, Unplannable>();
    for (const { customerId, at } of places) {
      const known = created.get(customerId) ?? [];
      if (unplannable.has(customerId) || known.some((period) => isWithin(at, period))) continue;
      try {
        known.push(await this.periods.periodAt(customerId, at));
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
function nextStop(from: Position, limit: Position, stretch = positionsPerPlan): Position {
  const furthest = BigInt(from) + stretch;
  return furthest < BigInt(limit) ? (furthest.toString() as Position) : limit;
}

function attemptOf([planned]: readonly PlanRow[], to: Position): Attempt {
  invariant(planned !== undefined, 'a plan answers with one row');
  if (planned.missing !== null) return { kind: 'missing', places: planned.missing };
  return { kind: 'planned', position: to, facts: Number(planned.facts) };
}
