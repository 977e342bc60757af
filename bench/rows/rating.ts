import { Decimal } from 'decimal.js';
import type { ratePeriod } from '../../src/domain/rating/rate.js';
import type { RatingInput } from '../../src/domain/rating/rating.js';
import type { DecimalString, Digest, Instant } from '../../src/domain/values.js';
import { compare } from '../lib/measure.js';
import { benchTiers, callsMeter, tieredPriceBook } from '../lib/setup.js';
import type { Row } from './row.js';

const from = '2024-01-01T00:00:00.000000Z' as Instant;
const to = '2024-02-01T00:00:00.000000Z' as Instant;

const quantities = Array.from({ length: 20_000 }, (_, index) => String((index * 7919) % 250_000) as DecimalString);

/** String in, two-place string out, nothing explained. */
function bareTierLoop(): number {
  const bounds = benchTiers.map((tier) => (tier.up_to === null ? null : new Decimal(tier.up_to)));
  const prices = benchTiers.map((tier) => new Decimal(tier.unit_price));
  let characters = 0;
  for (const text of quantities) {
    const quantity = new Decimal(text);
    let amount = new Decimal(0);
    let lower = new Decimal(0);
    for (let tier = 0; tier < benchTiers.length && quantity.greaterThan(lower); tier += 1) {
      const bound = bounds[tier] ?? null;
      const upper = bound === null || quantity.lessThan(bound) ? quantity : bound;
      amount = amount.plus(upper.minus(lower).times(prices[tier] ?? 0));
      lower = upper;
    }
    characters += amount.toDecimalPlaces(2, Decimal.ROUND_HALF_EVEN).toFixed(2).length;
  }
  if (characters === 0) throw new Error('nothing was rated');
  return quantities.length;
}

function ratingInputs(): readonly RatingInput[] {
  const meter = { ...callsMeter, meterId: '00000000-0000-5000-8000-000000000001', version: 1 };
  const priceBook = {
    ...tieredPriceBook([meter.code]),
    priceBookId: '00000000-0000-5000-8000-000000000002',
    learnedOrder: 1,
  };
  return quantities.map((quantity) => ({
    period: { from, to },
    currency: 'USD',
    meters: [meter],
    segments: [{ from, to, priceBook }],
    usage: [
      { meter: meter.code, group: {}, segment: 0, quantity, eventCount: 1, digest: '0000000000000001' as Digest },
    ],
  }));
}

interface Rating {
  readonly ratePeriod: typeof ratePeriod;
}

/** As it runs in production: what runs the bench gives every closure its name again, which takes a tenth of rating's time. */
const compiled = new URL('../../dist/domain/rating/rate.js', import.meta.url).href;

function rateAll(engine: Rating, inputs: readonly RatingInput[]): number {
  let lines = 0;
  for (const input of inputs) lines += engine.ratePeriod(input).lines.length;
  if (lines < inputs.length) throw new Error('something was not rated');
  return inputs.length;
}

/** `ratePeriod` with its whole explanation, against a bare decimal.js tier loop. */
export const rating: Row = {
  name: 'rating',
  measure: async ({ rounds }) => {
    const inputs = ratingInputs().filter(({ usage }) => usage[0]?.quantity !== '0');
    const engine = (await import(compiled)) as Rating;
    const result = await compare({
      row: `rating with explanation, ${benchTiers.length} tiers`,
      unit: 'charges',
      ours: { name: 'ratePeriod', prepare: async () => async () => rateAll(engine, inputs) },
      limit: { name: 'bare decimal.js tier loop', prepare: async () => async () => bareTierLoop() },
      rounds,
      target: { atLeast: 0.5 },
    });
    return [result];
  },
};
