/** The relay's memory: cursor and epoch, and the plan of what to tell which billing period (control rows). */
import { invariant } from '../domain/failure.js';
import { isWithin } from '../domain/time/instant.js';
import type { Instant, Interval, Position } from '../domain/values.js';
import type { Database } from './database.js';
import { guarded } from './errors.js';
import { planSql } from './relay-plan-sql.js';
import { mergeRanges, type PlannedRange } from './relay-ranges.js';
import { createUnmeteredWatch, type UnmeteredWatch } from './relay-unmetered.js';
import { safeHorizon } from './safe-horizon.js';
import type { BillingPeriodStore, RelayStore } from './types.js';

/** Another relay of the group holds a newer epoch: this one must end. */
export class RelayFenced extends Error {
  override readonly name = 'RelayFenced';
}

/** Positions a transaction plans at most (one position is at most one fact), and transactions of one call. */
const positionsPerPlan = 200_000n;
const plansPerCall = 8;
/**
 * Memory for the facts of one plan: with the default of 4 MB they are written to disk and read back several times.
 * Compiling the statement (JIT) would take longer than most plans.
 */
const planSettings = `SET LOCAL work_mem = '64MB'; SET LOCAL jit = off`;

interface Planned {
  readonly position: Position;
  readonly facts: number;
}

type Attempt =
  (Planned & { readonly kind: 'planned' }) | { readonly kind: 'missing'; readonly places: readonly Place[] };
/** A customer and a time without a stored period. */
interface Place {
  readonly customerId: string;
  readonly at: Instant;
}

interface PlanRow {
  readonly facts: string;
  readonly missing: readonly Place[] | null;
}

/**
 * A group is a cursor over the whole ledger: there is one, `allPartitions`, until partitions are spread over databases.
 */
export function createRelayStore(
  db: Database,
  periods: Pick<BillingPeriodStore, 'periodAt'>,
  unmetered: Pick<UnmeteredWatch, 'note'> = createUnmeteredWatch(db),
): RelayStore {
  const planner = new RelayPlanner(db, periods, unmetered);
  return guarded<RelayStore>({
    acquire: async (group) => {
      const { rows } = await db.pool.query<{ epoch: string; position: Position }>(
        `INSERT INTO relay_cursors AS c (partition_group, position, epoch) VALUES ($1, 0, 1)
         ON CONFLICT (partition_group) DO UPDATE SET epoch = c.epoch + 1, updated_at = now() RETURNING epoch, position`,
        [group],
      );
      const [cursor] = rows;
      invariant(cursor !== undefined, 'acquiring a relay group gives its cursor');
      return { epoch: Number(cursor.epoch), position: cursor.position };
    },
    plan: (group, epoch) => planner.plan(group, epoch),
    due: (_group, intervalMs, limit) => dueRanges(db, intervalMs, limit),
    markDelivered: async (ranges) => {
      await db.pool.query(markDeliveredSql, [
        ranges.map((range) => range.customerId),
        ranges.map((range) => range.period),
        ranges.map((range) => range.to),
      ]);
    },
    lag: async (group) => {
      // Positions are an upper bound for facts (a rolled-back transaction uses some up) and cost nothing to count.
      const { rows } = await db.pool.query<{ facts: string; oldest: Instant | null }>(
        `SELECT greatest(s.last_value - CASE WHEN s.is_called THEN 0 ELSE 1 END - coalesce(c.position, 0), 0) AS facts,
           (SELECT min(planned_at) FROM usage_ranges WHERE delivered_at IS NULL) AS oldest
         FROM ledger_position s LEFT JOIN relay_cursors c ON c.partition_group = $1`,
        [group],
      );
      return { facts: Number(rows[0]?.facts ?? 0), oldestUndelivered: rows[0]?.oldest ?? null };
    },
  });
}

class RelayPlanner {
  constructor(
    private readonly db: Database,
    private readonly periods: Pick<BillingPeriodStore, 'periodAt'>,
    private readonly unmetered: Pick<UnmeteredWatch, 'note'>,
  ) {}

  /** Plans up to the safe horizon in bounded transactions; a relay far behind needs several calls. */
  async plan(group: string, epoch: number): Promise<Planned> {
    const horizon = await safeHorizon(this.db);
    let facts = 0;
    let position = await this.cursorOf(group, epoch);
    for (let plans = 0; plans < plansPerCall && BigInt(position) < BigInt(horizon);) {
      const attempt = await this.planOnce(group, { epoch, horizon });
      if (attempt.kind === 'missing') {
        await this.createPeriods(attempt.places);
        continue;
      }
      position = attempt.position;
      facts += attempt.facts;
      if (attempt.facts > 0) plans += 1; // a stretch of unused positions costs next to nothing
    }
    return { position, facts };
  }

  private async cursorOf(group: string, epoch: number): Promise<Position> {
    const { rows } = await this.db.pool.query<CursorRow>(cursorSql, [group]);
    return fencedCursor(rows[0], group, epoch);
  }

