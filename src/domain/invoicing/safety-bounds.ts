import { addDecimals, decimal } from '../decimal.js';
import type { D } from '../decimal.js';
import { formatAmount } from '../money/rounding.js';
import type { DecimalString } from '../values.js';

/** Beyond these an invoice is looked at by a person before it is issued (RULES 53). */
export interface SafetyBounds {
  /** Lines at most; 0: any number. */
  readonly linesMax: number;
  /** Hold an invoice whose total is below zero. */
  readonly holdNegative: boolean;
  /** Hold what is more than so many times the mean of the customer's last invoices; 0: never. */
  readonly jumpFactor: number;
  /** Hold an invoice of 0 where none of the last ones was. */
  readonly holdZero: boolean;
  /** How many of the last invoices; with fewer, jumps and zeros say nothing. */
  readonly trailing: number;
}

/** Nothing is held. */
export const noBounds: SafetyBounds = { linesMax: 0, holdNegative: false, jumpFactor: 0, holdZero: false, trailing: 0 };

export interface TrippedBound {
  readonly bound: 'lines' | 'negative_total' | 'jump' | 'zero_after_nonzero';
  readonly detail: string;
}

interface BoundedInvoice {
  readonly lines: readonly unknown[];
  readonly subtotal: DecimalString;
  readonly total: DecimalString;
  readonly currency: string;
}

/** @param trailing subtotals of the last invoices, the newest first */
export function trippedBounds(
  { lines, subtotal, total, currency }: BoundedInvoice,
  { bounds, trailing }: { readonly bounds: SafetyBounds; readonly trailing: readonly DecimalString[] },
): readonly TrippedBound[] {
  const tripped: TrippedBound[] = [];
  const money = (amount: DecimalString | D): string => `${formatAmount(amount, currency)} ${currency}`;
  if (bounds.linesMax > 0 && lines.length > bounds.linesMax) {
    tripped.push({ bound: 'lines', detail: `It has ${lines.length} lines; more than ${bounds.linesMax} are held.` });
  }
  if (bounds.holdNegative && decimal(total).lessThan(0)) {
    tripped.push({ bound: 'negative_total', detail: `Its total is below zero: ${money(total)}.` });
  }
  const last = trailing.slice(0, bounds.trailing);
  if (bounds.trailing === 0 || last.length < bounds.trailing) return tripped;
  const sum = decimal(addDecimals(last));
  if (bounds.jumpFactor > 0 && sum.greaterThan(0)) {
    // subtotal > factor × sum ÷ n, without a division that would round.
    const isJump = decimal(subtotal).times(last.length).greaterThan(sum.times(bounds.jumpFactor));
    const of = `the last ${last.length} came to ${money(sum)} together`;
    if (isJump) {
      const detail = `Before credits it comes to ${money(subtotal)}; ${of}, and more than ${bounds.jumpFactor} times their mean is held.`;
      tripped.push({ bound: 'jump', detail });
    }
  }
  if (bounds.holdZero && decimal(subtotal).isZero() && last.every((each) => !decimal(each).isZero())) {
    tripped.push({ bound: 'zero_after_nonzero', detail: `It comes to 0; none of the last ${last.length} did.` });
  }
  return tripped;
}
