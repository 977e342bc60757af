/** Fees line by line: which period and version each is of, what it is counted by, and what cannot be billed (RULES 18, 20). */
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import { pricedPools } from '../../src/domain/rating/pools.js';
import { ratePeriod } from '../../src/domain/rating/rate.js';
import { feeRounding, quantityOnlyMeters, rateFees } from '../../src/domain/rating/rate-fees.js';
import { rateParts } from '../../src/domain/rating/rate-pinned.js';
import { commitmentLineKey, feeLineKey } from '../../src/domain/rating/line-key.js';
import type { NextPeriod, PriceSegment, RatingInput } from '../../src/domain/rating/rating.js';
import { unpricedCodes } from '../../src/domain/rating/unpriced.js';
import { boundOf, flat, instant, january, meter, ratingInput, used, version } from '../support/rating-input.js';

const fee = (name: string, more: object = {}): object => ({
  ...{ model: 'fixed', name, amount: '30.00', billed: 'in_arrears' },
  ...more,
});
const seats = { quantity_meter: 'seats' };
const february = { from: january.to, to: instant('2024-03-01T00:00:00.000000Z') };
const nextWith = (...books: readonly (PriceBookVersion | null)[]): NextPeriod => ({
  ...february,
  segments: books.map((priceBook, index) => ({
    from: index === 0 ? february.from : instant(`2024-02-${10 + index}T00:00:00.000000Z`),
    to: index === books.length - 1 ? february.to : instant(`2024-02-${11 + index}T00:00:00.000000Z`),
    priceBook,
  })),
});
const whole = (priceBook: PriceBookVersion | null): PriceSegment => ({ ...january, priceBook });
const inputOf = (versions: readonly (PriceBookVersion | null)[], more: Partial<RatingInput> = {}): RatingInput => ({
  ...ratingInput(versions, []),
  ...more,
});
const linesOf = (input: RatingInput) =>
  rateFees(input).lines.map(({ name, amount, quantity, service }) => [name, amount, quantity, service]);

describe('what is due', () => {
  const both = version('v1', [fee('late'), fee('early', { billed: 'in_advance', amount: '7.00' })]);

  test('in arrears for the period, in advance for the next one, and neither for the other', () => {
    expect(linesOf(inputOf([both]))).toEqual([['late', '30', '1', undefined]]);
    expect(linesOf(inputOf([both], { next: nextWith(both) }))).toEqual([
      ['early', '7', '1', february],
      ['late', '30', '1', undefined],
    ]);
    expect(linesOf(inputOf([null], { next: nextWith(both) }))).toEqual([['early', '7', '1', february]]);
  });

  test('lines are in order of their names, whatever the order in the book', () => {
    const book = version('v1', [fee('b'), fee('c'), fee('a')]);
    expect(linesOf(inputOf([book])).map(([name]) => name)).toEqual(['a', 'b', 'c']);
  });

  test('a line says how it is named, and what its charge is made of', () => {
    const book = version('v1', [fee('Base', { charge_code: 'BASE-1' }), fee('Plain')]);
    const [base, plain] = rateFees(inputOf([book])).lines;
    expect(base).toMatchObject({
      lineKey: '{"fee":"Base","billed":"in_arrears"}',
      ...{ meter: null, item: { chargeCode: 'BASE-1' }, group: {} },
    });
    expect(plain).not.toHaveProperty('item');
    expect(base?.charges).toMatchObject([
      {
        ...{ meter: null, lineKey: base?.lineKey, group: {}, priceBookId: 'standard/v1', currency: 'USD' },
        ...{ quantity: '1', amount: '30.00', eventCount: 0 },
        calculation: {
          ...{ model: 'fixed', quantity: '1', quantity_before: '0', period_quantity: '1', tiers: [] },
          ...{ price_book: 'standard', price_book_version: 'v1', in_force: [january] },
        },
      },
    ]);
  });
});

