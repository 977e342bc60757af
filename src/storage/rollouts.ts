/** Rollouts: a candidate, and the decisions about it, each at its own place. */
import type { Prisma } from '@prisma/client';
import type pg from 'pg';
import { DomainFailure, invariant } from '../domain/failure.js';
import { requireStart } from '../domain/rollout/start.js';
import type { StageKind } from '../domain/rollout/rollout.js';
import { isLocalDate } from '../domain/time/effective-from.js';
import type { Instant, LocalDate } from '../domain/values.js';
import { instantSql } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import { cursorPart, filtered, mapPage, newestFirst } from './paging.js';
import { lockPriceBook, priceBookOf, rolloutsBeside } from './reference-prices.js';
import { effectiveColumns } from './row-types.js';
import type {
  NewRolloutStage,
  PriceBookCustomer,
  RolloutComparison,
  RolloutStore,
  StoredRollout,
  StoredRolloutStage,
} from './types.js';

export function createRolloutStore(db: Database): RolloutStore {
  return {
    start: (rollout, first) => start(db, rollout, first),
    decide: (rolloutId, sequence, stage) => decide(db, { rolloutId, sequence, stage }),
    find: (rolloutId) => find(db.pool, rolloutId),
    list: async ({ code }, page) => {
      const list = { sql: rolloutSql, name: 'price-rollouts', at: 'r.started_at', id: 'r.rollout_id' };
      const where = filtered({ 'b.code': code });
      return mapPage(await newestFirst<RolloutRow>(db.pool, { ...list, where }, page), rolloutFromDb);
    },
    ofPriceBook: (code) => read(db.pool, 'b.code = $1', [code]),
    ofCandidates: (ids) => read(db.pool, 'r.price_book_id = ANY ($1::uuid[])', [ids]),
    open: () =>
      read(
        db.pool,
        `NOT EXISTS (SELECT FROM price_rollout_stages s WHERE s.rollout_id = r.rollout_id AND s.kind IN ('all', 'rollback'))`,
        [],
      ),
    comparisons: (rolloutId) => comparisons(db, rolloutId),
    knownSince: async (customerId) => {
      const { rows } = await db.pool.query<{ created_at: Instant }>({
        name: 'customer-known-since',
        text: 'SELECT created_at FROM customers WHERE customer_id = $1',
        values: [customerId],
      });
      return rows[0]?.created_at ?? null;
    },
    customersOf: (code, page) => customersOf(db, code, page),
  };
}

type Queryable = Pick<pg.PoolClient, 'query'>;

interface RolloutRow {
  readonly rollout_id: string;
  readonly price_book_id: string;
  readonly code: string;
  readonly version: string;
  readonly started_by: string;
  readonly started_at: Instant;
  readonly stages: readonly StageRow[];
}

/** Of JSON; instants as text that the driver would have made of them. */
interface StageRow {
  readonly sequence: number;
  readonly stage_id: string;
  readonly kind: StageKind;
  readonly effective_from: Instant | LocalDate;
  readonly customer_ids: readonly string[];
  readonly percentage: number | null;
  readonly evaluation_id: string | null;
  readonly override: boolean;
  readonly reason: string;
  readonly decided_by: string;
  readonly decided_at: Instant;
}

const rolloutSql = `
  SELECT r.*, b.code, b.version, (SELECT jsonb_agg(jsonb_build_object(
      'sequence', s.sequence, 'stage_id', s.stage_id, 'kind', s.kind, 'percentage', s.percentage,
      'effective_from', coalesce(${instantSql('s.effective_from')}, s.effective_from_date::text),
      'customer_ids', s.customer_ids, 'evaluation_id', s.evaluation_id, 'override', s.override, 'reason', s.reason,
      'decided_by', s.decided_by, 'decided_at', ${instantSql('s.decided_at')}) ORDER BY s.sequence)
    FROM price_rollout_stages s WHERE s.rollout_id = r.rollout_id) AS stages
  FROM price_rollouts r JOIN price_books b USING (price_book_id)`;

async function read(client: Queryable, where: string, values: readonly unknown[]): Promise<readonly StoredRollout[]> {
  const { rows } = await client.query<RolloutRow>(
    `${rolloutSql} WHERE ${where} ORDER BY r.started_at DESC, r.rollout_id DESC`,
    [...values],
  );
  return rows.map(rolloutFromDb);
}

async function find(client: Queryable, rolloutId: string): Promise<StoredRollout | null> {
  if (!cursorPart.uuid(rolloutId)) return null;
  const [found] = await read(client, 'r.rollout_id = $1', [rolloutId]);
  return found ?? null;
}

function rolloutFromDb(row: RolloutRow): StoredRollout {
  return {
    rolloutId: row.rollout_id,
    priceBookId: row.price_book_id,
    code: row.code,
    version: row.version,
    startedBy: row.started_by,
    startedAt: row.started_at,
    stages: row.stages.map(stageFromDb),
  };
}

function stageFromDb(row: StageRow): StoredRolloutStage {
  return {
    sequence: row.sequence,
    stageId: row.stage_id,
    kind: row.kind,
    effectiveFrom: row.effective_from,
    customerIds: row.customer_ids,
    percentage: row.percentage,
    evaluationId: row.evaluation_id,
    override: row.override,
    reason: row.reason,
    decidedBy: row.decided_by,
    decidedAt: row.decided_at,
  };
}

