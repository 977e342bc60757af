import fc from 'fast-check';
import {
  addDecimals,
  compareDecimals,
  D,
  decimal,
  decimalDigitsMax,
  decimalPlacesMax,
  decimalTextOf,
  divide,
  isDecimal,
  numberTextToDecimal,
  parseDecimal,
  toDecimalString,
} from '../../src/domain/decimal.js';
import { roundingModes, type RoundingMode } from '../../src/domain/rating/price-book.js';
import type { DecimalString } from '../../src/domain/values.js';
import { codeOf } from './support/failures.js';

const digits = (count: number): string => '1234567890'.repeat(10).slice(0, count);

describe('parseDecimal', () => {
  test.each([
    '0',
    '7',
    '-7',
    '0.10',
    '-0.5',
    '100',
    '0.00',
    digits(decimalDigitsMax),
    `${digits(20)}.${digits(18)}`,
    `0.${'0'.repeat(17)}1`,
  ])('takes %s as it is written', (text) => {
    expect(parseDecimal(text)).toBe(text);
    expect(isDecimal(text)).toBe(true);
  });

  test.each([
    ['empty', ''],
    ['word', 'ten'],
    ['NaN', 'NaN'],
    ['Infinity', '-Infinity'],
    ['exponent', '1e3'],
    ['plus sign', '+1'],
    ['negative zero', '-0'],
    ['negative zero with places', '-0.00'],
    ['leading zeros', '007'],
    ['leading zero before places', '00.5'],
    ['no digit before the point', '.5'],
    ['no digit after the point', '5.'],
    ['two points', '1.2.3'],
    ['comma', '1,5'],
    ['thousands', '1 000'],
    ['surrounding space', ' 1'],
    ['newline at the end', '1\n'],
    ['hexadecimal', '0x10'],
    ['other digits', '١٢'],
    ['a number', 12],
    ['null', null],
    ['undefined', undefined],
    ['a list of one', ['1']],
  ])('refuses %s', (_name, text) => {
    expect(codeOf(() => parseDecimal(text, '/amount'))).toBe('INVALID_DECIMAL');
    expect(isDecimal(text)).toBe(false);
  });

  test.each([
    ['digits', digits(decimalDigitsMax + 1)],
    ['digits with places', `${digits(21)}.${digits(18)}`],
    ['places', `0.${digits(decimalPlacesMax + 1)}`],
    ['a million digits', '9'.repeat(1_000_000)],
  ])('refuses too many %s', (_name, text) => {
    expect(codeOf(() => parseDecimal(text))).toBe('NUMBER_TOO_LONG');
  });

  test('says where and shows no more than the start of the text', () => {
    expect(() => parseDecimal('x'.repeat(500), '/prices/0/unit_price')).toThrow(
      expect.objectContaining({
        pointer: '/prices/0/unit_price',
        detail: expect.stringMatching(/^.{20,140}$/) as string,
      }),
    );
  });
});

describe('numberTextToDecimal', () => {
  test.each([
    ['0', '0'],
    ['-0', '0'],
    ['-0.000', '0'],
    ['0e999999999999', '0'],
    ['1', '1'],
    ['1.0', '1'],
    ['1.50', '1.5'],
    ['15e-1', '1.5'],
    ['1E+3', '1000'],
    ['1.25e1', '12.5'],
    ['1.25e2', '125'],
    ['1.25e4', '12500'],
    ['100', '100'],
    ['100e-2', '1'],
    ['-1e-7', '-0.0000001'],
    ['1e-18', `0.${'0'.repeat(17)}1`],
    ['1e37', `1${'0'.repeat(37)}`],
    [`1.${'0'.repeat(60)}`, '1'],
    ['9007199254740993', '9007199254740993'],
  ])('%s is %s', (text, expected) => {
    expect(numberTextToDecimal(text)).toBe(expected);
    expect(decimalTextOf(text)).toBe(expected);
  });

  test.each([
    '1e38',
    '1e-19',
    '1e999999999',
    '-1e999999999999999999999',
    '1e-999999999',
    digits(39),
    `0.${digits(19)}`,
  ])('refuses %s as too long', (text) => {
    expect(codeOf(() => numberTextToDecimal(text))).toBe('NUMBER_TOO_LONG');
    expect(decimalTextOf(text)).toBeNull();
  });

  test.each(['', 'NaN', '01', '1.', '.5', '1e', '+1', '1 '])('refuses "%s", which is no JSON number', (text) => {
    expect(codeOf(() => numberTextToDecimal(text))).toBe('INVALID_DECIMAL');
    expect(decimalTextOf(text)).toBeNull();
  });
});

