import { postingDayOf } from '../calendar/accounting-months.js';
import { DomainFailure, invariant } from '../domain/failure.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import { voidEntry } from '../domain/ledger/void-entry.js';
import type { Instant } from '../domain/values.js';
import type { Storage } from '../storage/types.js';

export interface VoidRequest {
  readonly actor: string;
  readonly reason: string;
  readonly now: Instant;
}

/**
 * Voids an invoice and all its corrections together (RULES 28): a transition and a reversing journal entry each, in one
 * transaction. Already invoiced is 0 from then on; closing the period again issues the replacement. Credit notes fall with it.
 * @returns the documents that were voided, the original first
 * @throws DomainFailure INVOICE_VOID; INVOICE_TRANSITION_REFUSED where something has settled it; VALIDATION_FAILED for a correction, which falls with its original only
 */
export async function voidInvoice(
  storage: Pick<Storage, 'billing' | 'periods'>,
  invoice: Invoice,
  { actor, reason, now }: VoidRequest,
): Promise<readonly string[]> {
  const period = await storage.periods.periodNamed(invoice.customerId, invoice.period);
  invariant(period !== null, 'an invoice has a stored period');
  return storage.billing.atGate(period, async (gate) => {
    const { documents } = gate.chain;
    const [original] = documents;
    if (original === undefined || !documents.some(({ invoiceId }) => invoiceId === invoice.invoiceId)) {
      throw new DomainFailure('INVOICE_VOID', `${invoice.number} is void already.`);
    }
    if (original.invoiceId !== invoice.invoiceId) {
      throw new DomainFailure(
        'VALIDATION_FAILED',
        `${invoice.number} corrects ${original.number}, and is void when that one is. Void ${original.number}, or correct it again.`,
      );
    }
    for (const document of documents) {
      await gate.voidInvoice(document.invoiceId, actor, reason);
      const entry = voidEntry(document, postingDayOf(document, now), await gate.postedEntry(document.invoiceId));
      if (entry !== null) await gate.postEntry(entry);
    }
    await gate.settleVoid({ actor, reason, now });
    return documents.map(({ invoiceId }) => invoiceId);
  });
}
