/** The table of a document: its sections with their lines, as far as its customer wants them itemised. */
import { addDecimals } from '../domain/decimal.js';
import type { Invoice, InvoiceLineItem } from '../domain/invoicing/invoice.js';
import { defaultPresentation } from '../domain/invoicing/presentation.js';
import type { SectionDetail } from '../domain/invoicing/section-details.js';
import { chargeSections } from '../domain/invoicing/sections.js';
import type { Section, SectionRow } from '../domain/invoicing/sections.js';
import type { Calculation } from '../domain/rating/rating.js';
import type { DecimalString } from '../domain/values.js';
import { rateText, type RateShown } from './exchange.js';
import { signOf } from './format.js';
import type { Column, Paragraph, Row, Shown } from './invoice-content.js';
import { reasonText } from './labels.js';
import type { Labels } from './labels.js';
import type { Writing } from './locale.js';

/** Of a credit note by hand the reason stands in place of a calculation. */
export function columnsOf({ type }: Pick<Invoice, 'type'>, { creditNote, writing }: Shown): readonly Column[] {
  const { columns: labels } = writing.labels;
  const text = (header: string, share: number) => ({ header, share, align: 'left' }) as const;
  const figure = (header: string, share: number) => ({ header, share, align: 'point' }) as const;
  if (type === 'invoice') {
    return [
      text(labels.description, 0.32),
      text(labels.calculation, 0.32),
      figure(labels.quantity, 0.19),
      figure(labels.amount, 0.17),
    ];
  }
  const [before, after, difference] =
    creditNote === undefined
      ? [labels.billedSoFar, labels.corrected, labels.difference]
      : [labels.before, labels.after, labels.credited];
  return [
    text(labels.description, 0.27),
    text(creditNote === undefined ? labels.calculation : labels.reason, 0.25),
    ...[before, after, difference].map((header) => figure(header, 0.16)),
  ];
}

interface Sheet extends Pick<Shown, 'creditNote' | 'writing'> {
  readonly invoice: Invoice;
  readonly lines: ReadonlyMap<string, InvoiceLineItem>;
}

/** Dimensions with more values than this are not summed up on paper: the JSON has them all. */
const subtotalsMax = 24;

export function tableRows(invoice: Invoice, { writing, creditNote }: Shown): readonly Row[] {
  const { itemisation } = invoice.presentation ?? defaultPresentation;
  const sections = chargeSections(invoice, itemisation);
  const lines = new Map(invoice.lines.map((line) => [line.lineItemId, line]));
  return sections.flatMap((section) =>
    sectionRows(section, { invoice, writing, lines, ...(creditNote !== undefined && { creditNote }) }),
  );
}

/** A section of one line needs neither title nor sum. */
function sectionRows(section: Section, sheet: Sheet): readonly Row[] {
  const { labels } = sheet.writing;
  const rows = section.rows.map((row) => lineRow(row, sheet));
  if (rows.length < 2 || sheet.creditNote !== undefined) return rows;
  const title = section.meter === null ? kindText(section.kind, labels) : section.title;
  return [
    { kind: 'section', cells: [[strong(title)]], amount: null },
    ...rows,
    subtotal(labels.sumOf(title), section.amount, sheet),
    ...dimensionRows(section, sheet),
  ];
}

/** Of which by the first dimension of a meter that has several, and more than one value of it (RULES 55); nothing more to pay. */
function dimensionRows({ byDimension }: Section, sheet: Sheet): readonly Row[] {
  const dimensions = [...new Set(byDimension.map(({ dimension }) => dimension))];
  const [first] = dimensions;
  const own = byDimension.filter(({ dimension }) => dimension === first);
  if (dimensions.length < 2 || own.length < 2 || own.length > subtotalsMax) return [];
  const { invoice, writing } = sheet;
  const { labels } = writing;
  const heading: Row = { kind: 'part', cells: [[muted(labels.ofWhichBy(first ?? ''))]], amount: null };
  const parts = own.map(({ dimension, value, amount }): Row => {
    const name = muted(`${dimension}: ${value ?? '–'}`);
    return {
      kind: 'part',
      cells: [[name], ...between(invoice), [muted(writing.amount(amount, invoice.currency))]],
      amount: null,
    };
  });
  return [heading, ...parts];
}

/** The empty cells between the first and the last one. */
const between = ({ type }: Invoice): Row['cells'] => (type === 'invoice' ? [[], []] : [[], [], []]);

function subtotal(label: string, amount: DecimalString, { invoice, writing }: Sheet): Row {
  const figure = strong(writing.amount(amount, invoice.currency));
  return { kind: 'subtotal', cells: [[muted(label)], ...between(invoice), [figure]], amount: null };
}

function lineRow(row: SectionRow, sheet: Sheet): Row {
  const { invoice, lines } = sheet;
  const own = row.lineItemIds.flatMap((id) => lines.get(id) ?? []);
  const [line] = own;
  const { creditNote } = sheet;
  if (creditNote !== undefined && line !== undefined)
    return { kind: 'line', cells: creditNoteCells(line, row, { ...sheet, creditNote }), amount: row.amount };
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
  const { labels } = writing;
  const quantity = line.quantity === null ? [] : [muted(labels.correctedQuantity(writing.quantity(line.quantity)))];
  const reason = line.reason === null ? [] : [muted(labels.reason(reasonText(line.reason, labels)))];
  return [
    [...description(line, row, sheet), ...quantity, ...reason],
    isGone(line)
      ? [muted(labels.nothingLeft)]
      : [...calculation(line, invoice, writing), ...row.details.map((detail) => detailParagraph(detail, writing))],
    ...changeCells(line, { invoice, writing }),
  ];
}