/** Under the price book's lock: of two rollouts of one price book the second one sees the first. */
async function start(
  db: Database,
  { rolloutId, priceBookId, code, startedBy }: Parameters<RolloutStore['start']>[0],
  first: NewRolloutStage,
): ReturnType<RolloutStore['start']> {
  const created = await db.prisma.$transaction(async (tx) => {
    await lockPriceBook(tx, code);
    const known = await tx.priceRollout.findUnique({ where: { rolloutId } });
    if (known !== null) return false;
    const versions = (await tx.priceBook.findMany({ where: { code } })).map(priceBookOf);
    const candidate = versions.find((version) => version.priceBookId === priceBookId);
    invariant(candidate !== undefined, 'a rollout names a price book version that exists');
    requireStart(candidate, first, { versions, others: await rolloutsBeside(tx, code) });
    await tx.priceRollout.create({ data: { rolloutId, priceBookId, startedBy } });
    await tx.priceRolloutStage.create({ data: firstStageRow(rolloutId, first) });
    return true;
  });
  const rollout = await find(db.pool, rolloutId);
  invariant(rollout !== null, 'a rollout that was stored is there');
  return { rollout, created };
}

function firstStageRow(
  rolloutId: string,
  { effectiveFrom, customerIds, ...stage }: NewRolloutStage,
): Prisma.PriceRolloutStageUncheckedCreateInput {
  return {
    ...stage,
    rolloutId,
    sequence: 1,
    customerIds: [...customerIds],
    ...effectiveColumns(effectiveFrom),
  };
}

interface Placed {
  readonly rolloutId: string;
  readonly sequence: number;
  readonly stage: NewRolloutStage;
}

async function decide(db: Database, placed: Placed): Promise<StoredRollout> {
  const isStored = await insertStage(db.pool, placed);
  const rollout = await find(db.pool, placed.rolloutId);
  invariant(rollout !== null, 'a rollout whose stage is decided is there');
  if (isStored || rollout.stages.some(({ stageId }) => stageId === placed.stage.stageId)) return rollout;
  const other = rollout.stages.find(({ sequence }) => sequence === placed.sequence);
  const detail = `${other?.decidedBy ?? 'Somebody'} decided "${other?.kind ?? ''}" at the same time, as stage ${placed.sequence}. Look at the rollout again, then decide.`;
  throw new DomainFailure('ROLLOUT_CHANGED', detail);
}

async function insertStage(client: Queryable, { rolloutId, sequence, stage }: Placed): Promise<boolean> {
  const { effectiveFrom } = stage;
  const { rowCount } = await client.query(
    `INSERT INTO price_rollout_stages (rollout_id, sequence, stage_id, kind, effective_from, effective_from_date, customer_ids,
       percentage, evaluation_id, override, reason, decided_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
    [
      rolloutId,
      sequence,
      stage.stageId,
      stage.kind,
      isLocalDate(effectiveFrom) ? null : effectiveFrom,
      isLocalDate(effectiveFrom) ? effectiveFrom : null,
      stage.customerIds,
      stage.percentage,
      stage.evaluationId,
      stage.override,
      stage.reason,
      stage.decidedBy,
    ],
  );
  return rowCount === 1;
}

interface ComparisonRow {
  readonly evaluation_id: string;
  readonly rollout_id: string;
  readonly sequence: number;
  readonly requested_at: Instant;
  readonly finished_at: Instant | null;
}

async function comparisons(db: Database, rolloutId: string): Promise<readonly RolloutComparison[]> {
  const { rows } = await db.pool.query<ComparisonRow>(
    `SELECT c.*, e.requested_at, r.finished_at FROM price_rollout_comparisons c
     JOIN price_evaluations e USING (evaluation_id) LEFT JOIN price_evaluation_reports r USING (evaluation_id)
     WHERE c.rollout_id = $1 ORDER BY e.requested_at DESC, c.evaluation_id`,
    [rolloutId],
  );
  return rows.map((row) => ({
    evaluationId: row.evaluation_id,
    rolloutId: row.rollout_id,
    sequence: row.sequence,
    requestedAt: row.requested_at,
    finishedAt: row.finished_at,
  }));
}

interface CustomerRow {
  readonly customer_id: string;
  readonly assigned_from: Instant | null;
  readonly created_at: Instant;
  readonly time_zone: string;
}

async function customersOf(
  db: Database,
  code: string,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<readonly PriceBookCustomer[]> {
  const { rows } = await db.pool.query<CustomerRow>(
    `SELECT c.customer_id, c.created_at, v.time_zone,
       (SELECT CASE WHEN bool_or(effective_from IS NULL) THEN NULL ELSE min(effective_from) END
        FROM price_book_assignments WHERE customer_id = c.customer_id AND price_book = $1) AS assigned_from
     FROM (SELECT DISTINCT customer_id FROM price_book_assignments WHERE price_book = $1) AS a
     JOIN customers c USING (customer_id)
     CROSS JOIN LATERAL (SELECT time_zone FROM customer_versions WHERE customer_id = c.customer_id
       ORDER BY version DESC LIMIT 1) AS v
     CROSS JOIN LATERAL (SELECT price_book FROM price_book_assignments WHERE customer_id = c.customer_id
       ORDER BY learned_order DESC LIMIT 1) AS l
     WHERE l.price_book = $1 AND ($2::text IS NULL OR c.customer_id > $2)
     ORDER BY c.customer_id LIMIT $3`,
    [code, after, limit],
  );
  return rows.map((row) => ({
    customerId: row.customer_id,
    assignedFrom: row.assigned_from,
    knownSince: row.created_at,
    timeZone: row.time_zone,
  }));
}
