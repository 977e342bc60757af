/** Which prices a customer has when: assignments and overrides. */
import { z } from 'zod';
import { roundingModes } from '../../domain/rating/price-book.js';
import { identifier, instant, instantOut, reasonText } from './common.js';

const effectiveFromOut = z
  .string()
  .meta({ description: 'An instant, or a local date: midnight in the customer’s zone.' });
const pricesOut = z.array(z.record(z.string(), z.unknown()));

/** What is read of the version itself, and how exactly, is the domain's: parse-price-book.ts. */
export const overrideBody = z.strictObject({
  effective_from: z.string().max(64),
  effective_until: z
    .string()
    .max(64)
    .nullable()
    .optional()
    .meta({ description: 'An instant, or a local date: midnight in the customer’s zone of now.' }),
  currency: z.string().max(64).optional().meta({
    description:
      'Default: the customer’s. Amounts in another one are converted as the customer’s currency_conversion says.',
  }),
  rounding: z
    .string()
    .max(64)
    .optional()
    .meta({ enum: [...roundingModes] }),
  prices: z.array(z.record(z.string(), z.unknown())).max(1_000).meta({
    description:
      'As in a price book. For the meters that they name they hold instead of the assigned price book. []: from then on nothing is overridden.',
  }),
  reason: reasonText,
});
export type OverrideBody = z.output<typeof overrideBody>;

export const priceOverride = z
  .object({
    customer_id: z.string(),
    version: z.int(),
    price_book: z.string().meta({ description: 'The name that charges and explanations give to these prices.' }),
    currency: z.string(),
    effective_from: effectiveFromOut,
    effective_until: instantOut.nullable(),
    rounding: z.enum(roundingModes),
    prices: pricesOut,
    reason: z.string(),
    decided_by: z.string(),
    decided_at: instantOut,
  })
  .meta({ id: 'PriceOverride' });
export const priceOverrides = z.object({ data: z.array(priceOverride) });

export const pricesAtQuery = z.strictObject({ at: instant.optional().meta({ description: 'Default: now.' }) });

const versionInForce = z.object({ price_book: z.string(), version: z.string(), effective_from: effectiveFromOut });
export const customerPriceBooks = z
  .object({
    customer_id: z.string(),
    at: instantOut,
    in_force: versionInForce.nullable().meta({ description: 'null: no assignment, or no version of its price book.' }),
    override: versionInForce.nullable().meta({ description: 'What holds beside it for the meters that it prices.' }),
    assignments: z
      .array(
        z.object({
          price_book: identifier,
          from: instantOut.nullable().meta({ description: 'null: from the beginning.' }),
          until: instantOut.nullable().meta({ description: 'When it ceases to hold for good; null: not so far.' }),
          ends_at: instantOut.nullable().meta({ description: 'The end that was decided; null: none.' }),
          replaced: z
            .boolean()
            .meta({ description: 'One with the same start was learned later: this one never holds.' }),
          in_force: z.boolean(),
          decided_by: z.string(),
          decided_at: instantOut,
        }),
      )
      .meta({ description: 'As they were learned.' }),
  })
  .meta({ id: 'CustomerPriceBooks' });
