/** Evaluations: what was asked for, what each period came to, and what that comes to by customer and in total. */
import { DomainFailure } from '../domain/failure.js';
import type { PriceBookWire } from '../domain/rating/price-book-to-wire.js';
import type { DecimalString, Instant, LocalDate, Position } from '../domain/values.js';
import { decimalSql, SqlParameters } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import { totalsOf } from './evaluations-totals.js';
import { cursorPart, decodeCursor, mapPage, newestFirst, pageOf } from './paging.js';
import { periodOf, type PeriodRow } from './periods-create.js';
import { isBillableSql } from './periods-billable.js';
import type {
  BillingPeriod,
  EvaluatedCustomer,
  EvaluationRequest,
  EvaluationResult,
  EvaluationScope,
  EvaluationStore,
  Page,
  PageRequest,
  PriceEvaluation,
} from './types.js';

export function createEvaluationStore(db: Database): EvaluationStore {
  return {
    request: (request) => store(db, request),
    find: async (evaluationId) => {
      if (!cursorPart.uuid(evaluationId)) return null;
      const { rows } = await db.pool.query<EvaluationRow>(`${evaluationSql} WHERE e.evaluation_id = $1`, [
        evaluationId,
      ]);
      return rows[0] === undefined ? null : evaluationFromDb(rows[0]);
    },
    list: async (page) => {
      const list = { sql: evaluationSql, name: 'price-evaluations', at: 'e.requested_at', id: 'e.evaluation_id' };
      return mapPage(await newestFirst<EvaluationRow>(db.pool, list, page), evaluationFromDb);
    },
    pending: async (evaluationId, limit) => {
      const { rows } = await db.pool.query<PeriodRow>({
        name: 'evaluation-pending',
        text: pendingSql,
        values: [evaluationId, limit],
      });
      return rows.map((row): BillingPeriod => periodOf(row));
    },
    storeResult: async (evaluationId, result) => {
      await db.pool.query({
        name: 'evaluation-result',
        text: `INSERT INTO price_evaluation_results (evaluation_id, customer_id, period, result, currency, current_amount,
            evaluated_amount, invoiced_amount, lines, problems) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
          ON CONFLICT (evaluation_id, customer_id, period) DO NOTHING`,
        values: [
          evaluationId,
          result.customerId,
          result.period,
          result.result,
          result.currency,
          result.current,
          result.evaluated,
          result.invoiced,
          JSON.stringify(result.lines),
          JSON.stringify(result.problems),
        ],
      });
    },
    totals: (evaluationId) => totalsOf(db, evaluationId),
    customers: (evaluationId, page) => listCustomers(db, evaluationId, page),
    results: (evaluationId, filter, page) => listResults(db, { evaluationId, ...filter }, page),
    finish: async (evaluationId) => {
      const totals = await totalsOf(db, evaluationId);
      await db.pool.query(
        `INSERT INTO price_evaluation_reports (evaluation_id, report) VALUES ($1, $2) ON CONFLICT (evaluation_id) DO NOTHING`,
        [evaluationId, JSON.stringify({ totals })],
      );
    },
  };
}

const targetsSql = `
  INSERT INTO price_evaluation_targets (evaluation_id, customer_id, period)
  SELECT $1, p.customer_id, p.period FROM billing_periods p
  WHERE ($2::text[] IS NULL OR p.customer_id = ANY ($2)) AND p.period_start <= now()
    AND ($3::timestamptz IS NULL OR p.period_end > $3) AND ($4::timestamptz IS NULL OR p.period_start < $4)
    AND ${isBillableSql('p')}`;

async function store(db: Database, request: EvaluationRequest): Promise<void> {
  const { evaluationId, workflowId, priceBook, scope, cutoff, requestedBy, comparisonOf } = request;
  await db.transaction(async (client) => {
    const { rowCount } = await client.query(
      `INSERT INTO price_evaluations (evaluation_id, workflow_id, price_book, scope, cutoff_position, requested_by)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (evaluation_id) DO NOTHING`,
      [evaluationId, workflowId, JSON.stringify(priceBook), JSON.stringify(scope), cutoff, requestedBy],
    );
    if (rowCount !== 1) return;
    const targets = await client.query(targetsSql, [evaluationId, scope.customerIds, scope.from, scope.to]);
    if (targets.rowCount === 0) {
      const detail = 'No customer of the scope has a billing period in it.';
      throw new DomainFailure('NOTHING_TO_EVALUATE', detail, '/customers');
    }
    if (comparisonOf === undefined) return;
    await client.query(
      'INSERT INTO price_rollout_comparisons (evaluation_id, rollout_id, sequence) VALUES ($1, $2, $3)',
      [evaluationId, comparisonOf.rolloutId, comparisonOf.sequence],
    );
  });
}

interface EvaluationRow {
  readonly evaluation_id: string;
  readonly workflow_id: string;
  readonly candidate_id: string | null;
  readonly price_book: PriceBookWire;
  readonly scope: EvaluationScope;
  readonly cutoff_position: Position;
  readonly requested_by: string;
  readonly requested_at: Instant;
  readonly finished_at: Instant | null;
  readonly targets: string;
  readonly periods: string;
}

