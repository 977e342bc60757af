/** Rated charges: appending revisions, and reading one (its events: charge-events.ts). */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import { groupBy } from '../domain/group-by.js';
import { groupKeyText } from '../domain/metering/group-key.js';
import type { Calculation, RatedCharge } from '../domain/rating/rating.js';
import type { DecimalString, Digest, GroupKey, Instant, Interval, LocalDate, Position } from '../domain/values.js';
import { isAdjustedSql } from './backfills-sql.js';
import { canonicalJson } from './canonical-json.js';
import { uuidOf } from './identifiers.js';
import { cursorPart } from './paging.js';
import type { BillingPeriod, StoredCharge } from './types.js';

type Queryable = pg.Pool | pg.PoolClient;

// Appending -----------------------------------------------------------------------------------------------------------

export interface ChargeBatch {
  readonly period: Pick<BillingPeriod, 'customerId' | 'period'>;
  /** By code. */
  readonly meterIds: ReadonlyMap<string, string>;
  readonly cutoff: Position;
  readonly charges: readonly RatedCharge[];
  /** Provisional ids are their own, so that when a period was provisionally rated never shows in the ids of settled charges. */
  readonly provisional: boolean;
}

/** A revision of a charge key that exists already. */
interface EarlierRow {
  readonly charge_key: string;
  readonly charge_id: string;
  readonly revision: number;
}

/**
 * Appends a revision for every charge that differs from the latest of its key, in one statement, and returns the ids by
 * input order. The caller holds the lock of (customer, period).
 */
export async function appendCharges(client: pg.PoolClient, batch: ChargeBatch): Promise<readonly string[]> {
  if (batch.charges.length === 0) return [];
  const { customerId, period } = batch.period;
  const keys = batch.charges.map(chargeKeyOf);
  invariant(new Set(keys).size === keys.length, `two charges of ${customerId} ${period} have the same key`);
  const { rows } = await client.query<EarlierRow>({
    name: 'earlier-charges',
    text: `SELECT charge_key, charge_id, revision FROM rated_charges
      WHERE customer_id = $1 AND period = $2 AND charge_key = ANY ($3) ORDER BY charge_key, revision`,
    values: [customerId, period, keys],
  });
  const earlier = groupBy(rows, (row) => row.charge_key);
  const ids: string[] = [];
  const fresh: unknown[] = [];
  for (const [i, charge] of batch.charges.entries()) {
    const key = keys[i] ?? '';
    const revisions = earlier.get(key) ?? [];
    const { id, known } = identify(
      [batch.provisional ? 'provisional-charge' : 'charge', customerId, period, key, contentOf(charge)],
      revisions,
    );
    ids.push(id);
    if (known) continue;
    const meterId = charge.meter === null ? null : batch.meterIds.get(charge.meter);
    invariant(meterId !== undefined, `the charge's meter "${charge.meter ?? ''}" is not known`);
    fresh.push(chargeToDb(charge, { id, key, meterId, latest: revisions.at(-1) }));
  }
  if (fresh.length > 0) {
    await client.query({
      name: 'append-charges',
      text: appendSql,
      values: [customerId, period, batch.cutoff, JSON.stringify(fresh)],
    });
  }
  return ids;
}

const appendSql = `INSERT INTO rated_charges (charge_id, customer_id, period, meter_id, group_key, price_book_id, charge_key, revision,
    supersedes_charge_id, quantity, amount, currency, event_count, digest, cutoff_position, calculation_metadata)
  SELECT charge_id, $1, $2, meter_id, group_key, price_book_id, charge_key, revision,
    supersedes_charge_id, quantity, amount, currency, event_count, digest, $3, calculation_metadata
  FROM jsonb_to_recordset($4::jsonb) AS c (charge_id uuid, meter_id uuid, group_key jsonb, price_book_id uuid, charge_key text,
    revision int, supersedes_charge_id uuid, quantity numeric, amount numeric, currency text, event_count bigint, digest text,
    calculation_metadata jsonb)`;

/** Meter and pricing group, or fee, and price book version (RULES 20). */
function chargeKeyOf({ meter, lineKey, group, priceBookId }: RatedCharge): string {
  if (meter === null) return JSON.stringify([lineKey, priceBookId]);
  return JSON.stringify([meter, groupKeyText(group), priceBookId]);
}

/** What makes a revision another one: everything the charge says, except through which cutoff it was found. */
function contentOf({ quantity, amount, currency, eventCount, digest, calculation }: RatedCharge): string {
  const text = canonicalJson({ quantity, amount, currency, eventCount, digest, calculation });
  return createHash('sha256').update(text).digest('hex');
}

/**
 * The id is made of key, content and how often this content has come back, never of a revision number or a cutoff: however
 * many provisional revisions there were, the same facts give the same ids, and so the same document.
 */
function identify(
  [kind, ...parts]: readonly [string, ...string[]],
  revisions: readonly EarlierRow[],
): { readonly id: string; readonly known: boolean } {
  const taken = new Set(revisions.map((row) => row.charge_id));
  const latest = revisions.at(-1)?.charge_id;
  for (let occurrence = 1; ; occurrence += 1) {
    const id = uuidOf(kind, ...parts, occurrence);
    if (!taken.has(id)) return { id, known: false };
    if (id === latest) return { id, known: true };
  }
}

