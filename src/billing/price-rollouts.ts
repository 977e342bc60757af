/** What the rollouts of a price book's candidates come to for a customer: facts from storage, decided by the domain. */
import { createHash } from 'node:crypto';
import { startOfLocalDay } from '../calendar/time-zones.js';
import { membershipOf } from '../domain/rollout/inclusion.js';
import type { Membership } from '../domain/rollout/inclusion.js';
import { bucketCount, type PriceRollout } from '../domain/rollout/rollout.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import type { Memberships } from '../domain/rating/segments.js';
import type { Instant, LocalDate } from '../domain/values.js';
import type { PriceBookAssignment, PriceBookCustomer, Storage } from '../storage/types.js';

type Rollouts = Pick<Storage, 'rollouts'>;

/**
 * Where a customer falls among 10,000 buckets: the first 8 bytes of SHA-256 of the rollout's id, "|" and the customer's id, as a
 * number, modulo 10,000. Of nothing else, so that it is the same for ever and on every computer (RULES 42).
 */
export function bucketOf(rolloutId: string, customerId: string): number {
  const hash = createHash('sha256').update(`${rolloutId}|${customerId}`).digest();
  return Number(hash.readBigUInt64BE(0) % BigInt(bucketCount));
}

/** A customer as a rollout sees it. */
export function membershipIn(rollout: PriceRollout, customer: PriceBookCustomer): Membership {
  const startOfDay = (date: LocalDate): Instant => startOfLocalDay(date, customer.timeZone);
  const bucket = bucketOf(rollout.rolloutId, customer.customerId);
  return membershipOf(rollout, { ...customer, bucket, startOfDay }, startOfDay);
}

/** Of the candidates among these versions; almost always there is none, and nothing is read. */
async function rolloutsOf(
  { rollouts }: Rollouts,
  versions: readonly PriceBookVersion[],
): Promise<readonly PriceRollout[]> {
  const candidates = versions.filter(({ isCandidate }) => isCandidate === true);
  return candidates.length === 0 ? [] : rollouts.ofCandidates(candidates.map(({ priceBookId }) => priceBookId));
}

/** What the rollouts of the candidates among the versions come to for the customer. */
export async function membershipsOf(
  storage: Rollouts,
  versions: readonly PriceBookVersion[],
  customer: {
    readonly customerId: string;
    readonly timeZone: string;
    readonly assignments: readonly PriceBookAssignment[];
  },
): Promise<Memberships> {
  const rollouts = await rolloutsOf(storage, versions);
  if (rollouts.length === 0) return new Map();
  const knownSince = await storage.rollouts.knownSince(customer.customerId);
  if (knownSince === null) return new Map();
  return new Map(
    rollouts.map((rollout) => {
      const code = versions.find(({ priceBookId }) => priceBookId === rollout.priceBookId)?.code ?? '';
      const assignedFrom = firstAssignment(customer.assignments, code);
      return [rollout.priceBookId, membershipIn(rollout, { ...customer, knownSince, assignedFrom })];
    }),
  );
}

/** What holds for nobody in particular: a candidate once its rollout is at everybody. Local dates begin at midnight in UTC. */
export async function membershipsOfAll(storage: Rollouts, versions: readonly PriceBookVersion[]): Promise<Memberships> {
  const rollouts = await rolloutsOf(storage, versions);
  const startOfDay = (date: LocalDate): Instant => startOfLocalDay(date, 'UTC');
  return new Map(rollouts.map((rollout) => [rollout.priceBookId, membershipOf(rollout, null, startOfDay)]));
}

function firstAssignment(assignments: readonly PriceBookAssignment[], code: string): Instant | null {
  const starts = assignments.flatMap(({ priceBook, effectiveFrom }) =>
    priceBook === code ? [effectiveFrom ?? ''] : [],
  );
  const first = starts.sort()[0] ?? '';
  return first === '' ? null : (first as Instant);
}
