/** What could not be taken, kept with its reason. */
import type pg from 'pg';
import { cursorPart, decodeCursor, pageOf } from './paging.js';
import type { Database } from './database.js';
import { uuidOf } from './identifiers.js';
import type { DeadLetter, Page, PageRequest } from './types.js';

export type NewDeadLetter = Omit<DeadLetter, 'deadLetterId' | 'receivedAt'>;

const insertSql = `
  INSERT INTO dead_letters (dead_letter_id, code, detail, customer_id, event_id, payload)
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
  ON CONFLICT DO NOTHING`;

/** Appends in the caller's transaction. The same payload rejected for the same reason is kept once, however often it is sent. */
export async function insertDeadLetters(client: pg.ClientBase, letters: readonly NewDeadLetter[]): Promise<void> {
  const rows = letters.map((letter) => ({ ...letter, id: uuidOf('dead-letter', letter.code, letter.payload) }));
  // In the order of the key, as for events: transactions with the same letters must meet them in the same order.
  rows.sort((a, b) => (a.id < b.id ? -1 : 1));
  await client.query({
    name: 'dead-letters-insert',
    text: insertSql,
    values: [
      rows.map((row) => row.id),
      rows.map((row) => row.code),
      rows.map((row) => storable(row.detail)),
      rows.map((row) => storable(row.customerId)),
      rows.map((row) => storable(row.eventId)),
      rows.map((row) => storable(row.payload)),
    ],
  });
}

/** Postgres has no NUL in a text; what cannot be taken may have it anywhere, and is kept all the same, visibly escaped. */
function storable(text: string | null): string | null {
  return text?.replaceAll('\u0000', '\\u0000') ?? null;
}

const list = 'dead-letters';

/** Newest first. */
export async function listDeadLetters(db: Database, page: PageRequest): Promise<Page<DeadLetter>> {
  const cursor = decodeCursor(page, list, [cursorPart.position]);
  const { rows } = await db.pool.query<DeadLetter & { readonly order: string }>(
    `SELECT dead_letter_id AS "deadLetterId", code, detail, customer_id AS "customerId", event_id AS "eventId", payload,
            received_at AS "receivedAt", received_order AS "order"
       FROM dead_letters WHERE $1::bigint IS NULL OR received_order < $1 ORDER BY received_order DESC LIMIT $2`,
    [cursor?.[0] ?? null, page.limit + 1],
  );
  const { data, nextCursor } = pageOf(rows, { ...page, list }, (row) => [row.order]);
  return { data: data.map(({ order: _, ...letter }) => letter), nextCursor };
}