/** Of a credit note by hand: each line with the reason for it, in the words of who issued it. */
function creditNoteCells(
  line: InvoiceLineItem,
  row: SectionRow,
  sheet: Sheet & { readonly creditNote: NonNullable<Sheet['creditNote']> },
): Row['cells'] {
  const { labels } = sheet.writing;
  const credited = sheet.creditNote.lines.find(({ lineNumber }) => lineNumber === line.lineNumber);
  const reason = [
    ...(credited === undefined ? [] : [normal(reasonText(credited.reasonCode, labels))]),
    ...(credited?.reason === undefined || credited.reason === null ? [] : [muted(credited.reason)]),
  ];
  return [description(line, row, sheet), reason, ...changeCells(line, sheet)];
}

/** What a line came to, what it comes to, and the difference. */
function changeCells(line: InvoiceLineItem, { invoice, writing }: Pick<Sheet, 'invoice' | 'writing'>): Row['cells'] {
  return [line.originalAmount, line.correctedAmount, line.amount].map((amount) => [
    normal(amount === null ? '' : writing.amount(amount, invoice.currency)),
  ]);
}

/** Of lines that are summed up. */
function summaryCells(row: SectionRow, own: readonly InvoiceLineItem[], { invoice, writing }: Sheet): Row['cells'] {
  const amount = (value: DecimalString): Paragraph[] => [normal(writing.amount(value, invoice.currency))];
  const sum = (of: (line: InvoiceLineItem) => DecimalString | null): Paragraph[] =>
    amount(addDecimals(own.flatMap((line) => of(line) ?? [])));
  const { labels } = writing;
  // A summary's rows are kinds; a meter's are named by it.
  const name = row.chargeCode === null ? kindText(row.kind, labels) : row.description;
  const head = [[normal(name)], [muted(labels.lines(own.length))]];
  return invoice.type === 'invoice'
    ? [...head, [], amount(row.amount)]
    : [...head, sum((line) => line.originalAmount), sum((line) => line.correctedAmount), amount(row.amount)];
}

/** Of what is no meter; discounts, draws and taxes have no section in the table. */
function kindText(kind: SectionRow['kind'], { kinds }: Labels): string {
  return kind in kinds ? kinds[kind as keyof Labels['kinds']] : kind;
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
    ...(samePeriod ? [] : [muted(writing.period(line.serviceFrom, line.serviceTo, invoice.timeZone))]),
  ];
}

/** `Discount of 10 % = −11.87`: figures of a calculation are exact, and written as the formula beside them is. */
function detailParagraph({ description: text, amount, kind }: SectionDetail, writing: Writing): Paragraph {
  const said = calculationText(text, writing);
  if (kind === 'included') return muted(said);
  return muted(inTerms(`${said} = ${calculationText(amount.replace('-', '−'), writing)}`));
}

/** A stored calculation with the words and the decimal point of a document's locale; no digit changes. */
function calculationText(text: string, { labels, point }: Pick<Writing, 'labels' | 'point'>): string {
  const words = labels.calculation.reduce((said, [stored, printed]) => said.replace(stored, printed), text);
  return words.replace(/(?<=\d)\.(?=\d)/g, point);
}

/** One formula; or, after a change of price within the period, one for each price with the days it was in force. */
function calculation(line: InvoiceLineItem, invoice: Invoice, writing: Writing): Paragraph[] {
  const { formula, charges } = line.calculation;
  const rates = conversions(line, writing).map(muted);
  const [only] = charges;
  if (charges.length < 2) {
    const priced = only?.conversion === undefined ? formula : beforeConversion(formula, only.conversion.rate);
    return [muted(`${inCurrency(only)}${inTerms(calculationText(priced, writing))}`), ...rates];
  }
  const formulas = charges.map((charge) => {
    const days = charge.in_force.map(({ from, to }) => writing.period(from, to, invoice.timeZone)).join(', ');
    const own = inCurrency(charge);
    return muted(`${days}${own === '' ? ': ' : `, ${own}`}${inTerms(calculationText(withoutUsedUp(charge), writing))}`);
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
export function conversions(
  { calculation: { charges } }: InvoiceLineItem,
  { day, labels, point }: Pick<Writing, 'day' | 'labels' | 'point'>,
): readonly string[] {
  const rateOf = (applied: RateShown): string =>
    rateText(applied, day, (rate) => calculationText(rate, { labels, point }));
  const texts = charges.flatMap(({ conversion, commitment }) => {
    if (conversion !== undefined) return [rateOf(conversion)];
    const minimum = commitment?.converted;
    if (commitment === undefined || minimum === undefined) return [];
    return [
      calculationText(`Minimum of ${minimum.price} ${minimum.from} = ${commitment.minimum} ${minimum.to}`, {
        labels,
        point,
      }),
      rateOf(minimum),
    ];
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
