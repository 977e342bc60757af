/** Closing many customers' periods at once. */
import { z } from 'zod';
import { dateOut, identifier, instantOut, localDate, pageOf, periodName, reasonText } from './common.js';
import { legalEntityCode } from './legal-entities.js';

const customersMax = 10_000;

export const periodCloseBody = z.strictObject({
  period: periodName.optional(),
  ended_on: localDate.optional().meta({ description: 'In place of "period": all whose last local day this is.' }),
  customer_ids: z
    .array(identifier)
    .min(1)
    .max(customersMax)
    .optional()
    .meta({ description: 'Default: all customers.' }),
  legal_entity: legalEntityCode.optional().meta({ description: 'Only customers that belong to it now.' }),
});
export type PeriodCloseBody = z.output<typeof periodCloseBody>;

export const periodCloseCancelBody = z.strictObject({ reason: reasonText });

const counts = {
  planned: 'Ready to be closed when the close was planned.',
  not_ready: 'Found, but not ready then; `/targets?state=not_ready` says why.',
  requested: 'Handed over to invoicing.',
  left: 'Planned, but not ready any more when their turn came.',
  issued: 'Invoices issued.',
  held: 'Held; findings say why.',
  skipped: 'Empty, of customers that skip empty invoices.',
  already_invoiced: 'Closed by somebody else meanwhile.',
  remaining:
    'Planned, and neither left nor decided; of a cancelled close also those that are not handed over any more.',
};

export const periodClose = z
  .object({
    close_id: z.string(),
    workflow_id: z.string(),
    status: z
      .enum(['planning', 'requesting', 'invoicing', 'finished', 'cancelled'])
      .meta({ description: 'cancelled: nothing more is handed over; what was is issued.' }),
    scope: z.object({
      period: dateOut.nullable(),
      ended_on: dateOut.nullable(),
      customer_ids: z.array(z.string()).nullable(),
      legal_entity: z.string().nullable(),
    }),
    billing_day: dateOut.meta({ description: 'The day whose invoicing run issues.' }),
    progress: z.object({
      planned: z.int().meta({ description: counts.planned }),
      not_ready: z.int().meta({ description: counts.not_ready }),
      requested: z.int().meta({ description: counts.requested }),
      left: z.int().meta({ description: counts.left }),
      issued: z.int().meta({ description: counts.issued }),
      held: z.int().meta({ description: counts.held }),
      skipped: z.int().meta({ description: counts.skipped }),
      already_invoiced: z.int().meta({ description: counts.already_invoiced }),
      remaining: z.int().meta({ description: counts.remaining }),
    }),
    hint: z.string().nullable().meta({ description: 'Where nothing was planned: why, and what to ask for.' }),
    cancellation: z.object({ by: z.string(), reason: z.string(), at: instantOut }).nullable(),
    requested_by: z.string(),
    requested_at: instantOut,
    planned_at: instantOut.nullable(),
  })
  .meta({ id: 'PeriodClose' });
export type PeriodCloseWire = z.output<typeof periodClose>;
export const periodClosePage = pageOf(periodClose);

export const targetState = z.enum([
  'planned',
  'requested',
  'issued',
  'held',
  'skipped',
  'already_invoiced',
  'not_ready',
]);
export const periodCloseTargetPage = pageOf(
  z
    .object({
      customer_id: z.string(),
      period: dateOut,
      state: targetState,
      reason: z
        .enum(['not_ended', 'invoiced', 'void', 'requested', 'skipped', 'backfill_open'])
        .nullable()
        .meta({ description: 'Of one that is not ready. void: only a close of its own issues the replacement.' }),
      invoice_id: z.string().nullable(),
    })
    .meta({ id: 'PeriodCloseTarget' }),
);
