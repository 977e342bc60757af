import { DomainFailure } from '../../domain/failure.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import type { DraftTransition, Storage } from '../../storage/types.js';
import type { Decided } from './done-before.js';

/** Who voided it, and why. */
export async function lastVoid({ billing }: Pick<Storage, 'billing'>, invoiceId: string): Promise<Decided | null> {
  const last = (await billing.lifeOf(invoiceId)).transitions.at(-1);
  return last?.status === 'void' ? last : null;
}

export type InvoiceStorage = Pick<Storage, 'billing' | 'settlement' | 'drafts'>;

/**
 * A document that was issued, by id or number.
 * @param pointer where the body names it
 * @throws DomainFailure INVOICE_NOT_FOUND, which says where else there is something of that name
 */
export async function requireInvoice(storage: InvoiceStorage, id: string, pointer?: string): Promise<Invoice> {
  const found = await storage.billing.findInvoice(id);
  if (found !== null) return found;
  const where = await elsewhere(storage, id);
  throw new DomainFailure('INVOICE_NOT_FOUND', `There is no invoice with the id or number "${id}".${where}`, pointer);
}

/**
 * The filter that a list of what concerns issued invoices is asked for.
 * @throws DomainFailure INVOICE_NOT_FOUND
 */
export async function invoiceFilterOf(
  storage: InvoiceStorage,
  asked: { readonly customer_id?: string | undefined; readonly invoice_id?: string | undefined },
): Promise<{ readonly customerId?: string; readonly invoiceId?: string }> {
  const { customer_id: customerId, invoice_id: id } = asked;
  return {
    ...(customerId !== undefined && { customerId }),
    ...(id !== undefined && { invoiceId: (await requireInvoice(storage, id)).invoiceId }),
  };
}

/**
 * As `requireInvoice`, for what asks for a status: an invoice that is not issued yet is there, and has another one.
 * @throws DomainFailure INVOICE_NOT_FOUND, INVOICE_NOT_ISSUED
 */
export async function requireIssued(storage: InvoiceStorage, id: string): Promise<Invoice> {
  const found = await storage.billing.findInvoice(id);
  if (found !== null) return found;
  const status = await statusBeforeIssue(storage, id);
  if (status === null) return requireInvoice(storage, id);
  const detail = `The invoice ${id} is ${shown[status]}: only what was issued can be printed, verified or voided.`;
  throw new DomainFailure('INVOICE_NOT_ISSUED', detail);
}

const shown = { draft: 'a draft', held: 'held' } as const;

/** null: there is no draft of that id, or it is issued by now. */
async function statusBeforeIssue(
  { drafts }: Pick<Storage, 'drafts'>,
  id: string,
): Promise<DraftTransition['status'] | null> {
  const draft = await drafts.find(id);
  return draft === null || draft.isIssued ? null : (draft.transitions.at(-1)?.status ?? 'draft');
}

async function elsewhere(storage: Pick<Storage, 'settlement' | 'drafts'>, id: string): Promise<string> {
  const note = await storage.settlement.findCreditNote(id);
  if (note !== null) return ` ${note.number} is a credit note by hand: GET /credit-notes/${note.number}.`;
  const status = await statusBeforeIssue(storage, id);
  return status === null ? '' : ` It is ${shown[status]} and not issued yet: GET /invoices/${id}.`;
}
