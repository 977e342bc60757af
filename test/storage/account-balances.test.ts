/** Balances as a read model: kept with every entry, right under concurrency, found wrong and made again while others write. */
import { createJournalStore } from '../../src/storage/journal.js';
import type { JournalStore } from '../../src/storage/types.js';
import { allBalances, byValue, naiveBalances, post } from './journal-fixture.js';
import { createFixture, type Fixture } from './usage-fixture.js';

let fixture: Fixture;
let journal: JournalStore;
beforeAll(async () => {
  fixture = await createFixture(24);
  journal = createJournalStore(fixture.db);
});
afterAll(() => fixture.close());

let customerId: string;
let made = 0;
beforeEach(async () => {
  customerId = await fixture.addCustomer();
});
const id = (): string => `e${(made += 1)}`;

/** Balances are what the journal says, posting by posting, and the check says so. */
async function expectKept(): Promise<void> {
  expect(byValue(await allBalances(journal))).toEqual(byValue(await naiveBalances(fixture.db)));
  expect(await journal.check(null)).toEqual([]);
}

test('an entry changes the balances of its customer in its own transaction, and counts the changes', async () => {
  await post(fixture.db, { customerId, id: id(), cents: 500 });
  await post(fixture.db, { customerId, id: id(), cents: -120 }, { customerId, id: id(), cents: 30, currency: 'EUR' });
  const { data } = await journal.balances({ customerId }, { limit: 10 });
  expect(data.map((row) => [row.account, row.currency, row.debit, row.credit, row.balance, row.version])).toEqual([
    ['accounts_receivable', 'EUR', '0.3', '0', '0.3', 1],
    ['accounts_receivable', 'USD', '5', '1.2', '3.8', 2],
    ['revenue', 'EUR', '0', '0.3', '-0.3', 1],
    ['revenue', 'USD', '1.2', '5', '-3.8', 2],
  ]);
  const failed = post(fixture.db, { customerId, id: id(), cents: 1, against: 'nothing' as 'revenue' });
  await expect(failed).rejects.toThrow(/foreign key/);
  await expectKept();
});

test('many at once for one customer, in several transactions and orders of accounts: nothing is lost', async () => {
  const against = ['revenue', 'cash', 'write_off', 'deferred_revenue'] as const;
  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const account = against[index % against.length] ?? 'revenue';
      const other = against[(index + 2) % against.length] ?? 'revenue';
      await post(
        fixture.db,
        { customerId, id: id(), cents: index + 1, against: account },
        { customerId, id: id(), cents: -index - 1, against: other },
      );
    }),
  );
  await expectKept();
});

test('two transactions that post twice each, the other way round, do not wait in a circle', async () => {
  const other = await fixture.addCustomer();
  const twice = (first: string, second: string): Promise<void> =>
    fixture.db.transaction(async (client) => {
      for (const whose of [first, second]) {
        await client.query(
          `WITH e AS (INSERT INTO journal_entries (entry_id, customer_id, source_document, posting_date, service_from, service_to, description)
             SELECT gen_random_uuid(), c, 'test/' || gen_random_uuid(), '2024-01-31', '2024-01-01', '2024-02-01', ''
             FROM unnest($1::text[]) AS c RETURNING entry_id)
           INSERT INTO postings (posting_id, entry_id, posting_number, account, currency, amount)
           SELECT gen_random_uuid(), entry_id, n, a, 'USD', x FROM e,
             (VALUES (1, 'accounts_receivable', 1), (2, 'revenue', -1)) AS p (n, a, x)`,
          [whose === 'both' ? [other, customerId] : [whose]],
        );
      }
    });
  await Promise.all(
    Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? twice(customerId, customerId) : twice('both', 'both'))),
  );
  await expectKept();
});

test('a customer whose transaction is open does not hold up another one', async () => {
  const other = await fixture.addCustomer();
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let posted = (): void => undefined;
  const isPosted = new Promise<void>((resolve) => (posted = resolve));
  const open = fixture.db.transaction(async (client) => {
    await client.query(`SELECT FROM customers WHERE customer_id = $1 FOR NO KEY UPDATE`, [customerId]);
    posted();
    await held;
  });
  await isPosted;
  await post(fixture.db, { customerId: other, id: id(), cents: 100 });
  let isLate = true;
  const waiting = post(fixture.db, { customerId, id: id(), cents: 100 }).then(() => {
    isLate = false;
  });
  const { rows } = await fixture.db.pool.query(`SELECT FROM account_balances WHERE customer_id = $1`, [other]);
  expect(rows).toHaveLength(2);
  expect(isLate).toBe(true);
  release();
  await Promise.all([open, waiting]);
  await expectKept();
});

