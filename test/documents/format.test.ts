import { formatAmount, formatDay, formatPeriod, formatQuantity, signOf } from '../../src/documents/format.js';
import type { LocalDate } from '../../src/domain/values.js';
import { decimal, instant } from './invoices.js';

describe('figures', () => {
  it.each([
    ['0', '0'],
    ['999', '999'],
    ['1000', '1,000'],
    ['-1234567.00000089', '-1,234,567.00000089'],
    ['12345678901234567890', '12,345,678,901,234,567,890'],
  ])('quantity %s is printed %s', (value, printed) => expect(formatQuantity(decimal(value))).toBe(printed));

  it.each([
    ['5', 2, '5.00'],
    ['5.1', 2, '5.10'],
    ['5.1000', 2, '5.10'],
    ['5.005', 2, '5.005'],
    ['-1234.5', 2, '-1,234.50'],
    ['100', 0, '100'],
    ['100.00', 0, '100'],
    ['1.5', 3, '1.500'],
  ])('amount %s with %i minor digits is printed %s', (value, digits, printed) =>
    expect(formatAmount(decimal(value), digits)).toBe(printed),
  );

  it.each([
    ['0.00', 'zero'],
    ['-0.01', 'negative'],
    ['0.01', 'positive'],
  ] as const)('%s is %s', (value, sign) => expect(signOf(decimal(value))).toBe(sign));

  it('refuses what is not a plain decimal', () => expect(() => formatQuantity(decimal('1e5'))).toThrow('1e5'));
});

describe('days', () => {
  it('are written out', () => expect(formatDay('2024-02-29' as LocalDate)).toBe('29 February 2024'));

  it.each([
    ['UTC', '2024-01-01T00:00:00.000000Z', '2024-02-01T00:00:00.000000Z', '1 January 2024 – 31 January 2024'],
    ['Asia/Kolkata', '2023-12-31T18:30:00.000000Z', '2024-01-31T18:30:00.000000Z', '1 January 2024 – 31 January 2024'],
    ['America/New_York', '2024-03-10T05:00:00.000000Z', '2024-03-11T04:00:00.000000Z', '10 March 2024'],
    // The day that Samoa skipped: the period before it ends on the 29th.
    [
      'Pacific/Apia',
      '2011-12-01T10:00:00.000000Z',
      '2011-12-30T10:00:00.000000Z',
      '1 December 2011 – 29 December 2011',
    ],
  ])('of a period in %s include the last one', (zone, from, to, printed) =>
    expect(formatPeriod(instant(from), instant(to), zone)).toBe(printed),
  );
});
