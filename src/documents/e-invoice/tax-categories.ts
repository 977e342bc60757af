/** A document's tax in the words of EN 16931: one category a line, one breakdown a category and rate. */
import { addDecimals, decimal, toDecimalString, zero } from '../../domain/decimal.js';
import type { Invoice, InvoiceLineItem } from '../../domain/invoicing/invoice.js';
import type { TaxCategory, TaxLine } from '../../domain/tax/tax.js';
import type { DecimalString } from '../../domain/values.js';

/** UNCL 5305, as far as EN 16931 takes it. */
export type CategoryCode = 'S' | 'Z' | 'E' | 'AE' | 'O';

export interface VatCategory {
  readonly code: CategoryCode;
  /** Percent; null where the category has none. */
  readonly rate: DecimalString | null;
  readonly reasonCode: string | null;
  readonly reason: string | null;
}

export interface VatBreakdown extends VatCategory {
  readonly taxableAmount: DecimalString;
  readonly taxAmount: DecimalString;
}

const codes = { standard: 'S', reduced: 'S', zero: 'Z', exempt: 'E', reverse_charge: 'AE' } as const satisfies Record<
  TaxCategory,
  CategoryCode
>;

const notTaxed: VatCategory = {
  code: 'O',
  rate: null,
  reasonCode: 'VATEX-EU-O',
  reason: 'Not subject to VAT',
};

/** The categories of a line; EN 16931 can say exactly one. */
export function categoriesOf(line: InvoiceLineItem, { taxes }: Pick<Invoice, 'taxes'>): readonly VatCategory[] {
  if (taxes === undefined) return [notTaxed];
  const numbers = line.item?.taxLines ?? [];
  return taxes.lines.filter(({ taxLineNumber }) => numbers.includes(taxLineNumber)).map(categoryOf);
}

/** A document without lines has a breakdown of nothing, because one is asked for. */
export function breakdownsOf({
  taxes,
  lines,
  subtotal,
}: Pick<Invoice, 'taxes' | 'lines' | 'subtotal'>): readonly VatBreakdown[] {
  if (taxes === undefined) return [{ ...notTaxed, taxableAmount: subtotal, taxAmount: zero }];
  if (lines.length === 0)
    return [{ code: 'Z', rate: zero, reasonCode: null, reason: null, taxableAmount: zero, taxAmount: zero }];
  const groups = new Map<string, { category: VatCategory; lines: TaxLine[] }>();
  for (const line of taxes.lines) {
    const category = categoryOf(line);
    const key = `${category.code} ${category.rate ?? ''}`;
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { category, lines: [line] });
    else known.lines.push(line);
  }
  return [...groups.values()].map(({ category, lines: own }) => ({
    ...category,
    taxableAmount: addDecimals(own.map(({ taxableAmount }) => taxableAmount)),
    taxAmount: addDecimals(own.map(({ amount }) => amount)),
  }));
}

function categoryOf({ category, rate, reasonCode, reason }: TaxLine): VatCategory {
  return { code: codes[category], rate: toDecimalString(decimal(rate)), reasonCode, reason };
}
