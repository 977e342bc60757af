/**
 * Meters read as data, for statements over many customers and all meters at once (the relay, and the check of what its
 * sums became): one join instead of a scan a meter. aggregation-sql.ts is the specialised twin for one customer.
 */
import { scalarTextSql, valueSql } from './aggregation-sql-fragments.js';

/** A CTE: the meters in force, filters NULL where there are none. */
export const meterRuleCte = `meter_rule AS (
  SELECT DISTINCT ON (code) code, event_type, aggregation, value_property, NULLIF(filters, '{}') AS filters
  FROM meters ORDER BY code, version DESC)`;

/** Join condition: rule `r` takes event `e` (columns event_type, metadata). */
export const ruleTakesSql = `r.event_type = e.event_type AND (r.filters IS NULL OR (
    SELECT bool_and(coalesce(f.value ? ${scalarTextSql('e.metadata', 'f.key')}, false)) FROM jsonb_each(r.filters) AS f))`;

/** For JOIN LATERAL: one row with what event `e` adds to rule `r`; NULL: its value cannot be read, or there is no rule. */
export const ruleQuantitySql = `SELECT CASE r.aggregation WHEN 'count' THEN 1 WHEN 'sum' THEN ${valueSql('t.text')} END AS quantity
    FROM (SELECT e.metadata ->> r.value_property AS text OFFSET 0) AS t OFFSET 0`;
