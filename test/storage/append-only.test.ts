import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

/** Tables that may change: they say how far some work has come. Everything else is a fact. */
const controlRows = [
  'account_balances',
  'audit_commitments',
  'idempotency_keys',
  'number_sequences',
  'relay_cursors',
  'relay_set_aside',
  'usage_ranges',
  '_prisma_migrations',
];

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

afterEach(() => client.query('RESET session_replication_role'));

/** Partitions are tables of their own: each must refuse by itself. */
async function factTables(): Promise<readonly { name: string; column: string }[]> {
  const { rows } = await client.query<{ name: string; column: string }>(
    `SELECT c.relname AS name, (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND attidentity = ''
              ORDER BY attnum LIMIT 1) AS column
       FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> ALL ($1)
      ORDER BY c.relname`,
    [controlRows],
  );
  return rows;
}

test('every fact table, each partition included, refuses every change, also under session_replication_role = replica', async () => {
  const tables = await factTables();
  expect(tables.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'telemetry_events',
      'telemetry_events_0',
      'telemetry_events_7',
      'invoices',
      'postings',
      'customers',
    ]),
  );
  const taken: string[] = [];
  for (const role of ['origin', 'replica']) {
    await client.query(`SET session_replication_role = ${role}`);
    for (const { name, column } of tables) {
      for (const statement of [
        `UPDATE ${name} SET ${column} = ${column}`,
        `DELETE FROM ${name}`,
        `TRUNCATE ${name} CASCADE`,
        `MERGE INTO ${name} AS t USING (SELECT 1) AS s ON true WHEN MATCHED THEN DELETE`,
      ]) {
        const refused = await client.query(statement).then(
          () => false,
          (error: unknown) => (error as pg.DatabaseError).code === '23001' && /is append-only/.test(String(error)),
        );
        if (!refused) taken.push(`${role}: ${statement}`);
      }
    }
  }
  expect(taken).toEqual([]);
});

test('an insert cannot become an update', async () => {
  await expect(
    client.query(
      `INSERT INTO ledger_accounts (account, name, kind) VALUES ('revenue', 'Mine', 'revenue')
       ON CONFLICT (account) DO UPDATE SET name = excluded.name`,
    ),
  ).rejects.toThrow(/ledger_accounts is append-only: UPDATE refused/);
});

test('an event cannot move to another partition', async () => {
  await expect(client.query(`UPDATE telemetry_events_3 SET customer_id = 'someone else'`)).rejects.toThrow(
    /telemetry_events_3 is append-only/,
  );
});

test('of a commitment only the salt can be erased, and that for good', async () => {
  await client.query(`INSERT INTO audit_commitments VALUES ('a', '["b"]', '\\x01', gen_random_uuid())`);
  for (const statement of [
    `UPDATE audit_commitments SET salt = gen_random_uuid()`,
    `UPDATE audit_commitments SET commitment = '\\x02', salt = NULL`,
    'DELETE FROM audit_commitments',
    'TRUNCATE audit_commitments',
  ])
    await expect(client.query(statement)).rejects.toMatchObject({ code: '23001' });
  await client.query('UPDATE audit_commitments SET salt = NULL');
  await expect(client.query(`UPDATE audit_commitments SET salt = gen_random_uuid()`)).rejects.toThrow(/only the salt/);
});

test('control rows may change', async () => {
  await client.query(`INSERT INTO number_sequences (series, last_number) VALUES ('invoice', 1)`);
  await client.query(`UPDATE number_sequences SET last_number = 2`);
  const { rows } = await client.query('SELECT last_number FROM number_sequences');
  expect(rows).toEqual([{ last_number: '2' }]);
});
