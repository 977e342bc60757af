/** A document's lines as its customer wants to read them (RULES 55): grouped, summed, or taken apart; never other amounts. */
import { addDecimals, decimal, toDecimalString } from '../decimal.js';
import { groupBy } from '../group-by.js';
import type { TaxLine } from '../tax/tax.js';
import type { DecimalString, GroupKey } from '../values.js';
import { describeLine } from './build-invoice.js';
import type { Invoice, InvoiceLineItem } from './invoice.js';
import { itemOf } from './line-item.js';
import type { LineKind } from './line-item.js';
import { defaultPresentation } from './presentation.js';
import type { Itemisation } from './presentation.js';
import { detailsOf, discountsOf } from './section-details.js';
import type { SectionDetail } from './section-details.js';

export interface SectionRow {
  readonly kind: LineKind;
  readonly description: string;
  readonly chargeCode: string | null;
  readonly group: GroupKey;
  /** null where it is the sum of lines: their quantities do not add up. */
  readonly quantity: DecimalString | null;
  readonly unit: string | null;
  readonly amount: DecimalString;
  /** The lines that it stands for; none of what is no line. */
  readonly lineItemIds: readonly string[];
  readonly details: readonly SectionDetail[];
}

/** Of all rows of a section whose group has this value. */
export interface DimensionTotal {
  readonly dimension: string;
  readonly value: string | null;
  readonly amount: DecimalString;
}

export interface Section {
  readonly kind: LineKind;
  readonly title: string;
  readonly meter: string | null;
  readonly rows: readonly SectionRow[];
  /** By dimension and value, where a meter is grouped by any. */
  readonly byDimension: readonly DimensionTotal[];
  readonly amount: DecimalString;
}

type Shown = Pick<
  Invoice,
  'type' | 'lines' | 'currency' | 'creditDraws' | 'credits' | 'taxes' | 'tax' | 'presentation' | 'cutoffPosition'
>;

/**
 * Sections of charges, which sum to the subtotal, then of credits drawn and of tax: all together sum to the total.
 * @param itemisation by default the one that the document was issued with
 */
export function sectionsOf(
  invoice: Shown,
  itemisation: Itemisation = (invoice.presentation ?? defaultPresentation).itemisation,
): readonly Section[] {
  return [...chargeSections(invoice, itemisation), ...creditSections(invoice), ...taxSections(invoice)];
}

const titles = { usage: 'Usage', fee: 'Fees', commitment: 'Minimum commitment', adjustment: 'Corrections' } as const;

/** The sections of a document's lines alone. */
export function chargeSections(invoice: Shown, itemisation: Itemisation): readonly Section[] {
  const entries = invoice.lines.map((line) => ({ line, kind: itemOf(line, invoice).kind }));
  const bySection = groupBy(entries, ({ line, kind }) =>
    hasOwnSection(line, itemisation) ? `meter ${line.meter}` : kind,
  );
  return [...bySection.values()].map((own) => {
    const [{ line: first, kind }] = own;
    const lines = own.map(({ line }) => line);
    const isMeter = hasOwnSection(first, itemisation);
    return {
      kind,
      title: isMeter ? titleOf(first) : kind in titles ? titles[kind as keyof typeof titles] : kind,
      meter: isMeter ? first.meter : null,
      rows: rowsOf(lines, { invoice, itemisation, kind }),
      byDimension: isMeter ? dimensionTotals(lines) : [],
      amount: sumOf(lines),
    };
  });
}

const hasOwnSection = ({ meter }: InvoiceLineItem, itemisation: Itemisation): boolean =>
  meter !== null && (itemisation === 'group' || itemisation === 'detailed');

/**
 * A line's description ends with its group; what stands before it is the meter's name. The group is as long in any order of its
 * properties (a stored one has another than the description), and its values may have brackets of their own.
 */
function titleOf({ description, meter, group }: InvoiceLineItem): string {
  const suffix = describeLine('', group).length;
  if (suffix === 0) return description;
  const at = description.length - suffix;
  return description.startsWith(' (', at) ? description.slice(0, at) : (meter ?? description);
}

