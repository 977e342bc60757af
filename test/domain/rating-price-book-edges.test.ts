/** Price books at their edges: what is just within and just beyond, and where a refusal points when fees stand between prices. */
import { DomainFailure } from '../../src/domain/failure.js';
import type { FailureCode } from '../../src/domain/failure.js';
import { parsePriceBook, requireMetersOf } from '../../src/domain/rating/parse-price-book.js';
import { flat, meter } from '../support/rating-input.js';

const wire = (overrides: Record<string, unknown> = {}): Record<string, unknown> => ({
  ...{ code: 'standard', version: 'v1', currency: 'USD', effective_from: '2024-01-15T00:00:00Z' },
  prices: [flat('0.10')],
  ...overrides,
});
const fee = (name: string, more: object = {}): object => ({
  ...{ model: 'fixed', name, amount: '5.00', billed: 'in_arrears' },
  ...more,
});
const ofMeter = (code: string, more: object = {}): object => ({ ...flat('1', more), meter: code });

type Refusal = readonly [FailureCode, string | undefined];
function refusalOf(work: () => unknown): Refusal | 'accepted' {
  try {
    work();
  } catch (error) {
    if (error instanceof DomainFailure) return [error.code, error.pointer];
    throw error;
  }
  return 'accepted';
}
const parsed = (overrides: Record<string, unknown>): Refusal | 'accepted' =>
  refusalOf(() => parsePriceBook(wire(overrides)));
const matching = (match: unknown): Refusal | 'accepted' => parsed({ prices: [flat('1', { match })] });

describe('texts and lists', () => {
  const longest = 'x'.repeat(128);
  test.each<[string, Record<string, unknown>, Refusal | 'accepted']>([
    ['a code of 128 characters', { code: longest }, 'accepted'],
    ['a code of 129', { code: `${longest}x` }, ['VALIDATION_FAILED', '/code']],
    ['no currency', { currency: undefined }, ['VALIDATION_FAILED', '/currency']],
    ['no beginning', { effective_from: undefined }, ['VALIDATION_FAILED', '/effective_from']],
    ['a number as end', { effective_until: 20240201 }, ['VALIDATION_FAILED', '/effective_until']],
    ['a code that is a list of one', { code: ['standard'] }, ['VALIDATION_FAILED', '/code']],
    ['1,000 fees', { prices: Array.from({ length: 1_000 }, (_, index) => fee(`fee ${index}`)) }, 'accepted'],
    ['a null among the prices', { prices: [null] }, ['VALIDATION_FAILED', '/prices/0']],
    ['a text among the prices', { prices: ['fixed'] }, ['VALIDATION_FAILED', '/prices/0']],
    ['a list among the prices', { prices: [[]] }, ['VALIDATION_FAILED', '/prices/0']],
    ['an empty object among the prices', { prices: [{}] }, ['VALIDATION_FAILED', '/prices/0/model']],
    ['two fees of one name', { prices: [fee('a'), flat('1'), fee('a')] }, ['DUPLICATE_PRICE', '/prices/2/name']],
    ['two fees of two names', { prices: [fee('a'), fee('b')] }, 'accepted'],
    [
      'a property twice in price_by, not side by side',
      { prices: [flat('1', { price_by: ['a', 'b', 'a'] })] },
      ['VALIDATION_FAILED', '/prices/0/price_by/2'],
    ],
  ])('%s', (_name, overrides, expected) => {
    expect(parsed(overrides)).toEqual(expected);
  });

  test('a book that is nothing, or a text', () => {
    expect(refusalOf(() => parsePriceBook(null))).toEqual(['VALIDATION_FAILED', '']);
    expect(refusalOf(() => parsePriceBook('standard'))).toEqual(['VALIDATION_FAILED', '']);
  });

  test('an unknown model is told all that are known', () => {
    const refuse = (): unknown => parsePriceBook(wire({ prices: [{ meter: 'calls', model: 'auction' }] }));
    expect(refuse).toThrow(/flat, .*tiered, .*volume, .*percentage.*, fixed\./);
  });
});

