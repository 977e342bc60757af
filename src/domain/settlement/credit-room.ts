import { addDecimals, D, decimal, divide, zero } from '../decimal.js';
import { invoicedLines } from '../correction/invoiced.js';
import { invariant } from '../failure.js';
import { groupBy } from '../group-by.js';
import type { Invoice } from '../invoicing/invoice.js';
import { minorUnits } from '../money/currency.js';
import type { DecimalString } from '../values.js';
import { NoteTax } from './note-tax.js';

/** A document of a chain that is credited. */
export type CreditedDocument = Pick<
  Invoice,
  'lines' | 'subtotal' | 'credits' | 'tax' | 'taxes' | 'total' | 'currency' | 'number'
>;

/** What was credited of a chain so far, by notes that count. */
export interface CreditedSoFar {
  /** By line key, without tax. */
  readonly byLine: ReadonlyMap<string, DecimalString>;
  readonly subtotal: DecimalString;
  readonly tax: DecimalString;
}

/** @param notes of the chain, those that count */
export function creditedSoFar(
  notes: readonly {
    readonly subtotal: DecimalString;
    readonly tax: DecimalString;
    readonly lines: readonly { readonly lineKey: string; readonly amount: DecimalString }[];
  }[],
): CreditedSoFar {
  const byLine = groupBy(
    notes.flatMap(({ lines }) => lines),
    ({ lineKey }) => lineKey,
  );
  return {
    byLine: new Map([...byLine].map(([key, lines]) => [key, addDecimals(lines.map(({ amount }) => amount))])),
    subtotal: addDecimals(notes.map(({ subtotal }) => subtotal)),
    tax: addDecimals(notes.map(({ tax }) => tax)),
  };
}

/** What limits a line. */
export type CreditLimit = 'line' | 'tax' | 'money';

/**
 * What a chain has left to credit (RULES 61); `take` works it down. A note gives back money, at most what the chain asks for, and
 * bears the tax of its lines: of a line at most what is left of it, of lines that bear the same tax at most what they come to
 * together, and at most what comes, with its tax, to the money that is left. What takes the last of the money, or of the lines, takes
 * it to the last digit; its tax is then the rest, within a minor unit of its rate.
 */
export class CreditRoom {
  private readonly tax: NoteTax;
  private readonly places: number;
  private money: D;
  private readonly lines = new Map<string, D>();
  private readonly groups = new Map<string, D>();
  /** By group, how far the tax of this note is from its rate so far: the last line makes up for it. */
  private readonly drift = new Map<string, D>();

  /**
   * @param documents those that count, in order; at least one
   * @param credited by notes before this one
   */
  constructor(documents: readonly CreditedDocument[], credited: CreditedSoFar) {
    const [original] = documents;
    invariant(original !== undefined, 'what is credited has a document');
    this.places = minorUnits(original.currency);
    this.tax = new NoteTax(documents, this.places);
    const asked = decimal(addDecimals(documents.map(({ total }) => total)));
    this.money = asked.minus(decimal(credited.subtotal)).minus(decimal(credited.tax));
    const invoiced = new Map<string, D>();
    for (const { lineKey, amount } of invoicedLines(documents)) {
      const group = this.tax.groupOf(lineKey);
      invoiced.set(group, (invoiced.get(group) ?? new D(0)).plus(decimal(amount)));
      this.lines.set(lineKey, decimal(amount));
    }
    for (const [group, amount] of invoiced) this.groups.set(group, D.max(amount, 0));
    for (const [lineKey, amount] of credited.byLine) this.lower(lineKey, decimal(amount));
  }

  /** What of a line can be credited now, without tax, and what limits it. */
  mostOf(lineKey: string): { readonly net: D; readonly by: CreditLimit } {
    const ofLine = D.max(this.lines.get(lineKey) ?? 0, 0);
    const left = D.min(ofLine, D.max(this.groups.get(this.tax.groupOf(lineKey)) ?? 0, 0));
    if (left.isZero()) return { net: left, by: ofLine.isZero() ? 'line' : 'tax' };
    if (!this.money.greaterThan(0)) return { net: new D(0), by: 'money' };
    if (left.plus(this.tax.shareOf(lineKey, left)).greaterThan(this.money))
      return { net: D.min(left, this.netOfMoney(lineKey)), by: 'money' };
    return { net: left, by: left.lessThan(ofLine) ? 'tax' : 'line' };
  }

  /**
   * Credits so much of a line, and answers its tax.
   * @param net without tax; above zero, at most `mostOf`
   */
  take(lineKey: string, net: D): D {
    const { net: most, by } = this.mostOf(lineKey);
    const rest = this.money.minus(net);
    const isLast = (by === 'money' && net.equals(most)) || net.equals(this.netLeft());
    const tax = isLast ? rest : D.min(this.tax.shareOf(lineKey, net), rest);
    const group = this.tax.groupOf(lineKey);
    const drift = tax.minus(this.tax.rateOf(lineKey).times(net));
    this.drift.set(group, (this.drift.get(group) ?? new D(0)).plus(drift));
    this.money = rest.minus(tax);
    this.lower(lineKey, net);
    return tax;
  }

  /** What bears tax to come to the money that is left, as near to the line's rate as the minor unit lets it. */
  private netOfMoney(lineKey: string): D {
    const drift = this.drift.get(this.tax.groupOf(lineKey)) ?? new D(0);
    const gross = this.tax.rateOf(lineKey).plus(1);
    const net = divide(this.money.plus(drift), gross, { places: this.places, mode: 'half_even' });
    // Of a single minor unit none may be tax.
    return D.min(D.max(net, new D(10).pow(-this.places)), this.money);
  }

  private netLeft(): D {
    return [...this.groups.values()].reduce((sum, left) => sum.plus(D.max(left, 0)), new D(0));
  }

  private lower(lineKey: string, net: D): void {
    const group = this.tax.groupOf(lineKey);
    this.lines.set(lineKey, (this.lines.get(lineKey) ?? decimal(zero)).minus(net));
    this.groups.set(group, (this.groups.get(group) ?? decimal(zero)).minus(net));
    this.tax.add(lineKey, net);
  }
}
