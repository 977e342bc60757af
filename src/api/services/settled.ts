/** How an invoice stands: what is open of it, what has settled it, what can still be credited. */
import { compareText } from '../../domain/compare-text.js';
import { addDecimals, zero } from '../../domain/decimal.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import { creditableLines } from '../../domain/settlement/credit-note.js';
import type { CreditedSoFar } from '../../domain/settlement/credit-room.js';
import { invoiceToWire } from '../../domain/invoicing/invoice-to-wire.js';
import type { Itemisation } from '../../domain/invoicing/presentation.js';
import { sectionsToWire } from './invoice-sections.js';
import type { DecimalString, Instant } from '../../domain/values.js';
import { documentsOfPeriod } from '../../billing/documents-of-period.js';
import type { DraftOf, InvoiceSettlement, Rendering, Storage } from '../../storage/types.js';
import { skippedReason } from './drafts.js';
import type { DraftService } from './drafts.js';
import { requireInvoice } from './invoices.js';
import { toApiSettlement } from '../wire/settlement-to-api.js';

/**
 * An invoice with what became of it, by id or number; a draft or a held one by id, as it would be issued now.
 * @throws DomainFailure INVOICE_NOT_FOUND
 */
export async function showInvoice(
  { storage, drafts }: { readonly storage: Storage; readonly drafts: DraftService },
  id: string,
  { itemisation, now }: { readonly itemisation: Itemisation | undefined; readonly now: Instant },
): Promise<object> {
  const draft = await drafts.find(id);
  if (draft !== null) {
    const transitions = draft.transitions.map(beforeIssue);
    const life = lifeOfDraft(draft);
    const shown = await drafts.show(draft, now, itemisation);
    return { ...shown, renderings: [], corrected_by: [], replaced_by: null, transitions, life, settlement: null };
  }
  const found = await requireInvoice(storage, id);
  const { correctedBy, replacedBy, transitions } = await storage.billing.lifeOf(found.invoiceId);
  const before = await storage.drafts.find(found.invoiceId);
  return {
    ...invoiceToWire(found),
    sections: sectionsToWire(found, itemisation),
    renderings: (await storage.documents.renderings(found.invoiceId)).map(toApiRendering),
    corrected_by: correctedBy,
    replaced_by: replacedBy,
    transitions: [...(before?.transitions ?? []).map(beforeIssue), ...transitions],
    life: [...(before === null ? [] : lifeOfDraft(before)), ...transitions.map(event)],
    settlement: await settlementOf(storage, found),
  };
}

const beforeIssue = ({ status, actor, reason, at }: DraftOf['transitions'][number]): object => ({
  status,
  actor,
  reason,
  at,
});

/** Transitions and decisions of a draft, in the order in which they came; a decision before what followed from it. */
const lifeOfDraft = ({ transitions, decisions, skippedAt }: DraftOf): readonly object[] =>
  [
    ...(skippedAt === null
      ? []
      : [event({ status: 'skipped', actor: 'invoicing', reason: skippedReason, at: skippedAt })]),
    ...decisions.map(({ decision, contentHash, actor, reason, at }) => ({
      ...event({ status: decision, actor, reason, at }),
      content_hash: contentHash,
    })),
    ...transitions.map((transition) => ({ ...event(transition), content_hash: transition.contentHash })),
  ].sort((a, b) => compareText(a.at, b.at));

const event = ({
  status,
  actor,
  reason,
  at,
}: {
  readonly status: string;
  readonly actor: string;
  readonly reason: string | null;
  readonly at: Instant;
}): { readonly event: string; readonly actor: string; readonly reason: string | null; readonly at: Instant } => ({
  event: status,
  actor,
  reason,
  at,
});

async function settlementOf(storage: Pick<Storage, 'settlement' | 'billing'>, invoice: Invoice): Promise<object> {
  const { customerId, invoiceId } = invoice;
  const [settlement, items] = await Promise.all([
    storage.settlement.settlementOf(invoiceId),
    storage.settlement.items(customerId, [invoiceId]),
  ]);
  // A correction is credited through its original.
  const isCreditable = invoice.correctsInvoiceId === null && invoice.status !== 'void';
  const chain = isCreditable
    ? (await documentsOfPeriod(storage, invoice)).filter(
        (document) =>
          document.status !== 'void' && (document.invoiceId === invoiceId || document.correctsInvoiceId === invoiceId),
      )
    : [];
  return toApiSettlement(invoice, { items, settlement, creditable: creditableLines(chain, creditedOf(settlement)) });
}

function creditedOf({ creditNotes }: InvoiceSettlement): CreditedSoFar {
  const standing = creditNotes.filter((note) => note.void === null);
  const byLine = new Map<string, DecimalString>();
  for (const { lineKey, amount } of standing.flatMap(({ lines }) => lines))
    byLine.set(lineKey, addDecimals([byLine.get(lineKey) ?? zero, amount]));
  return {
    byLine,
    subtotal: addDecimals(standing.map(({ subtotal }) => subtotal)),
    tax: addDecimals(standing.map(({ tax }) => tax)),
  };
}

const toApiRendering = (rendering: Rendering & { readonly renderedAt: Instant }): object => ({
  format: rendering.format,
  marked: rendering.marked,
  renderer: rendering.renderer,
  sha256: rendering.sha256,
  byte_length: rendering.byteLength,
  rendered_at: rendering.renderedAt,
});
