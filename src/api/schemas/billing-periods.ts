/** Billing periods: where one is, and closing it. */
import { z } from 'zod';
import { dateOut, instantOut } from './common.js';

export const billingPeriod = z
  .object({
    customer_id: z.string(),
    period: dateOut,
    from: instantOut,
    to: instantOut,
    time_zone: z.string(),
    stage: z.enum(['open', 'closing', 'ready', 'held', 'invoiced', 'skipped', 'void']),
    windows: z.int(),
    closed_windows: z.int(),
    last_cutoff: z.string().nullable(),
    invoice_id: z.string().nullable(),
    corrections: z.array(z.string()).meta({ description: 'Ids of its corrections and credit notes, in order.' }),
    invoiced_cutoff: z.string().nullable(),
    workflow_id: z.string(),
    waits_for: z
      .array(
        z.object({
          code: z.string().meta({
            description:
              'Of a finding that is open; DRAFT: approval, or its grace period; BACKFILL_OPEN: a backfill that covers a part of the period.',
          }),
          detail: z.string(),
          id: z.string().meta({ description: 'Of the finding, the draft or the backfill.' }),
          due_at: instantOut.nullable().meta({ description: 'When a draft is issued by itself.' }),
        }),
      )
      .meta({
        description:
          'Why the period is held, or what keeps it closing. Empty while only its windows and the invoice delay are waited for.',
      }),
  })
  .meta({ id: 'BillingPeriod' });

export const closeBody = z
  .strictObject({
    force: z.boolean().default(false).meta({
      description: 'Close before the period has ended, or while an open backfill covers a part of it; needs a reason.',
    }),
    reason: z.string().min(1).max(1_000).optional(),
  })
  .nullable()
  .default(null);
