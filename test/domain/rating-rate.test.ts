import { ratePeriod } from '../../src/domain/rating/rate.js';
import type { Digest } from '../../src/domain/values.js';
import {
  flat,
  inGroup,
  january,
  meter,
  onlyLine,
  ratingInput,
  seedTiers,
  tiered,
  used,
  version,
  volume,
  withFees,
} from '../support/rating-input.js';

describe('one version for the whole period', () => {
  test.each<[name: string, price: object, quantity: string, amount: string, formula: string]>([
    ['flat', flat('0.08'), '1234', '98.72', '1234 × 0.08'],
    ['flat, free', flat('0'), '1234', '0', '1234 × 0'],
    ['flat, the digits of the price are kept', flat('0.0800'), '1234', '98.72', '1234 × 0.0800'],
    ['tiered, within the first tier', tiered(seedTiers), '999.99', '100', '999.99 × 0.10'],
    ['tiered, at the bound', tiered(seedTiers), '1000', '100', '1000 × 0.10'],
    ['tiered, a fraction above the bound', tiered(seedTiers), '1000.01', '100', '1000 × 0.10 + 0.01 × 0.08'],
    ['tiered, in the second tier', tiered(seedTiers), '1234', '118.72', '1000 × 0.10 + 234 × 0.08'],
    ['tiered with fees, at the bound', tiered(withFees), '1000', '105', '1000 × 0.10 + 5.00'],
    ['tiered with fees, above it', tiered(withFees), '1001', '115.08', '1000 × 0.10 + 5.00 + 1 × 0.08 + 10.00'],
    ['volume, at the bound', volume(seedTiers), '1000', '100', '1000 × 0.10'],
    ['volume, above it', volume(seedTiers), '1234', '98.72', '1234 × 0.08'],
    ['volume with fees', volume(withFees), '1234', '108.72', '1234 × 0.08 + 10.00'],
  ])('%s', (_name, price, quantity, amount, formula) => {
    const line = onlyLine(ratePeriod(ratingInput([version('v1', [price])], [used(0, quantity)])));
    expect({ amount: line.amount, quantity: line.quantity, formula: line.formula }).toEqual({
      amount,
      quantity,
      formula,
    });
  });

  test('the explanation names everything that the amount was made of', () => {
    const digest = '00000000000000ff' as Digest;
    const usage = [used(0, '1234', { eventCount: 1234, digest })];
    const line = onlyLine(ratePeriod(ratingInput([version('v1', [tiered(withFees)])], usage)));
    expect(line).toEqual({
      lineKey: '["calls",{}]',
      meter: 'calls',
      group: {},
      currency: 'USD',
      quantity: '1234',
      amount: '133.72',
      formula: '1000 × 0.10 + 5.00 + 234 × 0.08 + 10.00',
      charges: [
        {
          meter: 'calls',
          group: {},
          priceBookId: 'standard/v1',
          currency: 'USD',
          quantity: '1234',
          amount: '133.72',
          eventCount: 1234,
          digest,
          calculation: {
            model: 'tiered',
            formula: '1000 × 0.10 + 5.00 + 234 × 0.08 + 10.00',
            quantity: '1234',
            unit_price: null,
            tiers: [
              { up_to: '1000', quantity: '1000', unit_price: '0.10', flat_fee: '5', amount: '105.00' },
              { up_to: null, quantity: '234', unit_price: '0.08', flat_fee: '10', amount: '28.72' },
            ],
            quantity_before: '0',
            period_quantity: '1234',
            price_book: 'standard',
            price_book_version: 'v1',
            effective_date: '2024-01-01T00:00:00.000000Z',
            in_force: [january],
          },
        },
      ],
    });
  });

  test('amounts stay unrounded in charges and are rounded once at the line', () => {
    const line = onlyLine(ratePeriod(ratingInput([version('v1', [flat('0.0000025')])], [used(0, '1234567')])));
    expect([line.charges[0]?.amount, line.amount]).toEqual(['3.0864175', '3.09']);
  });

  test('rows of one group and segment are pooled, their digests too', () => {
    const digests = ['00000000000000ff', 'ffffffffffffffff'] as const;
    const usage = digests.map((digest) => used(0, '600', { digest: digest as Digest, eventCount: 3 }));
    const line = onlyLine(ratePeriod(ratingInput([version('v1', [tiered(seedTiers)])], usage)));
    expect(line.amount).toBe('116');
    expect(line.charges[0]).toMatchObject({ eventCount: 6, digest: '00000000000000fe' });
  });
});

