/** Findings that hold a document: what a person must mend before it can be issued. */
import type { RatingProblem } from '../domain/rating/rating.js';
import { chainHolds } from '../domain/reconciliation/chain-holds.js';
import type { RatedPeriod } from '../billing/price-facts.js';
import { TaxUnavailable } from '../domain/tax/tax.js';
import { unreadableDetail } from '../billing/unreadable-values.js';
import type { BillingPeriod, NewFinding, UnreadableValues } from '../storage/types.js';

export function problemFinding(
  { customerId, period }: BillingPeriod,
  { code, meter, group, detail }: RatingProblem,
): NewFinding {
  return { code, customerId, period, subject: { customer_id: customerId, period, meter, group }, detail };
}

function unreadableFinding({ customerId, period }: BillingPeriod, values: UnreadableValues[number]): NewFinding {
  return {
    code: 'UNREADABLE_VALUE',
    customerId,
    period,
    subject: { customer_id: customerId, period, meter: values.meter },
    detail: unreadableDetail(values),
  };
}

/** Everything that keeps a rated period from being issued; empty when nothing does. */
export function holdingFindings(
  period: BillingPeriod,
  { rated, unreadable }: { readonly rated: RatedPeriod; readonly unreadable: UnreadableValues },
): readonly NewFinding[] {
  const findings = [
    ...unreadable.map((values) => unreadableFinding(period, values)),
    ...rated.problems.map((problem) => problemFinding(period, problem)),
  ];
  return findings.length > 0 ? findings : brokenChain(period, rated);
}

/** What is about to be issued must be the usage it is made from: a broken chain is a defect, and never becomes an invoice. */
function brokenChain({ customerId, period }: BillingPeriod, { usage, lines }: RatedPeriod): readonly NewFinding[] {
  const charges = lines.flatMap((line) => line.charges);
  return chainHolds({ usage, charges, lines }).differences.map((difference) => ({
    code: 'CHAIN_BROKEN',
    customerId,
    period,
    subject: { customer_id: customerId, period, ...difference },
    detail: `The period does not reconcile and is not invoiced: ${difference.detail}`,
    class: difference.class,
  }));
}

/** What was settled before does not stand, so nothing is corrected on top of it. */
export function brokenFinding({ customerId, period }: BillingPeriod, detail: string, subject: object): NewFinding {
  return {
    code: 'CHAIN_BROKEN',
    customerId,
    period,
    subject: { customer_id: customerId, period, settled: subject },
    detail: `Nothing is corrected on top of a chain that does not hold: ${detail}`,
  };
}

/** What `ask` answers; nobody can say now what the tax is: the finding that holds the document (RULES 56). */
export async function taxOrFinding<T>(
  { customerId, period }: BillingPeriod,
  ask: () => Promise<T>,
): Promise<T | NewFinding> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof TaxUnavailable)) throw error;
    const detail = `${error.detail} Once the tax can be said, close the period again.`;
    return { code: error.code, customerId, period, subject: { customer_id: customerId, period }, detail };
  }
}
