import type { Instant } from '../values.js';
import type { TrippedBound } from './safety-bounds.js';

/** What a person decided about a draft that said just this. */
export interface DraftDecision {
  readonly decision: 'approved' | 'released' | 'rejected';
  readonly contentHash: string;
}

/** Where a draft is. */
export interface DraftStanding {
  /** When its period was ready: the grace counts from here. */
  readonly readyAt: Instant;
  readonly decisions: readonly DraftDecision[];
}

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
 * has seen it: neither its grace nor a bound keeps it then.
 */
export function stepBeforeIssue({ contentHash, tripped, decisions, approval, graceUntil, now }: BeforeIssue): NextStep {
  const last = decisions.filter((each) => each.contentHash === contentHash).at(-1)?.decision ?? null;
  if (last === 'rejected') return { step: 'held', reason: 'rejected by a person' };
  if (last === 'released') return { step: 'issue' };
  if (tripped.length > 0) return { step: 'held', reason: tripped.map(({ detail }) => detail).join(' ') };
  if (last === 'approved') return { step: 'issue' };
  if (approval === 'required') return { step: 'draft', reason: 'waits for approval', dueAt: null };
  if (graceUntil !== null && now < graceUntil) return { step: 'draft', reason: 'grace period', dueAt: graceUntil };
  return { step: 'issue' };
}