describe('zero', () => {
  test('a meter without usage has no line', () => {
    expect(ratePeriod(ratingInput([version('v1', [tiered(withFees)])], []))).toEqual({ lines: [], problems: [] });
  });

  test('a row without events says nothing, with or without a price', () => {
    const usage = [used(0, '0', { eventCount: 0 })];
    expect(ratePeriod(ratingInput([version('v1', [flat('1')])], usage))).toEqual({ lines: [], problems: [] });
    expect(ratePeriod(ratingInput([null], usage))).toEqual({ lines: [], problems: [] });
  });

  test.each<[string, object, string, string]>([
    ['flat', flat('0.10'), '0', '0 × 0.10'],
    ['tiered with fees', tiered(withFees), '0', '0 × 0.10'],
    ['volume with fees', volume(withFees), '0', '0 × 0.10'],
    ['tiered, charged when zero', tiered(withFees, { charge_when_zero: true }), '5', '5.00'],
    ['volume, charged when zero', volume(withFees, { charge_when_zero: true }), '5', '0 × 0.10 + 5.00'],
  ])('events that add up to zero have a line: %s', (_name, price, amount, formula) => {
    const usage = [used(0, '7'), used(0, '-7')];
    const line = onlyLine(ratePeriod(ratingInput([version('v1', [price])], usage)));
    expect({ quantity: line.quantity, amount: line.amount, formula: line.formula }).toEqual({
      quantity: '0',
      amount,
      formula,
    });
  });

  test.each([
    ['tiered', tiered(withFees, { charge_when_zero: true })],
    ['volume', volume(withFees, { charge_when_zero: true })],
  ])('a fee that is due without usage has a line: %s', (_name, price) => {
    const line = onlyLine(ratePeriod(ratingInput([version('v1', [price])], [])));
    expect(line).toMatchObject({ amount: '5', quantity: '0', group: {} });
    expect(line.charges[0]).toMatchObject({ eventCount: 0, digest: '0000000000000000' });
  });

  test('it is not due of a meter that counts no part of the period', () => {
    const book = version('v1', [tiered(withFees, { charge_when_zero: true })]);
    expect(ratePeriod(ratingInput([book], [], []))).toEqual({ lines: [], problems: [] });
  });

  test('a grouped meter without usage has no group to charge', () => {
    const book = version('v1', [tiered(withFees, { charge_when_zero: true })]);
    expect(ratePeriod(ratingInput([book], [], [meter({ groupBy: ['region'] })])).lines).toEqual([]);
    const pooled = version('v1', [tiered(withFees, { charge_when_zero: true, price_by: [] })]);
    expect(onlyLine(ratePeriod(ratingInput([pooled], [], [meter({ groupBy: ['region'] })]))).amount).toBe('5');
  });

  const charged = (fee: string, price: string): object => tiered([[null, price, fee]], { charge_when_zero: true });
  test.each<[string, readonly [object, object], readonly [string, string], string]>([
    [
      'both versions, nothing used: the one at the end charges',
      [charged('5', '1'), charged('7', '2')],
      ['0', '0'],
      '7',
    ],
    ['only the second one charges when zero', [tiered([[null, '1', '5']]), charged('7', '2')], ['0', '0'], '7'],
    ['used: by the version of the first unit', [charged('5', '1'), tiered([[null, '2', '7']])], ['0', '10'], '27'],
    [
      'nothing used, and the one at the end does not charge for it',
      [charged('5', '1'), tiered([[null, '2', '7']])],
      ['0', '0'],
      '0',
    ],
    ['used before: charged with the usage', [tiered([[null, '1', '5']]), charged('7', '2')], ['10', '0'], '15'],
    ['first used under the second one', [tiered([[null, '1', '5']]), charged('7', '2')], ['0', '10'], '27'],
  ])('the first fee is due once over a change of price: %s', (_name, [p1, p2], [q1, q2], amount) => {
    const usage = [used(0, q1), used(1, q2)];
    const { lines } = ratePeriod(ratingInput([version('v1', [p1]), version('v2', [p2])], usage));
    expect(lines.map((line) => line.amount)).toEqual([amount]);
  });
});