function rowsOf(
  lines: readonly InvoiceLineItem[],
  {
    invoice,
    itemisation,
    kind,
  }: { readonly invoice: Shown; readonly itemisation: Itemisation; readonly kind: LineKind },
): readonly SectionRow[] {
  if (itemisation === 'group' || itemisation === 'detailed') {
    return lines.map((line) => lineRow(line, invoice, itemisation === 'detailed'));
  }
  const parts = groupBy(lines, ({ meter, lineKey }) => (itemisation === 'summary' ? '' : (meter ?? lineKey)));
  return [...parts.values()].map((own) => {
    const [first] = own;
    if (own.length === 1 && itemisation === 'meter')
      return { ...lineRow(first, invoice, false), description: titleOf(first) };
    const description = itemisation === 'meter' ? titleOf(first) : (titles[kind as keyof typeof titles] ?? kind);
    return {
      kind,
      description,
      chargeCode: itemisation === 'meter' ? itemOf(first, invoice).chargeCode : null,
      group: {},
      quantity: null,
      unit: null,
      amount: sumOf(own),
      lineItemIds: own.map(({ lineItemId }) => lineItemId),
      details: [],
    };
  });
}

function lineRow(line: InvoiceLineItem, invoice: Shown, isDetailed: boolean): SectionRow {
  const { kind, chargeCode, unit } = itemOf(line, invoice);
  return {
    kind,
    description: line.description,
    chargeCode,
    group: line.group,
    quantity: line.quantity,
    unit,
    amount: line.amount,
    lineItemIds: [line.lineItemId],
    details: isDetailed ? detailsOf(line) : discountsOf(line),
  };
}

function dimensionTotals(lines: readonly InvoiceLineItem[]): readonly DimensionTotal[] {
  const dimensions = [...new Set(lines.flatMap(({ group }) => Object.keys(group)))].sort();
  return dimensions.flatMap((dimension) => {
    const having = lines.filter(({ group }) => Object.hasOwn(group, dimension));
    return [...groupBy(having, ({ group }) => JSON.stringify(group[dimension] ?? null)).values()].map((own) => ({
      dimension,
      value: own[0].group[dimension] ?? null,
      amount: sumOf(own),
    }));
  });
}

function creditSections({ creditDraws, credits }: Shown): readonly Section[] {
  if (creditDraws.length === 0) return [];
  const rows = creditDraws.map(({ grantId, amount }) => ({
    ...noLine,
    kind: 'prepaid_draw' as const,
    description: decimal(amount).isNegative() ? `Given back to credit ${grantId}` : `Drawn from credit ${grantId}`,
    amount: negated(amount),
  }));
  return [{ kind: 'prepaid_draw', title: 'Credits', meter: null, rows, byDimension: [], amount: negated(credits) }];
}

function taxSections({ taxes, tax }: Shown): readonly Section[] {
  if (taxes === undefined || taxes.lines.length === 0) return [];
  const rows = taxes.lines.map((line) => ({
    ...noLine,
    kind: 'tax' as const,
    description: taxText(line),
    amount: line.amount,
  }));
  return [{ kind: 'tax', title: 'Tax', meter: null, rows, byDimension: [], amount: tax }];
}

const noLine = { chargeCode: null, group: {}, quantity: null, unit: null, lineItemIds: [], details: [] } as const;

const categoryNames = {
  standard: 'Tax',
  reduced: 'Tax (reduced)',
  zero: 'Tax (zero-rated)',
  exempt: 'Tax-exempt',
  reverse_charge: 'Reverse charge',
} as const;

/** `Tax DE 19 %`. */
function taxText({ category, jurisdiction, rate }: Pick<TaxLine, 'category' | 'jurisdiction' | 'rate'>): string {
  return `${categoryNames[category]} ${jurisdiction} ${toDecimalString(decimal(rate))} %`;
}

const sumOf = (lines: readonly { readonly amount: DecimalString }[]): DecimalString =>
  addDecimals(lines.map(({ amount }) => amount));
const negated = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount).negated());
