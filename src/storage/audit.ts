/** The audit log (ADR-017). Triggers write it; here it is sealed, signed, read and verified. */
import type { Instant, Position } from '../domain/values.js';
import { readEntries, type StoredEntry } from './audit-log.js';
import { readCheckpoints, readKeys, signHeads } from './audit-checkpoints.js';
import { anchorProblem } from './audit-verify-checkpoints.js';
import { verifyAudit } from './audit-verify.js';
import type { Database } from './database.js';
import { guarded } from './errors.js';
import { cursorPart, decodeCursor, pageOf } from './paging.js';
import { safeHorizon } from './safe-horizon.js';
import { type AuditBlock, type AuditEntry, type AuditStore, customerScope, deploymentScope } from './types-audit.js';
import type { Page, PageRequest } from './types-paging.js';

export function createAuditStore(db: Database): AuditStore {
  const store = guarded<Omit<AuditStore, 'verify'>>({
    list: (filter, page) => list(db, filter, page),
    find: async (scope, sequence) => {
      const [entry] = await readEntries(db.pool, 'WHERE e.scope = $1 AND e.sequence = $2', [scope, sequence]);
      return entry === undefined ? null : withoutIds(entry);
    },
    seal: (options) => seal(db, options),
    sign: (signer, at, options) => signHeads(db, signer, { at, ...options }),
    checkpoints: (after, limit) =>
      readCheckpoints(db.pool, 'WHERE c.checkpoint_number > $1 ORDER BY c.checkpoint_number LIMIT $2', [after, limit]),
    keys: () => readKeys(db.pool),
    checkAnchor: (anchored) => anchorProblem(db.pool, anchored),
  });
  return {
    list: store.list,
    find: store.find,
    seal: store.seal,
    sign: store.sign,
    checkpoints: store.checkpoints,
    keys: store.keys,
    checkAnchor: store.checkAnchor,
    verify: (options = {}) => verifyAudit(db, options),
  };
}

function withoutIds({ changeIds: _ids, ...entry }: StoredEntry): AuditEntry {
  return entry;
}

const listName = 'audit';

async function list(
  db: Database,
  filter: Parameters<AuditStore['list']>[0],
  page: PageRequest,
): Promise<Page<AuditEntry>> {
  const [before = null] = decodeCursor(page, listName, [cursorPart.position]) ?? [];
  const limit = page.limit + 1;
  const entries =
    filter.invoiceId === undefined
      ? await readEntries(
          db.pool,
          'WHERE e.scope = $1 AND ($2::bigint IS NULL OR e.sequence < $2) ORDER BY e.sequence DESC LIMIT $3',
          [filter.customerId === undefined ? deploymentScope : customerScope(filter.customerId), before, limit],
        )
      : await readEntries(db.pool, ofInvoiceSql, [filter.invoiceId, before, limit]);
  const { data, nextCursor } = pageOf(entries, { ...page, list: listName }, ({ sequence }) => [String(sequence)]);
  return { data: data.map(withoutIds), nextCursor };
}

/** Tables whose keys begin with the id of the invoice. */
const ofInvoices = `ARRAY['invoices', 'invoice_transitions', 'invoice_tax_lines', 'invoice_renderings', 'tax_reports', 'credit_draws',
  'invoice_drafts', 'invoice_draft_transitions', 'invoice_decisions']`;

