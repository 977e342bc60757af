/** Every model with its terms: against the oracle, and against its own explanation. */
import fc from 'fast-check';
import { EventTotals } from '../../src/domain/rating/event-totals.js';
import { ratePeriod } from '../../src/domain/rating/rate.js';
import type { RatedLine, RatingInput } from '../../src/domain/rating/rating.js';
import { rateOn } from '../../src/domain/money/conversion.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import { boundOf, meter, ratingInput, used, version } from '../support/rating-input.js';
import { oracleLine } from '../support/rational-models.js';
import type { OracleEvents, OracleLinePrice, OracleModel, OracleTerms } from '../support/rational-models.js';
import { compare, minus, rational, roundHalfEven, sum, times, valueOfFormula } from '../support/rational-rating.js';
import { recomputeRate } from '../../src/explanation/rate.js';
import { recompute } from '../../src/explanation/recompute.js';
import { recomputeInvoiced } from './support/recompute-invoiced.js';

const cents = (max: number): fc.Arbitrary<string> =>
  fc.nat(max).map((n) => `${Math.floor(n / 100)}.${String(n % 100).padStart(2, '0')}`);
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 1 });
const rate = fc.nat(2_000).map((n) => `0.${String(n).padStart(4, '0')}`);

/** Without what is undefined. */
const given = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, of]) => of !== undefined)) as T;

/** Two limits in order. */
const limits = fc.tuple(maybe(cents(5_000)), maybe(cents(50_000))).map(([minimum, above]) => {
  if (minimum === undefined || above === undefined) return { minimum, maximum: above };
  const [low, high] = compare(rational(minimum), rational(above)) <= 0 ? [minimum, above] : [above, minimum];
  return { minimum: low, maximum: high };
});
const terms: fc.Arbitrary<OracleTerms> = fc
  .record({ included: maybe(cents(9_000)), discountPercent: maybe(cents(10_000)), limits })
  .map(({ limits: { minimum, maximum }, ...more }) => given({ ...more, minimum, maximum }) as OracleTerms);

const tiers = fc
  .array(fc.record({ width: fc.integer({ min: 1, max: 80 }), unitPrice: cents(300), flatFee: cents(500) }), {
    maxLength: 3,
  })
  .chain((bounded) =>
    fc.record({ unitPrice: cents(300), flatFee: cents(500) }).map((last) => {
      let bound = 0;
      const below = bounded.map(({ width, ...tier }) => {
        bound += width;
        return { upTo: String(bound), ...tier };
      });
      return [...below, { upTo: null, ...last }];
    }),
  );

const models: Readonly<Record<OracleModel['model'], fc.Arbitrary<OracleModel>>> = {
  flat: cents(900).map((unitPrice) => ({ model: 'flat', unitPrice })),
  tiered: fc.record({ model: fc.constant('tiered'), tiers, chargeWhenZero: fc.boolean() }),
  volume: fc.record({ model: fc.constant('volume'), tiers, chargeWhenZero: fc.boolean() }),
  graduated_percentage: fc.record({ model: fc.constant('graduated_percentage'), tiers, chargeWhenZero: fc.boolean() }),
  package: fc.record({
    model: fc.constant('package'),
    size: cents(3_000).filter((size) => Number(size) > 0),
    price: cents(900),
  }),
  percentage: fc
    .record({
      rate,
      fixedFee: maybe(cents(300)),
      freeEvents: maybe(fc.nat(4)),
      freeAmount: maybe(cents(9_000)),
      limits,
    })
    .map(({ limits: { minimum, maximum }, ...price }): OracleModel => {
      return given({
        model: 'percentage',
        ...price,
        perEventMinimum: minimum,
        perEventMaximum: maximum,
      }) as OracleModel;
    }),
};

function wireOf(price: OracleLinePrice): object {
  const { terms: of } = price;
  const base = {
    meter: 'calls',
    included: of.included,
    discount_percent: of.discountPercent,
    maximum: of.maximum,
    minimum: of.minimum,
  };
  const priceName = price.model === 'graduated_percentage' ? 'rate' : 'unit_price';
  switch (price.model) {
    case 'flat':
      return given({ ...base, model: price.model, unit_price: price.unitPrice });
    case 'package':
      return given({ ...base, model: price.model, package_size: price.size, package_price: price.price });
    case 'percentage':
      return given({
        ...base,
        included: undefined,
        model: price.model,
        rate: price.rate,
        fixed_fee: price.fixedFee,
        free_events: price.freeEvents,
        free_amount: price.freeAmount,
        per_event_minimum: price.perEventMinimum,
        per_event_maximum: price.perEventMaximum,
      });
    default:
      return given({
        ...base,
        model: price.model,
        charge_when_zero: price.chargeWhenZero,
        tiers: price.tiers.map(({ upTo, unitPrice, flatFee }) => ({
          up_to: upTo,
          [priceName]: unitPrice,
          flat_fee: flatFee,
        })),
      });
  }
}

