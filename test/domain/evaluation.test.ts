import fc from 'fast-check';
import { offeredScopes } from '../../src/domain/correction/offered-scopes.js';
import { comparePrices } from '../../src/domain/evaluation/compare-prices.js';
import { rateQuantities } from '../../src/domain/evaluation/rate-quantities.js';
import type { AskedQuantity } from '../../src/domain/evaluation/rate-quantities.js';
import { DomainFailure } from '../../src/domain/failure.js';
import { addMs, msPerHour } from '../../src/domain/time/instant.js';
import type { DecimalString } from '../../src/domain/values.js';
import { flat, january, meter, tiered, version } from '../support/rating-input.js';

const next = { from: january.to, to: addMs(january.to, 24 * msPerHour) };
const asked = (quantity: string, more: Partial<AskedQuantity> = {}): AskedQuantity => ({
  meter: 'calls',
  group: {},
  quantity: quantity as DecimalString,
  ...more,
});
const meters = [meter()];
const rate = (prices: readonly object[], quantities: readonly AskedQuantity[], known = meters) =>
  rateQuantities(version('v1', prices), quantities, { meters: known, period: january, next });
const total = (result: ReturnType<typeof rate>): string => result.lines.map(({ amount }) => amount).join(' ');

function refusal(work: () => unknown): readonly [string, string | undefined] {
  try {
    work();
  } catch (error) {
    if (error instanceof DomainFailure) return [error.code, error.pointer];
    throw error;
  }
  throw new Error('it was accepted');
}

describe('quantities', () => {
  const price = tiered([
    ['10', '1.00'],
    [null, '0.50'],
  ]);

  test('of the same meter and group add up', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1_000), { minLength: 1, maxLength: 8 }), (parts) => {
        const whole = parts.reduce((sum, part) => sum + part, 0);
        const split = rate(
          [price],
          parts.map((part) => asked(String(part))),
        );
        expect(total(split)).toBe(total(rate([price], [asked(String(whole))])));
      }),
    );
  });

  test('of a price that is taken of each event every entry is one', () => {
    const percentage = { meter: 'calls', model: 'percentage', rate: '0.01', fixed_fee: '0.30', free_events: 1 };
    // The first is free; 200 and 100 pay 1 % and the fee each.
    expect(
      total(
        rate(
          [percentage],
          ['50', '200', '100'].map((value) => asked(value)),
        ),
      ),
    ).toBe('3.6');
    expect(total(rate([percentage], [asked('350')]))).toBe('0');
  });

  test('are told apart by group; a property that is left out is missing', () => {
    const grouped = [meter({ groupBy: ['region'] })];
    const { lines } = rate([flat('1')], [asked('1', { group: { region: 'eu' } }), asked('2')], grouped);
    expect(lines.map(({ group, quantity }) => [group, quantity])).toEqual([
      [{ region: 'eu' }, '1'],
      [{ region: null }, '2'],
    ]);
  });

  test('of what does not add up there is one a group', () => {
    const highest = [meter({ aggregation: 'max', groupBy: ['region'] })];
    const eu = asked('5', { group: { region: 'eu' } });
    expect(total(rate([flat('1')], [eu, asked('7')], highest))).toBe('5 7');
    expect(refusal(() => rate([flat('1')], [eu, asked('7'), eu], highest))).toEqual([
      'VALIDATION_FAILED',
      '/quantities/2',
    ]);
  });

  test('of an unknown meter or property are refused, below zero a problem', () => {
    expect(refusal(() => rate([price], [asked('1'), asked('1', { meter: 'x' })]))).toEqual([
      'UNKNOWN_METER',
      '/quantities/1/meter',
    ]);
    expect(refusal(() => rate([price], [asked('1', { group: { x: 'y' } })]))).toEqual([
      'VALIDATION_FAILED',
      '/quantities/0/group',
    ]);
    expect(rate([price], [asked('-1')]).problems).toMatchObject([{ code: 'NEGATIVE_TOTAL' }]);
  });
});

describe('a comparison', () => {
  const other = [meter(), meter({ meterId: 'meter-2', code: 'seats' })];

  test('has every line of both sides, and the sum of its differences', () => {
    const usage = [asked('10'), asked('3', { meter: 'seats' })];
    const seats = { ...flat('2'), meter: 'seats' };
    const current = rate([flat('1'), seats], usage, other);
    const evaluated = rate([flat('0.5'), { ...seats, unit_price: '4' }], usage, other);
    const compared = comparePrices(current, evaluated, [
      { subtotal: '16' as DecimalString },
      { subtotal: '1' as DecimalString },
    ]);
    expect(compared).toMatchObject({
      isComparable: true,
      current: '16',
      evaluated: '17',
      difference: '1',
      invoiced: '17',
      lines: [
        { meter: 'calls', difference: '-5' },
        { meter: 'seats', difference: '6' },
      ],
    });
  });

  test('is none where one side has no price for something, or no line', () => {
    const usage = [asked('10'), asked('3', { meter: 'seats' })];
    const current = rate([flat('1')], usage, other);
    const compared = comparePrices(current, rate([flat('0.5'), { ...flat('2'), meter: 'seats' }], usage, other), []);
    expect(compared).toMatchObject({
      isComparable: false,
      invoiced: null,
      lines: [{ meter: 'calls' }, { meter: 'seats', current: null, difference: '6' }],
      problems: [{ side: 'current', code: 'UNPRICED_METER' }],
    });
  });
});

describe('offered scopes', () => {
  const day = 24 * msPerHour;
  const period = (customerId: string, number: number) => ({
    customerId,
    from: addMs(january.from, number * day),
    to: addMs(january.from, (number + 1) * day),
  });

  test('join what follows without a gap, and customers with the same time', () => {
    const scopes = offeredScopes([period('a', 0), period('a', 1), period('a', 3), period('b', 0), period('b', 1)]);
    expect(scopes).toEqual([
      { customerIds: ['a', 'b'], from: period('a', 0).from, to: period('a', 1).to },
      { customerIds: ['a'], from: period('a', 3).from, to: period('a', 3).to },
    ]);
  });

  test('meet exactly the periods they are made of, at most 1,000 customers each', () => {
    const some = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(9)), {
      selector: ([c, n]) => `${c}${n}`,
    });
    fc.assert(
      fc.property(some, (chosen) => {
        const touched = [...chosen].sort(([, a], [, b]) => a - b).map(([customer, number]) => period(customer, number));
        const scopes = offeredScopes(touched);
        const all = ['a', 'b', 'c'].flatMap((customer) => Array.from({ length: 10 }, (_, n) => period(customer, n)));
        const met = all.filter(({ customerId, from, to }) =>
          scopes.some((scope) => scope.customerIds.includes(customerId) && from < scope.to && to > scope.from),
        );
        expect(new Set(met.map((each) => JSON.stringify(each)))).toEqual(
          new Set(touched.map((each) => JSON.stringify(each))),
        );
      }),
    );
    const many = offeredScopes(Array.from({ length: 2_001 }, (_, index) => period(`c${index}`, 0)));
    expect(many.map(({ customerIds }) => customerIds.length)).toEqual([1_000, 1_000, 1]);
  });
});
