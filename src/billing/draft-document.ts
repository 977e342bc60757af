/** What an invoice says before it is issued: computed anew whenever it is asked for (RULES 52). */
import { createHash } from 'node:crypto';
import { buildInvoice } from '../domain/invoicing/build-invoice.js';
import type { InvoiceFacts } from '../domain/invoicing/build-invoice.js';
import type { UnnumberedInvoice } from '../domain/invoicing/document.js';
import type { Party } from '../domain/invoicing/invoice.js';
import { decimal, toDecimalString } from '../domain/decimal.js';
import { DomainFailure } from '../domain/failure.js';
import { defaultLegalEntity } from '../domain/invoicing/invoice-number.js';
import { defaultPresentation } from '../domain/invoicing/presentation.js';
import type { RatingProblem } from '../domain/rating/rating.js';
import { noTaxProvider } from '../domain/tax/tax.js';
import type { TaxProvider } from '../domain/tax/tax.js';
import type { DecimalString, Instant } from '../domain/values.js';
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

/** SHA-256 of what a person looks at: lines and totals. Decisions are about it, so that they hold for nothing else. */
export function contentHash({ currency, lines, ...document }: UnnumberedInvoice): string {
  const plain = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount));
  const content = {
    currency,
    subtotal: plain(document.subtotal),
    credits: plain(document.credits),
    tax: plain(document.tax),
    total: plain(document.total),
    lines: lines.map(({ lineKey, quantity, amount }) => ({
      line_key: lineKey,
      quantity: quantity === null ? null : plain(quantity),
      amount: plain(amount),
    })),
  };
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}

export interface ComputedDraft {
  readonly document: UnnumberedInvoice;
  readonly contentHash: string;
  /** What would hold it beside the safety bounds. */
  readonly problems: readonly RatingProblem[];
}

export interface DraftSettings {
  readonly seller: Party;
  readonly paymentTermsDays: number;
  readonly tax?: TaxProvider;
  readonly now: Instant;
}

/**
 * From raw events at the safe horizon, with the prices, the issuer and the taxes of now.
 * @throws DomainFailure UNKNOWN_CUSTOMER, INVOICE_NOT_FOUND; TaxUnavailable
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
  const tax = await taxOfInvoice(
    provider,
    { invoiceId, period, customer, currency, ...parties },
    taxableLines(rated.lines),
  );
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
  return { document, contentHash: contentHash(document), problems: rated.problems };
}
