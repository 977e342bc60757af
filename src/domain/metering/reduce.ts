/** From the readings of a set of events to a quantity. The order of the events means nothing. */
import { D, toDecimalString } from '../decimal.js';
import type { DecimalString, Instant } from '../values.js';
import type { Aggregation } from './meter.js';

/** One event as a meter reads it. */
export interface Reading {
  readonly eventTime: Instant;
  readonly source: string;
  readonly eventId: string;
  /** Decimal digits, as in `UsageEvent`. */
  readonly contentHash: string;
  /** What `readingOf` says. */
  readonly value: string;
}

/** Of at least one reading. `weighted_sum`: the change of the level; see levels.ts for the quantity of a period. */
export function reduce(aggregation: Aggregation, readings: readonly Reading[]): DecimalString {
  switch (aggregation) {
    case 'count':
    case 'sum':
    case 'weighted_sum':
      return sumOf(readings);
    case 'min':
      return extreme(readings, (a, b) => a.lessThan(b));
    case 'max':
      return extreme(readings, (a, b) => a.greaterThan(b));
    case 'latest':
      return toDecimalString(new D(readings.reduce((a, b) => (isLater(b, a) ? b : a)).value));
    case 'unique_count':
      return String(new Set(readings.map(({ value }) => value)).size) as DecimalString;
  }
}

function sumOf(readings: readonly Pick<Reading, 'value'>[]): DecimalString {
  let sum = new D(0);
  for (const { value } of readings) sum = sum.plus(value);
  return toDecimalString(sum);
}

function extreme(readings: readonly Reading[], isBetter: (a: D, b: D) => boolean): DecimalString {
  const values = readings.map(({ value }) => new D(value));
  return toDecimalString(values.reduce((best, value) => (isBetter(value, best) ? value : best)));
}

/** The greatest event time; at the same instant the greater event id, then the greater source (RULES 2). */
function isLater(a: Reading, b: Reading): boolean {
  if (a.eventTime !== b.eventTime) return a.eventTime > b.eventTime;
  return (compareCodePoints(a.eventId, b.eventId) || compareCodePoints(a.source, b.source)) > 0;
}

/** As UTF-8 bytes compare, and Postgres under COLLATE "C"; UTF-16 units, which `<` compares, order surrogates otherwise. */
export function compareCodePoints(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (const [index, char] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (char !== other) return (char.codePointAt(0) ?? 0) - (other.codePointAt(0) ?? 0);
  }
  return left.length - right.length;
}
