/** Usage, invoices, charges. */
import { z } from 'zod';
import { roundingModes } from '../../domain/rating/price-book.js';
import { dateOut, decimalOut, groupOut, instantOut, intervalOut } from './common.js';
import { lineItemPart, presentationPart, renderings, sections, taxes } from './documents.js';
import { appliedRate } from './exchange-rates.js';
import { settlement } from './settlement.js';

const tier = z.object({
  up_to: decimalOut.nullable(),
  quantity: decimalOut,
  unit_price: decimalOut,
  flat_fee: decimalOut.optional(),
  amount: decimalOut,
});

const eventsOfKind = z.object({ events: z.int(), amount: decimalOut });

/** `Calculation` of the domain. */
const calculation = z.object({
  model: z.enum([
    'flat',
    'tiered',
    'volume',
    'package',
    'percentage',
    'graduated_percentage',
    'fixed',
    'minimum_commitment',
  ]),
  match: z.record(z.string(), z.string().nullable()).optional(),
  except: z.array(z.record(z.string(), z.string().nullable())).optional(),
  formula: z.string().meta({ examples: ['1000 × 0.10 + 234 × 0.08'] }),
  quantity: decimalOut,
  unit_price: decimalOut.nullable(),
  tiers: z.array(tier),
  quantity_before: decimalOut,
  period_quantity: decimalOut,
  price_book: z.string(),
  price_book_version: z.string(),
  effective_date: z.string(),
  in_force: z.array(intervalOut),
  included: z.object({ units: decimalOut, quantity: decimalOut }).optional(),
  package: z.object({ size: decimalOut, price: decimalOut, packages: decimalOut }).optional(),
  percentage: z
    .object({
      rate: decimalOut,
      fixed_fee: decimalOut.nullable(),
      per_event_minimum: decimalOut.nullable(),
      per_event_maximum: decimalOut.nullable(),
      free_events: z.int().nullable(),
      free_amount: decimalOut.nullable(),
      free: eventsOfKind,
      rated: eventsOfKind,
      at_minimum: eventsOfKind,
      at_maximum: eventsOfKind,
      negative: eventsOfKind,
    })
    .optional(),
  fixed: z
    .object({
      name: z.string(),
      amount: decimalOut,
      billed: z.enum(['in_advance', 'in_arrears']),
      quantity_meter: z.string().nullable(),
      elapsed_seconds: decimalOut.optional(),
      period_seconds: decimalOut.optional(),
    })
    .optional(),
  commitment: z
    .object({
      minimum: decimalOut,
      lines: decimalOut,
      converted: appliedRate
        .extend({ price: decimalOut, rounding: z.enum(roundingModes) })
        .optional()
        .meta({ description: 'Of a commitment in another currency: `minimum` is its `price` at the rate, rounded.' }),
    })
    .optional(),
  conversion: appliedRate.extend({ amount: decimalOut }).optional().meta({
    description:
      'Of prices in another currency, in which all other figures are: `amount` is that of the charge in the currency of the invoice, not rounded.',
  }),
  discount: z.object({ percent: decimalOut, of: decimalOut }).optional(),
  limit: z
    .object({
      kind: z.enum(['minimum', 'maximum']),
      limit: decimalOut,
      line_amount: decimalOut,
      adjustment: decimalOut,
    })
    .optional(),
});

const priceLookup = {
  price_lookup: z.enum(['current', 'fallback']).meta({
    description: '`fallback`: prices could not be read, so those last known were taken; it is rated again.',
  }),
  prices_as_of: instantOut.nullable().meta({ description: 'Of a fallback: when its prices were known.' }),
};

const usageWindow = z.object({
  window_start: instantOut,
  window_end: instantOut,
  quantity: decimalOut,
  event_count: z.int(),
  digest: z.string(),
});