const evaluationSql = `SELECT e.*, r.finished_at,
    (SELECT price_book_id FROM price_rollout_comparisons JOIN price_rollouts USING (rollout_id)
      WHERE evaluation_id = e.evaluation_id) AS candidate_id,
    (SELECT count(*) FROM price_evaluation_targets WHERE evaluation_id = e.evaluation_id) AS targets,
    (SELECT count(*) FROM price_evaluation_results WHERE evaluation_id = e.evaluation_id) AS periods
  FROM price_evaluations e LEFT JOIN price_evaluation_reports r USING (evaluation_id)`;

function evaluationFromDb(row: EvaluationRow): PriceEvaluation {
  return {
    evaluationId: row.evaluation_id,
    workflowId: row.workflow_id,
    priceBook: row.price_book,
    scope: row.scope,
    cutoff: row.cutoff_position,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at,
    finishedAt: row.finished_at,
    candidateId: row.candidate_id,
    targets: Number(row.targets),
    periods: Number(row.periods),
  };
}

const pendingSql = `
  SELECT p.* FROM price_evaluation_targets t JOIN billing_periods p USING (customer_id, period)
  WHERE t.evaluation_id = $1 AND NOT EXISTS (SELECT FROM price_evaluation_results r
    WHERE r.evaluation_id = $1 AND r.customer_id = t.customer_id AND r.period = t.period)
  ORDER BY t.customer_id, t.period LIMIT $2`;

interface CustomerRow {
  readonly customer_id: string;
  readonly currency: string;
  readonly periods: string;
  readonly not_comparable: string;
  readonly current: DecimalString | null;
  readonly evaluated: DecimalString | null;
  readonly difference: DecimalString | null;
}

async function listCustomers(db: Database, evaluationId: string, page: PageRequest): Promise<Page<EvaluatedCustomer>> {
  const list = 'price-evaluation-customers';
  const [customer, currency] = decodeCursor(page, list, [cursorPart.text, cursorPart.text]) ?? [];
  const { rows } = await db.pool.query<CustomerRow>(
    `SELECT customer_id, currency, count(*) AS periods, count(*) FILTER (WHERE result = 'not_comparable') AS not_comparable,
       ${decimalSql('sum(current_amount)')} AS current, ${decimalSql('sum(evaluated_amount)')} AS evaluated,
       ${decimalSql('sum(evaluated_amount - current_amount)')} AS difference
     FROM price_evaluation_results
     WHERE evaluation_id = $1 AND ($2::text IS NULL OR (customer_id, currency) > ($2, $3))
     GROUP BY customer_id, currency ORDER BY customer_id, currency LIMIT $4`,
    [evaluationId, customer ?? null, currency ?? null, page.limit + 1],
  );
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.customer_id, row.currency]),
    (row) => ({
      customerId: row.customer_id,
      currency: row.currency,
      periods: Number(row.periods),
      notComparable: Number(row.not_comparable),
      current: row.current,
      evaluated: row.evaluated,
      difference: row.difference,
    }),
  );
}

interface ResultRow {
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly result: EvaluationResult['result'];
  readonly currency: string;
  readonly current: DecimalString | null;
  readonly evaluated: DecimalString | null;
  readonly invoiced: DecimalString | null;
  readonly lines: readonly unknown[];
  readonly problems: readonly unknown[];
}

async function listResults(
  db: Database,
  filter: { readonly evaluationId: string; readonly customerId?: string; readonly result?: EvaluationResult['result'] },
  page: PageRequest,
): Promise<Page<EvaluationResult>> {
  const list = 'price-evaluation-results';
  const after = decodeCursor(page, list, [cursorPart.text, cursorPart.date]);
  const params = new SqlParameters();
  const conditions = [`evaluation_id = ${params.add(filter.evaluationId, 'uuid')}`];
  if (filter.customerId !== undefined) conditions.push(`customer_id = ${params.add(filter.customerId, 'text')}`);
  if (filter.result !== undefined) conditions.push(`result = ${params.add(filter.result, 'text')}`);
  if (after !== null) {
    conditions.push(`(customer_id, period) > (${params.add(after[0], 'text')}, ${params.add(after[1], 'date')})`);
  }
  const { rows } = await db.pool.query<ResultRow>(
    `SELECT customer_id, period, result, currency, ${decimalSql('current_amount')} AS current,
       ${decimalSql('evaluated_amount')} AS evaluated, ${decimalSql('invoiced_amount')} AS invoiced, lines, problems
     FROM price_evaluation_results WHERE ${conditions.join(' AND ')}
     ORDER BY customer_id, period LIMIT ${params.add(page.limit + 1, 'int')}`,
    [...params.values],
  );
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.customer_id, row.period]),
    ({ customer_id: customerId, ...row }) => ({ ...row, customerId }),
  );
}
