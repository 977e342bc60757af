/** Settlement at the gate: unapplied credit is carried to what is issued, and a void takes its credit notes along. */
import { utcDay } from '../domain/time/instant.js';
import type pg from 'pg';
import { addDecimals, decimal, zero } from '../domain/decimal.js';
import { DomainFailure } from '../domain/failure.js';
import type { UnnumberedInvoice } from '../domain/invoicing/document.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import { requireTransition } from '../domain/invoicing/transitions.js';
import { creditNoteSource, creditNoteVoidEntry } from '../domain/ledger/credit-note-entry.js';
import { carryCredit, released } from '../domain/settlement/allocation.js';
import type { Allocation } from '../domain/settlement/allocation.js';
import { requireBesideNotes } from '../domain/settlement/beside-notes.js';
import type { OpenItems } from '../domain/settlement/items.js';
import { settled } from '../domain/settlement/settle.js';
import type { Instant } from '../domain/values.js';
import { GateWrites } from './gate-writes.js';
import { findEntry } from './journal-entry.js';
import { entryToDb } from './journal-mapping.js';
import { lockAndLook, lockReceivable, readOpenItems } from './receivable.js';
import { allocationToDb, statusToDb } from './settlement-mapping.js';
import { allocatedBy, carriedTo } from './settlement.js';
import { standingNotes } from './settlement-reads.js';
import type { SettlementCause } from './types-settlement.js';

/**
 * Locks the customer's account; carries unapplied credit to what is open, the oldest first, this document included (RULES 49).
 * To be asked for before the number is drawn.
 * @param documents the chain that it corrects, as far as it counts; empty: it corrects none
 * @throws CorrectionHeld
 */
export async function carryAtIssue(
  client: pg.PoolClient,
  writes: GateWrites,
  { document, documents }: { readonly document: UnnumberedInvoice; readonly documents: readonly Invoice[] },
): Promise<void> {
  const { customerId, currency, issuedAt, invoiceId } = document;
  const mayHaveCredit = await lockAndLook(client, customerId);
  if (!mayHaveCredit && !decimal(document.total).isNegative()) return;
  const before = await readOpenItems(client, customerId, chainKey(document));
  const chain = before.chains.find(({ originalId }) => originalId === document.correctsInvoiceId);
  if (chain !== undefined)
    requireBesideNotes(document, { documents, chain, notes: await standingNotes(client, chain.originalId) });
  const items = withDocument(before, document);
  const allocations = carryCredit(items, currency);
  const cause = {
    id: `issue/${invoiceId}`,
    actor: 'invoicing',
    reason:
      allocations.length === 0 ? 'a correction was issued' : 'unapplied credit carried when a document was issued',
  };
  // A correction changes what is open of its chain, whether or not anything is carried.
  const touched = chainKey(document);
  settle(writes, allocations, { items, cause, customerId, currency, now: issuedAt, touched });
}

const chainKey = ({ correctsInvoiceId }: UnnumberedInvoice): readonly string[] =>
  correctsInvoiceId === null ? [] : [correctsInvoiceId];

/** The items once the document is issued; its number is drawn later, and nothing here depends on it. */
function withDocument(items: OpenItems, document: UnnumberedInvoice): OpenItems {
  const { invoiceId, total, issuedAt, dueAt, currency, correctsInvoiceId } = document;
  const own = { invoiceId, number: '', total, status: 'issued', issuedAt, dueAt, settled: zero } as const;
  const originalId = correctsInvoiceId ?? invoiceId;
  if (correctsInvoiceId === null) {
    const chain = { originalId, currency, documents: [own], credited: zero, carried: zero, writtenOff: zero };
    return { ...items, chains: [...items.chains, chain] };
  }
  return {
    ...items,
    chains: items.chains.map((chain) =>
      chain.originalId === originalId ? { ...chain, documents: [...chain.documents, own] } : chain,
    ),
  };
}

