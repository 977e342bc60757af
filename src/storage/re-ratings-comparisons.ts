/** What the comparisons of a re-rating found, and what is left of its targets. */
import type pg from 'pg';
import type { Database } from './database.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { comparisonFromDb, type ComparisonRow, outcomeFromDb, type OutcomeRow } from './re-ratings-mapping.js';
import type { ReRatingStore, ReRatingSummary } from './types.js';

type ComparisonStore = Pick<
  ReRatingStore,
  'pendingComparison' | 'pendingCorrection' | 'comparisons' | 'outcomes' | 'summary'
>;

type TargetRow = ComparisonRow & { readonly target_number: number };

/**
 * Thousands of targets and comparisons are joined that came a moment ago, of which statistics know nothing: the planner would
 * take them for one row and loop (24,000 targets: 50 s instead of 0.1 s).
 */
const asSets = 'SET LOCAL enable_nestloop = off';

export function createComparisonStore(db: Database): ComparisonStore {
  const query = <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<readonly Row[]> =>
    db.transaction(async (client) => (await client.query<Row>(text, [...values])).rows, asSets);
  return {
    pendingComparison: async (reRatingId, attempt, limit) => {
      const rows = await query<Pick<TargetRow, 'customer_id' | 'period'>>(
        `SELECT t.customer_id, t.period FROM re_rating_targets t
         WHERE t.re_rating_id = $1 AND NOT ${settledSql} AND NOT EXISTS (
           SELECT FROM re_rating_comparisons c WHERE (c.re_rating_id, c.customer_id, c.period) = (t.re_rating_id, t.customer_id, t.period)
             AND c.attempt = $2)
         ORDER BY t.target_number LIMIT $3`,
        [reRatingId, attempt, limit],
      );
      return rows.map((row) => ({ customerId: row.customer_id, period: row.period }));
    },
    pendingCorrection: async (reRatingId, attempt, limit) => {
      const rows = await query<TargetRow>(
        `SELECT t.target_number, c.* FROM re_rating_targets t JOIN (${latestSql}) AS c USING (re_rating_id, customer_id, period)
         WHERE t.re_rating_id = $1 AND c.attempt = $2 AND NOT ${settledSql} ORDER BY t.target_number LIMIT $3`,
        [reRatingId, attempt, limit],
      );
      return rows.map(comparisonFromDb);
    },
    comparisons: async (reRatingId, page) => {
      const [after = '0'] = decodeCursor(page, list, [cursorPart.position]) ?? [];
      const rows = await query<TargetRow>(
        `SELECT t.target_number, c.* FROM re_rating_targets t JOIN (${latestSql}) AS c USING (re_rating_id, customer_id, period)
         WHERE t.re_rating_id = $1 AND t.target_number > $2::bigint ORDER BY t.target_number LIMIT $3`,
        [reRatingId, after, page.limit + 1],
      );
      const found = pageOf(rows, { ...page, list }, (row) => [row.target_number.toString()]);
      return mapPage(found, comparisonFromDb);
    },
    outcomes: async (reRatingId) => {
      const rows = await query<OutcomeRow>(
        `SELECT o.* FROM re_rating_outcomes o JOIN re_rating_targets t USING (re_rating_id, customer_id, period)
         WHERE re_rating_id = $1 ORDER BY t.target_number`,
        [reRatingId],
      );
      return rows.map(outcomeFromDb);
    },
    summary: async (reRatingId, attempt) => {
      const rows = await query<SummaryRow>(summarySql, [reRatingId, attempt]);
      const [row] = rows;
      const count = (name: keyof SummaryRow): number => Number(row?.[name] ?? 0);
      return {
        targets: count('targets'),
        differing: count('differing'),
        unchanged: count('unchanged'),
        held: count('held'),
        needApproval: count('need_approval'),
        settled: count('settled'),
        corrected: count('corrected'),
      } satisfies ReRatingSummary;
    },
  };
}

const list = 're-rating-comparisons';

const settledSql = `EXISTS (SELECT FROM re_rating_outcomes o
  WHERE (o.re_rating_id, o.customer_id, o.period) = (t.re_rating_id, t.customer_id, t.period))`;

/** $1 the re-rating. */
const latestSql = `SELECT DISTINCT ON (customer_id, period) * FROM re_rating_comparisons WHERE re_rating_id = $1
  ORDER BY customer_id, period, attempt DESC`;

type SummaryRow = Readonly<
  Record<'targets' | 'differing' | 'unchanged' | 'held' | 'need_approval' | 'settled' | 'corrected', string>
>;

/**
 * $1 the re-rating, $2 the attempt, whose comparisons and those before it are looked at. Approved is what an approved attempt
 * has shown: a chain that moved without changing the differences needs no second approval.
 */
const summarySql = `WITH latest AS (
    SELECT DISTINCT ON (customer_id, period) customer_id, period, result, needs_approval, differences
    FROM re_rating_comparisons WHERE re_rating_id = $1 AND attempt <= $2 ORDER BY customer_id, period, attempt DESC),
  approved AS (
    SELECT DISTINCT c.customer_id, c.period, c.differences, true AS shown
    FROM re_rating_decisions d JOIN re_rating_comparisons c USING (re_rating_id, attempt)
    WHERE d.re_rating_id = $1 AND d.decision = 'approved'),
  target AS (
    SELECT o.outcome, l.result, l.needs_approval AND a.shown IS NULL AS need_approval
    FROM re_rating_targets t
    LEFT JOIN re_rating_outcomes o USING (re_rating_id, customer_id, period)
    LEFT JOIN latest l USING (customer_id, period)
    LEFT JOIN approved a USING (customer_id, period, differences)
    WHERE t.re_rating_id = $1)
  SELECT count(*) AS targets,
    count(*) FILTER (WHERE outcome IS NULL AND result = 'difference') AS differing,
    count(*) FILTER (WHERE outcome IS NULL AND result = 'no_difference') AS unchanged,
    count(*) FILTER (WHERE outcome = 'held') AS held,
    count(*) FILTER (WHERE outcome IS NULL AND result = 'difference' AND need_approval) AS need_approval,
    count(outcome) AS settled,
    count(*) FILTER (WHERE outcome = 'corrected') AS corrected
  FROM target`;
