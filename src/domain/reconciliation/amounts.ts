import { creditRoom, creditsOf } from '../credits/settle.js';
import { addDecimals, decimal, toDecimalString } from '../decimal.js';
import type { Invoice } from '../invoicing/invoice.js';
import type { DecimalString } from '../values.js';
import { amountDifference, classOfGap } from './difference.js';
import type { ChainLink, ReconciliationDifference } from './difference.js';

/** A document's own sums, and what it has drawn. */
export type SummedDocument = Pick<
  Invoice,
  'number' | 'currency' | 'periodEnd' | 'subtotal' | 'credits' | 'creditDraws' | 'tax' | 'total'
> & { readonly lines: readonly Pick<Invoice['lines'][number], 'amount'>[] };

/** subtotal = sum of the lines; credits = sum of the draws; total = subtotal − credits + tax. */
export function amountDifferences(document: SummedDocument): readonly ReconciliationDifference[] {
  const { subtotal, credits, tax, total } = document;
  const sum = toDecimalString(decimal(subtotal).minus(decimal(credits)).plus(decimal(tax)));
  return [
    ...compare(document, 'lines→total', {
      expected: addDecimals(document.lines.map(({ amount }) => amount)),
      found: subtotal,
    }),
    ...compare(document, 'draws→credits', { expected: creditsOf(document.creditDraws), found: credits }),
    ...compare(document, 'lines→total', { expected: sum, found: total }),
  ];
}

function compare(
  { number }: SummedDocument,
  stage: ChainLink,
  amounts: { readonly expected: DecimalString; readonly found: DecimalString },
): readonly ReconciliationDifference[] {
  const { expected, found } = amounts;
  if (decimal(expected).equals(decimal(found))) return [];
  return [amountDifference({ stage, meter: null, document: number }, amounts, classOfGap(expected, found))];
}

/**
 * Whether a document takes what it may (RULES 37): what comes back is decided by the documents before it, the last one drawn
 * first; what it draws is no more than it adds. How much there was to draw then is not looked at. null: it does.
 */
export function creditProblem(document: SummedDocument, earlier: readonly SummedDocument[]): string | null {
  const { restored, mayDraw } = creditRoom(earlier, document.subtotal);
  const { creditDraws, number } = document;
  if (restored.length > 0 || creditDraws.some(({ amount }) => decimal(amount).isNegative())) {
    const same =
      restored.length === creditDraws.length &&
      restored.every((should, index) => {
        const is = creditDraws[index];
        return is?.grantId === should.grantId && decimal(is.amount).equals(decimal(should.amount));
      });
    return same ? null : `${number} gives back other credits than the documents before it have drawn.`;
  }
  if (decimal(creditsOf(creditDraws)).lessThanOrEqualTo(mayDraw)) return null;
  return `${number} draws ${creditsOf(creditDraws)} of credits, but adds only ${toDecimalString(mayDraw)}.`;
}
