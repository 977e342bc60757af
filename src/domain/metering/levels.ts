/** `weighted_sum`: a level that events change and time weighs (RULES 3). */
import { D, divide, toDecimalString } from '../decimal.js';
import { instantToMicros } from '../time/instant.js';
import type { DecimalString, Instant } from '../values.js';
import type { Reading } from './reduce.js';

/** Digits after the point of a quantity. */
export const levelPlaces = 12;

/** One stretch between two bounds. */
export interface LevelStretch {
  /** The integral of the level over the stretch, divided by its length. */
  readonly quantity: DecimalString;
  readonly openingLevel: DecimalString;
  readonly closingLevel: DecimalString;
  /** Those that changed the level within it. */
  readonly readings: readonly Reading[];
}

/**
 * The level between consecutive bounds, carried from one stretch into the next; readings before the first bound make up the
 * level that it begins with. Integers over microseconds, divided last and rounded once, half-even.
 */
export function levelsBetween(readings: readonly Reading[], bounds: readonly Instant[]): readonly LevelStretch[] {
  const [first] = bounds;
  let level = new D(0);
  for (const { eventTime, value } of readings) {
    if (first !== undefined && eventTime < first) level = level.plus(value);
  }
  return bounds.slice(1).map((to, index) => {
    const from = bounds[index] ?? to;
    const within = readings.filter(({ eventTime }) => eventTime >= from && eventTime < to);
    const openingLevel = level;
    let integral = level.times(microsBetween(from, to));
    for (const { eventTime, value } of within) {
      integral = integral.plus(new D(value).times(microsBetween(eventTime, to)));
      level = level.plus(value);
    }
    const average = divide(integral, new D(microsBetween(from, to)), { places: levelPlaces, mode: 'half_even' });
    return {
      quantity: toDecimalString(average),
      openingLevel: toDecimalString(openingLevel),
      closingLevel: toDecimalString(level),
      readings: within,
    };
  });
}

const microsBetween = (from: Instant, to: Instant): string => (instantToMicros(to) - instantToMicros(from)).toString();
