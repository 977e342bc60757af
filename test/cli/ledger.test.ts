import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stubOfEachTest } from './support/stub-api.js';
import type { CliRun } from './support/stub-api.js';

const api = stubOfEachTest();

const run = (...args: string[]): Promise<CliRun> => api.run('ledger', ...args);
const last = () => api.requests.at(-1);
const sums = { account: 'revenue', currency: 'USD', debit: '0.00', credit: '118.72', balance: '-118.72' };

it('trial balance, accounts and balances are those of now, or of a moment', async () => {
  api.answer(() => ({ body: { data: [{ ...sums, customer_id: 'acme', version: 3 }], next_cursor: null } }));
  expect((await run('trial-balance', '--posted-through', '2024-01-31')).out).toMatch(/revenue.*USD.*118\.72.*-118\.72/);
  expect([last()?.path, last()?.query]).toEqual(['/ledger/trial-balance', { posted_through: '2024-01-31' }]);
  expect((await run('balances', '--customer', 'acme', '--through-entry', '7')).out).toMatch(/acme.*revenue.*3/);
  expect(last()?.query).toEqual({ customer_id: 'acme', through_entry: '7' });
  api.answer(() => ({
    body: { data: [{ account: 'cash', name: 'Cash', kind: 'asset', balances: [{ currency: 'USD', amount: '5.00' }] }] },
  }));
  expect((await run('accounts', '--at', '2024-02')).out).toMatch(/cash.*Cash.*asset.*5\.00 USD/);
  expect(last()?.query).toEqual({ at: '2024-02-01T00:00:00Z' });
});

it('entries show a line a posting', async () => {
  const posting = { account: 'revenue', product: 'api_calls', currency: 'USD', amount: '-118.72' };
  const entry = { entry_order: '12', posting_date: '2024-01-31', customer_id: 'acme', description: 'Invoice INV-1' };
  api.answer(() => ({
    body: { data: [{ ...entry, postings: [{ ...posting, amount: '118.72' }, posting] }], next_cursor: null },
  }));
  expect((await run('entries', '--customer', 'acme', '--invoice', 'i1')).out).toMatch(
    /12.*2024-01-31.*acme.*INV-1.*118\.72[\s\S]*api_calls.*-118\.72/,
  );
  expect(last()?.query).toEqual({ customer_id: 'acme', invoice_id: 'i1' });
});

it('check fails when the books differ, and says where', async () => {
  api.answer(() => ({ body: { data: [] } }));
  expect(await run('check')).toMatchObject({ code: 0, out: 'The books agree with the journal.\n' });
  const sides = { expected: { debit: '1', credit: '2' }, found: { debit: '1', credit: '3' } };
  const difference = { model: 'account_balances', customer_id: 'acme', account: 'revenue', currency: 'USD', ...sides };
  api.answer(() => ({ body: { data: [difference] } }));
  const failed = await run('check', '--customer', 'acme');
  expect([failed.code, failed.err]).toEqual([1, expect.stringContaining('1 differ from the journal')]);
  expect(failed.out).toMatch(/account_balances.*acme.*revenue.*1 \/ 2.*1 \/ 3/);
  expect(last()?.query).toEqual({ customer_id: 'acme' });
  api.answer(() => ({ body: { customers: 4, corrected: [difference], unresolved: [] } }));
  expect((await run('rebuild')).out).toMatch(/Customers +4\nCorrected +1\nUnresolved +0[\s\S]*acme/);
  expect([last()?.method, last()?.path, last()?.body]).toEqual(['POST', '/ledger/rebuild', '{}']);
});

