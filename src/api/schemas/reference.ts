/** Customers, meters, price books. */
import { z } from 'zod';
import { parseTimeZone } from '../../calendar/time-zones.js';
import { maxAgeDaysDefault } from '../../domain/money/conversion.js';
import { defaultLegalEntity } from '../../domain/invoicing/invoice-number.js';
import { findCurrency } from '../../domain/money/currency.js';
import { aggregations, maxGroupsDefault, windowSizes } from '../../domain/metering/meter.js';
import { roundingModes } from '../../domain/rating/price-book.js';
import { parseDuration } from '../../domain/time/duration.js';
import { parseInstant } from '../../domain/time/instant.js';
import { parseLocalDate } from '../../domain/time/local-date.js';
import { dateOut, decimal, decimalOut, identifier, instantOut, localDate, pageOf, textAccepted } from './common.js';
import { buyerParts, documentFacts, documentFactsOut } from './documents.js';
import { rateSource } from './exchange-rates.js';
import { legalEntityCode } from './legal-entities.js';

const text = (max: number) => z.string().min(1).max(max);
const duration = textAccepted((value) => parseDuration(value)).meta({ format: 'duration', examples: ['PT1H'] });
const isLocalDate = (value: string): boolean => /^\d{4}-\d{2}-\d{2}$/.test(value);

export const customerBody = z.strictObject({
  name: text(256),
  currency: textAccepted((value) => findCurrency(value)).meta({ examples: ['USD'] }),
  time_zone: textAccepted((value) => parseTimeZone(value))
    .default('UTC')
    .meta({ examples: ['Europe/Berlin'] }),
  billing_anchor_day: z.int().min(1).max(31).default(1),
  billing_from: localDate.optional().meta({ description: 'Default: the period in which the customer is created.' }),
  price_book: identifier,
  price_book_from: textAccepted((value) => (isLocalDate(value) ? parseLocalDate(value) : parseInstant(value)))
    .nullable()
    .optional()
    .meta({ description: 'A full hour of UTC, or a local date; null: from the beginning.' }),
  price_book_until: textAccepted((value) => (isLocalDate(value) ? parseLocalDate(value) : parseInstant(value)))
    .nullable()
    .optional()
    .meta({ description: 'The assignment’s end, which lets the one before hold again; null: none.' }),
  invoice_delay: duration.default('PT1H'),
  late_usage_quiet_time: textAccepted((value) => value === 'manual' || parseDuration(value)).default('PT1H'),
  skip_empty_invoices: z.boolean().default(false),
  grace_period: duration.default('PT0S').meta({
    description: 'How long an invoice stays a draft once its period is ready; it is computed again as usage settles.',
  }),
  invoice_approval: z
    .enum(['none', 'required'])
    .default('none')
    .meta({ description: 'Whether a person approves each invoice before it is issued.' }),
  approval_threshold: decimal
    .refine((text) => !text.startsWith('-'), 'must not be negative')
    .nullable()
    .default(null),
  currency_conversion: z
    .strictObject({
      source: rateSource,
      max_age_days: z.int().min(0).max(366).default(maxAgeDaysDefault).meta({
        description: 'How old a rate may be on the last day of a period.',
      }),
    })
    .nullable()
    .default(null)
    .meta({ description: 'Whose exchange rates convert prices in another currency; null: such prices are refused.' }),
  tags: z.record(text(128), z.string().max(256)).default({}),
  buyer: z
    .strictObject({
      address: text(1_000).optional(),
      tax_id: text(64).optional(),
      email: text(320).optional(),
      ...buyerParts,
    })
    .default({}),
  legal_entity: legalEntityCode.default(defaultLegalEntity).meta({
    description:
      'Who issues its documents; a chain that has begun stays where it is. Default: the seller of the configuration.',
  }),
  ...documentFacts,
});
export type CustomerBody = z.output<typeof customerBody>;

export const customer = z
  .object({
    customer_id: z.string(),
    name: z.string(),
    currency: z.string(),
    time_zone: z.string(),
    billing_anchor_day: z.int(),
    billing_from: dateOut,
    price_book: z.string(),
    price_book_from: instantOut.nullable(),
    price_book_until: instantOut.nullable(),
    invoice_delay: z.string(),
    late_usage_quiet_time: z.string(),
    skip_empty_invoices: z.boolean(),
    grace_period: z.string(),
    invoice_approval: z.enum(['none', 'required']),
    approval_threshold: decimalOut.nullable(),
    currency_conversion: z.object({ source: z.string(), max_age_days: z.int() }).nullable(),
    tags: z.record(z.string(), z.string()),
    buyer: z.record(z.string(), z.string()),
    legal_entity: z.string(),
    ...documentFactsOut,
    version: z.int(),
  })
  .meta({ id: 'Customer' });
