import { createHash } from 'node:crypto';
/** From events to an invoice, as the API shows it: close, invoice, PDF, charge, journal, findings. */
import { callEvent, exampleCalls, exampleCustomer, examplePriceBook, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;

beforeAll(async () => {
  api = await TestApi.start();
  await api.setUpExample();
  await api.expect(202, 'POST', '/events', exampleCalls());
});
afterAll(async () => {
  await api.close();
});

describe('closing', () => {
  test.each<[string, string, string, object | undefined, string, number]>([
    ['an unknown customer', 'nobody', '2024-01', undefined, 'UNKNOWN_CUSTOMER', 404],
    ['before the end', 'cust_1', '2024-03', undefined, 'PERIOD_NOT_ENDED', 409],
    [
      'before the end, with a reason that is not forced',
      'cust_1',
      '2024-03',
      { reason: 'now' },
      'PERIOD_NOT_ENDED',
      409,
    ],
    ['forced without a reason', 'cust_1', '2024-03', { force: true }, 'VALIDATION_FAILED', 422],
    ['an unknown property', 'cust_1', '2024-01', { now: true }, 'UNKNOWN_PROPERTY', 422],
    ['a text for a boolean', 'cust_1', '2024-01', { force: 'true', reason: 'x' }, 'VALIDATION_FAILED', 422],
  ])('is refused for %s, and Temporal hears nothing', async (_name, customerId, period, body, code, status) => {
    await api.refused(code, status, 'POST', `/billing-periods/${customerId}/${period}/close`, body);
    expect(
      api.temporal.closed.filter((close) => close.customerId === customerId && close.period.startsWith(period)),
    ).toEqual([]);
  });

  test('tells the workflow and answers with the invoice; closing again is refused', async () => {
    const closed = await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');
    expect(closed).toMatchObject({
      stage: 'invoiced',
      invoice_id: expect.any(String),
      invoiced_cutoff: expect.stringMatching(/^\d+$/),
    });
    expect(api.temporal.closed.at(-1)).toMatchObject({
      customerId: 'cust_1',
      period: '2024-01-01',
      request: { forced: false, reason: null },
    });
    await api.refused('PERIOD_ALREADY_INVOICED', 409, 'POST', '/billing-periods/cust_1/2024-01/close');
    await api.refused('PERIOD_ALREADY_INVOICED', 409, 'POST', '/billing-periods/cust_1/2024-01/close', {
      force: true,
      reason: 'really',
    });
  });

  test('forced with a reason closes before the end, and keeps the reason', async () => {
    await api.expect(201, 'PUT', '/customers/leaver', exampleCustomer);
    const closed = await api.expect(202, 'POST', '/billing-periods/leaver/2024-03/close', {
      force: true,
      reason: 'contract ended',
    });
    expect(closed).toMatchObject({ stage: 'invoiced' });
    expect(api.temporal.closed.at(-1)).toMatchObject({ request: { forced: true, reason: 'contract ended' } });
  });

  test('answers 202 with the stage also when the invoice takes longer', async () => {
    const slow = await TestApi.start({ closeWaitMs: 150 });
    try {
      slow.temporal.onClose = () => Promise.resolve();
      await slow.setUpExample();
      expect(await slow.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close')).toMatchObject({
        invoice_id: null,
      });
      expect(slow.temporal.closed).toHaveLength(1);
    } finally {
      await slow.close();
    }
  });

  test('a period that cannot be priced is held, and a finding says why', async () => {
    const daily = { code: 'daily', event_type: 'ping', aggregation: 'count', window: 'day', group_by: ['region'] };
    await api.expect(201, 'POST', '/meters', daily);
    await api.expect(201, 'PUT', '/customers/kolkata', { ...exampleCustomer, time_zone: 'Asia/Kolkata' });
    const ping = { customer_id: 'kolkata', event_type: 'ping', event_time: '2024-01-16T10:00:00Z' };
    await api.expect(202, 'POST', '/events', [
      callEvent('a', { ...ping, metadata: { region: 'eu' } }),
      callEvent('b', { ...ping, metadata: {} }),
    ]);
    const held = await api.expect(202, 'POST', '/billing-periods/kolkata/2024-01/close');
    expect(held).toMatchObject({ stage: 'held', invoice_id: null });
    const findings = await api.all('/findings?customer_id=kolkata&period=2024-01&code=UNPRICED_METER&limit=1');
    expect(findings).toHaveLength(2);
    expect(findings[0]).toMatchObject({
      finding_id: expect.any(String),
      code: 'UNPRICED_METER',
      customer_id: 'kolkata',
      period: '2024-01-01',
      subject: { meter: 'daily' },
    });
    expect(await api.all('/findings?customer_id=cust_1')).toEqual([]);
  });
});

