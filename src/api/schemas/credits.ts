/** Prepaid and promotional credits. */
import { z } from 'zod';
import { creditPriorities, creditTypes } from '../../domain/credits/grant.js';
import { decimal, decimalOut, identifier, instant, instantOut, pageOf, reasonText, storedText } from './common.js';

export const creditGrantBody = z.strictObject({
  customer_id: identifier,
  type: z.enum(creditTypes).default('prepaid').meta({ description: 'Paid for, or given away.' }),
  currency: z
    .string()
    .max(16)
    .meta({ description: 'That of the customer’s invoices.', examples: ['USD'] }),
  amount: decimal,
  name: storedText(128).meta({ description: 'What the grant is called.' }),
  priority: z
    .int()
    .min(creditPriorities.min)
    .max(creditPriorities.max)
    .default(creditPriorities.byDefault)
    .meta({ description: 'Lower is drawn first.' }),
  effective_from: instant
    .optional()
    .meta({ description: 'Drawn by periods that end after it. Default: now.', format: 'date-time' }),
  expires_at: instant
    .nullable()
    .default(null)
    .meta({ description: 'Drawn by periods that end by then; null: never expires.', format: 'date-time' }),
  roll_over: z
    .strictObject({
      cap: decimal.meta({ description: 'At most so much of the remainder.' }),
      validity: z
        .string()
        .max(64)
        .meta({ description: 'ISO 8601, of fixed units.', examples: ['P90D'] }),
    })
    .nullable()
    .default(null)
    .meta({ description: 'What becomes a new grant when this one expires, and for how long; null: nothing.' }),
  reason: reasonText.nullable().default(null),
});
export type CreditGrantBody = z.output<typeof creditGrantBody>;

export const creditVoidBody = z.strictObject({ reason: reasonText });

const grantShape = z.object({
  grant_id: z.string(),
  customer_id: z.string(),
  type: z.enum(creditTypes),
  currency: z.string(),
  amount: decimalOut,
  balance: decimalOut.meta({ description: 'Granted − drawn − expired − taken back; never below zero.' }),
  name: z.string(),
  priority: z.int(),
  effective_from: instantOut,
  expires_at: instantOut.nullable(),
  roll_over: z.object({ cap: decimalOut, validity: z.string() }).nullable(),
  rolled_over_from: z.string().nullable().meta({ description: 'The grant whose remainder this one is.' }),
  void: z.boolean().meta({ description: 'Never drawn again.' }),
  reason: z.string().nullable(),
  granted_by: z.string(),
  granted_at: instantOut,
});
export const creditGrant = grantShape.meta({ id: 'CreditGrant' });
export const creditGrantPage = pageOf(creditGrant);

export const creditGrantDetail = grantShape
  .extend({
    draws: z
      .array(
        z.object({
          invoice_id: z.string(),
          number: z.string(),
          entry: z.enum(['issued', 'voided']).meta({ description: 'By issuing the document, or by voiding it.' }),
          amount: decimalOut.meta({ description: 'Positive drawn, negative given back.' }),
          at: instantOut,
        }),
      )
      .meta({ description: 'In order.' }),
    expiries: z.array(
      z.object({
        sequence: z.int(),
        amount: decimalOut,
        rolled_over: decimalOut,
        rolled_over_to: z.string().nullable(),
        at: instantOut,
      }),
    ),
    voids: z.array(
      z.object({
        sequence: z.int(),
        amount: decimalOut,
        reason: z.string(),
        voided_by: z.string(),
        at: instantOut,
      }),
    ),
  })
  .meta({ id: 'CreditGrantDetail' });

export const creditsAtQuery = z.strictObject({
  at: instant.optional().meta({ description: 'The end of a period. Default: now.' }),
});

export const customerCredits = z
  .object({
    customer_id: z.string(),
    at: instantOut,
    currencies: z.array(
      z.object({
        currency: z.string(),
        balance: decimalOut.meta({ description: 'All that is left.' }),
        available: decimalOut.meta({ description: 'What of it the invoice of a period that ends at `at` may draw.' }),
        prepaid: decimalOut.meta({ description: 'Of what is available.' }),
        promotional: decimalOut.meta({ description: 'Of what is available.' }),
      }),
    ),
    grants: z
      .array(creditGrant.extend({ available: z.boolean() }).meta({ id: 'CustomerCreditGrant' }))
      .meta({ description: 'Those with something left, in the order in which they are drawn.' }),
  })
  .meta({ id: 'CustomerCredits' });
