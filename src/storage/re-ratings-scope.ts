/** Which billing periods a re-rating's scope means. */
import { SqlParameters } from './aggregation-sql-fragments.js';
import { isVoidSql, lastOriginalSql } from './chain.js';
import type { Database } from './database.js';
import type { Instant, LocalDate } from '../domain/values.js';
import { isBillableSql } from './periods-billable.js';
import type { PeriodKeyOf, PinnedPeriod, ReRatingScope, ResolvedScope } from './types.js';

/** A refusal names so many. */
const examplesMax = 5;

interface ScopeRow {
  readonly kind: 'target' | 'not_invoiced' | 'voided';
  readonly customer_id: string;
  readonly period: LocalDate;
}

/**
 * One statement for all customers. Invoiced periods must fit every part of the scope, by the lines of the documents from the
 * last original on and by the pins of the last rating; a voided chain is tested by what it was. A period without documents
 * has neither lines nor pins: customer and time decide.
 * @param pinnedTo code of a price book of which the pins must name a version
 */
export async function resolveScope(
  db: Database,
  scope: ReRatingScope,
  pinnedTo: string | null,
): Promise<ResolvedScope> {
  const params = new SqlParameters();
  const within = periodConditions(params, scope);
  const text = `WITH original AS MATERIALIZED (
      SELECT DISTINCT ON (i.customer_id, i.period) i.invoice_id, i.customer_id, i.period, i.period_start, i.chain_place
      FROM invoices i WHERE i.type = 'invoice' AND ${within('i')} ORDER BY i.customer_id, i.period, i.chain_place DESC),
    invoiced AS MATERIALIZED (
      SELECT i.customer_id, i.period, i.period_start, ${isVoidSql('i.invoice_id')} AS voided
      FROM original i WHERE ${chainConditions(params, scope, pinnedTo)}),
    not_invoiced AS (
      SELECT p.customer_id, p.period, p.period_start FROM billing_periods p
      WHERE ${within('p')} AND p.period_start <= now()
        AND NOT EXISTS (SELECT FROM invoices i WHERE i.customer_id = p.customer_id AND i.period = p.period)
        AND ${isBillableSql('p')}
      ORDER BY p.customer_id, p.period_start LIMIT ${examplesMax})
    (SELECT 'target' AS kind, customer_id, period FROM invoiced WHERE NOT voided ORDER BY customer_id, period_start)
    UNION ALL
    (SELECT 'voided', customer_id, period FROM invoiced WHERE voided ORDER BY customer_id, period_start LIMIT ${examplesMax})
    UNION ALL
    SELECT 'not_invoiced', customer_id, period FROM not_invoiced`;
  const { rows } = await db.pool.query<ScopeRow>(text, [...params.values]);
  const those = (kind: ScopeRow['kind']): readonly PeriodKeyOf[] =>
    rows.filter((row) => row.kind === kind).map((row) => ({ customerId: row.customer_id, period: row.period }));
  return { targets: those('target'), notInvoiced: those('not_invoiced'), voided: those('voided') };
}

/** Wherever the pins name the version: by segment of the period, and by meter and segment. */
export async function pinnedTo(db: Database, priceBookId: string): Promise<readonly PinnedPeriod[]> {
  const { rows } = await db.pool.query<PinnedRow>(
    `WITH last AS (
      SELECT DISTINCT ON (customer_id, period) customer_id, period, pinned_versions
      FROM period_ratings ORDER BY customer_id, period, sequence DESC)
    SELECT l.customer_id, l.period, p.period_start, p.period_end, p.time_zone, pinned.until AS pinned_until
    FROM last l JOIN billing_periods p USING (customer_id, period)
    CROSS JOIN LATERAL (${lastOriginalSql('l.customer_id', 'l.period')}) AS i
    CROSS JOIN LATERAL (SELECT max(s ->> 'to') AS until FROM jsonb_path_query(l.pinned_versions,
      '$.** ? (@.price_book_id == $id)', jsonb_build_object('id', $1::text)) AS s) AS pinned
    WHERE NOT i.voided AND pinned.until IS NOT NULL
    ORDER BY l.customer_id, p.period_start`,
    [priceBookId],
  );
  return rows.map((row) => ({
    customerId: row.customer_id,
    period: row.period,
    from: row.period_start,
    to: row.period_end,
    timeZone: row.time_zone,
    pinnedUntil: row.pinned_until,
  }));
}

interface PinnedRow {
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly period_start: Instant;
  readonly period_end: Instant;
  readonly time_zone: string;
  readonly pinned_until: Instant;
}

/** By customer and time, for a table with the columns of a period. */
function periodConditions(params: SqlParameters, { customerIds, from, to }: ReRatingScope): (alias: string) => string {
  const customers = customerIds === null ? null : params.add(customerIds, 'text[]');
  const start = from === null ? null : params.add(from, 'timestamptz');
  const end = to === null ? null : params.add(to, 'timestamptz');
  return (alias) =>
    [
      'true',
      ...(customers === null ? [] : [`${alias}.customer_id = ANY (${customers})`]),
      ...(start === null ? [] : [`${alias}.period_end > ${start}`]),
      ...(end === null ? [] : [`${alias}.period_start < ${end}`]),
    ].join(' AND ');
}

/** By meters and prices, on the originals `i`. */
function chainConditions(params: SqlParameters, { meters }: ReRatingScope, pinnedTo: string | null): string {
  const conditions = ['true'];
  if (meters !== null) {
    conditions.push(`EXISTS (SELECT FROM invoices d JOIN invoice_line_items l USING (invoice_id)
      WHERE d.customer_id = i.customer_id AND d.period = i.period AND d.chain_place >= i.chain_place
        AND l.meter = ANY (${params.add(meters, 'text[]')}))`);
  }
  if (pinnedTo !== null) {
    // Wherever the pins name a version: by segment of the period, and by meter and segment.
    conditions.push(`(SELECT jsonb_path_query_array(r.pinned_versions, '$.**.price_book_id') FROM period_ratings r
      WHERE r.customer_id = i.customer_id AND r.period = i.period ORDER BY r.sequence DESC LIMIT 1)
      ?| (SELECT coalesce(array_agg(b.price_book_id::text), '{}') FROM price_books b WHERE b.code = ${params.add(pinnedTo, 'text')})`);
  }
  return conditions.join(' AND ');
}

/** Wherever the pins of the next period, which there are where a fee is billed for it, name a version of the price book. */
export async function billedInAdvanceBy(
  db: Database,
  code: string,
  periods: readonly PeriodKeyOf[],
): Promise<readonly (PeriodKeyOf & { readonly until: Instant })[]> {
  if (periods.length === 0) return [];
  const { rows } = await db.pool.query<{
    readonly customer_id: string;
    readonly period: LocalDate;
    readonly until: Instant;
  }>(
    `SELECT t.customer_id, t.period, l.pinned_versions #>> '{next_period,to}' AS until
    FROM unnest($1::text[], $2::date[]) AS t (customer_id, period)
    CROSS JOIN LATERAL (SELECT r.pinned_versions FROM period_ratings r
      WHERE r.customer_id = t.customer_id AND r.period = t.period ORDER BY r.sequence DESC LIMIT 1) AS l
    WHERE jsonb_path_query_array(l.pinned_versions, '$.next_period.**.price_book_id')
      ?| (SELECT coalesce(array_agg(b.price_book_id::text), '{}') FROM price_books b WHERE b.code = $3)`,
    [periods.map(({ customerId }) => customerId), periods.map(({ period }) => period), code],
  );
  return rows.map((row) => ({ customerId: row.customer_id, period: row.period, until: row.until }));
}
