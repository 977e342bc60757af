import { D, decimal, toDecimalString } from '../decimal.js';
import type { DecimalString, Digest, Instant } from '../values.js';
import { noUsage, sameUsage } from './usage.js';
import type { MeterUsage } from './usage.js';

/** RULES 29. */
export type DifferenceClass = 'rounding' | 'missing' | 'duplicate' | 'disagreement' | 'large_gap';

/** Two neighbours of the chain: what the first one has, the second one must have. */
export type ChainLink =
  | 'stored→events'
  | 'events→aggregates'
  | 'aggregates→charges'
  | 'charges→lines'
  | 'lines→total'
  | 'draws→credits'
  | 'lines→journal';

/** Those that the link compares. */
export interface Figures {
  readonly count?: number;
  readonly quantity?: DecimalString;
  readonly digest?: Digest;
  readonly amount?: DecimalString;
}

/** JSON, as it is stored and shown. */
export interface ReconciliationDifference {
  readonly stage: ChainLink;
  /** null: of a document as a whole. */
  readonly meter: string | null;
  readonly line_key?: string;
  readonly window_start?: Instant;
  /** Number of the document. */
  readonly document?: string;
  readonly class: DifferenceClass;
  readonly expected: Figures;
  readonly found: Figures;
  /** found − expected; a digest has no difference. */
  readonly difference: Figures;
  readonly detail: string;
}

/** What a difference is about. */
export type DifferencePlace = Pick<
  ReconciliationDifference,
  'stage' | 'meter' | 'line_key' | 'window_start' | 'document'
>;

/**
 * Usage must be the same to the digest: fewer events downstream are missing, more are duplicates, as many of another quantity or
 * digest disagree.
 */
export function usageDifference(
  place: DifferencePlace,
  expected: MeterUsage,
  found: MeterUsage,
): ReconciliationDifference | null {
  if (sameUsage(expected, found)) return null;
  const count = found.eventCount - expected.eventCount;
  const difference: Figures = { count, quantity: minus(found.quantity, expected.quantity) };
  return {
    ...place,
    class: count === 0 ? 'disagreement' : classOfCount(count),
    expected: figuresOf(expected),
    found: figuresOf(found),
    difference,
    detail: `${sideOf(place.stage, 1)} of "${place.meter ?? ''}" count ${events(found.eventCount)} with ${found.quantity}, ${sideOf(place.stage, 0)} ${events(expected.eventCount)} with ${expected.quantity}${count === 0 && difference.quantity === '0' ? ', of other contents' : ''}.`,
  };
}

export function countDifference(
  place: DifferencePlace,
  expected: number,
  found: number,
): ReconciliationDifference | null {
  const count = found - expected;
  if (count === 0) return null;
  return {
    ...place,
    class: classOfCount(count),
    expected: { count: expected },
    found: { count: found },
    difference: { count },
    detail: `"${place.meter ?? ''}" counts ${events(found)}; stored without voided and filtered ones are ${expected}.`,
  };
}

const classOfCount = (difference: number): 'missing' | 'duplicate' => (difference < 0 ? 'missing' : 'duplicate');

/** Amounts that must be equal and are not. `entries` that are fewer or more say so, whatever their amounts. */
export function amountDifference(
  place: DifferencePlace,
  amounts: { readonly expected: DecimalString; readonly found: DecimalString },
  classOf: DifferenceClass,
): ReconciliationDifference {
  const { expected, found } = amounts;
  const of = place.line_key ?? place.document ?? place.meter ?? '';
  return {
    ...place,
    class: classOf,
    expected: { amount: expected },
    found: { amount: found },
    difference: { amount: minus(found, expected) },
    detail: `${sideOf(place.stage, 1)} of ${of} come to ${found}, ${sideOf(place.stage, 0)} to ${expected}.`,
  };
}

/** A gap of at least 1.00 of the currency's major unit, or of 1 % of the line, is a large one. */
export function classOfGap(expected: DecimalString, found: DecimalString): 'large_gap' | 'disagreement' {
  const gap = decimal(expected).minus(decimal(found)).abs();
  const line = D.max(decimal(expected).abs(), decimal(found).abs());
  return gap.greaterThanOrEqualTo(1) || gap.times(100).greaterThanOrEqualTo(line) ? 'large_gap' : 'disagreement';
}

/** All figures of usage, as JSON. */
export type UsageFigures = Required<Omit<Figures, 'amount'>>;

export const figuresOf = ({ eventCount, quantity, digest }: MeterUsage): UsageFigures => ({
  count: eventCount,
  quantity,
  digest,
});

const minus = (a: DecimalString, b: DecimalString): DecimalString => toDecimalString(decimal(a).minus(decimal(b)));

const events = (count: number): string => `${count} ${count === 1 ? 'event' : 'events'}`;

const sideOf = (link: ChainLink, side: 0 | 1): string => link.split('→')[side] ?? link;

/** By meter; a meter that one side does not have has no usage there. */
export function usageDifferences(
  stage: ChainLink,
  expected: ReadonlyMap<string, MeterUsage>,
  found: ReadonlyMap<string, MeterUsage>,
): readonly ReconciliationDifference[] {
  return sortedKeys(expected, found).flatMap(
    (meter) =>
      usageDifference({ stage, meter }, expected.get(meter) ?? noUsage(meter), found.get(meter) ?? noUsage(meter)) ??
      [],
  );
}

export function sortedKeys(...maps: readonly ReadonlyMap<string, unknown>[]): readonly string[] {
  return [...new Set(maps.flatMap((map) => [...map.keys()]))].sort();
}
