/** Fees that no usage makes (RULES 18, 20): each name and way of billing is a line, with a charge for each version in it. */
import { D, decimal, toDecimalString } from '../decimal.js';
import { emptyDigest } from '../metering/digest.js';
import { minorUnits } from '../money/currency.js';
import type { Interval } from '../values.js';
import { indexOf } from './book-index.js';
import { dueIn } from './due.js';
import { currencyProblem, inInvoiceCurrency } from './invoice-currency.js';
import { commitmentLineKey, feeLineKey } from './line-key.js';
import { priceFixed } from './models/fixed.js';
import { add, amountText, ZERO } from './models/tiers.js';
import type { FixedFee, PriceBookVersion, RoundingMode } from './price-book.js';
import type { NextPeriod, PriceSegment, RatedCharge, RatedLine, RatingInput, RatingProblem } from './rating.js';

type FeesInput = Pick<RatingInput, 'period' | 'currency' | 'rates' | 'segments' | 'usage' | 'next' | 'isOpening'>;

/** In arrears for the period itself, in advance for the next one as far as it is known. */
export function rateFees(input: FeesInput): {
  readonly lines: readonly RatedLine[];
  readonly problems: readonly RatingProblem[];
} {
  const { period, next } = input;
  const due = [
    ...feesIn({ from: period.from, to: period.to, segments: dueIn(input) }, 'in_arrears'),
    ...(next === undefined ? [] : feesIn(next, 'in_advance')),
  ];
  const lines: RatedLine[] = [];
  const problems: RatingProblem[] = [];
  for (const fee of due) {
    const rated = rateFee(fee, input);
    if (rated === null) continue;
    if ('lineKey' in rated) lines.push(rated);
    else problems.push(rated);
  }
  return { lines: lines.sort((a, b) => (a.lineKey < b.lineKey ? -1 : 1)), problems };
}

/**
 * Meters that count for fees and for nothing else: what they count is not priced by itself. Of the next period's fees only those
 * in advance count here; what is counted for the others is counted there.
 */
export function quantityOnlyMeters(
  segments: readonly PriceSegment[],
  next: NextPeriod | undefined,
): ReadonlySet<string> {
  const lists = [
    ...segments.map(({ priceBook }) => (priceBook === null ? none : indexOf(priceBook).countedForFees)),
    ...(next?.segments ?? []).map(({ priceBook }) => (priceBook === null ? none : indexOf(priceBook).countedInAdvance)),
  ];
  if (lists.every(({ length }) => length === 0)) return noMeters;
  const counted = new Set(lists.flat());
  for (const { priceBook } of segments) {
    if (priceBook !== null) for (const meter of indexOf(priceBook).byMeter.keys()) counted.delete(meter);
  }
  return counted;
}

const none: readonly string[] = [];
const noMeters: ReadonlySet<string> = new Set();

/** How the line of a fee or a commitment is rounded; null: no version bills it. */
export function feeRounding(
  lineKey: string,
  segments: readonly PriceSegment[],
  next: NextPeriod | undefined,
): RoundingMode | null {
  if (lineKey === commitmentLineKey) return segments.at(-1)?.priceBook?.rounding ?? null;
  const bills = ({ priceBook }: PriceSegment): boolean =>
    priceBook?.fees.some((fee) => feeLineKey(fee) === lineKey) ?? false;
  return (next?.segments.findLast(bills) ?? segments.findLast(bills))?.priceBook?.rounding ?? null;
}

interface VersionFee {
  readonly version: PriceBookVersion;
  readonly fee: FixedFee;
  readonly inForce: Interval[];
}

/** A fee over one period, with its versions in order of time; the last one decides what they share. */
interface DueFee {
  readonly period: Interval;
  readonly versions: readonly VersionFee[];
  readonly last: VersionFee;
}

function feesIn(period: NextPeriod, billed: FixedFee['billed']): readonly DueFee[] {
  const byName = new Map<string, Map<string, VersionFee>>();
  for (const { from, to, priceBook } of period.segments) {
    if (priceBook === null) continue;
    for (const fee of priceBook.fees.filter((own) => own.billed === billed)) {
      const versions = byName.get(fee.name) ?? new Map<string, VersionFee>();
      byName.set(fee.name, versions);
      const known = versions.get(priceBook.priceBookId) ?? { version: priceBook, fee, inForce: [] };
      // In order of their last stretch: a version may come back after another one's end.
      versions.delete(priceBook.priceBookId);
      versions.set(priceBook.priceBookId, known);
      known.inForce.push({ from, to });
    }
  }
  return [...byName.values()].flatMap((byVersion) => {
    const versions = [...byVersion.values()];
    const last = versions.at(-1);
    return last === undefined ? [] : { period, versions: holding(versions, last), last };
  });
}

