/** The books at a moment of the past: snapshot and later postings are what every posting by itself comes to. */
import fc from 'fast-check';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { createJournalStore } from '../../src/storage/journal.js';
import type { JournalStore, LedgerMoment } from '../../src/storage/types.js';
import { allBalances, byValue, naiveBalances, post, trialOf } from './journal-fixture.js';
import { createFixture, type Fixture } from './usage-fixture.js';

let fixture: Fixture;
let journal: JournalStore;
beforeEach(async () => {
  fixture = await createFixture();
  journal = createJournalStore(fixture.db);
});
afterEach(() => fixture.close());

const accounts = ['revenue', 'cash', 'deferred_revenue', 'tax_payable'] as const;
const days = ['2024-01-05', '2024-01-31', '2024-02-01', '2024-02-29', '2024-03-15', '2024-04-01'] as const;

type Step =
  | {
      readonly kind: 'post';
      readonly customer: number;
      readonly cents: number;
      readonly account: number;
      readonly day: number;
    }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'close' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('post' as const),
      customer: fc.nat(2),
      cents: fc.integer({ min: -500, max: 500 }).filter((cents) => cents !== 0),
      account: fc.nat(accounts.length - 1),
      day: fc.nat(days.length - 1),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'snapshot' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'close' as const }) },
);

interface Marks {
  readonly entries: string[];
  readonly instants: Instant[];
}

/** Does the steps one after the other, and notes the moments in between. */
async function run(steps: readonly Step[], customers: readonly string[]): Promise<Marks> {
  const marks: Marks = { entries: ['0'], instants: [] };
  let month = 0;
  for (const [index, next] of steps.entries()) {
    if (next.kind === 'snapshot') await journal.takeSnapshot('test');
    else if (next.kind === 'close' && month < 3) {
      month += 1;
      await journal.closeMonth({ month: `2024-0${month}-01` as LocalDate, reason: 'test', closedBy: 'test' });
      await journal.takeMonthSnapshots('test');
    } else if (next.kind === 'post') {
      const currency = next.cents % 2 === 0 ? 'USD' : 'EUR';
      const against = accounts[next.account] ?? 'revenue';
      const customerId = customers[next.customer] ?? '';
      await post(fixture.db, {
        customerId,
        id: `e${index}`,
        cents: next.cents,
        against,
        currency,
        postingDate: days[next.day] ?? '',
      });
    }
    marks.entries.push(await journal.horizon());
    const { rows } = await fixture.db.pool.query<{ readonly at: Instant }>('SELECT clock_timestamp() AS at');
    if (rows[0] !== undefined) marks.instants.push(rows[0].at);
  }
  return marks;
}

async function expectMoment(moment: LedgerMoment, customers: readonly string[]): Promise<void> {
  const naive = await naiveBalances(fixture.db, (row) =>
    'postedThrough' in moment
      ? row.posting_date <= moment.postedThrough
      : 'throughEntry' in moment
        ? BigInt(row.entry_order) <= BigInt(moment.throughEntry)
        : row.created_at <= moment.at,
  );
  expect([moment, byValue(await journal.trialBalance(moment))]).toEqual([moment, byValue(trialOf(naive))]);
  for (const customerId of customers) {
    const own = naive.filter((row) => row.customerId === customerId);
    expect(byValue(await journal.balancesAt(customerId, moment))).toEqual(byValue(own));
  }
}

test('any sequence of entries, snapshots and closings: the books at every moment are the sum from scratch', async () => {
  let scene = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 16 }), async (steps) => {
      scene += 1;
      if (scene > 1) {
        await fixture.close();
        fixture = await createFixture();
        journal = createJournalStore(fixture.db);
      }
      const customers = [await fixture.addCustomer(), await fixture.addCustomer(), await fixture.addCustomer()].sort();
      const { entries, instants } = await run(steps, customers);
      for (const throughEntry of entries) await expectMoment({ throughEntry }, customers.slice(0, 1));
      for (const at of instants) await expectMoment({ at }, customers.slice(1, 2));
      for (const postedThrough of [...days, '2023-12-31', '2024-12-31'] as LocalDate[])
        await expectMoment({ postedThrough }, customers.slice(2));
      const naive = await naiveBalances(fixture.db);
      expect(byValue(await allBalances(journal))).toEqual(byValue(naive));
      expect(byValue(await journal.trialBalance())).toEqual(byValue(trialOf(naive)));
      expect(await journal.check(null)).toEqual([]);
      for (const { balance } of trialTotals(byValue(trialOf(naive)))) expect(balance).toBe(0);
    }),
    { numRuns: 6 },
  );
}, 180_000);