describe('a change of version', () => {
  const prorated = (name: string, amount: string, more: object = {}): PriceBookVersion =>
    version(name, [fee('Base', { amount, prorate: true, ...more })]);

  test('prorated: a charge a version, joined in the formula; the service is the time in force', () => {
    const [line] = rateFees(inputOf([null, prorated('v1', '31.00'), prorated('v2', '62')])).lines;
    expect(line?.charges.map(({ priceBookId }) => priceBookId)).toEqual(['standard/v1', 'standard/v2']);
    expect(line?.formula.split(' + ')).toHaveLength(2);
    expect(line?.amount).toBe('59');
    expect(line?.service).toEqual({ from: boundOf(1), to: january.to });
  });

  test('prorated: a version that comes back has one charge, and the service spans from its first stretch to its last', () => {
    const first = prorated('v1', '31.00');
    const [line] = rateFees(inputOf([null, first, prorated('v2', '62'), first, null])).lines;
    expect(line?.charges.map(({ calculation }) => calculation.in_force)).toEqual([
      [{ from: boundOf(2), to: boundOf(3) }],
      [
        { from: boundOf(1), to: boundOf(2) },
        { from: boundOf(3), to: boundOf(4) },
      ],
    ]);
    expect(line?.service).toEqual({ from: boundOf(1), to: boundOf(4) });
  });

  test.each<[string, object, object]>([
    ['the last one is due whole', { prorate: true }, { prorate: false }],
    ['the one before was due whole', { prorate: false }, { prorate: true }],
    ['they are counted by other meters', { prorate: true, ...seats }, { prorate: true }],
  ])('%s: the last one holds for all of the time, in order', (_, before, after) => {
    const books = [version('v1', [fee('Base', before)]), version('v2', [fee('Base', { ...after, amount: '62.00' })])];
    const [v1, v2] = books as [PriceBookVersion, PriceBookVersion];
    const [line] = rateFees(inputOf([v2, v1, v2])).lines;
    expect(line?.charges).toHaveLength(1);
    expect(line?.charges[0]?.priceBookId).toBe('standard/v2');
    expect(line?.charges[0]?.calculation.in_force.map(({ from }) => from)).toEqual([
      boundOf(0),
      boundOf(1),
      boundOf(2),
    ]);
    expect(line?.amount).toBe('62');
  });
});

describe('what a fee is counted by', () => {
  const book = version('v1', [fee('Seats', seats), flat('0.10')]);
  const usage = [
    used(0, '2', { meter: 'seats', group: { team: 'a' } }),
    used(0, '3', { meter: 'seats', group: { team: 'b' } }),
    used(0, '100'),
  ];

  test('all groups of its meter together, and of no other', () => {
    expect(linesOf(inputOf([book], { usage }))).toEqual([['Seats', '150', '5', undefined]]);
  });

  test('nothing: there is no line; below zero: a problem that names the meter', () => {
    expect(rateFees(inputOf([book]))).toEqual({ lines: [], problems: [] });
    const negative = [used(0, '-1', { meter: 'seats' })];
    expect(rateFees(inputOf([book], { usage: negative }))).toEqual({
      lines: [],
      problems: [
        { code: 'NEGATIVE_TOTAL', meter: 'seats', group: {}, detail: expect.stringMatching(/"seats".*"Seats".* -1/) },
      ],
    });
  });

  test('a fee in another currency is a problem that names the fee', () => {
    const [problem, ...others] = rateFees(inputOf([book], { usage, currency: 'EUR' })).problems;
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ meter: 'Seats', group: {}, detail: expect.stringMatching(/^The fee "Seats": ./) });
  });

  test('a meter that only fees count is priced by nothing else; one that has a price keeps it', () => {
    const priced = version('v2', [flat('1', { meter: 'seats' })]);
    const only = (segments: readonly PriceSegment[], next?: NextPeriod): readonly string[] =>
      [...quantityOnlyMeters(segments, next)].sort();
    expect(only([whole(book)])).toEqual(['seats']);
    expect(only([whole(null)])).toEqual([]);
    expect(only([whole(null)], nextWith(book))).toEqual([]);
    expect(only([whole(null), whole(book)], nextWith(null))).toEqual(['seats']);
    expect(only([whole(book), whole(priced)])).toEqual([]);
    expect(only([whole(priced)], nextWith(book))).toEqual([]);
    // What the next period's fees in arrears count is counted there; those in advance count here.
    const ahead = version('v3', [fee('Seats', { quantity_meter: 'seats', billed: 'in_advance' })]);
    expect(only([whole(null)], nextWith(ahead))).toEqual(['seats']);
    // The next period's prices say nothing of this one.
    expect(only([whole(book)], nextWith(priced))).toEqual(['seats']);
    expect(ratePeriod(inputOf([book], { usage, meters: [meter(), meter({ code: 'seats' })] })).problems).toEqual([]);
  });
});

describe('rounding', () => {
  const half = version('v1', [fee('Base')], { rounding: 'half_even' });
  const up = version('v2', [fee('Base'), fee('Ahead', { billed: 'in_advance' })], { rounding: 'half_up' });
  const base = feeLineKey({ name: 'Base', billed: 'in_arrears' });
  const ahead = feeLineKey({ name: 'Ahead', billed: 'in_advance' });

  test('is that of the last version that bills the line, the next period’s first', () => {
    expect(feeRounding(base, [whole(half)], undefined)).toBe('half_even');
    expect(feeRounding(base, [whole(half), whole(up), whole(null)], undefined)).toBe('half_up');
    expect(feeRounding(base, [whole(up), whole(half)], undefined)).toBe('half_even');
    expect(feeRounding(base, [whole(half)], nextWith(up))).toBe('half_up');
    expect(feeRounding(base, [whole(half)], nextWith(null))).toBe('half_even');
    expect(feeRounding(ahead, [whole(half)], nextWith(up, null))).toBe('half_up');
    expect(feeRounding(ahead, [whole(half), whole(null)], nextWith(half))).toBeNull();
    expect(feeRounding(ahead, [], undefined)).toBeNull();
  });

  test('of the commitment is that of the version at the period’s end', () => {
    expect(feeRounding(commitmentLineKey, [whole(half), whole(up)], nextWith(half))).toBe('half_up');
    expect(feeRounding(commitmentLineKey, [whole(half), whole(null)], undefined)).toBeNull();
    expect(feeRounding(commitmentLineKey, [], undefined)).toBeNull();
  });
});

