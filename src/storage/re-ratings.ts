/** Re-ratings: who asked for them, where they are, and what was decided. */
import { hasEnded, reRatingStatuses } from '../domain/correction/reasons.js';
import { DomainFailure, invariant } from '../domain/failure.js';
import type { Database } from './database.js';
import { constraintOf } from './errors.js';
import { cursorPart, filtered, mapPage, newestFirst } from './paging.js';
import { createComparisonStore } from './re-ratings-comparisons.js';
import { reRatingFromDb, type ReRatingRow, scopeToDb } from './re-ratings-mapping.js';
import { billedInAdvanceBy, pinnedTo, resolveScope } from './re-ratings-scope.js';
import { automaticActor } from './types-correction.js';
import type {
  NewReRating,
  Page,
  PageRequest,
  PeriodKeyOf,
  ReRating,
  ReRatingDecision,
  ReRatingStore,
} from './types.js';

export function createReRatingStore(db: Database): ReRatingStore {
  return {
    billedInAdvanceBy: (code, periods) => billedInAdvanceBy(db, code, periods),
    pinnedTo: (priceBookId) => pinnedTo(db, priceBookId),
    resolveScope: (scope, pinnedTo) => resolveScope(db, scope, pinnedTo),
    create: (reRating, targets) => create(db, reRating, targets),
    find: async (reRatingId) => {
      if (!cursorPart.uuid(reRatingId)) return null;
      const { rows } = await db.pool.query<ReRatingRow>(`${reRatingSql} WHERE r.re_rating_id = $1`, [reRatingId]);
      return rows[0] === undefined ? null : reRatingFromDb(rows[0]);
    },
    list: (filter, page) => list(db, filter, page),
    unfinishedAutomatic: async ({ customerId, period }) => {
      const { rows } = await db.pool.query<ReRatingRow>(
        `${reRatingSql} WHERE r.requested_by = $1 AND t.status <> ALL ($2::text[])
           AND EXISTS (SELECT FROM re_rating_targets g
             WHERE g.re_rating_id = r.re_rating_id AND g.customer_id = $3 AND g.period = $4)
         ORDER BY r.requested_at DESC, r.re_rating_id DESC`,
        [automaticActor, endings, customerId, period],
      );
      return rows.map(reRatingFromDb);
    },
    enter: (reRatingId, transition) => enter(db, reRatingId, transition),
    decide: (reRatingId, decision) => decide(db, reRatingId, decision),
    decision: (reRatingId, attempt) => readDecision(db, reRatingId, attempt),
    ...createComparisonStore(db),
  };
}

const endings = reRatingStatuses.filter(hasEnded);

/** All or nothing: whoever finds the re-rating finds its targets and its status. */
async function create(
  db: Database,
  reRating: NewReRating,
  targets: readonly PeriodKeyOf[],
): Promise<{ created: boolean }> {
  const { rows } = await db.pool.query<{ created: boolean }>({
    name: 'create-re-rating',
    text: `WITH created AS (
        INSERT INTO re_ratings (re_rating_id, workflow_id, reason, scope, price_book_id, dry_run, requested_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (re_rating_id) DO NOTHING RETURNING re_rating_id),
      targets AS (
        INSERT INTO re_rating_targets (re_rating_id, target_number, customer_id, period)
        SELECT re_rating_id, target_number, customer_id, period
        FROM created CROSS JOIN unnest($8::text[], $9::date[]) WITH ORDINALITY AS t (customer_id, period, target_number)),
      entered AS (
        INSERT INTO re_rating_transitions (re_rating_id, sequence, status, attempt, actor)
        SELECT re_rating_id, 1, 'comparing', 1, $7 FROM created)
      SELECT EXISTS (SELECT FROM created) AS created`,
    values: [
      reRating.reRatingId,
      reRating.workflowId,
      reRating.reason,
      JSON.stringify(scopeToDb(reRating.scope)),
      reRating.priceBookId,
      reRating.dryRun,
      reRating.requestedBy,
      targets.map(({ customerId }) => customerId),
      targets.map(({ period }) => period),
    ],
  });
  return { created: rows[0]?.created === true };
}

