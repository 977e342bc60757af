import { DomainFailure } from '../../domain/failure.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import type { Instant } from '../../domain/values.js';
import type { Storage } from '../../storage/types.js';
import type { Decided } from './done-before.js';

/** Who asks, under which Idempotency-Key, and when. */
export interface Asked {
  readonly actor: string;
  readonly key: string | null;
  readonly now: Instant;
}

/** Who voided it, and why. */
export async function lastVoid({ billing }: Pick<Storage, 'billing'>, invoiceId: string): Promise<Decided | null> {
  const last = (await billing.lifeOf(invoiceId)).transitions.at(-1);
  return last?.status === 'void' ? last : null;
}

/**
 * @param pointer where the body names it
 * @throws DomainFailure INVOICE_NOT_FOUND
 */
export async function requireInvoice(
  { billing, settlement }: Pick<Storage, 'billing' | 'settlement'>,
  id: string,
  pointer?: string,
): Promise<Invoice> {
  const found = await billing.findInvoice(id);
  if (found !== null) return found;
  const note = await settlement.findCreditNote(id);
  const where = note === null ? '' : ` ${note.number} is a credit note by hand: GET /credit-notes/${note.number}.`;
  throw new DomainFailure('INVOICE_NOT_FOUND', `There is no invoice with the id or number "${id}".${where}`, pointer);
}
