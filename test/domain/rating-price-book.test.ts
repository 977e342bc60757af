import fc from 'fast-check';
import { DomainFailure } from '../../src/domain/failure.js';
import type { FailureCode } from '../../src/domain/failure.js';
import { parsePriceBook, requireMetersOf } from '../../src/domain/rating/parse-price-book.js';
import { priceBookToWire } from '../../src/domain/rating/price-book-to-wire.js';
import { flat, meter, tiered, volume } from '../support/rating-input.js';
import type { TierRow } from '../support/rating-input.js';

const wire = (overrides: Record<string, unknown> = {}): Record<string, unknown> => ({
  code: 'standard',
  version: 'v1',
  currency: 'USD',
  effective_from: '2024-01-15T00:00:00Z',
  prices: [flat('0.10')],
  ...overrides,
});
const withPrice = (price: unknown): Record<string, unknown> => wire({ prices: [price] });
const withTiers = (...tiers: readonly unknown[]): Record<string, unknown> =>
  withPrice({ meter: 'calls', model: 'tiered', tiers });

/** What a price has that says nothing more. */
const plain = { match: {}, included: null, discountPercent: null, maximum: null, minimum: null };

function refusalOf(value: unknown): readonly [code: FailureCode, pointer: string | undefined] {
  try {
    parsePriceBook(value);
  } catch (error) {
    if (error instanceof DomainFailure) return [error.code, error.pointer];
    throw error;
  }
  throw new Error('the price book was accepted');
}

