/** The relay's memory: cursor and epoch, and the plan of what to tell which billing period (control rows). */
import { invariant } from '../domain/failure.js';
import type { Instant, Position } from '../domain/values.js';
import type { Database } from './database.js';
import { guarded } from './errors.js';
import { RelayPlanner } from './relay-planner.js';
import { mergeRanges, type PlannedRange } from './relay-ranges.js';
import { createUnmeteredWatch, type UnmeteredWatch } from './relay-unmetered.js';
import { tryAllAgainSql } from './relay-set-aside.js';
import type { BillingPeriodStore, RelayStore } from './types.js';

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
      await db.pool.query(tryAllAgainSql, [group]);
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
