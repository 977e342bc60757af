import { isLocalDate } from '../time/effective-from.js';
import type { Instant, Interval, LocalDate } from '../values.js';
import { assignmentAt, currentAssignments } from './assignments.js';
import type { AssignedPriceBook } from './assignments.js';
import type { Membership } from '../rollout/inclusion.js';
import type { PriceBookVersion } from './price-book.js';
import type { PriceSegment } from './rating.js';

/** By candidate's price book id, what its rollout says of the customer. A candidate that is missing holds for nobody. */
export type Memberships = ReadonlyMap<string, Membership>;

export interface PriceSchedule {
  readonly assignments: readonly AssignedPriceBook[];
  /** All known versions of the assigned price books; of others too, they are passed over. */
  readonly versions: readonly PriceBookVersion[];
  /** Midnight of a local date in the customer's zone (RULES 19). */
  readonly startOfDay: (date: LocalDate) => Instant;
  /** Left out: no candidate holds. */
  readonly memberships?: Memberships;
}

/** What tells when each version begins and ends for a customer. */
export type VersionDates = Pick<PriceSchedule, 'startOfDay' | 'memberships'>;

interface DatedVersion {
  readonly version: PriceBookVersion;
  readonly from: Instant;
  readonly until: Instant | null;
  /** A stage of a rollout chose the customer: of versions that begin together this one holds, whatever is learned later. */
  readonly isChosen: boolean;
}

/**
 * The price segments of a period: they tile it in order, each with the version in force (RULES 19–21), and no two
 * neighbours have the same one.
 *
 * The assignment in force is the one with the latest `effectiveFrom` at or before an instant that has not ended; of its price
 * book the version in force is the one with the latest `effective_from` that has not reached its `effective_until` (so a version
 * with an end gives way to the one before it). Equal dates: the one learned last holds, and the other never again.
 *
 * A candidate begins when its rollout includes the customer, not before its own date, and ends when it is rolled back, so that
 * the version before it holds again (RULES 41).
 */
export function priceSegments(period: Interval, schedule: PriceSchedule): readonly PriceSegment[] {
  const versions = currentVersions(schedule);
  const assignments = currentAssignments(schedule.assignments);
  const segments: PriceSegment[] = [];
  const bounds = boundsWithin(period, assignments, versions);
  for (const [index, from] of bounds.entries()) {
    const to = bounds[index + 1] ?? period.to;
    const priceBook = inForce(from, assignments, versions);
    const previous = segments.at(-1);
    if (previous !== undefined && previous.priceBook?.priceBookId === priceBook?.priceBookId) {
      segments[segments.length - 1] = { ...previous, to };
    } else {
      segments.push({ from, to, priceBook });
    }
  }
  return segments;
}

/** The version of one price book in force at an instant; null before the first one and after the last one's end. */
export function versionInForce(
  versions: readonly PriceBookVersion[],
  at: Instant,
  dates: VersionDates,
): PriceBookVersion | null {
  return latestVersion(currentVersions({ versions, ...dates }), at);
}

/** Dates resolved, and of those that begin together only the one learned last; candidates take the place of none for good. */
function currentVersions({
  versions,
  startOfDay,
  memberships,
}: Omit<PriceSchedule, 'assignments'>): readonly DatedVersion[] {
  const byStart = new Map<string, DatedVersion>();
  const rolledOut: DatedVersion[] = [];
  for (const version of versions) {
    const from = startOfVersion(version, startOfDay);
    if (version.isCandidate === true) {
      rolledOut.push(...datesOfCandidate(version, from, memberships?.get(version.priceBookId)));
      continue;
    }
    const key = JSON.stringify([version.code, from]);
    const known = byStart.get(key);
    if (known === undefined || known.version.learnedOrder < version.learnedOrder) {
      byStart.set(key, { version, from, until: version.effectiveUntil, isChosen: false });
    }
  }
  return [...byStart.values(), ...rolledOut];
}

/** For whom a stage chose it from then on, and from the stage for all on as any version. */
function datesOfCandidate(
  version: PriceBookVersion,
  start: Instant,
  membership: Membership | undefined,
): readonly DatedVersion[] {
  if (membership === undefined) return [];
  const { included, everybody } = membership;
  const until = earlier(version.effectiveUntil, membership.until);
  const datedFrom = (from: Instant, isChosen: boolean): DatedVersion => ({
    version,
    from: from > start ? from : start,
    until,
    isChosen,
  });
  return [
    ...(included === null ? [] : [datedFrom(included.from, included.kind !== 'all')]),
    ...(everybody === null ? [] : [datedFrom(everybody.from, false)]),
  ];
}

function earlier(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}

/** When a version begins for a customer: its instant, or midnight of its date in the customer's zone (RULES 19). */
export function startOfVersion(version: PriceBookVersion, startOfDay: PriceSchedule['startOfDay']): Instant {
  const { effectiveFrom } = version;
  return isLocalDate(effectiveFrom) ? startOfDay(effectiveFrom) : effectiveFrom;
}

function boundsWithin(
  period: Interval,
  assignments: readonly AssignedPriceBook[],
  versions: readonly DatedVersion[],
): readonly Instant[] {
  const bounds = new Set<Instant>([period.from]);
  const add = (at: Instant | null): void => {
    if (at !== null && at > period.from && at < period.to) bounds.add(at);
  };
  for (const { effectiveFrom, effectiveUntil = null } of assignments) {
    add(effectiveFrom);
    add(effectiveUntil);
  }
  for (const { from, until } of versions) {
    add(from);
    add(until);
  }
  return [...bounds].sort();
}

function inForce(
  at: Instant,
  assignments: readonly AssignedPriceBook[],
  versions: readonly DatedVersion[],
): PriceBookVersion | null {
  const assigned = assignmentAt(assignments, at);
  if (assigned === null) return null;
  const code = assigned.priceBook;
  return latestVersion(
    versions.filter(({ version }) => version.code === code),
    at,
  );
}

function latestVersion(versions: readonly DatedVersion[], at: Instant): PriceBookVersion | null {
  let latest: DatedVersion | null = null;
  for (const candidate of versions) {
    if (candidate.from > at || (candidate.until !== null && candidate.until <= at)) continue;
    if (latest === null || comesAfter(candidate, latest)) latest = candidate;
  }
  return latest?.version ?? null;
}

function comesAfter(one: DatedVersion, other: DatedVersion): boolean {
  if (one.from !== other.from) return one.from > other.from;
  if (one.isChosen !== other.isChosen) return one.isChosen;
  return one.version.learnedOrder > other.version.learnedOrder;
}