function chargeToDb(
  charge: RatedCharge,
  row: {
    readonly id: string;
    readonly key: string;
    readonly meterId: string | null;
    readonly latest: EarlierRow | undefined;
  },
): unknown {
  return {
    charge_id: row.id,
    meter_id: row.meterId,
    group_key: charge.group,
    price_book_id: charge.priceBookId,
    charge_key: row.key,
    revision: (row.latest?.revision ?? 0) + 1,
    supersedes_charge_id: row.latest?.charge_id ?? null,
    quantity: charge.quantity,
    amount: charge.amount,
    currency: charge.currency,
    event_count: charge.eventCount,
    digest: charge.digest,
    calculation_metadata: charge.calculation,
  };
}

// Reading -------------------------------------------------------------------------------------------------------------

interface ChargeRow {
  readonly charge_id: string;
  readonly customer_id: string;
  readonly period: LocalDate;
  /** null: a fee. */
  readonly meter: string | null;
  readonly charge_key: string;
  readonly group_key: GroupKey;
  readonly price_book_id: string;
  readonly revision: number;
  readonly supersedes_charge_id: string | null;
  readonly quantity: DecimalString;
  readonly amount: DecimalString;
  readonly currency: string;
  readonly event_count: string;
  readonly digest: Digest;
  readonly cutoff_position: Position;
  readonly calculation_metadata: Calculation;
}

const chargeSql = `SELECT c.*, m.code AS meter, p.period_start, p.period_end, p.time_zone, p.cuts,
    ARRAY(SELECT DISTINCT u.meter_id::text FROM aggregated_usage u JOIN meters v USING (meter_id)
      WHERE u.customer_id = c.customer_id AND u.period = c.period AND v.code = m.code AND u.cutoff_position <= c.cutoff_position)
      AS version_ids,
    ${isAdjustedSql('c.customer_id')} AS adjusted
  FROM rated_charges c LEFT JOIN meters m USING (meter_id) JOIN billing_periods p USING (customer_id, period)
  WHERE c.charge_id = $1`;

/**
 * The charges with these ids, by input order, as they were rated: what was stored gives the same id when it is stored again.
 * They all are of the period.
 */
export async function readCharges(
  db: Queryable,
  { customerId, period }: Pick<BillingPeriod, 'customerId' | 'period'>,
  chargeIds: readonly string[],
): Promise<readonly RatedCharge[]> {
  if (chargeIds.length === 0) return [];
  const { rows } = await db.query<ChargeRow>({
    name: 'charges-of-period',
    text: `SELECT c.*, m.code AS meter FROM rated_charges c LEFT JOIN meters m USING (meter_id)
      WHERE c.customer_id = $1 AND c.period = $2 AND c.charge_id = ANY ($3::uuid[])`,
    values: [customerId, period, chargeIds],
  });
  const byId = new Map(rows.map((row) => [row.charge_id, row]));
  return chargeIds.map((id) => {
    const row = byId.get(id);
    invariant(row !== undefined, `charge ${id} is one of ${customerId} ${period}`);
    return ratedFromDb(row);
  });
}

/** Of a fee's `chargeKeyOf`. */
function lineKeyIn(chargeKey: string): string {
  const [lineKey] = JSON.parse(chargeKey) as readonly [string, string];
  return lineKey;
}

/** A charge with what its events are read by. */
export type ChargeWithMeter = ChargeRow & {
  readonly meter_id: string | null;
  readonly period_start: Instant;
  readonly period_end: Instant;
  readonly time_zone: string;
  readonly cuts: readonly Instant[];
  /** Versions of the meter that the period's windows were aggregated by. */
  readonly version_ids: readonly string[];
  readonly adjusted: boolean;
};

/** null also for what is no UUID: no charge has such an id. */
export async function readCharge(db: Queryable, chargeId: string): Promise<ChargeWithMeter | null> {
  if (!cursorPart.uuid(chargeId)) return null;
  const { rows } = await db.query<ChargeWithMeter>(chargeSql, [chargeId]);
  return rows[0] ?? null;
}

export async function findCharge(db: Queryable, chargeId: string): Promise<StoredCharge | null> {
  const row = await readCharge(db, chargeId);
  return row === null ? null : chargeFromDb(row);
}

function chargeFromDb(row: ChargeRow): StoredCharge {
  return {
    chargeId: row.charge_id,
    revision: row.revision,
    supersedesChargeId: row.supersedes_charge_id,
    customerId: row.customer_id,
    period: row.period,
    cutoff: row.cutoff_position,
    segment: hullOf(row.calculation_metadata.in_force),
    ...ratedFromDb(row),
  };
}

function ratedFromDb(row: ChargeRow): RatedCharge {
  return {
    meter: row.meter,
    ...(row.meter === null && { lineKey: lineKeyIn(row.charge_key) }),
    group: row.group_key,
    priceBookId: row.price_book_id,
    currency: row.currency,
    quantity: row.quantity,
    amount: row.amount,
    eventCount: Number(row.event_count),
    digest: row.digest,
    calculation: row.calculation_metadata,
  };
}

/** From the first to the last moment in which the charge's version was in force. */
function hullOf(stretches: readonly Interval[]): Interval {
  const [first, last] = [stretches[0], stretches.at(-1)];
  invariant(first !== undefined && last !== undefined, 'a charge prices at least one stretch of the period');
  return { from: first.from, to: last.to };
}
