import { addDecimals, D, decimal, toDecimalString } from '../decimal.js';
import type { DecimalString, Instant } from '../values.js';
import { compareGrants, isEligible } from './eligible.js';
import type { CreditDraw, DrawableGrant } from './grant.js';

/** What a document says of the chain's money so far. */
export interface SettledDocument {
  readonly subtotal: DecimalString;
  readonly creditDraws: readonly CreditDraw[];
}

/** What a document's credits are decided by, beside its own lines. */
export interface CreditFacts {
  /** The customer's, in any order, with what each has left now. */
  readonly grants: readonly DrawableGrant[];
  /** The documents of the chain before this one, in order; voided ones are left out. */
  readonly earlier: readonly SettledDocument[];
}

export interface CreditedDocument {
  readonly subtotal: DecimalString;
  readonly currency: string;
  readonly periodEnd: Instant;
}

export const noCredits: CreditFacts = { grants: [], earlier: [] };

/**
 * What a document draws or restores (RULES 37). The chain never has more credits than its lines come to, and never less than
 * nothing: what falls is taken from what is to be paid first, then credits come back, the last one drawn first. A document
 * draws no more than it adds, so that a correction never turns money that was billed before into credits.
 */
export function settleCredits({ grants, earlier }: CreditFacts, document: CreditedDocument): readonly CreditDraw[] {
  const { restored, mayDraw } = creditRoom(earlier, document.subtotal);
  if (restored.length > 0) return restored;
  const eligible = grants.filter((grant) => isEligible(grant, document)).sort(compareGrants);
  return take(
    eligible.map(({ grantId, balance }) => ({ grantId, amount: balance })),
    mayDraw,
  );
}

/** What the documents before it make a document restore, or let it draw at most. */
export function creditRoom(
  earlier: readonly SettledDocument[],
  subtotal: DecimalString,
): { readonly restored: readonly CreditDraw[]; readonly mayDraw: D } {
  const before = decimal(addDecimals(earlier.map((document) => document.subtotal)));
  const limit = D.max(before.plus(decimal(subtotal)), 0);
  const stack = drawnInOrder(earlier);
  const drawn = decimal(creditsOf(stack));
  if (drawn.greaterThan(limit)) return { restored: restore(stack, drawn.minus(limit)), mayDraw: new D(0) };
  return { restored: [], mayDraw: D.min(limit.minus(drawn), D.max(decimal(subtotal), 0)) };
}

/** What a document's draws come to. */
export const creditsOf = (draws: readonly CreditDraw[]): DecimalString =>
  addDecimals(draws.map(({ amount }) => amount));

/** What is drawn and was not restored, in the order in which it was drawn: what comes back is taken from its end. */
function drawnInOrder(documents: readonly SettledDocument[]): readonly CreditDraw[] {
  const stack: CreditDraw[] = [];
  for (const { grantId, amount } of documents.flatMap(({ creditDraws }) => creditDraws)) {
    if (!decimal(amount).isNegative()) {
      stack.push({ grantId, amount });
      continue;
    }
    let left = decimal(amount).negated();
    while (left.greaterThan(0)) {
      const last = stack.pop();
      if (last === undefined) break;
      const rest = decimal(last.amount).minus(left);
      if (rest.greaterThan(0)) stack.push({ ...last, amount: toDecimalString(rest) });
      left = rest.negated();
    }
  }
  return stack;
}

function restore(stack: readonly CreditDraw[], amount: D): readonly CreditDraw[] {
  return take([...stack].reverse(), amount).map((draw) => ({
    ...draw,
    amount: toDecimalString(decimal(draw.amount).negated()),
  }));
}

/** From the first on, as much as is there; what follows of the same grant is one draw. */
function take(from: readonly CreditDraw[], amount: D): readonly CreditDraw[] {
  const taken: CreditDraw[] = [];
  let left = amount;
  for (const { grantId, amount: available } of from) {
    const part = D.min(left, decimal(available));
    if (!part.greaterThan(0)) continue;
    left = left.minus(part);
    const last = taken.at(-1);
    if (last?.grantId === grantId) taken.pop();
    const sum = last?.grantId === grantId ? part.plus(decimal(last.amount)) : part;
    taken.push({ grantId, amount: toDecimalString(sum) });
  }
  return taken;
}
