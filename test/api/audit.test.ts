/** The audit log over HTTP and on the command line. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { anchorLine } from '../../src/domain/audit/anchors.js';
import { newAuditKey } from '../../src/storage/audit-hashes.js';
import { rearm } from '../storage/audit-fixture.js';
import { cli } from '../cli/support/stub-api.js';
import { exampleCalls, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
let url: string;
let databaseUrl: string;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reckoner-audit-'));
  const audit = { key: newAuditKey(), keyFile: null, trustedKeys: [] };
  api = await TestApi.start({ audit }, (given) => {
    databaseUrl = given;
    return Promise.resolve(given);
  });
  url = await api.app.listen({ port: 0, host: '127.0.0.1' });
  await api.setUpExample();
  await api.expect(202, 'POST', '/events', exampleCalls(20));
  await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close', undefined, { 'x-reckoner-actor': 'ada' });
});
afterEach(async () => {
  await api.close();
  await rm(folder, { recursive: true });
});

const run = (...args: string[]) => cli(['audit', ...args, '--url', url]);

async function sql(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(text);
  await client.end();
}

const verification = async (query = ''): Promise<readonly Json[]> => {
  const response = await api.send('GET', `/audit/verify${query}`);
  expect(response.headers['content-type']).toBe('application/x-ndjson');
  return response.body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Json);
};

test('the trail of a customer, of an invoice and of what has no customer, and each entry by its number', async () => {
  const trail = await api.all('/audit?customer_id=cust_1&limit=1');
  expect(trail.map(({ sequence }) => sequence)).toEqual([3, 2, 1].slice(-trail.length));
  const [invoice] = await api.all('/invoices');
  const [issued] = await api.all(`/audit?invoice_id=${String(invoice?.['number'])}`);
  expect(issued).toMatchObject({ scope: 'customer/cust_1', actor: 'invoicing' });
  const changes = issued?.['changes'] as readonly Json[];
  expect(changes.find(({ table }) => table === 'invoices')).toMatchObject({
    kind: 'insert',
    rows: [{ key: JSON.stringify([invoice?.['invoice_id']]), digest: expect.stringMatching(/^[0-9a-f]{64}$/) }],
  });
  const path = `/audit/entries/${encodeURIComponent('customer/cust_1')}/${String(issued?.['sequence'])}`;
  expect(await api.expect(200, 'GET', path)).toEqual(issued);
  const [reference] = await api.all('/audit');
  expect(reference).toMatchObject({ scope: 'deployment' });
  await api.refused('AUDIT_ENTRY_NOT_FOUND', 404, 'GET', '/audit/entries/deployment/9999');
  await api.refused('INVOICE_NOT_FOUND', 404, 'GET', '/audit?invoice_id=nothing');
});

test('verify says how far it is and then the result; sealing and signing bring what nothing covered before', async () => {
  const before = (await verification()).at(-1);
  expect(before).toMatchObject({ kind: 'result', verified: true, not_yet_signed: { facts: 20 }, key_ids: [] });
  const sealed = await api.expect(200, 'POST', '/audit/seal', { sign: true }, { 'idempotency-key': 'once' });
  expect(sealed).toMatchObject({ blocks: [{ block: 1, facts: 20 }], checkpoints: [{ checkpoint: 1, heads: 2 }] });
  expect(await api.expect(200, 'POST', '/audit/seal', { sign: true }, { 'idempotency-key': 'once' })).toEqual(sealed);
  const steps = await verification();
  expect(steps[0]).toMatchObject({ kind: 'progress', stage: 'chains' });
  expect(steps.at(-1)).toMatchObject({
    verified: true,
    counts: { facts: 20, checkpoints: 1 },
    not_yet_signed: { facts: 0 },
  });
  expect(await verification('?customer_id=cust_1')).toEqual(
    expect.arrayContaining([expect.objectContaining({ kind: 'result', verified: true })]),
  );
  const { data } = (await api.expect(200, 'GET', '/audit/keys')) as { data: readonly Json[] };
  expect(data).toEqual([expect.objectContaining({ public_key: expect.stringContaining('BEGIN PUBLIC KEY') })]);
});

test('asked to sign without a key, it is said what to do', async () => {
  const keyless = await TestApi.start();
  const problem = await keyless.refused('AUDIT_KEY_MISSING', 409, 'POST', '/audit/seal', { sign: true });
  expect(problem['detail']).toMatch(/RECKONER_AUDIT_KEY_FILE/);
  expect(await keyless.expect(200, 'POST', '/audit/seal', {})).toMatchObject({ blocks: [], checkpoints: [] });
  await keyless.close();
});

test('the command line: list, show, seal, keys, verify; a changed row ends it with exit code 1 and the row', async () => {
  expect((await run('seal', '--sign')).out).toMatch(
    /Blocks +1 new, of 20 facts\nCheckpoints +1\nSigned by +[0-9a-f]{16}\nAnchored +within the hour; now: reckoner audit anchor/,
  );
  expect((await run('list', '--customer', 'cust_1')).out).toMatch(/1 invoices/);
  expect((await run('show', 'customer/cust_1', '1')).out).toMatch(
    /Chain +customer\/cust_1\nEntry +1[\s\S]*Follows +nothing/,
  );
  expect((await run('keys')).out).toMatch(/BEGIN PUBLIC KEY/);
  expect(await run('verify')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/Verified +yes[\s\S]*Signed +1 checkpoints by/),
  });
  expect((await run('verify', '--customer', 'cust_1')).out).toMatch(
    /Verified +yes[\s\S]*Not looked at +usage facts, reference data, other customers, triggers: verify without --customer/,
  );
  await sql(`ALTER TABLE invoices DISABLE TRIGGER ALL, DROP CONSTRAINT invoices_total; UPDATE invoices SET total = total + 1; ALTER TABLE invoices ENABLE TRIGGER ALL;
    ALTER TABLE invoices ENABLE ALWAYS TRIGGER refuse_change`);
  const failed = await run('verify');
  expect(failed).toMatchObject({ code: 1, err: expect.stringContaining('something is not what was written') });
  expect(failed.out).toMatch(
    /Verified +NO[\s\S]*Problem +row_changed: [\s\S]*Table +invoices\nRow +\["[\s\S]*Chain +customer\/cust_1\nNumber +\d/,
  );
  expect(failed.out).not.toMatch(/nobody|Not signed yet/);
});

test('verify --anchor misses a tail that was cut everywhere in the database; a forged or torn file is refused', async () => {
  await run('seal', '--sign');
  const { audit } = api.storage;
  const [key] = await audit.keys();
  const file = join(folder, 'anchors.jsonl');
  await api.expect(201, 'POST', '/credit-grants', { customer_id: 'cust_1', currency: 'USD', amount: '1', name: 'x' });
  await run('seal', '--sign');
  const lines = (await audit.checkpoints(0, 10)).map((checkpoint) =>
    anchorLine({ ...checkpoint, publicKey: key?.publicKey ?? '' }),
  );
  expect(lines).toHaveLength(2);
  await writeFile(file, `${lines.join('\n')}\n`);
  expect(await run('verify', '--anchor', file)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/Anchor +2 lines through checkpoint 2/),
  });
  expect((await run('verify', '--anchor', file, '--key', '0000000000000000')).err).toMatch(/is not one of --key/);

  const forged = join(folder, 'forged.jsonl');
  await writeFile(forged, lines.join('\n').replace('"sequence"', '').replace('customer/cust_1', 'customer/cust_2'));
  expect((await run('verify', '--anchor', forged)).err).toMatch(/has another content than its hash says/);
  await writeFile(forged, lines.slice(1).concat(lines).join('\n'));
  expect((await run('verify', '--anchor', forged)).err).toMatch(/does not follow on that of checkpoint 2/);
  expect((await run('verify', '--anchor', join(folder, 'nothing'))).code).toBe(2);

  const all = [
    'postings',
    'journal_entries',
    'credit_grants',
    'audit_changes',
    'audit_entries',
    'audit_checkpoint_heads',
    'audit_checkpoints',
  ];
  const last = `(SELECT batch FROM audit_entries WHERE scope = 'customer/cust_1' ORDER BY sequence DESC LIMIT 1)`;
  await sql(`${all.map((table) => `ALTER TABLE ${table} DISABLE TRIGGER ALL;`).join('')}
    DELETE FROM postings WHERE entry_id IN (SELECT entry_id FROM journal_entries WHERE invoice_id IS NULL);
    DELETE FROM journal_entries WHERE invoice_id IS NULL; DELETE FROM credit_grants;
    DELETE FROM audit_changes WHERE batch = ${last}; DELETE FROM audit_entries WHERE batch = ${last};
    DELETE FROM audit_checkpoint_heads WHERE checkpoint_number = 2; DELETE FROM audit_checkpoints WHERE checkpoint_number = 2;
    ${all.map((table) => `ALTER TABLE ${table} ENABLE TRIGGER ALL;`).join('')} ${rearm}`);
  expect((await run('verify')).code).toBe(0);
  const missed = await run('verify', '--anchor', file);
  expect(missed.code).toBe(1);
  expect(missed.out).toMatch(/Verified +NO[\s\S]*entries_cut[\s\S]*Table +audit_entries[\s\S]*Chain +customer\/cust_1/);
});

test('verify goes on behind the first problem and lists the others; --all lists more than 20', async () => {
  await sql(`ALTER TABLE invoices DISABLE TRIGGER refuse_change, DROP CONSTRAINT invoices_total; UPDATE invoices SET total = total + 1;
    ALTER TABLE meters DISABLE TRIGGER refuse_change; UPDATE meters SET learned_at = 'epoch';
    ALTER TABLE customers DISABLE TRIGGER audit; INSERT INTO customers SELECT 'unlogged ' || n, 0 FROM generate_series(1, 30) n`);
  const result = (await verification()).at(-1);
  const problems = result?.['problems'] as readonly Json[];
  expect(problems).toHaveLength(20);
  expect(problems[0]).toEqual(result?.['problem']);
  expect(problems.map(({ table }) => table)).toEqual([
    'invoices',
    'meters',
    ...Array.from({ length: 18 }, () => 'customers'),
  ]);
  const all = await run('verify', '--all');
  expect(all.code).toBe(1);
  expect(all.out.match(/│ row_not_in_log/g)).toHaveLength(30);
  expect(all.out).toMatch(
    /Problem +row_changed[\s\S]*│ Also +│ Table[\s\S]*│ row_changed +│ meters[\s\S]*│ guard_missing +│ customers/,
  );
});

test('a log whose last anchored checkpoint was cut is neither signed nor anchored again, and becomes a finding', async () => {
  const file = join(folder, 'anchors.jsonl');
  const audit = { key: newAuditKey(), keyFile: null, trustedKeys: [], anchorFile: file };
  await api.close();
  api = await TestApi.start({ audit }, (given) => {
    databaseUrl = given;
    return Promise.resolve(given);
  });
  api.temporal.settings.audit = audit;
  url = await api.app.listen({ port: 0, host: '127.0.0.1' });
  const anchored = await run('anchor');
  expect(anchored.out).toMatch(/Checkpoints +1 new\nLast +1\nHash +[0-9a-f]{64}\nAnchor file +1 lines written/);
  await api.setUpExample();
  await run('anchor');
  await sql(`ALTER TABLE audit_checkpoints DISABLE TRIGGER ALL; ALTER TABLE audit_checkpoint_heads DISABLE TRIGGER ALL;
    DELETE FROM audit_checkpoint_heads WHERE checkpoint_number = 2; DELETE FROM audit_checkpoints WHERE checkpoint_number = 2`);
  for (const command of [['anchor'], ['seal', '--sign']]) {
    expect(await run(...command)).toMatchObject({ code: 1, err: expect.stringContaining('AUDIT_ANCHOR_DIFFERS') });
  }
  expect(await api.storage.audit.checkpoints(0, 10)).toHaveLength(1);
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(2);
  expect(await api.all('/findings')).toEqual([
    expect.objectContaining({
      code: 'AUDIT_ANCHOR_DIFFERS',
      detail: expect.stringContaining('checkpoint 2'),
      subject: expect.objectContaining({ witness: 'anchor file', checkpoint: 2 }),
    }),
  ]);
});
