/** Backfills. */
import { z } from 'zod';
import { identifier, instant, instantOut, pageOf, reasonText } from './common.js';

/** More customers belong into another backfill: each is decided by itself. */
const backfillCustomersMax = 5_000;

const backfillModes = ['add', 'replace'] as const;
export const backfillStatuses = ['open', 'closed', 'reverted'] as const;

export const backfillBody = z.strictObject({
  customer_ids: z.array(identifier).min(1).max(backfillCustomersMax),
  from: instant,
  to: instant,
  mode: z.enum(backfillModes).default('add').meta({
    description:
      '`replace`: while the backfill is closed and not reverted, no other event of its range and customers counts.',
  }),
  reason: reasonText.optional(),
});
export type BackfillBody = z.output<typeof backfillBody>;

export const backfillDecisionBody = z.strictObject({ reason: reasonText.optional() }).nullish();

export const backfill = z
  .object({
    backfill_id: z.string(),
    customer_ids: z.array(z.string()),
    from: instantOut,
    to: instantOut,
    mode: z.enum(backfillModes),
    status: z.enum(backfillStatuses).meta({ description: 'Its events count while it is `closed`.' }),
    reason: z.string().nullable(),
    created_by: z.string(),
    created_at: instantOut,
    decisions: z.array(
      z.object({
        decision: z.enum(['closed', 'reverted']),
        position: z.string().meta({ description: 'Place in the usage ledger: it holds from there on.' }),
        decided_by: z.string(),
        reason: z.string().nullable(),
        decided_at: instantOut,
      }),
    ),
  })
  .meta({ id: 'Backfill' });

export const backfillPage = pageOf(backfill);
export const backfillWithEvents = backfill.extend({
  events: z.int().meta({ description: 'Stored for it, whether they count or not.' }),
});