export type CustomerWire = z.output<typeof customer>;

/** The table of API.md, "Meter", in words. */
const aggregationsExplained = [
  'count: how many events (or what their "count_property" says). sum: the sum of the values.',
  'min, max, latest: the least, the greatest, the last value of the period; they begin anew in each period.',
  'unique_count: how many different values (texts, numbers or truth values) "value_property" has.',
  'weighted_sum: each value is a change of a level, such as +5 or -2, never the level itself; the quantity is the average level over the period, each level weighed by how long it held, and the level is carried into the next period.',
].join(' ');

/** What a meter looks up in each event to tell groups apart, and to filter. */
const propertiesMax = 16;

export const meterBody = z.strictObject({
  code: identifier,
  event_type: identifier,
  aggregation: z.string().meta({ enum: [...aggregations], description: aggregationsExplained }),
  value_property: identifier.nullable().optional().meta({
    description:
      'The metadata property that is read, of every aggregation but "count"; for "weighted_sum" a change of the level (+5, -2), never the level itself.',
  }),
  count_property: identifier
    .nullable()
    .optional()
    .meta({ description: 'Of a "count" meter: the metadata property that says how many an event stands for.' }),
  group_by: z.array(identifier).max(propertiesMax).default([]),
  filters: z
    .record(identifier, z.array(z.string().max(1_024)).min(1).max(100))
    .refine((filters) => Object.keys(filters).length <= propertiesMax, `must name at most ${propertiesMax} properties`)
    .default({})
    .meta({
      maxProperties: propertiesMax,
      description: 'Property to allowed texts. A number has the text of its value: 1.0 is "1".',
    }),
  window: z.enum(windowSizes).default('hour'),
  allowed_lateness: duration.default('PT1H'),
  allow_negative: z.boolean().default(false),
  max_groups: z.int().min(1).max(100_000).default(maxGroupsDefault).meta({
    description: 'A period with usage in more groups than this is held with a finding.',
  }),
  effective_from: z.string().max(64).nullable().optional().meta({
    description:
      'From when on this version of the meter holds: a full hour of UTC, or a local date, midnight in each customer’s zone. Without it the first version, which holds since always.',
  }),
});
export type MeterBody = z.output<typeof meterBody>;

export const meter = z
  .object({
    meter_id: z.string(),
    code: z.string(),
    version: z.int(),
    event_type: z.string(),
    aggregation: z.enum(aggregations),
    value_property: z.string().nullable(),
    count_property: z.string().nullable(),
    group_by: z.array(z.string()),
    filters: z.record(z.string(), z.array(z.string())),
    window: z.enum(windowSizes),
    allowed_lateness: z.string(),
    allow_negative: z.boolean(),
    max_groups: z.int(),
    effective_from: z.string().nullable(),
  })
  .meta({ id: 'Meter' });
export type MeterWire = z.output<typeof meter>;

const tiers = z
  .array(z.strictObject({ up_to: decimalOut.nullable(), unit_price: decimalOut, flat_fee: decimalOut.optional() }))
  .min(1);
const rateTiers = z
  .array(z.strictObject({ up_to: decimalOut.nullable(), rate: decimalOut, flat_fee: decimalOut.optional() }))
  .min(1);
