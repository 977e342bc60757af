/** Issued documents and posted entries are complete: the database refuses whoever adds to them, and what does not add up. */
import { createHash } from 'node:crypto';
import pg from 'pg';
import { createActivities } from '../../src/activities/index.js';
import { parseTaxTable } from '../../src/domain/tax/parse-tax-table.js';
import { tableTaxProvider } from '../../src/domain/tax/table-provider.js';
import type { LocalDate } from '../../src/domain/values.js';
import { createChainFixture } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';
import { issuedAt, settings } from './fixture.js';
import { customerId, SettlementScene } from './settlement-scene.js';

let chain: ChainFixture;
let scene: SettlementScene;
let client: pg.Client;
beforeAll(async () => {
  const made = await createChainFixture();
  const table = parseTaxTable({ rates: [{ country: 'DE', category: 'standard', rate: '19', from: '2020-01-01' }] });
  const tax = tableTaxProvider(table);
  const activities = createActivities({
    storage: made.storage,
    client: made.client,
    settings,
    now: () => issuedAt,
    tax,
  });
  chain = { ...made, activities };
  await chain.addCustomer(customerId, { buyer: { country_code: 'DE' } });
  scene = new SettlementScene(chain);
  client = new pg.Client({ connectionString: chain.url });
  await client.connect();
  await chain.addCalls(customerId, 100);
  await chain.request(customerId, '00000000-0000-4000-8000-000000000001');
  await chain.run(activities.issueChunk, { billingDay: '2024-02-01' as LocalDate, limit: 10 });
  const [invoice] = await chain.documents();
  if (invoice === undefined) throw new Error('no invoice');
  expect([invoice.subtotal, invoice.tax]).toEqual(['10', '1.9']);
  await scene.credit(invoice, '1.00');
  await chain.storage.journal.closeMonth({ month: '2024-01-01' as LocalDate, reason: 'month end', closedBy: 'ann' });
});
afterAll(async () => {
  await client.end();
  await chain.close();
});
afterEach(() => client.query('ROLLBACK'));

/** Another row like one that there is, with other keys. */
const like = (table: string, changes: string, where = 'true'): string =>
  `INSERT INTO ${table} SELECT (jsonb_populate_record(r, jsonb_build_object(${changes}))).* FROM ${table} AS r WHERE ${where} LIMIT 1`;

const posting = (account: string, amount: string): string =>
  like(
    'postings',
    `'posting_id', gen_random_uuid(), 'posting_number', 70 + length('${account}'), 'account', '${account}', 'amount', ${amount}`,
    `entry_id = (SELECT entry_id FROM journal_entries WHERE posting_date = '2024-01-31' LIMIT 1)`,
  );
const line = (number: number, amount: string): string =>
  like(
    'invoice_line_items',
    `'line_item_id', gen_random_uuid(), 'line_number', ${number}, 'line_key', 'more ${number}', 'amount', ${amount}`,
  );

async function exported(): Promise<string> {
  const { rows } = await client.query(
    `SELECT e.source_document, p.* FROM journal_entries e JOIN postings p USING (entry_id) WHERE e.posting_date < '2024-02-01'
     ORDER BY e.entry_order, p.posting_number`,
  );
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex');
}

/** What refuses the statements, at the latest at the commit. */
async function refusalOf(...statements: readonly string[]): Promise<{ readonly constraint?: string }> {
  try {
    await client.query('BEGIN');
    for (const statement of statements) await client.query(statement);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    return error as { readonly constraint?: string };
  }
  throw new Error('nothing refused it');
}

describe('nothing is added to what is written', () => {
  test('balanced postings of an entry in a closed month', async () => {
    const before = [await exported(), await chain.storage.journal.accounts()];
    const statements = [posting('cash', '100'), posting('revenue', '-100')];
    expect(await refusalOf(...statements)).toMatchObject({
      code: '23514',
      constraint: 'postings_own_entry',
      message: expect.stringMatching(/^the journal entry of invoice\/.* is posted already: nothing is added to it$/),
    });
    expect([await exported(), await chain.storage.journal.accounts()]).toEqual(before);
  });

  test.each([
    ['lines', [line(8, '5'), line(9, '-5')], 'invoice_line_items_own_invoice'],
    ['a line of nothing', [line(8, '0')], 'invoice_line_items_own_invoice'],
    ['a tax', [like('invoice_tax_lines', `'tax_line_number', 7, 'amount', 0`)], 'invoice_tax_lines_own_invoice'],
    [
      'a line of a credit note',
      [like('credit_note_lines', `'line_number', 7, 'line_key', 'x', 'amount', 0.01, 'tax', 0`)],
      'credit_note_lines_own_note',
    ],
  ])('%s', async (_, statements, constraint) => {
    expect(await refusalOf(...statements)).toMatchObject({ code: '23514', constraint });
  });

  test('not in the shadow of a savepoint either, nor by who began before the document was there', async () => {
    const early = new pg.Client({ connectionString: chain.url });
    await early.connect();
    try {
      // Its transaction id is drawn, and its clock stands, before the entry is there.
      await early.query('BEGIN; SELECT pg_current_xact_id()');
      await client.query(entry('concurrent'));
      const added = early.query(
        `INSERT INTO postings (posting_id, entry_id, posting_number, account, currency, amount)
         SELECT gen_random_uuid(), entry_id, 1, 'revenue', 'USD', 0 FROM journal_entries WHERE source_document = 'test/concurrent'`,
      );
      await expect(added).rejects.toMatchObject({ constraint: 'postings_own_entry' });
    } finally {
      await early.end();
    }
    expect(await refusalOf('SAVEPOINT s', posting('cash', '1'))).toMatchObject({ constraint: 'postings_own_entry' });
  });
});

