/** What an invoice document says, in order, before anything is drawn: words and figures, no coordinates. */
import { minorUnits } from '../domain/money/currency.js';
import type { Calculation } from '../domain/rating/rating.js';
import type { Invoice, InvoiceLineItem, Party } from '../domain/invoicing/invoice.js';
import type { DecimalString, GroupKey } from '../domain/values.js';
import { rateText } from './exchange.js';
import { dayOf, formatAmount, formatDay, formatPeriod, formatQuantity, signOf, withoutSign } from './format.js';

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

export type Tone = 'normal' | 'muted' | 'strong';
export interface Paragraph {
  readonly text: string;
  readonly tone: Tone;
}
export interface Column {
  readonly header: string;
  /** Share of the table's width; the shares of a table add up to 1. */
  readonly share: number;
  readonly align: 'left' | 'right';
}
export type Row = readonly (readonly Paragraph[])[];

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
  return {
    title: titles[invoice.type],
    mark: markOf(invoice),
    seller: partyLines(invoice.seller),
    buyer: partyLines(invoice.buyer),
    facts: facts(invoice, options),
    summary: summary(invoice),
    columns: corrects ? correctionColumns : invoiceColumns,
    rows: invoice.lines.map((line) => (corrects ? correctionRow(line, invoice) : invoiceRow(line, invoice))),
    totals: totals(invoice),
    notes: notes(invoice, options),
    reference: `${titles[invoice.type]} ${invoice.number}`,
  };
}

function markOf(invoice: Invoice): string | null {
  if (invoice.status === 'void') return 'VOID';
  return invoice.status === 'draft' || invoice.status === 'held' ? 'DRAFT' : null;
}

function partyLines(party: Party): readonly string[] {
  const address = (party.address ?? '').split(/\r?\n/).map((line) => line.trim());
  return [
    party.name,
    ...address.filter((line) => line !== ''),
    ...(party.tax_id === undefined ? [] : [`Tax ID ${party.tax_id}`]),
    ...(party.email === undefined ? [] : [party.email]),
  ];
}

