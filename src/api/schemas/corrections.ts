/** Event adjustments, re-ratings, voided invoices. */
import { z } from 'zod';
import { reRatingReasons, reRatingStatuses } from '../../domain/correction/reasons.js';
import { DomainFailure } from '../../domain/failure.js';
import type { ReRatingReason } from '../../domain/correction/reasons.js';
import { ingestLimits } from '../ingest/limits.js';
import {
  dateOut,
  decimalOut,
  groupOut,
  identifier,
  instant,
  instantOut,
  isStorableText,
  pageOf,
  reasonText,
  textAccepted,
  unstorableText,
} from './common.js';

/** Part of an event's identity; empty when events come without one. */
export const sourceName = z.string().max(ingestLimits.sourceLength).refine(isStorableText, unstorableText);

const replacement = z.strictObject({
  event_type: identifier,
  event_time: z.string().meta({ format: 'date-time' }),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

/** Shown only: what is read of it, and how exactly, is services/adjustments.ts. */
export const adjustmentBody = z.strictObject({
  customer_id: identifier,
  event_id: identifier,
  source: z.string().max(ingestLimits.sourceLength).optional(),
  type: z.enum(['void', 'amend']),
  replacement: replacement.optional().meta({ description: 'With `amend` only: what the event counts as from now on.' }),
  reason: reasonText.optional(),
});

/** The same without a look into the replacement, which may carry numbers that no float holds. */
export const adjustmentShape = z.strictObject({
  customer_id: identifier,
  event_id: identifier,
  source: sourceName.default(''),
  type: z.enum(['void', 'amend']),
  replacement: z.unknown().optional(),
  reason: reasonText.nullable().default(null),
});
export type AdjustmentShape = z.output<typeof adjustmentShape>;

const replacementOut = z.object({
  event_type: z.string(),
  event_time: instantOut,
  metadata: z.record(z.string(), z.unknown()),
});

export const adjustment = z
  .object({
    adjustment_id: z.string(),
    customer_id: z.string(),
    source: z.string(),
    event_id: z.string(),
    type: z.enum(['void', 'amend']),
    replacement: replacementOut.nullable(),
    reason: z.string().nullable(),
    created_at: instantOut,
    position: z.string().meta({ description: 'Place in the usage ledger.' }),
  })
  .meta({ id: 'EventAdjustment' });
export const adjustmentAnswer = adjustment.extend({ status: z.enum(['accepted', 'duplicate']) });
export const adjustmentPage = pageOf(adjustment);

const reason = textAccepted(parseReason).meta({ enum: [...reRatingReasons] });

/** @throws DomainFailure UNKNOWN_RE_RATING_REASON */
export function parseReason(text: string): ReRatingReason {
  const known = reRatingReasons.find((each) => each === text);
  if (known !== undefined) return known;
  const detail = `"${text.slice(0, 64)}" is not a reason of a re-rating; known are: ${reRatingReasons.join(', ')}.`;
  throw new DomainFailure('UNKNOWN_RE_RATING_REASON', detail);
}

const namesMax = 1_000;
const names = z.array(identifier).max(namesMax).nullable().optional();

export const reRatingBody = z.strictObject({
  reason,
  scope: z
    .strictObject({
      customer_ids: names,
      meters: names.meta({ description: 'Codes. Lines of other meters stay as they were invoiced.' }),
      from: instant.nullable().optional(),
      to: instant.nullable().optional(),
    })
    .default({})
    .meta({
      description:
        'The invoiced periods that fit every part given: of these customers, with lines of these meters, overlapping [from, to). At least one part is needed.',
    }),
  price_book: z.strictObject({ code: identifier, version: identifier }).nullable().default(null).meta({
    description:
      'The version to price by. Without customers in the scope only periods that were priced by this price book are met. Not with `late_usage` and `usage_correction`, which keep the versions that the period was invoiced with.',
  }),
  dry_run: z.boolean().default(false).meta({ description: 'Only compare: no correction is issued.' }),
});
export type ReRatingBody = z.output<typeof reRatingBody>;

export const decisionBody = z.strictObject({ reason: reasonText.nullable().optional() }).nullable().default(null);

const reRatingShape = z.object({
  re_rating_id: z.string(),
  workflow_id: z.string(),
  status: z.enum(reRatingStatuses),
  reason: z.enum(reRatingReasons),
  scope: z.object({
    customer_ids: z.array(z.string()).nullable(),
    meters: z.array(z.string()).nullable(),
    from: instantOut.nullable(),
    to: instantOut.nullable(),
  }),
  price_book: z.object({ code: z.string(), version: z.string() }).nullable(),
  dry_run: z.boolean(),
  requested_by: z.string(),
  requested_at: instantOut,
  attempt: z
    .int()
    .meta({ description: 'Counts comparisons: periods whose invoices moved in between are compared again.' }),
  periods: z.int().meta({ description: 'How many periods the scope met when it was asked for.' }),
});
export const reRatingPage = pageOf(reRatingShape.meta({ id: 'ReRatingSummary' }));

const difference = z
  .object({
    customer_id: z.string(),
    period: dateOut,
    meter: z.string().nullable(),
    group: groupOut,
    original_amount: decimalOut,
    corrected_amount: decimalOut,
    difference: decimalOut,
    currency: z.string(),
  })
  .meta({ id: 'ReRatingDifference' });
export const differencePage = pageOf(difference);

export const reRating = reRatingShape
  .extend({
    differences: z.array(difference).meta({ description: 'Of the latest comparison, by line: the first 1,000.' }),
    differences_truncated: z.boolean().meta({ description: 'There are more: GET /re-ratings/{id}/differences.' }),
    needs_approval: z
      .array(z.object({ customer_id: z.string(), period: dateOut, difference: decimalOut, currency: z.string() }))
      .meta({
        description: "Periods whose difference is beyond their customer's approval_threshold: the first 1,000.",
      }),
    corrections: z.array(z.string()).meta({ description: 'Ids of the corrections and credit notes issued.' }),
    held: z
      .array(z.object({ customer_id: z.string(), period: dateOut, detail: z.string().nullable() }))
      .meta({ description: 'Periods that could not be rated, with why: the first 1,000.' }),
    decisions: z.array(
      z.object({
        attempt: z.int(),
        decision: z.enum(['approved', 'rejected']),
        decided_by: z.string(),
        reason: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'ReRating' });

export const voidBody = z.strictObject({ reason: reasonText });
