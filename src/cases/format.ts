/**
 * The format of a billing case, written so that a finance person can write one. Unknown properties are refused with their
 * place, because a misspelt expectation would otherwise pass for ever.
 */
import { z } from 'zod';
import { reRatingReasons } from '../domain/correction/reasons.js';
import { creditTypes } from '../domain/credits/grant.js';
import { aggregations, windowSizes } from '../domain/metering/meter.js';

const text = z.string().min(1).max(128);
const instant = z.string().describe('RFC 3339 with an offset, such as 2024-01-15T10:00:00Z');
const decimalText = z
  .string()
  .regex(/^-?[0-9]+(\.[0-9]+)?$/)
  .describe('A decimal as a string, such as "118.72"');
const period = z
  .string()
  .regex(/^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$/)
  .describe('The first local day of a billing period; 2024-01 stands for 2024-01-01');
const duration = z.string().describe('ISO 8601, such as PT1S');
const group = z
  .record(z.string(), z.string().nullable())
  .describe('Properties of the group to look at; null: the events do not have the property');
const metadata = z.record(z.string(), z.unknown());

const customer = z.strictObject({
  currency: z.string().describe('ISO 4217'),
  name: text.optional(),
  time_zone: z.string().optional().describe('IANA; UTC when not given'),
  billing_anchor_day: z.int().min(1).max(31).optional(),
  skip_empty_invoices: z.boolean().optional(),
  currency_conversion: z
    .strictObject({ source: text, max_age_days: z.int().min(0).optional() })
    .optional()
    .describe('Whose exchange rates convert prices in another currency'),
});

const exchangeRate = z
  .strictObject({
    source: text.optional().describe('ecb when not given'),
    base: text,
    quote: text,
    date: z.string(),
    rate: z.string(),
  })
  .describe('One unit of base is so many of quote; published on that day');

const meter = z.strictObject({
  code: text,
  event_type: text,
  aggregation: z.enum(aggregations),
  value_property: text.optional().describe('Needed by every aggregation but count'),
  count_property: text.optional().describe('Of a count meter: how many an event stands for'),
  group_by: z.array(text).optional(),
  filters: z.record(z.string(), z.array(z.string())).optional(),
  window: z.enum(windowSizes).optional(),
  allowed_lateness: duration.optional(),
  allow_negative: z.boolean().optional(),
  max_groups: z.int().min(1).optional(),
  effective_from: z
    .string()
    .optional()
    .describe('Of a further version of a meter that the case lists before: from when on it holds'),
});

const priceBook = z
  .record(z.string(), z.unknown())
  .describe('A price book version as POST /price-books takes it; its content is checked when it becomes known');

const event = z.strictObject({
  event_id: z.string().describe('With repeat, {n} stands for the number of the event, from 1'),
  event_type: text,
  event_time: instant,
  source: z.string().optional(),
  metadata: metadata.optional().describe('With repeat, {n} in texts stands for the number of the event'),
  repeat: z.int().min(1).max(1_000_000).optional(),
  every: duration.optional().describe('Time between one repetition and the next'),
});

const usage = z.strictObject({ meter: text, at: instant, quantity: decimalText, group: group.optional() });

const adjustment = z.strictObject({
  event_id: text,
  source: z.string().optional(),
  type: z.enum(['void', 'amend']),
  replacement: z
    .strictObject({ event_type: text, event_time: instant, metadata: metadata.optional() })
    .optional()
    .describe('Needed by amend'),
});

const reRating = z.strictObject({ period, reason: z.enum(reRatingReasons) });

const rolloutStage = z
  .strictObject({
    price_book: z.strictObject({ code: text, version: text }),
    kind: z.enum(['canary', 'all', 'halt', 'resume', 'rollback']),
    effective_from: z.string().describe('A full hour of UTC, or a local date'),
    customers: z
      .array(text)
      .optional()
      .describe('With canary: "case" is the customer of the case, any other name another'),
  })
  .describe('A decision of the rollout of a version with "rollout": true; the first one is its canaries');

const creditGrant = z.strictObject({
  name: text.describe('By which the case names it'),
  type: z.enum(creditTypes).optional().describe('prepaid when not given'),
  amount: decimalText,
  currency: z.string().optional().describe("The customer's when not given"),
  priority: z.int().optional(),
  effective_from: instant.optional().describe('Before everything when not given'),
  expires_at: instant.optional(),
  roll_over: z.strictObject({ cap: decimalText, validity: duration }).optional(),
});

const actions = {
  events: z.array(event).min(1).optional(),
  usage: z.array(usage).min(1).optional(),
  price_book: priceBook.optional().describe('A version that becomes known only now'),
  exchange_rates: z.array(exchangeRate).min(1).optional().describe('Rates that become known only now'),
  adjust_event: adjustment.optional(),
  close_period: period.optional(),
  re_rate: reRating.optional(),
  price_rollout: rolloutStage.optional(),
  credit_grant: creditGrant.optional().describe('A grant that is made only now'),
  void_credit_grant: text.optional(),
  void_invoice: period.optional().describe('With its corrections'),
};

