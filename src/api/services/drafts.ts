/** Invoices before they are issued: shown as they would be now, approved, released, rejected. */
import { setTimeout as wait } from 'node:timers/promises';
import { computeDraft } from '../../billing/draft-document.js';
import type { ComputedDraft } from '../../billing/draft-document.js';
import { DomainFailure } from '../../domain/failure.js';
import type { DraftDecision } from '../../domain/invoicing/before-issue.js';
import { invoiceToWire } from '../../domain/invoicing/invoice-to-wire.js';
import type { Invoice, Party } from '../../domain/invoicing/invoice.js';
import type { Itemisation } from '../../domain/invoicing/presentation.js';
import { formatAmount } from '../../domain/money/rounding.js';
import type { TaxProvider } from '../../domain/tax/tax.js';
import type { DraftOf, Storage } from '../../storage/types.js';
import type { TemporalGateway } from '../temporal-gateway.js';
import { sectionsToWire } from './invoice-sections.js';
import { idOf } from './asked.js';
import type { Asked } from './asked.js';

export interface DraftParties {
  readonly seller: Party;
  readonly paymentTermsDays: number;
  /** Left out: nothing is taxed. */
  readonly tax?: TaxProvider;
}

interface DraftServiceDependencies {
  readonly storage: Storage;
  readonly temporal: TemporalGateway;
  readonly parties: DraftParties;
  /** How long a decision waits for the gate (ms). */
  readonly waitMs: number;
}

const lookEveryMs = 100;

/** Why nothing becomes of a draft. */
export const skippedReason = 'skipped: its period is empty, and the customer skips empty invoices';

export class DraftService {
  constructor(private readonly deps: DraftServiceDependencies) {}

  /** As it would be issued now, without a number. */
  async show(draft: DraftOf, now: Asked['now'], itemisation?: Itemisation): Promise<object> {
    return this.wire(draft, await this.compute(draft, now), itemisation);
  }

  /** null: there is no draft of that id, or it is issued by now. */
  async find(id: string): Promise<DraftOf | null> {
    const draft = await this.deps.storage.drafts.find(id);
    return draft === null || draft.isIssued ? null : draft;
  }

  /**
   * Keeps the decision about what the person saw, and hands the period over: the gate issues it if it still says that. A
   * rejected one stays held.
   * @throws DomainFailure INVOICE_NOT_FOUND, INVOICE_TRANSITION_REFUSED, INVOICE_HAS_PROBLEMS, INVOICE_CHANGED, INVOICE_REJECTED, TEMPORAL_UNAVAILABLE
   */
  async decide(
    id: string,
    {
      decision,
      seen,
      reason,
      ...asked
    }: Asked & {
      readonly decision: DraftDecision['decision'];
      /** The content hash of what the person saw. */
      readonly seen: string;
      readonly reason: string;
    },
  ): Promise<void> {
    const { storage, temporal } = this.deps;
    const draft = await this.require(id);
    requireOpenTo(decision, draft);
    const computed = await this.compute(draft, asked.now);
    if (decision !== 'rejected') requireIssuable(computed);
    const { document, contentHash } = computed;
    if (contentHash !== seen) {
      const total = `${formatAmount(document.total, document.currency)} ${document.currency}`;
      const detail = `It says something else than you saw: it asks ${document.buyer.name} for ${total} now, its content_hash is ${contentHash}. Look at it again, then decide.`;
      throw new DomainFailure('INVOICE_CHANGED', detail);
    }
    const { actor } = asked;
    await storage.drafts.decide(draft.invoiceId, { decision, contentHash, actor, reason });
    if (decision === 'rejected') return;
    if (decision === 'released') await this.resolveFindings(draft, { contentHash, actor, reason });
    const period = await storage.periods.periodNamed(draft.customerId, draft.period);
    await temporal.closePeriod(draft.customerId, draft.period, {
      requestId: idOf('invoice-decision', asked, draft.invoiceId, decision, contentHash),
      forced: period !== null && asked.now < period.to,
      reason: `${decision}: ${reason}`,
    });
    await this.settled(draft);
  }

