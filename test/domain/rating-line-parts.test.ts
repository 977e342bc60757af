/** The small functions that a line is made of, each by itself: percentages of events, limits, discounts, counts. */
import { decimal as exact } from '../../src/domain/decimal.js';
import type { D } from '../../src/domain/decimal.js';
import { DomainFailure } from '../../src/domain/failure.js';
import {
  afterIncluded,
  limitAdjustment,
  lineTermsToWire,
  parseLineTerms,
  readCount,
  readOptionalPrice,
  withDiscount,
  withIncluded,
  withLimit,
} from '../../src/domain/rating/models/line-terms.js';
import type { PricedShare } from '../../src/domain/rating/models/priced-share.js';
import {
  addTotals,
  countEvent,
  noTotals,
  parsePercentage,
  percentageToWire,
  pricePercentage,
} from '../../src/domain/rating/models/percentage.js';
import type { DecimalString } from '../../src/domain/values.js';

const d = (text: string): DecimalString => text as DecimalString;
const decimal = (text: string): D => exact(d(text));
const share = (amount: string, formula = 'f'): PricedShare => ({
  ...{ amount: decimal(amount), formula, unitPrice: null, tiers: [], details: {} },
});
function refusal(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DomainFailure)) throw error;
    return [error.code, error.pointer];
  }
}

