/** Balances: the read model, the books at a moment of the past, holding both against the journal, making the read model again. */
import type { DecimalString } from '../domain/values.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import { journalHorizon } from './journal-lock.js';
import { partsOf, sumsSql } from './journal-moments.js';
import type { Queryable } from './journal-moments.js';
import { snapshotDifferences } from './journal-snapshots.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import type {
  AccountBalance,
  BalanceDifference,
  CustomerBalance,
  JournalStore,
  LedgerMoment,
  Rebuilt,
  TrialBalanceRow,
} from './types.js';

type BalanceReads = Pick<
  JournalStore,
  'accounts' | 'trialBalance' | 'balances' | 'balancesAt' | 'horizon' | 'check' | 'rebuild'
>;

export function createBalanceReads(db: Database): BalanceReads {
  return {
    accounts: async (at) => {
      const rows = await trialBalance(db, at);
      const { rows: all } = await db.pool.query<{ account: string; name: string; kind: string }>(
        'SELECT account, name, kind FROM ledger_accounts ORDER BY account',
      );
      return all.map((account) => ({
        ...account,
        balances: rows
          .filter((row) => row.account === account.account)
          .map(({ currency, balance: amount }) => ({ currency, amount })),
      }));
    },
    trialBalance: (at) => trialBalance(db, at),
    balances: (filter, page) => listBalances(db, filter, page),
    balancesAt: (customerId, at) => balancesAt(db, customerId, at),
    horizon: async () => (await journalHorizon(db)).throughEntry,
    check: async (customerIds) => {
      const found = await balanceDifferences(db, customerIds);
      return customerIds === null ? [...found, ...(await snapshotDifferences(db))] : found;
    },
    rebuild: () => rebuild(db),
  };
}

const keys = 'account, currency';

/** What is asked for by the clock waits for whoever is posting: the same question later has the same answer. */
async function settled(db: Database, moment: LedgerMoment): Promise<void> {
  if (!('postedThrough' in moment)) await journalHorizon(db);
}

async function trialBalance(db: Database, moment: LedgerMoment | undefined): Promise<readonly TrialBalanceRow[]> {
  if (moment === undefined) {
    const { rows } = await db.pool.query<TrialBalanceRow>(
      `SELECT ${keys}, sum(debit) AS debit, sum(credit) AS credit, sum(debit) - sum(credit) AS balance
       FROM account_balances GROUP BY ${keys} ORDER BY ${keys}`,
    );
    return rows;
  }
  await settled(db, moment);
  const parts = await partsOf(db.pool, moment);
  const sums = sumsSql(parts, keys, null);
  const { rows } = await db.pool.query<TrialBalanceRow>(
    `SELECT *, debit - credit AS balance FROM (${sums}) AS s ORDER BY ${keys}`,
    [...parts.params.values],
  );
  return rows;
}

async function balancesAt(db: Database, customerId: string, moment: LedgerMoment): Promise<readonly CustomerBalance[]> {
  await settled(db, moment);
  const parts = await partsOf(db.pool, moment);
  const customer = parts.params.add(customerId, 'text');
  const { rows } = await db.pool.query<Omit<CustomerBalance, 'customerId'>>(
    `SELECT *, debit - credit AS balance FROM (${sumsSql(parts, keys, customer)}) AS s ORDER BY ${keys}`,
    [...parts.params.values],
  );
  return rows.map((row) => ({ customerId, ...row }));
}

interface BalanceRow extends Omit<AccountBalance, 'customerId'> {
  readonly customer_id: string;
}

async function listBalances(
  db: Database,
  filter: Parameters<JournalStore['balances']>[0],
  page: Parameters<JournalStore['balances']>[1],
): ReturnType<JournalStore['balances']> {
  const list = 'account-balances';
  const params = new SqlParameters();
  const conditions = ['true'];
  if (filter.customerId !== undefined) conditions.push(`customer_id = ${params.add(filter.customerId, 'text')}`);
  if (filter.account !== undefined) conditions.push(`account = ${params.add(filter.account, 'text')}`);
  if (filter.currency !== undefined) conditions.push(`currency = ${params.add(filter.currency, 'text')}`);
  const after = decodeCursor(page, list, [cursorPart.text, cursorPart.text, cursorPart.text]);
  if (after !== null) {
    const place = after.map((part) => params.add(part, 'text')).join(', ');
    conditions.push(`(customer_id, account, currency) > (${place})`);
  }
  const { rows } = await db.pool.query<BalanceRow>(
    `SELECT *, debit - credit AS balance FROM account_balances WHERE ${conditions.join(' AND ')}
     ORDER BY customer_id, account, currency LIMIT ${params.add(page.limit + 1, 'int')}`,
    [...params.values],
  );
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.customer_id, row.account, row.currency]),
    ({ customer_id: customerId, ...row }) => ({ customerId, ...row }),
  );
}

interface DifferenceRow {
  readonly customer_id: string;
  readonly account: string;
  readonly currency: string;
  readonly debit: DecimalString;
  readonly credit: DecimalString;
  readonly found_debit: DecimalString;
  readonly found_credit: DecimalString;
  /** null: there is no row. */
  readonly version: number | null;
  /** Whether the journal knows the account of the customer. */
  readonly posted: boolean;
}

