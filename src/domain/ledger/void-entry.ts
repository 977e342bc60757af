import { decimal, toDecimalString } from '../decimal.js';
import type { LocalDate } from '../values.js';
import { documentNames } from './invoice-entry.js';
import type { PostedInvoice } from './invoice-entry.js';
import type { JournalEntry } from './journal.js';

/**
 * The journal entry that reverses a voided document (RULES 28): its own postings with the signs turned round, so that the two
 * entries sum to zero account by account. null: the document had no entry.
 *
 * @param postingDate as of the document (RULES 46); the service period is the document's own (RULES 27)
 * @param posted the document's entry, as the journal has it: an older one may be posted otherwise than it would be now
 */
export function voidEntry(
  invoice: PostedInvoice,
  postingDate: LocalDate,
  posted: JournalEntry | null,
): JournalEntry | null {
  if (posted === null) return null;
  const name = documentNames[invoice.type];
  return {
    ...posted,
    postingDate,
    sourceDocument: `void/${invoice.invoiceId}`,
    description: `Void of ${name.charAt(0).toLowerCase()}${name.slice(1)} ${invoice.number}`,
    postings: posted.postings.map((posting) => ({
      ...posting,
      amount: toDecimalString(decimal(posting.amount).negated()),
    })),
  };
}