/** Re-ratings `r`, each with its last transition `t`. */
const reRatingSql = `SELECT r.*, t.status, greatest(t.attempt, (
      SELECT max(c.attempt) FROM re_rating_comparisons c WHERE c.re_rating_id = r.re_rating_id)) AS attempt,
    (SELECT count(*) FROM re_rating_targets g WHERE g.re_rating_id = r.re_rating_id) AS targets
  FROM re_ratings r CROSS JOIN LATERAL (
    SELECT status, attempt FROM re_rating_transitions WHERE re_rating_id = r.re_rating_id ORDER BY sequence DESC LIMIT 1) AS t`;

async function list(
  db: Database,
  filter: Parameters<ReRatingStore['list']>[0],
  page: PageRequest,
): Promise<Page<ReRating>> {
  const where = filtered({ 't.status': filter.status, 'r.reason': filter.reason });
  if (filter.customerId !== undefined) {
    where.conditions.push(`EXISTS (SELECT FROM re_rating_targets g
      WHERE g.re_rating_id = r.re_rating_id AND g.customer_id = ${where.params.add(filter.customerId, 'text')})`);
  }
  const list = { sql: reRatingSql, name: 're-ratings', at: 'r.requested_at', id: 'r.re_rating_id' };
  return mapPage(await newestFirst<ReRatingRow>(db.pool, { ...list, where }, page), reRatingFromDb);
}

/** The re-rating's row is locked first, so that of two transitions at once the second one sees the first. */
async function enter(
  db: Database,
  reRatingId: string,
  { status, attempt, actor, reason }: Parameters<ReRatingStore['enter']>[1],
): Promise<void> {
  await db.transaction(async (client) => {
    await client.query('SELECT FROM re_ratings WHERE re_rating_id = $1 FOR NO KEY UPDATE', [reRatingId]);
    await client.query(
      `INSERT INTO re_rating_transitions (re_rating_id, sequence, status, attempt, actor, reason)
       SELECT re_rating_id, sequence + 1, $2, $3, $4, $5 FROM (
         SELECT * FROM re_rating_transitions WHERE re_rating_id = $1 ORDER BY sequence DESC LIMIT 1) AS last
       WHERE (last.status, last.attempt) IS DISTINCT FROM ($2, $3::int) AND last.status <> ALL ($6)`,
      [reRatingId, status, attempt, actor, reason, endings],
    );
  });
}

async function decide(
  db: Database,
  reRatingId: string,
  decision: ReRatingDecision,
): Promise<{ stored: boolean; decision: ReRatingDecision }> {
  const { attempt, decidedBy, reason } = decision;
  const { rowCount } = await db.pool
    .query(
      `INSERT INTO re_rating_decisions (re_rating_id, attempt, decision, decided_by, reason) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (re_rating_id, attempt) DO NOTHING`,
      [reRatingId, attempt, decision.decision, decidedBy, reason],
    )
    .catch((error: unknown) => {
      if (constraintOf(error) !== 're_rating_decisions_other_person') throw error;
      throw new DomainFailure('OWN_RE_RATING', `"${decidedBy}" asked for this re-rating: another person approves it.`);
    });
  if (rowCount === 1) return { stored: true, decision };
  const earlier = await readDecision(db, reRatingId, attempt);
  invariant(earlier !== null, 'a decision that was not stored met another one');
  return { stored: false, decision: earlier };
}

interface DecisionRow {
  readonly attempt: number;
  readonly decision: ReRatingDecision['decision'];
  readonly decided_by: string;
  readonly reason: string | null;
}

async function readDecision(db: Database, reRatingId: string, attempt: number): Promise<ReRatingDecision | null> {
  const { rows } = await db.pool.query<DecisionRow>(
    'SELECT attempt, decision, decided_by, reason FROM re_rating_decisions WHERE re_rating_id = $1 AND attempt = $2',
    [reRatingId, attempt],
  );
  const [row] = rows;
  if (row === undefined) return null;
  return { attempt: row.attempt, decision: row.decision, decidedBy: row.decided_by, reason: row.reason };
}