describe('pools of what does not add up', () => {
  const users = meter({ code: 'users', aggregation: 'unique_count', groupBy: ['team', 'region'] });
  const by = (price: object | null, of = users): readonly (readonly string[])[] =>
    pricedPools([meter(), of], [whole(price === null ? null : version('v1', [price]))], undefined).map(
      (pool) => pool.by,
    );

  test('are of the properties that the price at the period’s end is by, of meters that do not add up alone', () => {
    expect(by(flat('1', { meter: 'users', price_by: ['team'] }))).toEqual([['team']]);
    expect(by(flat('1', { meter: 'users', price_by: [] }))).toEqual([[]]);
    expect(by(flat('1', { meter: 'users' }))).toEqual([['region', 'team']]);
    expect(by(flat('1'))).toEqual([['region', 'team']]);
    expect(by(null)).toEqual([['region', 'team']]);
    const pooled = pricedPools([meter(), users], [whole(null)], undefined);
    expect(pooled.map((pool) => pool.meter)).toEqual([users]);
    expect(pricedPools([users], [], undefined)).toEqual([{ meter: users, by: ['region', 'team'] }]);
    const change = [
      whole(version('v1', [flat('1', { meter: 'users', price_by: ['team'] })])),
      whole(version('v2', [flat('1', { meter: 'users', price_by: ['region'] })])),
    ];
    expect(pricedPools([users], change, undefined)[0]?.by).toEqual(['region']);
  });

  test('of what fees are counted by: over all groups together, unless it has a price of its own', () => {
    const counted = fee('Users', { quantity_meter: 'users' });
    expect(by(counted)).toEqual([[]]);
    const both = version('v1', [counted, flat('1', { meter: 'users', price_by: ['team'] })]);
    expect(pricedPools([users], [whole(both)], undefined)[0]?.by).toEqual(['team']);
    const ahead = version('v1', [fee('Users', { quantity_meter: 'users', billed: 'in_advance' })]);
    expect(pricedPools([users], [whole(null)], nextWith(ahead))[0]?.by).toEqual([]);
    expect(pricedPools([users], [whole(null)], nextWith(version('v1', [counted])))[0]?.by).toEqual(['region', 'team']);
  });
});

describe('parts with pins of their own', () => {
  const book = version('v1', [flat('0.10'), flat('1', { meter: 'jobs' }), fee('Seats', seats)]);
  const other = version('v2', [
    flat('0.20'),
    flat('2', { meter: 'jobs' }),
    fee('Seats', { ...seats, amount: '50.00' }),
  ]);
  const part = (code: string, priceBook: PriceBookVersion, quantity: string) => ({
    meters: [meter({ code })],
    segments: [whole(priceBook)],
    usage: [used(0, quantity, { meter: code })],
  });
  const facts = { period: january, currency: 'USD' };

  test('are rated each by its own segments; fees are the first part’s, counted over all usage', () => {
    const parts = [part('jobs', book, '3'), part('calls', other, '10')];
    const [first, second] = parts;
    if (first === undefined || second === undefined) throw new Error('two parts');
    const counted = { ...second, usage: [...second.usage, used(0, '2', { meter: 'seats' })] };
    const { lines, problems } = rateParts(facts, [first, counted]);
    expect(problems).toEqual([]);
    expect(lines.map(({ meter: of, name, amount }) => [of ?? name, amount])).toEqual([
      ['calls', '2'],
      ['jobs', '3'],
      ['Seats', '60'],
    ]);
  });

  test('problems of each are told; none at all is nothing', () => {
    const unpriced = { ...part('gone', book, '1'), meters: [meter({ code: 'gone' })] };
    const { problems } = rateParts(facts, [part('calls', book, '1'), unpriced]);
    expect(problems.map(({ code, meter: of }) => [code, of])).toEqual([['UNPRICED_METER', 'gone']]);
    expect(problems.every(({ code }) => unpricedCodes.has(code))).toBe(true);
    expect([...unpricedCodes]).toEqual(['UNPRICED_METER', 'METER_DROPPED_FROM_PRICE_BOOK']);
    expect(rateParts(facts, [])).toEqual({ lines: [], problems: [] });
  });
});
