import { addDecimals, D, decimal, toDecimalString } from '../decimal.js';
import { roundMoney } from '../money/rounding.js';
import type { DecimalString } from '../values.js';
import type { DocumentTax, TaxLine, TaxRule, TaxTerms } from './tax.js';

/** A document of the chain as far as its tax goes. */
export interface EarlierDocument {
  readonly lines: readonly {
    readonly lineKey: string;
    readonly amount: DecimalString;
    readonly item?: { readonly taxLines: readonly number[] };
  }[];
  readonly taxes?: DocumentTax;
}

export interface TaxFacts {
  readonly terms: TaxTerms;
  /** By line key. */
  readonly rules: ReadonlyMap<string, readonly TaxRule[]>;
  /** The documents of the chain before this one; voided ones are left out. */
  readonly earlier: readonly EarlierDocument[];
}

export interface TaxableLine {
  readonly lineKey: string;
  readonly amount: DecimalString;
}

export interface AppliedTax {
  readonly taxes: DocumentTax;
  readonly total: DecimalString;
  /** The tax lines that a line is part of, by line key. */
  readonly numbers: ReadonlyMap<string, readonly number[]>;
}

/**
 * The tax lines of a document (RULES 56): of each jurisdiction, category and rate round(rate × what the chain has taxed with it,
 * this document included) − what the documents before it said; per line, where that is the way of the terms. So corrections
 * never drift, and an original is just round(rate × its lines).
 */
export function applyTax(
  { terms, rules, earlier }: TaxFacts,
  lines: readonly TaxableLine[],
  currency: string,
): AppliedTax {
  const taxed = new Map<string, { rule: TaxRule; lines: TaxableLine[] }>();
  for (const line of lines) {
    for (const rule of rules.get(line.lineKey) ?? []) {
      const key = taxKeyOf(rule);
      const known = taxed.get(key);
      if (known === undefined) taxed.set(key, { rule, lines: [line] });
      else known.lines.push(line);
    }
  }
  const numbers = new Map<string, number[]>();
  const sorted = [...taxed].sort(([a], [b]) => (a < b ? -1 : 1));
  const taxLines = sorted.map(([key, own], index): TaxLine => {
    for (const { lineKey } of own.lines) numbers.set(lineKey, [...(numbers.get(lineKey) ?? []), index + 1]);
    return {
      ...own.rule,
      taxLineNumber: index + 1,
      taxableAmount: addDecimals(own.lines.map(({ amount }) => amount)),
      amount: amountOf({ key, ...own }, { terms, earlier, currency }),
    };
  });
  return {
    taxes: { terms, lines: taxLines },
    total: addDecimals(taxLines.map(({ amount }) => amount)),
    numbers,
  };
}

function amountOf(
  { key, rule, lines }: { readonly key: string; readonly rule: TaxRule; readonly lines: readonly TaxableLine[] },
  { terms, earlier, currency }: Pick<TaxFacts, 'terms' | 'earlier'> & { readonly currency: string },
): DecimalString {
  const taxOf = (taxable: D): D =>
    decimal(roundMoney(taxable.times(decimal(rule.rate)).times(percent), currency, terms.rounding));
  const added = (before: D, amount: D): D => taxOf(before.plus(amount)).minus(taxOf(before));
  if (terms.per === 'document') {
    const before = earlier.flatMap(({ taxes }) => (taxes?.lines ?? []).filter((line) => taxKeyOf(line) === key));
    const own = addDecimals(lines.map(({ amount }) => amount));
    return toDecimalString(added(decimal(addDecimals(before.map(({ taxableAmount }) => taxableAmount))), decimal(own)));
  }
  const amounts = lines.map(({ lineKey, amount }) => {
    const before = earlier.flatMap((document) =>
      document.lines.filter(
        (line) => line.lineKey === lineKey && rulesOf(document, line).some((own) => taxKeyOf(own) === key),
      ),
    );
    return toDecimalString(added(decimal(addDecimals(before.map((line) => line.amount))), decimal(amount)));
  });
  return addDecimals(amounts);
}

const percent = new D('0.01');

/** What tells taxes apart; a reason does not. */
export const taxKeyOf = ({
  jurisdiction,
  category,
  rate,
}: Pick<TaxRule, 'jurisdiction' | 'category' | 'rate'>): string =>
  JSON.stringify([jurisdiction, category, toDecimalString(decimal(rate))]);

/** What a stored line was taxed with. */
export function rulesOf(
  { taxes }: Pick<EarlierDocument, 'taxes'>,
  line: EarlierDocument['lines'][number],
): readonly TaxRule[] {
  const numbers = line.item?.taxLines ?? [];
  return (taxes?.lines ?? []).filter(({ taxLineNumber }) => numbers.includes(taxLineNumber)).map(ruleOf);
}

const ruleOf = ({ jurisdiction, category, rate, reasonCode, reason }: TaxLine): TaxRule => ({
  jurisdiction,
  category,
  rate,
  reasonCode,
  reason,
});

/**
 * What a correction taxes a line with: what its chain has taxed it with; a line that is new, what all others of the chain have
 * been taxed with alike. null: the chain cannot say, and the provider is asked for the original's day.
 */
export function rulesOfChain(earlier: readonly EarlierDocument[], lineKey: string): readonly TaxRule[] | null {
  const all = earlier.flatMap((document) => document.lines.map((line) => ({ line, rules: rulesOf(document, line) })));
  const own = all.find(({ line }) => line.lineKey === lineKey);
  if (own !== undefined) return own.rules;
  const [first, ...others] = all.map(({ rules }) => rules);
  if (first === undefined) return null;
  const text = (rules: readonly TaxRule[]): string => rules.map(taxKeyOf).sort().join();
  return others.every((rules) => text(rules) === text(first)) ? first : null;
}
