/** Decisions about invoices that are not issued yet. */
import { z } from 'zod';
import type { DraftDecision } from '../../domain/invoicing/before-issue.js';
import { invoiceDetail } from '../schemas/billing.js';
import { actingHeaders, answers, identifier, reasonText } from '../schemas/common.js';
import { showInvoice } from '../services/settled.js';
import type { Api } from '../types.js';
import { askedOf } from './context.js';
import type { RouteContext } from './context.js';

const seen = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be the content_hash of the draft')
  .meta({
    description: '`draft.content_hash` of what was looked at: the decision holds for that, and for nothing else.',
  });
const decisions = {
  approve: {
    decision: 'approved',
    summary: 'Approve a draft: it is issued now, if it still says what was seen',
    body: z.strictObject({ content_hash: seen, reason: reasonText.default('approved') }),
  },
  release: {
    decision: 'released',
    summary: 'Release a held invoice: it is issued now, if it still says what was seen',
    body: z.strictObject({ content_hash: seen, reason: reasonText }),
  },
  reject: {
    decision: 'rejected',
    summary: 'Reject a draft or a held invoice: as it is, it is not issued',
    body: z.strictObject({ content_hash: seen, reason: reasonText }),
  },
} as const satisfies Readonly<
  Record<string, { decision: DraftDecision['decision']; summary: string; body: z.ZodType }>
>;

export async function draftRoutes(app: Api, { storage, drafts, clock }: RouteContext): Promise<void> {
  for (const [path, { decision, summary, body }] of Object.entries(decisions)) {
    app.post(
      `/invoices/:id/${path}`,
      {
        config: { idempotent: true },
        schema: {
          tags: ['invoices'],
          operationId: `${path}Invoice`,
          summary,
          headers: actingHeaders,
          params: z.object({ id: identifier.meta({ description: 'Invoice id: a draft has no number.' }) }),
          body,
          response: answers({
            success: { 200: { description: 'The invoice.', schema: invoiceDetail } },
            refusals: [
              'INVOICE_NOT_FOUND',
              'INVOICE_TRANSITION_REFUSED',
              'INVOICE_REJECTED',
              'INVOICE_HAS_PROBLEMS',
              'INVOICE_CHANGED',
              'TEMPORAL_UNAVAILABLE',
            ],
            body: true,
            idempotent: true,
          }),
        },
      },
      async (request) => {
        const asked = askedOf(request, clock);
        const { id } = request.params;
        const { content_hash: hash, reason } = request.body;
        await drafts.decide(id, { ...asked, decision, seen: hash, reason });
        return showInvoice({ storage, drafts }, id, { itemisation: undefined, now: asked.now });
      },
    );
  }
}
