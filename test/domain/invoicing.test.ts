import fc from 'fast-check';
import { addDecimals } from '../../src/domain/decimal.js';
import { buildInvoice, describeLine } from '../../src/domain/invoicing/build-invoice.js';
import { paymentTermsText } from '../../src/domain/invoicing/document.js';
import type { InvoiceFacts } from '../../src/domain/invoicing/build-invoice.js';
import { invoiceHashInput } from '../../src/domain/invoicing/hash-input.js';
import { invoiceToWire } from '../../src/domain/invoicing/invoice-to-wire.js';
import type { Invoice, InvoiceStatus } from '../../src/domain/invoicing/invoice.js';
import { canTransition, invoiceTransitions } from '../../src/domain/invoicing/transitions.js';
import { ratePeriod } from '../../src/domain/rating/rate.js';
import type { RatedLine } from '../../src/domain/rating/rating.js';
import type { DecimalString, LocalDate, Position } from '../../src/domain/values.js';
import { flat, inGroup, instant, january, meter, ratingInput, tiered, used, version } from '../support/rating-input.js';

/** Two regions, each with a charge under two versions. */
function lines(): readonly RatedLine[] {
  const books = [
    version('v1', [
      tiered([
        ['1000', '0.10'],
        [null, '0.08'],
      ]),
    ]),
    version('v2', [
      tiered([
        ['1000', '0.20'],
        [null, '0.16'],
      ]),
    ]),
  ];
  const usage = ['us', 'eu'].flatMap((region) => [
    used(0, '800', inGroup({ region })),
    used(1, '700', inGroup({ region })),
  ]);
  return ratePeriod(ratingInput(books, usage, [meter({ groupBy: ['region'] })])).lines;
}

const facts = (overrides: Partial<InvoiceFacts> = {}): InvoiceFacts => ({
  invoiceId: 'invoice-1',
  chainPlace: 1,
  replacesInvoiceId: null,
  customerId: 'cust_1',
  currency: 'USD',
  period: { ...january, period: '2024-01-01' as LocalDate, timeZone: 'UTC' },
  seller: { name: 'Seller Ltd', tax_id: 'X1' },
  buyer: { name: 'Acme' },
  paymentTermsDays: 14,
  issuedAt: instant('2024-02-01T01:00:00.123456Z'),
  cutoffPosition: '4711' as Position,
  pinnedVersions: { customer_version_id: 'c1', meter_ids: ['m1'], price_segments: [] },
  lines: lines(),
  lineItemId: (lineKey) => `item ${lineKey}`,
  chargeIds: ['eu-v1', 'eu-v2', 'us-v1', 'us-v2'],
  ...overrides,
});
const issued = (overrides: Partial<InvoiceFacts> = {}): Invoice => ({
  ...buildInvoice(facts(overrides)),
  number: 'INV-000001',
  documentHash: 'hash',
});

describe('buildInvoice', () => {
  test('a line a meter and group, with the charges that make it up', () => {
    const invoice = buildInvoice(facts());
    expect(
      invoice.lines.map(({ lineNumber, description, amount, chargeIds }) => [
        lineNumber,
        description,
        amount,
        chargeIds,
      ]),
    ).toEqual([
      [1, 'calls (region: eu)', '200', ['eu-v1', 'eu-v2']],
      [2, 'calls (region: us)', '200', ['us-v1', 'us-v2']],
    ]);
    expect(invoice.lines[0]).toMatchObject({
      lineItemId: 'item ["calls",{"region":"eu"}]',
      calculation: {
        formula: '800 × 0.10 + 200 × 0.20 + 500 × 0.16',
        charges: [{ price_book_version: 'v1' }, { price_book_version: 'v2' }],
      },
      serviceFrom: january.from,
      serviceTo: january.to,
      correctsLineItemId: null,
    });
    expect(invoice).toMatchObject({
      type: 'invoice',
      status: 'issued',
      subtotal: '400',
      credits: '0',
      tax: '0',
      total: '400',
    });
  });

  test('charges follow their lines, in whatever order the lines come', () => {
    const reversed = facts({ lines: lines().toReversed(), chargeIds: ['us-v1', 'us-v2', 'eu-v1', 'eu-v2'] });
    expect(buildInvoice(reversed)).toEqual(buildInvoice(facts()));
  });

  test('without lines it is an invoice of 0', () => {
    expect(buildInvoice(facts({ lines: [], chargeIds: [] }))).toMatchObject({ lines: [], subtotal: '0', total: '0' });
  });

  test('is due after the payment terms, to the microsecond', () => {
    expect(buildInvoice(facts()).dueAt).toBe('2024-02-15T01:00:00.123456Z');
    expect(buildInvoice(facts({ paymentTermsDays: 0 }))).toMatchObject({
      dueAt: facts().issuedAt,
      paymentTerms: 'Due on receipt',
    });
  });

  test.each<[string, Partial<InvoiceFacts>]>([
    ['too few charge ids', { chargeIds: ['eu-v1'] }],
    ['too many', { chargeIds: ['1', '2', '3', '4', '5'] }],
    ['a line in another currency', { currency: 'EUR' }],
  ])('stops at %s', (_name, overrides) => {
    expect(() => buildInvoice(facts(overrides))).toThrow('invariant broken');
  });

  test('the total is the sum of the rounded lines', () => {
    const units = fc.array(fc.nat(999), { maxLength: 6 });
    fc.assert(
      fc.property(units, (quantities) => {
        const usage = quantities.map((quantity, index) => used(0, String(quantity), inGroup({ region: `r${index}` })));
        const rated = ratePeriod(
          ratingInput([version('v1', [flat('0.0333')])], usage, [meter({ groupBy: ['region'] })]),
        ).lines;
        const invoice = buildInvoice(facts({ lines: rated, chargeIds: rated.map(({ lineKey }) => lineKey) }));
        expect(invoice.total).toBe(addDecimals(rated.map(({ amount }) => amount)));
        for (const { amount } of invoice.lines) expect(amount).toMatch(/^\d+(\.\d{1,2})?$/);
      }),
    );
  });
});

