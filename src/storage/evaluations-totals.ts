/** What the results of an evaluation come to: by currency, over customers. */
import type { DecimalString } from '../domain/values.js';
import { decimalSql } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import type { CustomerDifference, EvaluationTotals } from './types.js';

/** Customers that the top lists name. */
const topMax = 10;

interface TotalsRow {
  readonly currency: string;
  readonly customers: string;
  readonly not_comparable: string;
  readonly current: DecimalString;
  readonly evaluated: DecimalString;
  readonly sum: DecimalString;
  readonly min: DecimalString | null;
  readonly median: DecimalString | null;
  readonly p90: DecimalString | null;
  readonly max: DecimalString | null;
  readonly winners: string;
  readonly losers: string;
  readonly unchanged: string;
  readonly top_winners: readonly CustomerDifference[] | null;
  readonly top_losers: readonly CustomerDifference[] | null;
}

/** As stored for a finished run: its results do not change, and need not be added up again. */
export async function totalsOf(db: Database, evaluationId: string): Promise<readonly EvaluationTotals[]> {
  const stored = await db.pool.query<{ readonly report: { readonly totals: readonly EvaluationTotals[] } }>(
    'SELECT report FROM price_evaluation_reports WHERE evaluation_id = $1',
    [evaluationId],
  );
  if (stored.rows[0] !== undefined) return stored.rows[0].report.totals;
  const { rows } = await db.pool.query<TotalsRow>(totalsSql, [evaluationId]);
  return rows.map(totalsFromDb);
}

const percentile = (fraction: number): string =>
  decimalSql(`percentile_disc(${fraction}) WITHIN GROUP (ORDER BY difference) FILTER (WHERE compares)`);

/** The winner's greatest difference is the smallest one, which is below zero. */
const topSql = (condition: string, order: string): string =>
  `SELECT jsonb_agg(jsonb_build_object('customerId', customer_id, 'difference', ${decimalSql('difference')})
      ORDER BY difference ${order}, customer_id)
    FROM (SELECT customer_id, difference FROM by_customer c
      WHERE c.currency = t.currency AND compares AND difference ${condition} 0
      ORDER BY difference ${order}, customer_id LIMIT ${topMax}) AS top`;

const totalsSql = `WITH by_customer AS MATERIALIZED (
    SELECT customer_id, currency, sum(current_amount) AS current, sum(evaluated_amount) AS evaluated,
      sum(evaluated_amount - current_amount) AS difference, bool_and(result = 'compared') AS compares
    FROM price_evaluation_results WHERE evaluation_id = $1 GROUP BY customer_id, currency),
  t AS (
    SELECT currency, count(*) FILTER (WHERE compares) AS customers, count(*) FILTER (WHERE NOT compares) AS not_comparable,
      ${decimalSql('coalesce(sum(current) FILTER (WHERE compares), 0)')} AS current,
      ${decimalSql('coalesce(sum(evaluated) FILTER (WHERE compares), 0)')} AS evaluated,
      ${decimalSql('coalesce(sum(difference) FILTER (WHERE compares), 0)')} AS sum,
      ${decimalSql('min(difference) FILTER (WHERE compares)')} AS min, ${percentile(0.5)} AS median, ${percentile(0.9)} AS p90,
      ${decimalSql('max(difference) FILTER (WHERE compares)')} AS max,
      count(*) FILTER (WHERE compares AND difference < 0) AS winners,
      count(*) FILTER (WHERE compares AND difference > 0) AS losers,
      count(*) FILTER (WHERE compares AND difference = 0) AS unchanged
    FROM by_customer GROUP BY currency)
  SELECT t.*, (${topSql('<', 'ASC')}) AS top_winners, (${topSql('>', 'DESC')}) AS top_losers FROM t ORDER BY currency`;

function totalsFromDb(row: TotalsRow): EvaluationTotals {
  return {
    currency: row.currency,
    customers: Number(row.customers),
    notComparable: Number(row.not_comparable),
    current: row.current,
    evaluated: row.evaluated,
    difference: { sum: row.sum, min: row.min, median: row.median, p90: row.p90, max: row.max },
    winners: Number(row.winners),
    losers: Number(row.losers),
    unchanged: Number(row.unchanged),
    topWinners: row.top_winners ?? [],
    topLosers: row.top_losers ?? [],
  };
}
