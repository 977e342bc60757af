/** What an invoice document says, in order, before anything is drawn: words and figures, no coordinates. */
import type { Invoice, Party } from '../domain/invoicing/invoice.js';
import { defaultPresentation } from '../domain/invoicing/presentation.js';
import { taxText } from '../domain/invoicing/sections.js';
import type { DecimalString } from '../domain/values.js';
import { dayOf, signOf, withoutSign } from './format.js';
import { conversions, correctionColumns, invoiceColumns, tableRows } from './invoice-rows.js';
import { writingOf } from './locale.js';
import type { Writing } from './locale.js';

/** What a document shows beside the invoice itself. */
export interface InvoiceDocumentOptions {
  /** The invoice that a correction or credit note corrects; without it the document names its id. */
  readonly correctedInvoice?: Pick<Invoice, 'number' | 'issuedAt'>;
  /** The voided invoice that this one replaces. */
  readonly replacedInvoice?: Pick<Invoice, 'number' | 'issuedAt'>;
  /** Names of the grants that its credits are drawn from, by id; a grant without one is not named. */
  readonly creditGrants?: ReadonlyMap<string, string>;
  /** How to pay: bank details and the like. Printed as it stands, above the fixed sentence with number and due date. */
  readonly paymentInformation?: string;
  /** A statement the law asks for (reverse charge, small-business exemption). */
  readonly legalNote?: string;
}

type Shown = InvoiceDocumentOptions & { readonly writing: Writing };

export type Tone = 'normal' | 'muted' | 'strong';
export interface Paragraph {
  readonly text: string;
  readonly tone: Tone;
}
export interface Column {
  readonly header: string;
  /** Share of the table's width; the shares of a table add up to 1. */
  readonly share: number;
  /** `point`: figures stand with their decimal points below each other. */
  readonly align: 'left' | 'right' | 'point';
}
export interface Row {
  /** A section's title, what it sums up, or a line. */
  readonly kind: 'section' | 'line' | 'subtotal';
  readonly cells: readonly (readonly Paragraph[])[];
  /** What a line adds to the total that is carried over pages. */
  readonly amount: DecimalString | null;
}

export interface InvoiceContent {
  readonly title: string;
  /** Set across the head when the document is not a valid claim: a draft, or void. */
  readonly mark: string | null;
  readonly seller: readonly string[];
  readonly buyer: readonly string[];
  readonly facts: readonly { readonly label: string; readonly value: string }[];
  readonly summary: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  /** How the sum of the lines so far is written at the foot of a page. */
  readonly carried: (sum: DecimalString) => string;
  readonly point: string;
  readonly totals: readonly { readonly label: string; readonly amount: string; readonly strong: boolean }[];
  readonly notes: readonly { readonly heading: string; readonly text: string }[];
  /** Identifies the document at the foot of every page. */
  readonly reference: string;
}

const titles = {
  invoice: 'Invoice',
  correction: 'Correction invoice',
  credit_note: 'Credit note',
} as const satisfies Record<Invoice['type'], string>;

export function invoiceContent(invoice: Invoice, options: InvoiceDocumentOptions = {}): InvoiceContent {
  const corrects = invoice.type !== 'invoice';
  const writing = writingOf((invoice.presentation ?? defaultPresentation).locale);
  const shown = { ...options, writing };
  return {
    title: titles[invoice.type],
    mark: markOf(invoice),
    seller: partyLines(invoice.seller),
    buyer: partyLines(invoice.buyer),
    facts: facts(invoice, shown),
    summary: summary(invoice, writing),
    columns: corrects ? correctionColumns : invoiceColumns,
    rows: tableRows(invoice, writing),
    carried: (sum) => writing.amount(sum, invoice.currency),
    point: writing.point,
    totals: totals(invoice, shown),
    notes: notes(invoice, shown),
    reference: `${titles[invoice.type]} ${invoice.number}`,
  };
}

function markOf(invoice: Invoice): string | null {
  if (invoice.status === 'void') return 'VOID';
  return invoice.status === 'draft' || invoice.status === 'held' ? 'DRAFT' : null;
}