describe('parsePriceBook', () => {
  test('reads every model and keeps the digits of prices', () => {
    const book = parsePriceBook(
      wire({
        prices: [
          flat('0.100'),
          { meter: 'a', model: 'per_unit', unit_price: '1', price_by: ['tier', 'region'] },
          {
            meter: 'b',
            model: 'graduated',
            tiers: [
              { up_to: '10', unit_price: '0.10', flat_fee: '5.00' },
              { up_to: null, unit_price: '0' },
            ],
          },
          { ...volume([[null, '2']]), meter: 'c', charge_when_zero: true, price_by: [] },
        ],
      }),
    );
    expect(book).toEqual({
      code: 'standard',
      version: 'v1',
      currency: 'USD',
      effectiveFrom: '2024-01-15T00:00:00.000000Z',
      effectiveUntil: null,
      rounding: 'half_even',
      prices: [
        { ...plain, meter: 'calls', model: 'flat', unitPrice: '0.100', priceBy: null },
        { ...plain, meter: 'a', model: 'flat', unitPrice: '1', priceBy: ['region', 'tier'] },
        {
          ...plain,
          meter: 'b',
          model: 'tiered',
          priceBy: null,
          chargeWhenZero: false,
          tiers: [
            { upTo: '10', unitPrice: '0.10', flatFee: '5.00' },
            { upTo: null, unitPrice: '0', flatFee: '0' },
          ],
        },
        {
          ...plain,
          meter: 'c',
          model: 'volume',
          priceBy: [],
          chargeWhenZero: true,
          tiers: [{ upTo: null, unitPrice: '2', flatFee: '0' }],
        },
      ],
      fees: [],
      minimumCommitment: null,
    });
  });

  test.each<[string, Record<string, unknown>, object]>([
    [
      'an instant with an offset',
      { effective_from: '2024-01-15T02:00:00+02:00' },
      { effectiveFrom: '2024-01-15T00:00:00.000000Z' },
    ],
    ['a local date', { effective_from: '2024-01-15' }, { effectiveFrom: '2024-01-15' }],
    ['an end', { effective_until: '2024-02-01T00:00:00Z' }, { effectiveUntil: '2024-02-01T00:00:00.000000Z' }],
    ['an end after a local date', { effective_from: '2024-01-15', effective_until: '2024-01-16T00:00:00Z' }, {}],
    ['no end', { effective_until: null }, { effectiveUntil: null }],
    ['a rounding', { rounding: 'half_up' }, { rounding: 'half_up' }],
    ['no price at all', { prices: [] }, { prices: [] }],
  ])('accepts %s', (_name, overrides, expected) => {
    expect(parsePriceBook(wire(overrides))).toMatchObject(expected);
  });

  test('accepts tiers that say where they begin, if they touch', () => {
    const tiers = [
      { from: '0', up_to: '1000', unit_price: '0.10' },
      { from: '1000.0', up_to: null, unit_price: '0.08' },
    ];
    expect(parsePriceBook(withTiers(...tiers)).prices).toHaveLength(1);
  });

  const t = (up_to: unknown, unit_price: unknown = '1', more: object = {}): object => ({ up_to, unit_price, ...more });
  test.each<[string, unknown, FailureCode, string]>([
    ['no object', [], 'VALIDATION_FAILED', ''],
    ['unknown property', wire({ price: [] }), 'UNKNOWN_PROPERTY', '/price'],
    ['no code', wire({ code: '' }), 'VALIDATION_FAILED', '/code'],
    ['no version', wire({ version: undefined }), 'VALIDATION_FAILED', '/version'],
    ['unknown currency', wire({ currency: 'usd' }), 'UNKNOWN_CURRENCY', '/currency'],
    ['half past', wire({ effective_from: '2024-01-15T00:30:00Z' }), 'EFFECTIVE_FROM_NOT_ALIGNED', '/effective_from'],
    [
      'a microsecond after',
      wire({ effective_from: '2024-01-15T00:00:00.000001Z' }),
      'EFFECTIVE_FROM_NOT_ALIGNED',
      '/effective_from',
    ],
    ['no offset', wire({ effective_from: '2024-01-15T00:00:00' }), 'INSTANT_WITHOUT_OFFSET', '/effective_from'],
    ['no such day', wire({ effective_from: '2024-02-30' }), 'INVALID_DATE', '/effective_from'],
    [
      'end not aligned',
      wire({ effective_until: '2024-02-01T00:00:01Z' }),
      'EFFECTIVE_FROM_NOT_ALIGNED',
      '/effective_until',
    ],
    [
      'end at the beginning',
      wire({ effective_until: '2024-01-15T00:00:00Z' }),
      'VALIDATION_FAILED',
      '/effective_until',
    ],
    [
      'end before a local date',
      wire({ effective_from: '2024-01-15', effective_until: '2024-01-14T23:00:00Z' }),
      'VALIDATION_FAILED',
      '/effective_until',
    ],
    ['unknown rounding', wire({ rounding: 'nearest' }), 'VALIDATION_FAILED', '/rounding'],
    ['a negative commitment', wire({ minimum_commitment: '-1' }), 'VALIDATION_FAILED', '/minimum_commitment'],
    ['a number as commitment', wire({ minimum_commitment: 100 }), 'INVALID_DECIMAL', '/minimum_commitment'],
    ['prices are no list', wire({ prices: {} }), 'VALIDATION_FAILED', '/prices'],
    [
      'too many prices',
      wire({ prices: Array.from({ length: 1001 }, () => flat('1')) }),
      'VALIDATION_FAILED',
      '/prices',
    ],
    ['two prices for a meter', wire({ prices: [flat('1'), tiered([[null, '1']])] }), 'DUPLICATE_PRICE', '/prices/1'],
    ['no model', withPrice({ meter: 'calls', unit_price: '1' }), 'VALIDATION_FAILED', '/prices/0/model'],
    ['unknown model', withPrice({ meter: 'calls', model: 'auction' }), 'UNKNOWN_PRICE_MODEL', '/prices/0/model'],
    [
      'a model named like a method',
      withPrice({ meter: 'calls', model: 'toString' }),
      'UNKNOWN_PRICE_MODEL',
      '/prices/0/model',
    ],
    ['unknown property of a price', withPrice(flat('1', { 'a/b~c': 1 })), 'UNKNOWN_PROPERTY', '/prices/0/a~1b~0c'],
    ['tiers on a flat price', withPrice(flat('1', { tiers: [] })), 'UNKNOWN_PROPERTY', '/prices/0/tiers'],
    ['no meter', withPrice({ model: 'flat', unit_price: '1' }), 'VALIDATION_FAILED', '/prices/0/meter'],
    ['no price', withPrice({ meter: 'calls', model: 'flat' }), 'INVALID_DECIMAL', '/prices/0/unit_price'],
    ['a number as price', withPrice(flat(0.1 as never)), 'INVALID_DECIMAL', '/prices/0/unit_price'],
    ['an exponent', withPrice(flat('1e-7')), 'INVALID_DECIMAL', '/prices/0/unit_price'],
    ['too many digits', withPrice(flat(`0.${'1'.repeat(19)}`)), 'NUMBER_TOO_LONG', '/prices/0/unit_price'],
    ['a negative price', withPrice(flat('-0.10')), 'VALIDATION_FAILED', '/prices/0/unit_price'],
    [
      'price_by twice the same',
      withPrice(flat('1', { price_by: ['a', 'a'] })),
      'VALIDATION_FAILED',
      '/prices/0/price_by/1',
    ],
    ['price_by no list', withPrice(flat('1', { price_by: 'a' })), 'VALIDATION_FAILED', '/prices/0/price_by'],
    [
      'charge_when_zero no boolean',
      withPrice(tiered([[null, '1']], { charge_when_zero: 'yes' })),
      'VALIDATION_FAILED',
      '/prices/0/charge_when_zero',
    ],
    ['no tiers', withTiers(), 'TIERS_EMPTY', '/prices/0/tiers'],
    [
      'too many tiers',
      withTiers(...Array.from({ length: 101 }, (_, i) => t(String(i + 1)))),
      'VALIDATION_FAILED',
      '/prices/0/tiers',
    ],
    ['descending bounds', withTiers(t('10'), t('5'), t(null)), 'TIERS_OVERLAP', '/prices/0/tiers/1/up_to'],
    ['equal bounds', withTiers(t('10'), t('10.0'), t(null)), 'TIERS_OVERLAP', '/prices/0/tiers/1/up_to'],
    ['first bound of zero', withTiers(t('0'), t(null)), 'TIERS_OVERLAP', '/prices/0/tiers/0/up_to'],
    ['negative first bound', withTiers(t('-1'), t(null)), 'TIERS_OVERLAP', '/prices/0/tiers/0/up_to'],
    ['a tier after the unbounded one', withTiers(t(null), t('10')), 'TIERS_OVERLAP', '/prices/0/tiers/1'],
    [
      'begins after the bound before it',
      withTiers(t('10'), t(null, '1', { from: '11' })),
      'TIERS_GAP',
      '/prices/0/tiers/1/from',
    ],
    ['begins before it', withTiers(t('10'), t(null, '1', { from: '9' })), 'TIERS_OVERLAP', '/prices/0/tiers/1/from'],
    ['does not begin at zero', withTiers(t('10', '1', { from: '1' }), t(null)), 'TIERS_GAP', '/prices/0/tiers/0/from'],
    ['bounded last tier', withTiers(t('10'), t('20')), 'LAST_TIER_BOUNDED', '/prices/0/tiers/1/up_to'],
    ['bound left out', withTiers({ unit_price: '1' }), 'INVALID_DECIMAL', '/prices/0/tiers/0/up_to'],
    ['a negative fee', withTiers(t(null, '1', { flat_fee: '-5' })), 'VALIDATION_FAILED', '/prices/0/tiers/0/flat_fee'],
    [
      'unknown property of a tier',
      withTiers(t(null, '1', { upto: '5' })),
      'UNKNOWN_PROPERTY',
      '/prices/0/tiers/0/upto',
    ],
  ])('refuses %s', (_name, value, code, pointer) => {
    expect(refusalOf(value)).toEqual([code, pointer]);
  });

  test('refusals have a precedence: envelope before prices, names before values, earlier prices first', () => {
    const bad = { meter: 'calls', model: 'flat', minimum: 'x', unknown: 1 };
    expect(refusalOf(wire({ unknown: 1, currency: 'XXX', prices: [bad] }))[0]).toBe('UNKNOWN_PROPERTY');
    expect(refusalOf(wire({ currency: 'XXX', prices: [bad] }))[0]).toBe('UNKNOWN_CURRENCY');
    expect(refusalOf(wire({ prices: [bad, flat('x')] }))).toEqual(['UNKNOWN_PROPERTY', '/prices/0/unknown']);
  });
});

