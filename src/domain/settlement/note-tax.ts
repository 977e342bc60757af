import { addDecimals, D, decimal, divide, zero } from '../decimal.js';
import type { Invoice } from '../invoicing/invoice.js';
import { minorUnits } from '../money/currency.js';
import { rulesOf, taxKeyOf } from '../tax/apply-tax.js';
import type { DecimalString } from '../values.js';

type TaxedDocument = Pick<Invoice, 'lines' | 'subtotal' | 'tax' | 'taxes' | 'currency'>;

/** What a chain asks for: without tax, its prepaid credits taken off, and its tax. */
export interface Payable {
  readonly net: D;
  readonly tax: D;
}

/** What is credited of a chain in all. */
export interface CreditedNet {
  readonly net: D;
  readonly byLine: ReadonlyMap<string, DecimalString>;
}

/**
 * The tax of all that is credited of a chain (RULES 49): of each of its taxes in proportion to what bears it, rounded once each,
 * half-even; all of the net is all of the tax. A chain that does not say what its lines bear is taken as a whole.
 */
export function creditedTax(documents: readonly TaxedDocument[], room: Payable): (credited: CreditedNet) => D {
  if (room.tax.isZero() || room.net.isZero()) return () => new D(0);
  const currency = documents[0]?.currency ?? '';
  const rounding = { places: minorUnits(currency), mode: 'half_even' } as const;
  const billed = decimal(addDecimals(documents.map(({ subtotal }) => subtotal)));
  const taxes = taxesOf(documents);
  const said = taxes.reduce((sum, { tax }) => sum.plus(tax), new D(0));
  if (!said.equals(room.tax)) return ({ net }) => divide(room.tax.times(net), room.net, rounding);
  return ({ net, byLine }) => {
    if (net.equals(room.net)) return room.tax;
    const parts = taxes.map(({ tax, taxable, lines }) => {
      if (tax.isZero() || taxable.isZero()) return new D(0);
      const credited = decimal(addDecimals([...lines].map((lineKey) => byLine.get(lineKey) ?? zero)));
      return divide(tax.times(credited).times(billed), taxable.times(room.net), rounding);
    });
    return D.min(
      parts.reduce((sum, part) => sum.plus(part), new D(0)),
      room.tax,
    );
  };
}

interface ChainTax {
  readonly tax: D;
  readonly taxable: D;
  /** The keys of the lines that bear it. */
  readonly lines: ReadonlySet<string>;
}

function taxesOf(documents: readonly TaxedDocument[]): readonly ChainTax[] {
  const byKey = new Map<string, { tax: D; taxable: D; lines: Set<string> }>();
  const of = (key: string): { tax: D; taxable: D; lines: Set<string> } => {
    const known = byKey.get(key) ?? { tax: new D(0), taxable: new D(0), lines: new Set<string>() };
    byKey.set(key, known);
    return known;
  };
  for (const document of documents) {
    for (const line of document.taxes?.lines ?? []) {
      const own = of(taxKeyOf(line));
      own.tax = own.tax.plus(decimal(line.amount));
      own.taxable = own.taxable.plus(decimal(line.taxableAmount));
    }
    for (const line of document.lines) {
      for (const rule of rulesOf(document, line)) of(taxKeyOf(rule)).lines.add(line.lineKey);
    }
  }
  return [...byKey.values()];
}
