/** Payments, credit notes, refunds and write-offs as clients ask for them, and as they are shown. */
import { issueCreditNote, refundCredit, writeOff } from '../../billing/settlement/credit-notes.js';
import { allocatePayment, applyCredit, recordPayment, reversePayment } from '../../billing/settlement/payments.js';
import type { PaymentPart } from '../../billing/settlement/payments.js';
import { reverseWriteOff } from '../../billing/settlement/write-offs.js';
import { DomainFailure, invariant } from '../../domain/failure.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import { findCurrency } from '../../domain/money/currency.js';
import { parseInstant } from '../../domain/time/instant.js';
import type { DecimalString } from '../../domain/values.js';
import type { Payment, Refund, Storage, StoredCreditNote, WriteOff } from '../../storage/types.js';
import type { CreditNoteBody, PaymentBody, RefundBody } from '../schemas/settlement.js';
import { idOf } from './asked.js';
import type { Asked } from './asked.js';
import { requireCustomer } from './customers.js';
import { requireInvoice } from './invoices.js';
import type { InvoiceStorage } from './invoices.js';

type SettlementStorage = InvoiceStorage & Pick<Storage, 'reference'>;

/** @throws DomainFailure UNKNOWN_CUSTOMER, INVOICE_NOT_FOUND, and as `recordPayment` */
export async function takePayment(storage: SettlementStorage, body: PaymentBody, asked: Asked): Promise<Payment> {
  const { customer_id: customerId, currency } = body;
  await requireCustomer(storage, customerId, '/customer_id');
  findCurrency(currency, '/currency');
  const paymentId = idOf('payment', asked, JSON.stringify(body));
  const { allow_duplicate: allowDuplicate = false } = body;
  const payment = {
    ...{ paymentId, customerId, currency },
    amount: body.amount as DecimalString,
    receivedAt: parseInstant(body.received_at, '/received_at'),
    method: body.method,
    reference: body.reference,
    recordedBy: asked.actor,
  };
  const parts = await partsOf(storage, body.allocations, customerId);
  await recordPayment(storage, { payment, parts, allowDuplicate, now: asked.now });
  return requirePayment(storage, paymentId);
}

/** @throws DomainFailure PAYMENT_NOT_FOUND, and as `allocatePayment` */
export async function allocateRest(
  storage: SettlementStorage,
  paymentId: string,
  { allocations, ...asked }: Asked & { readonly allocations: PaymentBody['allocations'] },
): Promise<Payment> {
  const payment = await requirePayment(storage, paymentId);
  const parts = await partsOf(storage, allocations, payment.customerId);
  const requestId = idOf('payment-allocation', asked, paymentId, JSON.stringify(allocations));
  await allocatePayment(storage, payment, { ...asked, parts, requestId });
  return requirePayment(storage, paymentId);
}

/** @throws DomainFailure PAYMENT_NOT_FOUND, PAYMENT_REVERSED */
export async function bouncePayment(
  storage: SettlementStorage,
  paymentId: string,
  { reason, ...asked }: Asked & { readonly reason: string },
): Promise<Payment> {
  const payment = await requirePayment(storage, paymentId);
  const requestId = idOf('payment-reversal', asked, paymentId);
  await reversePayment(storage, payment, { ...asked, reason, requestId });
  return requirePayment(storage, paymentId);
}

/** @throws DomainFailure as `issueCreditNote` */
export async function creditInvoice(
  storage: SettlementStorage,
  invoice: Invoice,
  { body, ...asked }: Asked & { readonly body: CreditNoteBody },
): Promise<StoredCreditNote> {
  const creditNoteId = idOf('credit-note', asked, invoice.invoiceId, JSON.stringify(body));
  const lines = body.lines.map((line) => ({
    lineItemId: line.line_item_id,
    amount: line.amount as DecimalString | null,
    reasonCode: line.reason_code,
    reason: line.reason,
  }));
  await issueCreditNote(storage, invoice, { ...asked, creditNoteId, lines, reason: body.reason });
  return requireCreditNote(storage, creditNoteId);
}

/** @throws DomainFailure UNKNOWN_CUSTOMER, and as `refundCredit` */
export async function refund(storage: SettlementStorage, body: RefundBody, asked: Asked): Promise<Refund> {
  const { customer_id: customerId, currency, method, reference, reason } = body;
  await requireCustomer(storage, customerId, '/customer_id');
  const refundId = idOf('refund', asked, JSON.stringify(body));
  const amount = body.amount as DecimalString;
  const wanted = { refundId, customerId, currency, amount, method, reference, reason, refundedBy: asked.actor };
  await refundCredit(storage, wanted, asked);
  const found = await storage.settlement.findRefund(refundId);
  invariant(found !== null, `refund ${refundId} was stored just now`);
  return found;
}

