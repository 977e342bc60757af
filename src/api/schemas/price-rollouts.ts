/** How a candidate version goes to customers, stage by stage. */
import { z } from 'zod';
import { bucketCount, stageKinds } from '../../domain/rollout/rollout.js';
import { rolloutStates } from '../../domain/rollout/transitions.js';
import { identifier, instant, instantOut, pageOf, reasonText } from './common.js';
import { evaluationStarted, evaluationTotals } from './price-evaluations.js';
import { reRatingOffer } from './reference.js';

const customersMax = 1_000;

const effectiveFrom = z.string().max(64).optional().meta({
  description: 'A full hour of UTC, or a local date: midnight in each customer’s zone. Left out: the next full hour.',
});
const canaries = z.array(identifier).min(1).max(customersMax);
const percentage = z
  .string()
  .regex(
    /^(?!0+(\.0+)?$)\d{1,2}(\.\d{1,2})?$/,
    'must be above 0 and below 100, with at most two decimals; 100 is "all"',
  )
  .meta({ description: 'Of all customers, the same ones for ever.', examples: ['5', '12.5'] });

export const rolloutBody = z.strictObject({
  price_book: z.strictObject({ code: identifier, version: identifier }),
  customers: canaries.meta({ description: 'The canaries: customers whose price book it is.' }),
  effective_from: effectiveFrom,
  reason: reasonText,
});
export type RolloutBody = z.output<typeof rolloutBody>;

export const stageBody = z
  .strictObject({
    kind: z.enum(['canary', 'percentage', 'all']),
    customers: canaries.optional().meta({ description: 'With `canary`: who comes in addition.' }),
    percentage: percentage.optional(),
    effective_from: effectiveFrom,
    reason: reasonText,
    override: z.boolean().optional().meta({ description: 'Widen without a comparison; it is kept with the stage.' }),
  })
  .meta({ description: '`customers` go with `canary`, `percentage` with `percentage`.' });
export type StageBody = z.output<typeof stageBody>;

export const stopBody = z.strictObject({ effective_from: effectiveFrom, reason: reasonText });
export type StopBody = z.output<typeof stopBody>;

export const comparisonBody = z
  .strictObject({
    from: instant.nullable().optional().meta({ description: 'Periods that overlap [from, to); left out: all.' }),
    to: instant.nullable().optional(),
  })
  .default({});
export type ComparisonBody = z.output<typeof comparisonBody>;

export const rolloutQuery = { price_book: identifier.optional() };
export const memberQuery = z.strictObject({ at: instant.optional().meta({ description: 'Default: now.' }) });

const stage = z.object({
  sequence: z.int(),
  kind: z.enum(stageKinds),
  effective_from: z.string(),
  customers: z.array(z.string()).meta({ description: 'Whom a canary stage names.' }),
  percentage: z.string().nullable(),
  evaluation_id: z.string().nullable().meta({ description: 'The comparison that the widening rests on.' }),
  override: z.boolean().meta({ description: 'Widened without one.' }),
  reason: z.string(),
  decided_by: z.string(),
  decided_at: instantOut,
});

const summary = z.object({
  rollout_id: z.string(),
  price_book: z.object({ code: z.string(), version: z.string() }),
  flag: z.string().meta({ description: 'The key under which OpenFeature knows it.' }),
  state: z.enum(rolloutStates),
  started_by: z.string(),
  started_at: instantOut,
  stages: z.array(stage),
});
export const rolloutPage = pageOf(summary.meta({ id: 'PriceRolloutSummary' }));

const comparison = evaluationStarted.extend({
  stage: z.int().meta({ description: 'The last stage when it was asked for.' }),
  requested_at: instantOut,
});
export const rolloutComparison = comparison
  .extend({ customers: z.int().meta({ description: 'Members that are compared.' }) })
  .meta({ id: 'PriceRolloutComparisonStarted' });

export const rollout = summary
  .extend({
    customers: z.int().meta({ description: 'Customers whose price book it is.' }),
    members: z.int().meta({ description: 'Those whom a stage includes, now or when it begins.' }),
    comparison: comparison
      .extend({
        totals: z.array(evaluationTotals).meta({ description: 'By currency: without the candidate, and under it.' }),
      })
      .nullable()
      .meta({ description: 'The newest one since the last stage; the next widening rests on it.' }),
    re_rating_offer: reRatingOffer.optional().meta({ description: 'Once it is rolled back.' }),
  })
  .meta({ id: 'PriceRollout' });

export const rolloutMember = z
  .object({
    rollout_id: z.string(),
    customer_id: z.string(),
    at: instantOut,
    included: z.boolean().meta({ description: 'The candidate is in force for the customer at that instant.' }),
    version: z.string().nullable().meta({ description: 'Of the price book, in force for the customer then.' }),
    reason: z
      .enum(['TARGETING_MATCH', 'SPLIT', 'STATIC', 'DEFAULT'])
      .meta({ description: 'As in OpenFeature: named, by percentage, for all, or not included.' }),
    since: instantOut.nullable().meta({ description: 'null: no stage includes the customer.' }),
    until: instantOut.nullable().meta({ description: 'When it is rolled back.' }),
    stage: z.int().nullable(),
    bucket: z
      .int()
      .min(0)
      .max(bucketCount - 1)
      .meta({ description: 'Included by a percentage when below it in hundredths of a per cent.' }),
  })
  .meta({ id: 'PriceRolloutMember' });
