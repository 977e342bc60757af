/** Ratings on prices that were last known, and charges' standing. */
import type pg from 'pg';
import type { PinnedVersions } from '../domain/invoicing/invoice.js';
import type { Instant, LocalDate } from '../domain/values.js';
import { canonicalJson } from './canonical-json.js';
import type { Database } from './database.js';
import { uuidOf } from './identifiers.js';
import { cursorPart } from './paging.js';
import type { BillingPeriod, ChargeStanding, NewPriceFallback, PriceFallback, PriceFallbackStore } from './types.js';

interface FallbackRow {
  readonly fallback_id: string;
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly prices_as_of: Instant;
  readonly pinned_versions: PinnedVersions;
  readonly currency: string;
  readonly charge_ids: readonly string[];
}

export function createPriceFallbackStore(db: Database): PriceFallbackStore {
  return {
    unchecked: async ({ customerId = null, period = null }, limit) => {
      const { rows } = await db.pool.query<FallbackRow>({
        name: 'price-fallbacks-unchecked',
        text: `SELECT f.* FROM price_fallbacks f
          WHERE ($1::text IS NULL OR f.customer_id = $1) AND ($2::date IS NULL OR f.period = $2)
            AND NOT EXISTS (SELECT FROM price_fallback_checks c WHERE c.fallback_id = f.fallback_id)
          ORDER BY f.rated_at, f.fallback_id LIMIT $3`,
        values: [customerId, period, limit],
      });
      return rows.map(fallbackOf);
    },
    recordCheck: async (fallbackId, differed) => {
      await db.pool.query(
        'INSERT INTO price_fallback_checks (fallback_id, differed) VALUES ($1, $2) ON CONFLICT (fallback_id) DO NOTHING',
        [fallbackId, differed],
      );
    },
  };
}

const fallbackOf = (row: FallbackRow): PriceFallback => ({
  fallbackId: row.fallback_id,
  customerId: row.customer_id,
  period: row.period,
  pricesAsOf: row.prices_as_of,
  pinnedVersions: row.pinned_versions,
  currency: row.currency,
  chargeIds: row.charge_ids,
});

/** The same rating twice is one fallback. */
export async function insertFallback(
  client: pg.PoolClient,
  { customerId, period }: BillingPeriod,
  { pricesAsOf, pinnedVersions, currency, chargeIds }: NewPriceFallback,
): Promise<void> {
  const content = canonicalJson({ pinnedVersions, chargeIds });
  await client.query(
    `INSERT INTO price_fallbacks (fallback_id, customer_id, period, prices_as_of, pinned_versions, currency, charge_ids)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (fallback_id) DO NOTHING`,
    [
      uuidOf('price-fallback', customerId, period, pricesAsOf, content),
      customerId,
      period,
      pricesAsOf,
      JSON.stringify(pinnedVersions),
      currency,
      chargeIds,
    ],
  );
}

/**
 * The line of a charge is its key without the price book version, which is the key's last part. A charge that was retired is in
 * no rating any more (its formula is a bare zero, see retire.ts), and stands for a correction all the same.
 */
const standingSql = `WITH c AS (SELECT *, charge_key::jsonb - (-1) AS line FROM rated_charges WHERE charge_id = $1),
  rating AS (SELECT r.charge_ids FROM period_ratings r JOIN c USING (customer_id, period) ORDER BY r.sequence DESC LIMIT 1),
  settled AS (SELECT d.charge_id FROM rated_charges d JOIN c USING (customer_id, period), rating
    WHERE d.charge_id = ANY (rating.charge_ids) AND d.charge_key::jsonb - (-1) = c.line
    ORDER BY d.charge_key <> c.charge_key, d.charge_key),
  latest AS (SELECT d.charge_id FROM rated_charges d JOIN c USING (customer_id, period, charge_key)
    ORDER BY d.revision DESC LIMIT 1)
SELECT
  NOT EXISTS (SELECT FROM period_ratings r WHERE r.customer_id = c.customer_id AND r.period = c.period
    AND c.charge_id = ANY (r.charge_ids))
  AND NOT EXISTS (SELECT FROM invoices i JOIN invoice_line_items l USING (invoice_id)
    WHERE i.customer_id = c.customer_id AND i.period = c.period AND c.charge_id = ANY (l.charge_ids))
  AND c.calculation_metadata ->> 'formula' IS DISTINCT FROM '0' AS provisional,
  CASE WHEN EXISTS (SELECT FROM rating WHERE c.charge_id = ANY (rating.charge_ids)) THEN ARRAY[c.charge_id]
    WHEN EXISTS (SELECT FROM rating) THEN ARRAY(SELECT charge_id FROM settled)
    ELSE ARRAY(SELECT charge_id FROM latest) END AS current_ids,
  (SELECT max(f.prices_as_of) FROM price_fallbacks f LEFT JOIN price_fallback_checks k USING (fallback_id)
    WHERE f.customer_id = c.customer_id AND f.period = c.period AND c.charge_id = ANY (f.charge_ids)
      AND k.differed IS NOT FALSE) AS prices_as_of
FROM c`;

/** null: there is no such charge. */
export async function chargeStanding(db: pg.Pool, chargeId: string): Promise<ChargeStanding | null> {
  if (!cursorPart.uuid(chargeId)) return null;
  const { rows } = await db.query<{ provisional: boolean; current_ids: string[]; prices_as_of: Instant | null }>(
    standingSql,
    [chargeId],
  );
  const [row] = rows;
  return row === undefined
    ? null
    : { provisional: row.provisional, currentChargeIds: row.current_ids, pricesAsOf: row.prices_as_of };
}
