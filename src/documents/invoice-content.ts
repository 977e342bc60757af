/** What an invoice document says, in order, before anything is drawn: words and figures, no coordinates. */
import { decimal, toDecimalString } from '../domain/decimal.js';
import type { Invoice, Party } from '../domain/invoicing/invoice.js';
import { defaultPresentation } from '../domain/invoicing/presentation.js';
import type { CreditNote } from '../domain/settlement/credit-note.js';
import type { TaxLine } from '../domain/tax/tax.js';
import type { DecimalString } from '../domain/values.js';
import { dayOf, signOf, withoutSign } from './format.js';
import { columnsOf, conversions, tableRows } from './invoice-rows.js';
import { termsText } from './labels.js';
import type { Labels } from './labels.js';
import { writingOf } from './locale.js';
import type { Writing } from './locale.js';

/** What a document shows beside the invoice itself. */
export interface InvoiceDocumentOptions {
  /** Of a credit note by hand: why it was issued, in all and line by line. */
  readonly creditNote?: Pick<CreditNote, 'reason' | 'lines'>;
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

export type Shown = InvoiceDocumentOptions & { readonly writing: Writing };

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
  /** A section's title, what it sums up, a part of that, or a line. */
  readonly kind: 'section' | 'line' | 'subtotal' | 'part';
  readonly cells: readonly (readonly Paragraph[])[];
  /** What a line adds to the total that is carried over pages. */
  readonly amount: DecimalString | null;
}

