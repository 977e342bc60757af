import type pg from 'pg';
import { priceFactsOf, rateWith } from '../../src/billing/price-facts.js';
import type { LocalDate, Position } from '../../src/domain/values.js';
import { inParallel } from '../../src/relay/in-parallel.js';
import { createStorage } from '../../src/storage/index.js';
import type { BillingPeriod, Storage } from '../../src/storage/types.js';
import { gatesAtATime } from '../lib/activities.js';
import { compare } from '../lib/measure.js';
import { createCustomer, meterOf, setUpPrices } from '../lib/setup.js';
import type { Row } from './row.js';

const period = '2024-01-01' as LocalDate;
const meterCount = 100;
const customersPerRound = 2_000;
/** Nothing is in the ledger: the aggregates are all there is. */
const cutoff = '0' as Position;

const meters = Array.from({ length: meterCount }, (_, index) => meterOf({ code: `meter_${index}` }));

/** 200,000 aggregates of this round, with the customers and periods that they are of. */
async function aggregatesOf(round: number, storage: Storage, pool: pg.Pool): Promise<readonly BillingPeriod[]> {
  const ids = Array.from({ length: customersPerRound }, (_, index) => `bench_${round}_${index}`);
  const periods: BillingPeriod[] = [];
  await inParallel(ids, gatesAtATime, async (customerId) => {
    await createCustomer(storage, customerId);
    const named = await storage.periods.periodNamed(customerId, period);
    if (named !== null) periods.push(named);
  });
  await pool.query(
    `INSERT INTO aggregated_usage (aggregation_id, customer_id, period, meter_id, window_start, window_end, group_key, revision,
       quantity, event_count, digest, cutoff_position, accumulated_position, is_final)
     SELECT gen_random_uuid(), c.id, $2, m.meter_id, '2024-01-01T00:00:00Z', '2024-01-01T01:00:00Z', '{}', 1,
       (row_number() OVER () * 7919) % 250000 + 1, 1, '0000000000000001', $3, NULL, true
     FROM unnest($1::text[]) AS c (id) CROSS JOIN meters m`,
    [ids, period, cutoff],
  );
  await pool.query('ANALYZE aggregated_usage');
  return periods;
}

/** As a month's end rates: a gate a period, from stored windows to stored charges. */
async function rateAndStore(storage: Storage, periods: readonly BillingPeriod[]): Promise<number> {
  await inParallel(periods, gatesAtATime, async (one) => {
    const facts = await priceFactsOf(storage, one);
    await storage.billing.atGate(
      one,
      async (gate) => {
        const { lines, problems } = await rateWith(facts, one, {
          usage: (segments, meterIds) => gate.segmentUsage(segments, { meterIds, cutoff }),
          groups: (meters) => gate.meterGroups(meters, { cutoff }),
          events: (meterIds, visit) => gate.eachEvent(meterIds, visit),
        });
        if (problems.length > 0 || lines.length < meterCount) throw new Error('something was not rated');
        await gate.storeCharges(lines.flatMap(({ charges }) => charges));
      },
      'provisional',
    );
  });
  return periods.length * meterCount;
}

/** The same table with the same keys. */
const plainTableSql = `CREATE TABLE plain_charges (LIKE rated_charges INCLUDING ALL);
  ALTER TABLE plain_charges ADD FOREIGN KEY (meter_id) REFERENCES meters, ADD FOREIGN KEY (price_book_id) REFERENCES price_books,
    ADD FOREIGN KEY (supersedes_charge_id) REFERENCES plain_charges, ADD FOREIGN KEY (customer_id, period) REFERENCES billing_periods`;

