import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cli, startStubApi, stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { run, file } = api;

const invoice = {
  invoice_id: 'inv-1',
  number: 'INV-000001',
  type: 'invoice',
  corrects_invoice_id: null,
  customer_id: 'cust_1',
  period: { from: '2023-12-31T23:00:00.000000Z', to: '2024-01-31T23:00:00.000000Z', time_zone: 'Europe/Berlin' },
  currency: 'USD',
  status: 'issued',
  issued_at: '2024-01-31T23:30:00.000000Z',
  due_at: '2024-02-14T23:30:00.000000Z',
  buyer: { name: 'Acme' },
  subtotal: '118.72',
  credits: '0.00',
  tax: '0.00',
  total: '118.72',
  lines: [
    {
      line_item_id: 'l1',
      description: 'api_calls',
      group: { region: 'eu', tier: null },
      quantity: '1234',
      amount: '118.72',
      charge_ids: ['ch-1'],
      calculation: { formula: '1000 × 0.10 + 234 × 0.08', charges: [] },
    },
  ],
};

describe('invoices', () => {
  it('list asks for what was wanted, and prints a table', async () => {
    api.answer(() => ({ body: { data: [invoice], next_cursor: 'abc' } }));
    const result = await run('invoices', 'list', '--customer', 'c 1', '--period', '2024-01', '--limit', '5');
    expect(result.code).toBe(0);
    expect(api.requests[0]).toMatchObject({
      path: '/invoices',
      query: { customer_id: 'c 1', period: '2024-01', limit: '5' },
    });
    expect(result.out).toMatch(/INV-000001.*cust_1.*2024-01-01 to 2024-01-31.*118\.72.*USD.*issued.*inv-1/);
    expect(result.err).toBe('More: repeat with --cursor abc\n');
  });

  it('show prints lines and totals', async () => {
    api.answer(() => ({ body: invoice }));
    const { out } = await run('invoices', 'show', 'inv/1');
    expect(api.requests[0]?.path).toBe('/invoices/inv%2F1');
    expect(out).toContain('region=eu tier=(none)');
    expect(out).toContain('1000 × 0.10 + 234 × 0.08');
    expect(out).toMatch(/Total +118\.72 USD/);
    expect(out).toMatch(/Period +2024-01-01 to 2024-01-31 \(Europe\/Berlin\)\nIssued +2024-02-01\nDue +2024-02-15\n/);
  });

  it('show says which grants paid, and included units once', async () => {
    const formula = '650 × 0.10 (100 included) − 10 % × 65.00 + 350 × 0.12 (100 included)';
    const lines = [{ ...invoice.lines[0], calculation: { formula, charges: [] } }];
    const draws = [
      { grant_id: 'g1', amount: '20.00' },
      { grant_id: 'g2', amount: '5.00' },
    ];
    api.answer(({ path }) =>
      path.startsWith('/credit-grants/')
        ? { body: { name: path.endsWith('g1') ? 'Spring package' : 'Welcome' } }
        : { body: { ...invoice, lines, credits: '25.00', credit_draws: draws } },
    );
    const { out } = await run('invoices', 'show', 'inv-1');
    expect(out).toMatch(/Credits +25\.00 USD\n {2}Spring package +20\.00 USD\n {2}Welcome +5\.00 USD\nTax/);
    expect(out).toContain('650 × 0.10 (100 included) − 10 % × 65.00 + 350 × 0.12 │');
  });

  it('show prints original, corrected and difference of a correction', async () => {
    const line = { ...invoice.lines[0], original_amount: '118.72', corrected_amount: '118.80', amount: '0.08' };
    const correction = { ...invoice, type: 'correction', corrects_invoice_id: 'inv-0', lines: [line] };
    api.answer(({ path }) => ({ body: path.endsWith('/inv-0') ? { ...invoice, number: 'INV-000006' } : correction }));
    const { out } = await run('invoices', 'show', 'inv-1');
    expect(out).toMatch(/Corrects +INV-000006/);
    expect(out).toMatch(/Original.*Corrected.*Difference/);
    expect(out).toMatch(/118\.72.*118\.80.*0\.08/);
  });

  it('pdf saves the document', async () => {
    const pdf = Buffer.from([0x25, 0x50, 0x44, 0x46, 0x00, 0xff, 0xfe]);
    api.answer(() => ({ body: pdf, headers: { 'content-disposition': 'inline; filename="INV-000001.pdf"' } }));
    const output = join(api.folder, 'out.pdf');
    expect((await run('invoices', 'pdf', 'inv-1', '-o', output)).out).toContain(output);
    expect(readFileSync(output).equals(pdf)).toBe(true);
    expect((await run('invoices', 'pdf', 'inv-1', '-o', '-')).bytes.equals(pdf)).toBe(true);
    const nowhere = await run('invoices', 'pdf', 'inv-1', '-o', join(api.folder, 'no', 'such', 'folder.pdf'));
    expect(nowhere).toMatchObject({ code: 1 });
    expect(nowhere.err).toContain('cannot write');
  });
});

