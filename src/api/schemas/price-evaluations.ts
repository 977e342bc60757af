/** What-if: prices that nobody is billed by. */
import { z } from 'zod';
import {
  dateOut,
  decimal,
  decimalOut,
  groupOut,
  identifier,
  instant,
  instantOut,
  pageOf,
  periodName,
} from './common.js';

const customersMax = 1_000;
const quantitiesMax = 1_000;

export const evaluationBody = z
  .strictObject({
    price_book: z.record(z.string(), z.unknown()).meta({
      description:
        'The version to price by: {"code", "version"} of a stored one, or a whole version as POST /price-books takes it, which is not stored.',
    }),
    quantities: z
      .array(
        z.strictObject({
          meter: identifier,
          group: z.record(identifier, z.string().max(1_024).nullable()).default({}),
          quantity: decimal,
        }),
      )
      .min(1)
      .max(quantitiesMax)
      .optional()
      .meta({ description: 'Of a price that is taken of each event, every entry is an event, in this order.' }),
    customer_id: identifier.optional(),
    period: periodName.optional(),
    customers: z
      .union([z.literal('all'), z.array(identifier).min(1).max(customersMax)])
      .optional()
      .meta({ description: 'Their real usage, as a run that goes on by itself.' }),
    from: instant.nullable().optional().meta({ description: 'With `customers`: periods that overlap [from, to).' }),
    to: instant.nullable().optional(),
  })
  .meta({ description: 'Exactly one of `quantities`, `customer_id` with `period`, and `customers`.' });
export type EvaluationBody = z.output<typeof evaluationBody>;

const priceBookName = z.object({ code: z.string(), version: z.string() });
const problemOut = z.looseObject({
  side: z.enum(['current', 'evaluated']).optional().meta({ description: 'Which of the two prices has the problem.' }),
  code: z.string(),
  meter: z.string().nullable().optional(),
  group: groupOut.optional(),
  detail: z.string(),
});
const calculations = z.array(z.record(z.string(), z.unknown())).meta({ description: 'As a charge explains itself.' });

const lineIdentity = {
  meter: z.string().nullable(),
  name: z.string().nullable().meta({ description: 'Of a fee.' }),
  group: groupOut,
};

const evaluatedQuantities = z
  .object({
    price_book: priceBookName,
    currency: z.string(),
    total: decimalOut,
    lines: z.array(
      z.object({
        ...lineIdentity,
        quantity: decimalOut,
        amount: decimalOut,
        formula: z.string(),
        calculations,
      }),
    ),
    problems: z.array(problemOut),
  })
  .meta({ id: 'EvaluatedQuantities' });

const comparedAmounts = {
  current_amount: decimalOut.nullable(),
  current_formula: z.string().nullable(),
  evaluated_amount: decimalOut.nullable(),
  evaluated_formula: z.string().nullable(),
  difference: decimalOut,
};
const comparedLine = z.object({ ...lineIdentity, quantity: decimalOut, ...comparedAmounts });

const evaluatedPeriod = z
  .object({
    price_book: priceBookName,
    customer_id: z.string(),
    period: z.object({ period: dateOut, from: instantOut, to: instantOut }),
    cutoff: z.string().meta({ description: 'Usage as it was at this position of the ledger, on both sides.' }),
    currency: z.string(),
    comparable: z.boolean().meta({ description: 'false: something has no price on one side, see `problems`.' }),
    current: decimalOut.meta({ description: 'Under the versions that the period has; of an invoiced one its pins.' }),
    evaluated: decimalOut,
    difference: decimalOut.meta({ description: '`evaluated` − `current`.' }),
    invoiced: decimalOut
      .nullable()
      .meta({ description: 'By all documents of the period together, before credits and tax; null: none.' }),
    lines: z.array(comparedLine.extend({ calculations })),
    problems: z.array(problemOut),
  })
  .meta({ id: 'EvaluatedPeriod' });
export const evaluatedNow = z.union([evaluatedQuantities, evaluatedPeriod]);

export const evaluationStarted = z
  .object({ evaluation_id: z.string(), workflow_id: z.string(), status: z.enum(['running', 'finished']) })
  .meta({ id: 'PriceEvaluationStarted' });

const evaluationShape = evaluationStarted.extend({
  price_book: z.record(z.string(), z.unknown()),
  scope: z.object({
    customer_ids: z.array(z.string()).nullable(),
    from: instantOut.nullable(),
    to: instantOut.nullable(),
  }),
  cutoff: z.string().meta({ description: 'Usage as it was at this position of the ledger, for all customers.' }),
  requested_by: z.string(),
  requested_at: instantOut,
  finished_at: instantOut.nullable(),
  progress: z.object({ periods: z.int(), of: z.int() }),
});
export const evaluationPage = pageOf(evaluationShape.meta({ id: 'PriceEvaluationSummary' }));

const top = z.array(z.object({ customer_id: z.string(), difference: decimalOut }));
export const evaluationTotals = z
  .object({
    currency: z.string(),
    customers: z.int(),
    not_comparable: z.int().meta({ description: 'Customers left out: a period of theirs does not compare.' }),
    current: decimalOut,
    evaluated: decimalOut,
    difference: z
      .object({
        count: z.int(),
        sum: decimalOut,
        min: decimalOut.nullable(),
        median: decimalOut.nullable(),
        p90: decimalOut.nullable(),
        max: decimalOut.nullable(),
      })
      .meta({ description: 'Of the customers’ differences. Median and p90 are differences that occur.' }),
    winners: z.int().meta({ description: 'Customers who would pay less.' }),
    losers: z.int(),
    unchanged: z.int(),
    top_winners: top,
    top_losers: top,
  })
  .meta({ id: 'PriceEvaluationTotals' });

const evaluatedCustomer = z
  .object({
    customer_id: z.string(),
    currency: z.string(),
    periods: z.int(),
    not_comparable: z.int(),
    current: decimalOut.nullable(),
    evaluated: decimalOut.nullable(),
    difference: decimalOut.nullable(),
  })
  .meta({ id: 'EvaluatedCustomer' });
export const evaluatedCustomerPage = pageOf(evaluatedCustomer);

export const evaluation = evaluationShape
  .extend({ totals: z.array(evaluationTotals).meta({ description: 'By currency.' }), customers: evaluatedCustomerPage })
  .meta({ id: 'PriceEvaluation' });

export const evaluationResults = ['compared', 'not_comparable'] as const;
const evaluationResult = z
  .object({
    customer_id: z.string(),
    period: dateOut,
    result: z.enum(evaluationResults),
    currency: z.string(),
    current: decimalOut.nullable(),
    evaluated: decimalOut.nullable(),
    difference: decimalOut.nullable(),
    invoiced: decimalOut.nullable(),
    lines: z.array(comparedLine).meta({ description: 'Those that differ.' }),
    problems: z.array(problemOut),
  })
  .meta({ id: 'PriceEvaluationResult' });
export const evaluationResultPage = pageOf(evaluationResult);
