/**
 * Meters read as data, for statements over many customers and all meters at once (the relay, and the check of what its
 * sums became): one join instead of a scan a meter. aggregation-sql.ts is the specialised twin for one customer.
 */
import { countSql, filtersTakeSql, scalarTextSql, valueSql } from './aggregation-sql-fragments.js';

/**
 * A CTE: the versions of meters, filters NULL where there are none, each with the periods that are wholly its own, by their
 * start. A version that begins on a local date begins here at midnight UTC: periods near it are the ledger's to tell of
 * (`versionChangesSql`).
 * @param meters what stands after FROM: the versions that are known
 */
export const meterRuleCte = (name = 'meter_rule', meters = 'meters'): string => `${name} AS (
  SELECT code, event_type, aggregation, value_property, NULLIF(filters, '{}') AS filters, begins,
    lead(begins) OVER (PARTITION BY code ORDER BY begins) AS ends
  FROM (
    SELECT DISTINCT ON (code, begins) *
    FROM (SELECT *, coalesce(effective_from, effective_from_date::timestamp AT TIME ZONE 'UTC', '-infinity') AS begins FROM ${meters} AS m) AS m
    ORDER BY code, begins, version DESC) AS m)`;

/** Join condition: rule `r` holds in the period of `e` (column period_start). */
export const ruleHoldsSql = `r.begins <= e.period_start AND (r.ends IS NULL OR e.period_start < r.ends)`;

/** Whether some meter changes its version in a period (columns period_start, period_end), wherever its days begin. */
export const versionChangesSql = (period: string): string => `EXISTS (SELECT FROM meter_rule c
    WHERE c.begins > ${period}.period_start - interval '1 day' AND c.begins < ${period}.period_end + interval '1 day')`;

/** Join condition: rule `r` takes event `e` (columns event_type, metadata). */
export const ruleTakesSql = `r.event_type = e.event_type AND (r.filters IS NULL
    OR ${filtersTakeSql('r.filters', 'e.metadata')})`;

/**
 * For JOIN LATERAL: one row with what event `e` adds to rule `r`; NULL: its value cannot be read, or there is no rule. What does
 * not add up is 0: of those the sums carry counts and digests, and the ledger has the quantity.
 */
export const ruleQuantitySql = `SELECT CASE r.aggregation
      WHEN 'count' THEN CASE WHEN r.value_property IS NULL THEN 1 ELSE ${countSql('t.text')} END
      WHEN 'sum' THEN ${valueSql('t.text')}
      WHEN 'weighted_sum' THEN ${valueSql('t.text')}
      WHEN 'unique_count' THEN CASE WHEN ${scalarTextSql('e.metadata', 'r.value_property')} IS NOT NULL THEN 0 END
      ELSE CASE WHEN ${valueSql('t.text')} IS NOT NULL THEN 0 END END AS quantity
    FROM (SELECT e.metadata ->> r.value_property AS text OFFSET 0) AS t OFFSET 0`;

/** What a revision `u` of meter `m` adds to such sums. */
export const summedQuantitySql = `CASE WHEN m.aggregation IN ('count', 'sum', 'weighted_sum') THEN u.quantity ELSE 0 END`;