/** The address as it was given; else as its parts make it. */
function partyLines(party: Party): readonly string[] {
  const { street, postal_code: zip, city, region, country_code: country } = party;
  const town = [zip, city].filter((part) => part !== undefined).join(' ');
  const address = party.address?.split(/\r?\n/) ?? [street ?? '', town, region ?? '', country ?? ''];
  return [
    party.name,
    ...address.map((line) => line.trim()).filter((line) => line !== ''),
    ...(party.tax_id === undefined ? [] : [`Tax ID ${party.tax_id}`]),
    ...(party.vat_id === undefined || party.vat_id === party.tax_id ? [] : [`VAT ID ${party.vat_id}`]),
    ...(party.email === undefined ? [] : [party.email]),
  ];
}

function facts(invoice: Invoice, options: Shown): InvoiceContent['facts'] {
  const { writing } = options;
  const { timeZone } = invoice;
  const label = invoice.type === 'invoice' ? 'Invoice number' : 'Document number';
  return [
    { label, value: invoice.number },
    ...reference('Corrects', invoice.correctsInvoiceId, { other: options.correctedInvoice, timeZone, writing }),
    ...reference('Replaces', invoice.replacesInvoiceId, { other: options.replacedInvoice, timeZone, writing }),
    { label: 'Issue date', value: writing.day(dayOf(invoice.issuedAt, timeZone)) },
    ...(isClaim(invoice) ? [{ label: 'Due date', value: writing.day(dayOf(invoice.dueAt, timeZone)) }] : []),
    { label: 'Service period', value: writing.period(invoice.periodStart, invoice.periodEnd, timeZone) },
    { label: 'Time zone', value: timeZone },
    { label: 'Customer', value: invoice.customerId },
    ...(isClaim(invoice) && invoice.paymentTerms !== ''
      ? [{ label: 'Payment terms', value: invoice.paymentTerms }]
      : []),
  ];
}

function reference(
  label: string,
  id: string | null,
  {
    other,
    timeZone,
    writing,
  }: {
    readonly other: Pick<Invoice, 'number' | 'issuedAt'> | undefined;
    readonly timeZone: string;
    readonly writing: Writing;
  },
): InvoiceContent['facts'] {
  if (id === null) return [];
  if (other === undefined) return [{ label, value: `invoice ${id}` }];
  return [{ label, value: `${other.number} of ${writing.day(dayOf(other.issuedAt, timeZone))}` }];
}

/** Whether the document asks for payment: a draft does not yet, a void one no longer. */
function isClaim(invoice: Invoice): boolean {
  return markOf(invoice) === null && signOf(invoice.total) === 'positive';
}

function summary(invoice: Invoice, writing: Writing): string {
  if (markOf(invoice) === 'VOID') return 'Void: nothing to pay';
  if (markOf(invoice) === 'DRAFT') return 'Draft: not a request for payment';
  const amount = writing.money(withoutSign(invoice.total), invoice.currency);
  switch (signOf(invoice.total)) {
    case 'zero':
      return 'Nothing to pay';
    case 'negative':
      return `Credit in your favour: ${amount}`;
    case 'positive': {
      const what = invoice.type === 'invoice' ? 'Amount due' : 'Additional amount due';
      return `${what}: ${amount} by ${writing.day(dayOf(invoice.dueAt, invoice.timeZone))}`;
    }
  }
}

/** Of credits and taxes each by itself, where there are any. */
function totals(invoice: Invoice, { writing, creditGrants }: Shown): InvoiceContent['totals'] {
  const { currency, creditDraws, taxes } = invoice;
  const row = (label: string, amount: DecimalString, strong = false) => ({
    label,
    amount: writing.amount(amount, currency),
    strong,
  });
  const draws = creditDraws.map(({ grantId, amount }) => {
    const name = creditGrants?.get(grantId);
    return row(name === undefined ? 'Credits' : `Credit “${name}”`, negated(amount));
  });
  const taxed = (taxes?.lines ?? []).map((line) =>
    row(`${taxText(line)} of ${writing.amount(line.taxableAmount, currency)}`, line.amount),
  );
  return [
    row('Subtotal', invoice.subtotal),
    ...(draws.length > 0 ? draws : [row('Credits', negated(invoice.credits))]),
    ...(taxed.length > 0 ? taxed : [row('Tax', invoice.tax)]),
    row(`Total ${currency}`, invoice.total, true),
  ];
}

