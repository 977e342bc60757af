import { decimal, zero } from '../decimal.js';
import type { Invoice } from '../invoicing/invoice.js';
import { applyTax, rulesOf, rulesOfChain } from '../tax/apply-tax.js';
import type { DecimalString } from '../values.js';

/**
 * The tax of a document from what it records: its lines, their rates and its way of rounding, and what the documents before it have
 * taxed (RULES 56). A correction must have taxed its lines at the rates of its chain.
 */
export function verifyTax({ invoice, earlier }: { readonly invoice: Invoice; readonly earlier: readonly Invoice[] }): {
  readonly expected: DecimalString;
  readonly problems: readonly string[];
} {
  const { taxes, number, lines, currency } = invoice;
  if (taxes === undefined) return { expected: zero, problems: [] };
  const rules = new Map(lines.map((line) => [line.lineKey, rulesOf(invoice, line)]));
  const applied = applyTax({ terms: taxes.terms, rules, earlier }, lines, currency);
  const text = (all: typeof taxes.lines): string =>
    all
      .map(({ jurisdiction, category, rate, taxableAmount, amount }) =>
        [jurisdiction, category, ...[rate, taxableAmount, amount].map((figure) => decimal(figure).toFixed())].join(' '),
      )
      .join();
  const problems = [
    ...(text(applied.taxes.lines) === text(taxes.lines)
      ? []
      : [`The tax lines of ${number} are not those of its lines.`]),
    ...lines.flatMap((line) => {
      const chain = earlier.length === 0 ? null : rulesOfChain(earlier, line.lineKey);
      if (chain === null || sameRules(chain, rules.get(line.lineKey) ?? [])) return [];
      return [`${number} taxes the line ${line.lineKey} at another rate than the documents before it.`];
    }),
  ];
  return { expected: applied.total, problems };
}

type Rules = ReturnType<typeof rulesOf>;

function sameRules(a: Rules, b: Rules): boolean {
  const text = (rules: Rules): string =>
    rules
      .map(({ jurisdiction, category, rate }) => [jurisdiction, category, decimal(rate).toFixed()].join(' '))
      .sort()
      .join();
  return text(a) === text(b);
}
