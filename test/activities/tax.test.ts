/** Tax from the gate to the journal, on Postgres. */
import { createActivities } from '../../src/activities/index.js';
import { documentHash } from '../../src/billing/document-hash.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import { parseTaxTable } from '../../src/domain/tax/parse-tax-table.js';
import { issuedAt, settings } from './fixture.js';
import type { ActivityFixture } from './fixture.js';
import { ReRatingFixture } from './re-rating-fixture.js';
import { createTaxedFixture, german, rates, type RemoteProvider } from './remote-tax.js';

let fixture: ActivityFixture;
let provider: RemoteProvider;
let re: ReRatingFixture;

beforeAll(async () => {
  ({ fixture, provider, re } = await createTaxedFixture());
});
beforeEach(() => {
  Object.assign(provider, { table: rates('19'), down: false, deaf: false });
});
afterAll(() => fixture.close());

const verified = async (invoiceId: string) => {
  const found = await fixture.storage.billing.findInvoice(invoiceId);
  if (found === null) throw new Error('it is stored');
  return verifyInvoice(fixture.storage, found);
};

test('an invoice bears the tax of its country, posted, reported once and verified from what it records', async () => {
  const customerId = await re.invoicedCustomer(1234, german);
  const [invoice] = await re.documents(customerId);
  expect(invoice).toMatchObject({
    subtotal: '118.72',
    tax: '22.56',
    total: '141.28',
    schemaVersion: 2,
    taxes: {
      terms: { provider: 'remote', date: '2024-01-31', per: 'document', rounding: 'half_up' },
      lines: [{ taxLineNumber: 1, jurisdiction: 'DE', category: 'standard', rate: '19', taxableAmount: '118.72' }],
    },
    lines: [{ item: { kind: 'usage', chargeCode: 'api_calls', tags: german.tags, taxLines: [1] } }],
  });
  const entries = await fixture.storage.journal.entries({ customerId }, { limit: 10 });
  expect(entries.data[0]?.postings.map(({ account, amount }) => [account, amount])).toEqual([
    ['accounts_receivable', '141.28'],
    ['revenue', '-118.72'],
    ['tax_payable', '-22.56'],
  ]);
  expect(provider.told.get(`commit ${invoice?.invoiceId}`)).toBe(1);
  expect(await verified(invoice?.invoiceId ?? '')).toMatchObject({
    verified: true,
    tax: { expected: '22.56', difference: '0' },
  });
});

test.each(['document', 'line'] as const)(
  'corrections tax the difference at the original’s rates, per %s',
  async (per) => {
    provider.table = rates('19', per);
    const customerId = await re.invoicedCustomer(1234, german);
    provider.table = rates('25', per);
    provider.down = true;
    await fixture.addCalls(customerId, 7, '2024-01-25T00:00:00Z');
    expect(await re.reRate(customerId)).toBe('completed');
    await fixture.addCalls(customerId, 6, '2024-01-26T00:00:00Z');
    expect(await re.reRate(customerId)).toBe('completed');
    const documents = await re.documents(customerId);
    expect(documents.map(({ type, subtotal, tax }) => [type, subtotal, tax])).toEqual([
      ['invoice', '118.72', '22.56'],
      ['correction', '0.56', '0.1'],
      ['correction', '0.48', '0.09'],
    ]);
    // Together just what one invoice of 119.76 would have borne.
    expect(documents[2]?.taxes?.lines[0]).toMatchObject({ rate: '19' });
    for (const { invoiceId } of documents)
      expect(await verified(invoiceId)).toMatchObject({ verified: true, problems: [] });
  },
);