const entry = (name: string): string =>
  `INSERT INTO journal_entries (entry_id, customer_id, source_document, posting_date, service_from, service_to, description)
   VALUES (gen_random_uuid(), '${customerId}', 'test/${name}', '2024-03-01', '2024-01-01', '2024-02-01', '')`;
const postingsOf = (name: string): string =>
  `INSERT INTO postings (posting_id, entry_id, posting_number, account, currency, amount)
   SELECT gen_random_uuid(), entry_id, n, a, 'USD', m FROM journal_entries, (VALUES (1, 'cash', 1), (2, 'revenue', -1)) AS v (n, a, m)
   WHERE source_document = 'test/${name}'`;

test.each([
  ['one after the other', [entry('a'), postingsOf('a')]],
  ['the entry in a savepoint', ['SAVEPOINT s', entry('b'), 'RELEASE s', postingsOf('b')]],
  ['the postings in a savepoint', [entry('c'), 'SAVEPOINT s', postingsOf('c'), 'RELEASE s']],
  ['in savepoints of savepoints', ['SAVEPOINT s; SAVEPOINT t', entry('d'), 'RELEASE t; SAVEPOINT u', postingsOf('d')]],
  [
    'after another try was rolled back',
    ['SAVEPOINT s', entry('e'), postingsOf('e'), 'ROLLBACK TO s', entry('e'), postingsOf('e')],
  ],
])('an entry and its postings in one transaction are taken: %s', async (_, statements) => {
  await client.query('BEGIN');
  for (const statement of statements) await client.query(statement);
  await client.query('COMMIT');
  const name = /test\/(\w)'/.exec(statements.join())?.[1] ?? '';
  const { rows } = await client.query<{ n: string }>(
    `SELECT count(*) AS n FROM journal_entries JOIN postings USING (entry_id) WHERE source_document = 'test/${name}'`,
  );
  expect(rows).toEqual([{ n: '2' }]);
});

describe('a document adds up', () => {
  const copy = `INSERT INTO invoices SELECT (jsonb_populate_record(i, jsonb_build_object('invoice_id', '00000000-0000-4000-8000-00000000000a',
      'number', 'INV-000777', 'chain_place', 7, 'created_at', now(), 'subtotal', 5, 'credits', 1, 'tax', 2, 'total', 6) || CHANGES)).* FROM invoices i LIMIT 1`;
  const invoice = (changes: string): string => copy.replace('CHANGES', `jsonb_build_object(${changes})`);
  const lines = (...amounts: readonly number[]): string =>
    `INSERT INTO invoice_line_items SELECT (jsonb_populate_record(l, jsonb_build_object('line_item_id', gen_random_uuid(), 'invoice_id',
      '00000000-0000-4000-8000-00000000000a', 'line_number', n, 'line_key', 'k' || n, 'amount', m))).*
     FROM invoice_line_items l CROSS JOIN unnest(ARRAY[${amounts.join()}]::numeric[]) WITH ORDINALITY AS u (m, n)`;
  const taxes = (...amounts: readonly number[]): string =>
    `INSERT INTO invoice_tax_lines SELECT (jsonb_populate_record(l, jsonb_build_object('invoice_id', '00000000-0000-4000-8000-00000000000a',
      'tax_line_number', n, 'amount', m))).*
     FROM invoice_tax_lines l CROSS JOIN unnest(ARRAY[${amounts.join()}]::numeric[]) WITH ORDINALITY AS u (m, n)`;

  test('one that does is taken', async () => {
    await client.query('BEGIN');
    for (const statement of [invoice(''), lines(2, 3), taxes(1.5, 0.5)]) await client.query(statement);
    await client.query('SET CONSTRAINTS require_lines IMMEDIATE');
  });

  test.each([
    ['a total', [invoice(`'total', 6.01`)], 'invoices_total'],
    ['lines', [invoice(''), lines(2, 3.01)], 'invoice_line_items_sum'],
    ['taxes', [invoice(''), taxes(2.01)], 'invoice_tax_lines_sum'],
    ['no lines', [invoice(''), taxes(2)], 'invoice_line_items_sum'],
    ['no taxes', [invoice(''), lines(5)], 'invoice_tax_lines_sum'],
    [
      'lines that come when the constraints were looked at',
      [invoice(`'subtotal', 0, 'tax', 0, 'credits', 0, 'total', 0`), 'SET CONSTRAINTS ALL IMMEDIATE', lines(5)],
      'invoice_line_items_sum',
    ],
  ])('%s', async (_, statements, constraint) => {
    expect(await refusalOf(...statements)).toMatchObject({ code: '23514', constraint });
  });

  const note = (changes: string): string =>
    like(
      'credit_notes',
      `'credit_note_id', '00000000-0000-4000-8000-00000000000b', 'number', 'CN-000777', 'created_at', now(), 'subtotal', 1, 'tax', 0.19, 'total', 1.19${changes}`,
    );
  const noteLine = (amount: number, tax: number): string =>
    like(
      'credit_note_lines',
      `'credit_note_id', '00000000-0000-4000-8000-00000000000b', 'amount', ${amount}, 'tax', ${tax}`,
    );

  test('so does a credit note', async () => {
    await client.query('BEGIN');
    for (const statement of [note(''), noteLine(1, 0.19)]) await client.query(statement);
    await client.query('SET CONSTRAINTS ALL IMMEDIATE');
  });

  test.each([
    ['no lines', [note('')]],
    ['another amount', [note(''), noteLine(1.01, 0.19)]],
    ['another tax', [note(''), noteLine(1, 0.2)]],
  ])('a credit note with %s is refused', async (_, statements) => {
    expect(await refusalOf(...statements)).toMatchObject({ code: '23514', constraint: 'credit_note_lines_sum' });
  });
});
