import { DomainFailure, invariant } from '../domain/failure.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import { verifyDocument } from '../domain/reconciliation/verify-document.js';
import type { InvoiceVerification } from '../domain/reconciliation/verify-document.js';
import type { Storage } from '../storage/types.js';
import { documentHash } from './document-hash.js';
import { documentsOfPeriod } from './documents-of-period.js';
import { pinnedPriceFacts, rateWith } from './price-facts.js';
import { rawUsageAt } from './raw-usage.js';

/**
 * Computes an issued document again, void ones too: raw events at its cutoff, its pinned versions, the documents before it in its
 * chain. No aggregate, charge or line that was stored on the way is used, only held against the result.
 * @throws DomainFailure INVOICE_NOT_ISSUED for a draft or a held one
 */
export async function verifyInvoice(
  storage: Pick<Storage, 'billing' | 'periods' | 'proof' | 'reference'>,
  invoice: Invoice,
): Promise<InvoiceVerification> {
  if (invoice.status === 'draft' || invoice.status === 'held') {
    throw new DomainFailure(
      'INVOICE_NOT_ISSUED',
      `${invoice.number} is ${invoice.status}: only what was issued can be verified.`,
    );
  }
  const { proof } = storage;
  const period = await storage.periods.periodNamed(invoice.customerId, invoice.period);
  invariant(period !== null, 'an invoice has a stored period');
  const { pinnedVersions: pins, cutoffPosition: cutoff } = invoice;
  const facts = await pinnedPriceFacts(storage, period, { pins, currency: invoice.currency });
  const usage = await rawUsageAt(storage, period, { meters: facts.meters, cutoff });
  const rated = await rateWith(facts, period, usage);
  const chargeIds = [...new Set(invoice.lines.flatMap((line) => line.chargeIds))];
  const charges = await proof.charges(invoice, chargeIds);
  return verifyDocument({
    invoice,
    earlier: await earlierDocuments(storage, invoice),
    rated,
    charges: charges.map((charge, index) => ({ ...charge, chargeId: chargeIds[index] ?? '' })),
    entries: await proof.entries([invoice.invoiceId]),
    documentHash: documentHash(invoice),
  });
}

/** Of the same chain: from the original that it corrects on. */
async function earlierDocuments(storage: Pick<Storage, 'billing'>, invoice: Invoice): Promise<readonly Invoice[]> {
  if (invoice.correctsInvoiceId === null) return [];
  const documents = await documentsOfPeriod(storage, invoice);
  const original = documents.find(({ invoiceId }) => invoiceId === invoice.correctsInvoiceId);
  invariant(original !== undefined, `${invoice.number} corrects a document of its period`);
  return documents.filter(({ chainPlace }) => chainPlace >= original.chainPlace && chainPlace < invoice.chainPlace);
}
