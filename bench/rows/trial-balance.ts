import { createStorage } from '../../src/storage/index.js';
import { compare } from '../lib/measure.js';
import type { BenchDatabase } from '../lib/cluster.js';
import type { Row } from './row.js';

/** Fewer with `--stored`. */
const postingsMax = 1_000_000;
const customers = 1_000;
/** Entries of one statement: each keeps the balances of its customers. */
const entriesAtOnce = 20_000;
const postingsAnEntry = 4;
const months = 12;

/** Of every account and currency together, from the rows themselves: no snapshot, no read model, no month. */
const bare = `SELECT account, currency, sum(amount) FILTER (WHERE amount > 0) AS debit, -sum(amount) FILTER (WHERE amount < 0) AS credit
  FROM postings GROUP BY account, currency ORDER BY account, currency`;

/** A year of invoices with three lines each, posted as gates post them: with triggers and constraints. */
async function fill({ pool }: BenchDatabase, postings: number): Promise<void> {
  await pool.query(
    `INSERT INTO customers (customer_id, partition) SELECT 'bench_' || n, n % 64 FROM generate_series(0, $1::int - 1) AS n`,
    [customers],
  );
  const entries = postings / postingsAnEntry;
  for (let from = 0; from < entries; from += entriesAtOnce) {
    await pool.query(
      `WITH made AS MATERIALIZED (
         SELECT n, md5('entry/' || n)::uuid AS entry_id, date '2024-01-01' + (n * 365.0 / $3)::int AS day FROM generate_series($1::int, $2::int - 1) AS n),
       e AS (
         INSERT INTO journal_entries (entry_id, customer_id, source_document, posting_date, service_from, service_to, description)
         SELECT entry_id, 'bench_' || n % ${customers}, 'bench/' || n, day, day, day + 30, 'Invoice ' || n FROM made)
       INSERT INTO postings (posting_id, entry_id, posting_number, account, currency, amount, product)
       SELECT md5('posting/' || n || '/' || p)::uuid, entry_id, p, CASE p WHEN 1 THEN 'accounts_receivable' WHEN 4 THEN 'deferred_revenue' ELSE 'revenue' END,
         'USD', CASE p WHEN 1 THEN 3 * (n % 1000 + 1) ELSE -(n % 1000 + 1) END * 0.01, CASE p WHEN 1 THEN NULL ELSE 'product ' || p END
       FROM made CROSS JOIN generate_series(1, ${postingsAnEntry}) AS p`,
      [from, Math.min(from + entriesAtOnce, entries), entries],
    );
  }
}

/** The trial balance now, at the end of a closed month, and in the middle of one, against adding up all postings. */
export const trialBalance: Row = {
  name: 'trial-balance',
  measure: async ({ cluster, rounds, stored }) => {
    const postings = Math.min(stored, postingsMax);
    const database = await cluster.newDatabase();
    await fill(database, postings);
    const storage = createStorage(database.url);
    for (let month = 1; month < months; month += 1) {
      const closing = { month: `2024-${String(month).padStart(2, '0')}-01`, reason: 'bench', closedBy: 'bench' };
      await storage.journal.closeMonth(closing as Parameters<typeof storage.journal.closeMonth>[0]);
    }
    await storage.journal.takeMonthSnapshots('bench');
    await database.pool.query('VACUUM (ANALYZE)');
    const moments = [
      ['now', undefined],
      ['at the end of a closed month', { postedThrough: '2024-06-30' }],
      ['in the middle of a month', { postedThrough: '2024-10-15' }],
    ] as const;
    const results = [];
    for (const [name, moment] of moments) {
      results.push(
        await compare({
          row: `trial balance over ${postings.toLocaleString('en')} postings of ${customers} customers, ${name}`,
          unit: 'trial balances',
          ours: {
            name: 'journal.trialBalance',
            prepare: () =>
              Promise.resolve(async () => {
                await storage.journal.trialBalance(moment as Parameters<typeof storage.journal.trialBalance>[0]);
                return 1;
              }),
          },
          limit: {
            name: 'bare GROUP BY of all postings',
            prepare: () =>
              Promise.resolve(async () => {
                await database.pool.query(bare);
                return 1;
              }),
          },
          rounds,
          target: { atLeast: 2 },
        }),
      );
    }
    const differences = await storage.journal.check(null);
    if (differences.length > 0) throw new Error(`${differences.length} balances differ from the journal`);
    await storage.close();
    return results;
  },
};
