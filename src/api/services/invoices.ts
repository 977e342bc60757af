import { DomainFailure } from '../../domain/failure.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import type { Instant } from '../../domain/values.js';
import type { Storage } from '../../storage/types.js';

/** Who asks, under which Idempotency-Key, and when. */
export interface Asked {
  readonly actor: string;
  readonly key: string | null;
  readonly now: Instant;
}

/**
 * @param pointer where the body names it
 * @throws DomainFailure INVOICE_NOT_FOUND
 */
export async function requireInvoice(
  { billing }: Pick<Storage, 'billing'>,
  id: string,
  pointer?: string,
): Promise<Invoice> {
  const found = await billing.findInvoice(id);
  if (found !== null) return found;
  throw new DomainFailure('INVOICE_NOT_FOUND', `There is no invoice with the id or number "${id}".`, pointer);
}
