/** The audit log as it is written: concurrently, before and after it began, and sealed. */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import type { LocalDate } from '../../src/domain/values.js';
import { createStorage } from '../../src/storage/index.js';
import { createActivityFixture } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { createEmptyDatabase, migrationsFolder } from '../support/postgres.js';
import { connect, creditOf, invoiceOf, postingDate, verify, whole } from './audit-fixture.js';
import { usageEvent } from './usage-fixture.js';

let fixture: ActivityFixture;
let client: pg.Client;
beforeEach(async () => {
  fixture = await createActivityFixture();
  client = await connect(fixture.url);
});
afterEach(async () => {
  await client.end();
  await fixture.close();
});

async function entriesOf(customerId: string): Promise<readonly string[]> {
  const { data } = await fixture.storage.audit.list({ customerId }, { limit: 100 });
  return data.map(
    ({ sequence, changes }) =>
      `${sequence}: ${changes
        .map(({ table, rows }) => `${rows.length} ${table}`)
        .sort()
        .join(', ')}`,
  );
}

const invoice = (customerId: string): Promise<void> => invoiceOf(fixture, customerId);

test('an invoice is one entry of its customer: its rows of every table, and who issued it', async () => {
  await fixture.addCustomer('acme');
  await fixture.addCalls('acme', 5);
  await invoice('acme');
  expect((await entriesOf('acme')).slice(0, 1)).toEqual([
    '3: 1 invoice_line_items, 1 invoice_transitions, 1 invoices, 1 journal_entries, 1 period_ratings, 1 rated_charges, 2 postings',
  ]);
  const [latest] = (await fixture.storage.audit.list({ customerId: 'acme' }, { limit: 1 })).data;
  expect(latest).toMatchObject({ scope: 'customer/acme', sequence: 3, actor: 'invoicing' });
  expect(await verify(fixture.storage.audit)).toMatchObject(whole);
});

test('the trail of an invoice has its issuing, its void, and adjustments of its events; pages follow on each other', async () => {
  const { storage } = fixture;
  await fixture.addCustomer('acme');
  await fixture.addCalls('acme', 5);
  await invoice('acme');
  const [issued] = (await storage.billing.listInvoices({}, { limit: 1 })).data;
  const [event] = (await storage.ledger.listEvents({ customerId: 'acme' }, { limit: 1 })).data;
  const key = { customerId: 'acme', source: event?.source ?? '', eventId: event?.eventId ?? '' };
  await storage.adjustments.adjust({ ...key, type: 'void', replacement: null, reason: 'sent twice' });
  await storage.credits.grant(creditOf('acme'), postingDate);
  const filter = { invoiceId: issued?.invoiceId ?? '' };
  const first = await storage.audit.list(filter, { limit: 1 });
  const second = await storage.audit.list(filter, { limit: 1, cursor: first.nextCursor ?? '' });
  expect([...first.data, ...second.data].map(({ changes }) => changes.map(({ table }) => table).slice(0, 1))).toEqual([
    ['event_adjustments'],
    ['rated_charges'],
  ]);
  expect(second.nextCursor).toBeNull();
});

test('gates, grants and voids of few customers at once: no deadlock, no gap, and everything verifies', async () => {
  const { storage, activities, run } = fixture;
  const customers = ['a', 'b', 'c'];
  for (const customerId of customers) {
    await fixture.addCustomer(customerId);
    for (let n = 0; n < 3; n += 1) await storage.credits.grant(creditOf(customerId), postingDate);
    for (const month of ['01', '02', '03', '04']) await fixture.addCalls(customerId, 3, `2024-${month}-10T00:00:00Z`);
  }
  const requests = customers.flatMap((customerId) =>
    ['2024-01-01', '2024-02-01', '2024-03-01', '2024-04-01'].map((period) => ({
      customerId,
      period: period as LocalDate,
    })),
  );
  for (const { customerId, period } of requests) {
    await storage.periods.periodNamed(customerId, period);
    const request = { requestId: randomUUID(), customerId, period, billingDay: period, forced: true, reason: 'a test' };
    await storage.periods.requestInvoicing(request);
  }
  const grants = (await Promise.all(customers.map((customerId) => storage.credits.ofCustomer(customerId)))).flat();
  const settled = await Promise.allSettled([
    ...[...new Set(requests.map(({ period }) => period))].map((billingDay) =>
      run(activities.issueChunk, { billingDay, limit: 10 }),
    ),
    ...grants
      .slice(0, 5)
      .map(({ grantId }) => storage.credits.voidGrant(grantId, { reason: 'a test', voidedBy: 'ann', postingDate })),
    ...customers.flatMap((customerId) => [1, 2, 3].map(() => storage.credits.grant(creditOf(customerId), postingDate))),
    ...customers.map((customerId) => fixture.addCustomer(customerId, { name: 'Renamed' })),
  ]);
  expect(settled.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []))).toEqual([]);
  expect((await storage.billing.listInvoices({}, { limit: 100 })).data).toHaveLength(12);
  expect(await verify(storage.audit)).toMatchObject(whole);
}, 120_000);