  /** Waits a while for the gate, so that the answer says what became of it. */
  private async settled({ invoiceId, transitions }: DraftOf): Promise<void> {
    const deadline = performance.now() + this.deps.waitMs;
    for (;;) {
      const now = await this.deps.storage.drafts.find(invoiceId);
      const isKept = now !== null && !now.isIssued && now.skippedAt === null;
      const isDone = !isKept || now.transitions.length > transitions.length;
      if (isDone || performance.now() >= deadline) return;
      await wait(lookEveryMs);
    }
  }

  private async resolveFindings(
    { customerId, period }: DraftOf,
    { contentHash, actor, reason }: { readonly contentHash: string; readonly actor: string; readonly reason: string },
  ): Promise<void> {
    const { findings } = this.deps.storage;
    const { data } = await findings.list({ customerId, period, code: 'INVOICE_HELD', resolved: false }, { limit: 100 });
    for (const { findingId, subject } of data) {
      if (subject['content_hash'] !== contentHash) continue;
      await findings.resolve(findingId, { resolution: 'accepted', reason, resolvedBy: actor });
    }
  }

  private async require(id: string): Promise<DraftOf> {
    const draft = await this.deps.storage.drafts.find(id);
    if (draft !== null && !draft.isIssued) return draft;
    const issued = await this.deps.storage.billing.findInvoice(id);
    if (issued === null)
      throw new DomainFailure('INVOICE_NOT_FOUND', `There is no invoice with the id or number "${id}".`);
    const detail = `${issued.number} is ${issued.status.replace('_', ' ')}: only a draft or a held invoice is approved, released or rejected.`;
    throw new DomainFailure('INVOICE_TRANSITION_REFUSED', detail);
  }

  private compute(draft: DraftOf, now: Asked['now']): Promise<ComputedDraft> {
    return computeDraft(this.deps.storage, draft, { ...this.deps.parties, now });
  }

  private wire(
    draft: DraftOf,
    { document, contentHash, problems }: ComputedDraft,
    itemisation: Itemisation | undefined,
  ): object {
    const last = draft.transitions.at(-1);
    const invoice: Invoice = { ...document, number: '', documentHash: '', status: last?.status ?? 'draft' };
    return {
      ...invoiceToWire(invoice),
      sections: sectionsToWire(invoice, itemisation),
      number: null,
      document_hash: null,
      draft: {
        content_hash: contentHash,
        reason: draft.skippedAt === null ? (last?.reason ?? '') : skippedReason,
        ready_at: draft.readyAt,
        due_at: draft.skippedAt === null ? (last?.dueAt ?? null) : null,
        problems: problems.map(({ code, meter, group, detail }) => ({ code, meter, group, detail })),
        decisions: draft.decisions.map(({ decision, contentHash: about, actor, reason, at }) => ({
          decision,
          content_hash: about,
          actor,
          reason,
          at,
        })),
      },
    };
  }
}

/** @throws DomainFailure INVOICE_TRANSITION_REFUSED */
function requireOpenTo(decision: DraftDecision['decision'], draft: DraftOf): void {
  if (draft.skippedAt !== null) {
    const detail = `It was ${skippedReason}. There is nothing to decide; once there is usage, close the period again.`;
    throw new DomainFailure('INVOICE_TRANSITION_REFUSED', detail);
  }
  const status = draft.transitions.at(-1)?.status ?? 'draft';
  const needed = { approved: 'draft', released: 'held', rejected: null } as const;
  if (needed[decision] === null || needed[decision] === status) return;
  const detail =
    status === 'held'
      ? `It is held: ${draft.transitions.at(-1)?.reason ?? ''} It can be released or rejected.`
      : 'It is a draft: it can be approved or rejected.';
  throw new DomainFailure('INVOICE_TRANSITION_REFUSED', detail);
}

/**
 * What the gate would hold is neither approved nor released: nobody has seen what it says once that is mended.
 * @throws DomainFailure INVOICE_HAS_PROBLEMS
 */
function requireIssuable({ problems }: ComputedDraft): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` (and ${others.length} more: \`draft.problems\`)`;
  const detail = `It cannot be issued as it is. ${first.code}: ${first.detail}${more} Mend that, look at it again, then decide; it can be rejected.`;
  throw new DomainFailure('INVOICE_HAS_PROBLEMS', detail);
}