describe('match', () => {
  const longest = 'x'.repeat(1_024);
  test.each<[string, unknown, Refusal | 'accepted']>([
    ['a text', { region: 'eu' }, 'accepted'],
    ['null: the event does not have it', { region: null }, 'accepted'],
    ['1,024 characters', { region: longest }, 'accepted'],
    ['1,025', { region: `${longest}x` }, ['VALIDATION_FAILED', '/prices/0/match/region']],
    ['a number', { region: 5 }, ['VALIDATION_FAILED', '/prices/0/match/region']],
    ['an empty list, whose length is within', { region: [] }, ['VALIDATION_FAILED', '/prices/0/match/region']],
  ])('%s', (_name, match, expected) => {
    expect(matching(match)).toEqual(expected);
  });

  test('is kept in order of its properties, however it was written', () => {
    const [price] = parsePriceBook(wire({ prices: [flat('1', { match: { b: '1', a: '2' } })] })).prices;
    expect(Object.keys(price?.match ?? {})).toEqual(['a', 'b']);
  });
});

describe('requireMetersOf', () => {
  const given = (prices: readonly object[], ...meters: Parameters<typeof requireMetersOf>[1]): Refusal | 'accepted' => {
    const body = wire({ prices });
    return refusalOf(() => requireMetersOf(parsePriceBook(body), meters, body));
  };
  const calls = meter({ code: 'calls' });
  const seats = meter({ code: 'seats' });
  const peak = (code: string, groupBy: readonly string[]): ReturnType<typeof meter> =>
    meter({ code, groupBy, aggregation: 'max', valueProperty: 'value' });

  test.each<[string, readonly object[], Parameters<typeof requireMetersOf>[1], Refusal | 'accepted']>([
    ['a fee alone', [fee('a')], [], 'accepted'],
    ['a price behind a fee', [fee('a'), flat('1')], [], ['UNKNOWN_METER', '/prices/1/meter']],
    [
      'a fee behind a price, counted by nothing that there is',
      [flat('1'), fee('a', { quantity_meter: 'seats' })],
      [calls],
      ['UNKNOWN_METER', '/prices/1/quantity_meter'],
    ],
    [
      'counted by a meter without a price',
      [flat('1'), fee('a', { quantity_meter: 'seats' })],
      [calls, seats],
      'accepted',
    ],
    [
      'counted by a meter that has a price, as one of two',
      [flat('1'), ofMeter('seats'), fee('a', { quantity_meter: 'seats' })],
      [calls, seats],
      ['VALIDATION_FAILED', '/prices/2/quantity_meter'],
    ],
    ['a group and no minimum', [flat('1')], [meter({ groupBy: ['region'] })], 'accepted'],
    [
      'a group and a minimum that does not say of what',
      [flat('1', { minimum: '5' })],
      [meter({ groupBy: ['region'] })],
      ['VALIDATION_FAILED', '/prices/0/minimum'],
    ],
    [
      'what adds up may pool in several ways',
      [flat('1', { match: { region: 'eu' } }), flat('2', { price_by: [] })],
      [meter({ groupBy: ['region'] })],
      'accepted',
    ],
    [
      'what does not add up may not',
      [ofMeter('peak', { match: { region: 'eu' } }), ofMeter('peak', { price_by: [] })],
      [peak('peak', ['region'])],
      ['VALIDATION_FAILED', '/prices/1/price_by'],
    ],
    [
      'meters that do not add up, each in its own way',
      [ofMeter('peak', { price_by: [] }), ofMeter('level', { price_by: ['zone'] })],
      [peak('peak', ['region']), peak('level', ['zone'])],
      'accepted',
    ],
    [
      'all groups, and the same groups by name in another order',
      [ofMeter('peak', { match: { zone: 'a', region: 'eu' } }), ofMeter('peak', { price_by: ['zone', 'region'] })],
      [peak('peak', ['zone', 'region'])],
      'accepted',
    ],
    [
      'all groups twice, once by name',
      [ofMeter('peak', { match: { zone: 'a', region: 'eu' } }), ofMeter('peak')],
      [peak('peak', ['zone', 'region'])],
      'accepted',
    ],
  ])('%s', (_name, prices, meters, expected) => {
    expect(given(prices, ...meters)).toEqual(expected);
  });
});