const expectedCharge = z.strictObject({
  price_book_version: z.string(),
  quantity: decimalText.optional(),
  formula: z.string().optional(),
  conversion: z
    .strictObject({ rate: decimalText.optional(), rate_date: z.string().optional(), amount: decimalText.optional() })
    .optional()
    .describe('Of a price in another currency: the rate, its day, and the amount in the invoice’s currency'),
});
const expectedLine = z.strictObject({
  meter: text.optional(),
  fee: text.optional().describe('In place of the meter: the name of a fee, or "Minimum commitment"'),
  group: group.optional(),
  quantity: decimalText.optional(),
  amount: decimalText.optional(),
  formula: z.string().optional(),
  charges: z.array(expectedCharge).optional().describe('All charges of the line, in order of time'),
});
const expectedCredits = {
  credits: decimalText.optional().describe('Positive drawn, negative given back'),
  credit_draws: z
    .array(z.strictObject({ grant: text, amount: decimalText }))
    .optional()
    .describe('All of them, in order'),
};
const expectedInvoice = z.strictObject({
  period,
  absent: z.literal(true).optional().describe('There is no invoice'),
  status: z.string().optional(),
  currency: z.string().optional(),
  subtotal: decimalText.optional(),
  ...expectedCredits,
  total: decimalText.optional(),
  line_count: z.int().min(0).optional(),
  lines: z.array(expectedLine).optional(),
});
const expectedCorrection = z.strictObject({
  period,
  type: z.enum(['correction', 'credit_note']).optional(),
  subtotal: decimalText.optional(),
  ...expectedCredits,
  total: decimalText.optional(),
  line_count: z.int().min(0).optional(),
  lines: z
    .array(expectedLine.extend({ original_amount: decimalText.optional(), corrected_amount: decimalText.optional() }))
    .optional(),
});
const expectedWindow = z.strictObject({ start: instant, end: instant.optional(), quantity: decimalText.optional() });

const action = exactlyOne(actions);
const step = exactlyOne({
  ...actions,
  expect_usage: z.strictObject({ period, meter: text, quantity: decimalText, group: group.optional() }).optional(),
  expect_windows: z
    .strictObject({
      meter: text,
      period,
      group: group.optional(),
      count: z.int().min(0).optional(),
      windows: z.array(expectedWindow).optional(),
    })
    .optional(),
  expect_invoice: expectedInvoice.optional(),
  expect_correction: expectedCorrection.optional(),
  expect_no_correction: z.strictObject({ period }).optional(),
  expect_refusal: z.strictObject({ step: action, code: z.string() }).optional(),
});

const billingCase = z
  .strictObject({
    $schema: z.string().optional(),
    name: z.string().min(1),
    source: z.string().optional().describe('For the reader: where the figures come from'),
    note: z.string().optional().describe('For the reader: how they are derived'),
    customer,
    meters: z.array(meter).min(1),
    price_books: z.array(priceBook).min(1).describe('The customer is assigned the first one from its beginning'),
    exchange_rates: z.array(exchangeRate).optional(),
    price_rollouts: z
      .array(rolloutStage)
      .optional()
      .describe('Decisions that were taken before the first step, in order'),
    credit_grants: z.array(creditGrant).optional(),
    steps: z.array(step).min(1),
  })
  .describe('A billing case: facts, steps, and what must come out');

/** One action or expectation an object, so that the order of a case is the order of its list. */
function exactlyOne<T extends z.core.$ZodLooseShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  return z
    .strictObject(shape)
    .refine((value) => Object.keys(value).length === 1, 'A step is exactly one thing to do or to expect.');
}

export type BillingCase = z.infer<typeof billingCase>;
export type CaseMeter = z.infer<typeof meter>;
export type CaseEvent = z.infer<typeof event>;
export type CaseUsage = z.infer<typeof usage>;
export type CaseAdjustment = z.infer<typeof adjustment>;
export type CaseExchangeRate = z.infer<typeof exchangeRate>;
export type CaseReRating = z.infer<typeof reRating>;
export type CaseRolloutStage = z.infer<typeof rolloutStage>;
export type CaseCreditGrant = z.infer<typeof creditGrant>;
export type CaseAction = z.infer<typeof action>;
export type CaseStep = z.infer<typeof step>;
export type ExpectedInvoice = z.infer<typeof expectedInvoice>;
export type ExpectedCorrection = z.infer<typeof expectedCorrection>;
export type ExpectedLine = NonNullable<ExpectedCorrection['lines']>[number];
export type ExpectedWindows = NonNullable<CaseStep['expect_windows']>;
export type ExpectedUsage = NonNullable<CaseStep['expect_usage']>;

/** What is wrong with a case file, one sentence a place. */
export class CaseFormatError extends Error {
  override readonly name = 'CaseFormatError';
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** @throws CaseFormatError naming every place that is wrong */
export function checkCase(value: unknown): BillingCase {
  const result = billingCase.safeParse(value);
  if (result.success) return result.data;
  throw new CaseFormatError(result.error.issues.map((issue) => `${placeOf(issue.path)}: ${issue.message}`));
}

function placeOf(path: readonly PropertyKey[]): string {
  return path.length === 0 ? 'the case' : path.map(String).join('.');
}

/** The format as JSON Schema (draft 2020-12), kept in test/cases/case.schema.json for editors. */
export function caseJsonSchema(): unknown {
  return z.toJSONSchema(billingCase, {
    target: 'draft-2020-12',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema === step || zodSchema === action) Object.assign(jsonSchema, { minProperties: 1, maxProperties: 1 });
    },
  });
}
