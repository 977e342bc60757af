/** Credit notes by hand, refunds of what they and payments leave over, and write-offs. */
import { utcDay } from '../../domain/time/instant.js';
import { createHash } from 'node:crypto';
import { decimal } from '../../domain/decimal.js';
import { DomainFailure, invariant } from '../../domain/failure.js';
import { defaultLegalEntity, numberSeries, printedNumber } from '../../domain/invoicing/invoice-number.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import { creditNoteEntry } from '../../domain/ledger/credit-note-entry.js';
import { refundEntry, writeOffEntry } from '../../domain/ledger/settlement-entries.js';
import { requireMoney } from '../../domain/money/require-money.js';
import { formatAmount } from '../../domain/money/rounding.js';
import { coverRefund, refundableIn } from '../../domain/settlement/allocation.js';
import { creditNoteAmounts, creditNoteHashInput } from '../../domain/settlement/credit-note.js';
import type { CreditNote, CreditRequestLine } from '../../domain/settlement/credit-note.js';
import { receivableIn, standingOf } from '../../domain/settlement/items.js';
import { requireBesideWriteOff } from '../../domain/settlement/written-off.js';
import type { DecimalString } from '../../domain/values.js';
import { canonicalJson } from '../../storage/canonical-json.js';
import type { NewRefund, Storage } from '../../storage/types.js';
import { settle } from './account.js';
import type { Deciding } from './account.js';

type SettlementStorage = Pick<Storage, 'settlement'>;

/**
 * Issues a credit note on lines of an invoice and its corrections (RULES 49): document, number and journal entry in one
 * transaction under the lock of the customer's account, so that two at once never credit more than there is. Repeated with the
 * same id it changes nothing.
 * @param invoice the original
 * @throws DomainFailure INVOICE_VOID, NOT_CREDITABLE, CREDITS_WRITE_OFF, VALIDATION_FAILED, INVALID_DECIMAL
 */
export async function issueCreditNote(
  { settlement }: SettlementStorage,
  invoice: Invoice,
  {
    creditNoteId,
    lines,
    reason,
    actor,
    now,
  }: Deciding & {
    readonly creditNoteId: string;
    readonly lines: readonly CreditRequestLine[];
    readonly reason: string | null;
  },
): Promise<void> {
  const { customerId, invoiceId } = invoice;
  if (invoice.correctsInvoiceId !== null) {
    const detail = `${invoice.number} corrects another invoice. Credit that one (${invoice.correctsInvoiceId}): its lines stand for those of its corrections too.`;
    throw new DomainFailure('VALIDATION_FAILED', detail);
  }
  await settlement.atReceivable(customerId, async (tx) => {
    if (await tx.hasCreditNote(creditNoteId)) return;
    const documents = await tx.chain(invoiceId);
    const [original] = documents;
    if (original === undefined)
      throw new DomainFailure('INVOICE_VOID', `${invoice.number} is void: there is nothing to credit.`);
    const taken = await tx.creditedItems(invoiceId);
    const amounts = creditNoteAmounts(documents, { credited: await tx.creditedOf(invoiceId), lines });
    const content = {
      ...amounts,
      ...{ creditNoteId, customerId, invoiceId, reason },
      seller: original.seller,
      buyer: original.buyer,
    };
    const items = await tx.items([invoiceId]);
    for (const chain of items.chains.filter(({ originalId }) => originalId === invoiceId))
      requireBesideWriteOff(chain, { total: amounts.total, number: original.number });
    const series = numberSeries(await tx.legalEntity(original.legalEntity ?? defaultLegalEntity), 'credit_note');
    // The number is drawn last: from here to the commit every other credit note waits for it.
    const number = printedNumber(series, await tx.drawNumber(series.series));
    const documentHash = hashOf(content);
    const note: CreditNote = { ...content, number, documentHash, issuedBy: actor, issuedAt: now };
    await tx.insertCreditNote(note);
    // What is credited is not due any more: what was overdue may not be, what was paid in part may be paid.
    const after = {
      ...items,
      chains: items.chains.map((chain) =>
        chain.originalId === invoiceId
          ? { ...chain, credited: decimal(chain.credited).plus(decimal(note.total)).toFixed() as DecimalString }
          : chain,
      ),
    };
    const cause = { id: number, actor, reason: `credited by ${number}` };
    settle(tx, [], { items: after, currency: note.currency, cause, now, touched: [invoiceId] });
    tx.post(creditNoteEntry(note, { documents, taken }, utcDay(now)));
  });
}