/**
 * The same request again is that write-off, also once it was taken back; with another amount or reason it is another one.
 * @throws DomainFailure as `writeOff`
 */
export async function giveUp(
  storage: SettlementStorage,
  invoice: Invoice,
  { amount, reason, ...asked }: Asked & { readonly amount: string | null; readonly reason: string },
): Promise<void> {
  const writeOffId = idOf('write-off', asked, invoice.invoiceId, JSON.stringify({ amount, reason }));
  await writeOff(storage, invoice, { ...asked, writeOffId, amount: amount as DecimalString | null, reason });
}

/** @throws DomainFailure WRITE_OFF_NOT_FOUND, WRITE_OFF_REVERSED */
export async function takeBackWriteOff(
  storage: SettlementStorage,
  writeOffId: string,
  { reason, ...asked }: Asked & { readonly reason: string },
): Promise<WriteOff> {
  const found = await requireWriteOff(storage, writeOffId);
  const requestId = idOf('write-off-reversal', asked, writeOffId);
  await reverseWriteOff(storage, found, { ...asked, reason, requestId });
  return requireWriteOff(storage, writeOffId);
}

/** @throws DomainFailure WRITE_OFF_NOT_FOUND */
export async function requireWriteOff({ settlement }: Pick<Storage, 'settlement'>, id: string): Promise<WriteOff> {
  const found = await settlement.findWriteOff(id);
  if (found !== null) return found;
  throw new DomainFailure('WRITE_OFF_NOT_FOUND', `There is no write-off "${id}". GET /write-offs lists them.`);
}

/** @throws DomainFailure UNKNOWN_CUSTOMER */
export async function applyUnapplied(
  storage: SettlementStorage,
  customerId: string,
  asked: Asked,
): ReturnType<typeof applyCredit> {
  await requireCustomer(storage, customerId);
  return applyCredit(storage, { ...asked, customerId, requestId: idOf('apply-credit', asked, customerId) });
}

/** @throws DomainFailure PAYMENT_NOT_FOUND */
export async function requirePayment({ settlement }: Pick<Storage, 'settlement'>, id: string): Promise<Payment> {
  const found = await settlement.findPayment(id);
  if (found !== null) return found;
  throw new DomainFailure('PAYMENT_NOT_FOUND', `There is no payment "${id}".`);
}

const aDocument = {
  invoice: 'an invoice',
  correction: 'a correction',
  credit_note: 'a credit note that a correction made',
} as const satisfies Record<Invoice['type'], string>;

/** @throws DomainFailure CREDIT_NOTE_NOT_FOUND */
export async function requireCreditNote(
  { settlement, billing }: Pick<Storage, 'settlement' | 'billing'>,
  id: string,
): Promise<StoredCreditNote> {
  const found = await settlement.findCreditNote(id);
  if (found !== null) return found;
  const document = await billing.findInvoice(id);
  const where =
    document === null ? '' : ` ${document.number} is ${aDocument[document.type]}: GET /invoices/${document.number}.`;
  throw new DomainFailure(
    'CREDIT_NOTE_NOT_FOUND',
    `There is no credit note by hand with the id or number "${id}".${where}`,
  );
}

/** @throws DomainFailure REFUND_NOT_FOUND */
export async function requireRefund({ settlement }: Pick<Storage, 'settlement'>, id: string): Promise<Refund> {
  const found = await settlement.findRefund(id);
  if (found !== null) return found;
  throw new DomainFailure('REFUND_NOT_FOUND', `There is no refund "${id}".`);
}

async function partsOf(
  storage: SettlementStorage,
  allocations: PaymentBody['allocations'],
  customerId: string,
): Promise<readonly PaymentPart[]> {
  const parts: PaymentPart[] = [];
  for (const [index, { invoice_id: id, amount }] of allocations.entries()) {
    const pointer = `/allocations/${index}/invoice_id`;
    const { invoiceId, number, customerId: owner } = await requireInvoice(storage, id, pointer);
    if (owner !== customerId) {
      throw new DomainFailure('VALIDATION_FAILED', `${number} is an invoice of another customer.`, pointer);
    }
    parts.push({ invoiceId, number, amount: amount as DecimalString });
  }
  return parts;
}
