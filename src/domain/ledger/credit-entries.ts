import type { CreditTerms, CreditType } from '../credits/grant.js';
import { decimal, toDecimalString } from '../decimal.js';
import type { DecimalString, LocalDate } from '../values.js';
import { assertBalanced } from './invoice-entry.js';
import type { JournalEntry, Posting } from './journal.js';

/**
 * The entry of a grant: what the customer may use up is owed, against the cash that was paid for it, or as a reduction of
 * revenue where nobody paid.
 */
export function grantEntry(grant: CreditTerms, postingDate: LocalDate): JournalEntry {
  const { amount, type } = grant;
  return entryOf(grant, {
    sourceDocument: `credit-grant/${grant.grantId}`,
    postingDate,
    description: `Credit grant "${grant.name}" (${type})`,
    postings: [
      [sourceOf[type], amount],
      ['customer_credit', negated(amount)],
    ],
  });
}

/**
 * The entry of an expiry: nothing is owed any more. What was paid for is breakage; what was given away is taken back. What
 * rolls over stays owed, as the new grant.
 */
export function expiryEntry(
  grant: CreditTerms,
  expiry: { readonly sequence: number; readonly amount: DecimalString; readonly rolledOver: DecimalString },
  postingDate: LocalDate,
): JournalEntry {
  const lost = toDecimalString(decimal(expiry.amount).minus(decimal(expiry.rolledOver)));
  return entryOf(grant, {
    sourceDocument: `credit-expiry/${grant.grantId}/${expiry.sequence}`,
    postingDate,
    description: `Expiry of credit grant "${grant.name}"`,
    postings: [
      ['customer_credit', expiry.amount],
      ['customer_credit', negated(expiry.rolledOver)],
      [grant.type === 'prepaid' ? 'credit_breakage' : 'promotional_credit', negated(lost)],
    ],
  });
}

/** The entry of a void: the grant's own turned round, for what was left of it. null: nothing was. */
export function creditVoidEntry(
  grant: CreditTerms,
  { sequence, amount }: { readonly sequence: number; readonly amount: DecimalString },
  postingDate: LocalDate,
): JournalEntry | null {
  if (decimal(amount).isZero()) return null;
  return entryOf(grant, {
    sourceDocument: `credit-void/${grant.grantId}/${sequence}`,
    postingDate,
    description: `Void of credit grant "${grant.name}"`,
    postings: [
      ['customer_credit', amount],
      [sourceOf[grant.type], negated(amount)],
    ],
  });
}

const sourceOf: Readonly<Record<CreditType, Posting['account']>> = {
  prepaid: 'cash',
  promotional: 'promotional_credit',
};

function entryOf(
  { customerId, currency, effectiveFrom, expiresAt }: CreditTerms,
  entry: Pick<JournalEntry, 'sourceDocument' | 'postingDate' | 'description'> & {
    readonly postings: readonly (readonly [Posting['account'], DecimalString])[];
  },
): JournalEntry {
  const postings = entry.postings
    .filter(([, amount]) => !decimal(amount).isZero())
    .map(([account, amount]): Posting => ({ account, lineItemId: null, currency, amount }));
  assertBalanced({ ...entry, postings });
  return {
    ...entry,
    customerId,
    invoiceId: null,
    serviceFrom: effectiveFrom,
    serviceTo: expiresAt ?? effectiveFrom,
    postings,
  };
}

const negated = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount).negated());
