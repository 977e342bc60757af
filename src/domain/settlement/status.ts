import { decimal, zero } from '../decimal.js';
import type { InvoiceStatus } from '../invoicing/invoice.js';
import type { Instant } from '../values.js';
import { standingOf } from './items.js';
import type { OpenDocument, OpenItems, ReceivableDocument } from './items.js';

/** A document whose status is another one now. */
export interface StatusChange {
  readonly invoiceId: string;
  readonly from: InvoiceStatus;
  readonly to: InvoiceStatus;
}

/**
 * What a document's status is by its money (RULES 51). Money settles it, credit only lowers what is due: with nothing settled
 * it is `issued`, however much of it was credited, and `overdue` once its day has passed and something is open.
 */
export function statusByMoney(
  document: Pick<ReceivableDocument, 'status' | 'settled' | 'dueAt'>,
  { open }: Pick<OpenDocument, 'open'>,
  now: Instant,
): InvoiceStatus {
  const isSettled = !decimal(document.settled).isZero();
  if (decimal(open).isZero()) return isSettled ? 'paid' : 'issued';
  if (document.dueAt < now) return 'overdue';
  return isSettled ? 'partly_paid' : 'issued';
}

/** Documents among `of` whose status is no longer what their money says. */
export function statusChanges(
  items: OpenItems,
  { of, now }: { readonly of: ReadonlySet<string>; readonly now: Instant },
): readonly StatusChange[] {
  return items.chains.flatMap((chain) => {
    const { documents } = standingOf(chain);
    return chain.documents.flatMap((document): readonly StatusChange[] => {
      const { invoiceId, status: from } = document;
      if (!of.has(invoiceId)) return [];
      const to = statusByMoney(document, documents.get(invoiceId) ?? nothingOpen, now);
      return to === from ? [] : [{ invoiceId, from, to }];
    });
  });
}

const nothingOpen = { open: zero };
