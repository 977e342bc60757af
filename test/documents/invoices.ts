/** Invoices to print in tests: one builder, everything overridable. */
import type { Invoice, InvoiceLineItem } from '../../src/domain/invoicing/invoice.js';
import type { DecimalString, Instant, LocalDate, Position } from '../../src/domain/values.js';

export const decimal = (text: string): DecimalString => text as DecimalString;
export const instant = (text: string): Instant => text as Instant;

export function sampleLine(overrides: Partial<InvoiceLineItem> = {}): InvoiceLineItem {
  return {
    lineItemId: '7f1c9a52-6d27-5d43-9d1b-0a4a6f0f7c01',
    lineNumber: 1,
    lineKey: 'api_calls',
    description: 'api_calls',
    meter: 'api_calls',
    group: {},
    serviceFrom: instant('2023-12-31T23:00:00.000000Z'),
    serviceTo: instant('2024-01-31T23:00:00.000000Z'),
    quantity: decimal('1234'),
    amount: decimal('118.72'),
    currency: 'USD',
    originalAmount: null,
    correctedAmount: null,
    reason: null,
    correctsLineItemId: null,
    chargeIds: ['0b9cbb9e-5b6c-5a0b-8d0e-3f3f4f1f9a01'],
    calculation: { formula: '1000 × 0.10 + 234 × 0.08 = 118.72', charges: [] },
    ...overrides,
  };
}

/** An invoice of January 2024 for a customer in Berlin, whose days are not those of UTC. */
export function sampleInvoice(overrides: Partial<Invoice> = {}): Invoice {
  return {
    invoiceId: '3b241101-e2bb-5255-8caf-4136c566a962',
    number: 'INV-000123',
    type: 'invoice',
    customerId: 'cust_1',
    period: '2024-01-01' as LocalDate,
    periodStart: instant('2023-12-31T23:00:00.000000Z'),
    periodEnd: instant('2024-01-31T23:00:00.000000Z'),
    timeZone: 'Europe/Berlin',
    chainPlace: 1,
    correctsInvoiceId: null,
    replacesInvoiceId: null,
    currency: 'USD',
    status: 'issued',
    subtotal: decimal('118.72'),
    credits: decimal('0'),
    creditDraws: [],
    tax: decimal('0'),
    total: decimal('118.72'),
    seller: {
      name: 'Reckoner Services Ltd',
      address: '1 Harbour Street\n20457 Hamburg\nGermany',
      tax_id: 'DE123456789',
      email: 'billing@reckoner.example',
    },
    buyer: {
      name: 'Acme GmbH',
      address: 'Torstraße 140\n10119 Berlin\nGermany',
      tax_id: 'DE987654321',
      email: 'accounts@acme.example',
    },
    paymentTerms: 'Payment within 14 days',
    cutoffPosition: '1234' as Position,
    pinnedVersions: { customer_version_id: 'c1', meter_ids: [], price_segments: [] },
    documentHash: 'f'.repeat(64),
    issuedAt: instant('2024-02-01T01:00:00.000000Z'),
    dueAt: instant('2024-02-15T01:00:00.000000Z'),
    lines: [sampleLine()],
    ...overrides,
  };
}