/** One statement for all customers: each unit at the price of its tier, with the same explanation of it. */
const plainSql = `WITH tiers AS MATERIALIZED (
    SELECT b.price_book_id, b.code, b.version, b.currency, p.price ->> 'meter' AS meter, t.place,
      coalesce(lag((t.tier ->> 'up_to')::numeric) OVER of_price, 0) AS lower, (t.tier ->> 'up_to')::numeric AS upper,
      (t.tier ->> 'unit_price')::numeric AS unit_price, t.tier ->> 'up_to' AS up_to_text, t.tier ->> 'unit_price' AS price_text
    FROM price_books b CROSS JOIN jsonb_array_elements(b.prices) AS p (price)
      CROSS JOIN jsonb_array_elements(p.price -> 'tiers') WITH ORDINALITY AS t (tier, place)
    WINDOW of_price AS (PARTITION BY b.price_book_id, p.price ->> 'meter' ORDER BY t.place)),
  latest AS (
    SELECT DISTINCT ON (customer_id, meter_id, window_start, group_key) customer_id, meter_id, group_key, quantity, event_count, digest
    FROM aggregated_usage WHERE customer_id = ANY ($1) AND period = $2 AND cutoff_position <= $3
    ORDER BY customer_id, meter_id, window_start, group_key, revision DESC),
  used AS (
    SELECT customer_id, meter_id, group_key, sum(quantity) AS quantity, sum(event_count) AS event_count, min(digest) AS digest
    FROM latest GROUP BY customer_id, meter_id, group_key)
  INSERT INTO plain_charges (charge_id, customer_id, period, meter_id, group_key, price_book_id, charge_key, revision,
    quantity, amount, currency, event_count, digest, cutoff_position, calculation_metadata)
  SELECT md5(u.customer_id || ' ' || $2::date || ' ' || m.code || u.group_key || r.price_book_id)::uuid, u.customer_id, $2::date, u.meter_id,
    u.group_key, r.price_book_id, jsonb_build_array(m.code, u.group_key::text, r.price_book_id)::text, 1,
    u.quantity, r.amount, r.currency, u.event_count, u.digest, $3,
    jsonb_build_object('model', 'tiered', 'formula', r.formula, 'quantity', u.quantity::text, 'unit_price', NULL, 'tiers', r.tiers,
      'quantity_before', '0', 'period_quantity', u.quantity::text, 'price_book', r.code, 'price_book_version', r.version,
      'effective_date', '2024-01-01T00:00:00Z',
      'in_force', jsonb_build_array(jsonb_build_object('from', '2024-01-01T00:00:00.000000Z', 'to', '2024-02-01T00:00:00.000000Z')))
  FROM used u JOIN meters m USING (meter_id) CROSS JOIN LATERAL (
    SELECT t.price_book_id, t.code, t.version, t.currency, sum(s.units * t.unit_price) AS amount,
      string_agg(s.units || ' × ' || t.price_text, ' + ' ORDER BY t.place) AS formula,
      jsonb_agg(jsonb_build_object('up_to', t.up_to_text, 'quantity', s.units::text, 'unit_price', t.price_text,
        'amount', (s.units * t.unit_price)::text) ORDER BY t.place) AS tiers
    FROM tiers t CROSS JOIN LATERAL (SELECT least(u.quantity, coalesce(t.upper, u.quantity)) - t.lower AS units) s
    WHERE t.meter = m.code AND s.units > 0
    GROUP BY t.price_book_id, t.code, t.version, t.currency) r`;

async function ratePlainly(pool: pg.Pool, periods: readonly BillingPeriod[]): Promise<number> {
  const ids = periods.map(({ customerId }) => customerId);
  const { rowCount } = await pool.query(plainSql, [ids, period, cutoff]);
  return rowCount ?? 0;
}

/** Both say the same of what both have rated, or the comparison is of two different things. */
async function assertSame(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ differing: string; common: string }>(
    `SELECT count(*) AS common, count(*) FILTER (WHERE o.amount <> p.amount OR o.quantity <> p.quantity
       OR o.calculation_metadata ->> 'formula' <> p.calculation_metadata ->> 'formula') AS differing
     FROM rated_charges o JOIN plain_charges p USING (customer_id, period, meter_id, group_key)`,
  );
  const [row] = rows;
  if (row?.differing !== '0' || Number(row.common) < customersPerRound * meterCount)
    throw new Error(`of ${row?.common ?? 0} charges that both wrote ${row?.differing ?? 0} differ`);
}

/** From stored windows to stored charges, with explanations, against one SQL statement that writes the same rows. */
export const ratingStored: Row = {
  name: 'rating-stored',
  measure: async ({ cluster, rounds }) => {
    const database = await cluster.newDatabase();
    const storage = createStorage(database.url);
    try {
      await setUpPrices(storage, meters);
      await database.pool.query(plainTableSql);
      const sets = new Map<number, Promise<readonly BillingPeriod[]>>();
      const setOf = (round: number): Promise<readonly BillingPeriod[]> => {
        const made = sets.get(round) ?? aggregatesOf(round, storage, database.pool);
        sets.set(round, made);
        return made;
      };
      const peak = heapPeak();
      const taken = { ours: 0, limit: 0 };
      const result = await compare({
        row: `${(customersPerRound * meterCount).toLocaleString('en')} (customer, meter) aggregates a round, rated and stored`,
        unit: 'charges',
        ours: {
          name: 'a gate a period',
          prepare: async () => {
            const periods = await setOf(taken.ours++);
            return async () => peak.during(() => rateAndStore(storage, periods));
          },
        },
        limit: {
          name: 'one INSERT … SELECT of the same rows',
          prepare: async () => {
            const periods = await setOf(taken.limit++);
            return () => ratePlainly(database.pool, periods);
          },
        },
        rounds,
        target: { atMost: 3 },
      });
      await assertSame(database.pool);
      return [result, peak.figure()];
    } finally {
      await storage.close();
      await cluster.dropDatabase(database);
    }
  },
};

/** What rating and storing add to the heap while they run: it must not grow from round to round. */
function heapPeak() {
  const peaks: number[] = [];
  return {
    during: async <T>(work: () => Promise<T>): Promise<T> => {
      let peak = 0;
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().heapUsed);
      }, 50);
      try {
        return await work();
      } finally {
        clearInterval(watch);
        peaks.push(Math.round(peak / 2 ** 20));
      }
    },
    figure: () => {
      const [first = 0] = peaks;
      const last = peaks.at(-1) ?? 0;
      return {
        kind: 'figure' as const,
        row: 'highest heap while rating and storing, first and last round',
        value: `${first} MiB, ${last} MiB`,
        note: `${(peaks.length * customersPerRound * meterCount).toLocaleString('en')} aggregates in all; a period at a time is in memory`,
        limit: { text: '≤ 1.5 × the first', met: last <= first * 1.5 },
      };
    },
  };
}
