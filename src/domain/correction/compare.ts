import { addDecimals, decimal, toDecimalString, zero } from '../decimal.js';
import type { RatedLine } from '../rating/rating.js';
import type { DecimalString, GroupKey, Interval } from '../values.js';

/** What the chain of a period has invoiced on a line so far: the sum over its documents, voided ones count 0. */
export interface InvoicedLine {
  readonly lineKey: string;
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly amount: DecimalString;
  /** Of a line without a meter, what it is called and what it is for (`RatedLine`). */
  readonly name?: string;
  readonly service?: Interval;
}

/** A line of a correction: `amount` is what changes, `correctedAmount` − `originalAmount`. */
export interface CorrectionLine {
  readonly lineKey: string;
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly name?: string;
  readonly service?: Interval;
  /** The line's new cumulative quantity; 0 when nothing is left of it. */
  readonly quantity: DecimalString;
  readonly originalAmount: DecimalString;
  readonly correctedAmount: DecimalString;
  readonly amount: DecimalString;
  /** null: nothing is left of the line, so there is nothing to explain. */
  readonly rated: RatedLine | null;
}

export interface Correction {
  /** What the lines come to, before credits and tax: the subtotal of its document. */
  readonly total: DecimalString;
  /** Changed lines only, sorted by line key. */
  readonly lines: readonly CorrectionLine[];
}

/**
 * Compares what a period should cost with what was invoiced: per line round(new cumulative) − already invoiced, so that
 * corrections never drift (RULES 26). A line that is gone is corrected to 0. null when no line changes; a total of 0
 * with changed lines is a correction all the same.
 */
export function compareWithInvoiced(invoiced: readonly InvoicedLine[], rated: readonly RatedLine[]): Correction | null {
  const before = new Map(invoiced.map((line) => [line.lineKey, line]));
  const after = new Map(rated.map((line) => [line.lineKey, line]));
  const lines: CorrectionLine[] = [];
  for (const lineKey of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const was = before.get(lineKey);
    const is = after.get(lineKey);
    const identity = is ?? was;
    const originalAmount = was?.amount ?? zero;
    const correctedAmount = is?.amount ?? zero;
    const amount = decimal(correctedAmount).minus(decimal(originalAmount));
    if (identity === undefined || amount.isZero()) continue;
    lines.push({
      lineKey,
      meter: identity.meter,
      group: identity.group,
      ...(identity.name !== undefined && { name: identity.name }),
      ...(identity.service !== undefined && { service: identity.service }),
      quantity: is?.quantity ?? zero,
      originalAmount,
      correctedAmount,
      amount: toDecimalString(amount),
      rated: is ?? null,
    });
  }
  if (lines.length === 0) return null;
  const total = addDecimals(lines.map(({ amount }) => amount));
  return { total, lines };
}
