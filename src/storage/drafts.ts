/** Invoices before they are issued. What they say is computed by whoever reads them. */
import type pg from 'pg';
import { DomainFailure } from '../domain/failure.js';
import { rejectedReason, requireDecidable, sameDecision } from '../domain/invoicing/before-issue.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import { instantSql, SqlParameters } from './aggregation-sql-fragments.js';
import { isVoidSql } from './chain.js';
import type { Database } from './database.js';
import { uuidOf } from './identifiers.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import type { DoubleBilling, DraftOf, DraftStore, DraftTransition } from './types-drafts.js';
import type { PeriodKeyOf } from './types.js';

type Queryable = pg.Pool | pg.PoolClient;

interface DraftRow {
  readonly invoice_id: string;
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly chain_place: number;
  readonly ready_at: Instant;
  readonly draft_order: string;
  readonly transitions: DraftOf['transitions'];
  readonly decisions: DraftOf['decisions'];
  readonly issued: boolean;
  readonly skipped_at: Instant | null;
}

/** When invoicing skipped the period of the draft `d`, where it did nothing else since: it is empty, and its customer skips those (RULES 25). */
const skippedAtSql = `(SELECT o.decided_at FROM (SELECT o.outcome, o.decided_at FROM invoicing_requests r JOIN invoicing_outcomes o USING (request_id)
    WHERE r.customer_id = d.customer_id AND r.period = d.period ORDER BY r.request_order DESC LIMIT 1) AS o WHERE o.outcome = 'skipped')`;

/** Whether the draft `d` may become an invoice: it is none yet, and its period was not skipped since. */
export const isWaitingSql = `NOT EXISTS (SELECT FROM invoices i WHERE i.invoice_id = d.invoice_id) AND ${skippedAtSql} IS NULL`;

const draftSql = `SELECT d.*, EXISTS (SELECT FROM invoices i WHERE i.invoice_id = d.invoice_id) AS issued,
    ${instantSql(skippedAtSql)} AS skipped_at,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('status', t.status, 'contentHash', t.content_hash,
      'dueAt', ${instantSql('t.due_at')}, 'actor', t.actor, 'reason', t.reason, 'at', ${instantSql('t.at')}) ORDER BY t.sequence), '[]')
      FROM invoice_draft_transitions t WHERE t.invoice_id = d.invoice_id) AS transitions,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('decision', c.decision, 'contentHash', c.content_hash, 'actor', c.actor,
      'reason', c.reason, 'at', ${instantSql('c.at')}) ORDER BY c.sequence), '[]')
      FROM invoice_decisions c WHERE c.invoice_id = d.invoice_id) AS decisions
  FROM invoice_drafts d`;

const draftFromDb = (row: DraftRow): DraftOf => ({
  invoiceId: row.invoice_id,
  customerId: row.customer_id,
  period: row.period,
  chainPlace: row.chain_place,
  readyAt: row.ready_at,
  transitions: row.transitions,
  decisions: row.decisions,
  isIssued: row.issued,
  skippedAt: row.skipped_at,
});

export function createDraftStore(db: Database): DraftStore {
  return {
    find: async (invoiceId) => (cursorPart.uuid(invoiceId) ? findDraft(db.pool, invoiceId) : null),
    list: async ({ customerId, period, status }, page) => {
      const params = new SqlParameters();
      const conditions = [
        isWaitingSql,
        `(SELECT t.status FROM invoice_draft_transitions t WHERE t.invoice_id = d.invoice_id
          ORDER BY t.sequence DESC LIMIT 1) = ${params.add(status, 'text')}`,
      ];
      if (customerId !== undefined) conditions.push(`d.customer_id = ${params.add(customerId, 'text')}`);
      if (period !== undefined) conditions.push(`d.period = ${params.add(period, 'date')}`);
      const after = decodeCursor(page, list, [cursorPart.position]);
      if (after !== null) conditions.push(`d.draft_order < ${params.add(after[0], 'bigint')}`);
      const { rows } = await db.pool.query<DraftRow>(
        `${draftSql} WHERE ${conditions.join(' AND ')} ORDER BY d.draft_order DESC LIMIT ${params.add(page.limit + 1, 'int')}`,
        [...params.values],
      );
      return mapPage(
        pageOf(rows, { ...page, list }, (row) => [row.draft_order]),
        draftFromDb,
      );
    },
    counts: (filter) => countDrafts(db.pool, filter),
    decide: (invoiceId, decision) => decide(db, invoiceId, decision),
    requestDue: (now, limit) => requestDue(db, now, limit),
  };
}