describe('below zero (RULES 8)', () => {
  const negative = [used(0, '10'), used(0, '-60')];

  test('is a problem that names the meter and group', () => {
    expect(ratePeriod(ratingInput([version('v1', [flat('1')])], negative))).toEqual({
      lines: [],
      problems: [
        { code: 'NEGATIVE_TOTAL', meter: 'calls', group: {}, detail: expect.stringContaining('-50') as string },
      ],
    });
  });

  test.each<[string, object]>([
    ['flat', flat('0.10')],
    ['tiered', tiered(withFees)],
    ['volume', volume(withFees)],
    ['tiered, charged when zero', tiered(withFees, { charge_when_zero: true })],
    ['volume, charged when zero', volume(withFees, { charge_when_zero: true })],
  ])('is priced at the first tier without fee where the meter allows it: %s', (_name, price) => {
    const line = onlyLine(
      ratePeriod(ratingInput([version('v1', [price])], negative, [meter({ allowNegative: true })])),
    );
    expect({ amount: line.amount, formula: line.formula }).toEqual({ amount: '-5', formula: '−50 × 0.10' });
  });

  test('a cumulative that was below zero on the way is no problem', () => {
    const books = [version('v1', [tiered(withFees)]), version('v2', [tiered(withFees)])];
    const line = onlyLine(ratePeriod(ratingInput(books, [used(0, '-50'), used(1, '150')])));
    expect(line.amount).toBe('15');
    expect(line.charges.map(({ amount }) => amount)).toEqual(['-5.00', '20.00']);
  });
});

describe('groups (RULES 17)', () => {
  const grouped = [meter({ groupBy: ['region', 'tier'] })];
  const eu = inGroup({ region: 'eu', tier: 'gold' });
  const us = inGroup({ region: 'us', tier: null });
  const usage = [used(0, '700', us), used(0, '800', eu)];

  test.each<[string, object, readonly (readonly [object, string])[]]>([
    [
      'all properties by default',
      tiered(seedTiers),
      [
        [eu.group ?? {}, '80'],
        [us.group ?? {}, '70'],
      ],
    ],
    [
      'price_by: some of them',
      tiered(seedTiers, { price_by: ['region'] }),
      [
        [{ region: 'eu' }, '80'],
        [{ region: 'us' }, '70'],
      ],
    ],
    ['price_by: none', tiered(seedTiers, { price_by: [] }), [[{}, '140']]],
  ])('%s', (_name, price, expected) => {
    const { lines } = ratePeriod(ratingInput([version('v1', [price])], usage, grouped));
    expect(lines.map(({ group, amount }) => [group, amount])).toEqual(expected);
  });

  test('price_by that spells out the default is no change of it', () => {
    const books = [
      version('v1', [tiered(seedTiers)]),
      version('v2', [tiered(seedTiers, { price_by: ['tier', 'region'] })]),
    ];
    const { lines } = ratePeriod(ratingInput(books, [used(0, '800', eu), used(1, '700', eu)], grouped));
    expect(lines.map(({ charges }) => charges.length)).toEqual([2]);
  });

  test('lines are sorted by meter, then group', () => {
    const book = version('v1', [flat('1'), flat('1', { meter: 'bytes' })]);
    const meters = [meter({ groupBy: ['region'] }), meter({ code: 'bytes' })];
    const rows = [
      used(0, '1', inGroup({ region: 'us' })),
      used(0, '1', inGroup({ region: 'eu' })),
      used(0, '1', { meter: 'bytes' }),
    ];
    const { lines } = ratePeriod(ratingInput([book], rows, meters));
    expect(lines.map(({ lineKey }) => lineKey)).toEqual([
      '["bytes",{}]',
      '["calls",{"region":"eu"}]',
      '["calls",{"region":"us"}]',
    ]);
  });
});
