import type { Conversion, PricedCalculation } from '../../../src/explanation/charge-explanation.js';
import { times } from '../../../src/explanation/fraction.js';
import type { Fraction } from '../../../src/explanation/fraction.js';
import { rateOf } from '../../../src/explanation/rate.js';
import { recompute } from '../../../src/explanation/recompute.js';

/** What a charge comes to in the currency of the invoice, not rounded. */
export function recomputeInvoiced(
  calculation: PricedCalculation & { readonly conversion?: Omit<Conversion, 'amount'> },
): Fraction {
  const { conversion } = calculation;
  const amount = recompute(calculation);
  return conversion === undefined ? amount : times(amount, rateOf(conversion));
}
