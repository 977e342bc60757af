/** How a level went over a period: what a `weighted_sum` is the mean of (RULES 3). */
import { addDecimals, compareDecimals, D, decimal, divide } from '../decimal.js';
import { instantToMicros } from '../time/instant.js';
import type { DecimalString, Instant, Interval } from '../values.js';

export interface LevelStretch extends Interval {
  readonly level: DecimalString;
}

/** Digits of the quantity of a `weighted_sum` (RULES 3). */
const places = 12;

/**
 * The levels of a period one after another, which together last as long as it does.
 * @param opening what the period began with
 * @param changes in order of event time
 * @returns null where they do not come to `quantity`: then they are not all there is to say
 */
export function levelStretches(
  period: Interval,
  {
    opening,
    changes,
    quantity,
  }: {
    readonly opening: DecimalString;
    readonly changes: readonly { readonly eventTime: Instant; readonly change: DecimalString }[];
    readonly quantity: DecimalString;
  },
): readonly LevelStretch[] | null {
  const stretches: LevelStretch[] = [];
  let [from, level] = [period.from, opening];
  for (const { eventTime, change } of changes) {
    if (eventTime > from) stretches.push({ from, to: eventTime, level });
    [from, level] = [eventTime, addDecimals([level, change])];
  }
  stretches.push({ from, to: period.to, level });
  const micros = ({ from: start, to }: Interval): D => new D((instantToMicros(to) - instantToMicros(start)).toString());
  const whole = stretches.reduce((sum, each) => sum.plus(micros(each).times(decimal(each.level))), new D(0));
  const mean = divide(whole, micros(period), { places, mode: 'half_even' });
  return compareDecimals(mean.toFixed() as DecimalString, quantity) === 0 ? stretches : null;
}
