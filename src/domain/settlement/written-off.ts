import { addDecimals, decimal, toDecimalString } from '../decimal.js';
import { DomainFailure } from '../failure.js';
import { formatAmount } from '../money/rounding.js';
import type { DecimalString } from '../values.js';
import { standingOf } from './items.js';
import type { ReceivableChain } from './items.js';

/** What a chain gives up, and what it still asks for. */
export interface BesideWriteOff {
  readonly writtenOff: DecimalString;
  readonly open: DecimalString;
}

/** null: so much credit lowers what is open of the chain; else it would also pay out what was written off. */
export function beyondWriteOff(chain: ReceivableChain, credit: DecimalString): BesideWriteOff | null {
  const open = addDecimals([...standingOf(chain).documents.values()].map((document) => document.open));
  if (decimal(chain.writtenOff).isZero() || !decimal(credit).greaterThan(decimal(open))) return null;
  return { writtenOff: toDecimalString(decimal(chain.writtenOff)), open };
}

/**
 * A credit note beside a write-off takes at most what is open (RULES 49).
 * @throws DomainFailure CREDITS_WRITE_OFF
 */
export function requireBesideWriteOff(
  chain: ReceivableChain,
  { total, number }: { readonly total: DecimalString; readonly number: string },
): void {
  const beyond = beyondWriteOff(chain, total);
  if (beyond === null) return;
  const amount = (value: DecimalString): string => `${formatAmount(value, chain.currency)} ${chain.currency}`;
  const detail = `Of ${number} and its corrections ${amount(beyond.writtenOff)} are written off and ${amount(beyond.open)} are open; the credit note comes to ${amount(total)}. Credit at most what is open, or reverse the write-off first.`;
  throw new DomainFailure('CREDITS_WRITE_OFF', detail, '/lines');
}