test('an update that finds another version is tried again', async () => {
  await post(fixture.db, { customerId, id: id(), cents: 100 });
  // Whoever changes the row without the customer's lock, as the rebuild does, holds up the writer and leaves it another version.
  let change: Promise<void> = Promise.resolve();
  await fixture.db.transaction(async (client) => {
    await client.query(
      `UPDATE account_balances SET version = version + 1 WHERE customer_id = $1 AND account = 'revenue'`,
      [customerId],
    );
    change = post(fixture.db, { customerId, id: id(), cents: 250 });
    await waitingForLock();
  });
  await change;
  const { data } = await journal.balances({ customerId, account: 'revenue' }, { limit: 10 });
  expect(data).toMatchObject([{ credit: '3.5', version: 3 }]);
  await expectKept();
});

/** Until somebody waits for a row that another transaction has. */
async function waitingForLock(): Promise<void> {
  for (;;) {
    const { rows } = await fixture.db.pool.query<{ readonly n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    );
    if ((rows[0]?.n ?? 0) > 0) return;
  }
}

test('what cannot be kept in bounded attempts is a finding: the entry is posted, the check and the rebuild see the rest', async () => {
  await post(fixture.db, { customerId, id: id(), cents: 100 });
  const sql = (text: string): Promise<unknown> => fixture.db.pool.query(text);
  await sql(`CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`);
  await sql(`CREATE TRIGGER lose BEFORE UPDATE ON account_balances FOR EACH ROW EXECUTE FUNCTION lose()`);
  await post(fixture.db, { customerId, id: id(), cents: 23 });
  await sql('DROP TRIGGER lose ON account_balances');
  const { rows } = await fixture.db.pool.query(
    `SELECT code, subject ->> 'account' AS account FROM findings WHERE customer_id = $1 ORDER BY 2`,
    [customerId],
  );
  expect(rows).toEqual([
    { code: 'ACCOUNT_BALANCE_NOT_KEPT', account: 'accounts_receivable' },
    { code: 'ACCOUNT_BALANCE_NOT_KEPT', account: 'revenue' },
  ]);
  expect(await journal.check([customerId])).toMatchObject([
    {
      model: 'account_balances',
      customerId,
      account: 'accounts_receivable',
      expected: { debit: '1.23' },
      found: { debit: '1' },
    },
    { account: 'revenue', expected: { credit: '1.23' }, found: { credit: '1' } },
  ]);
  const { corrected, unresolved } = await journal.rebuild();
  expect([corrected.length, unresolved.length]).toEqual([2, 0]);
  await expectKept();
});

test('the rebuild makes changed, missing and invented rows again while others go on posting', async () => {
  const others = await Promise.all(Array.from({ length: 4 }, () => fixture.addCustomer()));
  const customers = [customerId, ...others];
  for (const of of customers) await post(fixture.db, { customerId: of, id: id(), cents: 1_000 });
  const sql = (text: string, values: readonly unknown[]): Promise<unknown> => fixture.db.pool.query(text, [...values]);
  let isOver = false;
  const writer = async (of: string): Promise<void> => {
    for (let index = 0; !isOver || index < 20; index += 1)
      await post(fixture.db, {
        customerId: of,
        id: id(),
        cents: index + 1,
        against: index % 3 === 0 ? 'cash' : 'revenue',
      });
  };
  const writers = customers.map(writer);
  for (let round = 0; round < 4; round += 1) {
    await sql(`UPDATE account_balances SET debit = debit + 7, version = version + 1 WHERE customer_id = $1`, [
      customerId,
    ]);
    await sql(`DELETE FROM account_balances WHERE customer_id = $1 AND account = 'revenue'`, [others[0]]);
    await sql(`INSERT INTO account_balances VALUES ($1, 'write_off', 'USD', 5, 0, 1) ON CONFLICT DO NOTHING`, [
      others[1],
    ]);
    const { unresolved } = await journal.rebuild();
    expect(unresolved).toEqual([]);
  }
  isOver = true;
  await Promise.all(writers);
  await expectKept();
});

test('rebuilding what is right changes nothing', async () => {
  await post(fixture.db, { customerId, id: id(), cents: 100 });
  const before = await journal.balances({ customerId }, { limit: 10 });
  const { corrected, customers } = await journal.rebuild();
  expect(corrected).toEqual([]);
  expect(customers).toBeGreaterThan(0);
  expect(await journal.balances({ customerId }, { limit: 10 })).toEqual(before);
});
