/** From the currency of prices to the currency of the invoice: each charge by itself, before its line is rounded (RULES 23, 39). */
import { compareText } from '../compare-text.js';
import { decimal } from '../decimal.js';
import type { D } from '../decimal.js';
import { invariant } from '../failure.js';
import { convert } from '../money/conversion.js';
import type { AppliedRate } from '../money/conversion.js';
import { minorUnits } from '../money/currency.js';
import { roundMoney } from '../money/rounding.js';
import { add, amountText, appendTerm, ZERO } from './models/tiers.js';
import type { PriceBookVersion, RoundingMode } from './price-book.js';
import type { PriceSegment, RatedCharge, RatedLine, RatingInput, RatingProblem } from './rating.js';

export type Billing = Pick<RatingInput, 'currency' | 'rates'>;

/** What prices in a currency are converted at; `missing`: why there is no rate. */
export type RateFound = AppliedRate | { readonly missing: string };

/** By the currency of prices. */
export type ConversionRates = ReadonlyMap<string, RateFound>;

type Currencied = Pick<PriceBookVersion, 'code' | 'version' | 'currency'>;

/** What a period is priced and invoiced in. */
export interface PricedIn {
  readonly currency: string;
  readonly segments: readonly PriceSegment[];
  readonly meterSegments?: ReadonlyMap<string, readonly PriceSegment[]>;
  readonly next: { readonly segments: readonly PriceSegment[] } | undefined;
}

/** The currencies of its price books that are not the invoice's. */
export function foreignCurrencies({ currency, segments, meterSegments, next }: PricedIn): readonly string[] {
  const all = [...segments, ...[...(meterSegments?.values() ?? [])].flat(), ...(next?.segments ?? [])];
  const currencies = new Set(all.flatMap(({ priceBook }) => priceBook?.currency ?? []));
  return [...currencies].filter((own) => own !== currency).sort(compareText);
}

/** Why prices of these versions cannot stand on the invoice; null: they can. */
export function currencyProblem(
  { currency, rates }: Billing,
  versions: readonly Currencied[],
): Pick<RatingProblem, 'code' | 'detail'> | null {
  const expected = currency ?? versions.at(-1)?.currency;
  for (const { code, version, currency: own } of versions) {
    const found = rates?.get(own);
    if (own === expected || (found !== undefined && !('missing' in found))) continue;
    if (found !== undefined) return { code: 'EXCHANGE_RATE_MISSING', detail: found.missing };
    const detail = `The price book ${code} ${version} is in ${own}, the invoice in ${expected ?? ''}; with a "currency_conversion" of the customer its amounts are converted.`;
    return { code: 'CURRENCY_MISMATCH', detail };
  }
  return null;
}

/** The rate for amounts in that currency; null: it is the invoice's. */
export function rateFor({ currency, rates }: Billing, own: string): AppliedRate | null {
  if (currency === undefined || own === currency) return null;
  const found = rates?.get(own);
  if (found === undefined || 'missing' in found) return null;
  invariant(found.to === currency, `a rate from ${own} to ${found.to} converts nothing to ${currency}`);
  return found;
}

/**
 * What a charge comes to in the invoice's currency, not rounded: its amount at the rate that its explanation records.
 * A charge without one is in that currency already.
 */
export function invoicedAmount({ amount, calculation }: Pick<RatedCharge, 'amount' | 'calculation'>): D {
  const { conversion } = calculation;
  return conversion === undefined ? decimal(amount) : convert(amount, conversion);
}

/**
 * The charges of a line with their conversions, and what the line says of money: converted, added up, rounded once.
 * @param charges none of them with a problem; `amount` and `formula` are those of all of them together, as they are priced
 */
export function inInvoiceCurrency(
  line: { readonly charges: readonly RatedCharge[]; readonly formula: string; readonly amount: D },
  priced: { readonly currency: string; readonly rounding: RoundingMode },
  billing: Billing,
): Pick<RatedLine, 'currency' | 'amount' | 'formula' | 'charges'> {
  const currency = billing.currency ?? priced.currency;
  if (line.charges.every((charge) => charge.currency === currency)) {
    const amount = roundMoney(line.amount, currency, priced.rounding);
    return { currency, amount, formula: line.formula, charges: line.charges };
  }
  const charges = line.charges.map((charge) => withConversion(charge, billing));
  const amount = charges.reduce((sum, charge) => add(sum, invoicedAmount(charge)), ZERO);
  const formula = formulaOf(charges, line.formula);
  return { currency, amount: roundMoney(amount, currency, priced.rounding), formula, charges };
}

function withConversion(charge: RatedCharge, billing: Billing): RatedCharge {
  const rate = rateFor(billing, charge.currency);
  if (rate === null) return charge;
  const amount = amountText(convert(charge.amount, rate), minorUnits(rate.to));
  return { ...charge, calculation: { ...charge.calculation, conversion: { ...rate, amount } } };
}

/** `[1000 × 0.10 + 234 × 0.08] × 0.92`: what stands in brackets is in the currency of the prices. */
function formulaOf(charges: readonly RatedCharge[], formula: string): string {
  const rates = new Set(charges.map(({ calculation }) => calculation.conversion?.rate ?? null));
  const [rate] = rates;
  if (rates.size === 1) return rate === undefined || rate === null ? formula : `[${formula}] × ${rate}`;
  return charges.reduce((text, { calculation }) => {
    const own = calculation.conversion;
    const term = own === undefined ? calculation.formula : `[${calculation.formula}] × ${own.rate}`;
    return term.startsWith('−') ? appendTerm(text, term.slice(1), true) : appendTerm(text, term, false);
  }, '');
}