describe('charges show', () => {
  it('explains the amount', async () => {
    api.answer(() => ({
      body: {
        charge_id: 'ch-1',
        revision: 2,
        supersedes_charge_id: 'ch-0',
        amount: '118.72',
        currency: 'USD',
        calculation: {
          formula: '1000 × 0.10 + 234 × 0.08',
          quantity: '1234',
          tiers: [
            { up_to: '1000', quantity: '1000', unit_price: '0.10', amount: '100.00' },
            { up_to: null, quantity: '234', unit_price: '0.08', amount: '18.72' },
          ],
          price_book: 'standard',
          price_book_version: 'v2',
          effective_date: '2024-01-15T00:00:00Z',
          windows: [
            { window_start: 'a', window_end: 'b', revision: 1, quantity: '1234', event_count: 1234, digest: 'f' },
          ],
          source_events: { count: 1234, digest: '00ff', first: ['e1'], href: '/charges/ch-1/events' },
        },
      },
    }));
    const { out } = await run('charges', 'show', 'ch-1');
    expect(out).toContain('2, supersedes ch-0');
    expect(out).toContain('1000 × 0.10 + 234 × 0.08 = 118.72');
    expect(out).toContain('standard v2, in force from 2024-01-15T00:00:00Z');
    expect(out).toMatch(/no limit.*234.*0\.08.*18\.72/);
    expect(out).toContain('1234, digest 00ff');
  });

  it('says for how many its events stand, where that is not their number', async () => {
    const calculation = { formula: 'f', source_events: { count: 3, stands_for: '1011', digest: '00ff', first: [] } };
    api.answer(() => ({ body: { charge_id: 'ch-1', revision: 1, amount: '1', currency: 'USD', calculation } }));
    expect((await run('charges', 'show', 'ch-1')).out).toContain('3, standing for 1011, digest 00ff');
  });
});

