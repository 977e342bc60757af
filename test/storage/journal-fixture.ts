/** Entries of every kind of customer, posted as the gate posts them, and the journal added up the slow way. */
import { addDecimals, decimal, toDecimalString } from '../../src/domain/decimal.js';
import { groupBy } from '../../src/domain/group-by.js';
import type { JournalEntry, LedgerAccount, Posting } from '../../src/domain/ledger/journal.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';
import type { Database } from '../../src/storage/database.js';
import { GateWrites } from '../../src/storage/gate-writes.js';
import { entryToDb } from '../../src/storage/journal-mapping.js';
import type { CustomerBalance, JournalStore, TrialBalanceRow } from '../../src/storage/types.js';

export interface EntryFacts {
  readonly customerId: string;
  readonly id: string;
  /** Of accounts_receivable, positive or negative; the other side is `against`. */
  readonly cents: number;
  readonly against?: LedgerAccount;
  readonly currency?: string;
  readonly postingDate?: string;
  readonly product?: string;
}

export function entryOf(facts: EntryFacts): JournalEntry {
  const { customerId, id, cents, against = 'revenue', currency = 'USD', postingDate = '2024-01-31' } = facts;
  const amount = toDecimalString(decimal(String(cents) as DecimalString).dividedBy(100));
  const posting = (account: LedgerAccount, of: DecimalString): Posting => ({
    account,
    lineItemId: null,
    currency,
    amount: of,
    ...(facts.product !== undefined && account === against && { product: facts.product }),
  });
  const negated = toDecimalString(decimal(amount).negated());
  return {
    sourceDocument: `test/${id}`,
    customerId,
    invoiceId: null,
    postingDate: postingDate as LocalDate,
    serviceFrom: '2024-01-01T00:00:00.000000Z' as Instant,
    serviceTo: '2024-02-01T00:00:00.000000Z' as Instant,
    description: `Test ${id}`,
    postings: [posting('accounts_receivable', amount), posting(against, negated)],
  };
}

/** In one transaction. */
export async function post(db: Database, ...entries: readonly EntryFacts[]): Promise<void> {
  await db.transaction(async (client) => {
    const writes = new GateWrites();
    for (const entry of entries) writes.entries.push(entryToDb(entryOf(entry)));
    await writes.flush(client);
  });
}

interface NaiveRow {
  readonly customer_id: string;
  readonly account: string;
  readonly currency: string;
  readonly amount: DecimalString;
  readonly entry_order: string;
  readonly posting_date: LocalDate;
  readonly created_at: Instant;
}

/** Every posting, one by one, that the condition takes. */
export async function naiveBalances(
  db: Database,
  takes: (row: NaiveRow) => boolean = () => true,
): Promise<readonly CustomerBalance[]> {
  const { rows } = await db.pool.query<NaiveRow>(
    `SELECT e.customer_id, p.account, p.currency, p.amount, e.entry_order, e.posting_date, e.created_at
     FROM journal_entries e JOIN postings p USING (entry_id)`,
  );
  const byKey = groupBy(rows.filter(takes), (row) => JSON.stringify([row.customer_id, row.account, row.currency]));
  return [...byKey.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, own]) => {
      const [customerId, account, currency] = JSON.parse(key) as [string, string, string];
      return { customerId, account, currency, ...sumsOf(own.map(({ amount }) => amount)) };
    });
}

function sumsOf(amounts: readonly DecimalString[]): Pick<TrialBalanceRow, 'debit' | 'credit' | 'balance'> {
  const isDebit = (amount: DecimalString): boolean => decimal(amount).greaterThan(0);
  const debit = addDecimals(amounts.filter(isDebit));
  const credit = toDecimalString(decimal(addDecimals(amounts.filter((amount) => !isDebit(amount)))).negated());
  return { debit, credit, balance: toDecimalString(decimal(debit).minus(decimal(credit))) };
}

/** Those of all customers together. */
export function trialOf(balances: readonly CustomerBalance[]): readonly TrialBalanceRow[] {
  const byKey = groupBy(balances, (row) => JSON.stringify([row.account, row.currency]));
  return [...byKey.values()]
    .map((own) => ({
      account: own[0].account,
      currency: own[0].currency,
      debit: addDecimals(own.map(({ debit }) => debit)),
      credit: addDecimals(own.map(({ credit }) => credit)),
      balance: addDecimals(own.map(({ balance }) => balance)),
    }))
    .sort((a, b) => (a.account + a.currency < b.account + b.currency ? -1 : 1));
}

/** By value: how many zeros `numeric` keeps after the point says nothing. */
export function byValue<T extends Pick<TrialBalanceRow, 'debit' | 'credit' | 'balance'>>(rows: readonly T[]): T[] {
  const plain = (value: DecimalString): DecimalString => toDecimalString(decimal(value));
  return rows.map((row) => ({
    ...row,
    debit: plain(row.debit),
    credit: plain(row.credit),
    balance: plain(row.balance),
  }));
}

export async function allBalances(journal: JournalStore): Promise<readonly CustomerBalance[]> {
  const rows: CustomerBalance[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await journal.balances({}, { limit: 100, ...(cursor !== undefined && { cursor }) });
    rows.push(...page.data.map(({ version: _version, ...row }) => row));
    if (page.nextCursor === null) return rows;
    cursor = page.nextCursor;
  }
}
