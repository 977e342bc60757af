/** What a document is taxed with, and what a provider is told of it (RULES 56). */
import { localDateAt } from '../calendar/time-zones.js';
import type { Invoice, Party } from '../domain/invoicing/invoice.js';
import { chargeCodeOf } from '../domain/invoicing/line-item.js';
import type { RatedLine } from '../domain/rating/rating.js';
import { rulesOfChain } from '../domain/tax/apply-tax.js';
import type { TaxFacts } from '../domain/tax/apply-tax.js';
import { defaultTaxTreatment, TaxUnavailable } from '../domain/tax/tax.js';
import type { TaxedDocument, TaxParty, TaxProvider, TaxQuestion, TaxRule } from '../domain/tax/tax.js';
import { addMs } from '../domain/time/instant.js';
import type { BillingPeriod, Customer, Storage, StoredCreditNote, TaxReport } from '../storage/types.js';
import { printedCreditNote } from './printed-credit-note.js';

type TaxableLines = TaxQuestion['lines'];

/** What a provider is asked about of rated lines. */
export function taxableLines(lines: readonly RatedLine[]): TaxableLines {
  return lines.map((line) => ({ lineKey: line.lineKey, chargeCode: chargeCodeOf(line), amount: line.amount }));
}

interface TaxedParties {
  readonly invoiceId: string;
  readonly period: BillingPeriod;
  readonly customer: Customer;
  readonly currency: string;
  readonly seller: Party;
  readonly buyer: Party;
}

/**
 * Of an original. null: nothing is taxed.
 * @throws TaxUnavailable
 */
export async function taxOfInvoice(
  provider: TaxProvider,
  document: TaxedParties,
  lines: TaxableLines,
): Promise<Omit<TaxFacts, 'earlier'> | null> {
  const date = localDateAt(addMs(document.period.to, -1), document.period.timeZone);
  const quote = await provider.quote({
    documentId: document.invoiceId,
    customerId: document.customer.customerId,
    currency: document.currency,
    date,
    seller: partyOf(document.seller),
    buyer: partyOf(document.buyer),
    treatment: document.customer.tax ?? defaultTaxTreatment,
    lines,
  });
  return quote === null ? null : { terms: { ...quote.terms, date }, rules: quote.rules };
}

/**
 * Of a correction: at the rates and in the way of its original, whatever holds now; an original without tax is corrected without.
 * Only a line that the chain cannot speak for is asked about; of a taxed chain no line is free because nobody says what it bears.
 * @throws TaxUnavailable
 */
export async function taxOfCorrection(
  provider: TaxProvider,
  document: TaxedParties & { readonly earlier: readonly Invoice[] },
  lines: TaxableLines,
): Promise<Omit<TaxFacts, 'earlier'> | null> {
  const terms = document.earlier[0]?.taxes?.terms;
  if (terms === undefined) return null;
  const rules = new Map<string, readonly TaxRule[]>();
  const unknown: (typeof lines)[number][] = [];
  for (const line of lines) {
    const known = rulesOfChain(document.earlier, line.lineKey);
    if (known === null) unknown.push(line);
    else rules.set(line.lineKey, known);
  }
  if (unknown.length > 0) {
    const quote = await taxOfInvoice(provider, document, unknown);
    for (const line of unknown) {
      const own = quote?.rules.get(line.lineKey);
      if (own === undefined) throw untold(provider, document, line);
      rules.set(line.lineKey, own);
    }
  }
  return { terms, rules };
}

function untold(
  { name }: TaxProvider,
  { earlier }: { readonly earlier: readonly Invoice[] },
  { chargeCode }: TaxableLines[number],
): TaxUnavailable {
  const [original] = earlier;
  const detail =
    `${original?.number ?? ''} is taxed at different rates, and the tax provider in use (RECKONER_TAX_PROVIDER: ${name}) ` +
    `does not say what a new line of "${chargeCode}" bears.`;
  return new TaxUnavailable('TAX_UNAVAILABLE', detail);
}

function partyOf({ country_code: country, vat_id: vatId, tax_id: taxId }: Party): TaxParty {
  return { country: country ?? null, taxId: vatId ?? taxId ?? null };
}

/**
 * Tells the provider of a document that was issued or voided; repeating it tells the same once more, and stores it once. What
 * fails is left for the daily sweep, because the document stands.
 */
export async function reportTax(
  storage: Pick<Storage, 'documents'>,
  provider: TaxProvider,
  { invoice, action }: { readonly invoice: Invoice; readonly action: TaxReport['action'] },
): Promise<void> {
  const document = taxedBy(provider, invoice);
  if (document === null) return;
  const { invoiceId } = invoice;
  const reference = await provider[action](document);
  await storage.documents.storeTaxReport({ invoiceId, action, provider: provider.name, reference });
}

/** The same of a credit note by hand, which is told as it is printed: what it gives back of each tax. */
export async function reportNoteTax(
  storage: Pick<Storage, 'billing' | 'documents'>,
  provider: TaxProvider,
  note: StoredCreditNote,
): Promise<void> {
  const document = taxedBy(provider, (await printedCreditNote(storage, note)).document);
  if (document === null) return;
  const { creditNoteId } = note;
  const action = note.void === null ? 'credit' : 'void';
  const reference = await provider[action](document);
  await storage.documents.storeNoteTaxReport({ creditNoteId, action, provider: provider.name, reference });
}

/** null: the provider does not want to hear of it, or has not taxed it. */
function taxedBy(provider: TaxProvider, { taxes, ...invoice }: Invoice): TaxedDocument | null {
  if (!provider.reports || taxes?.terms.provider !== provider.name) return null;
  return {
    documentId: invoice.invoiceId,
    number: invoice.number,
    type: invoice.type,
    correctsDocumentId: invoice.correctsInvoiceId,
    customerId: invoice.customerId,
    currency: invoice.currency,
    taxes,
  };
}

export const actionOf = ({ type }: Pick<Invoice, 'type'>): 'commit' | 'credit' =>
  type === 'credit_note' ? 'credit' : 'commit';