describe('percentage (RULES 14)', () => {
  const bare = { rate: '0.02' };
  const whole = {
    ...{ rate: '0.02', fixed_fee: '0.10', free_events: 2, free_amount: '50' },
    ...{ per_event_minimum: '0.30', per_event_maximum: '5.00' },
  };

  test('is read and written back; what is left out or null is null and not written', () => {
    expect(percentageToWire(parsePercentage(whole, ''))).toStrictEqual({ model: 'percentage', ...whole });
    expect(percentageToWire(parsePercentage(bare, ''))).toStrictEqual({ model: 'percentage', ...bare });
    const nulls = Object.fromEntries(Object.keys(whole).map((name) => [name, null]));
    expect(percentageToWire(parsePercentage({ ...nulls, ...bare }, ''))).toStrictEqual({
      model: 'percentage',
      ...bare,
    });
    for (const property of ['fixed_fee', 'free_amount', 'per_event_minimum', 'per_event_maximum']) {
      expect(refusal(() => parsePercentage({ ...bare, [property]: 'x' }, '/p'))).toEqual([
        'INVALID_DECIMAL',
        `/p/${property}`,
      ]);
    }
    expect(refusal(() => parsePercentage({ ...whole, per_event_minimum: '6' }, '/p'))).toEqual([
      ...['VALIDATION_FAILED', '/p/per_event_minimum'],
    ]);
  });

  /** What the events come to one after the other. */
  function counted(wire: Readonly<Record<string, unknown>>, values: readonly string[]) {
    const terms = parsePercentage(wire, '');
    const [used, totals] = [{ events: 0, amount: decimal('0') }, noTotals()];
    for (const value of values) countEvent(decimal(value), { terms, allowances: terms, used, totals });
    const kinds = Object.entries(totals).map(([kind, { count, amount }]) => [kind, `${count}: ${amount.toString()}`]);
    return { terms, totals, used: `${used.events}: ${used.amount.toString()}`, ...Object.fromEntries(kinds) };
  }

  test.each<[string, object, readonly string[], object]>([
    ['no allowance', bare, ['10', '0'], { free: '0: 0', rated: '2: 10', used: '2: 10' }],
    ['free events', { ...bare, free_events: 2 }, ['10', '20', '30'], { free: '2: 30', rated: '1: 30' }],
    ['no free events', { ...bare, free_events: 0 }, ['10'], { free: '0: 0', rated: '1: 10' }],
    [
      'a free amount, in part of an event',
      { ...bare, free_amount: '15' },
      ['10', '10', '10'],
      { free: '1: 15', rated: '2: 15' },
    ],
    [
      'a free amount, to the end',
      { ...bare, free_amount: '20' },
      ['10', '10', '10'],
      { free: '2: 20', rated: '1: 10' },
    ],
    [
      'the amount ends both',
      { ...bare, free_events: 9, free_amount: '10' },
      ['10', '5'],
      { free: '1: 10', rated: '1: 5' },
    ],
    [
      'the events end both',
      { ...bare, free_events: 1, free_amount: '99' },
      ['10', '5'],
      { free: '1: 10', rated: '1: 5' },
    ],
    [
      'below zero: rate only, and no allowance',
      { ...bare, free_events: 1 },
      ['-10', '5'],
      { negative: '1: -10', free: '1: 5', used: '1: 5' },
    ],
    [
      'zero is not below zero',
      { ...bare, per_event_minimum: '1' },
      ['0', '-0'],
      { negative: '0: 0', atMinimum: '2: 0' },
    ],
    [
      'below the minimum',
      { ...bare, per_event_minimum: '0.30' },
      ['10', '15', '20'],
      { atMinimum: '1: 10', rated: '2: 35' },
    ],
    [
      'above the maximum',
      { ...bare, per_event_maximum: '0.30' },
      ['10', '15', '20'],
      { atMaximum: '1: 20', rated: '2: 25' },
    ],
    [
      'the fee counts for both',
      { ...whole, free_events: 0 },
      ['9', '10', '245', '246'],
      { atMinimum: '1: 9', rated: '2: 255', atMaximum: '1: 246' },
    ],
  ])('%s', (_, wire, values, expected) => {
    expect(counted(wire as Readonly<Record<string, unknown>>, values)).toMatchObject(expected);
  });

  test('costs rate and fee of the rated, the limit of the others, the rate of those below zero; and says so', () => {
    const { terms, totals } = counted({ ...whole, free_events: 1, free_amount: null }, [
      '99',
      '1',
      '10',
      '100',
      '1000',
      '-50',
    ]);
    const priced = pricePercentage(terms, totals, terms);
    expect(priced.amount.toString()).toBe('6.7');
    expect(priced.formula).toBe('110 × 0.02 + 2 × 0.10 + 1 × 0.30 + 1 × 5.00 − 50 × 0.02');
    expect(priced.details).toEqual({
      percentage: {
        ...{ rate: '0.02', fixed_fee: '0.10', per_event_minimum: '0.30', per_event_maximum: '5.00' },
        ...{
          free_events: 1,
          free_amount: null,
          free: { events: 1, amount: '99' },
          rated: { events: 2, amount: '110' },
        },
        at_minimum: { events: 1, amount: '1' },
        ...{ at_maximum: { events: 1, amount: '1000' }, negative: { events: 1, amount: '-50' } },
      },
    });
    const nothing = pricePercentage(terms, noTotals(), terms);
    expect([nothing.amount.toString(), nothing.formula]).toEqual(['0', '0 × 0.02']);
    const free = parsePercentage({ ...bare, fixed_fee: '0.00' }, '');
    expect(pricePercentage(free, counted(bare, ['10']).totals, free).formula).toBe('10 × 0.02');
  });

  test('totals of several segments add up kind by kind', () => {
    const { totals } = counted({ ...whole, free_events: 1, free_amount: null }, ['99', '1', '10', '1000', '-50']);
    const doubled = addTotals([totals, noTotals(), totals]);
    expect(Object.values(doubled).map(({ count, amount }) => [count, amount.toString()])).toEqual([
      ...[
        [2, '198'],
        [2, '20'],
        [2, '2'],
        [2, '2000'],
        [2, '-100'],
      ],
    ]);
  });
});

