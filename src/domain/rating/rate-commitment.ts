/** A price book's minimum commitment: tops up everything else on the invoice with a line of its own (RULES 15). */
import { addDecimals, decimal, toDecimalString } from '../decimal.js';
import { emptyDigest } from '../metering/digest.js';
import { minorUnits } from '../money/currency.js';
import { roundMoney } from '../money/rounding.js';
import type { DecimalString } from '../values.js';
import { commitmentLineKey } from './line-key.js';
import { amountText } from './models/tiers.js';
import type { RatedCharge, RatedLine, RatingInput } from './rating.js';

const one = '1' as DecimalString;
const nothing = '0' as DecimalString;

/**
 * Of the version in force at the period's end, not prorated; null: none is in force then, it says none, or the other lines
 * come to as much. Before credits and tax.
 * @param lines all others, rounded
 */
export function rateCommitment(
  { segments, currency: expected }: Pick<RatingInput, 'segments' | 'currency'>,
  lines: readonly RatedLine[],
): RatedLine | null {
  const version = segments.at(-1)?.priceBook ?? null;
  if (version === null || version.minimumCommitment === null) return null;
  const { currency, rounding } = version;
  if (expected !== undefined && expected !== currency) return null;
  const minimum = roundMoney(decimal(version.minimumCommitment), currency, rounding);
  const others = addDecimals(lines.map(({ amount }) => amount));
  const missing = decimal(minimum).minus(decimal(others));
  if (missing.isZero() || missing.isNegative()) return null;
  const amount = toDecimalString(missing);
  const commitment = {
    minimum: amountText(decimal(minimum), minorUnits(currency)),
    lines: amountText(decimal(others), minorUnits(currency)),
  };
  const isCredit = others.startsWith('-');
  const formula = isCredit
    ? `${commitment.minimum} + ${commitment.lines.slice(1)}`
    : `${commitment.minimum} − ${commitment.lines}`;
  const last = segments.at(-1);
  const charge: RatedCharge = {
    meter: null,
    lineKey: commitmentLineKey,
    group: {},
    priceBookId: version.priceBookId,
    currency,
    quantity: one,
    amount,
    eventCount: 0,
    digest: emptyDigest,
    calculation: {
      model: 'minimum_commitment',
      formula,
      quantity: one,
      unit_price: null,
      tiers: [],
      quantity_before: nothing,
      period_quantity: one,
      price_book: version.code,
      price_book_version: version.version,
      effective_date: version.effectiveFrom,
      in_force: last === undefined ? [] : [{ from: last.from, to: last.to }],
      commitment,
    },
  };
  return {
    lineKey: commitmentLineKey,
    meter: null,
    name: 'Minimum commitment',
    group: {},
    currency,
    quantity: one,
    amount,
    formula,
    charges: [charge],
  };
}
