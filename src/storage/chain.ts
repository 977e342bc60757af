/** The chain of a period: its documents that count, and the rating they stand on. */
import type pg from 'pg';
import type { PinnedVersions } from '../domain/invoicing/invoice.js';
import type { Position } from '../domain/values.js';
import { invoiceSql, type StatusRow, withLines } from './invoices.js';
import type { PeriodChain, PeriodKeyOf, PeriodRating } from './types.js';

interface ChainRow extends StatusRow {
  readonly rating_sequence: number | null;
  readonly rating_cutoff: Position;
  readonly rating_pins: PinnedVersions;
  readonly rating_charge_ids: readonly string[];
  readonly rating_invoice_id: string | null;
  readonly rating_re_rating_id: string | null;
}

/** One statement for documents and rating, so that they belong together also where nobody holds the period's lock. */
const chainSql = `SELECT d.*, r.sequence AS rating_sequence, r.cutoff_position AS rating_cutoff, r.pinned_versions AS rating_pins,
    r.charge_ids AS rating_charge_ids, r.invoice_id AS rating_invoice_id, r.re_rating_id AS rating_re_rating_id
  FROM (${invoiceSql} WHERE i.customer_id = $1 AND i.period = $2 AND i.chain_place >= (
    SELECT max(chain_place) FROM invoices WHERE customer_id = $1 AND period = $2 AND type = 'invoice')) AS d
  LEFT JOIN LATERAL (${lastRatingSql('$1', '$2')}) AS r ON true
  ORDER BY d.chain_place`;

/** The documents from the last original on, read with their lines. */
export async function readChain(
  db: pg.Pool | pg.PoolClient,
  { customerId, period }: PeriodKeyOf,
): Promise<PeriodChain> {
  const { rows } = await db.query<ChainRow>({ name: 'period-chain', text: chainSql, values: [customerId, period] });
  const documents = await withLines(db, rows);
  const [row, original, last] = [rows[0], documents[0], documents.at(-1)];
  if (row === undefined || original === undefined || last === undefined) return emptyChain;
  // Original and corrections are voided together (RULES 28).
  const isVoid = original.status === 'void';
  return {
    documents: isVoid ? [] : documents.filter(({ status }) => status !== 'void'),
    voided: isVoid ? original : null,
    nextPlace: last.chainPlace + 1,
    rating: ratingOf(row),
  };
}

export const emptyChain: PeriodChain = { documents: [], voided: null, nextPlace: 1, rating: null };

function ratingOf(row: ChainRow): PeriodRating | null {
  if (row.rating_sequence === null) return null;
  return {
    sequence: row.rating_sequence,
    cutoff: row.rating_cutoff,
    pinnedVersions: row.rating_pins,
    chargeIds: row.rating_charge_ids,
    invoiceId: row.rating_invoice_id,
    reRatingId: row.rating_re_rating_id,
  };
}

/** For FROM: the last original of a period and whether it was voided, after which no other status comes. No row: none. */
export function lastOriginalSql(customer: string, period: string): string {
  return `SELECT i.invoice_id, i.chain_place, ${isVoidSql('i.invoice_id')} AS voided FROM invoices i
    WHERE i.customer_id = ${customer} AND i.period = ${period} AND i.type = 'invoice' ORDER BY i.chain_place DESC LIMIT 1`;
}

export function isVoidSql(invoiceId: string): string {
  return `EXISTS (SELECT FROM invoice_transitions v WHERE v.invoice_id = ${invoiceId} AND v.status = 'void')`;
}

/** For FROM: the last row of `period_ratings` of a period. */
export function lastRatingSql(customer: string, period: string): string {
  return `SELECT * FROM period_ratings WHERE customer_id = ${customer} AND period = ${period} ORDER BY sequence DESC LIMIT 1`;
}

/** The cutoff through which a period's facts are settled; null before the first invoice and after a void. */
export async function settledThrough(
  db: pg.Pool | pg.PoolClient,
  { customerId, period }: PeriodKeyOf,
): Promise<Position | null> {
  const { rows } = await db.query<{ cutoff_position: Position }>({
    name: 'period-settled-through',
    text: `SELECT r.cutoff_position FROM (${lastOriginalSql('$1', '$2')}) AS i CROSS JOIN (${lastRatingSql('$1', '$2')}) AS r
      WHERE NOT i.voided`,
    values: [customerId, period],
  });
  return rows[0]?.cutoff_position ?? null;
}
