/** The first answer to a request that carried an Idempotency-Key (control rows). */
import type { Database } from './database.js';
import type { IdempotencyStart, IdempotencyStore } from './types.js';

/** Longer than any request may take: after it, a request without an answer is taken for dead, and a repeat may begin. */
const lockSeconds = 120;
/** The contract says at least 24 h. */
const keptHours = 48;
const purgeEveryMs = 3_600_000;

interface KeyRow {
  readonly fingerprint: string;
  readonly response_status: number | null;
  readonly response_body: string | null;
}

const take = `
  INSERT INTO idempotency_keys AS k (scope, key, fingerprint, locked_until)
  VALUES ($1, $2, $3, now() + make_interval(secs => ${lockSeconds}))
  ON CONFLICT (scope, key) DO UPDATE SET locked_until = excluded.locked_until
    WHERE k.fingerprint = excluded.fingerprint AND k.response_status IS NULL AND k.locked_until < now()`;

export function createIdempotencyStore(db: Database): IdempotencyStore {
  let purgeDue = Date.now() + purgeEveryMs;
  return {
    start: async (scope, key, fingerprint) => {
      if (Date.now() > purgeDue) {
        purgeDue = Date.now() + purgeEveryMs;
        await purge(db);
      }
      return start(db, [scope, key, fingerprint]);
    },
    finish: async (scope, key, status, body) => {
      await db.pool.query(
        `UPDATE idempotency_keys SET response_status = $3, response_body = $4, locked_until = NULL
          WHERE scope = $1 AND key = $2 AND response_status IS NULL`,
        [scope, key, status, body],
      );
    },
    release: async (scope, key) => {
      await db.pool.query('DELETE FROM idempotency_keys WHERE scope = $1 AND key = $2 AND response_status IS NULL', [
        scope,
        key,
      ]);
    },
  };
}

async function start(db: Database, key: readonly [string, string, string]): Promise<IdempotencyStart> {
  const [scope, name, fingerprint] = key;
  for (;;) {
    const taken = await db.pool.query({ name: 'idempotency-start', text: take, values: [...key] });
    if (taken.rowCount === 1) return { kind: 'started' };
    const { rows } = await db.pool.query<KeyRow>(
      'SELECT fingerprint, response_status, response_body FROM idempotency_keys WHERE scope = $1 AND key = $2',
      [scope, name],
    );
    const [row] = rows;
    // Released between the two statements: the key is free.
    if (row === undefined) continue;
    if (row.fingerprint !== fingerprint) return { kind: 'reused' };
    if (row.response_status === null) return { kind: 'in_flight' };
    return { kind: 'replay', status: row.response_status, body: row.response_body ?? '' };
  }
}

async function purge(db: Database): Promise<void> {
  await db.pool.query('DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1)', [
    keptHours,
  ]);
}