/** By currency, in cents. */
function trialTotals(
  rows: readonly { readonly currency: string; readonly balance: string }[],
): readonly { balance: number }[] {
  const totals = new Map<string, number>();
  for (const { currency, balance } of rows)
    totals.set(currency, (totals.get(currency) ?? 0) + Math.round(Number(balance) * 100));
  return [...totals.values()].map((balance) => ({ balance }));
}

test('a snapshot at the same place of the journal is the one that there is', async () => {
  const customerId = await fixture.addCustomer();
  await post(fixture.db, { customerId, id: 'a', cents: 100 });
  const taken = await Promise.all([
    journal.takeSnapshot('ann'),
    journal.takeSnapshot('bob'),
    journal.takeSnapshot('eve'),
  ]);
  expect(new Set(taken.map(({ snapshotId }) => snapshotId)).size).toBe(1);
  await post(fixture.db, { customerId, id: 'b', cents: 100 });
  const next = await journal.takeSnapshot('ann');
  expect(next.snapshotId).not.toBe(taken[0]?.snapshotId);
  const { data } = await journal.snapshots({ limit: 10 });
  expect(data.map(({ throughEntry }) => throughEntry)).toEqual([next.throughEntry, taken[0]?.throughEntry]);
});

test('the horizon waits for who is posting: an entry that commits later is not below it', async () => {
  const customerId = await fixture.addCustomer();
  await post(fixture.db, { customerId, id: 'a', cents: 100 });
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let drawn = (): void => undefined;
  const isDrawn = new Promise<void>((resolve) => (drawn = resolve));
  const slow = fixture.db.transaction(async (client) => {
    await client.query(
      `INSERT INTO journal_entries (entry_id, customer_id, source_document, posting_date, service_from, service_to, description)
       VALUES (gen_random_uuid(), $1, 'test/slow', '2024-01-31', '2024-01-01', '2024-02-01', '')`,
      [customerId],
    );
    drawn();
    await held;
  });
  await isDrawn;
  let isRead = false;
  const horizon = journal.horizon().then((through) => {
    isRead = true;
    return through;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(isRead).toBe(false);
  release();
  await slow;
  const { rows } = await fixture.db.pool.query<{ readonly last: string }>(
    `SELECT entry_order AS last FROM journal_entries WHERE source_document = 'test/slow'`,
  );
  expect(await horizon).toBe(rows[0]?.last);
});

test('a snapshot that was changed, or an entry that came past the database, is found with account, expected and found', async () => {
  const customerId = await fixture.addCustomer();
  await post(fixture.db, { customerId, id: 'a', cents: 100 });
  await journal.closeMonth({ month: '2024-01-01' as LocalDate, reason: 'test', closedBy: 'test' });
  await journal.takeMonthSnapshots('test');
  expect(await journal.check(null)).toEqual([]);
  const client = await fixture.db.pool.connect();
  try {
    await client.query('SET session_replication_role = replica');
    await client.query(
      `WITH e AS (INSERT INTO journal_entries (entry_id, customer_id, source_document, posting_date, service_from, service_to, description)
         VALUES (gen_random_uuid(), $1, 'test/smuggled', '2024-01-10', '2024-01-01', '2024-02-01', '') RETURNING entry_id)
       INSERT INTO postings (posting_id, entry_id, posting_number, account, currency, amount)
       SELECT gen_random_uuid(), entry_id, n, a, 'USD', x FROM e, (VALUES (1, 'cash', 5), (2, 'revenue', -5)) AS p (n, a, x)`,
      [customerId],
    );
  } finally {
    await client.query('RESET session_replication_role');
    client.release();
  }
  const found = await journal.check(null);
  expect(found.map(({ model, account, expected, found: is }) => [model.slice(0, 8), account, expected, is])).toEqual([
    ['account_', 'cash', { debit: '5', credit: '0' }, { debit: '0', credit: '0' }],
    ['account_', 'revenue', { debit: '0', credit: '6' }, { debit: '0', credit: '1' }],
    ['snapshot', 'cash', { debit: '5', credit: '0' }, { debit: '0', credit: '0' }],
    ['snapshot', 'revenue', { debit: '0', credit: '6' }, { debit: '0', credit: '1' }],
  ]);
});
