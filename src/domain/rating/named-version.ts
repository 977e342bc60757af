import type { Instant, Interval, LocalDate } from '../values.js';
import type { Membership } from '../rollout/inclusion.js';
import { isOverride } from './overrides.js';
import type { PriceBookVersion } from './price-book.js';
import type { PriceSegment } from './rating.js';
import { priceSegments, startOfVersion } from './segments.js';
import type { Memberships } from './segments.js';

/** The segments of a period, and those of the one after it where a fee is billed in advance for that. */
export interface PinnedPrices {
  readonly segments: readonly PriceSegment[];
  readonly next: readonly PriceSegment[] | null;
}

/**
 * What prices a period once a re-rating names a price book version (RULES 21). Where the version holds in the period by the usual
 * rule, it does so for usage and for fees in advance alike; where it is forced into the period, it is forced into the next one too.
 * A version that begins after the period moves the fees in advance alone. null: it is valid in neither.
 */
export function pricesWithNamed(
  pinned: PinnedPrices,
  named: PriceBookVersion,
  dates: NamingDates,
): PinnedPrices | null {
  const { segments, next } = pinned;
  const nextByRule = next === null ? null : segmentsByRule(next, named, dates);
  const byRule = segmentsByRule(segments, named, dates);
  if (byRule !== null) return { segments: byRule, next: nextByRule ?? next };
  const forced = segmentsByForce(segments, named, dates);
  if (forced === null) return nextByRule === null ? null : { segments, next: nextByRule };
  return { segments: forced, next: next === null ? null : (nextByRule ?? segmentsByForce(next, named, dates) ?? next) };
}

/**
 * The segments of a period once a re-rating names a price book version (RULES 21). By the usual rule, as if it had been
 * learned last: among the pinned versions of its price book it holds from its `effective_from` to the next one; a candidate
 * holds from where it is pinned until it was rolled back (RULES 41). Where it would then never hold (it begins before the
 * pinned ones, or is of another price book), it replaces whatever is pinned for as long as it is valid. null: it is not valid
 * at any time in the period.
 */
export function segmentsWithNamed(
  pinned: readonly PriceSegment[],
  named: PriceBookVersion,
  dates: NamingDates,
): readonly PriceSegment[] | null {
  return segmentsByRule(pinned, named, dates) ?? segmentsByForce(pinned, named, dates);
}

function segmentsByRule(
  pinned: readonly PriceSegment[],
  named: PriceBookVersion,
  dates: NamingDates,
): readonly PriceSegment[] | null {
  const found = merged(pinned.flatMap((segment) => ruledBy(segment, { pinned, named, ...dates })));
  return holds(found, named) ? found : null;
}

function segmentsByForce(
  pinned: readonly PriceSegment[],
  named: PriceBookVersion,
  { startOfDay }: NamingDates,
): readonly PriceSegment[] | null {
  const from = startOfVersion(named, startOfDay);
  const found = merged(pinned.flatMap((segment) => forcedInto(segment, named, { from, to: named.effectiveUntil })));
  return holds(found, named) ? found : null;
}

const holds = (segments: readonly PriceSegment[], version: PriceBookVersion): boolean =>
  segments.some(({ priceBook }) => priceBook?.priceBookId === version.priceBookId);

export interface NamingDates {
  readonly startOfDay: (date: LocalDate) => Instant;
  /** By the price book id of a candidate, when it was rolled back. */
  readonly rolledBack: ReadonlyMap<string, Instant>;
}
interface Naming extends NamingDates {
  readonly pinned: readonly PriceSegment[];
  readonly named: PriceBookVersion;
}

/** Candidates as they are pinned: the customer was included where the first of their segments begins, until the rollback. */
function pinnedMemberships(pinned: readonly PriceSegment[], rolledBack: NamingDates['rolledBack']): Memberships {
  const memberships = new Map<string, Membership>();
  for (const { from, priceBook } of pinned) {
    if (priceBook?.isCandidate !== true || memberships.has(priceBook.priceBookId)) continue;
    memberships.set(priceBook.priceBookId, {
      included: null,
      everybody: { from, kind: 'all', sequence: 1 },
      until: rolledBack.get(priceBook.priceBookId) ?? null,
    });
  }
  return memberships;
}

function ruledBy(segment: PriceSegment, { pinned, named, startOfDay, rolledBack }: Naming): readonly PriceSegment[] {
  if (segment.priceBook !== null && segment.priceBook.code !== named.code) return [segment];
  const versions = pinned.flatMap(({ priceBook }) =>
    priceBook?.code === named.code && priceBook.priceBookId !== named.priceBookId ? [priceBook] : [],
  );
  const learnedLast = versions.reduce((latest, { learnedOrder }) => Math.max(latest, learnedOrder), 0) + 1;
  const assignments = [{ priceBook: named.code, effectiveFrom: null, learnedOrder: 1 }];
  // Whoever names a candidate decides that it holds, whatever its rollout says.
  const { isCandidate: _isCandidate, ...version } = named;
  const found = priceSegments(segment, {
    assignments,
    versions: [...versions, { ...version, learnedOrder: learnedLast }],
    startOfDay,
    memberships: pinnedMemberships(pinned, rolledBack),
  });
  // The rule is asked about the named version only: elsewhere the pins stay, whatever versions they are.
  return found.map((part) =>
    part.priceBook?.priceBookId === named.priceBookId
      ? { from: part.from, to: part.to, priceBook: named }
      : { from: part.from, to: part.to, priceBook: segment.priceBook },
  );
}

function forcedInto(
  segment: PriceSegment,
  named: PriceBookVersion,
  valid: { readonly from: Instant; readonly to: Instant | null },
): readonly PriceSegment[] {
  // A customer's own prices hold beside any price book, and so beside a correction of one.
  if (isOverride(segment.priceBook)) return [segment];
  const from = valid.from > segment.from ? valid.from : segment.from;
  const to = valid.to !== null && valid.to < segment.to ? valid.to : segment.to;
  if (from >= to) return [segment];
  const parts: readonly PriceSegment[] = [
    { from: segment.from, to: from, priceBook: segment.priceBook },
    { from, to, priceBook: named },
    { from: to, to: segment.to, priceBook: segment.priceBook },
  ];
  return parts.filter((part: Interval) => part.from < part.to);
}

/** Neighbours with the same version are one segment. */
function merged(segments: readonly PriceSegment[]): readonly PriceSegment[] {
  const result: PriceSegment[] = [];
  for (const segment of segments) {
    const last = result.at(-1);
    if (last !== undefined && last.priceBook?.priceBookId === segment.priceBook?.priceBookId) {
      result[result.length - 1] = { ...last, to: segment.to };
    } else {
      result.push(segment);
    }
  }
  return result;
}
