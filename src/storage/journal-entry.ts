/** One entry of the journal, by what was posted. */
import { entryFromDb, type PostingRow, type StoredEntryRow } from './journal-mapping.js';
import type { Queryable } from './journal-moments.js';
import type { StoredEntry } from './types.js';

export async function findEntry(db: Queryable, sourceDocument: string): Promise<StoredEntry | null> {
  const { rows } = await db.query<StoredEntryRow>('SELECT * FROM journal_entries WHERE source_document = $1', [
    sourceDocument,
  ]);
  const [row] = rows;
  if (row === undefined) return null;
  const postings = await db.query<PostingRow>('SELECT * FROM postings WHERE entry_id = $1 ORDER BY posting_number', [
    row.entry_id,
  ]);
  return entryFromDb(row, postings.rows);
}