export interface InvoiceContent {
  readonly labels: Labels;
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

export function invoiceContent(invoice: Invoice, options: InvoiceDocumentOptions = {}): InvoiceContent {
  const writing = writingOf((invoice.presentation ?? defaultPresentation).locale);
  const { labels } = writing;
  const shown = { ...options, writing };
  const state = stateOf(invoice);
  return {
    labels,
    title: labels.titles[invoice.type],
    mark: state === 'stands' ? null : labels.marks[state],
    seller: partyLines(invoice.seller, labels),
    buyer: partyLines(invoice.buyer, labels),
    facts: facts(invoice, shown),
    summary: summary(invoice, writing),
    columns: columnsOf(invoice, shown),
    rows: tableRows(invoice, shown),
    carried: (sum) => writing.amount(sum, invoice.currency),
    point: writing.point,
    totals: totals(invoice, shown),
    notes: notes(invoice, shown),
    reference: `${labels.titles[invoice.type]} ${invoice.number}`,
  };
}

function stateOf({ status }: Invoice): 'stands' | 'void' | 'draft' {
  if (status === 'void') return 'void';
  return status === 'draft' || status === 'held' ? 'draft' : 'stands';
}

/** The address as it was given; else as its parts make it. */
function partyLines(party: Party, labels: Labels): readonly string[] {
  const { street, postal_code: zip, city, region, country_code: country } = party;
  const town = [zip, city].filter((part) => part !== undefined).join(' ');
  const address = party.address?.split(/\r?\n/) ?? [street ?? '', town, region ?? '', country ?? ''];
  return [
    party.name,
    ...address.map((line) => line.trim()).filter((line) => line !== ''),
    ...(party.tax_id === undefined || party.vat_id === party.tax_id ? [] : [`${labels.taxId} ${party.tax_id}`]),
    ...(party.vat_id === undefined ? [] : [`${labels.vatId} ${party.vat_id}`]),
    ...(party.email === undefined ? [] : [party.email]),
  ];
}

function facts(invoice: Invoice, options: Shown): InvoiceContent['facts'] {
  const { writing, creditNote } = options;
  const { timeZone } = invoice;
  const { facts: labels } = writing.labels;
  const label = invoice.type === 'invoice' ? labels.invoiceNumber : labels.documentNumber;
  const corrects = creditNote === undefined ? labels.corrects : labels.credits;
  return [
    { label, value: invoice.number },
    ...reference(corrects, invoice.correctsInvoiceId, { other: options.correctedInvoice, timeZone, writing }),
    ...reference(labels.replaces, invoice.replacesInvoiceId, { other: options.replacedInvoice, timeZone, writing }),
    { label: labels.issueDate, value: writing.day(dayOf(invoice.issuedAt, timeZone)) },
    ...(isClaim(invoice) ? [{ label: labels.dueDate, value: writing.day(dayOf(invoice.dueAt, timeZone)) }] : []),
    { label: labels.servicePeriod, value: writing.period(invoice.periodStart, invoice.periodEnd, timeZone) },
    { label: labels.timeZone, value: timeZone },
    { label: labels.customer, value: invoice.customerId },
    ...(invoice.buyer.reference === undefined
      ? []
      : [{ label: labels.buyerReference, value: invoice.buyer.reference }]),
    ...(isClaim(invoice) && invoice.paymentTerms !== ''
      ? [{ label: labels.paymentTerms, value: termsText(invoice.paymentTerms, writing.labels) }]
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
  const { labels, day } = writing;
  if (id === null) return [];
  if (other === undefined) return [{ label, value: labels.invoice(id) }];
  return [{ label, value: labels.of(other.number, day(dayOf(other.issuedAt, timeZone))) }];
}

/** Whether the document asks for payment: a draft does not yet, a void one no longer. */
function isClaim(invoice: Invoice): boolean {
  return stateOf(invoice) === 'stands' && signOf(invoice.total) === 'positive';
}

function summary(invoice: Invoice, writing: Writing): string {
  const { summary: labels } = writing.labels;
  const state = stateOf(invoice);
  if (state !== 'stands') return labels[state];
  const amount = writing.money(withoutSign(invoice.total), invoice.currency);
  switch (signOf(invoice.total)) {
    case 'zero':
      return labels.nothing;
    case 'negative':
      return labels.credit(amount);
    case 'positive': {
      const day = writing.day(dayOf(invoice.dueAt, invoice.timeZone));
      return invoice.type === 'invoice' ? labels.due(amount, day) : labels.moreDue(amount, day);
    }
  }
}

/** Of credits and taxes each by itself, where there are any. */
function totals(invoice: Invoice, { writing, creditGrants }: Shown): InvoiceContent['totals'] {
  const { currency, creditDraws, taxes } = invoice;
  const { labels } = writing;
  const row = (label: string, amount: DecimalString, strong = false) => ({
    label,
    amount: writing.amount(amount, currency),
    strong,
  });
  const draws = creditDraws.map(({ grantId, amount }) => {
    const name = creditGrants?.get(grantId);
    return row(name === undefined ? labels.totals.credits : labels.credit(name), negated(amount));
  });
  const taxed = (taxes?.lines ?? []).map((line) =>
    row(labels.taxed(taxName(line, writing), writing.amount(line.taxableAmount, currency)), line.amount),
  );
  return [
    row(labels.totals.subtotal, invoice.subtotal),
    // A document that takes back draws on no credit.
    ...(draws.length > 0 || invoice.type === 'credit_note'
      ? draws
      : [row(labels.totals.credits, negated(invoice.credits))]),
    ...(taxed.length > 0 ? taxed : [row(labels.totals.tax, invoice.tax)]),
    row(`${labels.totals.total} ${currency}`, invoice.total, true),
  ];
}

/** `Tax DE 19 %`. */
function taxName({ category, jurisdiction, rate }: TaxLine, { labels, quantity }: Writing): string {
  return `${labels.taxes[category]} ${jurisdiction} ${quantity(toDecimalString(decimal(rate)))} %`;
}

/** What is drawn lowers the total, what is given back raises it. */
function negated(amount: DecimalString): DecimalString {
  if (signOf(amount) === 'zero') return amount;
  return signOf(amount) === 'negative' ? withoutSign(amount) : (`-${amount}` as DecimalString);
}

function notes(invoice: Invoice, options: Shown): InvoiceContent['notes'] {
  const { headings, sentences } = options.writing.labels;
  const { creditNote, legalNote } = options;
  const { currency, timeZone, invoiceId: id } = invoice;
  const converted = invoice.lines.some((line) => conversions(line, options.writing).length > 0);
  const voided = invoice.type === 'invoice' ? sentences.invoiceVoid : sentences.correctionVoid;
  return [
    ...taxReasons(invoice, options.writing),
    ...(legalNote === undefined ? [] : [{ heading: headings.note, text: legalNote }]),
    ...(creditNote === undefined || creditNote.reason === null
      ? []
      : [{ heading: headings.reason, text: creditNote.reason }]),
    { heading: headings.payment, text: payment(invoice, options) },
    ...creditNotes(invoice, options),
    ...aboutCorrection(invoice, options),
    ...(stateOf(invoice) === 'void' ? [{ heading: headings.void, text: voided }] : []),
    { heading: headings.document, text: sentences.document({ currency, timeZone, id, converted }) },
  ];
}

/** Why something is not taxed, in the words that the law asks for. */
function taxReasons({ taxes }: Invoice, { labels }: Writing): InvoiceContent['notes'] {
  const reasons = [...new Set((taxes?.lines ?? []).flatMap(({ reason }) => reason ?? []))];
  return reasons.length === 0 ? [] : [{ heading: labels.headings.tax, text: `${reasons.join('. ')}.` }];
}

/** Which grants the credits are of. */
function creditNotes(invoice: Invoice, { creditGrants, writing }: Shown): InvoiceContent['notes'] {
  const { headings, sentences } = writing.labels;
  const texts = invoice.creditDraws.flatMap(({ grantId, amount }) => {
    const name = creditGrants?.get(grantId);
    if (name === undefined) return [];
    const figure = writing.money(withoutSign(amount), invoice.currency);
    return [signOf(amount) === 'negative' ? sentences.givenBack(figure, name) : sentences.drawn(figure, name)];
  });
  return texts.length === 0 ? [] : [{ heading: headings.credits, text: `${texts.join(', ')}.` }];
}

function aboutCorrection(
  { type, correctsInvoiceId }: Invoice,
  { correctedInvoice, creditNote, writing }: Shown,
): InvoiceContent['notes'] {
  if (type === 'invoice') return [];
  const { headings, sentences } = writing.labels;
  const corrected = correctedInvoice?.number ?? sentences.theInvoice(correctsInvoiceId ?? '');
  return creditNote === undefined
    ? [{ heading: headings.correction, text: sentences.correction(corrected) }]
    : [{ heading: headings.credit, text: sentences.creditNote(corrected) }];
}

function payment(invoice: Invoice, { paymentInformation: information, writing }: Shown): string {
  const { sentences } = writing.labels;
  if (stateOf(invoice) !== 'stands') return sentences.noClaim;
  switch (signOf(invoice.total)) {
    case 'zero':
      return sentences.noPayment;
    case 'negative':
      return sentences.credited(writing.money(withoutSign(invoice.total), invoice.currency));
    case 'positive': {
      const { iban, email, name: holder } = invoice.seller;
      const amount = writing.money(invoice.total, invoice.currency);
      const day = writing.day(dayOf(invoice.dueAt, invoice.timeZone));
      const sentence = sentences.pay({ amount, day, number: invoice.number });
      const contact = email === undefined ? '' : ` ${sentences.questions(email)}`;
      const account = iban === undefined ? [] : [sentences.account({ iban: inFours(iban), holder })];
      return [...(information === undefined ? [] : [information]), ...account, `${sentence}${contact}`].join('\n');
    }
  }
}

/** An IBAN as it is read aloud. */
const inFours = (iban: string): string => iban.replace(/\s/g, '').replace(/(.{4})(?=.)/g, '$1 ');
