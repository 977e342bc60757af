import type { DecimalString, Instant } from '../values.js';

/** `prepaid` was paid for; `promotional` was given away. */
export const creditTypes = ['prepaid', 'promotional'] as const;
export type CreditType = (typeof creditTypes)[number];

/** Lower is drawn first. */
export const creditPriorities = { min: 0, max: 100, byDefault: 50 } as const;

/** What becomes of the remainder of a grant that expires: a new grant of at most `cap`, for as long as `validity` says. */
export interface RollOver {
  readonly cap: DecimalString;
  /** ISO 8601, of fixed units. */
  readonly validity: string;
}

/** What was granted. Never changes. */
export interface CreditTerms {
  readonly grantId: string;
  readonly customerId: string;
  readonly currency: string;
  readonly type: CreditType;
  readonly amount: DecimalString;
  readonly priority: number;
  readonly effectiveFrom: Instant;
  /** null: never. */
  readonly expiresAt: Instant | null;
  readonly rollOver: RollOver | null;
  readonly name: string;
  readonly reason: string | null;
  /** The grant whose remainder this one is. */
  readonly rolledOverFrom: string | null;
  readonly grantedBy: string;
}

/** As far as drawing looks at it. */
export type DrawableGrant = Pick<
  CreditTerms,
  'grantId' | 'currency' | 'type' | 'priority' | 'effectiveFrom' | 'expiresAt'
> & {
  /** What is left: granted − drawn − expired − taken back. Never below zero. */
  readonly balance: DecimalString;
  readonly isVoid: boolean;
};

/** What a document takes from a grant: positive drawn, negative restored. */
export interface CreditDraw {
  readonly grantId: string;
  readonly amount: DecimalString;
}
