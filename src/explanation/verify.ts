/** Whether an explanation holds, from nothing but itself. */
import type { AppliedConversion, ChargeExplanation } from './charge-explanation.js';
import { decimalText, equal, fraction, minus, sum, times } from './fraction.js';
import type { Fraction } from './fraction.js';
import { invoicedAmount } from './invoice-line.js';
import type { LineOnInvoice } from './invoice-line.js';
import { rateOf } from './rate.js';
import { recompute, roundsTo } from './recompute.js';

export interface Check {
  readonly what: string;
  readonly holds: boolean;
  readonly detail: string;
}

/** @throws never: an explanation that cannot be recomputed does not hold */
export function verifyCharge(charge: ChargeExplanation): readonly Check[] {
  const { charge_id: id, amount, calculation, currency } = charge;
  const what = `charge ${id}`;
  try {
    const found = recompute(calculation);
    const holds = equal(found, fraction(amount));
    const detail = holds
      ? `its explanation alone gives ${amount} ${currency}`
      : `its explanation gives ${decimalText(found)} ${currency}, not ${amount}`;
    return [{ what, holds, detail }, ...verifyConversion(charge)];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ what, holds: false, detail: `its explanation cannot be worked out: ${reason}` }];
  }
}

/** Converted at the rate that its published rates make: exactly, and a commitment rounded. */
function verifyConversion({ charge_id: id, amount, calculation }: ChargeExplanation): readonly Check[] {
  const { conversion, commitment } = calculation;
  const checks: Check[] = [];
  const check = (from: string, at: AppliedConversion, says: string, holds: (found: Fraction) => boolean): void => {
    const rate = rateOf(at);
    const found = times(fraction(from), rate);
    const isRate = equal(rate, fraction(at.rate));
    const detail = `${from} ${at.from} × ${decimalText(rate)} is ${decimalText(found)} ${at.to}; it says ${says} at ${at.rate}`;
    checks.push({ what: `conversion of charge ${id}`, holds: isRate && holds(found), detail });
  };
  if (conversion !== undefined)
    check(amount, conversion, conversion.amount, (found) => equal(found, fraction(conversion.amount)));
  const converted = calculation.commitment?.converted;
  if (converted !== undefined && commitment !== undefined)
    check(converted.price, converted, commitment.minimum, (found) => roundsTo(found, commitment.minimum));
  return checks;
}

/** The line against its charges, and of a correction against what was invoiced before. */
export function verifyLine({ invoice, line, charges }: LineOnInvoice): readonly Check[] {
  const what = `${invoice.number}, line ${line.line_number}`;
  const total = sum(charges.map((charge) => fraction(invoicedAmount(charge))));
  const billed = line.corrected_amount ?? line.amount;
  const holds = roundsTo(total, billed);
  const rounding = {
    what,
    holds,
    detail: `its charges come to ${decimalText(total)}, which ${holds ? 'rounds' : 'does NOT round'} to ${billed} ${invoice.currency}`,
  };
  const { original_amount: before, corrected_amount: now } = line;
  if (before === undefined || now === undefined) return [rounding];
  const difference = minus(fraction(now), fraction(before));
  const isDifference = equal(difference, fraction(line.amount));
  const detail = `${now} less ${before} is ${decimalText(difference)}; the line says ${line.amount} ${invoice.currency}`;
  return [rounding, { what, holds: isDifference, detail }];
}
