import { invoicedLines } from '../correction/invoiced.js';
import { addDecimals, decimal, zero } from '../decimal.js';
import type { UnnumberedInvoice } from '../invoicing/document.js';
import type { Invoice } from '../invoicing/invoice.js';
import { formatAmount } from '../money/rounding.js';
import type { DecimalString } from '../values.js';
import type { CreditNote } from './credit-note.js';
import type { ReceivableChain } from './items.js';
import { beyondWriteOff } from './written-off.js';

/** A correction that may not be issued beside what was credited or written off by hand: its period is held. */
export class CorrectionHeld extends Error {
  override readonly name = 'CorrectionHeld';
  constructor(
    readonly code: 'CREDITED_BEYOND_INVOICED' | 'CORRECTS_WRITE_OFF',
    readonly detail: string,
    /** Which notes and amounts: the same ones are one finding. */
    readonly subject: Readonly<Record<string, unknown>>,
  ) {
    super(`${code}: ${detail}`);
  }
}

type Correction = Pick<UnnumberedInvoice, 'lines' | 'total' | 'currency'>;

interface Corrected {
  /** Those that count, the original first. */
  readonly documents: readonly Pick<Invoice, 'invoiceId' | 'number' | 'lines' | 'total'>[];
  /** Those that count. */
  readonly notes: readonly Pick<CreditNote, 'number' | 'total' | 'lines'>[];
  /** As it stands before the correction. */
  readonly chain: ReceivableChain;
}

/**
 * Re-rating does not see credit notes, so a correction could give back what they gave back before. No line, and no chain, is left
 * with less than was credited of it; and what is written off is not paid out (RULES 49, 50).
 * @throws CorrectionHeld
 */
export function requireBesideNotes(correction: Correction, corrected: Corrected): void {
  const beyond = beyondNotes(correction, corrected) ?? beyondWrittenOff(correction, corrected);
  if (beyond !== null) throw beyond;
}

function beyondNotes(correction: Correction, { documents, notes }: Corrected): CorrectionHeld | null {
  const [original] = documents;
  if (original === undefined || notes.length === 0) return null;
  const { currency, lines, total } = correction;
  const left = addDecimals([...documents, correction].map((document) => document.total));
  const credited = addDecimals(notes.map((note) => note.total));
  const named = notes.map((note) => `${note.number} (${amountOf(note.total, currency)})`).join(', ');
  const held = (what: string): CorrectionHeld =>
    new CorrectionHeld(
      'CREDITED_BEYOND_INVOICED',
      `${what} by ${named}. A correction of ${amountOf(total, currency)} is not issued: it would give back again what was credited. If the credit was for what is gone, nothing is left to do; else void ${original.number}, its credit notes fall with it, and close the period again.`,
      { invoice_id: original.invoiceId, notes: notes.map((note) => note.number), credited, left, correction: total },
    );
  if (decimal(total).isNegative() && decimal(credited).greaterThan(decimal(left))) {
    const comes = `${original.number} with its corrections would come to ${amountOf(left, currency)}`;
    return held(`${comes}, and ${amountOf(credited, currency)} are credited`);
  }
  const invoiced = new Map(invoicedLines([...documents, correction]).map((line) => [line.lineKey, line.amount]));
  for (const { lineKey, description } of lines.filter(({ amount }) => decimal(amount).isNegative())) {
    const own = notes.flatMap((note) => note.lines).filter((line) => line.lineKey === lineKey);
    const ofLine = addDecimals(own.map(({ amount }) => amount));
    const after = invoiced.get(lineKey) ?? zero;
    if (own.length === 0 || !decimal(ofLine).greaterThan(decimal(after))) continue;
    const comes = `"${description}" of ${original.number} would come to ${amountOf(after, currency)}`;
    return held(`${comes}, and ${amountOf(ofLine, currency)} of it are credited`);
  }
  return null;
}

function beyondWrittenOff({ total, currency }: Correction, { documents, chain }: Corrected): CorrectionHeld | null {
  const [original] = documents;
  if (original === undefined || !decimal(total).isNegative()) return null;
  const beyond = beyondWriteOff(chain, decimal(total).negated().toFixed() as DecimalString);
  if (beyond === null) return null;
  const { writtenOff, open } = beyond;
  const detail = `Of ${original.number} with its corrections ${amountOf(writtenOff, currency)} are written off and ${amountOf(open, currency)} are open. A correction of ${amountOf(total, currency)} is not issued: it would pay out what nobody has paid. Reverse the write-off, then re-rate the period.`;
  const subject = { invoice_id: original.invoiceId, written_off: writtenOff, open, correction: total };
  return new CorrectionHeld('CORRECTS_WRITE_OFF', detail, subject);
}

const amountOf = (amount: DecimalString, currency: string): string => `${formatAmount(amount, currency)} ${currency}`;
