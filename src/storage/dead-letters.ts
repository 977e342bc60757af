/** What could not be taken, kept with its reason, and what people decided about it. */
import type pg from 'pg';
import type { Meter } from '../domain/metering/meter.js';
import type { Instant } from '../domain/values.js';
import { instantSql } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import {
  appendDecisions,
  begunSql,
  isSettledSql,
  lastSettlingSql,
  lockLetter,
  storable,
} from './dead-letters-decisions.js';
import { replayLetters } from './dead-letters-replay.js';
import { uuidOf } from './identifiers.js';
import { cursorPart, decodeCursor, encodeCursor } from './paging.js';
import { automaticActor } from './types-correction.js';
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterState,
  DeadLetterStatus,
  DeadLetterStore,
  NewDeadLetter,
  Page,
  PageRequest,
  StoredDecision,
} from './types.js';

const insertSql = `
  INSERT INTO dead_letters (dead_letter_id, code, detail, customer_id, event_id, payload, backfill_id)
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[])
  ON CONFLICT DO NOTHING`;

/**
 * Appends in the caller's transaction. The same payload rejected for the same reason is kept once, however often it is sent; one
 * that was settled is open again.
 */
export async function insertDeadLetters(client: pg.ClientBase, letters: readonly NewDeadLetter[]): Promise<void> {
  const byId = new Map(letters.map((letter) => [idOf(letter), letter]));
  // In the order of the key, as for events: transactions with the same letters must meet them in the same order.
  const rows = [...byId].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, letter]) => ({ ...letter, id }));
  const ids = rows.map((row) => row.id);
  const { rowCount } = await client.query({
    name: 'dead-letters-insert',
    text: insertSql,
    values: [
      ids,
      rows.map((row) => row.code),
      rows.map((row) => storable(row.detail)),
      rows.map((row) => storable(row.customerId)),
      rows.map((row) => storable(row.eventId)),
      rows.map((row) => storable(row.payload)),
      rows.map((row) => row.backfillId ?? null),
    ],
  });
  if (rowCount !== ids.length) await reopen(client, ids);
}

function idOf({ code, payload, backfillId = null }: NewDeadLetter): string {
  return backfillId === null ? uuidOf('dead-letter', code, payload) : uuidOf('dead-letter', code, payload, backfillId);
}

/** Locks only what is settled, which nearly nothing of a flood of the same is. */
async function reopen(client: pg.ClientBase, ids: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ readonly dead_letter_id: string }>({
    name: 'dead-letters-settled',
    text: `SELECT l.dead_letter_id FROM dead_letters l WHERE l.dead_letter_id = ANY ($1::uuid[]) AND ${isSettledSql}
      ORDER BY l.dead_letter_id`,
    values: [ids],
  });
  for (const { dead_letter_id: id } of rows) {
    if ((await lockLetter(client, id)).settled) {
      const decision = { decision: 'reopened', decidedBy: automaticActor, reason: null } as const;
      await appendDecisions(client, [{ deadLetterId: id, decision }]);
    }
  }
}

/** @param meters which properties are values of meters: what is replayed is compared as events are (RULES 6) */
export function createDeadLetterStore(db: Database, meters: () => Promise<readonly Meter[]>): DeadLetterStore {
  return {
    list: (filter, page) => listDeadLetters(db, filter, page),
    find: (deadLetterId) => find(db, deadLetterId),
    toReplay: (filter, limit) => toReplay(db, filter, limit),
    replay: (letters, replaying) => replayLetters(db, meters, { letters, replaying }),
    discard: (deadLetterId, by) =>
      db.transaction(async (client) => {
        const { settled, begun } = await lockLetter(client, deadLetterId);
        if (settled) return { stored: false };
        if (begun !== null) return { stored: false, other: begun };
        await appendDecisions(client, [{ deadLetterId, decision: { decision: 'discarded', ...by } }]);
        return { stored: true };
      }),
    backlog: () => backlog(db),
  };
}

interface DeadLetterRow extends DeadLetter {
  readonly order: string;
  readonly settled_by: StoredDecision['decision'] | null;
  readonly decisions: readonly StoredDecision[] | null;
}

const columns = `l.dead_letter_id AS "deadLetterId", l.code, l.detail, l.customer_id AS "customerId", l.event_id AS "eventId",
  l.payload, l.received_at AS "receivedAt", l.backfill_id AS "backfillId", (${begunSql}).payload AS begun`;
const stateColumns = `${columns}, l.received_order AS "order", ${lastSettlingSql} AS settled_by,
  (SELECT jsonb_agg(jsonb_build_object('decision', d.decision, 'outcome', d.outcome, 'code', d.code, 'detail', d.detail,
    'payload', d.payload, 'decidedBy', d.decided_by, 'reason', d.reason, 'decidedAt',
    ${instantSql('d.decided_at')}) ORDER BY d.sequence)
   FROM dead_letter_decisions d WHERE d.dead_letter_id = l.dead_letter_id) AS decisions`;

function stateOf({ order: _, settled_by, decisions, ...letter }: DeadLetterRow): DeadLetterState {
  const status = settled_by === null || settled_by === 'reopened' ? 'open' : settled_by;
  return { ...letter, status, decisions: (decisions ?? []).map(decisionFromDb) };
}

