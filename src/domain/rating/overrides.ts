/** Prices that hold for one customer beside the assigned price book (RULES 34). */
import type { Interval } from '../values.js';
import type { PriceBookVersion } from './price-book.js';
import type { PriceSegment } from './rating.js';

const prefix = 'override:';

/** The price book of a customer's own; nobody else is assigned to it. */
export const overrideCode = (customerId: string): string => `${prefix}${customerId}`;

/** Whether a code is kept for overrides. */
export const isOverrideCode = (code: string): boolean => code.startsWith(prefix);

export const isOverride = (priceBook: Pick<PriceBookVersion, 'code'> | null): boolean =>
  priceBook !== null && isOverrideCode(priceBook.code);

/**
 * By meter code, the segments of the meters that an override prices: where it does, it holds instead of the price book, and
 * its beginning and end act as a change of version (RULES 20). All other meters are priced by `segments` as they are.
 * @param overrides tile the period as `segments` do; null where no override is in force
 */
export function withOverrides(
  segments: readonly PriceSegment[],
  overrides: readonly PriceSegment[],
): ReadonlyMap<string, readonly PriceSegment[]> {
  const meters = new Set(overrides.flatMap(({ priceBook }) => (priceBook?.prices ?? []).map(({ meter }) => meter)));
  return new Map([...meters].map((meter) => [meter, overlaid(segments, overrides, meter)]));
}

/** The same overrides over other segments: what they price stays theirs. */
export function keepingOverrides(
  segments: readonly PriceSegment[],
  meterSegments: ReadonlyMap<string, readonly PriceSegment[]>,
): ReadonlyMap<string, readonly PriceSegment[]> {
  const overridden = [...meterSegments].filter(([, own]) => own.some(({ priceBook }) => isOverride(priceBook)));
  return new Map(overridden.map(([meter, own]) => [meter, overlaid(segments, own.map(overrideAlone), meter)]));
}

const overrideAlone = (segment: PriceSegment): PriceSegment =>
  isOverride(segment.priceBook) ? segment : { ...segment, priceBook: null };

function overlaid(
  segments: readonly PriceSegment[],
  overrides: readonly PriceSegment[],
  meter: string,
): readonly PriceSegment[] {
  const result: PriceSegment[] = [];
  for (const segment of segments) {
    for (const override of overrides) {
      const part = intersection(segment, override);
      if (part === null) continue;
      const isPriced = override.priceBook?.prices.some((price) => price.meter === meter) ?? false;
      // Where no book is assigned nothing is due, and usage is held.
      const overrides = isPriced && segment.priceBook !== null;
      append(result, { ...part, priceBook: overrides ? override.priceBook : segment.priceBook });
    }
  }
  return result;
}

function intersection(a: Interval, b: Interval): Interval | null {
  const from = a.from > b.from ? a.from : b.from;
  const to = a.to < b.to ? a.to : b.to;
  return from < to ? { from, to } : null;
}

/** Neighbours with the same version are one segment. */
function append(segments: PriceSegment[], segment: PriceSegment): void {
  const last = segments.at(-1);
  if (last !== undefined && last.priceBook?.priceBookId === segment.priceBook?.priceBookId) {
    segments[segments.length - 1] = { ...last, to: segment.to };
  } else {
    segments.push(segment);
  }
}
