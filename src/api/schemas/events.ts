import { z } from 'zod';
import { failureCodes } from '../../domain/failure.js';
import { ingestLimits } from '../ingest/limits.js';
import { adjustment } from './corrections.js';
import { groupOut, identifier, instant, instantOut, intervalOut, pageOf } from './common.js';

const event = z
  .strictObject({
    event_id: identifier,
    event_time: z.string().meta({ format: 'date-time', examples: ['2024-01-15T10:00:00Z'] }),
    customer_id: identifier,
    event_type: identifier,
    metadata: z.record(z.string(), z.unknown()).optional(),
    source: z.string().max(ingestLimits.sourceLength).optional(),
    request_id: z.string().max(ingestLimits.provenanceLength).optional(),
    user_id: z.string().max(ingestLimits.provenanceLength).optional(),
    trace_id: z.string().max(ingestLimits.provenanceLength).optional(),
  })
  .meta({
    description: 'Identity is customer, source and event id. Numbers are read from the text, never through a float.',
  });
const events = z.array(event).max(ingestLimits.eventsPerRequest);

export const eventsBody = z.union([event, events, z.strictObject({ events })]);

export const ingestAnswer = z.object({
  accepted: z.int(),
  duplicates: z.int(),
  rejected: z.int(),
  results: z
    .array(
      z.object({
        index: z.int(),
        event_id: z.string().nullable(),
        status: z.enum(['duplicate', 'rejected']),
        code: z.enum(failureCodes).optional(),
        detail: z.string().optional(),
      }),
    )
    .meta({ description: 'What was not newly accepted, by index in the request.' }),
});

export const eventFilter = {
  customer_id: identifier,
  event_type: identifier.optional(),
  from: instant.optional(),
  to: instant.optional(),
};

const storedEventShape = z.object({
  event_id: z.string(),
  source: z.string(),
  customer_id: z.string(),
  event_type: z.string(),
  event_time: instantOut,
  metadata: z.record(z.string(), z.unknown()),
  request_id: z.string().nullable(),
  user_id: z.string().nullable(),
  trace_id: z.string().nullable(),
  ingestion_time: instantOut,
  position: z.string().meta({ description: 'Place in the usage ledger.' }),
});

export const eventPage = pageOf(storedEventShape.meta({ id: 'Event' }));

export const eventTrace = storedEventShape
  .extend({
    adjustments: z.array(adjustment).meta({ description: 'Oldest first; the last one counts.' }),
    effective: z
      .object({ event_type: z.string(), event_time: instantOut, metadata: z.record(z.string(), z.unknown()) })
      .nullable()
      .meta({ description: 'What the event counts as now; null: it is void.' }),
    period: intervalOut.extend({ period: z.string(), stage: z.string() }),
    metering: z
      .array(
        z.object({
          meter: z.string(),
          group: groupOut,
          window: intervalOut,
          quantity: z.string().nullable(),
          charge_id: z.string().nullable(),
          invoice: z
            .object({ invoice_id: z.string(), number: z.string(), line_item_id: z.string(), line_amount: z.string() })
            .nullable(),
        }),
      )
      .meta({
        description: 'One entry a meter that takes what the event counts as; empty for an unmetered or void event.',
      }),
  })
  .meta({ id: 'EventTrace' });

export const deadLetterPage = pageOf(
  z
    .object({
      dead_letter_id: z.string(),
      code: z.enum(failureCodes),
      detail: z.string(),
      customer_id: z.string().nullable(),
      event_id: z.string().nullable(),
      payload: z.string().meta({ description: 'The event as it came, as text.' }),
      received_at: instantOut,
    })
    .meta({ id: 'DeadLetter' }),
);