export interface VoidedChain {
  readonly documents: readonly Invoice[];
  readonly actor: string;
  readonly reason: string;
  readonly now: Instant;
}

/**
 * What a void does to the account (RULES 50): refused while money settles a document of the chain; credit that was carried to it is
 * the customer's again, its credit notes fall with it, and what of its credit was carried to other invoices is taken back from
 * them. After the locks of credits.
 * @throws DomainFailure INVOICE_TRANSITION_REFUSED
 */
export async function settleVoid(
  client: pg.PoolClient,
  writes: GateWrites,
  { documents, actor, reason, now }: VoidedChain,
): Promise<void> {
  const [original] = documents;
  if (original === undefined) return;
  const { customerId, currency, invoiceId, number } = original;
  await lockReceivable(client, customerId);
  await returnCarried(client, { documents, actor, reason, now });
  const taken = await allocatedBy(client, { kind: 'chain', id: invoiceId });
  const targets = taken.flatMap(({ target }) => (target.kind === 'invoice' ? [target.id] : []));
  const items = await readOpenItems(client, customerId, [invoiceId, ...targets]);
  const own = items.chains.find((chain) => chain.originalId === invoiceId);
  // As the account has them now: a payment may have come since the chain was read.
  for (const document of own?.documents ?? []) requireTransition(document, 'void');
  const settled = addDecimals((own?.documents ?? []).map((document) => document.settled));
  if (!decimal(settled).isZero()) {
    const detail = `${settled} ${currency} are settled of ${number} and its corrections. Credit it (POST /invoices/{id}/credit-notes), or reverse what has settled it first.`;
    throw new DomainFailure('INVOICE_TRANSITION_REFUSED', detail);
  }
  const cause: SettlementCause = { id: `void/${invoiceId}`, actor, reason: `${number} was voided: ${reason}` };
  // Its own documents are void from now on, which no other status follows.
  const others = { ...items, chains: items.chains.filter((chain) => chain !== own) };
  settle(writes, released(taken), { items: others, cause, customerId, currency, now });
  for (const note of await standingNotes(client, invoiceId)) {
    writes.creditNoteVoids.push({ credit_note_id: note.creditNoteId, reason, voided_by: actor });
    const posted = await findEntry(client, creditNoteSource(note));
    if (posted === null) continue; // of 0
    writes.entries.push(entryToDb(creditNoteVoidEntry(note, posted, utcDay(now))));
  }
}

/** In a statement of its own, because what is void afterwards has to be issued before. */
async function returnCarried(client: pg.PoolClient, { documents, actor, reason, now }: VoidedChain): Promise<void> {
  const [original] = documents;
  if (original === undefined) return;
  const { customerId, currency, invoiceId, number } = original;
  const ids = documents.map((document) => document.invoiceId);
  const carried = await carriedTo(client, ids);
  if (carried.length === 0) return;
  const items = await readOpenItems(client, customerId, [invoiceId, ...carried.map(({ source }) => source.id)]);
  const cause: SettlementCause = { id: `void/${invoiceId}/carried`, actor, reason: `${number} is voided: ${reason}` };
  const writes = new GateWrites();
  settle(writes, released(carried), { items, cause, customerId, currency, now });
  await writes.flush(client);
}

/** Allocations, and a transition of each document whose status they change. */
function settle(
  writes: GateWrites,
  allocations: readonly Allocation[],
  { items, cause, customerId, currency, ...when }: Settling,
): void {
  const { changes } = settled(items, allocations, when);
  writes.allocations.push(...allocations.map((each) => allocationToDb(each, { ...cause, customerId, currency })));
  writes.statuses.push(...changes.map((change) => statusToDb(change, cause)));
}

interface Settling {
  readonly items: OpenItems;
  readonly cause: SettlementCause;
  readonly customerId: string;
  readonly currency: string;
  readonly now: Instant;
  readonly touched?: readonly string[];
}
