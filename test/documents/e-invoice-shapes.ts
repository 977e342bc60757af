/** Documents of every shape that an e-invoice has. */
import { documentOf } from '../../src/domain/invoicing/document.js';
import type { Invoice, InvoiceLineItem, InvoiceType, Party } from '../../src/domain/invoicing/invoice.js';
import type { LineItemFacts } from '../../src/domain/invoicing/line-item.js';
import type { TaxFacts } from '../../src/domain/tax/apply-tax.js';
import type { TaxCategory, TaxRule } from '../../src/domain/tax/tax.js';
import { addDecimals } from '../../src/domain/decimal.js';
import type { DecimalString, Digest, LocalDate } from '../../src/domain/values.js';
import { decimal, sampleInvoice, sampleLine } from './invoices.js';

export const eSeller: Party = {
  name: 'Reckoner Services Ltd',
  address: '1 Harbour Street\n20457 Hamburg\nGermany',
  street: '1 Harbour Street',
  city: 'Hamburg',
  postal_code: '20457',
  country_code: 'DE',
  vat_id: 'DE123456789',
  email: 'billing@reckoner.example',
  iban: 'DE02 1203 0000 0000 2020 51',
};
export const eBuyer: Party = {
  name: 'Acme & Söhne GmbH',
  address: 'Torstraße 140\n10119 Berlin\nGermany',
  country_code: 'DE',
  vat_id: 'DE987654321',
  email: 'accounts@acme.example',
  reference: 'PO-77',
};

const rates: Readonly<Record<TaxCategory, string>> = {
  standard: '19',
  reduced: '7',
  zero: '0',
  exempt: '0',
  reverse_charge: '0',
};

export function ruleOf(category: TaxCategory, rate = rates[category]): TaxRule {
  const reasons: Partial<Record<TaxCategory, Pick<TaxRule, 'reasonCode' | 'reason'>>> = {
    exempt: { reasonCode: null, reason: 'Exempt as education' },
    reverse_charge: { reasonCode: 'VATEX-EU-AE', reason: 'Reverse charge' },
  };
  return { jurisdiction: 'DE', category, rate: decimal(rate), reasonCode: null, reason: null, ...reasons[category] };
}

export interface ShapeLine {
  readonly key: string;
  readonly amount: string;
  readonly quantity?: string;
  readonly unitPrice?: string;
  readonly unit?: string;
  readonly category?: TaxCategory;
  readonly group?: InvoiceLineItem['group'];
}

export function eLine({ key, amount, ...more }: ShapeLine, index: number): InvoiceLineItem {
  const item: LineItemFacts = {
    kind: 'usage',
    chargeCode: key.toUpperCase(),
    unit: more.unit ?? null,
    unitPrice: more.unitPrice === undefined ? null : decimal(more.unitPrice),
    tags: {},
    metadata: {},
    provenance: { meter_versions: [], price_book_versions: [], event_count: 1, digest: '0000000000000001' as Digest },
    taxLines: [],
  };
  return sampleLine({
    lineItemId: `00000000-0000-5000-8000-${String(index + 1).padStart(12, '0')}`,
    lineNumber: index + 1,
    lineKey: key,
    description: key,
    meter: key,
    group: more.group ?? {},
    quantity: decimal(more.quantity ?? '1234'),
    amount: decimal(amount),
    currency: 'EUR',
    calculation: { formula: `what makes ${amount}`, charges: [] },
    item,
  });
}

export interface Shape {
  readonly lines: readonly ShapeLine[];
  /** null: nothing is taxed. */
  readonly tax?: 'per document' | 'per line' | null;
  readonly corrects?: readonly Invoice[];
  readonly draws?: readonly { readonly grantId: string; readonly amount: string }[];
  readonly buyer?: Partial<Party>;
}

