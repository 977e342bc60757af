/** Reconciliations and findings. */
import { z } from 'zod';
import { dateOut, decimalOut, groupOut, identifier, instant, instantOut, pageOf, reasonText } from './common.js';

export const findingClasses = ['rounding', 'missing', 'duplicate', 'disagreement', 'large_gap'] as const;
const findingResolutions = ['fixed', 'accepted', 'not_a_problem'] as const;
export const reconciliationResults = ['equal', 'different'] as const;

export const reconciliationBody = z
  .strictObject({
    customer_ids: z.array(identifier).min(1).max(1_000).nullable().optional(),
    from: instant.nullable().optional().meta({ description: 'Periods that overlap [from, to).' }),
    to: instant.nullable().optional(),
  })
  .nullable()
  .default(null)
  .meta({ description: 'Nothing: every period that has usage, charges or documents.' });
export type ReconciliationBody = z.output<typeof reconciliationBody>;

export const reconciliationStarted = z
  .object({ run_id: z.string(), workflow_id: z.string(), status: z.enum(['running', 'finished']) })
  .meta({ id: 'ReconciliationStarted' });

const runShape = reconciliationStarted.extend({
  scope: z.object({
    customer_ids: z.array(z.string()).nullable(),
    from: instantOut.nullable(),
    to: instantOut.nullable(),
  }),
  requested_by: z.string(),
  requested_at: instantOut,
  finished_at: instantOut.nullable(),
  periods: z.int().meta({ description: 'Reconciled so far.' }),
  different: z.int().meta({ description: 'Periods whose chain does not hold.' }),
});
export const reconciliationPage = pageOf(runShape.meta({ id: 'ReconciliationSummary' }));

const figures = z.object({
  count: z.int().optional(),
  quantity: decimalOut.optional(),
  digest: z.string().optional(),
  amount: decimalOut.optional(),
});

/** Two neighbours of the chain that do not agree. */
const difference = z
  .looseObject({
    stage: z.string().meta({ examples: ['aggregates→charges'] }),
    meter: z.string().nullable(),
    class: z.enum(findingClasses),
    expected: figures,
    found: figures,
    difference: figures,
    detail: z.string(),
  })
  .meta({ id: 'ReconciliationDifference' });

/** `ReconciliationReport` of the domain, as it is stored. */
const report = z
  .looseObject({
    state: z.enum(['open', 'invoiced', 'void', 'failed']),
    cutoff: z.string(),
    currency: z.string().nullable(),
    stages: z
      .array(
        z.looseObject({
          meter: z.string(),
          events: z.looseObject({ stored: z.int(), voided: z.int(), filtered: z.int(), ...figures.shape }),
          aggregates: z.looseObject(figures.shape).nullable(),
          charges: z.looseObject(figures.shape).nullable(),
          lines: z.looseObject(figures.shape).nullable(),
          journal: z.looseObject(figures.shape).nullable(),
        }),
      )
      .meta({ description: 'By meter, left to right; null: the period has not come that far.' }),
    lines: z.array(z.looseObject({ line_key: z.string() })),
    journal: z.array(z.looseObject({ invoice_id: z.string() })),
    differences: z.array(difference).meta({ description: 'Empty: the chain holds.' }),
  })
  .meta({ id: 'ReconciliationReport' });

const result = z
  .object({
    customer_id: z.string(),
    period: dateOut,
    result: z.enum(reconciliationResults),
    report,
  })
  .meta({ id: 'ReconciliationResult' });
export const resultPage = pageOf(result);

export const reconciliation = runShape
  .extend({
    findings: z
      .partialRecord(z.enum(findingClasses), z.int())
      .meta({ description: 'Differences by class, over the first 1,000 periods that differ.' }),
    results: resultPage.meta({ description: 'The first page of GET /reconciliations/{id}/results.' }),
  })
  .meta({ id: 'Reconciliation' });

const compared = { expected: decimalOut, found: decimalOut, difference: decimalOut };
const chargeFigures = z.object({ event_count: z.int(), quantity: decimalOut, digest: z.string(), amount: decimalOut });

/** `InvoiceVerification` of the domain. */
export const verification = z
  .object({
    invoice_id: z.string(),
    number: z.string(),
    type: z.string(),
    status: z.string(),
    customer_id: z.string(),
    period: dateOut,
    currency: z.string(),
    cutoff_position: z.string().meta({ description: 'Facts of the ledger up to here were taken.' }),
    verified: z.boolean().meta({ description: 'Everything below is as it must be.' }),
    lines: z.array(
      z.object({
        line_key: z.string(),
        meter: z.string().nullable(),
        group: groupOut,
        ...compared,
        expected_quantity: decimalOut.nullable(),
        found_quantity: decimalOut.nullable(),
      }),
    ),
    total: z.object(compared).meta({ description: 'Lines − credits + tax.' }),
    credits: z
      .object(compared)
      .meta({ description: 'What the document has drawn of credits, against what it says it has.' }),
    tax: z
      .object(compared)
      .meta({ description: 'What its lines bear at the rates that it records, against what it says.' }),
    charges: z
      .array(
        z.object({
          charge_id: z.string().nullable(),
          meter: z.string().nullable(),
          group: groupOut,
          expected: chargeFigures,
          found: chargeFigures,
          verified: z.boolean(),
        }),
      )
      .meta({ description: 'Amounts of charges are not rounded.' }),
    document_hash: z.object({ expected: z.string(), found: z.string(), verified: z.boolean() }),
    journal: z.looseObject({ differences: z.array(difference), verified: z.boolean() }),
    problems: z.array(z.string()).meta({ description: 'Why the facts cannot be billed as the document billed them.' }),
  })
  .meta({ id: 'InvoiceVerification' });

export const finding = z
  .object({
    finding_id: z.string(),
    code: z.string(),
    class: z.enum(findingClasses).nullable().meta({ description: "Of a reconciliation's finding." }),
    customer_id: z.string().nullable(),
    period: dateOut.nullable(),
    subject: z.record(z.string(), z.unknown()),
    detail: z.string(),
    found_at: instantOut,
    resolution: z
      .object({
        resolution: z.enum(findingResolutions),
        reason: z.string(),
        resolved_by: z.string(),
        resolved_at: instantOut,
      })
      .nullable()
      .meta({ description: 'null: still open.' }),
  })
  .meta({ id: 'Finding' });
export const findingPage = pageOf(finding);

export const resolutionBody = z.strictObject({ resolution: z.enum(findingResolutions), reason: reasonText });
