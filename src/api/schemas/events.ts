import { z } from 'zod';
import { failureCodes } from '../../domain/failure.js';
import { ingestLimits } from '../ingest/limits.js';
import type { EventMediaType } from '../ingest/receive-events.js';
import { adjustment } from './corrections.js';
import { documentedBodies, groupOut, identifier, instant, instantOut, intervalOut, pageOf } from './common.js';

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
    schema_version: z.int().min(1).max(2_147_483_647).optional().meta({
      description: 'The version of the schema of the event type that the metadata is to match; default: the latest.',
    }),
  })
  .meta({
    description: 'Identity is customer, source and event id. Numbers are read from the text, never through a float.',
  });
/** The backfill that all events of a request are for. */
export const eventsBackfillId = z.string().min(1).max(64).meta({
  description: 'The backfill that all events of the request are for; in the query, or in the body beside `events`.',
});
const events = z.array(event).max(ingestLimits.eventsPerRequest);

/** CloudEvents 1.0.2, as `read-cloud-event.ts` takes them. */
const cloudEvent = z
  .strictObject({
    specversion: z.literal('1.0'),
    id: identifier.meta({ description: 'event_id' }),
    source: z.string().min(1).max(ingestLimits.sourceLength),
    type: identifier.meta({ description: 'event_type' }),
    subject: identifier.meta({ description: 'customer_id' }),
    time: z.string().meta({ format: 'date-time', description: 'event_time' }),
    data: z.record(z.string(), z.unknown()).nullish().meta({ description: 'metadata' }),
    datacontenttype: z.string().nullish(),
    dataschema: z.string().nullish().meta({ description: '…/event-schemas/{type}/{version} is schema_version.' }),
    traceparent: z.string().nullish().meta({ description: 'Its trace id becomes trace_id.' }),
    requestid: z.string().nullish().meta({ description: 'request_id' }),
    userid: z.string().nullish().meta({ description: 'user_id' }),
  })
  .meta({ description: 'A CloudEvent. Transport extensions are taken too; others are refused.' });
const cloudEvents = z.array(cloudEvent).max(ingestLimits.eventsPerRequest);
const eventLines = z.string().meta({ description: 'An event a line; blank lines are passed over.' });

export const eventBodies = documentedBodies({
  'application/json': z.union([event, events, z.strictObject({ events, backfill_id: eventsBackfillId.optional() })]),
  'application/cloudevents+json': cloudEvent,
  'application/cloudevents-batch+json': cloudEvents,
  'application/x-ndjson': eventLines,
} satisfies Readonly<Record<EventMediaType, z.ZodType>>);

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
    .meta({ description: 'What was not newly accepted, by index in the request; of lines, by number from 0.' }),
  lines: z.int().optional().meta({ description: 'Of lines: how many the body had, blank ones too.' }),
  truncated: z
    .boolean()
    .optional()
    .meta({
      description: `Of lines: whether results were left out (beyond ${ingestLimits.streamResults} duplicates or rejections).`,
    }),
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
  backfill_id: z.string().nullable().meta({ description: 'It counts while this backfill is closed and not reverted.' }),
  schema_version: z
    .int()
    .nullable()
    .meta({ description: 'The version of its type’s schema that it matched when it came; null: there was none.' }),
});

export const eventPage = pageOf(storedEventShape.meta({ id: 'Event' }));

export const chargeEventPage = pageOf(
  storedEventShape
    .extend({
      stands_for: z.string().nullable().meta({
        description:
          "How many events it stands for (`count_property`); null: the charge's meter does not count events.",
      }),
      value: z.string().nullable().meta({
        description:
          "What the charge's meter reads of it: the decimal that is added up or compared, of `unique_count` the text; what `count` adds.",
      }),
    })
    .meta({ id: 'ChargeEvent' }),
);

export const eventTrace = storedEventShape
  .extend({
    adjustments: z.array(adjustment).meta({ description: 'Oldest first; the last one counts.' }),
    effective: z
      .object({ event_type: z.string(), event_time: instantOut, metadata: z.record(z.string(), z.unknown()) })
      .nullable()
      .meta({
        description:
          'What the event counts as now; null: it is void, its backfill is not in force, or a backfill replaces it.',
      }),
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
          carried_to: z
            .object({
              count: z.int(),
              first: z.array(
                z.object({
                  period: z.string(),
                  charge_id: z.string(),
                  invoice_id: z.string(),
                  number: z.string(),
                  line_item_id: z.string(),
                }),
              ),
            })
            .nullable()
            .meta({
              description:
                'Of a `weighted_sum`: a charge for each later invoiced period whose level began with this change; null otherwise.',
            }),
        }),
      )
      .meta({
        description: 'One entry a meter that takes what the event counts as; empty for an unmetered or void event.',
      }),
  })
  .meta({ id: 'EventTrace' });