describe('usage and periods', () => {
  it('usage shows quantities and what they would cost', async () => {
    api.answer(() => ({
      body: {
        customer_id: 'c',
        period: { period: '2024-01-01', from: 'f', to: 't' },
        as_of: '2024-01-15T00:00:00Z',
        finality: 'estimated',
        currency: 'USD',
        meters: [{ meter: 'api_calls', group: {}, quantity: '1234', event_count: 1234, windows: [{}, {}] }],
        cost: {
          total: '118.72',
          lines: [
            { meter: 'api_calls', group: {}, quantity: '1234', amount: '118.72', formula: '1234 × 0.1' },
            { meter: null, description: 'Minimum commitment', group: {}, amount: '81.28', formula: '200 − 118.72' },
          ],
          problems: [{ code: 'UNPRICED_METER', meter: 'x', group: {}, detail: 'x has no price' }],
        },
      },
    }));
    const { out } = await run('usage', 'c', '2024-01');
    expect(api.requests[0]).toMatchObject({ path: '/customers/c/usage', query: { period: '2024-01' } });
    expect(out).toContain('(estimated)');
    expect(out).toMatch(/api_calls.*1234 × 0\.1[\s\S]*Minimum commitment.*81\.28/);
    expect(out).toMatch(/Total +118\.72 USD/);
    expect(out).toContain('UNPRICED_METER: x has no price');
  });

  it('usage shows how far the windows are, and each of them when asked', async () => {
    const window = (hour: string, state: string) => ({
      ...{ window_start: `2024-01-15T${hour}:00:00Z`, window_end: 'w', quantity: '7', event_count: 3, digest: 'd' },
      state,
    });
    const windows = [window('10', 'closed'), window('11', 'closed'), window('12', 'closing'), window('13', 'open')];
    const meters = [{ meter: 'api_calls', group: { region: 'eu' }, quantity: '28', event_count: 12, windows }];
    const period = { period: '2024-01-01', from: 'f', to: 't' };
    const cost = { total: '0.00', lines: [], problems: [] };
    const watermark = '2024-01-15T12:30:00Z';
    const times = { as_of: 'a', watermark, next_close_at: '2024-01-15T14:05:00Z' };
    api.answer(() => ({ body: { customer_id: 'c', period, ...times, currency: 'USD', meters, cost } }));
    const { out } = await run('usage', 'c', '2024-01');
    expect(out).toMatch(/Watermark +2024-01-15T12:30:00Z\nCloses next +2024-01-15T14:05:00Z/);
    expect(out).toContain('4 (2 closed, 1 closing, 1 open)');
    expect(out).not.toContain('2024-01-15T13:00:00Z');
    const every = await run('usage', 'c', '2024-01', '--windows');
    expect(every.out).toMatch(/api_calls.*region=eu.*2024-01-15T12:00:00Z.*7.*3.*closing/);
    expect(every.out).toMatch(/api_calls.*region=eu.*2024-01-15T13:00:00Z.*7.*3.*open/);
  });

  it('periods close waits until the period has its invoice', async () => {
    const stages = ['closing', 'ready', 'invoiced'];
    api.answer(({ method }) => ({
      status: method === 'POST' ? 202 : 200,
      body: { customer_id: 'c', stage: stages.shift(), invoice_id: stages.length === 0 ? 'inv-1' : null },
    }));
    const result = await run('periods', 'close', 'c', '2024-01', '--force', '--reason', 'customer leaves');
    expect(result.code).toBe(0);
    expect(result.out).toMatch(/stage +invoiced\ninvoice_id +inv-1/);
    expect(api.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /billing-periods/c/2024-01/close',
      'GET /billing-periods/c/2024-01',
      'GET /billing-periods/c/2024-01',
    ]);
    expect(JSON.parse(api.requests[0]?.body ?? '')).toEqual({ force: true, reason: 'customer leaves' });
    expect(api.requests[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('periods close says when the invoice is held, or does not come', async () => {
    api.answer(() => ({ body: { stage: 'held' } }));
    expect(await run('periods', 'close', 'c', '2024-01')).toMatchObject({ code: 1, waits: [] });
    api.answer(() => ({ body: { stage: 'closing' } }));
    const late = await run('periods', 'close', 'c', '2024-01', '--wait', '2');
    expect(late).toMatchObject({ code: 1, waits: [500, 500, 500, 500] });
    expect(late.err).toContain('still closing after 2 s');
  });

  it('periods close --force needs a reason', async () => {
    expect(await run('periods', 'close', 'c', '2024-01', '--force')).toMatchObject({ code: 2 });
    expect(api.requests).toHaveLength(0);
  });
});

describe('customers, meters and price books', () => {
  it('customers put sends options or a file', async () => {
    api.answer(() => ({ body: { customer_id: 'c' } }));
    const facts = ['--name', 'Acme', '--currency', 'USD', '--price-book', 'standard'];
    expect(await run('customers', 'put', 'c', ...facts, '--time-zone', 'Europe/Berlin')).toMatchObject({ code: 0 });
    expect(api.requests[0]).toMatchObject({ method: 'PUT', path: '/customers/c' });
    expect(JSON.parse(api.requests[0]?.body ?? '')).toEqual({
      name: 'Acme',
      currency: 'USD',
      price_book: 'standard',
      time_zone: 'Europe/Berlin',
    });
    const both = await run('customers', 'put', 'c', '-f', file('c.json', '{"name":"A"}'), '--name', 'B');
    expect(both).toMatchObject({ code: 2 });
    expect(await run('customers', 'put', 'c', '--name', 'Acme')).toMatchObject({ code: 2 });
    expect(api.requests).toHaveLength(1);
  });

  it('create sends each object of a file, numbers as they are written', async () => {
    api.answer(({ body }) => ({ status: 201, body: JSON.parse(body) as unknown }));
    const path = file('books.json', '[{"code":"a","x":0.10000000000000000001},{"code":"b"}]');
    expect(await run('price-books', 'create', '-f', path)).toMatchObject({ code: 0 });
    expect(api.requests.map(({ body }) => body)).toEqual(['{"code":"a","x":0.10000000000000000001}', '{"code":"b"}']);
    const keys = api.requests.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(2);
  });

  it.each([
    ['not json', 'is not JSON'],
    ['[]', 'must hold a JSON object'],
    ['[1]', 'must hold a JSON object'],
    ['"x"', 'must hold a JSON object'],
  ])('create refuses a file that holds %p', async (content, message) => {
    const result = await run('meters', 'create', '-f', file('m.json', content));
    expect(result.code).toBe(2);
    expect(result.err).toContain(message);
  });

  it('price-books show travels in time; meters list is a table', async () => {
    api.answer(() => ({ body: { code: 'standard', prices: [{ meter: 'm', model: 'flat', unit_price: '0.10' }] } }));
    const { out } = await run('price-books', 'show', 'standard', '--at', '2024-01-01T00:00:00Z');
    expect(api.requests[0]?.query).toEqual({ at: '2024-01-01T00:00:00Z' });
    expect(out).toMatch(/flat .*0\.10/);
    api.answer(() => ({ body: { data: [{ code: 'api_calls', event_type: 'call', group_by: ['a', 'b'] }] } }));
    expect((await run('meters', 'list')).out).toMatch(/api_calls.*call.*a, b/);
  });

  it('price-books list is a table that says what corrects what; price-overrides are read and put', async () => {
    const row = { code: 'standard', version: 'v2', currency: 'USD', effective_from: '2024-06-01', superseded_by: 'v3' };
    api.answer(() => ({ body: { data: [row], next_cursor: null } }));
    expect((await run('price-books', 'list', '--code', 'standard')).out).toMatch(/standard.*v2.*2024-06-01.*v3/);
    expect(api.requests[0]).toMatchObject({ path: '/price-books', query: { code: 'standard' } });
    api.answer(() => ({ body: { data: [{ version: 1, reason: 'negotiated', decided_by: 'ann' }] } }));
    expect((await run('customers', 'price-overrides', 'c')).out).toMatch(/1.*negotiated.*ann/);
    api.answer(({ body }) => ({ status: 201, body: JSON.parse(body) as unknown }));
    const path = file('override.json', '{"reason":"negotiated"}');
    expect(await run('customers', 'price-overrides', 'put', 'c', '-f', path)).toMatchObject({ code: 0 });
    expect(api.requests[2]).toMatchObject({ method: 'PUT', path: '/customers/c/price-overrides' });
  });

  it('meters list tells versions apart, by start, filters and what is read', async () => {
    const meter = { code: 'calls', event_type: 'batch', aggregation: 'count', value_property: null };
    const first = { ...meter, version: 1, effective_from: null, count_property: null, filters: {} };
    const filters = { region: ['eu', 'us'], 'tags.env': ['prod'] };
    const second = { ...meter, version: 2, effective_from: '2024-03-01', count_property: 'n', filters };
    const sum = { ...first, code: 'bytes_out', aggregation: 'sum', value_property: 'bytes' };
    api.answer(() => ({ body: { data: [first, second, sum] } }));
    const { out } = await run('meters', 'list');
    expect(out).toMatch(/calls\W+1\W+always/);
    expect(out).toMatch(/calls\W+2\W+2024-03-01.*n \(count_property\).*region=eu\|us tags\.env=prod/);
    expect(out).toMatch(/bytes_out.* bytes /);
    expect(out.match(/\(count_property\)/g)).toHaveLength(1);
  });
});

describe('operations', () => {
  it('findings and dead letters are tables; what is stored cannot steer the terminal', async () => {
    api.answer(() => ({ body: { data: [{ code: 'X', detail: 'evil \u001B[31mred\u0007' }], next_cursor: null } }));
    const { out } = await run('findings', 'list', '--code', 'X');
    expect(api.requests[0]?.query).toEqual({ code: 'X' });
    expect(out).toContain('evil  [31mred ');
    expect((await run('dead-letters', 'list')).out).not.toContain('\u001B');
  });

  it('health is 0 when ready and 1 when not', async () => {
    api.answer(() => ({ body: { status: 'ok' } }));
    expect(await run('health')).toMatchObject({ code: 0 });
    api.answer(({ path }) =>
      path === '/health/live'
        ? { body: {} }
        : { status: 503, body: { code: 'DATABASE_UNAVAILABLE', detail: 'no database' } },
    );
    const ill = await run('health');
    expect(ill.code).toBe(1);
    expect(ill.out).toMatch(/live +yes\nready +no: no database \(DATABASE_UNAVAILABLE\)/);
  });
});

describe('answers and errors', () => {
  it('are JSON with --json', async () => {
    api.answer(() => ({ body: { data: [invoice], next_cursor: 'abc' } }));
    const result = await run('invoices', 'list', '--json');
    expect(JSON.parse(result.out)).toEqual({ data: [invoice], next_cursor: 'abc' });
    expect(result.err).toBe('');
  });

  it("print a problem's code, detail and places, never a stack", async () => {
    const errors = [{ pointer: '/prices/0/tiers', code: 'TIERS_GAP', detail: 'tier 2 must begin at 1000' }];
    api.answer(() => ({ status: 422, body: { code: 'TIERS_GAP', detail: 'the tiers leave a gap', errors } }));
    const result = await run('price-books', 'create', '-f', file('b.json', '{}'));
    expect(result).toMatchObject({ code: 1, out: '' });
    expect(result.err).toBe(
      'error: TIERS_GAP: the tiers leave a gap\n  /prices/0/tiers: tier 2 must begin at 1000 (TIERS_GAP)\n',
    );
  });

  it('say that something else answers there', async () => {
    api.answer(() => ({ body: Buffer.from('<html>') }));
    expect((await run('meters', 'list')).err).toContain('UNEXPECTED_ANSWER');
    api.answer(() => ({ status: 404, body: Buffer.from('<html>') }));
    expect((await run('meters', 'list')).err).toContain('HTTP_404: the API answered 404');
  });

  it('say where nobody answers', async () => {
    const gone = await startStubApi();
    const { url } = gone;
    await gone.close();
    const result = await cli(['health', '--url', url]);
    expect(result.code).toBe(1);
    expect(result.err).toContain(`no answer from ${url} (ECONNREFUSED)`);
  });

  it('find the API by RECKONER_URL, also under a path', async () => {
    api.answer(() => ({ body: { data: [] } }));
    expect(await cli(['meters', 'list'], { RECKONER_URL: `${api.url}/billing` })).toMatchObject({ code: 0 });
    expect(api.requests[0]?.path).toBe('/billing/meters');
    expect(await cli(['meters', 'list'], { RECKONER_URL: 'nowhere' })).toMatchObject({ code: 2 });
  });

  it.each([
    [['nonsense']],
    [['invoices', 'show']],
    [['meters', 'create']],
    [['health', '--url', 'ftp://x']],
    [['findings', 'list', '--limit', '0']],
  ])('exit with 2 when wrongly called: %p', async (args) => {
    const result = await cli(args);
    expect(result.code).toBe(2);
    expect(result.err).toMatch(/^error: /);
  });

  it('help is no error', async () => {
    const result = await cli(['import', '--help']);
    expect(result.code).toBe(0);
    expect(result.out).toContain('{row%20}');
  });
});
