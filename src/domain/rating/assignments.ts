/** Which price book a customer has when (RULES 22). */
import type { Instant } from '../values.js';

/** A customer's price book from an instant on; null: from the beginning. */
export interface AssignedPriceBook {
  readonly priceBook: string;
  readonly effectiveFrom: Instant | null;
  /** Left out or null: until another assignment begins. */
  readonly effectiveUntil?: Instant | null;
  /** Of two assignments with the same effectiveFrom the one with the greater order holds. */
  readonly learnedOrder: number;
}

/** Of those that begin together only the one learned last, in order of time: the others never hold again. */
export function currentAssignments<A extends AssignedPriceBook>(assignments: readonly A[]): readonly A[] {
  const byStart = new Map<string, A>();
  for (const assignment of assignments) {
    const start = assignment.effectiveFrom ?? '';
    const known = byStart.get(start);
    if (known === undefined || known.learnedOrder < assignment.learnedOrder) byStart.set(start, assignment);
  }
  return [...byStart].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, assignment]) => assignment);
}

/**
 * The one with the latest start that has not reached its end: one with an end gives way to the one before it. null: none is in
 * force, so that neither fees nor minimums are due (RULES 18).
 * @param current of `currentAssignments`
 */
export function assignmentAt<A extends AssignedPriceBook>(current: readonly A[], at: Instant): A | null {
  const holds = ({ effectiveFrom, effectiveUntil = null }: A): boolean =>
    (effectiveFrom === null || effectiveFrom <= at) && (effectiveUntil === null || effectiveUntil > at);
  return current.findLast(holds) ?? null;
}

/** When an assignment ceases to hold for good: at its own end, or when the next one without an end begins. null: never so far. */
export function holdsUntil(assignment: AssignedPriceBook, current: readonly AssignedPriceBook[]): Instant | null {
  const { effectiveFrom, effectiveUntil = null } = assignment;
  const later = current.filter((other) => (other.effectiveFrom ?? '') > (effectiveFrom ?? ''));
  const next = later.find((other) => (other.effectiveUntil ?? null) === null)?.effectiveFrom ?? null;
  if (next === null || effectiveUntil === null) return next ?? effectiveUntil;
  return next < effectiveUntil ? next : effectiveUntil;
}
