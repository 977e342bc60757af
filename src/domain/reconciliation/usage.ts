import { addDecimals, decimal, zero } from '../decimal.js';
import { groupBy } from '../group-by.js';
import { sumDigests, emptyDigest } from '../metering/digest.js';
import type { DecimalString, Digest } from '../values.js';

/** Usage of one meter as one stage of the chain has it. */
export interface MeterUsage {
  readonly meter: string;
  readonly quantity: DecimalString;
  readonly eventCount: number;
  readonly digest: Digest;
}

export const noUsage = (meter: string): MeterUsage => ({ meter, quantity: zero, eventCount: 0, digest: emptyDigest });

/** Totals by meter of rows of disjoint sets of events: windows, groups, segments, charges. */
export function usageByMeter(rows: readonly MeterUsage[]): ReadonlyMap<string, MeterUsage> {
  return new Map(
    [...groupBy(rows, ({ meter }) => meter)].map(([meter, own]) => [
      meter,
      {
        meter,
        quantity: addDecimals(own.map(({ quantity }) => quantity)),
        eventCount: own.reduce((sum, { eventCount }) => sum + eventCount, 0),
        digest: sumDigests(own.map(({ digest }) => digest)),
      },
    ]),
  );
}

/** What charges say of usage: fees say nothing. */
export function ofMeters<C extends Omit<MeterUsage, 'meter'> & { readonly meter: string | null }>(
  charges: readonly C[],
): readonly (C & MeterUsage)[] {
  return charges.filter((charge): charge is C & MeterUsage => charge.meter !== null);
}

/** The same events with the same quantity. */
export function sameUsage(a: MeterUsage, b: MeterUsage): boolean {
  return a.eventCount === b.eventCount && a.digest === b.digest && decimal(a.quantity).equals(decimal(b.quantity));
}

/**
 * Usage of meters that do not add up over windows, of the whole period by pricing group: that is what is charged for, and what
 * stages are compared by. Their windows are compared as well, but only with one another.
 */
export interface OverPeriod {
  readonly meters: ReadonlySet<string>;
  readonly usage: readonly MeterUsage[];
}

/** Of meters that add up from their windows, of the others from their rows of the period. */
export function chargedUsage(
  windows: readonly MeterUsage[],
  { meters, usage }: OverPeriod,
): ReadonlyMap<string, MeterUsage> {
  return usageByMeter([...windows.filter(({ meter }) => !meters.has(meter)), ...usage]);
}

export function onlyOf(
  usage: ReadonlyMap<string, MeterUsage>,
  meters: ReadonlySet<string>,
): ReadonlyMap<string, MeterUsage> {
  return new Map([...usage].filter(([meter]) => meters.has(meter)));
}