test.each<[string, Parameters<typeof describeLine>[1], string]>([
  ['no group', {}, 'calls'],
  ['a group', { region: 'eu', tier: 'gold' }, 'calls (region: eu, tier: gold)'],
  ['a missing property', { region: null }, 'calls (region: –)'],
])('describeLine: %s', (_name, group, expected) => {
  expect(describeLine('calls', group)).toBe(expected);
});

test.each([
  [0, 'Due on receipt'],
  [1, 'Due within 1 day'],
  [30, 'Due within 30 days'],
])('paymentTermsText: %i', (days, expected) => {
  expect(paymentTermsText(days)).toBe(expected);
});

describe('invoiceHashInput', () => {
  const hashed = (invoice: Invoice): string => JSON.stringify(invoiceHashInput(invoice));

  test.each<[string, Partial<Invoice>]>([
    ['number', { number: 'INV-999999' }],
    ['hash', { documentHash: 'other' }],
    ['cutoff position', { cutoffPosition: '1' as Position }],
    [
      'instants of the clock',
      { issuedAt: instant('2030-01-01T00:00:00.000000Z'), dueAt: instant('2030-01-01T00:00:00.000000Z') },
    ],
    ['status', { status: 'paid' }],
    ['presentation', { presentation: { itemisation: 'summary', locale: 'de' } }],
    ['notation of a decimal', { total: '400.00' as DecimalString, subtotal: '400.0' as DecimalString }],
  ])('does not depend on the %s', (_name, changes) => {
    expect(hashed({ ...issued(), ...changes })).toBe(hashed(issued()));
  });

  // Everything else that an invoice says, the hash must say: a forgotten property would be one that can be forged.
  const outside = ['number', 'documentHash', 'cutoffPosition', 'issuedAt', 'dueAt', 'status', 'presentation'];
  const lists: Readonly<Record<string, readonly unknown[]>> = {
    lines: [],
    creditDraws: [{ grantId: 'g', amount: '1' }],
  };
  test.each(Object.keys(issued()).filter((key) => !outside.includes(key)))('depends on %s', (key) => {
    const changed = {
      ...issued(),
      [key]: lists[key] ?? changedValue(issued()[key as keyof Invoice]),
    };
    expect(hashed(changed)).not.toBe(hashed(issued()));
  });

  test.each(Object.keys(issued().lines[0]?.item ?? {}))('depends on %s of what a line is', (key) => {
    const changed = issued().lines.map((line) => ({
      ...line,
      item: { ...line.item, [key]: changedItem[key] ?? `other ${key}` },
    })) as unknown as Invoice['lines'];
    expect(hashed({ ...issued(), lines: changed })).not.toBe(hashed(issued()));
  });
  const changedItem: Readonly<Record<string, unknown>> = { unitPrice: '7', taxLines: [9] };

  test('says nothing of what a document of schema 1 did not have', () => {
    const { schemaVersion: _schema, presentation: _presentation, ...older } = issued();
    const lines = older.lines.map(({ item: _item, ...line }) => line);
    const text = hashed({ ...older, lines });
    for (const name of ['schema_version', 'item', 'taxes', 'provenance']) expect(text).not.toContain(`"${name}"`);
    expect(hashed({ ...older, lines, schemaVersion: 1 })).toBe(text);
  });

  test.each(Object.keys(issued().lines[0] ?? {}).filter((key) => key !== 'item'))('depends on %s of a line', (key) => {
    const invoice = issued();
    const [first, ...others] = invoice.lines as [Invoice['lines'][number], ...Invoice['lines']];
    const changed = { ...first, [key]: changedValue(first[key as keyof typeof first]) };
    expect(hashed({ ...invoice, lines: [changed, ...others] })).not.toBe(hashed(invoice));
  });

  function changedValue(value: unknown): unknown {
    if (typeof value === 'string') return /^-?\d+(\.\d+)?$/.test(value) ? `${value}1` : `${value}!`;
    if (typeof value === 'number') return value + 1;
    if (value === null) return '1';
    return Array.isArray(value) ? [...(value as unknown[]), 'more'] : { ...(value as object), more: 'more' };
  }
});

