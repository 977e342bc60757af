import type { BalanceDifference, NewFinding } from '../storage/types.js';

/** Of a read model, or a snapshot, that does not say what the journal says. */
export function balanceFinding({
  model,
  customerId,
  account,
  currency,
  expected,
  found,
}: BalanceDifference): NewFinding {
  const amounts = (sums: BalanceDifference['found']): string => `${sums.debit} debit and ${sums.credit} credit`;
  return {
    code: 'LEDGER_BALANCE_DIFFERS',
    customerId,
    period: null,
    subject: { model, customer_id: customerId, account, currency, expected, found },
    detail: `${model} has ${amounts(found)} ${currency} for ${account}; the journal says ${amounts(expected)}.`,
  };
}