describe('the clone', () => {
  test('cannot be reconfigured, and does not care about the library default', () => {
    expect(() => D.set({ precision: 3 })).toThrow(TypeError);
    expect(new D('12345678901234567890.12').plus('0.01').toFixed()).toBe('12345678901234567890.13');
  });

  test('prints plain notation only', () => {
    expect(toDecimalString(new D('1e-18'))).toBe('0.000000000000000001');
    expect(toDecimalString(new D('1e30'))).toBe(`1${'0'.repeat(30)}`);
    expect(toDecimalString(new D('-0'))).toBe('0');
    expect(toDecimalString(new D('2.500'))).toBe('2.5');
    expect(JSON.stringify(new D('1e-8'))).toBe('"0.00000001"');
  });

  test.each([NaN, Infinity])('%s never leaves', (value) => {
    expect(() => toDecimalString(new D(value))).toThrow(/invariant/);
  });

  test('compares by value', () => {
    expect(compareDecimals('1.0' as DecimalString, '1' as DecimalString)).toBe(0);
    expect(compareDecimals('9' as DecimalString, '10' as DecimalString)).toBe(-1);
    expect(compareDecimals('-9' as DecimalString, '-10' as DecimalString)).toBe(1);
  });

  test('no addends add up to zero', () => {
    expect(addDecimals([])).toBe('0');
  });
});

describe('divide', () => {
  const tie = { half_even: '0.12', half_up: '0.13', half_down: '0.12', up: '0.13', down: '0.12' };
  const oddTie = { half_even: '0.14', half_up: '0.14', half_down: '0.13', up: '0.14', down: '0.13' };
  test.each(
    roundingModes.flatMap((mode) => [[mode, '1', '8', tie[mode]] as const, [mode, '27', '200', oddTie[mode]] as const]),
  )('%s: %s / %s to two places is %s', (mode, a, b, expected) => {
    expect(toDecimalString(divide(new D(a), new D(b), { places: 2, mode }))).toBe(expected);
    const negated = expected.replace(/^/, '-');
    expect(toDecimalString(divide(new D(a), new D(`-${b}`), { places: 2, mode }))).toBe(negated);
  });

  test('does not take a quotient just below a tie for the tie', () => {
    // a / b = 10^50 + 1/2 − 1/(2b): to the clone's 100 digits that is the tie itself.
    const b = new D('9'.repeat(50));
    const a = new D(`1${'0'.repeat(50)}`).times(b).plus(new D(`4${'9'.repeat(49)}`));
    expect(toDecimalString(a.dividedBy(b))).toBe(`1${'0'.repeat(50)}.5`);
    expect(toDecimalString(divide(a, b, { places: 0, mode: 'half_up' }))).toBe(`1${'0'.repeat(50)}`);
  });

  test('by zero is a defect', () => {
    expect(() => divide(new D(1), new D(0), { places: 2, mode: 'half_even' })).toThrow(/division by zero/);
  });
});

describe('laws', () => {
  const decimals = fc
    .tuple(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), fc.integer({ min: 0, max: decimalPlacesMax }))
    .map(([unscaled, places]) => ({ unscaled, places, text: plain(unscaled, places) }))
    .filter(({ text }) => isDecimal(text));

  test('what is parsed prints the same value, and printing is stable', () => {
    fc.assert(
      fc.property(decimals, ({ text }) => {
        const printed = toDecimalString(decimal(parseDecimal(text)));
        expect(compareDecimals(printed, text)).toBe(0);
        expect(toDecimalString(decimal(printed))).toBe(printed);
        expect(numberTextToDecimal(text)).toBe(printed);
      }),
      { numRuns: 1000 },
    );
  });

  test('sums and products of parsed numbers are exact (against integers)', () => {
    fc.assert(
      fc.property(decimals, decimals, (a, b) => {
        const sum = a.unscaled * 10n ** BigInt(18 - a.places) + b.unscaled * 10n ** BigInt(18 - b.places);
        expect(compareDecimals(addDecimals([a.text, b.text]), plain(sum, 18))).toBe(0);
        const product = toDecimalString(decimal(a.text).times(b.text));
        expect(compareDecimals(product, plain(a.unscaled * b.unscaled, a.places + b.places))).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });

  test('the order of addends does not matter', () => {
    fc.assert(
      fc.property(fc.array(decimals, { maxLength: 20 }), (list) => {
        const texts = list.map(({ text }) => text);
        expect(addDecimals([...texts].reverse())).toBe(addDecimals(texts));
      }),
    );
  });

  test('a quotient differs from the exact one by at most half a unit (a whole one for up and down)', () => {
    const modes = fc.constantFrom<RoundingMode>(...roundingModes);
    fc.assert(
      fc.property(decimals, decimals, modes, fc.integer({ min: 0, max: 18 }), (a, b, mode, places) => {
        fc.pre(b.unscaled !== 0n);
        const quotient = divide(decimal(a.text), decimal(b.text), { places, mode });
        expect(quotient.decimalPlaces()).toBeLessThanOrEqual(places);
        // |q·b − a| ≤ |b| · unit, all of it integers at one scale.
        const scale = (value: D): bigint => BigInt(value.times('1e60').toFixed(0));
        const distance = scale(quotient) * scale(decimal(b.text)) - scale(decimal(a.text)) * 10n ** 60n;
        const unit = scale(decimal(b.text)) * 10n ** BigInt(60 - places);
        const factor = mode === 'up' || mode === 'down' ? 1n : 2n;
        expect(factor * magnitude(distance) <= magnitude(unit)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

function plain(unscaled: bigint, places: number): DecimalString {
  const text = magnitude(unscaled)
    .toString()
    .padStart(places + 1, '0');
  const whole = text.slice(0, text.length - places);
  const sign = unscaled < 0n ? '-' : '';
  return (places === 0 ? `${sign}${whole}` : `${sign}${whole}.${text.slice(-places)}`) as DecimalString;
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}