/** One statement: balances and the postings that they stand for were committed together. $1: customers, or NULL. */
const differencesSql = `
  SELECT coalesce(j.customer_id, b.customer_id) AS customer_id, coalesce(j.account, b.account) AS account,
    coalesce(j.currency, b.currency) AS currency, coalesce(j.debit, 0) AS debit, coalesce(j.credit, 0) AS credit,
    coalesce(b.debit, 0) AS found_debit, coalesce(b.credit, 0) AS found_credit, b.version, j.account IS NOT NULL AS posted
  FROM (
    SELECT e.customer_id, p.account, p.currency, coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0) AS debit,
      coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0) AS credit
    FROM journal_entries e JOIN postings p USING (entry_id)
    WHERE $1::text[] IS NULL OR e.customer_id = ANY ($1) GROUP BY 1, 2, 3) AS j
  FULL JOIN (SELECT * FROM account_balances WHERE $1::text[] IS NULL OR customer_id = ANY ($1)) AS b
    USING (customer_id, account, currency)
  WHERE j.debit IS DISTINCT FROM b.debit OR j.credit IS DISTINCT FROM b.credit
  ORDER BY 1, 2, 3`;

async function differencesOf(db: Queryable, customerIds: readonly string[] | null): Promise<readonly DifferenceRow[]> {
  const { rows } = await db.query<DifferenceRow>(differencesSql, [customerIds]);
  return rows;
}

async function balanceDifferences(
  db: Database,
  customerIds: readonly string[] | null,
): Promise<readonly BalanceDifference[]> {
  return (await differencesOf(db.pool, customerIds)).map(differenceFromDb);
}

function differenceFromDb(row: DifferenceRow): BalanceDifference {
  return {
    model: 'account_balances',
    customerId: row.customer_id,
    account: row.account,
    currency: row.currency,
    expected: { debit: row.debit, credit: row.credit },
    found: { debit: row.found_debit, credit: row.found_credit },
  };
}

const customersAtOnce = 500;
const attemptsWithoutLock = 2;

/**
 * Customer by customer, and without a lock: where a writer has come in between, the row has another version, and the customers are
 * read again. Whose writers come too often is read once more while those wait.
 */
async function rebuild(db: Database): Promise<Rebuilt> {
  let customers = 0;
  const corrected: BalanceDifference[] = [];
  const unresolved: BalanceDifference[] = [];
  for (let after = '', more = true; more;) {
    const { rows } = await db.pool.query<{ readonly customer_id: string }>(
      'SELECT customer_id FROM customers WHERE customer_id > $1 ORDER BY customer_id LIMIT $2',
      [after, customersAtOnce],
    );
    const ids = rows.map((row) => row.customer_id);
    let left: readonly string[] = ids;
    for (let attempt = 1; left.length > 0 && attempt <= attemptsWithoutLock; attempt += 1) {
      const { done, missed } = await correct(db.pool, left);
      for (const difference of done) corrected.push(difference);
      left = [...new Set(missed.map(({ customerId }) => customerId))];
    }
    for (const customerId of left) {
      const { done, missed } = await correctLocked(db, customerId);
      for (const difference of done) corrected.push(difference);
      for (const difference of missed) unresolved.push(difference);
    }
    customers += ids.length;
    after = ids.at(-1) ?? after;
    more = ids.length === customersAtOnce;
  }
  return { customers, corrected, unresolved };
}

interface Corrected {
  readonly done: readonly BalanceDifference[];
  readonly missed: readonly BalanceDifference[];
}

/** With the lock that writers of the customer take: they wait, and what they have posted is not seen yet, nor in the balances. */
function correctLocked(db: Database, customerId: string): Promise<Corrected> {
  return db.transaction(async (client) => {
    await client.query('SELECT FROM customers WHERE customer_id = $1 FOR NO KEY UPDATE', [customerId]);
    return correct(client, [customerId]);
  });
}

async function correct(db: Queryable, customerIds: readonly string[]): Promise<Corrected> {
  const done: BalanceDifference[] = [];
  const missed: BalanceDifference[] = [];
  for (const row of await differencesOf(db, customerIds)) {
    const list = (await correctRow(db, row)) ? done : missed;
    list.push(differenceFromDb(row));
  }
  return { done, missed };
}

/** @returns whether the row was still the one that was read */
async function correctRow(db: Queryable, row: DifferenceRow): Promise<boolean> {
  const key = [row.customer_id, row.account, row.currency];
  const where = 'customer_id = $1 AND account = $2 AND currency = $3 AND version = $4';
  if (!row.posted) {
    const { rowCount } = await db.query(`DELETE FROM account_balances WHERE ${where}`, [...key, row.version]);
    return rowCount === 1;
  }
  const { rowCount } =
    row.version === null
      ? await db.query(
          `INSERT INTO account_balances (customer_id, account, currency, debit, credit, version)
           VALUES ($1, $2, $3, $4, $5, 1) ON CONFLICT DO NOTHING`,
          [...key, row.debit, row.credit],
        )
      : await db.query(`UPDATE account_balances SET debit = $5, credit = $6, version = version + 1 WHERE ${where}`, [
          ...key,
          row.version,
          row.debit,
          row.credit,
        ]);
  return rowCount === 1;
}
