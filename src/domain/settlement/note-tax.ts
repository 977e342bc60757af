import { addDecimals, D, decimal, divide } from '../decimal.js';
import type { Invoice } from '../invoicing/invoice.js';
import type { RoundingMode } from '../rating/price-book.js';
import { rulesOf, taxKeyOf } from '../tax/apply-tax.js';
import type { TaxRule } from '../tax/tax.js';

type TaxedDocument = Pick<Invoice, 'lines' | 'subtotal' | 'tax' | 'taxes'>;

/** What a line bears: `numerator` ÷ `denominator` of its amount. */
interface BorneTax {
  readonly key: string;
  readonly numerator: D;
  readonly denominator: D;
}

/**
 * The tax of what is credited (RULES 61), worked out as the documents work theirs out (RULES 56): of each tax round(rate × all that
 * was credited so far), once a document or once a line as their terms say, less the same without the last credit. So each note
 * bears the rates of its lines, and all of the net is all of the tax, to the last digit.
 */
export class NoteTax {
  private readonly byLine = new Map<string, readonly BorneTax[]>();
  /** What was credited, by what is rounded together. */
  private readonly credited = new Map<string, D>();
  private readonly rounding: { readonly places: number; readonly mode: RoundingMode };
  private readonly isPerLine: boolean;

  /**
   * @param documents those that count, in order
   * @param places digits of the currency's minor unit
   */
  constructor(documents: readonly TaxedDocument[], places: number) {
    const terms = documents.find(({ taxes }) => taxes !== undefined)?.taxes?.terms;
    this.isPerLine = terms?.per === 'line';
    this.rounding = { places, mode: terms?.rounding ?? 'half_even' };
    const whole = wholeOf(documents);
    for (const document of documents) {
      for (const line of document.lines) {
        if (this.byLine.has(line.lineKey)) continue;
        this.byLine.set(line.lineKey, whole ?? rulesOf(document, line).map(borneBy));
      }
    }
  }

  /** Lines with the same group bear the same taxes. */
  groupOf(lineKey: string): string {
    return JSON.stringify(this.taxesOf(lineKey).map(({ key }) => key));
  }

  /** All taxes of a line as a fraction of its amount. */
  rateOf(lineKey: string): D {
    return this.taxesOf(lineKey).reduce((sum, tax) => sum.plus(tax.numerator.dividedBy(tax.denominator)), new D(0));
  }

  /** The tax of so much more of a line; never below zero. */
  shareOf(lineKey: string, net: D): D {
    return this.taxesOf(lineKey).reduce((sum, tax) => {
      const before = this.creditedWith(lineKey, tax);
      return sum.plus(this.amountOf(tax, before.plus(net))).minus(this.amountOf(tax, before));
    }, new D(0));
  }

  /** So much more of a line is credited. */
  add(lineKey: string, net: D): void {
    for (const tax of this.taxesOf(lineKey)) {
      const credited = this.creditedWith(lineKey, tax).plus(net);
      this.credited.set(this.basisOf(lineKey, tax), credited);
    }
  }

  private taxesOf(lineKey: string): readonly BorneTax[] {
    return this.byLine.get(lineKey) ?? [];
  }

  private creditedWith(lineKey: string, tax: BorneTax): D {
    return this.credited.get(this.basisOf(lineKey, tax)) ?? new D(0);
  }

  private basisOf(lineKey: string, { key }: BorneTax): string {
    return this.isPerLine ? JSON.stringify([lineKey, key]) : key;
  }

  private amountOf({ numerator, denominator }: BorneTax, taxable: D): D {
    return divide(numerator.times(taxable), denominator, this.rounding);
  }
}

const percent = new D(100);

const borneBy = (rule: TaxRule): BorneTax => ({
  key: taxKeyOf(rule),
  numerator: decimal(rule.rate),
  denominator: percent,
});

/** A chain that does not say what its lines bear is taxed as a whole. null: it says so, or is not taxed. */
function wholeOf(documents: readonly TaxedDocument[]): readonly BorneTax[] | null {
  const tax = decimal(addDecimals(documents.map((document) => document.tax)));
  const said = documents.flatMap(({ taxes }) => taxes?.lines ?? []).map(({ amount }) => amount);
  if (tax.equals(decimal(addDecimals(said)))) return null;
  const billed = decimal(addDecimals(documents.map(({ subtotal }) => subtotal)));
  if (!tax.greaterThan(0) || !billed.greaterThan(0)) return [];
  return [{ key: 'whole', numerator: tax, denominator: billed }];
}
