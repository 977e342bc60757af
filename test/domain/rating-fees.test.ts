/** Fees, commitments and dimensional prices: what they share with the laws of rating, and what they refuse. */
import fc from 'fast-check';
import { DomainFailure } from '../../src/domain/failure.js';
import { parsePriceBook, requireMetersOf } from '../../src/domain/rating/parse-price-book.js';
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import { priceBookToWire } from '../../src/domain/rating/price-book-to-wire.js';
import { matches, mostSpecific, refuseAmbiguous } from '../../src/domain/rating/match.js';
import { ratePeriod } from '../../src/domain/rating/rate.js';
import type { PriceSegment, RatedLine } from '../../src/domain/rating/rating.js';
import { microsToInstant, instantToMicros } from '../../src/domain/time/instant.js';
import { flat, january, meter, ratingInput, tiered, used, version } from '../support/rating-input.js';
import {
  compare,
  minus,
  plus,
  rational,
  roundHalfEven,
  sum,
  times,
  valueOfFormula,
} from '../support/rational-rating.js';
import { recompute } from '../../src/explanation/recompute.js';

const fee = (more: object = {}): object => ({
  model: 'fixed',
  name: 'Platform fee',
  amount: '30.00',
  billed: 'in_arrears',
  ...more,
});
const cents = fc.nat(100_000).map((n) => `${Math.floor(n / 100)}.${String(n % 100).padStart(2, '0')}`);

/** January cut at these hours, each stretch with one of the versions or none. */
const hourOf = (hour: number) => microsToInstant(instantToMicros(january.from) + BigInt(hour) * 3_600_000_000n);
const stretches = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 1, max: 743 }), { maxLength: 4 }),
    fc.array(fc.option(fc.nat(2)), { minLength: 5, maxLength: 5 }),
  )
  .map(([cuts, versions]) => {
    const bounds = [0, ...cuts.sort((a, b) => a - b), 744];
    return bounds
      .slice(0, -1)
      .map((from, index) => ({ from, to: bounds[index + 1] ?? 744, version: versions[index] ?? null }));
  });
type Stretches = readonly { readonly from: number; readonly to: number; readonly version: number | null }[];

function segmentsOf(of: Stretches, books: readonly PriceBookVersion[]): readonly PriceSegment[] {
  return of.map(({ from, to, version: index }) => ({
    from: hourOf(from),
    to: hourOf(to),
    priceBook: index === null ? null : (books[index] ?? null),
  }));
}

function feeLine(segments: readonly PriceSegment[]): RatedLine | undefined {
  return ratePeriod({ period: january, currency: 'USD', meters: [], segments, usage: [] }).lines[0];
}

test('prorated: each version for its hours of 744, to the cent of exact fractions', () => {
  fc.assert(
    fc.property(stretches, fc.array(cents, { minLength: 3, maxLength: 3 }), (of, amounts) => {
      const books = amounts.map((amount, index) => version(`v${index}`, [fee({ amount, prorate: true })]));
      const line = feeLine(segmentsOf(of, books));
      const exact = sum(
        of.map(({ from, to, version: index }) =>
          index === null ? rational('0') : times(rational(amounts[index] ?? '0'), { n: BigInt(to - from), d: 744n }),
        ),
      );
      const charged = sum((line?.charges ?? []).map(({ amount }) => rational(amount)));
      const gap = minus(charged, exact);
      // At most one rounding to 12 digits a version.
      expect(compare({ n: gap.n < 0n ? -gap.n : gap.n, d: gap.d }, { n: 3n, d: 10n ** 12n })).toBeLessThanOrEqual(0);
      const total = rational(line?.amount ?? '0');
      expect(total.n * 100n).toBe(roundHalfEven(charged, 2) * total.d);
      for (const { amount, calculation } of line?.charges ?? []) {
        expect(compare(recompute(calculation), rational(amount))).toBe(0);
        const [text = ''] = calculation.formula.split(' / ');
        expect(compare(valueOfFormula(text), rational('0'))).toBeGreaterThanOrEqual(0);
      }
    }),
    { numRuns: 500 },
  );
});

test('prorated: cutting the time in force anywhere costs the same', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 743 }), { maxLength: 5 }), (cuts) => {
      const books = [version('v0', [fee({ prorate: true })]), version('v1', [fee({ prorate: true })])];
      const bounds = [0, ...cuts.sort((a, b) => a - b), 744];
      const of = bounds.slice(0, -1).map((from, index) => ({ from, to: bounds[index + 1] ?? 744, version: index % 2 }));
      expect(feeLine(segmentsOf(of, books))?.amount).toBe('30');
    }),
  );
});