test('a new line of a taxed chain is held, not free, where no provider says what it bears', async () => {
  const code = 'two-rates';
  await fixture.storage.reference.createPriceBook(
    parsePriceBook({
      ...{ code, version: 'v1', currency: 'USD', effective_from: '2024-01-01T00:00:00Z' },
      prices: [
        { meter: 'api_calls', model: 'flat', unit_price: '1.00', charge_code: 'calls' },
        { model: 'fixed', name: 'support', amount: '5.00', billed: 'in_arrears', charge_code: 'support' },
        { model: 'fixed', name: 'book', amount: '3.00', billed: 'in_arrears', charge_code: 'book' },
      ],
    }),
  );
  provider.table = parseTaxTable({
    per: 'document',
    categories: { book: 'reduced' },
    rates: [
      { country: 'DE', category: 'standard', rate: '19', from: '2020-01-01' },
      { country: 'DE', category: 'reduced', rate: '7', from: '2020-01-01' },
    ],
  });
  const customerId = await re.invoicedCustomer(0, { ...german, priceBook: code });
  expect((await re.documents(customerId))[0]?.taxes?.lines.map(({ rate }) => rate)).toEqual(['7', '19']);
  // As after a restart without RECKONER_TAX_PROVIDER.
  const { storage, client } = fixture;
  const untaxing = { ...fixture, activities: createActivities({ storage, client, settings, now: () => issuedAt }) };
  await fixture.addCalls(customerId, 4, '2024-01-25T00:00:00Z');
  await new ReRatingFixture(untaxing).reRate(customerId);
  expect(await re.documents(customerId)).toHaveLength(1);
  const { data } = await storage.findings.list({ customerId }, { limit: 10 });
  expect(data).toMatchObject([
    {
      code: 'TAX_UNAVAILABLE',
      detail: expect.stringMatching(/RECKONER_TAX_PROVIDER: none.*"calls".*re-rate the period/),
    },
  ]);
  // What the chain speaks for needs no provider; with one, the new line bears its rate.
  expect(await re.reRate(customerId)).toBe('completed');
  const [, correction] = await re.documents(customerId);
  expect(correction).toMatchObject({ subtotal: '4', tax: '0.76', taxes: { lines: [{ rate: '19' }] } });
  expect(await verified(correction?.invoiceId ?? '')).toMatchObject({ verified: true, problems: [] });
});

test('a credit note takes its tax back, and is reported as a credit', async () => {
  const customerId = await re.invoicedCustomer(1, german);
  const eventId = '2024-01-10T00:00:00Z/0';
  const voided = { customerId, source: '', eventId, type: 'void', replacement: null, reason: null } as const;
  await fixture.storage.adjustments.adjust(voided);
  await re.reRate(customerId, { reason: 'usage_correction' });
  const [invoice, credit] = await re.documents(customerId);
  expect([invoice?.tax, credit?.type, credit?.tax, credit?.total]).toEqual(['0.02', 'credit_note', '-0.02', '-0.12']);
  expect(credit?.lines[0]?.item).toMatchObject({ kind: 'adjustment', chargeCode: 'api_calls', unitPrice: null });
  expect(provider.told.get(`credit ${credit?.invoiceId}`)).toBe(1);
});

test('a provider that is away holds the invoice with a finding; closing again issues it', async () => {
  provider.down = true;
  const customerId = await re.invoicedCustomer(10, german);
  expect(await re.documents(customerId)).toEqual([]);
  const { data } = await fixture.storage.findings.list({ customerId }, { limit: 10 });
  expect(data).toMatchObject([
    {
      code: 'TAX_UNAVAILABLE',
      detail: expect.stringMatching(/^The tax provider does not answer\. .*close the period again/),
    },
  ]);
  provider.down = false;
  await re.invoice(customerId);
  expect(await re.inShort(customerId)).toEqual([['invoice', '1.19', 'issued']]);
});

test('a customer without a country is held with what to do', async () => {
  const customerId = await re.invoicedCustomer(10);
  const { data } = await fixture.storage.findings.list({ customerId }, { limit: 10 });
  expect(data).toMatchObject([{ code: 'TAX_DATA_MISSING', detail: expect.stringContaining('country_code') }]);
});

test('what could not be reported is by the sweep, once; a void too', async () => {
  provider.deaf = true;
  const customerId = await re.invoicedCustomer(10, german);
  const [invoice] = await re.documents(customerId);
  if (invoice === undefined) throw new Error('it stands, reported or not');
  provider.deaf = false;
  const { run, activities } = fixture;
  await run(activities.sweepPeriods);
  await run(activities.sweepPeriods);
  expect(provider.told.get(`commit ${invoice.invoiceId}`)).toBe(1);
  await voidInvoice(fixture.storage, invoice, { actor: 'ann', reason: 'a test', now: issuedAt });
  await Promise.all([run(activities.sweepPeriods), run(activities.sweepPeriods)]);
  await run(activities.sweepPeriods);
  expect(provider.told.get(`void ${invoice.invoiceId}`)).toBeGreaterThanOrEqual(1);
  expect(await fixture.storage.documents.unreportedTax('remote', { after: null, limit: 10 })).toEqual([]);
});

