/** The journal. Entries are written at the gate, in the transaction of their document, or where something else is settled. */
import { groupBy } from '../domain/group-by.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import { guarded } from './errors.js';
import { createBalanceReads } from './journal-balances.js';
import { createExports } from './journal-export.js';
import { entryFromDb, type PostingRow, type StoredEntryRow } from './journal-mapping.js';
import { createMonths } from './journal-months.js';
import { createRecognition } from './journal-recognition.js';
import { createSnapshots } from './journal-snapshots.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import type { JournalStore, PageRequest } from './types.js';

export function createJournalStore(db: Database): JournalStore {
  return guarded<JournalStore>({
    entries: (filter, page) => listEntries(db, filter, page),
    ...createBalanceReads(db),
    ...createSnapshots(db),
    ...createMonths(db),
    ...createRecognition(db),
    ...createExports(db),
  });
}

/** In the order in which they were posted. */
async function listEntries(
  db: Database,
  filter: Parameters<JournalStore['entries']>[0],
  page: PageRequest,
): ReturnType<JournalStore['entries']> {
  const params = new SqlParameters();
  const conditions = ['true'];
  if (filter.customerId !== undefined) conditions.push(`customer_id = ${params.add(filter.customerId, 'text')}`);
  if (filter.invoiceId !== undefined) conditions.push(`invoice_id = ${params.add(filter.invoiceId, 'uuid')}`);
  const after = decodeCursor(page, 'journal-entries', [cursorPart.position]);
  if (after !== null) conditions.push(`entry_order > ${params.add(after[0], 'bigint')}`);
  const { rows } = await db.pool.query<StoredEntryRow>(
    `SELECT * FROM journal_entries WHERE ${conditions.join(' AND ')} ORDER BY entry_order LIMIT ${params.add(page.limit + 1, 'int')}`,
    [...params.values],
  );
  const found = pageOf(rows, { ...page, list: 'journal-entries' }, (row) => [row.entry_order]);
  const postings = await db.pool.query<PostingRow>(
    'SELECT * FROM postings WHERE entry_id = ANY ($1::uuid[]) ORDER BY entry_id, posting_number',
    [found.data.map((row) => row.entry_id)],
  );
  const byEntry = groupBy(postings.rows, (row) => row.entry_id);
  return mapPage(found, (row) => entryFromDb(row, byEntry.get(row.entry_id) ?? []));
}
