/** Dead letters, and what people decide about them. */
import { z } from 'zod';
import { failureCodes } from '../../domain/failure.js';
import { identifier, instant, instantOut, pageOf, paging, reasonText } from './common.js';

const deadLetterStatuses = ['open', 'replayed', 'discarded'] as const;

export const deadLetter = z
  .object({
    dead_letter_id: z.string(),
    code: z.enum(failureCodes),
    detail: z.string(),
    customer_id: z.string().nullable(),
    event_id: z.string().nullable(),
    backfill_id: z.string().nullable().meta({ description: 'The backfill that it was sent for; its replay is, too.' }),
    payload: z.string().meta({ description: 'The event as it came, as text.' }),
    received_at: instantOut,
    status: z.enum(deadLetterStatuses),
    decisions: z
      .array(
        z.object({
          decision: z.enum(['replayed', 'discarded', 'reopened']),
          outcome: z.enum(['accepted', 'duplicate', 'rejected']).optional(),
          code: z.string().nullable().optional(),
          detail: z.string().nullable().optional(),
          payload: z.string().nullable().optional(),
          decided_by: z.string(),
          reason: z.string().nullable(),
          decided_at: instantOut,
        }),
      )
      .meta({
        description:
          'Oldest first. A replay that was rejected leaves it open; `reopened`: its content was sent, and rejected, again. `payload`: what was replayed in place of the kept one.',
      }),
  })
  .meta({ id: 'DeadLetter' });
export const deadLetterPage = pageOf(deadLetter);

const refusalCode = z.enum(failureCodes, 'is no code of a refusal; GET /dead-letters shows which there are').optional();

export const deadLetterQuery = z.strictObject({
  code: refusalCode,
  customer_id: identifier.optional(),
  since: instant.optional().meta({ description: 'Received at or after this instant.' }),
  status: z.enum([...deadLetterStatuses, 'all']).default('open'),
  ...paging,
});

/** Shown only: the event is read as POST /events reads one. */
export const replayBody = z
  .strictObject({
    event: z.record(z.string(), z.unknown()).optional().meta({
      description: 'The corrected event, an Event or a CloudEvent; without it the kept payload is tried again.',
    }),
    reason: reasonText.optional(),
  })
  .optional();

/** The same without a look into the event, which may carry numbers that no float holds. */
export const replayShape = z.strictObject({ event: z.unknown().optional(), reason: reasonText.optional() });

export const replayAnswer = deadLetter.extend({
  outcome: z.enum(['accepted', 'duplicate', 'rejected']),
  rejection: z.object({ code: z.enum(failureCodes), detail: z.string() }).nullable(),
});

const replaysMax = 1_000;
export const bulkReplayBody = z.strictObject({
  code: refusalCode,
  customer_id: identifier.optional(),
  since: instant.optional(),
  limit: z.int().min(1).max(replaysMax).default(100),
  reason: reasonText.optional(),
});
export const bulkReplayAnswer = z.object({
  replayed: z.int(),
  accepted: z.int(),
  duplicates: z.int(),
  rejected: z.int().meta({ description: 'They stay open.' }),
  rejected_by_code: z.record(z.string(), z.int()),
});

export const discardBody = z.strictObject({ reason: reasonText });