it('months are closed with a reason, under a key', async () => {
  const closing = {
    month: '2024-01',
    closed_at: '2024-02-05T10:00:00Z',
    closed_by: 'ann',
    through_entry: '9',
    reason: 'month end',
  };
  api.answer(() => ({ status: 201, body: closing }));
  expect((await run('close', '2024-01', '--reason', 'month end')).out).toMatch(/2024-01.*ann.*9.*month end/);
  expect([last()?.path, last()?.body]).toEqual(['/ledger/months/2024-01/close', '{"reason":"month end"}']);
  expect(last()?.headers['idempotency-key']).toEqual(expect.any(String));
  expect(await run('close', '2024-01')).toMatchObject({ code: 2 });
  const item = { kind: 'unbilled', customer_id: 'acme', period: '2024-01-01', id: null, detail: 'held' };
  const held = { ...item, held_by: ['METER_WITHOUT_PRICE', 'UNREADABLE_VALUE'] };
  const checklist = { month: '2024-01', drafts: 0, unbilled: 1, held: 1, unapplied_payments: 0, data: [held] };
  api.answer(({ path }) => ({ body: path.endsWith('/checklist') ? checklist : closing }));
  const asked = await run('close', '2024-01', '--dry-run');
  expect(asked.out).toMatch(
    /1 ended periods without invoice \(1 held\)[\s\S]*Stage +│ Held by[\s\S]*unbilled.*acme.*2024-01-01.*held +│ METER_WITHOUT_PRICE, UNREADABLE_VALUE/,
  );
  expect(last()?.path).toBe('/ledger/months/2024-01/checklist');
  const warned = await run('close', '2024-01', '--reason', 'month end');
  expect(warned).toMatchObject({ code: 0, err: asked.out });
  api.answer(() => ({ body: { closed_through: '2024-01', first_open: '2024-02', data: [closing] } }));
  expect((await run('months')).out).toMatch(/First open +2024-02[\s\S]*2024-01/);
  api.answer(() => ({ body: { closed_through: null, first_open: null, data: [] } }));
  expect((await run('months')).out).toBe('No month is closed.\n');
});

it('snapshots are taken and listed', async () => {
  const snapshot = {
    snapshot_id: 's1',
    posted_through: null,
    through_entry: '9',
    taken_at: '2024-02-05',
    taken_by: 'ann',
  };
  api.answer(() => ({ status: 201, body: snapshot }));
  expect((await run('snapshot')).out).toMatch(/s1[\s\S]*9[\s\S]*by ann/);
  api.answer(() => ({ body: { data: [snapshot], next_cursor: 'more' } }));
  const { out, err } = await run('snapshots', '--limit', '1');
  expect([out, err]).toEqual([expect.stringMatching(/ann.*9.*s1/), expect.stringContaining('--cursor more')]);
});

it('accounts are mapped, for a product or by default', async () => {
  const row = {
    account: 'revenue',
    product: null,
    external_account: '8400',
    effective_from: null,
    mapped_by: 'ann',
    reason: null,
  };
  api.answer(() => ({ status: 201, body: { data: [row] } }));
  expect((await run('map', 'datev', 'revenue', '8400')).out).toMatch(/revenue.*\(default\).*8400.*the beginning.*ann/);
  expect(JSON.parse(last()?.body ?? '')).toEqual({
    mapping: 'datev',
    accounts: [{ account: 'revenue', external_account: '8400' }],
  });
  await run(
    'map',
    'datev',
    'revenue',
    '8401',
    '--product',
    'api_calls',
    '--from',
    '2024-02-01',
    '--reason',
    'new plan',
  );
  expect(JSON.parse(last()?.body ?? '')).toEqual({
    mapping: 'datev',
    accounts: [{ account: 'revenue', external_account: '8401', product: 'api_calls', effective_from: '2024-02-01' }],
    reason: 'new plan',
  });
  api.answer(() => ({ body: { mappings: [{ mapping: 'datev', rows: 2 }], data: [row] } }));
  expect((await run('mappings')).out).toMatch(/datev.*2/);
  expect((await run('mappings', 'datev')).out).toMatch(/8400/);
});

it('the export goes to standard output or to a file, byte by byte', async () => {
  const text = 'entry,posting\r\n1,1\r\n';
  api.answer(() => ({ body: Buffer.from(text), headers: { 'content-type': 'text/csv' } }));
  expect((await run('export', '--month', '2024-01', '--mapping', 'datev')).bytes.toString()).toBe(text);
  expect([last()?.path, last()?.query]).toEqual(['/ledger/export', { month: '2024-01', mapping: 'datev' }]);
  const file = join(api.folder, 'journal.csv');
  expect(await run('export', '--from-entry', '1', '--to-entry', '9', '--output', file)).toMatchObject({ code: 0 });
  expect(last()?.query).toEqual({ from_entry: '1', to_entry: '9' });
  expect(await readFile(file, 'utf8')).toBe(text);
  const nowhere = join(api.folder, 'no', 'such', 'file');
  expect(await run('export', '--month', '2024-01', '--output', nowhere)).toMatchObject({
    code: 1,
    err: expect.stringContaining('cannot write'),
  });
});
