/** The table of a document: its sections with their lines, as far as its customer wants them itemised. */
import { addDecimals } from '../domain/decimal.js';
import type { Invoice, InvoiceLineItem } from '../domain/invoicing/invoice.js';
import { defaultPresentation } from '../domain/invoicing/presentation.js';
import type { SectionDetail } from '../domain/invoicing/section-details.js';
import { chargeSections } from '../domain/invoicing/sections.js';
import type { Section, SectionRow } from '../domain/invoicing/sections.js';
import type { Calculation } from '../domain/rating/rating.js';
import type { DecimalString, GroupKey } from '../domain/values.js';
import { rateText } from './exchange.js';
import { signOf } from './format.js';
import type { Column, Paragraph, Row } from './invoice-content.js';
import type { Writing } from './locale.js';

export const invoiceColumns: readonly Column[] = [
  { header: 'Description', share: 0.32, align: 'left' },
  { header: 'Calculation', share: 0.32, align: 'left' },
  { header: 'Quantity', share: 0.19, align: 'point' },
  { header: 'Amount', share: 0.17, align: 'point' },
];
export const correctionColumns: readonly Column[] = [
  { header: 'Description', share: 0.28, align: 'left' },
  { header: 'Calculation', share: 0.27, align: 'left' },
  { header: 'Billed so far', share: 0.15, align: 'point' },
  { header: 'Corrected', share: 0.15, align: 'point' },
  { header: 'Difference', share: 0.15, align: 'point' },
];

interface Sheet {
  readonly invoice: Invoice;
  readonly writing: Writing;
  readonly lines: ReadonlyMap<string, InvoiceLineItem>;
}

/** Dimensions with more values than this are not summed up on paper: the JSON has them all. */
const subtotalsMax = 24;

export function tableRows(invoice: Invoice, writing: Writing): readonly Row[] {
  const { itemisation } = invoice.presentation ?? defaultPresentation;
  const sections = chargeSections(invoice, itemisation);
  const lines = new Map(invoice.lines.map((line) => [line.lineItemId, line]));
  return sections.flatMap((section) => sectionRows(section, { invoice, writing, lines }));
}

/** A section of one line needs neither title nor sum. */
function sectionRows(section: Section, sheet: Sheet): readonly Row[] {
  const rows = section.rows.map((row) => lineRow(row, sheet));
  if (rows.length < 2) return rows;
  return [
    { kind: 'section', cells: [[strong(section.title)]], amount: null },
    ...rows,
    ...dimensionRows(section, sheet),
    subtotal(`Sum of ${section.title}`, section.amount, sheet),
  ];
}

/** By the first dimension of a meter that has several, and more than one value of it. */
function dimensionRows({ byDimension }: Section, sheet: Sheet): readonly Row[] {
  const dimensions = [...new Set(byDimension.map(({ dimension }) => dimension))];
  const [first] = dimensions;
  const own = byDimension.filter(({ dimension }) => dimension === first);
  if (dimensions.length < 2 || own.length < 2 || own.length > subtotalsMax) return [];
  return own.map(({ dimension, value, amount }) => subtotal(`${dimension}: ${value ?? '–'}`, amount, sheet));
}

function subtotal(label: string, amount: DecimalString, { invoice, writing }: Sheet): Row {
  const before = invoice.type === 'invoice' ? [[], []] : [[], [], []];
  const figure = strong(writing.amount(amount, invoice.currency));
  return { kind: 'subtotal', cells: [[muted(label)], ...before, [figure]], amount: null };
}

function lineRow(row: SectionRow, sheet: Sheet): Row {
  const { invoice, lines } = sheet;
  const own = row.lineItemIds.flatMap((id) => lines.get(id) ?? []);
  const [line] = own;
  const isLine = own.length === 1 && line !== undefined && row.quantity !== null;
  const corrects = invoice.type !== 'invoice';
  const cells = isLine
    ? corrects
      ? correctionCells(line, row, sheet)
      : invoiceCells(line, row, sheet)
    : summaryCells(row, own, sheet);
  return { kind: 'line', cells, amount: row.amount };
}

function invoiceCells(line: InvoiceLineItem, row: SectionRow, sheet: Sheet): Row['cells'] {
  const { invoice, writing } = sheet;
  const quantity = line.quantity === null ? [] : [normal(writing.quantity(line.quantity))];
  const unit = row.unit === null || quantity.length === 0 ? [] : [muted(row.unit)];
  return [
    description(line, row, sheet),
    [...calculation(line, invoice, writing), ...row.details.map((detail) => detailParagraph(detail, writing))],
    [...quantity, ...unit],
    [normal(writing.amount(line.amount, invoice.currency))],
  ];
}

