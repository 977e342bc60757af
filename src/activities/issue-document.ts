/** What issuing an invoice and issuing a correction do alike. */
import { log } from '@temporalio/activity';
import { documentHash } from '../billing/document-hash.js';
import { postingDayOf } from '../calendar/accounting-months.js';
import { actionOf, reportTax } from '../billing/document-tax.js';
import { noTaxProvider } from '../domain/tax/tax.js';
import type { DocumentFacts, UnnumberedInvoice } from '../domain/invoicing/document.js';
import { defaultLegalEntity, numberSeries, printedNumber } from '../domain/invoicing/invoice-number.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import { defaultPresentation } from '../domain/invoicing/presentation.js';
import { invoiceEntry } from '../domain/ledger/invoice-entry.js';
import { uuidOf } from '../storage/identifiers.js';
import type { BillingPeriod, Customer, GateTransaction } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';

/** The next document of the gate's chain: its ids, its parties as they are now, its terms, what it may draw on. */
export async function nextDocument(
  gate: GateTransaction,
  { settings, now }: ActivityDependencies,
  { period, customer }: { readonly period: BillingPeriod; readonly customer: Customer },
): Promise<Omit<DocumentFacts, 'currency' | 'cutoffPosition' | 'pinnedVersions'>> {
  const { nextPlace: chainPlace } = gate.chain;
  const invoiceId = uuidOf('invoice', period.customerId, period.period, chainPlace);
  // A chain stays with whoever issued its first document, wherever its customer moves (RULES 59).
  const [original] = gate.chain.documents;
  const { code, seller } = await gate.legalEntity(
    (original === undefined ? customer.legalEntity : original.legalEntity) ?? defaultLegalEntity,
  );
  return {
    invoiceId,
    chainPlace,
    customerId: period.customerId,
    period,
    seller: seller ?? settings.seller,
    ...(code !== defaultLegalEntity && { legalEntity: code }),
    buyer: { name: customer.name, ...customer.buyer },
    paymentTermsDays: settings.paymentTermsDays,
    issuedAt: now(),
    credits: { grants: await gate.creditGrants(), earlier: gate.chain.documents },
    earlier: gate.chain.documents,
    tags: customer.tags,
    presentation: customer.presentation ?? defaultPresentation,
    lineItemId: (lineKey) => uuidOf('invoice-line', invoiceId, lineKey),
  };
}

/** Tells the tax provider of a document that stands. What cannot be told now is told by the daily sweep. */
export async function reportIssued(
  { storage, tax = noTaxProvider }: ActivityDependencies,
  invoice: Invoice,
): Promise<void> {
  try {
    await reportTax(storage, tax, { invoice, action: actionOf(invoice) });
  } catch (error) {
    log.warn('a tax provider was not told of a document; the sweep will', {
      invoiceId: invoice.invoiceId,
      error: String(error),
    });
  }
}

/** Numbers, hashes, stores and posts a document. */
export async function issueDocument(
  gate: GateTransaction,
  document: UnnumberedInvoice,
  actor: string,
): Promise<Invoice> {
  await gate.carryCredit(document);
  const series = numberSeries(await gate.legalEntity(document.legalEntity ?? defaultLegalEntity), document.type);
  // The number is drawn last: from here to the commit every other document of the series waits for it.
  const number = printedNumber(series, await gate.drawNumber(series.series));
  const invoice: Invoice = { ...document, number, documentHash: documentHash(document) };
  await gate.insertInvoice(invoice, actor);
  const entry = invoiceEntry(invoice, postingDayOf(invoice, invoice.issuedAt));
  if (entry !== null) await gate.postEntry(entry);
  return invoice;
}