const hashOf = (note: Parameters<typeof creditNoteHashInput>[0]): string =>
  createHash('sha256')
    .update(canonicalJson(creditNoteHashInput(note)))
    .digest('hex');

/**
 * Pays unapplied credit out (RULES 50). Repeated with the same id it changes nothing.
 * @throws DomainFailure VALIDATION_FAILED, INVALID_DECIMAL, UNKNOWN_CURRENCY, REFUND_EXCEEDS_CREDIT
 */
export async function refundCredit(
  { settlement }: SettlementStorage,
  refund: NewRefund,
  { now }: Pick<Deciding, 'now'>,
): Promise<void> {
  const { refundId, customerId, currency, amount, reference, refundedBy: actor } = refund;
  requireMoney(amount, currency, { pointer: '/amount' });
  await settlement.atReceivable(customerId, async (tx) => {
    const items = await tx.items();
    if (!(await tx.insertRefund(refund))) return;
    const allocations = coverRefund(items, { refundId, currency, amount });
    if (allocations === null) {
      const most = formatAmount(refundableIn(items, currency), currency);
      const { besideWriteOffs } = receivableIn(items, currency);
      const beside = decimal(besideWriteOffs).isZero()
        ? ''
        : ` ${formatAmount(besideWriteOffs, currency)} ${currency} more go against what is written off: reverse the write-off first (GET /write-offs?customer_id=${customerId}).`;
      const detail = `The customer has ${most} ${currency} that settle nothing; no more than that can be refunded.${beside}`;
      throw new DomainFailure('REFUND_EXCEEDS_CREDIT', detail, '/amount');
    }
    settle(tx, allocations, {
      items,
      currency,
      cause: { id: `refund/${refundId}`, actor, reason: refund.reason },
      now,
    });
    tx.post(refundEntry({ refundId, customerId, currency, amount, reference, at: now }, utcDay(now)));
  });
}

/**
 * Gives up what is open of a document, or a part of it. Repeated with the same id it changes nothing.
 * @param amount null: all that is open
 * @throws DomainFailure INVOICE_VOID, NOTHING_OPEN, VALIDATION_FAILED, INVALID_DECIMAL
 */
export async function writeOff(
  { settlement }: SettlementStorage,
  { invoiceId, customerId, currency, number }: Invoice,
  {
    writeOffId,
    amount,
    reason,
    actor,
    now,
  }: Deciding & { readonly writeOffId: string; readonly amount: DecimalString | null; readonly reason: string },
): Promise<void> {
  if (amount !== null) requireMoney(amount, currency, { pointer: '/amount' });
  await settlement.atReceivable(customerId, async (tx) => {
    const items = await tx.items([invoiceId]);
    const chain = items.chains.find(({ documents }) => documents.some((each) => each.invoiceId === invoiceId));
    if (chain === undefined) throw new DomainFailure('INVOICE_VOID', `${number} is void: nothing of it is open.`);
    const cause = { id: `write-off/${writeOffId}`, actor, reason: `written off: ${reason}` };
    const between = {
      source: { kind: 'write_off', id: writeOffId },
      target: { kind: 'invoice', id: invoiceId },
    } as const;
    // The allocation itself, not what is left of it: it may have been taken back since.
    if (await tx.isAllocated(between, cause.id)) return;
    const open = standingOf(chain).documents.get(invoiceId)?.open;
    invariant(open !== undefined, `${number} stands in its chain`);
    const written = amount ?? open;
    if (decimal(written).isZero() || decimal(written).greaterThan(decimal(open))) {
      throw new DomainFailure('NOTHING_OPEN', `Of ${number} ${formatAmount(open, currency)} ${currency} are open.`);
    }
    await tx.insertWriteOff({ writeOffId, invoiceId, amount: written, reason, writtenOffBy: actor });
    settle(tx, [{ ...between, amount: written }], { items, currency, cause, now });
    const given = { writeOffId, invoiceId, number, customerId, currency, amount: written, at: now };
    tx.post(writeOffEntry(given, utcDay(now)));
  });
}