/** Shares by time need the same way of counting in each version; otherwise, and for a fee that is due whole, the last one holds. */
function holding(versions: readonly VersionFee[], last: VersionFee): readonly VersionFee[] {
  const alike = versions.every(
    ({ fee }) => fee.prorate === last.fee.prorate && fee.quantityMeter === last.fee.quantityMeter,
  );
  if (last.fee.prorate && alike) return versions;
  const inForce = versions.flatMap((version) => version.inForce).sort((a, b) => (a.from < b.from ? -1 : 1));
  return [{ ...last, inForce }];
}

function rateFee({ period, versions, last }: DueFee, input: FeesInput): RatedLine | RatingProblem | null {
  const { name } = last.fee;
  const mismatch = currencyProblem(
    input,
    versions.map(({ version }) => version),
  );
  if (mismatch !== null)
    return { ...mismatch, meter: name, group: {}, detail: `The fee "${name}": ${mismatch.detail}` };
  const quantity = quantityOf(last.fee, input);
  if (quantity.isZero()) return null;
  if (quantity.isNegative()) {
    const detail = `The usage of "${last.fee.quantityMeter ?? ''}", which the fee "${name}" is counted by, adds up to ${toDecimalString(quantity)}.`;
    return { code: 'NEGATIVE_TOTAL', meter: last.fee.quantityMeter ?? name, group: {}, detail };
  }
  const lineKey = feeLineKey(last.fee);
  const charges = versions.map((own) => feeCharge(own, { lineKey, quantity, period }));
  const formula = charges.map(({ calculation }) => calculation.formula).join(' + ');
  const amount = charges.reduce((sum, charge) => add(sum, decimal(charge.amount)), ZERO);
  return {
    lineKey,
    meter: null,
    name,
    ...(last.fee.item !== undefined && { item: last.fee.item }),
    group: {},
    ...serviceOf({ period, versions, last }, input.period),
    quantity: toDecimalString(quantity),
    ...inInvoiceCurrency({ charges, formula, amount }, last.version, input),
  };
}

/** What the line is for: of a prorated fee the time from its first stretch in force to its last. */
function serviceOf({ period, versions, last }: DueFee, invoiced: Interval): { readonly service?: Interval } {
  const stretches = versions.flatMap(({ inForce }) => inForce);
  const from = last.fee.prorate ? stretches.map((own) => own.from).reduce((a, b) => (a < b ? a : b)) : period.from;
  const to = last.fee.prorate ? stretches.map((own) => own.to).reduce((a, b) => (a > b ? a : b)) : period.to;
  return from === invoiced.from && to === invoiced.to ? {} : { service: { from, to } };
}

/** Of all groups together, in the invoice's period: of the next one nothing is known yet. */
function quantityOf({ quantityMeter }: FixedFee, { usage }: FeesInput): D {
  if (quantityMeter === null) return new D(1);
  return usage
    .filter(({ meter }) => meter === quantityMeter)
    .reduce((sum, row) => add(sum, decimal(row.quantity)), ZERO);
}

function feeCharge(
  { version, fee, inForce }: VersionFee,
  { lineKey, quantity, period }: { readonly lineKey: string; readonly quantity: D; readonly period: Interval },
): RatedCharge {
  const priced = priceFixed(fee, { quantity, period, inForce });
  const units = toDecimalString(quantity);
  return {
    meter: null,
    lineKey,
    group: {},
    priceBookId: version.priceBookId,
    currency: version.currency,
    quantity: units,
    amount: amountText(priced.amount, minorUnits(version.currency)),
    eventCount: 0,
    digest: emptyDigest,
    calculation: {
      model: 'fixed',
      formula: priced.formula,
      quantity: units,
      unit_price: priced.unitPrice,
      tiers: [],
      quantity_before: toDecimalString(ZERO),
      period_quantity: units,
      price_book: version.code,
      price_book_version: version.version,
      effective_date: version.effectiveFrom,
      in_force: inForce,
      ...priced.details,
    },
  };
}
