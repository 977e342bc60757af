import { ratePeriod } from '../../src/domain/rating/rate.js';
import { flat, inGroup, meter, ratingInput, seedTiers, tiered, used, version } from '../support/rating-input.js';

describe('what cannot be priced', () => {
  const priced = version('v1', [flat('1')]);
  const dropped = version('v2', [flat('1', { meter: 'other' })]);

  test.each<[string, Parameters<typeof ratingInput>, readonly string[], number]>([
    ['no version in force', [[null], [used(0, '1')]], ['UNPRICED_METER'], 0],
    ['a version without the meter', [[dropped], [used(0, '1')]], ['UNPRICED_METER'], 0],
    ['usage of zero units too', [[dropped], [used(0, '0')]], ['UNPRICED_METER'], 0],
    [
      'usage before the first version',
      [
        [null, priced],
        [used(0, '1'), used(1, '1')],
      ],
      ['UNPRICED_METER'],
      1,
    ],
    [
      'usage after the meter was dropped',
      [
        [priced, dropped],
        [used(0, '1'), used(1, '1')],
      ],
      ['METER_DROPPED_FROM_PRICE_BOOK'],
      1,
    ],
    ['usage after the assignment ended', [[priced, null], [used(1, '1')]], ['METER_DROPPED_FROM_PRICE_BOOK'], 0],
    ['dropped, but nothing used after it', [[priced, dropped], [used(0, '1')]], [], 1],
    ['not priced yet, but nothing used before', [[dropped, priced], [used(1, '1')]], [], 1],
    [
      'a gap in the middle',
      [
        [priced, dropped, priced],
        [used(0, '1'), used(1, '1'), used(2, '1')],
      ],
      ['METER_DROPPED_FROM_PRICE_BOOK'],
      1,
    ],
  ])('%s', (_name, input, codes, lines) => {
    const result = ratePeriod(ratingInput(...input));
    expect(result.problems.map(({ code }) => code)).toEqual(codes);
    expect(result.lines).toHaveLength(lines);
  });

  test('a change of model does not give a price to a stretch that has none', () => {
    const books = [version('v1', [tiered(seedTiers)]), dropped, priced];
    const result = ratePeriod(ratingInput(books, [used(0, '1'), used(1, '1'), used(2, '1')]));
    expect(result.problems.map(({ code }) => code)).toEqual(['METER_DROPPED_FROM_PRICE_BOOK']);
    expect(result.lines[0]?.charges[0]).toMatchObject({ quantity: '2', calculation: { in_force: [{}, {}] } });
  });

  test('each group that no price matches is named once', () => {
    const rows = ['us', 'eu', 'us'].map((region) => used(0, '1', inGroup({ region })));
    const { problems } = ratePeriod(ratingInput([dropped], rows, [meter({ groupBy: ['region'] })]));
    expect(problems.map(({ group }) => group)).toEqual([{ region: 'eu' }, { region: 'us' }]);
    expect(problems[0]?.detail).toContain('has usage of the group {"region":"eu"} that no price book version');
    const ungrouped = ratePeriod(ratingInput([dropped], [used(0, '1')]));
    expect(ungrouped.problems[0]?.detail).toContain('has usage that no price book version');
  });

  test('a group that an override has no price for names the override', () => {
    const prices = [flat('1', { match: { region: 'eu' } })];
    const own = { ...version('3', prices), code: 'override:acme', priceBookId: 'own/3' };
    const meters = [meter({ groupBy: ['region'] })];
    const usage = (segment: number) => used(segment, '1', inGroup({ region: 'us' }));
    const { problems } = ratePeriod(ratingInput([own], [usage(0)], meters));
    expect(problems).toMatchObject([{ code: 'UNPRICED_METER', group: { region: 'us' } }]);
    expect(problems[0]?.detail).toBe(
      '"calls" has usage of the group {"region":"us"}, and no price for it: override:acme version 3 prices "calls" instead of the price book.',
    );
    const dropped = ratePeriod(ratingInput([priced, own], [usage(0), usage(1)], meters));
    expect(dropped.problems.map(({ code, detail }) => [code, detail])).toEqual([
      ['METER_DROPPED_FROM_PRICE_BOOK', problems[0]?.detail],
    ]);
  });

  test.each<[string, string | undefined, readonly string[]]>([
    ['of another currency than the invoice', 'EUR', ['USD']],
    ['of two currencies', undefined, ['USD', 'EUR']],
  ])('prices %s', (_name, currency, currencies) => {
    const books = currencies.map((code, index) => version(`v${index}`, [flat('1')], { currency: code }));
    const { period, meters, segments, usage } = ratingInput(books, [used(0, '1')]);
    const result = ratePeriod({ period, meters, segments, usage, ...(currency === undefined ? {} : { currency }) });
    expect(result.problems.map(({ code }) => code)).toEqual(['CURRENCY_MISMATCH']);
    expect(result.lines).toEqual([]);
  });

  test('usage of a meter that the input does not have is a defect', () => {
    expect(() => ratePeriod(ratingInput([priced], [used(0, '1')], []))).toThrow('invariant broken');
  });

  test('usage of a segment that the input does not have is a defect', () => {
    expect(() => ratePeriod(ratingInput([priced], [used(3, '1')]))).toThrow('invariant broken');
  });
});
