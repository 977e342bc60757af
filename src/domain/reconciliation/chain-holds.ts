import { addDecimals, decimal, toDecimalString, zero } from '../decimal.js';
import { groupBy } from '../group-by.js';
import { invoicedAmount } from '../rating/invoice-currency.js';
import { lineKeyOfCharge } from '../rating/line-key.js';
import type { RatedCharge, RatedLine } from '../rating/rating.js';
import { amountDifference, classOfGap, usageDifferences } from './difference.js';
import type { ReconciliationDifference } from './difference.js';
import { isBelowMinorUnit } from './lines.js';
import { ofMeters, usageByMeter } from './usage.js';
import type { MeterUsage } from './usage.js';

export interface GateStages {
  /** Usage at the gate's cutoff: rows of any granularity; the totals by meter are compared. */
  readonly usage: readonly MeterUsage[];
  /** Every charge that the document will stand on. */
  readonly charges: readonly RatedCharge[];
  /** Every line of the new cumulative. */
  readonly lines: readonly RatedLine[];
}

export interface HoldingChain {
  readonly holds: boolean;
  /** Why not. */
  readonly differences: readonly ReconciliationDifference[];
}

/**
 * Whether what is about to be invoiced is the usage it is made from: usage = charges in count, quantity and digest, charges =
 * lines in quantity, and in money but for the one rounding. A period whose chain does not hold is not invoiced.
 */
export function chainHolds({ usage, charges, lines }: GateStages): HoldingChain {
  const differences = [
    ...usageDifferences('aggregates→charges', usageByMeter(usage), usageByMeter(ofMeters(charges))),
    ...lineDifferences(charges, lines),
  ];
  return { holds: differences.length === 0, differences };
}

function lineDifferences(
  charges: readonly RatedCharge[],
  lines: readonly RatedLine[],
): readonly ReconciliationDifference[] {
  const byLine = groupBy(charges, lineKeyOfCharge);
  const billed = new Map(lines.map((line) => [line.lineKey, line]));
  return [...new Set([...byLine.keys(), ...billed.keys()])].sort().flatMap((lineKey) => {
    const own = byLine.get(lineKey) ?? [];
    const line = billed.get(lineKey);
    const expected = addDecimals(own.map((charge) => toDecimalString(invoicedAmount(charge))));
    const place = { stage: 'charges→lines', meter: line?.meter ?? own[0]?.meter ?? null, line_key: lineKey } as const;
    if (line === undefined) {
      // What a re-rating has retired stands for nothing, and has no line.
      if (own.every(({ eventCount, amount }) => eventCount === 0 && decimal(amount).isZero())) return [];
      return amountDifference(place, { expected, found: zero }, 'missing');
    }
    const amounts = { expected, found: line.amount };
    if (own.length === 0) return amountDifference(place, amounts, 'duplicate');
    const quantity = addDecimals(own.map((charge) => charge.quantity));
    // A fee is counted once, whichever versions share it by time.
    if (line.meter !== null && !decimal(quantity).equals(decimal(line.quantity))) {
      const difference = amountDifference(place, amounts, 'disagreement');
      return {
        ...difference,
        expected: { ...difference.expected, quantity },
        found: { ...difference.found, quantity: line.quantity },
        detail: `The line ${lineKey} shows ${line.quantity}, its charges price ${quantity}.`,
      };
    }
    const isRounded = isBelowMinorUnit(expected, line.amount, line.currency);
    return isRounded ? [] : amountDifference(place, amounts, classOfGap(expected, line.amount));
  });
}