/** What only a replay has is left out of the others. */
function decisionFromDb(row: StoredDecision): StoredDecision {
  const { decision, decidedBy, reason, decidedAt } = row;
  return decision === 'replayed' ? row : { decision, decidedBy, reason, decidedAt };
}

/** $1 code, $2 customer, $3 since. */
const filterSql = `($1::text IS NULL OR l.code = $1) AND ($2::text IS NULL OR l.customer_id = $2)
  AND ($3::timestamptz IS NULL OR l.received_at >= $3)`;
const filterValues = ({ code, customerId, since }: DeadLetterFilter): readonly (string | null)[] => [
  code ?? null,
  customerId ?? null,
  since ?? null,
];

const statusSql: Readonly<Record<DeadLetterStatus, string>> = {
  open: `NOT ${isSettledSql}`,
  replayed: `${lastSettlingSql} = 'replayed'`,
  discarded: `${lastSettlingSql} = 'discarded'`,
};

const list = 'dead-letters';

/**
 * So much is read of them at once, however many are asked for, and one at least: what is rejected may be as large as a body of events.
 */
const bytesAtOnce = 8 * 1024 * 1024;

async function listDeadLetters(
  { pool }: Database,
  filter: DeadLetterFilter,
  page: PageRequest,
): Promise<Page<DeadLetterState>> {
  const [before] = decodeCursor(page, list, [cursorPart.position]) ?? [];
  const { rows } = await pool.query<DeadLetterRow & { readonly found: number }>(
    `WITH found AS (
       SELECT l.dead_letter_id, l.received_order, octet_length(l.payload) + coalesce((SELECT sum(octet_length(d.payload))
          FROM dead_letter_decisions d WHERE d.dead_letter_id = l.dead_letter_id), 0) AS bytes
         FROM dead_letters l WHERE ${filterSql} AND ($4::bigint IS NULL OR l.received_order < $4)
          AND ${filter.status === undefined ? 'true' : statusSql[filter.status]}
        ORDER BY l.received_order DESC LIMIT $5)
     SELECT ${stateColumns}, (SELECT count(*)::int FROM found) AS found
       FROM (SELECT *, sum(bytes) OVER (ORDER BY received_order DESC) - bytes AS before FROM found) f
       JOIN dead_letters l ON l.dead_letter_id = f.dead_letter_id
      WHERE f.before < $6 ORDER BY l.received_order DESC`,
    [...filterValues(filter), before ?? null, page.limit + 1, bytesAtOnce],
  );
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  const more = last !== undefined && last.found > shown.length;
  const data = shown.map(({ found: _, ...row }) => stateOf(row));
  return { data, nextCursor: more ? encodeCursor(list, [last.order]) : null };
}

async function find({ pool }: Database, deadLetterId: string): Promise<DeadLetterState | null> {
  if (!cursorPart.uuid(deadLetterId)) return null;
  const { rows } = await pool.query<DeadLetterRow>({
    name: 'dead-letter-find',
    text: `SELECT ${stateColumns} FROM dead_letters l WHERE l.dead_letter_id = $1`,
    values: [deadLetterId],
  });
  return rows[0] === undefined ? null : stateOf(rows[0]);
}

/** Not the same ones again and again: one that was rejected once more goes behind the others. */
async function toReplay(
  { pool }: Database,
  filter: Omit<DeadLetterFilter, 'status'>,
  limit: number,
): Promise<readonly DeadLetter[]> {
  const { rows } = await pool.query<DeadLetter>(
    `SELECT ${columns}
       FROM (SELECT *, sum(bytes) OVER (ORDER BY place) - bytes AS before FROM (
         SELECT l.dead_letter_id, octet_length(l.payload) AS bytes, row_number() OVER (
             ORDER BY (SELECT max(d.decided_at) FROM dead_letter_decisions d
               WHERE d.dead_letter_id = l.dead_letter_id AND d.decision = 'replayed') NULLS FIRST, l.received_order) AS place
           FROM dead_letters l WHERE ${filterSql} AND NOT ${isSettledSql} ORDER BY place LIMIT $4) found) f
       JOIN dead_letters l ON l.dead_letter_id = f.dead_letter_id
      WHERE f.before < $5 ORDER BY f.place`,
    [...filterValues(filter), limit, bytesAtOnce],
  );
  return rows;
}

async function backlog({ pool }: Database): Promise<{ readonly open: number; readonly oldest: Instant | null }> {
  const { rows } = await pool.query<{ readonly open: string; readonly oldest: Instant | null }>({
    name: 'dead-letters-backlog',
    text: `SELECT count(*) AS open, min(coalesce((SELECT max(d.decided_at) FROM dead_letter_decisions d
        WHERE d.dead_letter_id = l.dead_letter_id AND d.decision = 'reopened'), l.received_at)) AS oldest
      FROM dead_letters l WHERE NOT ${isSettledSql}`,
  });
  return { open: Number(rows[0]?.open ?? 0), oldest: rows[0]?.oldest ?? null };
}