describe('the invoice', () => {
  let invoice: Json;
  let chargeId: string;

  beforeAll(async () => {
    const { data } = await api.expect(
      200,
      'GET',
      '/invoices?customer_id=cust_1&period=2024-01&type=invoice&status=issued',
    );
    [invoice] = data as readonly [Json];
    [chargeId] = (invoice['lines'] as readonly { charge_ids: readonly [string] }[])[0]?.charge_ids ?? [''];
  });

  test('has the shape of the contract', () => {
    expect(invoice).toMatchObject({
      invoice_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      number: expect.stringMatching(/^INV-\d{6}$/),
      type: 'invoice',
      corrects_invoice_id: null,
      customer_id: 'cust_1',
      period: { from: '2024-01-01T00:00:00.000000Z', to: '2024-02-01T00:00:00.000000Z' },
      currency: 'USD',
      status: 'issued',
      seller: { name: 'Seller Ltd.' },
      buyer: { name: 'Acme' },
      subtotal: '118.72',
      credits: '0.00',
      tax: '0.00',
      total: '118.72',
      lines: [
        {
          description: 'api_calls',
          meter: 'api_calls',
          group: {},
          quantity: '1234',
          amount: '118.72',
          charge_ids: [expect.any(String)],
          calculation: { formula: expect.stringContaining('1000 × 0.10 + 234 × 0.08') },
        },
      ],
    });
  });

  test('is found by id', async () => {
    expect(await api.expect(200, 'GET', `/invoices/${String(invoice['invoice_id'])}`)).toEqual({
      ...invoice,
      sections: [expect.objectContaining({ kind: 'usage', amount: '118.72', by_dimension: [] })],
      renderings: expect.any(Array),
      life: [expect.objectContaining({ event: 'issued', actor: 'invoicing' })],
      settlement: expect.objectContaining({ open: '118.72', settled: '0.00', credit_notes: [] }),
      corrected_by: [],
      replaced_by: null,
      transitions: [{ status: 'issued', actor: 'invoicing', reason: null, at: expect.any(String) }],
    });
    for (const id of ['INV-999999', 'nonsense', '00000000-0000-4000-8000-000000000000']) {
      await api.refused('INVOICE_NOT_FOUND', 404, 'GET', `/invoices/${id}`);
      await api.refused('INVOICE_NOT_FOUND', 404, 'GET', `/invoices/${id}/pdf`);
    }
    expect(await api.expect(200, 'GET', '/invoices?type=correction')).toEqual({
      ...{ data: [], next_cursor: null, waiting: { draft: 0, held: 0 } },
    });
    await api.refused('VALIDATION_FAILED', 422, 'GET', '/invoices?type=bill');
  });

  test('is found by whatever storage finds it by, its number included', async () => {
    const found = await api.storage.billing.findInvoice(String(invoice['invoice_id']));
    const findInvoice = (id: string) => Promise.resolve(id === 'INV-000007' ? found : null);
    const billing = jest.replaceProperty(api.storage, 'billing', { ...api.storage.billing, findInvoice });
    expect(await api.expect(200, 'GET', '/invoices/INV-000007')).toMatchObject(invoice);
    billing.restore();
  });

  test('is a PDF: inline, the same bytes every time, and not sent twice', async () => {
    const url = `/invoices/${String(invoice['invoice_id'])}/pdf`;
    const [first, second] = [await api.send('GET', url), await api.send('GET', url)];
    expect([first.statusCode, first.headers['content-type']]).toEqual([200, 'application/pdf']);
    expect(first.headers['content-disposition']).toBe(`inline; filename="${String(invoice['number'])}.pdf"`);
    expect(first.rawPayload.subarray(0, 5).toString()).toBe('%PDF-');
    expect(second.rawPayload.equals(first.rawPayload)).toBe(true);
    const again = await api.send('GET', url, undefined, { 'if-none-match': String(first.headers['etag']) });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });

  test('keeps the hash of the bytes that were given out, and never gives out others', async () => {
    const id = String(invoice['invoice_id']);
    const pdf = await api.send('GET', `/invoices/${id}/pdf`);
    const { renderings } = await api.expect(200, 'GET', `/invoices/${id}`);
    const sha256 = createHash('sha256').update(pdf.rawPayload).digest('hex');
    expect(renderings).toEqual([
      expect.objectContaining({ format: 'pdf', marked: false, sha256, byte_length: pdf.rawPayload.length }),
    ]);
    const keepRendering: typeof api.storage.documents.keepRendering = (rendering) =>
      Promise.resolve({ ...rendering, sha256: '0'.repeat(64) });
    const store = jest.replaceProperty(api.storage, 'documents', { ...api.storage.documents, keepRendering });
    await api.refused('RENDERING_DIFFERS', 500, 'GET', `/invoices/${id}/pdf`);
    store.restore();
    const findings = await api.expect(200, 'GET', '/findings?code=RENDERING_DIFFERS');
    expect(findings).toMatchObject({ data: [{ subject: { invoice_id: id, format: 'pdf', found: sha256 } }] });
    expect((await api.send('GET', `/invoices/${id}/pdf`)).statusCode).toBe(200);
  });

  test('is itemised as it is asked for, and its lines are canonical', async () => {
    const id = String(invoice['invoice_id']);
    const detailed = await api.expect(200, 'GET', `/invoices/${id}?itemisation=detailed`);
    expect(detailed['sections']).toMatchObject([{ rows: [{ details: [{ kind: 'tier' }, { kind: 'tier' }] }] }]);
    const [line] = detailed['lines'] as readonly Json[];
    expect(line).toMatchObject({
      schema_version: 2,
      kind: 'usage',
      charge_code: 'api_calls',
      currency: 'USD',
      unit_price: null,
      metadata: {},
      provenance: {
        meter_versions: [{ version: 1 }],
        price_book_versions: [{ price_book: 'standard', version: 'v1' }],
        event_count: 1234,
        digest: expect.stringMatching(/^[0-9a-f]{16}$/),
        cutoff_position: invoice['cutoff_position'],
      },
    });
    await api.refused('VALIDATION_FAILED', 422, 'GET', `/invoices/${id}?itemisation=everything`);
  });

  test('is no e-invoice as long as seller and buyer lack what the norm asks for', async () => {
    const id = String(invoice['invoice_id']);
    for (const format of ['ubl', 'cii', 'factur-x'])
      await api.refused('E_INVOICE_NOT_POSSIBLE', 422, 'GET', `/invoices/${id}/e-invoice?format=${format}`);
    await api.refused('VALIDATION_FAILED', 422, 'GET', `/invoices/${id}/e-invoice?format=edifact`);
    const found = await api.storage.billing.findInvoice(id);
    if (found === null) throw new Error('it is stored');
    const whole: typeof found = {
      ...found,
      seller: { ...found.seller, country_code: 'DE', tax_id: '1', email: 'a@b.example' },
      buyer: { ...found.buyer, country_code: 'DE', email: 'c@d.example' },
    };
    const billing = jest.replaceProperty(api.storage, 'billing', {
      ...api.storage.billing,
      findInvoice: () => Promise.resolve(whole),
    });
    const [ubl, cii, pdf] = await Promise.all(
      ['ubl', 'cii', 'factur-x'].map((format) => api.send('GET', `/invoices/${id}/e-invoice?format=${format}`)),
    );
    billing.restore();
    expect([ubl?.statusCode, ubl?.headers['content-type']]).toEqual([200, expect.stringContaining('application/xml')]);
    expect(ubl?.body).toContain(`<cbc:ID>${String(invoice['number'])}</cbc:ID>`);
    expect(cii?.body).toContain('CrossIndustryInvoice');
    expect(pdf?.headers['content-type']).toBe('application/pdf');
    expect(pdf?.rawPayload.toString('latin1')).toContain('factur-x.xml');
    const { renderings } = await api.expect(200, 'GET', `/invoices/${id}`);
    expect(renderings).toEqual(expect.arrayContaining([expect.objectContaining({ format: 'factur-x' })]));
  });

  test('its charge explains itself down to the events', async () => {
    const charge = await api.expect(200, 'GET', `/charges/${chargeId}`);
    const line = (invoice['lines'] as readonly Json[])[0];
    expect(charge).toMatchObject({
      charge_id: chargeId,
      revision: 1,
      supersedes_charge_id: null,
      amount: '118.72',
      currency: 'USD',
      calculation: {
        formula: expect.stringContaining('1000 × 0.10 + 234 × 0.08'),
        quantity: '1234',
        unit_price: null,
        tiers: [
          { up_to: '1000', quantity: '1000', unit_price: '0.10', amount: expect.stringMatching(/^100(\.00)?$/) },
          { up_to: null, quantity: '234', unit_price: '0.08', amount: '18.72' },
        ],
        price_book: 'standard',
        price_book_version: 'v1',
        windows: [{ window_start: '2024-01-15T10:00:00.000000Z', revision: 1, quantity: '1234', event_count: 1234 }],
        source_events: { count: 1234, first: ['e1', 'e2', 'e3', 'e4', 'e5'], href: `/charges/${chargeId}/events` },
      },
      invoice_lines: [{ invoice_id: invoice['invoice_id'], line_item_id: line?.['line_item_id'] }],
    });
    const events = await api.all(`/charges/${chargeId}/events?limit=1000`);
    expect(events.map(({ event_id: id }) => id)).toEqual(exampleCalls().map(({ event_id: id }) => id));
    for (const id of ['nonsense', '00000000-0000-4000-8000-000000000000']) {
      await api.refused('CHARGE_NOT_FOUND', 404, 'GET', `/charges/${id}`);
      await api.refused('CHARGE_NOT_FOUND', 404, 'GET', `/charges/${id}/events`);
    }
  });

  test('an event tells the charge and the line that bill it; a very late one has none', async () => {
    await api.expect(202, 'POST', '/events', callEvent('very-late'));
    const line = (invoice['lines'] as readonly Json[])[0];
    expect(await api.expect(200, 'GET', '/events/cust_1/e7')).toMatchObject({
      period: { stage: 'invoiced' },
      metering: [
        {
          meter: 'api_calls',
          charge_id: chargeId,
          invoice: {
            invoice_id: invoice['invoice_id'],
            number: invoice['number'],
            line_item_id: line?.['line_item_id'],
            line_amount: '118.72',
          },
        },
      ],
    });
    expect(await api.expect(200, 'GET', '/events/cust_1/very-late')).toMatchObject({
      metering: [{ charge_id: null, invoice: null }],
    });
  });

  test('is posted: receivable against revenue, in balance', async () => {
    const entries = await api.all(`/ledger/entries?invoice_id=${String(invoice['invoice_id'])}`);
    expect(entries).toMatchObject([
      {
        customer_id: 'cust_1',
        source_document: `invoice/${String(invoice['invoice_id'])}`,
        postings: expect.arrayContaining([
          expect.objectContaining({ account: 'accounts_receivable', currency: 'USD', amount: '118.72' }),
          expect.objectContaining({ account: 'revenue', currency: 'USD', amount: '-118.72' }),
        ]),
      },
    ]);
    expect(await api.all('/ledger/entries?customer_id=nobody')).toEqual([]);
    const { data: accounts } = await api.expect(200, 'GET', '/ledger/accounts');
    expect(accounts).toContainEqual(
      expect.objectContaining({
        account: 'accounts_receivable',
        kind: 'asset',
        balances: [{ currency: 'USD', amount: '118.72' }],
      }),
    );
    const { data: balance } = await api.expect(200, 'GET', '/ledger/trial-balance');
    expect(balance).toEqual(
      expect.arrayContaining([
        { account: 'accounts_receivable', currency: 'USD', debit: '118.72', credit: '0.00', balance: '118.72' },
        { account: 'revenue', currency: 'USD', debit: '0.00', credit: '118.72', balance: '-118.72' },
      ]),
    );
  });

  test('its usage is final, at the prices it pinned, until something late comes', async () => {
    const later = await TestApi.start();
    try {
      await later.setUpExample();
      await later.expect(202, 'POST', '/events', exampleCalls(10));
      await later.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');
      const dearer = {
        ...examplePriceBook,
        version: 'v1-dearer',
        prices: [{ meter: 'api_calls', model: 'flat', unit_price: '5' }],
      };
      await later.expect(201, 'POST', '/price-books', dearer);
      const usage = (): Promise<Json> => later.expect(200, 'GET', '/customers/cust_1/usage?period=2024-01');
      expect(await usage()).toMatchObject({ finality: 'final', cost: { total: '1.00' } });
      await later.expect(202, 'POST', '/events', callEvent('late'));
      expect(await usage()).toMatchObject({ finality: 'estimated', cost: { total: '1.10' } });
    } finally {
      await later.close();
    }
  });
});
