/** What documents say beside their amounts: canonical lines, tax, sections, renderings. */
import { z } from 'zod';
import { lineKinds } from '../../domain/invoicing/line-item.js';
import { itemisations } from '../../domain/invoicing/presentation.js';
import { roundingModes } from '../../domain/rating/price-book.js';
import { taxCategories } from '../../domain/tax/tax.js';
import { dateOut, decimalOut, groupOut, instantOut } from './common.js';

const text = (max: number) => z.string().min(1).max(max);

/** Of every line, as the canonical line item has it. */
export const lineItemPart = {
  schema_version: z
    .int()
    .meta({ description: '1: issued before there was a version; derived from what the line says.' }),
  kind: z.enum(lineKinds).meta({ description: 'Of a line: usage, fee, commitment (minimum true-up) or adjustment.' }),
  charge_code: z.string().meta({ description: 'SKU: of the price, else the meter or the fee’s name.' }),
  unit: z.string().nullable(),
  unit_price: decimalOut.nullable().meta({
    description: 'Only where quantity × unit price is the whole line; else null, and `calculation.formula` says more.',
  }),
  currency: z.string(),
  tags: z.record(z.string(), z.string()).meta({ description: 'The customer’s, and the pricing group’s, which win.' }),
  metadata: z.record(z.string(), z.string()).meta({ description: 'Of the price.' }),
  provenance: z.object({
    meter_versions: z.array(z.object({ meter_id: z.string(), version: z.int() })),
    price_book_versions: z.array(z.object({ price_book: z.string(), version: z.string() })),
    event_count: z.int(),
    digest: z.string().nullable().meta({ description: 'Of the events that the quantity was taken from.' }),
    cutoff_position: z.string(),
  }),
  tax_lines: z.array(z.int()).meta({ description: 'The tax lines of the document that it is part of.' }),
};

export const taxes = z
  .object({
    terms: z.object({
      provider: z.string(),
      date: dateOut.meta({ description: 'The last day of the period: it decides which rates hold.' }),
      per: z.enum(['document', 'line']),
      rounding: z.enum(roundingModes),
    }),
    lines: z.array(
      z.object({
        tax_line_number: z.int(),
        jurisdiction: z.string(),
        category: z.enum(taxCategories),
        rate: decimalOut.meta({ description: 'Percent.' }),
        taxable_amount: decimalOut,
        amount: decimalOut,
        reason_code: z.string().nullable(),
        reason: z.string().nullable(),
      }),
    ),
  })
  .optional()
  .meta({ description: 'Left out: nothing was taxed.' });

export const presentationPart = {
  schema_version: z.int(),
  itemisation: z.enum(itemisations),
  locale: z.string(),
};

export const sections = z
  .array(
    z.object({
      kind: z.enum(lineKinds),
      title: z.string(),
      meter: z.string().nullable(),
      amount: decimalOut,
      rows: z.array(
        z.object({
          kind: z.enum(lineKinds),
          description: z.string(),
          charge_code: z.string().nullable(),
          group: groupOut,
          quantity: decimalOut.nullable(),
          unit: z.string().nullable(),
          amount: decimalOut,
          line_item_ids: z.array(z.string()),
          details: z.array(
            z.object({
              kind: z.enum(['tier', 'price', 'included', 'discount', 'minimum', 'maximum']),
              description: z.string(),
              quantity: decimalOut.nullable(),
              amount: decimalOut,
              currency: z.string(),
            }),
          ),
        }),
      ),
      by_dimension: z.array(z.object({ dimension: z.string(), value: z.string().nullable(), amount: decimalOut })),
    }),
  )
  .meta({ description: 'The document as its customer reads it; the amounts of all sections sum to the total.' });

export const renderings = z
  .array(
    z.object({
      format: z.enum(['pdf', 'factur-x']),
      marked: z.boolean().meta({ description: 'As void.' }),
      renderer: z.string(),
      sha256: z.string(),
      byte_length: z.int(),
      rendered_at: instantOut,
    }),
  )
  .meta({ description: 'The bytes that it was first given out as, by renderer.' });

const isLocale = (value: string): boolean => {
  try {
    return Intl.NumberFormat.supportedLocalesOf(value).length > 0;
  } catch {
    return false;
  }
};

/** Facts of a customer that documents are made with. */
export const documentFacts = {
  locale: z
    .string()
    .max(35)
    .refine(isLocale, 'expected a known locale (BCP 47), such as "en", "de" or "fr-CH"')
    .default('en')
    .meta({ description: 'How amounts and days are written on documents.', examples: ['de'] }),
  itemisation: z.enum(itemisations).default('group').meta({
    description: 'How far documents are itemised; it decides no line and no amount.',
  }),
  tax: z
    .strictObject({
      treatment: z.enum(taxCategories).default('standard'),
      exemption_reason: text(256).nullable().default(null),
    })
    .default({ treatment: 'standard', exemption_reason: null })
    .meta({ description: 'Which rates of the tax table hold, where there is one.' }),
};

export const documentFactsOut = {
  locale: z.string(),
  itemisation: z.enum(itemisations),
  tax: z.object({ treatment: z.enum(taxCategories), exemption_reason: z.string().nullable() }),
};

/** Parts of a buyer that an e-invoice needs beside what is printed. */
export const buyerParts = {
  street: text(256).optional(),
  city: text(256).optional(),
  postal_code: text(32).optional(),
  region: text(128).optional(),
  country_code: z
    .string()
    .regex(/^[A-Z]{2}$/, 'expected two capital letters (ISO 3166-1), such as "DE"')
    .optional()
    .meta({ examples: ['DE'] }),
  vat_id: text(64).optional(),
  reference: text(256).optional().meta({ description: 'What the buyer wants to read on e-invoices (BT-10).' }),
};
