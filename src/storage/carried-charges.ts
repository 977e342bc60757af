/** Where an event's change of a level went: the later charges that began with it (RULES 70). */
import type pg from 'pg';
import type { Calculation } from '../domain/rating/rating.js';
import type { LocalDate } from '../domain/values.js';
import { isVoidSql } from './chain.js';
import type { CarriedChange, CarriedCharge } from './types.js';

interface CarriedRow {
  readonly period: LocalDate;
  readonly charge_id: string;
  readonly invoice_id: string;
  readonly number: string;
  readonly line_item_id: string;
  readonly count: string;
}

/** The formula of a charge of which nothing is left (`isRetired`). */
const retiredFormula: Calculation['formula'] = '0';

/**
 * Of each later period the charge of the first document that knew the change: its cutoff includes it, its pricing group pools
 * the event's, and no other price has that (RULES 17). Documents that were voided do not count.
 */
const carriedSql = `SELECT f.*, count(*) OVER () AS count FROM (
    SELECT DISTINCT ON (i.period) i.period, c.charge_id, i.invoice_id, i.number, l.line_item_id
    FROM invoices i JOIN invoice_line_items l USING (invoice_id)
      JOIN rated_charges c ON c.charge_id = ANY (l.charge_ids)
    WHERE i.customer_id = $1 AND i.period_start > $2 AND l.meter = $3 AND c.cutoff_position >= $4
      AND c.group_key <@ $5::jsonb AND c.calculation_metadata ->> 'formula' <> '${retiredFormula}'
      AND NOT EXISTS (SELECT FROM jsonb_array_elements(c.calculation_metadata -> 'except') AS x (match) WHERE x.match <@ $5::jsonb)
      AND NOT ${isVoidSql('i.invoice_id')}
    ORDER BY i.period, i.chain_place, c.charge_id) AS f
  ORDER BY f.period LIMIT $6`;

export async function carriedTo(
  db: pg.Pool | pg.PoolClient,
  { customerId, meter, eventTime, position, dimensions }: CarriedChange,
  limit: number,
): Promise<{ readonly count: number; readonly first: readonly CarriedCharge[] }> {
  const { rows } = await db.query<CarriedRow>({
    name: 'carried-charges',
    text: carriedSql,
    values: [customerId, eventTime, meter, position, JSON.stringify(dimensions), limit],
  });
  return {
    count: Number(rows[0]?.count ?? 0),
    first: rows.map((row) => ({
      period: row.period,
      chargeId: row.charge_id,
      invoiceId: row.invoice_id,
      number: row.number,
      lineItemId: row.line_item_id,
    })),
  };
}