interface Month {
  readonly prices: readonly OracleLinePrice[];
  readonly stretches: readonly { readonly version: number; readonly values: readonly string[] }[];
}

// Round values meet bounds and allowances exactly.
const value = fc.oneof(
  fc.constantFrom('0', '10', '25', '-10'),
  cents(12_000),
  cents(3_000).map((text) => (Number(text) === 0 ? '0' : `-${text}`)),
);
const stretches = fc.array(fc.record({ version: fc.nat(2), values: fc.array(value, { maxLength: 5 }) }), {
  minLength: 1,
  maxLength: 5,
});
const priceOf = (model: OracleModel['model']): fc.Arbitrary<OracleLinePrice> =>
  fc
    .tuple(models[model], terms)
    .map(([price, of]) => ({ ...price, terms: price.model === 'percentage' ? { ...of, included: '0' } : of }));
const monthOf = (...names: readonly OracleModel['model'][]): fc.Arbitrary<Month> =>
  fc.record({
    prices: fc.array(fc.constantFrom(...names).chain(priceOf), { minLength: 3, maxLength: 3 }),
    stretches,
  });

const allNames = Object.keys(models) as OracleModel['model'][];
const allowNegative = [meter({ allowNegative: true })];

function inputOf({ prices, stretches: of }: Month): RatingInput {
  const books = prices.map((price, index) => version(`v${index}`, [wireOf(price)]));
  const segments = of.map((stretch) => books[stretch.version] ?? null);
  const usage = of.flatMap(({ values }, segment) => values.map((text) => used(segment, text)));
  const input = ratingInput(segments, usage, allowNegative);
  const events = new EventTotals(input);
  for (const [segment, { values }] of of.entries()) {
    for (const text of values) {
      events.add({ meter: 'calls', group: {}, eventTime: boundOf(segment), value: text as DecimalString });
    }
  }
  return { ...input, eventTotals: events.totals };
}

function rateMonth(month: Month): RatedLine | undefined {
  const { lines, problems } = ratePeriod(inputOf(month));
  expect(problems).toEqual([]);
  return lines[0];
}

const oracleOf = ({ prices, stretches: of }: Month): ReturnType<typeof oracleLine> =>
  oracleLine(
    of.map(({ version: index, values }): OracleEvents => ({ version: `v${index}`, values })),
    Object.fromEntries(prices.map((price, index) => [`v${index}`, price])),
  );

describe.each(allNames)('%s', (name) => {
  test('is what the oracle says, with any terms and changes in mid-period', () => {
    fc.assert(
      fc.property(monthOf(name), (month) => {
        const line = rateMonth(month);
        const expected = oracleOf(month);
        const amount = sum((line?.charges ?? []).map((charge) => rational(charge.amount)));
        expect(compare(amount, expected)).toBe(0);
        expect(rational(line?.amount ?? '0').n * 100n).toBe(
          roundHalfEven(expected, 2) * rational(line?.amount ?? '0').d,
        );
      }),
      { numRuns: 400 },
    );
  });
});

test('a change of the model takes the last one for the whole period', () => {
  fc.assert(
    fc.property(monthOf(...allNames), (month) => {
      const line = rateMonth(month);
      expect(compare(sum((line?.charges ?? []).map(({ amount }) => rational(amount))), oracleOf(month))).toBe(0);
    }),
    { numRuns: 400 },
  );
});

test('the explanation alone is enough to recompute every amount, and its formula has that value', () => {
  fc.assert(
    fc.property(monthOf(...allNames), (month) => {
      const line = rateMonth(month);
      for (const { amount, calculation } of line?.charges ?? []) {
        const stored = JSON.parse(JSON.stringify(calculation)) as typeof calculation;
        expect(compare(recompute(stored), rational(amount))).toBe(0);
        expect(compare(valueOfFormula(stored.formula), rational(amount))).toBe(0);
      }
    }),
    { numRuns: 600 },
  );
});

const published: fc.Arbitrary<DecimalString> = fc
  .integer({ min: 1, max: 99_999_999 })
  .map((n) => `${Math.floor(n / 10_000)}.${String(n % 10_000).padStart(4, '0')}` as DecimalString);
const to = fc.constantFrom(
  ...([
    ['JPY', 0],
    ['EUR', 2],
    ['KWD', 3],
    ['CLF', 4],
  ] as const),
);