function correctionCells(line: InvoiceLineItem, row: SectionRow, sheet: Sheet): Row['cells'] {
  const { invoice, writing } = sheet;
  const quantity = line.quantity === null ? [] : [muted(`Corrected quantity ${writing.quantity(line.quantity)}`)];
  const reason = line.reason === null ? [] : [muted(`Reason: ${line.reason.replaceAll('_', ' ')}`)];
  const figure = (amount: DecimalString | null): Paragraph[] => [
    normal(amount === null ? '' : writing.amount(amount, invoice.currency)),
  ];
  return [
    [...description(line, row, sheet), ...quantity, ...reason],
    isGone(line)
      ? [muted('Nothing is left of this line')]
      : [...calculation(line, invoice, writing), ...row.details.map((detail) => detailParagraph(detail, writing))],
    figure(line.originalAmount),
    figure(line.correctedAmount),
    figure(line.amount),
  ];
}

/** Of lines that are summed up. */
function summaryCells(row: SectionRow, own: readonly InvoiceLineItem[], { invoice, writing }: Sheet): Row['cells'] {
  const amount = (value: DecimalString): Paragraph[] => [normal(writing.amount(value, invoice.currency))];
  const sum = (of: (line: InvoiceLineItem) => DecimalString | null): Paragraph[] =>
    amount(addDecimals(own.flatMap((line) => of(line) ?? [])));
  const head = [[normal(row.description)], [muted(`${own.length} ${own.length === 1 ? 'line' : 'lines'}`)]];
  return invoice.type === 'invoice'
    ? [...head, [], amount(row.amount)]
    : [...head, sum((line) => line.originalAmount), sum((line) => line.correctedAmount), amount(row.amount)];
}

/** A correction to 0 of a line whose usage was taken back altogether: there is no price to show. */
function isGone({ calculation: { charges }, correctedAmount, quantity }: InvoiceLineItem): boolean {
  return charges.length === 0 && isZero(correctedAmount) && isZero(quantity);
}

const isZero = (value: DecimalString | null): boolean => value !== null && signOf(value) === 'zero';

function description(line: InvoiceLineItem, row: SectionRow, { invoice, writing }: Sheet): Paragraph[] {
  const samePeriod = line.serviceFrom === invoice.periodStart && line.serviceTo === invoice.periodEnd;
  const code = line.item?.chargeCode;
  const isNamed = code !== undefined && code !== line.meter && code !== line.description;
  return [
    normal(row.description),
    ...(isNamed ? [muted(code)] : []),
    ...(line.description.includes('(') ? [] : groupParagraphs(line.group)),
    ...(samePeriod ? [] : [muted(writing.period(line.serviceFrom, line.serviceTo, invoice.timeZone))]),
  ];
}

function groupParagraphs(group: GroupKey): Paragraph[] {
  return Object.entries(group).map(([name, value]) => muted(`${name}: ${value ?? '(none)'}`));
}

/** `Discount of 10 %: −11.87`: figures of a calculation are exact, and written as the formula beside them is. */
function detailParagraph({ description: text, amount, kind }: SectionDetail, { point }: Writing): Paragraph {
  const figure = amount.replace('-', '−').replace('.', point === ',' ? '.' : point);
  return muted(kind === 'included' ? text : `${text} = ${figure}`.replace(/ /g, '\u00A0').replace(/:\u00A0/, ': '));
}

/** One formula; or, after a change of price within the period, one for each price with the days it was in force. */
function calculation(line: InvoiceLineItem, invoice: Invoice, writing: Writing): Paragraph[] {
  const { formula, charges } = line.calculation;
  const rates = conversions(line).map(muted);
  const [only] = charges;
  if (charges.length < 2) {
    const priced = only?.conversion === undefined ? formula : beforeConversion(formula, only.conversion.rate);
    return [muted(`${inCurrency(only)}${inTerms(priced)}`), ...rates];
  }
  const formulas = charges.map((charge) => {
    const days = charge.in_force.map(({ from, to }) => writing.period(from, to, invoice.timeZone)).join(', ');
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
export function conversions({ calculation: { charges } }: InvoiceLineItem): readonly string[] {
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

const normal = (text: string): Paragraph => ({ text, tone: 'normal' });
const muted = (text: string): Paragraph => ({ text, tone: 'muted' });
const strong = (text: string): Paragraph => ({ text, tone: 'strong' });
