/** Telling a tax provider, after the fact, what it was not told when a document was issued or voided (RULES 56). */
import { log } from '@temporalio/activity';
import { actionOf, reportNoteTax, reportTax } from '../billing/document-tax.js';
import { noTaxProvider } from '../domain/tax/tax.js';
import type { DocumentPlace } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';

const documentsAtOnce = 200;

/**
 * Documents that the provider could not be told of, credit notes by hand, and what was voided since: all of them, so that
 * what fails again, and waits for the next sweep, keeps nothing that came later from being told. Credit notes come last: the provider
 * knows what they credit.
 */
export async function reportTaxAgain(
  { storage, tax = noTaxProvider }: Pick<ActivityDependencies, 'storage' | 'tax'>,
  pageSize = documentsAtOnce,
): Promise<void> {
  if (!tax.reports) return;
  const { documents } = storage;
  const eachInOrder = inOrder(pageSize);
  await eachInOrder(
    (page) => documents.unreportedTax(tax.name, page),
    ({ invoice }) => ({ issuedAt: invoice.issuedAt, id: invoice.invoiceId }),
    ({ invoice, isVoid }) => reportTax(storage, tax, { invoice, action: isVoid ? 'void' : actionOf(invoice) }),
  );
  await eachInOrder(
    (page) => documents.unreportedNotes(tax.name, page),
    ({ issuedAt, creditNoteId }) => ({ issuedAt, id: creditNoteId }),
    (note) => reportNoteTax(storage, tax, note),
  );
}

interface Page {
  readonly after: DocumentPlace | null;
  readonly limit: number;
}

/** One after the other: a provider may want to know an invoice before it hears of its correction. */
const inOrder =
  (limit: number) =>
  async <T>(
    read: (page: Page) => Promise<readonly T[]>,
    placeOf: (document: T) => DocumentPlace,
    tell: (document: T) => Promise<void>,
  ): Promise<void> => {
    for (let after: DocumentPlace | null = null, isFull = true; isFull;) {
      const page: readonly T[] = await read({ after, limit });
      for (const document of page) {
        after = placeOf(document);
        try {
          await tell(document);
        } catch (error) {
          log.warn('a tax provider was not told of a document', { documentId: after.id, error: String(error) });
        }
      }
      isFull = page.length === limit;
    }
  };