describe('priceBookToWire', () => {
  test('is the inverse: what it writes is read as the same', () => {
    const price = fc.constantFrom('0', '0.10', '12.500', '0.000001');
    const rows = fc
      .array(fc.tuple(price, price), { maxLength: 3 })
      .map((bounded): readonly TierRow[] => [
        ...bounded.map(([unitPrice, fee], index): TierRow => [`${index + 1}.50`, unitPrice, fee]),
        [null, '1'],
      ]);
    const priceBy = fc.option(fc.uniqueArray(fc.constantFrom('region', 'tier'), { maxLength: 2 }), { nil: undefined });
    const anyPrice = fc.record({ rows, unit: price, model: fc.nat(2), zero: fc.boolean(), priceBy }).map((of) => {
      const more = of.priceBy === undefined ? {} : { price_by: of.priceBy };
      if (of.model === 0) return flat(of.unit, more);
      const tiers = { ...more, charge_when_zero: of.zero };
      return of.model === 1 ? tiered(of.rows, tiers) : volume(of.rows, tiers);
    });
    fc.assert(
      fc.property(anyPrice, fc.constantFrom('2024-01-15', '2024-01-15T05:00:00Z'), (value, effectiveFrom) => {
        const book = parsePriceBook(wire({ prices: [value], effective_from: effectiveFrom }));
        expect(parsePriceBook(JSON.parse(JSON.stringify(priceBookToWire(book))))).toEqual(book);
      }),
    );
  });
});

describe('requireMetersOf', () => {
  const book = parsePriceBook(wire({ prices: [flat('1', { price_by: ['region'] })] }));
  const check =
    (...meters: Parameters<typeof requireMetersOf>[1]) =>
    (): void => {
      requireMetersOf(book, meters);
    };

  test('accepts a price that pools by some of what its meter groups by', () => {
    expect(check(meter({ groupBy: ['region', 'tier'] }))).not.toThrow();
  });
  test.each<[string, Parameters<typeof requireMetersOf>[1], object]>([
    ['an unknown meter', [meter({ code: 'other' })], { code: 'UNKNOWN_METER', pointer: '/prices/0/meter' }],
    [
      'a property that the meter does not group by',
      [meter({ groupBy: ['tier'] })],
      { code: 'VALIDATION_FAILED', pointer: '/prices/0/price_by' },
    ],
  ])('refuses %s', (_name, meters, failure) => {
    expect(check(...meters)).toThrow(expect.objectContaining(failure) as Error);
  });
});