test('two transactions of one customer wait for each other at the commit only, of two customers never', async () => {
  const others = await Promise.all([1, 2].map(() => connect(fixture.url)));
  const [one, two] = others;
  if (one === undefined || two === undefined) throw new Error('two connections');
  for (const id of ['a', 'b', 'c']) await fixture.addCustomer(id);
  const assign = (on: pg.Client, customerId: string): Promise<unknown> =>
    on.query(
      `INSERT INTO price_book_assignments (assignment_id, customer_id, price_book) VALUES (gen_random_uuid(), $1, 'x')`,
      [customerId],
    );
  await one.query('BEGIN');
  await assign(one, 'a');
  await two.query('BEGIN');
  await assign(two, 'a');
  await assign(two, 'b');
  // The first one has come as far as its commit: the second one waits for it, and whoever writes for another customer does not.
  await one.query('SET CONSTRAINTS ALL IMMEDIATE');
  const committed = two.query('COMMIT');
  await assign(client, 'c');
  const waited = await Promise.race([
    committed.then(() => 'no'),
    new Promise((resolve) => setTimeout(() => resolve('yes'), 500)),
  ]);
  expect(waited).toBe('yes');
  await one.query('COMMIT');
  await committed;
  expect(await verify(fixture.storage.audit)).toMatchObject(whole);
  await Promise.all(others.map((other) => other.end()));
});

test('a statement that is rolled back to a savepoint leaves nothing; what comes after SET CONSTRAINTS is an entry of its own', async () => {
  await fixture.addCustomer('a');
  const before = (await entriesOf('a')).length;
  const assign = (book: string) =>
    client.query(
      `INSERT INTO price_book_assignments (assignment_id, customer_id, price_book) VALUES (gen_random_uuid(), 'a', $1)`,
      [book],
    );
  await client.query('BEGIN; SAVEPOINT s');
  await assign('lost');
  await client.query('ROLLBACK TO s');
  await assign('one');
  await client.query('SET CONSTRAINTS ALL IMMEDIATE');
  await assign('two');
  await client.query('COMMIT');
  expect((await entriesOf('a')).length).toBe(before + 2);
  expect(await verify(fixture.storage.audit)).toMatchObject(whole);
});

test('a change that names a batch of somebody else is refused', async () => {
  await fixture.addCustomer('a');
  await client.query(
    `BEGIN; SELECT set_config('reckoner.audit_batch', (SELECT max(batch) FROM audit_entries WHERE scope = 'customer/a')::text, true)`,
  );
  await client.query(
    `INSERT INTO price_book_assignments (assignment_id, customer_id, price_book) VALUES (gen_random_uuid(), 'a', 'x')`,
  );
  await expect(client.query('COMMIT')).rejects.toThrow(/names a batch that is in its chain already/);
});

test('rows are hashed alike whatever the session is set to', async () => {
  await client.query(
    `SET timezone = 'Asia/Kolkata'; SET datestyle = 'German'; SET bytea_output = 'escape'; SET intervalstyle = 'sql_standard'`,
  );
  await client.query(
    `INSERT INTO exchange_rates (source, base_currency, quote_currency, rate_date, rate, imported_by) VALUES ('ecb', 'EUR', 'USD', '2024-01-31', 1.50, E'ann\\n"\\u2028\\x01\\\\é')`,
  );
  expect(await verify(fixture.storage.audit)).toMatchObject(whole);
});