test('two at once issue one invoice, and two renderings keep one hash', async () => {
  const customerId = 'racing';
  await fixture.addCustomer(customerId, german);
  await fixture.addCalls(customerId, 10);
  await Promise.all([re.invoice(customerId), re.invoice(customerId)]);
  const [invoice, ...others] = await re.documents(customerId);
  expect(others).toEqual([]);
  const rendering = (sha256: string) => ({
    ...({ invoiceId: invoice?.invoiceId ?? '', format: 'pdf', marked: false, renderer: 'r', byteLength: 1 } as const),
    sha256: sha256.repeat(64),
  });
  const kept = await Promise.all(
    ['a', 'b', 'c', 'd'].map((each) => fixture.storage.documents.keepRendering(rendering(each))),
  );
  expect(new Set(kept.map(({ sha256 }) => sha256)).size).toBe(1);
  expect(await fixture.storage.documents.renderings(invoice?.invoiceId ?? '')).toHaveLength(1);
});

test('names, codes and units of a price stand on the lines; unit prices where they are the whole line', async () => {
  const code = 'named';
  await fixture.storage.reference.createPriceBook(
    parsePriceBook({
      code,
      version: 'v1',
      currency: 'USD',
      effective_from: '2024-01-01T00:00:00Z',
      prices: [
        {
          meter: 'api_calls',
          model: 'flat',
          unit_price: '0.10',
          charge_code: 'SKU-1',
          display_name: 'API calls',
          unit: 'call',
          metadata: { gl: '8400' },
        },
        { model: 'fixed', name: 'support', amount: '5.00', billed: 'in_arrears', display_name: 'Support' },
      ],
      minimum_commitment: '10.00',
    }),
  );
  const customerId = await re.invoicedCustomer(20, { ...german, priceBook: code });
  const [invoice] = await re.documents(customerId);
  expect(
    invoice?.lines.map(({ description, item }) => [
      description,
      item?.kind,
      item?.chargeCode,
      item?.unit,
      item?.unitPrice,
    ]),
  ).toEqual([
    ['API calls', 'usage', 'SKU-1', 'call', '0.1'],
    ['Support', 'fee', 'support', null, '5'],
    ['Minimum commitment', 'commitment', 'Minimum commitment', null, null],
  ]);
  expect(invoice?.lines[0]?.item?.metadata).toEqual({ gl: '8400' });
  expect(await verified(invoice?.invoiceId ?? '')).toMatchObject({ verified: true });
});

test('what was issued before schema 2 keeps its hash, and is corrected without tax', async () => {
  const customerId = 'older';
  await fixture.addCustomer(customerId, german);
  await fixture.addCalls(customerId, 10);
  await issueWithSchema1(customerId);
  const [invoice] = await re.documents(customerId);
  expect(invoice).not.toHaveProperty('schemaVersion');
  expect(invoice?.lines[0]).not.toHaveProperty('item');
  expect(await verified(invoice?.invoiceId ?? '')).toMatchObject({ verified: true, document_hash: { verified: true } });
  await fixture.addCalls(customerId, 1, '2024-01-25T00:00:00Z');
  expect(await re.reRate(customerId)).toBe('completed');
  const [, correction] = await re.documents(customerId);
  expect(correction).toMatchObject({ tax: '0', total: '0.1', schemaVersion: 2 });
  expect(await verified(correction?.invoiceId ?? '')).toMatchObject({ verified: true, problems: [] });
});

/** As the program did before documents had a schema version: without what schema 2 says, hashed without it. */
async function issueWithSchema1(customerId: string): Promise<void> {
  const { storage } = fixture;
  const atGates: typeof storage.billing.atGates = (periods, work, mayGoOn) =>
    storage.billing.atGates(
      periods,
      (gate, period) => {
        const insertInvoice: typeof gate.insertInvoice = (issued, actor) => {
          const { schemaVersion: _schema, presentation: _presentation, taxes: _taxes, ...older } = issued;
          const lines = older.lines.map(({ item: _item, ...line }) => line);
          const document = { ...older, lines };
          return gate.insertInvoice({ ...document, documentHash: documentHash(document) }, actor);
        };
        const older = new Proxy(gate, {
          get: (target, name) => {
            if (name === 'insertInvoice') return insertInvoice;
            const value: unknown = Reflect.get(target, name, target);
            return typeof value === 'function' ? (value as (...all: unknown[]) => unknown).bind(target) : value;
          },
        });
        return work(older, period);
      },
      mayGoOn,
    );
  const billing = { ...storage.billing, atGates };
  const activities = createActivities({
    storage: { ...storage, billing },
    client: fixture.client,
    settings,
    now: () => issuedAt,
  });
  await new ReRatingFixture({ ...fixture, activities }).invoice(customerId);
}