export const usage = z
  .object({
    customer_id: z.string(),
    period: intervalOut.extend({ period: dateOut }),
    as_of: instantOut.meta({ description: 'Whatever was answered 202 before is in it.' }),
    watermark: instantOut.meta({
      description:
        'How far usage of the period is expected to be complete: windows that end before it are closing or closed.',
    }),
    next_close_at: instantOut.nullable().meta({
      description:
        'When the next window is due to close, later than as_of; null: none is. A window that was past when its usage came is left out: it closes after a quiet time, which begins again with more of it.',
    }),
    finality: z.enum(['estimated', 'final']),
    currency: z.string(),
    meters: z.array(
      z.object({
        meter: z.string(),
        group: groupOut,
        quantity: decimalOut,
        event_count: z.int(),
        windows: z.array(
          usageWindow.extend({
            state: z.enum(['open', 'closing', 'closed']).meta({
              description:
                '`open`: the watermark has not reached its end. `closed`: a final revision says what is in it. `closing`: between the two, or usage has come since.',
            }),
          }),
        ),
      }),
    ),
    cost: z
      .object({
        total: decimalOut,
        provisional: z.boolean(),
        ...priceLookup,
        lines: z.array(
          z.object({
            description: z.string(),
            meter: z.string().nullable(),
            group: groupOut,
            quantity: decimalOut,
            amount: decimalOut,
            formula: z.string(),
            calculations: z.array(calculation),
          }),
        ),
        problems: z.array(z.object({ code: z.string(), meter: z.string(), group: groupOut, detail: z.string() })),
      })
      .meta({ description: 'What the usage would cost if the period were invoiced now.' }),
  })
  .meta({ id: 'Usage' });

const partOfParty = z.string().optional();
const party = z.object({
  name: z.string(),
  address: partOfParty,
  tax_id: partOfParty,
  email: partOfParty,
  street: partOfParty,
  city: partOfParty,
  postal_code: partOfParty,
  region: partOfParty,
  country_code: partOfParty,
  vat_id: partOfParty,
  reference: partOfParty,
  iban: partOfParty,
});

const draft = z.object({
  content_hash: z.string().meta({
    description: 'Of seller, buyer, lines, taxes and totals: what a decision is about.',
  }),
  reason: z.string().meta({ description: 'Why it is not issued.' }),
  ready_at: instantOut,
  due_at: instantOut.nullable().meta({ description: 'When it is issued by itself; null: not without a person.' }),
  problems: z
    .array(
      z.object({
        code: z.string(),
        meter: z.string().nullable().meta({ description: 'null: of the invoice as a whole.' }),
        group: groupOut,
        detail: z.string(),
      }),
    )
    .meta({ description: 'What else would hold it; while there is any it is neither approved nor released.' }),
  decisions: z.array(
    z.object({
      decision: z.enum(['approved', 'released', 'rejected']),
      content_hash: z.string(),
      actor: z.string(),
      reason: z.string(),
      at: instantOut,
    }),
  ),
});

export const invoice = z
  .object({
    invoice_id: z.string(),
    number: z.string().nullable().meta({ description: 'null: not issued yet.' }),
    type: z.enum(['invoice', 'correction', 'credit_note']),
    corrects_invoice_id: z.string().nullable(),
    replaces_invoice_id: z.string().nullable(),
    chain_place: z.int(),
    customer_id: z.string(),
    period: intervalOut.extend({ name: dateOut, time_zone: z.string() }),
    currency: z.string(),
    status: z.enum(['draft', 'held', 'issued', 'partly_paid', 'paid', 'overdue', 'void']),
    issued_at: instantOut,
    due_at: instantOut,
    legal_entity: z.string().meta({ description: 'Who issued it; "default": the seller of the configuration.' }),
    seller: party,
    buyer: party,
    payment_terms: z.string(),
    subtotal: decimalOut,
    credits: decimalOut.meta({ description: 'Prepaid and promotional credits: total = subtotal − credits + tax.' }),
    credit_draws: z
      .array(z.object({ grant_id: z.string(), amount: decimalOut }))
      .optional()
      .meta({ description: 'Only where there are any: positive drawn, negative given back.' }),
    tax: decimalOut,
    taxes,
    total: decimalOut,
    cutoff_position: z.string().meta({ description: 'The ledger position through which the facts are part of it.' }),
    pinned_versions: z
      .looseObject({})
      .meta({ description: 'The versions of customer, meters and prices it was rated with.' }),
    document_hash: z
      .string()
      .nullable()
      .meta({ description: 'docs/design/DATA_MODEL.md says of what; null: not issued yet.' }),
    ...presentationPart,
    draft: draft.optional().meta({ description: 'Of an invoice that is not issued yet.' }),
    lines: z.array(
      z
        .object({
          ...lineItemPart,
          line_item_id: z.string(),
          line_number: z.int(),
          line_key: z.string(),
          service: intervalOut,
          description: z.string(),
          meter: z.string().nullable(),
          group: groupOut,
          quantity: decimalOut.nullable(),
          amount: decimalOut,
          charge_ids: z.array(z.string()),
          calculation: z.object({
            formula: z.string(),
            event_count: z.int().optional().meta({ description: 'Events that the quantity was taken from.' }),
            charges: z.array(calculation),
          }),
          original_amount: decimalOut.optional(),
          corrected_amount: decimalOut.optional(),
          reason: z.string().optional(),
          corrects_line_item_id: z.string().optional(),
        })
        .meta({ id: 'LineItem' }),
    ),
  })
  .meta({ id: 'Invoice' });