test('a fee that is not prorated is due whole, once, for however short a time', () => {
  fc.assert(
    fc.property(stretches, (of) => {
      const books = ['10.00', '20.00', '30.00'].map((amount, index) => version(`v${index}`, [fee({ amount })]));
      const last = of.findLast(({ version: index }) => index !== null)?.version;
      const expected = last === undefined || last === null ? undefined : `${last + 1}0`;
      expect(feeLine(segmentsOf(of, books))?.amount).toBe(expected);
    }),
  );
});

test('a commitment tops up to itself, whatever else is on the invoice, and never takes away', () => {
  fc.assert(
    fc.property(cents, cents, cents, (commitment, amount, units) => {
      const book = version('v1', [flat('0.10'), fee({ amount })], { minimum_commitment: commitment });
      const { lines } = ratePeriod(ratingInput([book], [used(0, units)]));
      const total = sum(lines.map((line) => rational(line.amount)));
      const others = sum(
        lines.filter(({ name }) => name !== 'Minimum commitment').map((line) => rational(line.amount)),
      );
      const most = compare(others, rational(commitment)) >= 0 ? others : rational(commitment);
      expect(compare(total, most)).toBe(0);
      for (const { amount: stated, calculation } of lines.flatMap(({ charges }) => charges)) {
        expect(compare(recompute(calculation), rational(stated))).toBe(0);
        expect(compare(valueOfFormula(calculation.formula), rational(stated))).toBe(0);
      }
    }),
  );
});

test('fees sort after meters, the commitment last', () => {
  const prices = [fee({ name: 'A' }), flat('1'), fee({ name: 'B', billed: 'in_arrears' })];
  const { lines } = ratePeriod(ratingInput([version('v1', prices, { minimum_commitment: '1000' })], [used(0, '1')]));
  expect(
    [...lines].sort((a, b) => (a.lineKey < b.lineKey ? -1 : 1)).map(({ meter: code, name }) => code ?? name),
  ).toEqual(['calls', 'A', 'B', 'Minimum commitment']);
});

test('a fee in another currency than the invoice’s is a problem', () => {
  const book = version('v1', [fee()], { currency: 'EUR' });
  expect(ratePeriod({ ...ratingInput([book], []), currency: 'USD' }).problems).toMatchObject([
    { code: 'CURRENCY_MISMATCH', meter: 'Platform fee' },
  ]);
});

describe('match', () => {
  const property = fc.constantFrom('a', 'b', 'c');
  const match = fc.dictionary(property, fc.constantFrom('1', '2', null));
  const group = fc.record({
    a: fc.constantFrom('1', '2', null),
    b: fc.constantFrom('1', '2', null),
    c: fc.constantFrom('1', '2', '3', null),
  });
  const parsed = (of: object) => parsePriceBook(version3([{ ...flat('1'), match: of }])).prices[0];
  const version3 = (prices: readonly object[]): object => ({
    code: 'b',
    version: 'v',
    currency: 'USD',
    effective_from: '2024-01-01T00:00:00Z',
    prices,
  });

  test('prices are refused exactly when some group has two of them that are equally specific', () => {
    const values = ['1', '2', '3', null];
    const groups = values.flatMap((a) => values.flatMap((b) => values.map((c) => ({ a, b, c }))));
    fc.assert(
      fc.property(fc.array(match, { minLength: 1, maxLength: 4 }), (all) => {
        const prices = all.flatMap((of) => parsed(of) ?? []);
        const isAmbiguous = groups.some((of) => {
          const fitting = prices.filter((price) => matches(price.match, of));
          const most = Math.max(...fitting.map((price) => Object.keys(price.match).length));
          return fitting.filter((price) => Object.keys(price.match).length === most).length > 1;
        });
        const check = (): void => {
          refuseAmbiguous(prices.map((price, index) => ({ price, pointer: String(index) })));
        };
        if (isAmbiguous) expect(check).toThrow(DomainFailure);
        else expect(check).not.toThrow();
      }),
      { numRuns: 1_000 },
    );
  });

  test('what holds for a group matches it, and nothing more specific does', () => {
    fc.assert(
      fc.property(fc.array(match, { maxLength: 4 }), group, (all, of) => {
        const prices = all.flatMap((own) => parsed(own) ?? []);
        const found = mostSpecific(prices, of);
        const sizes = prices
          .filter((price) => matches(price.match, of))
          .map((price) => Object.keys(price.match).length);
        expect(found === null ? -1 : Object.keys(found.match).length).toBe(Math.max(-1, ...sizes));
      }),
    );
  });

  test('usage is conserved over the lines of dimensional prices, however it is grouped', () => {
    const own = fc.record({ region: fc.constantFrom('eu', 'us', 'asia'), tier: fc.constantFrom('std', 'premium') });
    const priceBy = fc.constantFrom(undefined, [], ['region'], ['tier']);
    fc.assert(
      fc.property(fc.array(fc.tuple(own, fc.nat(500)), { maxLength: 8 }), priceBy, priceBy, (rows, first, second) => {
        const by = (names: readonly string[] | undefined): object => (names === undefined ? {} : { price_by: names });
        const book = version('v1', [
          tiered(
            [
              ['100', '1'],
              [null, '0.50'],
            ],
            by(first),
          ),
          flat('2', { match: { region: 'eu' }, ...by(second) }),
          flat('3', { match: { region: 'eu', tier: 'premium' } }),
        ]);
        const usage = rows.map(([of, units]) => used(0, String(units), { group: of }));
        const { lines, problems } = ratePeriod(ratingInput([book], usage, [meter({ groupBy: ['region', 'tier'] })]));
        expect(problems).toEqual([]);
        const total = rows.reduce((all, [, units]) => plus(all, rational(String(units))), rational('0'));
        expect(compare(sum(lines.map(({ quantity }) => rational(quantity))), total)).toBe(0);
        expect(new Set(lines.map(({ lineKey }) => lineKey)).size).toBe(lines.length);
      }),
    );
  });
});

