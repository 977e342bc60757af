/** Accounting months: closed in order, for ever, also while gates issue. */
import type { LocalDate } from '../../src/domain/values.js';
import { createJournalStore } from '../../src/storage/journal.js';
import type { BillingPeriod, JournalStore } from '../../src/storage/types.js';
import { createGateFixture, eventsOf, type GateFixture, issue } from './gate-fixture.js';
import { naiveBalances, post } from './journal-fixture.js';

let fixture: GateFixture;
let journal: JournalStore;
beforeEach(async () => {
  fixture = await createGateFixture();
  journal = createJournalStore(fixture.db);
});
afterEach(() => fixture.close());

const close = (month: string, reason = 'month end') =>
  journal.closeMonth({ month: `${month}-01` as LocalDate, reason, closedBy: 'ann' });

interface EntryRow {
  readonly source_document: string;
  readonly posting_date: LocalDate;
  readonly entry_order: string;
}
async function entries(): Promise<readonly EntryRow[]> {
  const { rows } = await fixture.db.pool.query<EntryRow>(
    'SELECT source_document, posting_date, entry_order FROM journal_entries ORDER BY entry_order',
  );
  return rows;
}

test('months are closed one after the other, with who and why', async () => {
  expect(await journal.closings()).toEqual([]);
  await close('2024-01');
  await expect(close('2024-03')).rejects.toMatchObject({ code: 'ACCOUNTING_MONTH_OUT_OF_ORDER' });
  await expect(close('2024-01')).rejects.toMatchObject({ code: 'ACCOUNTING_MONTH_CLOSED' });
  await expect(close('2023-12')).rejects.toMatchObject({ code: 'ACCOUNTING_MONTH_CLOSED' });
  await close('2024-02', 'late');
  expect(await journal.closings()).toMatchObject([
    { month: '2024-02-01', reason: 'late', closedBy: 'ann' },
    { month: '2024-01-01', reason: 'month end', throughEntry: '0' },
  ]);
});

test('no month is closed before it is over everywhere, whoever closes it', async () => {
  const { rows } = await fixture.db.pool.query<{ this: string; last: string }>(
    `SELECT to_char(now(), 'YYYY-MM') AS this, to_char(now() AT TIME ZONE 'UTC' - interval '12 hours 1 month', 'YYYY-MM') AS last`,
  );
  const { this: current = '', last = '' } = rows[0] ?? {};
  const insert = (month: string) =>
    fixture.db.pool.query(
      `INSERT INTO accounting_month_closings (month, through_entry, reason, closed_by) VALUES ($1, 0, 'a mistake', 'ann')`,
      [`${month}-01`],
    );
  for (const month of ['2090-01', current])
    await expect(insert(month)).rejects.toMatchObject({ code: '23514', constraint: 'accounting_month_closings_over' });
  await expect(close('2090-01')).rejects.toMatchObject({
    code: 'ACCOUNTING_MONTH_NOT_OVER',
    detail: '2090-01 is over everywhere at 2090-02-01T12:00:00.000000Z; it can be closed then.',
  });
  await close(last);
});

test('whoever closes at the same time: one does, the others are told', async () => {
  const settled = await Promise.allSettled(Array.from({ length: 6 }, () => close('2024-01')));
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const each of settled)
    if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'ACCOUNTING_MONTH_CLOSED' });
});

test('what would be posted in a closed month is posted on the first day of the first open one, and the database refuses the rest', async () => {
  const customerId = await fixture.addCustomer();
  await close('2024-01');
  await close('2024-02');
  await post(fixture.db, { customerId, id: 'late', cents: 100, postingDate: '2024-01-31' });
  await post(fixture.db, { customerId, id: 'in time', cents: 100, postingDate: '2024-03-20' });
  expect((await entries()).map((row) => [row.source_document, row.posting_date])).toEqual([
    ['test/late', '2024-03-01'],
    ['test/in time', '2024-03-20'],
  ]);
  const { data } = await journal.entries({ customerId }, { limit: 1 });
  expect(data[0]).toMatchObject({ postingDate: '2024-03-01', serviceFrom: '2024-01-01T00:00:00.000000Z' });
  for (const day of ['2024-02-29', '2024-01-01', '2019-05-05']) {
    const refused = fixture.db.pool.query(
      `INSERT INTO journal_entries (entry_id, customer_id, source_document, posting_date, service_from, service_to, description)
       VALUES (gen_random_uuid(), $1, 'test/refused', $2, '2024-01-01', '2024-02-01', '')`,
      [customerId, day],
    );
    await expect(refused).rejects.toMatchObject({ code: '23514', constraint: 'journal_entries_open_month' });
  }
});

test('a month that is closed while gates issue: every document is issued, and nothing is posted in the month afterwards', async () => {
  const periods: BillingPeriod[] = [];
  for (let index = 0; index < 30; index += 1) {
    const customerId = await fixture.addCustomer();
    const { event } = eventsOf(customerId);
    await fixture.append([event(`e${index}`, '2024-01-10T10:00:00Z')]);
    periods.push(await fixture.addPeriod(customerId));
  }
  const issuing = periods.map((of) => fixture.billing.atGate(of, (gate) => issue(gate, of)));
  const closing = Promise.all(issuing.slice(0, 4)).then(() => close('2024-02'));
  const issued = await Promise.all(issuing);
  const { throughEntry } = await closing;
  expect(issued.filter((invoice) => invoice !== null)).toHaveLength(periods.length);
  const all = await entries();
  expect(all).toHaveLength(periods.length);
  for (const { posting_date: day, entry_order: order } of all)
    expect([order, day]).toEqual([order, BigInt(order) <= BigInt(throughEntry) ? '2024-02-01' : '2024-03-01']);
  await journal.takeMonthSnapshots('ann');
  const inMonth = await naiveBalances(fixture.db, (row) => row.posting_date <= '2024-02-29');
  expect(inMonth.length).toBeLessThan(2 * periods.length + 1);
  expect(await journal.check(null)).toEqual([]);
});

/** Until the closing stands in the queue for the lock. */
async function closingWaits(): Promise<void> {
  for (;;) {
    const { rowCount } = await fixture.db.pool.query(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    if (rowCount !== 0) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('a closing waits for an entry of the month that is not committed yet, and has it', async () => {
  const customerId = await fixture.addCustomer();
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let posted = (): void => undefined;
  const isPosted = new Promise<void>((resolve) => (posted = resolve));
  const slow = fixture.db.transaction(async (client) => {
    await client.query(
      `INSERT INTO journal_entries (entry_id, customer_id, source_document, posting_date, service_from, service_to, description)
       VALUES (gen_random_uuid(), $1, 'test/slow', '2024-01-31', '2024-01-01', '2024-02-01', '')`,
      [customerId],
    );
    posted();
    await held;
  });
  await isPosted;
  const closing = close('2024-01');
  await closingWaits();
  // Asked for after the closing: waits behind it, and finds the month closed.
  const late = post(fixture.db, { customerId, id: 'late', cents: 100, postingDate: '2024-01-31' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await journal.closings()).toEqual([]);
  release();
  const [, { throughEntry }] = await Promise.all([slow, closing, late]);
  const all = await entries();
  expect(all.map((row) => [row.source_document, row.posting_date, row.entry_order === throughEntry])).toEqual([
    ['test/slow', '2024-01-31', true],
    ['test/late', '2024-02-01', false],
  ]);
});