describe('limits, discounts, included units (RULES 15, 16)', () => {
  const none = { included: null, discountPercent: null, maximum: null, minimum: null };

  test('are read and written back; a null is left out', () => {
    const wire = { included: '10', discount_percent: '100', maximum: '20', minimum: '20' };
    expect(lineTermsToWire(parseLineTerms(wire, ''))).toStrictEqual(wire);
    expect(parseLineTerms({}, '')).toStrictEqual(none);
    expect(parseLineTerms({ included: null, discount_percent: null, maximum: null, minimum: null }, '')).toStrictEqual(
      none,
    );
    expect(lineTermsToWire(none)).toStrictEqual({});
    expect(refusal(() => parseLineTerms({ discount_percent: '100.01' }, '/p'))).toEqual([
      'VALIDATION_FAILED',
      '/p/discount_percent',
    ]);
    expect(refusal(() => parseLineTerms({ maximum: '1', minimum: '1.01' }, '/p'))).toEqual([
      'VALIDATION_FAILED',
      '/p/minimum',
    ]);
  });

  test.each<[string, object, string, unknown]>([
    ['above the maximum', { maximum: d('5') }, '6', ['maximum', '5', '-1']],
    ['at the maximum', { maximum: d('5') }, '5', null],
    ['below the minimum', { minimum: d('5') }, '4', ['minimum', '5', '1']],
    ['at the minimum', { minimum: d('5') }, '5', null],
    ['no minimum', { maximum: d('5') }, '4', null],
    ['no limit', {}, '-4', null],
  ])('%s', (_, terms, amount, expected) => {
    const found = limitAdjustment({ ...none, ...terms }, decimal(amount));
    expect(found && [found.kind, found.limit, found.adjustment.toString()]).toEqual(expected);
  });

  test('a limit is part of the amount, the formula and the details', () => {
    const minimum = limitAdjustment({ ...none, minimum: d('5') }, decimal('4'));
    const maximum = limitAdjustment({ ...none, maximum: d('5') }, decimal('7.5'));
    if (minimum === null || maximum === null) throw new Error('two limits');
    const raised = withLimit({ ...share('4'), details: { included: { units: d('1'), quantity: d('2') } } }, minimum, 2);
    expect([raised.amount.toString(), raised.formula]).toEqual(['5', 'f + 1.00 (minimum 5)']);
    expect(raised.details).toEqual({
      included: { units: '1', quantity: '2' },
      limit: { kind: 'minimum', limit: '5', line_amount: '4.00', adjustment: '1.00' },
    });
    const capped = withLimit(share('7.5'), maximum, 2);
    expect([capped.amount.toString(), capped.formula]).toEqual(['5', 'f − 2.50 (maximum 5)']);
  });

  test('included units are the earliest, and never make less than nothing', () => {
    const after = (cumulative: string, included: string | null): string =>
      afterIncluded(decimal(cumulative), included === null ? null : decimal(included)).toString();
    expect([after('9', '10'), after('10', '10'), after('11', '10')]).toEqual(['0', '0', '1']);
    expect([after('-3', '10'), after('0', '10'), after('5', null)]).toEqual(['-3', '0', '5']);
    expect(withIncluded(share('1'), d('10'), d('3'))).toMatchObject({
      ...{ formula: 'f (10 included)', details: { included: { units: '10', quantity: '3' } } },
    });
  });

  test('a discount is taken of the amount, of a credit it is given back', () => {
    const tenth = withDiscount(share('50'), d('10'), 2);
    expect([tenth.amount.toString(), tenth.formula]).toEqual(['45', 'f − 10 % × 50.00']);
    expect(tenth.details).toEqual({ discount: { percent: '10', of: '50.00' } });
    const credit = withDiscount(share('-50'), d('10'), 2);
    expect([credit.amount.toString(), credit.formula]).toEqual(['-45', 'f + 10 % × 50.00']);
    expect(credit.details).toEqual({ discount: { percent: '10', of: '-50.00' } });
    expect(withDiscount(share('0'), d('10'), 2).formula).toBe('f');
  });

  test('counts are whole, zero or more, as numbers or texts', () => {
    for (const [value, count] of [
      [0, 0],
      [7, 7],
      ['0', 0],
      ['42', 42],
      ['123456789012345', 123456789012345],
    ] as const) {
      expect(readCount(value, '/n')).toBe(count);
    }
    for (const value of [
      -1,
      1.5,
      2 ** 53,
      NaN,
      '-1',
      '01',
      '1.5',
      '1x',
      'x1',
      '',
      '1234567890123456',
      true,
      null,
      {},
      ['7'],
    ]) {
      expect(refusal(() => readCount(value, '/n'))).toEqual(['VALIDATION_FAILED', '/n']);
    }
    expect(readOptionalPrice({ a: null }, 'a', '')).toBeNull();
    expect(readOptionalPrice({}, 'a', '')).toBeNull();
    expect(readOptionalPrice({ a: '1.50' }, 'a', '')).toBe('1.50');
  });
});
