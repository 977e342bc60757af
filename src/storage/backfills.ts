/** Backfills: a bulk import of the past as one transaction. Its events count from its closing on, until its reversion. */
import type pg from 'pg';
import { DomainFailure, invariant } from '../domain/failure.js';
import type { Instant, Interval, Position } from '../domain/values.js';
import { instantSql } from './aggregation-sql-fragments.js';
import { countedSql } from './backfills-sql.js';
import type { Database } from './database.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { openLedgerTransaction } from './safe-horizon.js';
import type {
  Backfill,
  BackfillDecision,
  BackfillMode,
  BackfillStatus,
  BackfillStore,
  EventStanding,
  NewBackfill,
  OpenBackfill,
  Page,
  PageRequest,
} from './types.js';

export function createBackfillStore(db: Database): BackfillStore {
  return {
    create: (backfill) => create(db, backfill),
    find: (backfillId) => find(db.pool, backfillId),
    status: (backfillId) => statusOf(db, backfillId),
    list: (filter, page) => listBackfills(db, filter, page),
    eventCount: (backfillId) => eventCount(db, backfillId),
    decide: (backfillId, decision) => decide(db, backfillId, decision),
    standing: (event, at) => standing(db, event, at),
    openIn: (customerId, stretch) => openIn(db, customerId, stretch),
  };
}

