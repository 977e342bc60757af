import { addDecimals, D, decimal, toDecimalString, zero } from '../decimal.js';
import { invoicedLines } from '../correction/invoiced.js';
import type { Invoice } from '../invoicing/invoice.js';
import { minorUnits } from '../money/currency.js';
import { roundMoney } from '../money/rounding.js';
import { invoicedAmount } from '../rating/invoice-currency.js';
import { lineKeyOfCharge } from '../rating/line-key.js';
import type { RoundingMode } from '../rating/price-book.js';
import type { RatedCharge } from '../rating/rating.js';
import type { DecimalString, GroupKey } from '../values.js';
import { amountDifference, classOfGap } from './difference.js';
import type { DifferenceClass, DifferencePlace, ReconciliationDifference } from './difference.js';

/** A line of the chain: what its charges come to, and what its documents have billed, all together. JSON. */
export interface LineStages {
  readonly line_key: string;
  readonly meter: string | null;
  /** In the invoice's currency, not rounded. */
  readonly charged: DecimalString;
  readonly invoiced: DecimalString;
  /** What rounding added: invoiced − charged. */
  readonly rounding: DecimalString;
}

export interface LineComparison {
  readonly lines: readonly LineStages[];
  readonly differences: readonly ReconciliationDifference[];
}

/** How a line is rounded; null: no version of its price book says. */
export type RoundingOf = (line: {
  readonly lineKey: string;
  readonly meter: string | null;
  readonly group: GroupKey;
}) => RoundingMode | null;

interface LineInput {
  readonly currency: string;
  /** The period's current charges. */
  readonly charges: readonly Pick<RatedCharge, 'meter' | 'lineKey' | 'group' | 'amount' | 'calculation'>[];
  /** Those that count. */
  readonly documents: readonly Pick<Invoice, 'lines'>[];
  readonly roundingOf: RoundingOf;
}

/**
 * Per line the documents must come to the charges, rounded once. A gap below the minor unit is "rounding" and can be nowhere
 * else (RULES 29); a line that was never billed is missing, one without charges a duplicate.
 */
export function compareLines({ currency, charges, documents, roundingOf }: LineInput): LineComparison {
  const charged = new Map<
    string,
    { readonly meter: string | null; readonly group: GroupKey; readonly amounts: DecimalString[] }
  >();
  for (const charge of charges) {
    const { meter, group } = charge;
    const amount = toDecimalString(invoicedAmount(charge));
    const key = lineKeyOfCharge(charge);
    const known = charged.get(key);
    if (known === undefined) charged.set(key, { meter, group, amounts: [amount] });
    else known.amounts.push(amount);
  }
  const invoiced = new Map(invoicedLines(documents).map((line) => [line.lineKey, line]));
  const lines: LineStages[] = [];
  const differences: ReconciliationDifference[] = [];
  for (const key of [...new Set([...charged.keys(), ...invoiced.keys()])].sort()) {
    const is = charged.get(key);
    const billed = invoiced.get(key);
    const meter = is?.meter ?? billed?.meter ?? null;
    const line = {
      charged: addDecimals(is?.amounts ?? []),
      invoiced: billed === undefined ? zero : addDecimals([billed.amount]),
    };
    const rounding = decimal(line.invoiced).minus(decimal(line.charged));
    lines.push({ line_key: key, meter, ...line, rounding: toDecimalString(rounding) });
    const place = { stage: 'charges→lines', meter, line_key: key } as const;
    const mode = roundingOf({ lineKey: key, meter, group: is?.group ?? billed?.group ?? {} });
    const presence = { isCharged: is !== undefined, isBilled: billed !== undefined };
    const difference = differenceOf(place, { ...line, ...presence, currency, mode });
    if (difference !== null) differences.push(difference);
  }
  return { lines, differences };
}

interface ComparedLine extends Pick<LineStages, 'charged' | 'invoiced'> {
  readonly isCharged: boolean;
  readonly isBilled: boolean;
  readonly currency: string;
  readonly mode: RoundingMode | null;
}

function differenceOf(place: DifferencePlace, line: ComparedLine): ReconciliationDifference | null {
  const expected = line.mode === null ? line.charged : roundMoney(line.charged, line.currency, line.mode);
  if (decimal(expected).equals(decimal(line.invoiced))) return null;
  return amountDifference(place, { expected, found: line.invoiced }, classOf(line, expected));
}

function classOf(line: ComparedLine, expected: DecimalString): DifferenceClass {
  if (isBelowMinorUnit(line.charged, line.invoiced, line.currency)) return 'rounding';
  if (!line.isBilled) return 'missing';
  return line.isCharged ? classOfGap(expected, line.invoiced) : 'duplicate';
}

/** Whether two amounts differ by less than the currency's minor unit. */
export function isBelowMinorUnit(a: DecimalString, b: DecimalString, currency: string): boolean {
  return decimal(a)
    .minus(decimal(b))
    .abs()
    .lessThan(new D(`1e-${minorUnits(currency)}`));
}