/** By table and first part of the key: the document $1 and its chain's others, and whatever settles, credits or posts them. */
const subjectsSql = `WITH documents AS (SELECT d.invoice_id FROM invoices i JOIN invoices d USING (customer_id, period)
    WHERE i.invoice_id = $1 AND (d.invoice_id = $1 OR d.corrects_invoice_id IS NOT NULL OR d.replaces_invoice_id IS NOT NULL))
  SELECT t || ' ' || d.invoice_id AS subject FROM documents d CROSS JOIN unnest(${ofInvoices}) AS t
  UNION ALL SELECT 'journal_entries ' || j.entry_id FROM documents JOIN journal_entries j USING (invoice_id)
  UNION ALL SELECT 'write_offs ' || w.write_off_id FROM documents JOIN write_offs w USING (invoice_id)
  UNION ALL SELECT t || ' ' || n.credit_note_id FROM documents JOIN credit_notes n USING (invoice_id)
    CROSS JOIN unnest(ARRAY['credit_notes', 'credit_note_lines', 'credit_note_voids', 'credit_note_tax_reports']) AS t
  UNION ALL SELECT s.subject FROM documents d JOIN allocations a ON d.invoice_id IN (a.invoice_id, a.source_invoice_id)
    CROSS JOIN unnest(ARRAY['allocations ' || a.allocation_id, 'payments ' || a.payment_id, 'payment_reversals ' || a.payment_id,
      'refunds ' || a.refund_id]) AS s (subject) WHERE s.subject IS NOT NULL`;

/** What was written for a document: rows that concern it, those of its period's ratings, and adjustments of the period's events. */
const ofInvoiceSql = `JOIN invoices i ON i.invoice_id = $1 AND e.scope = 'customer/' || i.customer_id
  WHERE ($2::bigint IS NULL OR e.sequence < $2) AND EXISTS (
    SELECT FROM audit_changes c WHERE c.batch = e.batch AND c.scope = e.scope AND (
      EXISTS (SELECT FROM unnest(c.row_keys) AS k WHERE c.table_name || ' ' || (k::json ->> 0) = ANY (
        ARRAY(SELECT q.subject FROM (${subjectsSql}) AS q)))
      OR c.table_name = ANY (ARRAY['period_ratings', 're_rating_outcomes', 're_rating_comparisons']) AND EXISTS (
        SELECT FROM unnest(c.row_keys) AS k WHERE k::jsonb @> to_jsonb(i.period::text))
      OR c.table_name = 'event_adjustments' AND EXISTS (SELECT FROM unnest(c.row_keys) AS k
        JOIN event_adjustments a ON a.adjustment_id = (k::json ->> 0)::uuid
        JOIN telemetry_events t ON t.customer_id = a.customer_id AND t.source = a.source AND t.event_id = a.event_id
        WHERE t.event_time >= i.period_start AND t.event_time < i.period_end
          OR a.replacement_event_time >= i.period_start AND a.replacement_event_time < i.period_end)))
  ORDER BY e.sequence DESC LIMIT $3`;

const factsByDefault = 5_000;

/** Facts at or below the horizon are complete, so a block never has to be opened again. */
async function seal(db: Database, { factsMax = factsByDefault } = {}): Promise<readonly AuditBlock[]> {
  const horizon = await safeHorizon(db);
  const sealed: AuditBlock[] = [];
  for (;;) {
    const { rows } = await db.pool.query<{ readonly block: string | null }>('SELECT audit_seal($1, $2) AS block', [
      horizon,
      factsMax,
    ]);
    const block = rows[0]?.block ?? null;
    if (block === null) return sealed;
    sealed.push(await readBlock(db, block));
  }
}

interface BlockRow {
  readonly block: string;
  readonly from: Position;
  readonly to: Position;
  readonly facts: number;
  readonly sealed_at: Instant;
  readonly hash: string;
}

async function readBlock(db: Database, number: string): Promise<AuditBlock> {
  const { rows } = await db.pool.query<BlockRow>(
    `SELECT block_number AS block, from_position AS from, to_position AS to, facts, sealed_at, encode(hash, 'hex') AS hash
     FROM audit_blocks WHERE block_number = $1`,
    [number],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`audit block ${number} was sealed just now`);
  return {
    block: Number(row.block),
    from: row.from,
    to: row.to,
    facts: row.facts,
    sealedAt: row.sealed_at,
    hash: row.hash,
  };
}