/** One invoice: with what became of it. */
export const invoiceDetail = invoice
  .extend({
    sections,
    renderings,
    corrected_by: z.array(z.string()).meta({ description: 'Ids of its corrections and credit notes, in order.' }),
    replaced_by: z.string().nullable().meta({ description: 'The invoice that replaces it, once it was voided.' }),
    transitions: z.array(
      z.object({ status: z.string(), actor: z.string(), reason: z.string().nullable(), at: instantOut }),
    ),
    life: z
      .array(
        z.object({
          event: z.string().meta({
            description:
              'A status; or `approved`, `released`, `rejected`: a decision; or `skipped`: its period is empty.',
          }),
          actor: z.string(),
          reason: z.string().nullable(),
          at: instantOut,
          content_hash: z.string().optional().meta({ description: 'Of the draft that it is about.' }),
        }),
      )
      .meta({ description: 'Everything that became of it, in order, from its first draft on.' }),
    settlement: settlement.nullable().meta({ description: 'null: not issued yet.' }),
  })
  .meta({ id: 'InvoiceDetail' });

export const charge = z
  .object({
    charge_id: z.string(),
    revision: z.int(),
    supersedes_charge_id: z.string().nullable(),
    provisional: z
      .boolean()
      .meta({ description: 'An estimate while its period goes on; nothing is invoiced with it.' }),
    current_charge_ids: z.array(z.string()).meta({
      description: 'The charges that its line stands on now: itself while it holds, none where the line fell away.',
    }),
    ...priceLookup,
    customer_id: z.string(),
    period: dateOut,
    period_from: instantOut,
    period_to: instantOut,
    time_zone: z.string(),
    meter: z.string().nullable().meta({ description: 'null: a fee.' }),
    aggregation: z.string().nullable(),
    group: groupOut,
    amount: decimalOut.meta({ description: 'Not rounded: rounding happens once, at the invoice line.' }),
    currency: z
      .string()
      .meta({ description: 'Of the price; `calculation.conversion` says what it is in the invoice’s.' }),
    cutoff_position: z.string(),
    calculation: calculation.extend({
      windows: z.array(usageWindow.extend({ revision: z.int() })),
      source_events: z.object({
        count: z.int(),
        stands_for: decimalOut
          .nullable()
          .meta({ description: 'How many events the source events stand for (`count_property`); null: not a count.' }),
        digest: z.string(),
        first: z.array(z.string()),
        href: z.string(),
      }),
      opening_level: z
        .object({
          at: instantOut.meta({ description: 'The period’s start.' }),
          level: decimalOut,
          event_count: z.int().meta({ description: 'Of the events before the period that made it.' }),
          digest: z.string(),
          first: z.array(z.string()),
          href: z.string(),
        })
        .nullable()
        .meta({
          description: 'Of a `weighted_sum` what the period began with, at the charge’s cutoff; null otherwise.',
        }),
      level_stretches: z
        .array(z.object({ from: instantOut, to: instantOut, level: decimalOut }))
        .nullable()
        .meta({
          description: 'Of a `weighted_sum` its levels one after another; null otherwise, and beyond 100 changes.',
        }),
      decided_by: z
        .object({ event_id: z.string(), source: z.string(), event_time: instantOut, value: z.string().nullable() })
        .nullable()
        .meta({ description: 'Of `min`, `max` and `latest` the event whose value is the quantity; null otherwise.' }),
    }),
    invoice_lines: z.array(z.object({ invoice_id: z.string(), line_item_id: z.string() })),
  })
  .meta({ id: 'Charge' });