test('in another currency: the amounts of prices at the rate, rounded once to its digits; the explanation is enough', () => {
  fc.assert(
    fc.property(monthOf(...allNames), published, fc.boolean(), to, (month, text, isInverse, [currency, digits]) => {
      const pair = isInverse ? { base: currency, quote: 'USD' } : { base: 'USD', quote: currency };
      const date = '2024-01-31' as LocalDate;
      const asked = { from: 'USD', to: currency, on: date, maxAgeDays: 0 };
      const rate = rateOn([{ source: 'test', ...pair, date, rate: text }], asked);
      if (rate === null) throw new Error('the pair is quoted');
      const input = { ...inputOf(month), currency, rates: new Map([['USD', rate]]) };
      const { lines, problems } = ratePeriod(input);
      const own = rateMonth(month);
      expect(problems).toEqual([]);
      expect(lines.length).toBe(own === undefined ? 0 : 1);
      for (const line of lines) {
        expect(line.currency).toBe(currency);
        const expected = times(oracleOf(month), recomputeRate(rate));
        const total = rational(line.amount);
        expect(total.n * 10n ** BigInt(digits)).toBe(roundHalfEven(expected, digits) * total.d);
        expect(compare(valueOfFormula(line.formula), expected)).toBe(0);
        expect(line.charges.map(({ amount }) => amount)).toEqual(own?.charges.map(({ amount }) => amount));
        for (const { calculation } of line.charges) {
          const stored = JSON.parse(JSON.stringify(calculation)) as typeof calculation;
          expect(compare(recomputeInvoiced(stored), rational(stored.conversion?.amount ?? 'none'))).toBe(0);
        }
      }
    }),
    { numRuns: 600 },
  );
});

test('quantities are conserved: tiers, packages and events of each kind add up to the charge, charges to the line', () => {
  fc.assert(
    fc.property(monthOf(...allNames), (month) => {
      const line = rateMonth(month);
      for (const { quantity, calculation: of } of line?.charges ?? []) {
        const { percentage, included } = of;
        const priced = included?.quantity ?? quantity;
        if (of.tiers.length > 0)
          expect(compare(sum(of.tiers.map((tier) => rational(tier.quantity))), rational(priced))).toBe(0);
        if (percentage === undefined) continue;
        const kinds = ['free', 'rated', 'at_minimum', 'at_maximum', 'negative'] as const;
        expect(compare(sum(kinds.map((kind) => rational(percentage[kind].amount))), rational(quantity))).toBe(0);
      }
      const total = sum(month.stretches.flatMap(({ values }) => values.map(rational)));
      if (line !== undefined) expect(compare(rational(line.quantity), total)).toBe(0);
      expect(
        compare(
          sum((line?.charges ?? []).map(({ quantity }) => rational(quantity))),
          line === undefined ? rational('0') : total,
        ),
      ).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test('a line stays between its minimum and its maximum', () => {
  fc.assert(
    fc.property(monthOf('flat', 'tiered', 'package'), (month) => {
      const { minimum, maximum } = month.prices[month.stretches.at(-1)?.version ?? 0]?.terms ?? {};
      const amount = sum((rateMonth(month)?.charges ?? []).map((charge) => rational(charge.amount)));
      if (minimum !== undefined) expect(compare(amount, rational(minimum))).toBeGreaterThanOrEqual(0);
      if (maximum !== undefined) expect(compare(amount, rational(maximum))).toBeLessThanOrEqual(0);
    }),
  );
});

test('graduated percentage and tiers without fees grow continuously and never fall', () => {
  const plain = fc
    .tuple(fc.constantFrom('tiered', 'graduated_percentage'), tiers)
    .map(([model, of]): OracleLinePrice => {
      return {
        model,
        chargeWhenZero: false,
        terms: {},
        tiers: of.map((tier) => ({ ...tier, flatFee: '0' })),
      };
    });
  fc.assert(
    fc.property(plain, cents(20_000), cents(100), (price, less, more) => {
      const at = (...values: readonly string[]): ReturnType<typeof oracleLine> =>
        rational(rateMonth({ prices: [price], stretches: [{ version: 0, values }] })?.charges[0]?.amount ?? '0');
      const step = minus(at(less, more), at(less));
      expect(step.n >= 0n).toBe(true);
      // No unit costs more than 3.00, the dearest that a tier can be.
      expect(compare(step, { n: rational(more).n * 3n, d: rational(more).d })).toBeLessThanOrEqual(0);
    }),
  );
});

test('rating the same facts again gives the same to the letter', () => {
  fc.assert(
    fc.property(monthOf(...allNames), (month) => {
      expect(JSON.stringify(ratePeriod(inputOf(month)))).toBe(JSON.stringify(ratePeriod(inputOf(month))));
    }),
    { numRuns: 100 },
  );
});

test('a percentage that comes to its limit exactly is no limit’s doing', () => {
  const perEvent = { perEventMinimum: '1', perEventMaximum: '2' };
  const price: OracleLinePrice = { model: 'percentage', rate: '0.02', ...perEvent, terms: {} };
  const line = rateMonth({ prices: [price], stretches: [{ version: 0, values: ['50', '100'] }] });
  expect(line?.charges[0]?.calculation.percentage).toMatchObject({
    rated: { events: 2, amount: '150' },
    at_minimum: { events: 0 },
    at_maximum: { events: 0 },
  });
});
