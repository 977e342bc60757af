/** Credit notes on taxed invoices on Postgres: at the rates of their lines, never more than was asked for (RULES 61). */
import { randomUUID } from 'node:crypto';
import { createActivities } from '../../src/activities/index.js';
import { issueCreditNote, refundCredit } from '../../src/billing/settlement/credit-notes.js';
import { recordPayment } from '../../src/billing/settlement/payments.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import { parseTaxTable } from '../../src/domain/tax/parse-tax-table.js';
import { tableTaxProvider } from '../../src/domain/tax/table-provider.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { createActivityFixture, issuedAt, january, settings } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const customerId = 'acme';
const german = { buyer: { country_code: 'DE' } };
const deciding = { actor: 'ann', now: issuedAt };
const money = (amount: string): DecimalString => amount as DecimalString;

let fixture: ActivityFixture;
beforeEach(async () => {
  const made = await createActivityFixture();
  const { storage, client } = made;
  const table = parseTaxTable({
    categories: { support: 'exempt' },
    rates: [{ country: 'DE', category: 'standard', rate: '19', from: '2020-01-01' }],
  });
  const tax = tableTaxProvider(table);
  fixture = { ...made, activities: createActivities({ storage, client, settings, now: () => issuedAt, tax }) };
});
afterEach(() => fixture.close());

async function invoiced(): Promise<Invoice> {
  const { activities, run, storage } = fixture;
  await fixture.request(customerId, randomUUID());
  await run(activities.issueChunk, { billingDay: '2024-02-01' as LocalDate, limit: 10 });
  const { data } = await storage.billing.listInvoices({ customerId, period: january }, { limit: 1 });
  if (data[0] === undefined) throw new Error('not invoiced');
  return data[0];
}

/** @param amount null: all that can be credited of the line */
function credit(invoice: Invoice, name: string, amount: string | null): Promise<void> {
  const line = invoice.lines.find(({ description }) => description === name);
  if (line === undefined) throw new Error(`no line ${name}`);
  return issueCreditNote(fixture.storage, invoice, {
    ...{ ...deciding, creditNoteId: randomUUID(), reason: null },
    lines: [
      { lineItemId: line.lineItemId, amount: amount as DecimalString | null, reasonCode: 'goodwill', reason: null },
    ],
  });
}

const notes = async (): Promise<readonly (readonly string[])[]> =>
  (await fixture.storage.settlement.listCreditNotes({}, { limit: 10 })).data.map(({ subtotal, tax, total }) => [
    ...[subtotal, tax, total],
  ]);

test('where credits have paid all but the tax, the tax that was paid is credited and refunded', async () => {
  const { storage } = fixture;
  await fixture.addCustomer(customerId, german);
  await fixture.addCalls(customerId, 1000);
  await storage.credits.grant(
    {
      ...{ grantId: randomUUID(), customerId, currency: 'USD', type: 'prepaid', priority: 50, name: 'a package' },
      ...{ amount: money('100.00'), effectiveFrom: issuedAt.replace('2024', '2023') as typeof issuedAt },
      ...{ reason: null, expiresAt: null, rollOver: null, rolledOverFrom: null, grantedBy: 'ann' },
    },
    '2024-01-01' as LocalDate,
  );
  const invoice = await invoiced();
  expect(invoice).toMatchObject({ subtotal: '100', credits: '100', tax: '19', total: '19' });
  const paid = { customerId, currency: 'USD', amount: money('19.00'), method: 'card', reference: null };
  await recordPayment(storage, {
    payment: { ...paid, paymentId: randomUUID(), receivedAt: issuedAt, recordedBy: 'ann' },
    parts: [{ invoiceId: invoice.invoiceId, number: invoice.number, amount: money('19.00') }],
    allowDuplicate: false,
    now: issuedAt,
  });
  await expect(voidInvoice(storage, invoice, { ...deciding, reason: 'wrong' })).rejects.toMatchObject({
    code: 'INVOICE_TRANSITION_REFUSED',
  });
  await expect(credit(invoice, 'api_calls', '15.98')).rejects.toMatchObject({
    ...{ code: 'NOT_CREDITABLE', detail: expect.stringContaining('at most 15.97 USD') },
  });
  await credit(invoice, 'api_calls', '10.00');
  await credit(invoice, 'api_calls', null);
  expect([...(await notes())].sort()).toEqual([
    ['10', '1.9', '11.9'],
    ['5.97', '1.13', '7.1'],
  ]);
  const asked = { ...paid, refundId: randomUUID(), reason: 'asked', refundedBy: 'ann' };
  await refundCredit(storage, asked, deciding);
  expect(await storage.settlement.mismatches()).toEqual([]);
  expect(await verifyInvoice(storage, invoice)).toMatchObject({ verified: true });
});

test('a tax below zero lowers what can be credited: more is NOT_CREDITABLE, before the database refuses it', async () => {
  const { storage } = fixture;
  const meter = { code: 'returns', eventType: 'return', aggregation: 'sum', valueProperty: 'amount', groupBy: [] };
  await storage.reference.createMeter({
    ...{ ...meter, aggregation: 'sum', filters: {}, windowSize: 'hour', allowedLateness: 'PT1H' },
    ...{ allowNegative: true, maxGroups: 1000, effectiveFrom: null },
  });
  const book = { code: 'returning', version: 'v1', currency: 'USD', effective_from: '2024-01-01T00:00:00Z' };
  await storage.reference.createPriceBook(
    parsePriceBook({
      ...book,
      prices: [
        { name: 'support', model: 'fixed', amount: '100.00', billed: 'in_arrears' },
        { meter: 'returns', model: 'flat', unit_price: '1.00' },
      ],
    }),
  );
  await fixture.addCustomer(customerId, { ...german, priceBook: 'returning' });
  await storage.periods.periodNamed(customerId, january);
  const back = { customerId, eventId: 'back', eventTime: '2024-01-10T00:00:00Z', eventType: 'return' };
  await storage.ledger.append([usageEvent({ ...back, metadataJson: '{"amount":"-20.00"}' })], []);
  const invoice = await invoiced();
  expect(invoice).toMatchObject({ subtotal: '80', tax: '-3.8', total: '76.2' });
  await expect(credit(invoice, 'support', '80.00')).rejects.toMatchObject({
    ...{ code: 'NOT_CREDITABLE', detail: expect.stringContaining('at most 76.20 USD') },
  });
  await credit(invoice, 'support', null);
  expect(await notes()).toEqual([['76.2', '0', '76.2']]);
  expect(await storage.settlement.mismatches()).toEqual([]);
});