const itemPart = {
  charge_code: identifier
    .optional()
    .meta({ description: 'SKU on lines and postings; default: the meter or the fee’s name.' }),
  display_name: identifier.optional().meta({ description: 'What the customer reads.' }),
  unit: identifier.optional().meta({ description: 'Of the quantity: a word or a UN/ECE code, such as GB or HUR.' }),
  metadata: z.record(z.string(), z.string()).optional().meta({ description: 'Stands on the lines.' }),
};
const pricePart = {
  ...itemPart,
  meter: identifier,
  match: z
    .record(z.string(), z.string().nullable())
    .optional()
    .meta({ description: 'Groups of the meter that the price is for; the most specific match holds.' }),
  price_by: z.array(identifier).optional().meta({ description: 'The pricing group; default: all of "group_by".' }),
  discount_percent: decimalOut.optional(),
  maximum: decimalOut.optional().meta({ description: 'Of a line in a period.' }),
  minimum: decimalOut.optional().meta({ description: 'Of a line in a period, used or not.' }),
};
const included = decimalOut.optional().meta({ description: 'Free units of a line, the earliest of the period.' });
const price = z.union([
  z.strictObject({ ...pricePart, included, model: z.enum(['flat', 'per_unit']), unit_price: decimalOut }),
  z.strictObject({
    ...pricePart,
    included,
    model: z.enum(['tiered', 'graduated', 'volume']),
    tiers,
    charge_when_zero: z.boolean().optional(),
  }),
  z.strictObject({
    ...pricePart,
    included,
    model: z.literal('graduated_percentage'),
    tiers: rateTiers,
    charge_when_zero: z.boolean().optional(),
  }),
  z.strictObject({
    ...pricePart,
    included,
    model: z.literal('package'),
    package_size: decimalOut,
    package_price: decimalOut,
  }),
  z.strictObject({
    ...pricePart,
    model: z.literal('percentage'),
    rate: decimalOut.meta({ description: '0.013 is 1.3 %.' }),
    fixed_fee: decimalOut.optional(),
    free_events: z.int().min(0).optional(),
    free_amount: decimalOut.optional(),
    per_event_minimum: decimalOut.optional(),
    per_event_maximum: decimalOut.optional(),
  }),
  z.strictObject({
    ...itemPart,
    model: z.literal('fixed'),
    name: identifier,
    amount: decimalOut,
    billed: z.enum(['in_advance', 'in_arrears']),
    prorate: z.boolean().default(false),
    quantity_meter: identifier.optional().meta({ description: 'The fee is due as often as this meter counts.' }),
  }),
]);
const effectiveFrom = z
  .string()
  .meta({ description: 'An instant on a full hour of UTC, or a local date: midnight in each customer’s zone.' });

/** Shown only; src/domain/rating/parse-price-book.ts decides. */
export const priceBookBody = z.strictObject({
  code: identifier,
  version: identifier,
  currency: z.string(),
  effective_from: effectiveFrom,
  effective_until: instantOut.nullable().optional(),
  rounding: z.enum(roundingModes).default('half_even'),
  supersedes: identifier.optional().meta({
    description: 'The version that this one corrects; both begin at the same time.',
  }),
  rollout: z.boolean().optional().meta({
    description: 'true: a candidate, which holds for nobody until a rollout includes customers.',
  }),
  prices: z.array(price).min(1),
  minimum_commitment: decimalOut.optional().meta({ description: 'What an invoice comes to at least.' }),
});

export const reRatingOffer = z
  .object({
    periods: z.int().meta({ description: 'Issued periods that the superseded version prices.' }),
    examples: z.array(z.object({ customer_id: z.string(), period: dateOut })).meta({ description: 'The first 100.' }),
    re_ratings: z
      .array(
        z.object({
          reason: z.literal('price_correction'),
          scope: z.object({ customer_ids: z.array(z.string()), from: instantOut, to: instantOut }),
          price_book: z
            .object({ code: z.string(), version: z.string() })
            .optional()
            .meta({ description: 'Left out where the re-rating goes by what is known now, as after a rollback.' }),
        }),
      )
      .meta({ description: 'Bodies of POST /re-ratings that together correct these periods and no other.' }),
  })
  .meta({ id: 'ReRatingOffer', description: 'Nothing is corrected until it is asked for.' });

export const priceBook = z
  .object({
    price_book_id: z.string(),
    code: z.string(),
    version: z.string(),
    currency: z.string(),
    effective_from: effectiveFrom,
    effective_until: instantOut.nullable(),
    rounding: z.enum(roundingModes),
    prices: z.array(z.record(z.string(), z.unknown())),
    minimum_commitment: decimalOut.optional(),
    supersedes: z.string().optional(),
    rollout: z.boolean().optional().meta({ description: 'A candidate; without it the version holds for everybody.' }),
    re_rating_offer: reRatingOffer.optional(),
  })
  .meta({ id: 'PriceBook' });

export const priceBookPage = pageOf(
  priceBook
    .extend({
      supersedes: z.string().nullable().meta({ description: 'The version that it corrects.' }),
      superseded_by: z.string().nullable().meta({ description: 'The version that corrects it.' }),
    })
    .meta({ id: 'ListedPriceBook' }),
);