describe('invoiceToWire', () => {
  test('shows amounts with the minor digits of the currency', () => {
    expect(invoiceToWire(issued())).toEqual({
      invoice_id: 'invoice-1',
      number: 'INV-000001',
      type: 'invoice',
      corrects_invoice_id: null,
      replaces_invoice_id: null,
      chain_place: 1,
      customer_id: 'cust_1',
      period: { ...january, name: '2024-01-01', time_zone: 'UTC' },
      currency: 'USD',
      status: 'issued',
      issued_at: '2024-02-01T01:00:00.123456Z',
      due_at: '2024-02-15T01:00:00.123456Z',
      legal_entity: 'default',
      seller: { name: 'Seller Ltd', tax_id: 'X1' },
      buyer: { name: 'Acme' },
      payment_terms: 'Due within 14 days',
      subtotal: '400.00',
      credits: '0.00',
      tax: '0.00',
      total: '400.00',
      cutoff_position: '4711',
      pinned_versions: { customer_version_id: 'c1', meter_ids: ['m1'], price_segments: [] },
      document_hash: 'hash',
      schema_version: 2,
      itemisation: 'group',
      locale: 'en',
      lines: issued().lines.map((line, index) => ({
        line_item_id: line.lineItemId,
        line_number: index + 1,
        line_key: line.lineKey,
        service: january,
        description: line.description,
        meter: 'calls',
        group: line.group,
        quantity: '1500',
        amount: '200.00',
        charge_ids: line.chargeIds,
        calculation: line.calculation,
        schema_version: 2,
        kind: 'usage',
        charge_code: 'calls',
        unit: null,
        unit_price: null,
        currency: 'USD',
        tags: line.group,
        metadata: {},
        provenance: {
          meter_versions: [],
          price_book_versions: [
            { price_book: 'standard', version: 'v1' },
            { price_book: 'standard', version: 'v2' },
          ],
          event_count: 2,
          digest: '0000000000000000',
          cutoff_position: '4711',
        },
        tax_lines: [],
      })),
    });
  });

  test('lines of a correction say what they correct', () => {
    const invoice = issued();
    const correction = {
      originalAmount: '5' as DecimalString,
      correctedAmount: '7.5' as DecimalString,
      reason: 'late_usage',
      correctsLineItemId: 'line-0',
    };
    const corrected = { ...invoice, lines: invoice.lines.map((line) => ({ ...line, ...correction })) };
    expect(invoiceToWire(corrected).lines[0]).toMatchObject({
      original_amount: '5.00',
      corrected_amount: '7.50',
      reason: 'late_usage',
      corrects_line_item_id: 'line-0',
    });
  });

  test('quantities are shown in one form', () => {
    const invoice = issued();
    const [first] = invoice.lines as [Invoice['lines'][number]];
    const quantities = ['1234.500', null].map((quantity) => ({ ...first, quantity: quantity as DecimalString | null }));
    expect(invoiceToWire({ ...invoice, lines: quantities }).lines.map(({ quantity }) => quantity)).toEqual([
      '1234.5',
      null,
    ]);
  });
});

describe('the life of an invoice', () => {
  test.each<[InvoiceStatus, InvoiceStatus, boolean]>([
    ['draft', 'issued', true],
    ['held', 'issued', true],
    ['issued', 'paid', true],
    ['issued', 'void', true],
    ['issued', 'draft', false],
    ['overdue', 'void', true],
    ['partly_paid', 'void', false],
    ['paid', 'void', false],
    // A payment bounces.
    ['paid', 'issued', true],
    ['paid', 'draft', false],
    ['void', 'issued', false],
  ])('%s → %s: %s', (from, to, legal) => {
    expect(canTransition(from, to)).toBe(legal);
  });

  test('no status leads to itself, and every one can be reached from a draft', () => {
    const reached = new Set<InvoiceStatus>(['draft']);
    for (const status of reached) for (const next of invoiceTransitions[status]) reached.add(next);
    expect([...reached].sort()).toEqual(Object.keys(invoiceTransitions).sort());
    for (const [status, next] of Object.entries(invoiceTransitions)) expect(next).not.toContain(status);
  });
});
