import { addDecimals, decimal, toDecimalString, zero } from '../decimal.js';
import type { Invoice } from '../invoicing/invoice.js';
import type { RatedLine, RatingProblem, RatingResult } from '../rating/rating.js';
import { totalOf } from '../rating/total.js';
import type { DecimalString, GroupKey } from '../values.js';

/** A line under the versions that the period has, and under the evaluated one; null: not on that side. */
export interface PriceComparisonLine {
  readonly lineKey: string;
  readonly meter: string | null;
  /** Of a fee, which has no meter. */
  readonly name: string | null;
  readonly group: GroupKey;
  readonly quantity: DecimalString;
  readonly current: RatedLine | null;
  readonly evaluated: RatedLine | null;
  readonly difference: DecimalString;
}

export interface PriceComparison {
  /** The two sides stand for the same usage, all of it priced. */
  readonly isComparable: boolean;
  readonly current: DecimalString;
  readonly evaluated: DecimalString;
  /** `evaluated` − `current`: below zero the customer would have paid less. */
  readonly difference: DecimalString;
  /** What the documents of the period come to before credits and tax, corrections included; null: none is issued. */
  readonly invoiced: DecimalString | null;
  /** All lines, sorted by line key. */
  readonly lines: readonly PriceComparisonLine[];
  readonly problems: readonly SidedProblem[];
}

export interface SidedProblem extends RatingProblem {
  readonly side: 'current' | 'evaluated';
}

/**
 * The same usage under two sets of versions. Totals are sums of rounded lines, as a document's are.
 * @param documents those that count, of the period's chain
 */
export function comparePrices(
  current: RatingResult,
  evaluated: RatingResult,
  documents: readonly Pick<Invoice, 'subtotal'>[],
): PriceComparison {
  const before = new Map(current.lines.map((line) => [line.lineKey, line]));
  const after = new Map(evaluated.lines.map((line) => [line.lineKey, line]));
  const lines = [...new Set([...before.keys(), ...after.keys()])]
    .sort()
    .flatMap((lineKey) => lineOf(lineKey, before.get(lineKey), after.get(lineKey)));
  const problems = [...sided('current', current), ...sided('evaluated', evaluated)];
  const totals = { current: totalOf(current), evaluated: totalOf(evaluated) };
  return {
    ...totals,
    isComparable: problems.length === 0,
    difference: minus(totals.evaluated, totals.current),
    invoiced: documents.length === 0 ? null : addDecimals(documents.map(({ subtotal }) => subtotal)),
    lines,
    problems,
  };
}

function lineOf(
  lineKey: string,
  current: RatedLine | undefined,
  evaluated: RatedLine | undefined,
): readonly PriceComparisonLine[] {
  const line = evaluated ?? current;
  if (line === undefined) return [];
  const { meter, name = null, group, quantity } = line;
  const difference = minus(evaluated?.amount ?? zero, current?.amount ?? zero);
  return [
    { lineKey, meter, name, group, quantity, current: current ?? null, evaluated: evaluated ?? null, difference },
  ];
}

function sided(side: SidedProblem['side'], { problems }: RatingResult): readonly SidedProblem[] {
  return problems.map((problem) => ({ ...problem, side }));
}

const minus = (a: DecimalString, b: DecimalString): DecimalString => toDecimalString(decimal(a).minus(decimal(b)));