async function create({ pool }: Database, backfill: NewBackfill): Promise<void> {
  const { backfillId, customerIds, range, mode, reason, createdBy } = backfill;
  await pool.query({
    name: 'backfill-create',
    text: `INSERT INTO backfills (backfill_id, customer_ids, range_start, range_end, mode, reason, created_by)
      VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
    values: [backfillId, customerIds, range.from, range.to, mode, reason, createdBy],
  });
}

interface BackfillRow {
  readonly backfill_id: string;
  readonly customer_ids: readonly string[];
  readonly range_start: Instant;
  readonly range_end: Instant;
  readonly mode: BackfillMode;
  readonly reason: string | null;
  readonly created_by: string;
  readonly created_at: Instant;
  readonly created_order: string;
  readonly decisions: readonly DecisionRow[] | null;
}

/** As JSON. */
interface DecisionRow {
  readonly decision: BackfillDecision['decision'];
  readonly position: string;
  readonly decided_by: string;
  readonly reason: string | null;
  readonly decided_at: string;
}

/** Follows a FROM with `backfills b`. Positions as text: JSON numbers would pass through a float. */
const decisionsSql = `(SELECT jsonb_agg(jsonb_build_object('decision', d.decision, 'position', d.position::text,
    'decided_by', d.decided_by, 'reason', d.reason, 'decided_at',
    ${instantSql('d.decided_at')}) ORDER BY d.position)
  FROM backfill_decisions d WHERE d.backfill_id = b.backfill_id)`;
const backfillSql = `SELECT b.*, ${decisionsSql} AS decisions FROM backfills b`;

function backfillFromDb(row: BackfillRow): Backfill {
  const decisions = (row.decisions ?? []).map(({ decision, position, decided_by, reason, decided_at }) => ({
    decision,
    position: position as Position,
    decidedBy: decided_by,
    reason,
    decidedAt: decided_at as Instant,
  }));
  return {
    backfillId: row.backfill_id,
    customerIds: row.customer_ids,
    range: { from: row.range_start, to: row.range_end },
    mode: row.mode,
    reason: row.reason,
    createdBy: row.created_by,
    createdAt: row.created_at,
    status: decisions.at(-1)?.decision ?? 'open',
    decisions,
  };
}

async function find(client: pg.Pool | pg.PoolClient, backfillId: string): Promise<Backfill | null> {
  if (!cursorPart.uuid(backfillId)) return null;
  const { rows } = await client.query<BackfillRow>({
    name: 'backfill-find',
    text: `${backfillSql} WHERE b.backfill_id = $1`,
    values: [backfillId],
  });
  return rows[0] === undefined ? null : backfillFromDb(rows[0]);
}

/** Follows a FROM with `backfills b`. */
const statusSql = `coalesce((SELECT d.decision FROM backfill_decisions d WHERE d.backfill_id = b.backfill_id
  ORDER BY d.position DESC LIMIT 1), 'open')`;

async function statusOf({ pool }: Database, backfillId: string): Promise<BackfillStatus | null> {
  if (!cursorPart.uuid(backfillId)) return null;
  const { rows } = await pool.query<{ readonly status: BackfillStatus }>({
    name: 'backfill-status',
    text: `SELECT ${statusSql} AS status FROM backfills b WHERE b.backfill_id = $1`,
    values: [backfillId],
  });
  return rows[0]?.status ?? null;
}

const list = 'backfills';

async function listBackfills(
  { pool }: Database,
  filter: { readonly customerId?: string; readonly status?: BackfillStatus },
  page: PageRequest,
): Promise<Page<Backfill>> {
  const [before] = decodeCursor(page, list, [cursorPart.position]) ?? [];
  const { rows } = await pool.query<BackfillRow>({
    name: 'backfill-list',
    text: `${backfillSql}
      WHERE ($1::bigint IS NULL OR b.created_order < $1)
        AND ($2::text IS NULL OR EXISTS (
          SELECT FROM backfill_customers c WHERE c.customer_id = $2 AND c.backfill_id = b.backfill_id))
        AND ($3::text IS NULL OR $3 = ${statusSql})
      ORDER BY b.created_order DESC LIMIT $4`,
    values: [before ?? null, filter.customerId ?? null, filter.status ?? null, page.limit + 1],
  });
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.created_order]),
    backfillFromDb,
  );
}

async function eventCount({ pool }: Database, backfillId: string): Promise<number> {
  const { rows } = await pool.query<{ readonly count: string }>({
    name: 'backfill-event-count',
    text: 'SELECT count(*) AS count FROM telemetry_events WHERE backfill_id = $1',
    values: [backfillId],
  });
  return Number(rows[0]?.count);
}

type NewDecision = Parameters<BackfillStore['decide']>[1];

/** Holds the backfill's lock alone, after the ledger's: who appends its events has committed, or finds it decided. */
function decide(db: Database, backfillId: string, decision: NewDecision): Promise<Backfill> {
  return db.transaction(async (client) => {
    const before = await find(client, backfillId);
    if (before === null) throw new DomainFailure('BACKFILL_NOT_FOUND', `There is no backfill "${backfillId}".`);
    await client.query('SELECT pg_advisory_xact_lock(backfill_lock($1))', [backfillId]);
    await append(client, backfillId, decision);
    const decided = await find(client, backfillId);
    invariant(decided !== null, 'backfills are never deleted');
    if (decision.decision === 'reverted' || decided.status === 'closed') return decided;
    const detail = `The backfill ${backfillId} was reverted, so it cannot be closed. Open another one.`;
    throw new DomainFailure('BACKFILL_REVERTED', detail);
  }, openLedgerTransaction);
}

/** Nothing where the decision was taken before, and no closing after a reversion. */
async function append(client: pg.PoolClient, backfillId: string, decision: NewDecision): Promise<void> {
  await client.query({
    name: 'backfill-decide',
    text: `INSERT INTO backfill_decisions (backfill_id, decision, decided_by, reason)
      SELECT $1, $2, $3, $4 WHERE NOT EXISTS (
        SELECT FROM backfill_decisions WHERE backfill_id = $1 AND decision IN ($2, 'reverted'))`,
    values: [backfillId, decision.decision, decision.decidedBy, decision.reason],
  });
}

async function openIn({ pool }: Database, customerId: string, stretch: Interval): Promise<readonly OpenBackfill[]> {
  const { rows } = await pool.query<Pick<BackfillRow, 'backfill_id' | 'range_start' | 'range_end'>>({
    name: 'backfills-open-in',
    text: `SELECT c.backfill_id, c.range_start, c.range_end FROM backfill_customers c
      WHERE c.customer_id = $1 AND c.range_start < $3 AND c.range_end > $2
        AND NOT EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = c.backfill_id)
      ORDER BY c.range_start, c.backfill_id`,
    values: [customerId, stretch.from, stretch.to],
  });
  return rows.map((row) => ({ backfillId: row.backfill_id, range: { from: row.range_start, to: row.range_end } }));
}

async function standing(
  { pool }: Database,
  { customerId, source, eventId }: Parameters<BackfillStore['standing']>[0],
  at: Instant,
): Promise<EventStanding> {
  const counts = countedSql({ customer: '$1', cutoff: null, time: '$4::timestamptz' });
  const { rows } = await pool.query<EventStanding>({
    name: 'backfills-standing',
    text: `SELECT ${counts} AS counts, (SELECT d.position FROM backfill_decisions d
        WHERE d.backfill_id = e.backfill_id AND d.decision = 'closed') AS "closedAt"
      FROM telemetry_events e WHERE e.customer_id = $1 AND e.source = $2 AND e.event_id = $3`,
    values: [customerId, source, eventId, at],
  });
  const [row] = rows;
  invariant(row !== undefined, `the event "${eventId}" is stored`);
  return row;
}
