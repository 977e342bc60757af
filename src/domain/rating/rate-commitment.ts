/** A price book's minimum commitment: tops up everything else on the invoice with a line of its own (RULES 15). */
import { addDecimals, decimal, toDecimalString, zero } from '../decimal.js';
import { emptyDigest } from '../metering/digest.js';
import { convert } from '../money/conversion.js';
import { minorUnits } from '../money/currency.js';
import { roundMoney } from '../money/rounding.js';
import type { DecimalString } from '../values.js';
import { currencyProblem, rateFor } from './invoice-currency.js';
import type { Billing } from './invoice-currency.js';
import { commitmentLineKey } from './line-key.js';
import { amountText } from './models/tiers.js';
import type { RatedCharge, RatedLine, RatingInput, RatingProblem } from './rating.js';

const one = '1' as DecimalString;
const commitmentName = 'Minimum commitment';

/**
 * Of the version in force at the period's end, not prorated; null: none is in force then, it says none, or the other lines come to as
 * much. Before credits and tax. In the invoice's currency, as the lines are: a commitment in another one is converted
 * and rounded first, so that the invoice comes to just that.
 * @param segments those in which something is due (`dueIn`)
 * @param lines all others, rounded
 */
export function rateCommitment(
  { segments, ...billing }: Billing & Pick<RatingInput, 'segments'>,
  lines: readonly RatedLine[],
): RatedLine | RatingProblem | null {
  const version = segments.at(-1)?.priceBook ?? null;
  if (version === null || version.minimumCommitment === null) return null;
  const mismatch = currencyProblem(billing, [version]);
  if (mismatch !== null) return { ...mismatch, meter: commitmentName, group: {} };
  const { rounding, minimumCommitment: price } = version;
  const rate = rateFor(billing, version.currency);
  const currency = billing.currency ?? version.currency;
  const minimum = roundMoney(rate === null ? decimal(price) : convert(price, rate), currency, rounding);
  const others = addDecimals(lines.map(({ amount }) => amount));
  const missing = decimal(minimum).minus(decimal(others));
  if (missing.isZero() || missing.isNegative()) return null;
  const amount = toDecimalString(missing);
  const commitment = {
    minimum: amountText(decimal(minimum), minorUnits(currency)),
    lines: amountText(decimal(others), minorUnits(currency)),
    ...(rate !== null && { converted: { ...rate, price, rounding } }),
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
      quantity_before: zero,
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
    name: commitmentName,
    group: {},
    currency,
    quantity: one,
    amount,
    formula,
    charges: [charge],
  };
}
