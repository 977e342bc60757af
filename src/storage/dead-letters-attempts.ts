/** What is begun in place of a dead letter before it is sent, under a lock of its row: one content at a time. */
import type pg from 'pg';
import { DomainFailure } from '../domain/failure.js';
import type { Instant } from '../domain/values.js';
import type { AttemptBegun, NewAttempt } from './types.js';

/** Its last decision settles it; null and what does not settle leave it open. Follows a FROM with `dead_letters l`. */
export const lastSettlingSql = `(SELECT d.decision FROM dead_letter_decisions d WHERE d.dead_letter_id = l.dead_letter_id
    AND d.outcome IS DISTINCT FROM 'rejected' ORDER BY d.sequence DESC LIMIT 1)`;
export const isSettledSql = `coalesce(${lastSettlingSql} <> 'reopened', false)`;

/**
 * One decision about a dead letter at a time. The row is locked, not changed; it is looked at in a statement of its own, which
 * sees what was decided while it waited.
 * @throws DomainFailure DEAD_LETTER_NOT_FOUND
 */
export async function isSettledWhenLocked(client: pg.ClientBase, deadLetterId: string): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'dead-letter-lock',
    text: 'SELECT FROM dead_letters WHERE dead_letter_id = $1 FOR NO KEY UPDATE',
    values: [deadLetterId],
  });
  if (rowCount !== 1) throw notFound(deadLetterId);
  const { rows } = await client.query<{ readonly settled: boolean }>({
    name: 'dead-letter-settled',
    text: `SELECT ${isSettledSql} AS settled FROM dead_letters l WHERE l.dead_letter_id = $1`,
    values: [deadLetterId],
  });
  return rows[0]?.settled === true;
}

function notFound(deadLetterId: string): DomainFailure {
  return new DomainFailure('DEAD_LETTER_NOT_FOUND', `There is no dead letter "${deadLetterId}".`);
}

/** Postgres has no NUL in a text; what cannot be taken may have it anywhere, and is kept all the same, visibly escaped. */
export function storable(text: string | null): string | null {
  return text?.replaceAll('\u0000', '\\u0000') ?? null;
}

/** An attempt of which nobody knows yet what became of it. */
export interface OpenAttempt {
  readonly sequence: number;
  readonly payload: string | null;
  readonly attemptedBy: string;
  readonly attemptedAt: Instant;
  readonly reason: string | null;
}

/** The attempts that no decision has settled, oldest first: they have one content. Under the row's lock. */
async function openAttempts(client: pg.ClientBase, deadLetterId: string): Promise<readonly OpenAttempt[]> {
  const { rows } = await client.query<OpenAttempt>({
    name: 'dead-letter-open-attempts',
    text: `SELECT sequence, payload, attempted_by AS "attemptedBy", attempted_at AS "attemptedAt", reason
      FROM dead_letter_attempts WHERE dead_letter_id = $1 AND sequence > coalesce(
        (SELECT max(d.attempt) FROM dead_letter_decisions d WHERE d.dead_letter_id = $1), 0) ORDER BY sequence`,
    values: [deadLetterId],
  });
  return rows;
}

/** Under the row's lock. */
export async function openAttempt(client: pg.ClientBase, deadLetterId: string): Promise<OpenAttempt | undefined> {
  return (await openAttempts(client, deadLetterId))[0];
}

interface By {
  readonly attemptedBy: string;
  readonly reason: string | null;
}

/** Locks in the order of the key, as whoever stores dead letters does. */
export async function beginAttempts(
  client: pg.ClientBase,
  attempts: readonly NewAttempt[],
  by: By,
): Promise<readonly AttemptBegun[]> {
  const begun = new Map<string, AttemptBegun>();
  for (const attempt of [...attempts].sort((a, b) => (a.deadLetterId < b.deadLetterId ? -1 : 1))) {
    begun.set(attempt.deadLetterId, await begin(client, attempt, by));
  }
  return attempts.flatMap(({ deadLetterId }) => begun.get(deadLetterId) ?? []);
}

async function begin(client: pg.ClientBase, { deadLetterId, ...asked }: NewAttempt, by: By): Promise<AttemptBegun> {
  if (await isSettledWhenLocked(client, deadLetterId)) return { kind: 'settled' };
  const open = await openAttempts(client, deadLetterId);
  const [first] = open;
  const payload = asked.payload === undefined ? (first?.payload ?? null) : storable(asked.payload);
  if (first !== undefined && first.payload !== payload) {
    return { kind: 'other', attemptedBy: first.attemptedBy, attemptedAt: first.attemptedAt };
  }
  const own = open.find(({ attemptedBy, reason }) => attemptedBy === by.attemptedBy && reason === by.reason);
  if (own !== undefined) return { kind: 'begun', attempt: own.sequence, payload };
  const { rows } = await client.query<{ readonly sequence: number }>({
    name: 'dead-letter-attempt',
    text: `INSERT INTO dead_letter_attempts (dead_letter_id, sequence, payload, attempted_by, reason)
      SELECT $1, coalesce(max(sequence), 0) + 1, $2, $3, $4 FROM dead_letter_attempts WHERE dead_letter_id = $1
      RETURNING sequence`,
    values: [deadLetterId, payload, by.attemptedBy, by.reason],
  });
  return { kind: 'begun', attempt: rows[0]?.sequence ?? 0, payload };
}
