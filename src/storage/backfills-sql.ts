/** What backfills decide about which events count, as SQL. */

export interface CountedQuery {
  /** SQL of the customer's id. */
  readonly customer: string;
  /** SQL of the cutoff; null: everything committed so far. */
  readonly cutoff: string | null;
  /** SQL of the time that the event counts at, of its last adjustment where it has one. */
  readonly time: string;
}

/** A backfill of the customer (aliases m, c) that is in force at the cutoff. */
function inForceSql({ customer, cutoff }: CountedQuery, [m, c]: readonly [string, string]): string {
  const known = (alias: string): string => (cutoff === null ? 'true' : `${alias}.position <= ${cutoff}`);
  return `FROM backfill_customers ${m}
      JOIN backfill_decisions ${c} ON ${c}.backfill_id = ${m}.backfill_id AND ${c}.decision = 'closed' AND ${known(c)}
    WHERE ${m}.customer_id = ${customer} AND NOT EXISTS (SELECT FROM backfill_decisions r
      WHERE r.backfill_id = ${m}.backfill_id AND r.decision = 'reverted' AND ${known('r')})`;
}

/**
 * Condition under which an event `e` counts as far as backfills decide (DESIGN 3) that replace nothing: a row of one while that is
 * in force (closed and not reverted). Ordinary events cost it nothing.
 */
export function inForceOrOrdinarySql(query: CountedQuery): string {
  return `(e.backfill_id IS NULL OR e.backfill_id IN (SELECT m.backfill_id ${inForceSql(query, ['m', 'c'])}))`;
}

/**
 * The same where backfills may replace: while one of these is in force, nothing else counts in its range, however early or late it
 * came; of several the one closed last holds, and one that adds counts there when it was closed after it.
 *
 * What replaces is computed once a statement, and a row of a backfill that nothing was closed after is found by its id alone.
 */
export function countedSql(query: CountedQuery): string {
  const { customer, cutoff, time } = query;
  const inForce = inForceSql(query, ['m', 'c']);
  const replacing = `${inForceSql(query, ['p', 'q'])} AND p.mode = 'replace'`;
  const ranges = `(SELECT range_agg(tstzrange(p.range_start, p.range_end)) ${replacing})`;
  const replaced = `is_replaced_by_backfill(${customer}, e.backfill_id, ${time}, ${cutoff ?? 'NULL'})`;
  return `((e.backfill_id IS NULL AND (${ranges} IS NULL OR NOT ${time} <@ ${ranges}))
      OR e.backfill_id IN (SELECT m.backfill_id ${inForce} AND NOT EXISTS (SELECT ${replacing} AND q.position > c.position))
      OR (e.backfill_id IN (SELECT m.backfill_id ${inForce}) AND NOT ${replaced}))`;
}

/**
 * Whether the state of a customer's events may be another than what is stored of them: there are adjustments (at or below the
 * cutoff, where one is given), or backfills that replace. The common "no" makes aggregation cheaper.
 */
export function isAdjustedSql(customer: string, cutoff: string | null = null): string {
  const known = cutoff === null ? '' : ` AND adjustment.position <= ${cutoff}`;
  return `(EXISTS (SELECT FROM event_adjustments adjustment WHERE adjustment.customer_id = ${customer}${known})
    OR EXISTS (SELECT FROM backfill_customers backfill WHERE backfill.customer_id = ${customer} AND backfill.mode = 'replace'))`;
}
