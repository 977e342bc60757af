/** What an invoice says before it is issued: computed anew whenever it is asked for (RULES 52). */
import { createHash } from 'node:crypto';
import { buildInvoice } from '../domain/invoicing/build-invoice.js';
import type { InvoiceFacts } from '../domain/invoicing/build-invoice.js';
import type { UnnumberedInvoice } from '../domain/invoicing/document.js';
import type { InvoiceLineItem, Party } from '../domain/invoicing/invoice.js';
import { decimal, toDecimalString } from '../domain/decimal.js';
import { DomainFailure } from '../domain/failure.js';
import { defaultLegalEntity } from '../domain/invoicing/invoice-number.js';
import { defaultPresentation } from '../domain/invoicing/presentation.js';
import type { RatingProblem } from '../domain/rating/rating.js';
import { noTaxProvider, TaxUnavailable } from '../domain/tax/tax.js';
import type { TaxLine, TaxProvider } from '../domain/tax/tax.js';
import type { DecimalString, GroupKey, Instant } from '../domain/values.js';
import { canonicalJson } from '../storage/canonical-json.js';
import { uuidOf } from '../storage/identifiers.js';
import type { DraftOf, Storage } from '../storage/types.js';
import { taxableLines, taxOfInvoice } from './document-tax.js';
import { pinsOf, priceFactsOf, rateWith } from './price-facts.js';
import type { PriceSource } from './price-facts.js';
import { rawUsageAt } from './raw-usage.js';

/** The document as it would be issued; its charges are stored only then, so its lines name none. */
export function draftDocument(facts: Omit<InvoiceFacts, 'chargeIds'>): UnnumberedInvoice {
  const chargeIds = facts.lines.flatMap(({ charges }) => charges.map(() => ''));
  const document = buildInvoice({ ...facts, chargeIds });
  return { ...document, status: 'draft', lines: document.lines.map((line) => ({ ...line, chargeIds: [] })) };
}

/**
 * SHA-256 of what a person looks at (RULES 52): who invoices whom, for what, with which amounts and taxes. Decisions are about it,
 * so that they hold for nothing else. How it is shown, where it comes from (charges, versions, positions) and when are left out.
 * @param isTaxKnown false: nobody can say now what it is taxed with; no document that is issued has the same hash
 */
export function contentHash(
  { currency, lines, taxes, seller, buyer, ...document }: UnnumberedInvoice,
  isTaxKnown = true,
): string {
  const content = {
    currency,
    ...{ seller, buyer, legal_entity: document.legalEntity ?? defaultLegalEntity },
    payment_terms: document.paymentTerms,
    subtotal: plain(document.subtotal),
    credits: plain(document.credits),
    tax: plain(document.tax),
    taxes: isTaxKnown ? (taxes?.lines ?? []).map(taxContent) : 'unknown',
    total: plain(document.total),
    lines: lines.map(lineContent),
  };
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}

const plain = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount));

const taxContent = ({ taxLineNumber, taxableAmount, ...line }: TaxLine): object => ({
  tax_line_number: taxLineNumber,
  jurisdiction: line.jurisdiction,
  category: line.category,
  rate: plain(line.rate),
  reason_code: line.reasonCode,
  reason: line.reason,
  taxable_amount: plain(taxableAmount),
  amount: plain(line.amount),
});

const lineContent = ({ lineKey, quantity, amount, item, ...line }: InvoiceLineItem): object => ({
  line_key: lineKey,
  description: line.description,
  service: { from: line.serviceFrom, to: line.serviceTo },
  quantity: quantity === null ? null : plain(quantity),
  amount: plain(amount),
  ...(item !== undefined && {
    ...{ charge_code: item.chargeCode, unit: item.unit, tags: item.tags, metadata: item.metadata },
    tax_lines: item.taxLines,
  }),
});

/** Of a meter and group, or (`meter` null) of the document as a whole. */
export interface DraftProblem {
  readonly code: RatingProblem['code'] | TaxUnavailable['code'];
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly detail: string;
}

export interface ComputedDraft {
  readonly document: UnnumberedInvoice;
  readonly contentHash: string;
  /** What would hold it beside the safety bounds. */
  readonly problems: readonly DraftProblem[];
}

export interface DraftSettings {
  readonly seller: Party;
  readonly paymentTermsDays: number;
  readonly tax?: TaxProvider;
  readonly now: Instant;
}

/**
 * From raw events at the safe horizon, with the prices, the issuer and the taxes of now. While nobody can say what the taxes are
 * it is shown without, and says so as a problem.
 * @throws DomainFailure UNKNOWN_CUSTOMER, INVOICE_NOT_FOUND
 */
export async function computeDraft(
  storage: PriceSource & Pick<Storage, 'ledger' | 'proof' | 'credits' | 'numbering'>,
  {
    customerId,
    period: name,
    chainPlace,
    invoiceId,
  }: Pick<DraftOf, 'customerId' | 'period' | 'chainPlace' | 'invoiceId'>,
  { seller: configured, paymentTermsDays, tax: provider = noTaxProvider, now }: DraftSettings,
): Promise<ComputedDraft> {
  const period = await storage.periods.periodNamed(customerId, name);
  if (period === null) throw new DomainFailure('INVOICE_NOT_FOUND', `There is no draft ${invoiceId}.`);
  const facts = await priceFactsOf(storage, period);
  const { customer, meters } = facts;
  const cutoff = await storage.ledger.safeHorizon();
  const rated = await rateWith(facts, period, await rawUsageAt(storage, period, { meters, cutoff }));
  const { voided } = await storage.proof.chain(period);
  const legalEntity = customer.legalEntity ?? defaultLegalEntity;
  const entity = (await storage.numbering.entityVersions(legalEntity)).at(-1);
  const parties = {
    seller: entity?.seller ?? configured,
    buyer: { name: customer.name, ...customer.buyer },
  };
  const { currency } = facts;
  const question = { invoiceId, period, customer, currency, ...parties };
  const { tax, problem } = await taxOrProblem(() => taxOfInvoice(provider, question, taxableLines(rated.lines)));
  const document = draftDocument({
    ...{ invoiceId, chainPlace, customerId, period, paymentTermsDays, currency, meters },
    ...parties,
    ...(legalEntity !== defaultLegalEntity && { legalEntity }),
    ...(tax !== null && { tax }),
    tags: customer.tags,
    presentation: customer.presentation ?? defaultPresentation,
    issuedAt: now,
    cutoffPosition: cutoff,
    pinnedVersions: pinsOf(facts),
    credits: { grants: await storage.credits.ofCustomer(customerId), earlier: [] },
    lineItemId: (lineKey) => uuidOf('invoice-line', invoiceId, lineKey),
    replacesInvoiceId: voided?.invoiceId ?? null,
    lines: rated.lines,
  });
  return {
    document,
    contentHash: contentHash(document, problem === null),
    problems: [...rated.problems, ...(problem === null ? [] : [problem])],
  };
}

/** As the gate's finding says it. */
async function taxOrProblem(
  ask: () => ReturnType<typeof taxOfInvoice>,
): Promise<{ readonly tax: Awaited<ReturnType<typeof taxOfInvoice>>; readonly problem: DraftProblem | null }> {
  try {
    return { tax: await ask(), problem: null };
  } catch (error) {
    if (!(error instanceof TaxUnavailable)) throw error;
    return { tax: null, problem: { code: error.code, meter: null, group: {}, detail: error.detail } };
  }
}
