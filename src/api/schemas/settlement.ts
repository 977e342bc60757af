/** Payments, credit notes by hand, refunds, write-offs, and what a customer owes. */
import { z } from 'zod';
import { creditReasons } from '../../domain/settlement/credit-note.js';
import {
  decimal,
  decimalOut,
  identifier,
  instant,
  instantOut,
  pageOf,
  paging,
  reasonText,
  storedText,
} from './common.js';

const currency = z
  .string()
  .max(16)
  .meta({ examples: ['USD'] });
const method = storedText(64).meta({ description: 'How the money moved.', examples: ['bank_transfer', 'card'] });
const reference = storedText(256).nullable().default(null).meta({ description: 'What the bank or provider calls it.' });

const parts = z
  .array(z.strictObject({ invoice_id: identifier.meta({ description: 'Invoice id or number.' }), amount: decimal }))
  .max(1_000);

export const paymentBody = z.strictObject({
  customer_id: identifier,
  currency,
  amount: decimal,
  received_at: instant,
  method,
  reference,
  allocations: parts
    .default([])
    .meta({ description: 'What it settles; the rest stays with the customer until the next invoice is issued.' }),
  allow_duplicate: z.boolean().optional().meta({
    description:
      'true: the bank did receive it twice. Otherwise one with the same reference, amount, currency and day of receipt is refused.',
  }),
});
export type PaymentBody = z.output<typeof paymentBody>;

export const allocationsBody = z.strictObject({ allocations: parts.min(1) });
export const decisionBody = z.strictObject({ reason: reasonText });

export const payment = z
  .object({
    payment_id: z.string(),
    customer_id: z.string(),
    currency: z.string(),
    amount: decimalOut,
    received_at: instantOut,
    method: z.string(),
    reference: z.string().nullable(),
    allocated: decimalOut,
    unallocated: decimalOut.meta({ description: 'Settles nothing; 0 for a reversed payment.' }),
    settles: z.array(
      z.object({
        invoice_id: z.string().nullable(),
        number: z.string().nullable(),
        refund_id: z.string().nullable(),
        amount: decimalOut,
      }),
    ),
    reversed: z
      .object({ reason: z.string(), reversed_by: z.string(), at: instantOut })
      .nullable()
      .meta({ description: 'It bounced: nothing is settled by it.' }),
    recorded_by: z.string(),
    recorded_at: instantOut,
  })
  .meta({ id: 'Payment' });
export const paymentPage = pageOf(payment);

export const creditNoteBody = z.strictObject({
  lines: z
    .array(
      z.strictObject({
        line_item_id: identifier.meta({ description: 'A line of the invoice, or of one of its corrections.' }),
        amount: decimal
          .nullable()
          .default(null)
          .meta({ description: 'Without tax. null: all that can be credited of the line.' }),
        reason_code: z.enum(creditReasons),
        reason: reasonText.nullable().default(null),
      }),
    )
    .min(1)
    .max(1_000),
  reason: reasonText.nullable().default(null).meta({ description: 'Of the note as a whole.' }),
});
export type CreditNoteBody = z.output<typeof creditNoteBody>;

const party = z.looseObject({ name: z.string() });