function facts(invoice: Invoice, options: InvoiceDocumentOptions): InvoiceContent['facts'] {
  const { timeZone } = invoice;
  const label = invoice.type === 'invoice' ? 'Invoice number' : 'Document number';
  return [
    { label, value: invoice.number },
    ...reference('Corrects', invoice.correctsInvoiceId, options.correctedInvoice, timeZone),
    ...reference('Replaces', invoice.replacesInvoiceId, options.replacedInvoice, timeZone),
    { label: 'Issue date', value: formatDay(dayOf(invoice.issuedAt, timeZone)) },
    ...(isClaim(invoice) ? [{ label: 'Due date', value: formatDay(dayOf(invoice.dueAt, timeZone)) }] : []),
    { label: 'Service period', value: formatPeriod(invoice.periodStart, invoice.periodEnd, timeZone) },
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
  other: Pick<Invoice, 'number' | 'issuedAt'> | undefined,
  timeZone: string,
): InvoiceContent['facts'] {
  if (id === null) return [];
  if (other === undefined) return [{ label, value: `invoice ${id}` }];
  return [{ label, value: `${other.number} of ${formatDay(dayOf(other.issuedAt, timeZone))}` }];
}

function money(invoice: Invoice, amount: DecimalString): string {
  return formatAmount(amount, minorUnits(invoice.currency));
}

/** Whether the document asks for payment: a draft does not yet, a void one no longer. */
function isClaim(invoice: Invoice): boolean {
  return markOf(invoice) === null && signOf(invoice.total) === 'positive';
}

function summary(invoice: Invoice): string {
  if (markOf(invoice) === 'VOID') return 'Void: nothing to pay';
  if (markOf(invoice) === 'DRAFT') return 'Draft: not a request for payment';
  const amount = `${invoice.currency} ${money(invoice, withoutSign(invoice.total))}`;
  switch (signOf(invoice.total)) {
    case 'zero':
      return 'Nothing to pay';
    case 'negative':
      return `Credit in your favour: ${amount}`;
    case 'positive': {
      const what = invoice.type === 'invoice' ? 'Amount due' : 'Additional amount due';
      return `${what}: ${amount} by ${formatDay(dayOf(invoice.dueAt, invoice.timeZone))}`;
    }
  }
}

const invoiceColumns: readonly Column[] = [
  { header: 'Description', share: 0.33, align: 'left' },
  { header: 'Calculation', share: 0.33, align: 'left' },
  { header: 'Quantity', share: 0.17, align: 'right' },
  { header: 'Amount', share: 0.17, align: 'right' },
];
const correctionColumns: readonly Column[] = [
  { header: 'Description', share: 0.28, align: 'left' },
  { header: 'Calculation', share: 0.27, align: 'left' },
  { header: 'Billed so far', share: 0.15, align: 'right' },
  { header: 'Corrected', share: 0.15, align: 'right' },
  { header: 'Difference', share: 0.15, align: 'right' },
];

function invoiceRow(line: InvoiceLineItem, invoice: Invoice): Row {
  return [
    description(line, invoice),
    calculation(line, invoice),
    [normal(line.quantity === null ? '' : formatQuantity(line.quantity))],
    [normal(money(invoice, line.amount))],
  ];
}

function correctionRow(line: InvoiceLineItem, invoice: Invoice): Row {
  const quantity = line.quantity === null ? [] : [muted(`Corrected quantity ${formatQuantity(line.quantity)}`)];
  const reason = line.reason === null ? [] : [muted(`Reason: ${line.reason.replaceAll('_', ' ')}`)];
  const figure = (amount: DecimalString | null): Paragraph[] => [normal(amount === null ? '' : money(invoice, amount))];
  return [
    [...description(line, invoice), ...quantity, ...reason],
    isGone(line) ? [muted('Nothing is left of this line')] : calculation(line, invoice),
    figure(line.originalAmount),
    figure(line.correctedAmount),
    figure(line.amount),
  ];
}

/** A correction to 0 of a line whose usage was taken back altogether: there is no price to show. */
function isGone({ calculation: { charges }, correctedAmount, quantity }: InvoiceLineItem): boolean {
  return charges.length === 0 && isZero(correctedAmount) && isZero(quantity);
}

const isZero = (value: DecimalString | null): boolean => value !== null && signOf(value) === 'zero';

function description(line: InvoiceLineItem, invoice: Invoice): Paragraph[] {
  const samePeriod = line.serviceFrom === invoice.periodStart && line.serviceTo === invoice.periodEnd;
  return [
    normal(line.description),
    ...(line.description.includes('(') ? [] : groupParagraphs(line.group)),
    ...(samePeriod ? [] : [muted(formatPeriod(line.serviceFrom, line.serviceTo, invoice.timeZone))]),
  ];
}

function groupParagraphs(group: GroupKey): Paragraph[] {
  return Object.entries(group).map(([name, value]) => muted(`${name}: ${value ?? '(none)'}`));
}

/** One formula; or, after a change of price within the period, one for each price with the days it was in force. */
function calculation(line: InvoiceLineItem, invoice: Invoice): Paragraph[] {
  const { formula, charges } = line.calculation;
  const rates = conversions(line).map(muted);
  const [only] = charges;
  if (charges.length < 2) {
    const priced = only?.conversion === undefined ? formula : beforeConversion(formula, only.conversion.rate);
    return [muted(`${inCurrency(only)}${inTerms(priced)}`), ...rates];
  }
  const formulas = charges.map((charge) => {
    const days = charge.in_force.map(({ from, to }) => formatPeriod(from, to, invoice.timeZone)).join(', ');
    const own = inCurrency(charge);
    return muted(`${days}${own === '' ? ': ' : `, ${own}`}${inTerms(withoutUsedUp(charge))}`);
  });
  return [...formulas, ...rates];
}

/** `[62.00] × 0.92` is 62.00 in the currency of the price, and the rate stands below it. */
function beforeConversion(formula: string, rate: string): string {
  const end = `] × ${rate}`;
  return formula.startsWith('[') && formula.endsWith(end) ? formula.slice(1, -end.length) : formula;
}

/** Where the calculation is not in the currency of the amount beside it. */
function inCurrency(charge: Calculation | undefined): string {
  return charge?.conversion === undefined ? '' : `in ${charge.conversion.from}: `;
}

/** Included units are named with the prices that still had some of them, not once more with each later one. */
function withoutUsedUp({ formula, included, quantity, quantity_before: before }: Calculation): string {
  if (included === undefined || included.quantity !== quantity || isZero(before)) return formula;
  return formula.replace(` (${included.units} included)`, '');
}

/** Of prices in another currency: at which rate of which day they were converted, and what an agreed minimum came to. */
function conversions({ calculation: { charges } }: InvoiceLineItem): readonly string[] {
  const texts = charges.flatMap(({ conversion, commitment }) => {
    if (conversion !== undefined) return [rateText(conversion)];
    const minimum = commitment?.converted;
    if (commitment === undefined || minimum === undefined) return [];
    return [`Minimum of ${minimum.price} ${minimum.from} = ${commitment.minimum} ${minimum.to}`, rateText(minimum)];
  });
  return [...new Set(texts)];
}

/** A formula that is broken over lines only before a sign that joins terms: `1000 × 0.10` and `10 %` stay together. */
function inTerms(formula: string): string {
  return formula
    .replace(/ × /g, '\u00A0×\u00A0')
    .replace(/ %/g, '\u00A0%')
    .replace(/ ([+−=]) /g, ' $1\u00A0');
}

function totals(invoice: Invoice): InvoiceContent['totals'] {
  return [
    { label: 'Subtotal', amount: money(invoice, invoice.subtotal), strong: false },
    { label: 'Credits', amount: money(invoice, negated(invoice.credits)), strong: false },
    { label: 'Tax', amount: money(invoice, invoice.tax), strong: false },
    { label: `Total ${invoice.currency}`, amount: money(invoice, invoice.total), strong: true },
  ];
}

/** What is drawn lowers the total, what is given back raises it. */
function negated(amount: DecimalString): DecimalString {
  if (signOf(amount) === 'zero') return amount;
  return signOf(amount) === 'negative' ? withoutSign(amount) : (`-${amount}` as DecimalString);
}

function notes(invoice: Invoice, options: InvoiceDocumentOptions): InvoiceContent['notes'] {
  return [
    ...(options.legalNote === undefined ? [] : [{ heading: 'Note', text: options.legalNote }]),
    { heading: 'Payment', text: payment(invoice, options.paymentInformation) },
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

/** Which grants the credits are of. */
function creditNotes(invoice: Invoice, { creditGrants }: InvoiceDocumentOptions): InvoiceContent['notes'] {
  const texts = invoice.creditDraws.flatMap(({ grantId, amount }) => {
    const name = creditGrants?.get(grantId);
    if (name === undefined) return [];
    const figure = `${invoice.currency} ${money(invoice, withoutSign(amount))}`;
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

function payment(invoice: Invoice, information: string | undefined): string {
  if (markOf(invoice) !== null) return 'No payment is asked for by this document.';
  switch (signOf(invoice.total)) {
    case 'zero':
      return 'No payment is needed for this document.';
    case 'negative':
      return `No payment is needed: this document credits you ${invoice.currency} ${money(invoice, withoutSign(invoice.total))}.`;
    case 'positive': {
      const contact = invoice.seller.email === undefined ? '' : ` Questions: ${invoice.seller.email}.`;
      const sentence =
        `Please pay ${invoice.currency} ${money(invoice, invoice.total)} by ` +
        `${formatDay(dayOf(invoice.dueAt, invoice.timeZone))} and quote ${invoice.number}.${contact}`;
      return information === undefined ? sentence : `${information}\n${sentence}`;
    }
  }
}

const normal = (text: string): Paragraph => ({ text, tone: 'normal' });
const muted = (text: string): Paragraph => ({ text, tone: 'muted' });