  /** Ranges and cursor move together or not at all; with a period missing, not at all. */
  private async planOnce(group: string, turn: { epoch: number; horizon: Position }): Promise<Attempt> {
    type Outcome = Attempt & { readonly from?: Position };
    const attempt = await this.db.transaction<Outcome>(async (client) => {
      const { rows: cursors } = await client.query<CursorRow>(`${cursorSql} FOR UPDATE`, [group]);
      const from = BigInt(fencedCursor(cursors[0], group, turn.epoch));
      const [furthest, horizon] = [from + positionsPerPlan, BigInt(turn.horizon)];
      // Another call of this epoch has planned beyond this one's horizon: the cursor never goes back.
      if (from >= horizon) return { kind: 'planned', position: from.toString() as Position, facts: 0 };
      const to = (furthest < horizon ? furthest : horizon).toString() as Position;
      const { rows } = await client.query<PlanRow>(planSql, [from.toString(), to]);
      const [planned] = rows;
      invariant(planned !== undefined, 'a plan answers with one row');
      if (planned.missing !== null) return { kind: 'missing', places: planned.missing };
      await client.query('UPDATE relay_cursors SET position = $2, updated_at = now() WHERE partition_group = $1', [
        group,
        to,
      ]);
      return { kind: 'planned', position: to, facts: Number(planned.facts), from: from.toString() as Position };
    }, planSettings);
    // After the commit: a crash in between loses a finding until the next such event, never a range.
    if (attempt.kind === 'planned' && attempt.from !== undefined)
      await this.unmetered.note(attempt.from, attempt.position);
    return attempt;
  }

  private async createPeriods(places: readonly Place[]): Promise<void> {
    const created = new Map<string, Interval[]>();
    for (const { customerId, at } of places) {
      const known = created.get(customerId) ?? [];
      if (known.some((period) => isWithin(at, period))) continue;
      known.push(await this.periods.periodAt(customerId, at));
      created.set(customerId, known);
    }
  }
}

interface CursorRow {
  readonly position: Position;
  readonly epoch: string;
}
const cursorSql = 'SELECT position, epoch FROM relay_cursors WHERE partition_group = $1';

function fencedCursor(cursor: CursorRow | undefined, group: string, epoch: number): Position {
  if (cursor === undefined || Number(cursor.epoch) !== epoch) {
    throw new RelayFenced(`epoch ${epoch} of relay group "${group}" is over: ${cursor?.epoch ?? 'no'} epoch holds it`);
  }
  return cursor.position;
}

/**
 * What is undelivered, of customers and periods that were told nothing within the interval. `meters_changed`: a meter was
 * learned between the plans, so their sums are not of one kind.
 *
 * `IS TRUE` keeps the join off the index of what is not delivered: where statistics say that there is next to nothing, each
 * period would read all of it (10,000 waiting: 2.3 s a call, against 0.07 by the primary key).
 */
const dueSql = `WITH waiting AS (
  SELECT customer_id, period, min(to_position) AS first, min(planned_at) AS planned_from, max(planned_at) AS planned_to
  FROM usage_ranges WHERE delivered_at IS NULL GROUP BY customer_id, period),
due AS (
  SELECT w.*, EXISTS (SELECT FROM meters m WHERE m.learned_at > w.planned_from AND m.learned_at <= w.planned_to) AS meters_changed
  FROM waiting w
  WHERE NOT EXISTS (SELECT FROM usage_ranges d WHERE d.customer_id = w.customer_id AND d.period = w.period
    AND d.delivered_at > clock_timestamp() - make_interval(secs => $1::float8 / 1000))
  ORDER BY w.first, w.customer_id, w.period LIMIT $2)
SELECT u.customer_id, u.period, u.from_position, u.to_position, u.event_count, u.max_event_time,
  CASE WHEN d.meters_changed THEN NULL ELSE u.sums END AS sums
FROM due d JOIN usage_ranges u ON u.customer_id = d.customer_id AND u.period = d.period AND (u.delivered_at IS NULL) IS TRUE
ORDER BY d.first, d.customer_id, d.period, u.to_position`;

async function dueRanges(db: Database, intervalMs: number, limit: number): ReturnType<RelayStore['due']> {
  const { rows } = await db.pool.query<PlannedRange>(dueSql, [intervalMs, limit]);
  return mergeRanges(rows);
}

/**
 * The newest row stays, delivered: the next range begins where it ends, and it says when the customer was told last. The
 * ones it includes have done their work.
 */
const markDeliveredSql = `WITH told AS (
  SELECT * FROM unnest($1::text[], $2::date[], $3::bigint[]) AS t (customer_id, period, to_position)),
pruned AS (
  DELETE FROM usage_ranges u USING told t
  WHERE u.customer_id = t.customer_id AND u.period = t.period AND u.to_position < t.to_position)
UPDATE usage_ranges u SET delivered_at = clock_timestamp() FROM told t
WHERE u.customer_id = t.customer_id AND u.period = t.period AND u.to_position = t.to_position AND u.delivered_at IS NULL`;