export const creditNote = z
  .object({
    credit_note_id: z.string(),
    number: z.string(),
    type: z.literal('credit_note'),
    invoice_id: z.string().meta({ description: 'The invoice that it credits.' }),
    invoice_number: z.string(),
    customer_id: z.string(),
    currency: z.string(),
    status: z.enum(['issued', 'void']),
    issued_at: instantOut,
    issued_by: z.string(),
    reason: z.string().nullable(),
    seller: party,
    buyer: party,
    subtotal: decimalOut.meta({ description: 'What is credited; above zero.' }),
    tax: decimalOut,
    total: decimalOut,
    document_hash: z.string(),
    void: z.object({ reason: z.string(), voided_by: z.string(), at: instantOut }).nullable(),
    lines: z.array(
      z.object({
        line_number: z.int(),
        line_key: z.string(),
        credits_line_item_id: z.string(),
        description: z.string(),
        original_amount: decimalOut.meta({ description: 'What the line came to before.' }),
        amount: decimalOut,
        tax: decimalOut,
        reason_code: z.enum(creditReasons),
        reason: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'CreditNote' });
export const creditNotePage = pageOf(creditNote);

export const refundBody = z.strictObject({
  customer_id: identifier,
  currency,
  amount: decimal,
  method,
  reference,
  reason: reasonText,
});
export type RefundBody = z.output<typeof refundBody>;

export const refund = z
  .object({
    refund_id: z.string(),
    customer_id: z.string(),
    currency: z.string(),
    amount: decimalOut,
    method: z.string(),
    reference: z.string().nullable(),
    reason: z.string(),
    refunded_by: z.string(),
    refunded_at: instantOut,
  })
  .meta({ id: 'Refund' });
export const refundPage = pageOf(refund);

export const writeOffBody = z.strictObject({
  amount: decimal.nullable().default(null).meta({ description: 'null: all that is open.' }),
  reason: reasonText,
});

export const writeOff = z
  .object({
    write_off_id: z.string(),
    invoice_id: z.string(),
    number: z.string().meta({ description: 'Of the invoice.' }),
    customer_id: z.string(),
    currency: z.string(),
    amount: decimalOut.meta({ description: 'With tax.' }),
    reason: z.string(),
    written_off_by: z.string(),
    written_off_at: instantOut,
    reversed: z
      .object({ reason: z.string(), reversed_by: z.string(), at: instantOut })
      .nullable()
      .meta({ description: 'It was taken back: what it had settled is open again.' }),
  })
  .meta({ id: 'WriteOff' });
export const writeOffPage = pageOf(writeOff);

export const settlement = z
  .object({
    open: decimalOut.meta({ description: 'total − credited − settled; 0 of a document that gives credit.' }),
    credited: decimalOut.meta({ description: 'By credit notes and corrections: not due any more.' }),
    settled: decimalOut.meta({ description: 'By payments, credit of other invoices, write-offs.' }),
    settled_by: z
      .object({
        paid: decimalOut,
        credited: decimalOut.meta({ description: 'By its own credit, and by credit of other invoices.' }),
        written_off: decimalOut.meta({ description: 'Given up: nobody paid it, though its status may be `paid`.' }),
      })
      .meta({ description: 'total − open, by what.' }),
    creditable: z.array(
      z.object({
        line_key: z.string(),
        line_item_id: z.string(),
        description: z.string(),
        invoiced: decimalOut.meta({ description: 'With its corrections.' }),
        credited: decimalOut,
        creditable: decimalOut.meta({
          description: 'Without tax: what a note on this line alone can credit now (RULES 61).',
        }),
      }),
    ),
    allocations: z.array(
      z.object({
        source: z.enum(['payment', 'invoice', 'write_off']),
        source_id: z.string(),
        amount: decimalOut.meta({ description: 'Below zero: taken back.' }),
        actor: z.string(),
        reason: z.string(),
        at: instantOut,
      }),
    ),
    credit_notes: z.array(
      z.object({
        credit_note_id: z.string(),
        number: z.string(),
        total: decimalOut,
        status: z.enum(['issued', 'void']),
      }),
    ),
  })
  .meta({ id: 'InvoiceSettlement' });

const owed = {
  unapplied: decimalOut.meta({ description: 'Credit that settles nothing yet: what `credits` come to.' }),
  beside_write_offs: decimalOut.meta({
    description:
      'Credit of invoices of which something is written off: nobody’s to carry or refund until the write-off is reversed.',
  }),
  balance: decimalOut.meta({ description: 'open − unapplied − beside_write_offs: that of accounts_receivable.' }),
};

export const receivable = z
  .object({
    customer_id: z.string(),
    currencies: z.array(
      z.object({
        currency: z.string(),
        open: decimalOut,
        ...owed,
      }),
    ),
    open_documents: z
      .array(
        z.object({
          invoice_id: z.string(),
          number: z.string(),
          currency: z.string(),
          status: z.string(),
          due_at: instantOut,
          total: decimalOut,
          credited: decimalOut,
          settled: decimalOut,
          open: decimalOut,
        }),
      )
      .meta({ description: 'The oldest first.' }),
    credits: z
      .array(
        z.object({
          source: z.enum(['payment', 'invoice']),
          source_id: z.string(),
          currency: z.string(),
          amount: decimalOut,
        }),
      )
      .meta({ description: 'What unapplied credit consists of, the oldest first.' }),
  })
  .meta({ id: 'Receivable' });

const overdue = z.object({
  days_0_30: decimalOut,
  days_31_60: decimalOut,
  days_61_90: decimalOut,
  days_over_90: decimalOut,
});
export const receivablesPage = pageOf(
  z
    .object({
      customer_id: z.string(),
      currency: z.string(),
      open: decimalOut,
      not_due: decimalOut,
      overdue: overdue.meta({ description: 'Open, by whole days since the due date.' }),
      ...owed,
    })
    .meta({ id: 'ReceivableOfCustomer' }),
);

export const appliedCredit = z.object({
  allocations: z.array(
    z.object({
      source: z.enum(['payment', 'invoice']),
      source_id: z.string(),
      invoice_id: z.string().nullable(),
      refund_id: z.string().nullable(),
      amount: decimalOut,
    }),
  ),
});

/** Of a list of what concerns issued invoices. */
export const ofInvoiceQuery = z.strictObject({
  customer_id: identifier.optional(),
  invoice_id: identifier.optional().meta({ description: 'Invoice id or number.' }),
  ...paging,
});
