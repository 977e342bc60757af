/** Events that no meter takes (RULES 10): counted, and a finding an event type. */
import type { Position } from '../domain/values.js';
import { filtersTakeSql } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import { insertFinding } from './gate-findings.js';
import type { UnmeteredEvents } from './types.js';

/** What the relay asks after each plan. */
export interface UnmeteredWatch extends UnmeteredEvents {
  /** Looks through the facts in (from, to]: bounded, as the plan is. */
  note(from: Position, to: Position): Promise<void>;
}

interface Unmetered {
  readonly event_type: string;
  readonly events: number;
  readonly customer_id: string;
}

export function createUnmeteredWatch(db: Database): UnmeteredWatch {
  const listeners: ((events: number) => void)[] = [];
  /** Findings of event types that need not be written again: by type, until one is resolved as fixed. */
  const noted = new Map<string, string>();
  return {
    onEvents: (listener) => void listeners.push(listener),
    note: async (from, to) => {
      const { rows } = await db.pool.query<Unmetered>({
        name: 'unmetered-events',
        text: unmeteredSql,
        values: [from, to],
      });
      await forgetFixed(db, noted, rows);
      for (const { event_type: eventType, customer_id: customerId, events } of rows) {
        for (const listener of listeners) listener(events);
        if (noted.has(eventType)) continue;
        const findingId = await insertFinding(db.pool, {
          code: 'UNMETERED_EVENTS',
          customerId: null,
          period: null,
          subject: { event_type: eventType },
          detail: `Events of type "${eventType}" are stored and no meter takes them (seen first at customer "${customerId}").`,
        });
        noted.set(eventType, findingId);
      }
    },
  };
}

/** What was resolved as fixed, and comes again, is another finding; what a person has accepted stays so (`findingToDb`). */
async function forgetFixed(db: Database, noted: Map<string, string>, rows: readonly Unmetered[]): Promise<void> {
  const types = new Map(rows.map(({ event_type: type }) => [noted.get(type), type] as const));
  types.delete(undefined);
  if (types.size === 0) return;
  const { rows: fixed } = await db.pool.query<{ readonly finding_id: string }>({
    name: 'unmetered-fixed',
    text: `SELECT finding_id FROM finding_resolutions WHERE finding_id = ANY ($1::uuid[]) AND resolution = 'fixed'`,
    values: [[...types.keys()]],
  });
  for (const { finding_id: id } of fixed) noted.delete(types.get(id) ?? '');
}

/**
 * $1, $2: facts at positions in ($1, $2]: events as they come, those of backfills too, and what amendments make of events.
 *
 * A version that adds up takes the events of its own stretch; of the others the one at the period's end takes all of the period's,
 * and a level all that ever changed it (RULES 31, 33). Local dates begin up to 14 hours before, and 12 after, midnight UTC: within
 * them either version may hold, and only what neither takes is told of.
 *
 * `surely`: types of which every event is taken by some meter. Nearly all events are of one of them, and are judged no further.
 */
const unmeteredSql = `WITH version AS (
  SELECT DISTINCT ON (code, begins) code, event_type, aggregation, NULLIF(filters, '{}') AS filters, begins, by_date
  FROM (SELECT *, effective_from_date IS NOT NULL AS by_date,
      coalesce(effective_from, effective_from_date::timestamp AT TIME ZONE 'UTC', '-infinity') AS begins FROM meters) AS m
  ORDER BY code, begins, version DESC),
rule AS (
  SELECT event_type, aggregation, filters, begins - CASE WHEN by_date THEN interval '14 hours' ELSE interval '0' END AS holds_from,
    coalesce(lead(begins) OVER later + CASE WHEN lead(by_date) OVER later THEN interval '12 hours' ELSE interval '0' END,
      'infinity') AS holds_to
  FROM version WINDOW later AS (PARTITION BY code ORDER BY begins)),
surely AS (
  SELECT event_type FROM rule WHERE filters IS NULL AND holds_from = '-infinity' AND holds_to = 'infinity'),
judged AS (
  SELECT customer_id, event_type, event_time, metadata FROM telemetry_events
  WHERE position > $1 AND position <= $2 AND event_type NOT IN (SELECT event_type FROM surely)
  UNION ALL
  SELECT customer_id, replacement_event_type, replacement_event_time, replacement_metadata FROM event_adjustments
  WHERE position > $1 AND position <= $2 AND type = 'amend' AND replacement_event_type NOT IN (SELECT event_type FROM surely))
SELECT e.event_type, count(*)::int AS events, min(e.customer_id) AS customer_id
FROM judged e LEFT JOIN billing_periods p
  ON p.customer_id = e.customer_id AND p.period_start <= e.event_time AND p.period_end > e.event_time
WHERE NOT EXISTS (SELECT FROM rule r WHERE r.event_type = e.event_type
  AND CASE WHEN r.aggregation IN ('count', 'sum') THEN r.holds_from <= e.event_time AND e.event_time < r.holds_to
    WHEN r.aggregation = 'weighted_sum' OR p.period_end IS NULL THEN true
    ELSE r.holds_from < p.period_end AND r.holds_to >= p.period_end END
  AND (r.filters IS NULL OR ${filtersTakeSql('r.filters', 'e.metadata')}))
GROUP BY e.event_type ORDER BY e.event_type`;