test('rows from before the log are brought in by its migration, and the verification says so', async () => {
  const database = await createEmptyDatabase();
  const names = readdirSync(migrationsFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const old = await connect(database.url);
  for (const { name } of names
    .filter((entry) => entry.name < '20261122120000')
    .sort((a, b) => (a.name < b.name ? -1 : 1)))
    await old.query(readFileSync(join(migrationsFolder, name, 'migration.sql'), 'utf8'));
  // More customers than a transaction has locks for.
  await old.query(`INSERT INTO customers SELECT 'c' || n, 0 FROM generate_series(1, 12000) n;
    INSERT INTO exchange_rates (source, base_currency, quote_currency, rate_date, rate, imported_by)
    SELECT 'ecb', 'EUR', 'USD', '2020-01-01'::date + n, 1.5, 'ann' FROM generate_series(1, 2500) n`);
  for (const { name } of names
    .filter((entry) => entry.name >= '20261122120000')
    .sort((a, b) => (a.name < b.name ? -1 : 1)))
    await old.query(`BEGIN; ${readFileSync(join(migrationsFolder, name, 'migration.sql'), 'utf8')}; COMMIT`);
  await old.end();
  // Each later migration that takes a table in is an entry of the deployment: the layout that it adds.
  const later = names.filter(
    ({ name }) =>
      name > '20261122150000_audited_tables' &&
      readFileSync(join(migrationsFolder, name, 'migration.sql'), 'utf8').includes('SELECT audit_table('),
  );
  const storage = createStorage(database.url);
  expect(await verify(storage.audit)).toMatchObject({
    ...whole,
    counts: { entries: 12_001 + later.length, genesisRows: 14_500 + 12 },
  });
  expect(await verify(storage.audit, { customerId: 'c7' })).toMatchObject({
    ...whole,
    counts: { entries: 1, rows: 1 },
  });
  await storage.close();
  await database.drop();
}, 120_000);

describe('blocks', () => {
  const append = (from: number, count: number): Promise<unknown> =>
    fixture.storage.ledger.append(
      Array.from({ length: count }, (_, n) =>
        usageEvent({ customerId: 'a', eventId: `e${from + n}`, eventTime: '2024-01-10T00:00:00Z' }),
      ),
      [],
    );

  test('two who seal at once seal everything once; what somebody has not committed is not sealed over', async () => {
    const { audit, ledger } = fixture.storage;
    await append(1, 25);
    const sealed = await Promise.all([1, 2, 3, 4].map(() => audit.seal({ factsMax: 4 })));
    const blocks = sealed.flat().sort((a, b) => a.block - b.block);
    expect(blocks.map(({ block, facts }) => [block, facts])).toEqual(
      [1, 2, 3, 4, 5, 6, 7].map((n) => [n, n === 7 ? 1 : 4]),
    );
    expect(await audit.seal()).toEqual([]);

    // An append under way: its position is drawn and not committed, so the horizon waits for it.
    await client.query('BEGIN');
    await client.query(`SELECT pg_advisory_xact_lock_shared(${0x4c454447})`);
    await client.query(`INSERT INTO telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata)
      VALUES ('a', '', 'slow', 0, 't', now(), 1, '{}')`);
    await append(100, 3);
    const sealing = audit.seal();
    await client.query('COMMIT');
    await sealing;
    await audit.seal();
    expect(await ledger.findEvent('a', '', 'slow')).not.toBeNull();
    expect(await verify(audit)).toMatchObject({ ...whole, counts: { facts: 29 }, notYet: { facts: 0 } });
  });

  test('a block that leaves a gap is refused by the database', async () => {
    await append(1, 4);
    await fixture.storage.audit.seal();
    await expect(
      client.query(
        `INSERT INTO audit_blocks SELECT 2, to_position + 1, to_position + 2, 1, layouts, content, fact_index, now(), hash, hash FROM audit_blocks`,
      ),
    ).rejects.toThrow(/does not go on where block 1 ends/);
  });
});

test('a table that facts of money are kept in is audited, with all of its columns; or it is listed here, with the reason', async () => {
  const unaudited: Readonly<Record<string, string>> = {
    aggregated_usage: 'recomputed from the events',
    aggregated_period_usage: 'recomputed from the events',
    backfill_customers: 'kept in step with backfills',
    ledger_snapshots: 'sums of the journal',
    ledger_snapshot_balances: 'sums of the journal',
    period_close_plans: 'progress',
    period_close_targets: 'progress',
    period_close_steps: 'progress',
    billing_periods: 'documents have their bounds',
    dead_letters: 'was not taken',
    dead_letter_attempts: 'what was sent is an event',
    dead_letter_decisions: 'what was replayed is an event',
    event_adjustment_requests: 'keeps what is repeated from being done again',
    event_schemas: 'decides what is taken, not what it costs',
    tag_definitions: 'decides what is taken, not what it costs',
    invoicing_requests: 'work to do',
    invoicing_outcomes: 'documents say the same',
    meters_looked_back: 'progress',
    price_evaluations: 'what-if',
    price_evaluation_targets: 'what-if',
    price_evaluation_results: 'what-if',
    price_evaluation_reports: 'what-if',
    price_rollout_comparisons: 'what-if',
    price_fallbacks: 'provisional',
    price_fallback_checks: 'provisional',
    re_rating_transitions: 'progress',
    reconciliation_requests: 'proof',
    reconciliation_results: 'proof',
    reconciliation_runs: 'proof',
  };
  const { rows } = await client.query<{ table: string; missing: string[] | null }>(
    `SELECT c.relname AS table, (SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
         AND NOT a.attisdropped AND a.attname::text <> ALL (l.columns || l.personal)) AS missing
     FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'refuse_change'
     LEFT JOIN LATERAL (SELECT * FROM audit_layouts l WHERE l.table_name = c.relname ORDER BY version DESC LIMIT 1) AS l ON true
     WHERE NOT c.relispartition AND c.relname NOT LIKE 'audit%' AND (l.table_name IS NULL OR EXISTS (
       SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname::text <> ALL (l.columns || l.personal)))
     ORDER BY 1`,
  );
  // A table, or a column of one, that is not audited: add \`SELECT audit_table('…')\` to the migration that makes it.
  expect(rows.map(({ table, missing }) => (missing === null ? table : `${table}: ${missing.join()}`))).toEqual(
    Object.keys(unaudited).sort(),
  );
});
