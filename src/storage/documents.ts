/** What a tax provider was told of documents, and the bytes they were given out as. */
import { invariant } from '../domain/failure.js';
import type { Instant } from '../domain/values.js';
import type { Database } from './database.js';
import { invoiceSql, withLines } from './invoices.js';
import type { StatusRow } from './invoices.js';
import { unreportedNotes } from './settlement-reads.js';
import type { DocumentStore, Rendering } from './types.js';

export function createDocumentStore({ pool }: Database): DocumentStore {
  return {
    storeTaxReport: async ({ invoiceId, action, provider, reference }) => {
      await pool.query(
        `INSERT INTO tax_reports (invoice_id, action, provider, reference) VALUES ($1, $2, $3, $4)
         ON CONFLICT (invoice_id, action) DO NOTHING`,
        [invoiceId, action, provider, reference],
      );
    },
    storeNoteTaxReport: async ({ creditNoteId, action, provider, reference }) => {
      await pool.query(
        `INSERT INTO credit_note_tax_reports (credit_note_id, action, provider, reference) VALUES ($1, $2, $3, $4)
         ON CONFLICT (credit_note_id, action) DO NOTHING`,
        [creditNoteId, action, provider, reference],
      );
    },
    unreportedNotes: (provider, page) => unreportedNotes(pool, provider, page),
    unreportedTax: async (provider, { after, limit }) => {
      const values = [provider, after?.issuedAt ?? null, after?.id ?? null, limit];
      const { rows } = await pool.query<StatusRow>(unreportedSql, values);
      const invoices = await withLines(pool, rows);
      return invoices.map((invoice) => ({ invoice, isVoid: invoice.status === 'void' }));
    },
    keepRendering: async (rendering) => {
      const { invoiceId, format, marked, renderer, sha256, byteLength } = rendering;
      const key = [invoiceId, format, marked, renderer];
      const inserted = await pool.query(
        `INSERT INTO invoice_renderings (invoice_id, format, marked, renderer, sha256, byte_length) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (invoice_id, format, marked, renderer) DO NOTHING`,
        [...key, sha256, byteLength],
      );
      if (inserted.rowCount === 1) return rendering;
      const { rows } = await pool.query<RenderingRow>(
        `${renderingSql} WHERE invoice_id = $1 AND format = $2 AND marked = $3 AND renderer = $4`,
        key,
      );
      const [first] = rows;
      invariant(first !== undefined, 'a rendering that is there already can be read');
      return renderingFromDb(first);
    },
    renderings: async (invoiceId) => {
      const { rows } = await pool.query<RenderingRow>(
        `${renderingSql} WHERE invoice_id = $1 ORDER BY rendered_at, format, marked, renderer`,
        [invoiceId],
      );
      return rows.map((row) => ({ ...renderingFromDb(row), renderedAt: row.rendered_at }));
    },
  };
}

const unreportedSql = `${invoiceSql} WHERE i.tax_terms IS NOT NULL AND i.tax_terms->>'provider' = $1 AND CASE t.status
    WHEN 'void' THEN EXISTS (SELECT FROM tax_reports r WHERE r.invoice_id = i.invoice_id)
      AND NOT EXISTS (SELECT FROM tax_reports r WHERE r.invoice_id = i.invoice_id AND r.action = 'void')
    ELSE NOT EXISTS (SELECT FROM tax_reports r WHERE r.invoice_id = i.invoice_id) END
  AND ($2::timestamptz IS NULL OR (i.issued_at, i.invoice_id) > ($2, $3::uuid)) ORDER BY i.issued_at, i.invoice_id LIMIT $4`;

interface RenderingRow {
  readonly invoice_id: string;
  readonly format: Rendering['format'];
  readonly marked: boolean;
  readonly renderer: string;
  readonly sha256: string;
  readonly byte_length: number;
  readonly rendered_at: Instant;
}

const renderingSql =
  'SELECT invoice_id, format, marked, renderer, sha256, byte_length, rendered_at FROM invoice_renderings';

const renderingFromDb = (row: RenderingRow): Rendering => ({
  invoiceId: row.invoice_id,
  format: row.format,
  marked: row.marked,
  renderer: row.renderer,
  sha256: row.sha256,
  byteLength: row.byte_length,
});
