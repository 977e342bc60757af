import { DomainFailure } from '../failure.js';
import type { Instant } from '../values.js';
import type { TrippedBound } from './safety-bounds.js';

/** What a person decided about a draft that said just this. */
export interface DraftDecision {
  readonly decision: 'approved' | 'released' | 'rejected';
  readonly contentHash: string;
}

type Decision = DraftDecision['decision'];

/**
 * What may be decided about a content after what was decided about it last (RULES 52). What was rejected is never issued: only
 * other content is, once a person has looked at that. What was approved or released can be rejected until it is issued; the gate and whoever
 * decides take the same lock, so that one of the two comes first.
 */
export const laterDecisions: Readonly<Record<Decision | 'none', readonly Decision[]>> = {
  none: ['approved', 'released', 'rejected'],
  approved: ['approved', 'released', 'rejected'],
  released: ['released', 'rejected'],
  rejected: ['rejected'],
};

/**
 * @param last what was decided about just this content last; null: nothing
 * @throws DomainFailure INVOICE_REJECTED, which says what to do; INVOICE_TRANSITION_REFUSED
 */
export function requireDecidable(
  last: { readonly decision: Decision; readonly actor: string; readonly reason: string } | null,
  decision: Decision,
): void {
  if (laterDecisions[last?.decision ?? 'none'].includes(decision)) return;
  if (last?.decision !== 'rejected') {
    throw new DomainFailure(
      'INVOICE_TRANSITION_REFUSED',
      `It was ${last?.decision ?? ''} before: it can be rejected until it is issued.`,
    );
  }
  const detail = `${last.actor} rejected just this content (${last.reason}), and what was rejected is never issued. Change what it is made of: correct usage (POST /event-adjustments), a price (POST /price-books, an override) or the customer; then close the period again, and look at it anew.`;
  throw new DomainFailure('INVOICE_REJECTED', detail);
}

/** Where a draft is. */
export interface DraftStanding {
  /** When its period was ready: the grace counts from here. */
  readonly readyAt: Instant;
  readonly decisions: readonly DraftDecision[];
}

/** Why what was rejected is held. */
export const rejectedReason = 'rejected by a person';

/** Why what is not what was rejected is held all the same. */
const rejectedBeforeReason =
  'It was rejected before, and says something else now: it is issued once a person has released it as it is.';

/** Whether that is what was decided last: repeated, it is nothing new. */
export const sameDecision = (
  last: DraftDecision | undefined,
  { decision, contentHash }: Pick<DraftDecision, 'decision' | 'contentHash'>,
): boolean => last?.decision === decision && last.contentHash === contentHash;

export interface BeforeIssue {
  readonly contentHash: string;
  readonly tripped: readonly TrippedBound[];
  readonly decisions: readonly DraftDecision[];
  readonly approval: 'none' | 'required';
  /** The end of the grace; null: there is none. */
  readonly graceUntil: Instant | null;
  readonly now: Instant;
}

export type NextStep =
  | { readonly step: 'issue' }
  | { readonly step: 'draft'; readonly reason: string; readonly dueAt: Instant | null }
  | { readonly step: 'held'; readonly reason: string };

/**
 * Whether an invoice is issued now, stays a draft, or is held (RULES 52, 53). The last decision about just this content holds;
 * one about other content says nothing, so that what changed since is looked at again. A person who approved or released it
 * has seen it: neither its grace nor a bound keeps it then. Once anything of it was rejected, neither the end of a grace nor a
 * close issues it: only a decision about what it says now, made after the rejection.
 */
export function stepBeforeIssue({ contentHash, tripped, decisions, approval, graceUntil, now }: BeforeIssue): NextStep {
  const isAboutThis = (each: DraftDecision): boolean => each.contentHash === contentHash;
  if (decisions.findLast(isAboutThis)?.decision === 'rejected') return { step: 'held', reason: rejectedReason };
  const rejectedAt = decisions.findLastIndex(({ decision }) => decision === 'rejected');
  const last = decisions.slice(rejectedAt + 1).findLast(isAboutThis)?.decision ?? null;
  if (last === 'released') return { step: 'issue' };
  const holding = tripped.map(({ detail }) => detail);
  if (rejectedAt !== -1 && last === null) holding.unshift(rejectedBeforeReason);
  if (holding.length > 0) return { step: 'held', reason: holding.join(' ') };
  if (last === 'approved') return { step: 'issue' };
  if (approval === 'required') return { step: 'draft', reason: 'waits for approval', dueAt: null };
  if (graceUntil !== null && now < graceUntil) return { step: 'draft', reason: 'grace period', dueAt: graceUntil };
  return { step: 'issue' };
}