async function countDrafts(
  db: Queryable,
  { customerId, period }: Parameters<DraftStore['counts']>[0],
): ReturnType<DraftStore['counts']> {
  const params = new SqlParameters();
  const conditions = [isWaitingSql];
  if (customerId !== undefined) conditions.push(`d.customer_id = ${params.add(customerId, 'text')}`);
  if (period !== undefined) conditions.push(`d.period = ${params.add(period, 'date')}`);
  const { rows } = await db.query<{ readonly draft: number; readonly held: number }>(
    `SELECT count(*) FILTER (WHERE t.status = 'draft')::int AS draft, count(*) FILTER (WHERE t.status = 'held')::int AS held
     FROM invoice_drafts d CROSS JOIN LATERAL (SELECT status FROM invoice_draft_transitions
       WHERE invoice_id = d.invoice_id ORDER BY sequence DESC LIMIT 1) AS t WHERE ${conditions.join(' AND ')}`,
    [...params.values],
  );
  return rows[0] ?? { draft: 0, held: 0 };
}

const list = 'invoice-drafts';

async function findDraft(db: Queryable, invoiceId: string): Promise<DraftOf | null> {
  const { rows } = await db.query<DraftRow>(`${draftSql} WHERE d.invoice_id = $1`, [invoiceId]);
  return rows[0] === undefined ? null : draftFromDb(rows[0]);
}

/**
 * The draft, locked to the end of the transaction: whoever decides about it and the gate that issues it come one after the other,
 * so that neither decides about what is being issued. The gate takes it after the lock of its period.
 */
export async function lockDraft(client: pg.PoolClient, invoiceId: string): Promise<DraftOf | null> {
  const { rowCount } = await client.query('SELECT FROM invoice_drafts WHERE invoice_id = $1 FOR NO KEY UPDATE', [
    invoiceId,
  ]);
  return rowCount === 0 ? null : findDraft(client, invoiceId);
}

export async function keepDraft(
  client: pg.PoolClient,
  { customerId, period }: PeriodKeyOf,
  {
    draft,
    transition,
  }: {
    readonly draft: { readonly invoiceId: string; readonly chainPlace: number; readonly readyAt: Instant };
    readonly transition: DraftTransition;
  },
): Promise<void> {
  await client.query(
    `INSERT INTO invoice_drafts (invoice_id, customer_id, period, chain_place, ready_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (invoice_id) DO NOTHING`,
    [draft.invoiceId, customerId, period, draft.chainPlace, draft.readyAt],
  );
  await keepTransition(client, draft.invoiceId, transition);
}

/** The same one again is not repeated. */
async function keepTransition(
  client: pg.PoolClient,
  invoiceId: string,
  { status, contentHash, dueAt, actor, reason }: DraftTransition,
): Promise<void> {
  await client.query(
    `INSERT INTO invoice_draft_transitions (invoice_id, sequence, status, content_hash, due_at, actor, reason)
     SELECT $1, coalesce(max(t.sequence), 0) + 1, $2, $3, $4, $5, $6 FROM invoice_draft_transitions t WHERE t.invoice_id = $1
     HAVING NOT coalesce((array_agg(t.status = $2 AND t.content_hash = $3 AND t.due_at IS NOT DISTINCT FROM $4::timestamptz
       AND t.reason = $6 ORDER BY t.sequence DESC))[1], false)`,
    [invoiceId, status, contentHash, dueAt, actor, reason],
  );
}