/** A document as it would be issued. */
export function eDocument({ lines, tax = 'per document', corrects = [], draws = [], buyer = {} }: Shape): Invoice {
  const base = sampleInvoice();
  const items = lines.map(eLine);
  const taxed: Omit<TaxFacts, 'earlier'> = {
    terms: {
      provider: 'table',
      date: '2024-01-31' as LocalDate,
      per: tax === 'per line' ? 'line' : 'document',
      rounding: 'half_up',
    },
    rules: new Map(lines.map(({ key, category = 'standard' }) => [key, [ruleOf(category)]])),
  };
  const [original] = corrects;
  const made = documentOf(
    {
      invoiceId: base.invoiceId,
      chainPlace: corrects.length + 1,
      customerId: base.customerId,
      currency: 'EUR',
      period: { period: base.period, from: base.periodStart, to: base.periodEnd, timeZone: base.timeZone },
      seller: eSeller,
      buyer: { ...eBuyer, ...buyer },
      paymentTermsDays: 14,
      issuedAt: base.issuedAt,
      cutoffPosition: base.cutoffPosition,
      pinnedVersions: base.pinnedVersions,
      lineItemId: (key) => key,
      ...(tax !== null && { tax: taxed }),
      earlier: corrects,
      credits: { grants: draws.map(grantOf), earlier: corrects },
    },
    {
      correctsInvoiceId: original?.invoiceId ?? null,
      replacesInvoiceId: null,
      lines: original === undefined ? items : items.map((line) => ({ ...line, ...changeOf(line) })),
      subtotal: addDecimals(items.map(({ amount }) => amount)),
    },
  );
  return { ...made, number: `INV-00000${corrects.length + 1}`, documentHash: 'f'.repeat(64) };
}

const changeOf = (line: InvoiceLineItem): Partial<InvoiceLineItem> => ({
  originalAmount: decimal('100.00'),
  correctedAmount: addDecimals([decimal('100.00'), line.amount]),
  reason: 'late_usage',
});

const grantOf = ({ grantId, amount }: { readonly grantId: string; readonly amount: string }) => ({
  grantId,
  currency: 'EUR',
  type: 'prepaid' as const,
  priority: 50,
  effectiveFrom: sampleInvoice().periodStart,
  expiresAt: null,
  balance: amount as DecimalString,
  isVoid: false,
});

const original = eDocument({
  lines: [
    { key: 'calls', amount: '118.73', unit: 'GB' },
    { key: 'storage', amount: '10.01' },
  ],
});

/** By name; the second is what it corrects. */
export const shapes: Readonly<
  Record<string, { readonly invoice: Invoice; readonly corrected?: Invoice; readonly type: InvoiceType }>
> = {
  'an invoice': { invoice: original, type: 'invoice' },
  'unit prices with many digits': {
    invoice: eDocument({
      lines: [
        { key: 'calls', amount: '1.23', quantity: '1234', unitPrice: '0.001' },
        {
          key: 'hours',
          amount: '25.00',
          quantity: '2.5',
          unitPrice: '10',
          unit: 'hour',
          group: { region: 'eu', tier: null },
        },
      ],
    }),
    type: 'invoice',
  },
  'two rates, zero-rated and exempt lines': {
    invoice: eDocument({
      lines: [
        { key: 'a', amount: '33.33' },
        { key: 'b', amount: '66.67', category: 'reduced' },
        { key: 'c', amount: '10.00', category: 'zero' },
        { key: 'd', amount: '5.00', category: 'exempt' },
      ],
    }),
    type: 'invoice',
  },
  'reverse charge': {
    invoice: eDocument({
      lines: [{ key: 'a', amount: '100.00', category: 'reverse_charge' }],
      buyer: { country_code: 'FR', vat_id: 'FR12345678901' },
    }),
    type: 'invoice',
  },
  'nothing taxed': { invoice: eDocument({ lines: [{ key: 'a', amount: '100.00' }], tax: null }), type: 'invoice' },
  'credits drawn': {
    invoice: eDocument({ lines: [{ key: 'a', amount: '100.00' }], draws: [{ grantId: 'g', amount: '40.00' }] }),
    type: 'invoice',
  },
  'an amount of zero': { invoice: eDocument({ lines: [{ key: 'a', amount: '0', quantity: '0' }] }), type: 'invoice' },
  'a correction': {
    invoice: eDocument({
      lines: [
        { key: 'calls', amount: '20.01' },
        { key: 'storage', amount: '-3.03' },
      ],
      corrects: [original],
    }),
    corrected: original,
    type: 'correction',
  },
  'a credit note': {
    invoice: eDocument({
      lines: [
        { key: 'calls', amount: '-20.01' },
        { key: 'storage', amount: '3.03' },
      ],
      corrects: [original],
    }),
    corrected: original,
    type: 'credit_note',
  },
};