/** What is drawn lowers the total, what is given back raises it. */
function negated(amount: DecimalString): DecimalString {
  if (signOf(amount) === 'zero') return amount;
  return signOf(amount) === 'negative' ? withoutSign(amount) : (`-${amount}` as DecimalString);
}

function notes(invoice: Invoice, options: Shown): InvoiceContent['notes'] {
  return [
    ...taxReasons(invoice),
    ...(options.legalNote === undefined ? [] : [{ heading: 'Note', text: options.legalNote }]),
    { heading: 'Payment', text: payment(invoice, options) },
    ...creditNotes(invoice, options),
    ...(invoice.type === 'invoice'
      ? []
      : [{ heading: 'About this correction', text: aboutCorrection(invoice, options) }]),
    ...(invoice.status === 'void' ? [{ heading: 'Void', text: aboutVoid(invoice) }] : []),
    {
      heading: 'About this document',
      text:
        `All amounts are in ${invoice.currency}. Days and the service period are those of the time zone ` +
        `${invoice.timeZone}. ${aboutPrices(invoice)}Every amount is rounded once, at its line. Document ${invoice.invoiceId}.`,
    },
  ];
}

/** Why something is not taxed, in the words that the law asks for. */
function taxReasons({ taxes }: Invoice): InvoiceContent['notes'] {
  const reasons = [...new Set((taxes?.lines ?? []).flatMap(({ reason }) => reason ?? []))];
  return reasons.length === 0 ? [] : [{ heading: 'Tax', text: `${reasons.join('. ')}.` }];
}

/** Which grants the credits are of. */
function creditNotes(invoice: Invoice, { creditGrants, writing }: Shown): InvoiceContent['notes'] {
  const texts = invoice.creditDraws.flatMap(({ grantId, amount }) => {
    const name = creditGrants?.get(grantId);
    if (name === undefined) return [];
    const figure = writing.money(withoutSign(amount), invoice.currency);
    return [signOf(amount) === 'negative' ? `${figure} given back to "${name}"` : `${figure} drawn from "${name}"`];
  });
  return texts.length === 0 ? [] : [{ heading: 'Credits', text: `${texts.join(', ')}.` }];
}

function aboutPrices({ lines, currency }: Invoice): string {
  if (lines.every((line) => conversions(line).length === 0)) return '';
  return `Prices in another currency are converted to ${currency} at the exchange rate shown with the line. `;
}

function aboutCorrection(invoice: Invoice, { correctedInvoice }: InvoiceDocumentOptions): string {
  const corrected = correctedInvoice?.number ?? `the invoice ${invoice.correctsInvoiceId ?? ''}`;
  return (
    `Only lines that change are shown. "Billed so far" is what ${corrected} and its earlier corrections have billed together, ` +
    `"Difference" is what this document adds to it. ${corrected} itself does not change.`
  );
}

function aboutVoid({ type }: Invoice): string {
  const what =
    type === 'invoice'
      ? 'This invoice was taken back, together with all its corrections'
      : 'This correction was taken back together with the invoice that it corrects';
  return `${what}. It is shown as it was issued and is no longer a claim or a credit.`;
}

function payment(invoice: Invoice, { paymentInformation: information, writing }: Shown): string {
  if (markOf(invoice) !== null) return 'No payment is asked for by this document.';
  switch (signOf(invoice.total)) {
    case 'zero':
      return 'No payment is needed for this document.';
    case 'negative':
      return `No payment is needed: this document credits you ${writing.money(withoutSign(invoice.total), invoice.currency)}.`;
    case 'positive': {
      const contact = invoice.seller.email === undefined ? '' : ` Questions: ${invoice.seller.email}.`;
      const sentence =
        `Please pay ${writing.money(invoice.total, invoice.currency)} by ` +
        `${writing.day(dayOf(invoice.dueAt, invoice.timeZone))} and quote ${invoice.number}.${contact}`;
      return information === undefined ? sentence : `${information}\n${sentence}`;
    }
  }
}