async function decide(
  db: Database,
  invoiceId: string,
  { decision, contentHash, actor, reason }: Parameters<DraftStore['decide']>[1],
): Promise<{ stored: boolean }> {
  return db.transaction(async (client) => {
    const found = await lockDraft(client, invoiceId);
    if (found === null) throw new DomainFailure('INVOICE_NOT_FOUND', `There is no draft ${invoiceId}.`);
    if (found.isIssued) {
      throw new DomainFailure(
        'INVOICE_TRANSITION_REFUSED',
        'It is issued already: nothing can be decided about its draft.',
      );
    }
    // Said again after a rejection of other content it is a decision of its own.
    if (sameDecision(found.decisions.at(-1), { decision, contentHash })) return { stored: false };
    requireDecidable(found.decisions.findLast((each) => each.contentHash === contentHash) ?? null, decision);
    await client.query(
      `INSERT INTO invoice_decisions (invoice_id, sequence, decision, content_hash, actor, reason)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      [invoiceId, found.decisions.length + 1, decision, contentHash, actor, reason],
    );
    // It is held from now on, not only once its period is closed again: no grace wakes it.
    if (decision === 'rejected')
      await keepTransition(client, invoiceId, {
        status: 'held',
        contentHash,
        dueAt: null,
        actor,
        reason: rejectedReason,
      });
    return { stored: true };
  });
}

/** A request for each draft and due time, once: its id is made of both. */
export async function requestDue(
  db: Pick<Database, 'pool'>,
  now: Instant,
  limit: number,
): Promise<readonly PeriodKeyOf[]> {
  const { rows } = await db.pool.query<{
    readonly invoice_id: string;
    readonly customer_id: string;
    readonly period: LocalDate;
    readonly due_at: Instant;
  }>(
    `SELECT d.invoice_id, d.customer_id, d.period, t.due_at FROM invoice_drafts d
     CROSS JOIN LATERAL (SELECT status, due_at FROM invoice_draft_transitions WHERE invoice_id = d.invoice_id
       ORDER BY sequence DESC LIMIT 1) AS t
     WHERE t.status = 'draft' AND t.due_at <= $1 AND ${isWaitingSql}
       AND NOT EXISTS (SELECT FROM invoicing_requests r LEFT JOIN invoicing_outcomes o USING (request_id)
         WHERE r.customer_id = d.customer_id AND r.period = d.period AND o.outcome IS NULL)
     ORDER BY t.due_at, d.invoice_id LIMIT $2`,
    [now, limit],
  );
  const billingDay = now.slice(0, 10);
  for (const row of rows) {
    await db.pool.query(
      `INSERT INTO invoicing_requests (request_id, customer_id, period, billing_day, forced, reason)
       VALUES ($1, $2, $3, $4, false, 'the grace period has passed') ON CONFLICT (request_id) DO NOTHING`,
      [uuidOf('draft-due', row.invoice_id, row.due_at, billingDay), row.customer_id, row.period, billingDay],
    );
  }
  return rows.map((row) => ({ customerId: row.customer_id, period: row.period }));
}

export async function trailingSubtotals(
  client: pg.PoolClient,
  { customerId, period }: PeriodKeyOf,
  { currency, periods }: { readonly currency: string; readonly periods: number },
): Promise<readonly DecimalString[]> {
  const { rows } = await client.query<{ readonly subtotal: DecimalString }>({
    name: 'trailing-subtotals',
    text: `SELECT i.subtotal FROM invoices i WHERE i.customer_id = $1 AND i.period < $2 AND i.currency = $3 AND i.type = 'invoice'
        AND NOT ${isVoidSql('i.invoice_id')} ORDER BY i.period DESC, i.chain_place DESC LIMIT $4`,
    values: [customerId, period, currency, periods],
  });
  return rows.map(({ subtotal }) => subtotal);
}

/** At most so many are named. */
const doublesNamed = 10;

/**
 * Of original invoices: lines of one key and service on two of them. Of corrections: a line that starts from another amount
 * than the documents before it have billed, as a correction that is stored twice does.
 */
export async function doubleBilling(db: Queryable, customerId: string): Promise<readonly DoubleBilling[]> {
  const { rows } = await db.query<DoubleRow>({
    name: 'double-billing',
    text: `WITH lines AS (
        SELECT i.type, i.number, i.period, i.chain_place, coalesce(i.corrects_invoice_id, i.invoice_id) AS original_id,
          l.line_item_id, l.line_key, l.service_from, l.service_to, l.amount, l.original_amount
        FROM invoices i JOIN invoice_line_items l USING (invoice_id)
        WHERE i.customer_id = $1 AND NOT ${isVoidSql('i.invoice_id')}),
      chained AS (
        SELECT *, sum(amount) OVER before AS billed, lag(line_item_id) OVER place AS last_id, lag(number) OVER place AS last_number
        FROM lines WINDOW place AS (PARTITION BY original_id, line_key ORDER BY chain_place),
          before AS (PARTITION BY original_id, line_key ORDER BY chain_place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))
      SELECT line_key, 'invoice' AS kind,
        jsonb_agg(jsonb_build_object('lineItemId', line_item_id, 'number', number) ORDER BY period, chain_place) AS rows
      FROM lines WHERE type = 'invoice' GROUP BY line_key, service_from, service_to HAVING count(*) > 1
      UNION ALL
      SELECT line_key, 'correction', jsonb_build_array(
        jsonb_build_object('lineItemId', last_id, 'number', last_number), jsonb_build_object('lineItemId', line_item_id, 'number', number))
      FROM chained WHERE type <> 'invoice' AND last_id IS NOT NULL AND original_amount <> billed
      LIMIT ${doublesNamed}`,
    values: [customerId],
  });
  return rows.map(({ line_key: lineKey, kind, rows: twice }) => ({ lineKey, kind, rows: twice }));
}

interface DoubleRow {
  readonly line_key: string;
  readonly kind: DoubleBilling['kind'];
  readonly rows: DoubleBilling['rows'];
}