describe('what the wire says', () => {
  const wire = (prices: readonly object[], more: object = {}): object => ({
    code: 'standard',
    version: 'v1',
    currency: 'USD',
    effective_from: '2024-01-15T00:00:00Z',
    prices,
    ...more,
  });
  const all = [
    flat('1', {
      match: { region: 'eu' },
      price_by: ['tier'],
      included: '10',
      discount_percent: '5',
      maximum: '9',
      minimum: '1.50',
    }),
    { meter: 'a', model: 'package', package_size: '100', package_price: '5.00' },
    { meter: 'b', model: 'percentage', rate: '0.013' },
    {
      meter: 'c',
      model: 'percentage',
      rate: '0.013',
      fixed_fee: '2.00',
      free_events: 3,
      free_amount: '250',
      per_event_minimum: '0.10',
      per_event_maximum: '9',
    },
    {
      meter: 'd',
      model: 'graduated_percentage',
      tiers: [{ up_to: null, rate: '0.02', flat_fee: '1' }],
      charge_when_zero: true,
    },
    fee({ prorate: true, quantity_meter: 'seats' }),
  ];

  test('is read and written back as the same', () => {
    const book = parsePriceBook(wire(all, { minimum_commitment: '100.00' }));
    expect(parsePriceBook(JSON.parse(JSON.stringify(priceBookToWire(book))))).toEqual(book);
    expect(priceBookToWire(book)).toMatchObject({ minimum_commitment: '100.00' });
  });

  test('says nothing of what a price does not have, so that older content keeps its text', () => {
    const [price] = priceBookToWire(parsePriceBook(wire([flat('0.10')]))).prices;
    expect(Object.keys(price ?? {}).sort()).toEqual(['meter', 'model', 'unit_price']);
    expect(priceBookToWire(parsePriceBook(wire([flat('0.10')])))).not.toHaveProperty('minimum_commitment');
  });

  test.each<[string, object, string, string]>([
    ['no size', { meter: 'a', model: 'package', package_price: '1' }, 'INVALID_DECIMAL', '/prices/0/package_size'],
    [
      'a package of nothing',
      { meter: 'a', model: 'package', package_size: '0', package_price: '1' },
      'VALIDATION_FAILED',
      '/prices/0/package_size',
    ],
    ['no rate', { meter: 'a', model: 'percentage' }, 'INVALID_DECIMAL', '/prices/0/rate'],
    [
      'half an event',
      { meter: 'a', model: 'percentage', rate: '1', free_events: 1.5 },
      'VALIDATION_FAILED',
      '/prices/0/free_events',
    ],
    [
      'less than no event',
      { meter: 'a', model: 'percentage', rate: '1', free_events: '-1' },
      'VALIDATION_FAILED',
      '/prices/0/free_events',
    ],
    [
      'a list of events',
      { meter: 'a', model: 'percentage', rate: '1', free_events: [1] },
      'VALIDATION_FAILED',
      '/prices/0/free_events',
    ],
    [
      'an event minimum above its maximum',
      { meter: 'a', model: 'percentage', rate: '1', per_event_minimum: '2', per_event_maximum: '1' },
      'VALIDATION_FAILED',
      '/prices/0/per_event_minimum',
    ],
    [
      'included beside a percentage',
      { meter: 'a', model: 'percentage', rate: '1', included: '5' },
      'VALIDATION_FAILED',
      '/prices/0/included',
    ],
    [
      'unit prices in rate tiers',
      { meter: 'a', model: 'graduated_percentage', tiers: [{ up_to: null, unit_price: '1' }] },
      'UNKNOWN_PROPERTY',
      '/prices/0/tiers/0/unit_price',
    ],
    [
      'a discount above 100',
      flat('1', { discount_percent: '100.1' }),
      'VALIDATION_FAILED',
      '/prices/0/discount_percent',
    ],
    [
      'a minimum above the maximum',
      flat('1', { minimum: '2', maximum: '1' }),
      'VALIDATION_FAILED',
      '/prices/0/minimum',
    ],
    ['a match that is no object', flat('1', { match: ['eu'] }), 'VALIDATION_FAILED', '/prices/0/match'],
    ['a match of a number', flat('1', { match: { region: 1 } }), 'VALIDATION_FAILED', '/prices/0/match/region'],
    ['a fee without a name', fee({ name: '' }), 'VALIDATION_FAILED', '/prices/0/name'],
    ['a fee billed some time', fee({ billed: 'sometime' }), 'VALIDATION_FAILED', '/prices/0/billed'],
    ['a fee with a meter', fee({ meter: 'calls' }), 'UNKNOWN_PROPERTY', '/prices/0/meter'],
    ['a fee below zero', fee({ amount: '-1' }), 'VALIDATION_FAILED', '/prices/0/amount'],
  ])('is refused with %s', (_name, price, code, pointer) => {
    expect(() => parsePriceBook(wire([price]))).toThrow(expect.objectContaining({ code, pointer }) as Error);
  });

  test('refusals that need the meters point into what was sent, fees between prices or not', () => {
    const grouped = [
      meter({ groupBy: ['region', 'tier'] }),
      meter({ code: 'peak', aggregation: 'max', groupBy: ['region'] }),
    ];
    const refusal = (...prices: readonly object[]): unknown => {
      try {
        requireMetersOf(parsePriceBook(wire(prices)), grouped, wire(prices));
        return null;
      } catch (error) {
        return error instanceof DomainFailure ? [error.code, error.pointer] : error;
      }
    };
    expect(refusal(fee(), flat('1', { match: { colour: 'red' } }))).toEqual([
      'VALIDATION_FAILED',
      '/prices/1/match/colour',
    ]);
    expect(refusal(flat('1', { minimum: '5' }))).toEqual(['VALIDATION_FAILED', '/prices/0/minimum']);
    expect(refusal(flat('1', { minimum: '5', match: { region: 'eu', tier: 'std' } }))).toBeNull();
    expect(refusal({ meter: 'peak', model: 'percentage', rate: '1' })).toEqual([
      'VALIDATION_FAILED',
      '/prices/0/model',
    ]);
    const rate = (text: string): object => ({ meter: 'calls', model: 'percentage', rate: text });
    expect(refusal(fee(), rate('1.3'))).toEqual(['VALIDATION_FAILED', '/prices/1/rate']);
    expect(refusal(rate('1'))).toBeNull();
    const tiers = [
      { up_to: '10', rate: '0.9' },
      { up_to: null, rate: '2' },
    ];
    expect(refusal({ meter: 'calls', model: 'graduated_percentage', tiers })).toEqual([
      'VALIDATION_FAILED',
      '/prices/0/tiers/1/rate',
    ]);
    expect(parsePriceBook(wire([rate('1.3')])).prices).toMatchObject([{ rate: '1.3' }]);
    expect(refusal(flat('1'), fee({ quantity_meter: 'nothing' }))).toEqual([
      'UNKNOWN_METER',
      '/prices/1/quantity_meter',
    ]);
    expect(refusal(fee({ quantity_meter: 'calls' }), flat('1'))).toEqual([
      'VALIDATION_FAILED',
      '/prices/0/quantity_meter',
    ]);
    const peak = (more: object): object => ({ ...flat('1', more), meter: 'peak' });
    expect(refusal(peak({ match: { region: 'eu' }, price_by: [] }), peak({ price_by: [] }))).toEqual([
      'VALIDATION_FAILED',
      '/prices/1/price_by',
    ]);
  });
});
