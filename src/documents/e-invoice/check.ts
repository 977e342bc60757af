/** The calculation rules of EN 16931 (BR-CO-10 to 17) and what it asks of prices and digits, on a document before it is written. */
import { addDecimals, D, decimal, zero } from '../../domain/decimal.js';
import { minorUnits } from '../../domain/money/currency.js';
import type { DecimalString } from '../../domain/values.js';
import type { VatBreakdown } from './tax-categories.js';

export interface EInvoiceTotals {
  readonly lineAmounts: readonly DecimalString[];
  /** BT-106, BT-109, BT-110, BT-112, BT-113, BT-115. */
  readonly linesTotal: DecimalString;
  readonly taxExclusive: DecimalString;
  readonly taxTotal: DecimalString;
  readonly taxInclusive: DecimalString;
  readonly prepaid: DecimalString;
  readonly payable: DecimalString;
  readonly breakdowns: readonly VatBreakdown[];
  readonly currency: string;
  /** A correction's tax is a difference of rounded amounts (RULES 56): it may be a cent off its own lines. */
  readonly isCorrection: boolean;
}

const cent = new D('0.01');

/** A sentence for every rule that does not hold. There are no allowances and charges of the document as a whole (BR-CO-11, 12). */
export function brokenRules(totals: EInvoiceTotals): readonly string[] {
  const { linesTotal, taxExclusive, taxTotal, taxInclusive, prepaid, payable, breakdowns } = totals;
  const plus = (a: DecimalString, b: DecimalString): D => decimal(a).plus(decimal(b));
  const sums = [
    ['BR-CO-10', 'the sum of the lines', decimal(addDecimals(totals.lineAmounts)), linesTotal],
    ['BR-CO-13', 'the total without tax', decimal(linesTotal), taxExclusive],
    ['BR-CO-14', 'the tax total', decimal(addDecimals(breakdowns.map(({ taxAmount }) => taxAmount))), taxTotal],
    ['BR-CO-15', 'the total with tax', plus(taxExclusive, taxTotal), taxInclusive],
    ['BR-CO-16', 'the amount due', decimal(taxInclusive).minus(decimal(prepaid)), payable],
    [
      'BR-S-08',
      'what is taxed',
      decimal(addDecimals(breakdowns.map(({ taxableAmount }) => taxableAmount))),
      taxExclusive,
    ],
  ] as const;
  return [
    ...sums.flatMap(([rule, what, should, is]) =>
      should.equals(decimal(is)) ? [] : [`${rule}: ${what} must be ${should.toFixed()}, and is ${is}.`],
    ),
    ...breakdowns
      .filter(({ code, rate }) => code === 'S' && decimal(rate ?? zero).isZero())
      .map(
        () =>
          'BR-S-05: the rate of category S (standard and reduced) must be above 0; what is taxed at 0 % is zero rated, exempt or reverse charge.',
      ),
    ...breakdowns.flatMap((own) => brokenRate(own, totals)),
    ...[...totals.lineAmounts, taxTotal, payable]
      .filter((amount) => decimal(amount).decimalPlaces() > 2)
      .slice(0, 1)
      .map((amount) => `BR-DEC: an amount has two digits after the point at most, and ${amount} has more.`),
  ];
}

/**
 * BR-CO-17: the tax of a category is its taxable amount × rate, to the cent. Of a currency without cents it can only be rounded
 * to the whole: validators take a tax that is less than one away.
 */
function brokenRate(
  { code, rate, taxableAmount, taxAmount }: VatBreakdown,
  { currency, isCorrection }: Pick<EInvoiceTotals, 'currency' | 'isCorrection'>,
): readonly string[] {
  const exact = decimal(taxableAmount)
    .times(decimal(rate ?? zero))
    .times(cent);
  const off = exact.minus(decimal(taxAmount)).abs();
  const unit = minorUnits(currency) === 0 ? new D(1) : cent;
  // Of a correction in whole yen just short of one: at one, validators refuse it.
  const allowed = isCorrection ? unit : unit.times(new D('0.5'));
  if (off.lessThanOrEqualTo(allowed) && off.lessThan(new D(1))) return [];
  return [
    `BR-CO-17: the tax of category ${code} at ${rate ?? '0'} % must be ${exact.toFixed()} rounded, and is ${taxAmount}.`,
  ];
}
