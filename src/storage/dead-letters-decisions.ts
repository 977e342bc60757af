/** What was decided about dead letters, read and appended under locks of their rows: one decision at a time. */
import type pg from 'pg';
import { DomainFailure } from '../domain/failure.js';
import type { Instant } from '../domain/values.js';
import type { DeadLetterDecision } from './types.js';

/** Its last decision settles it; null and what does not settle leave it open. Follows a FROM with `dead_letters l`. */
export const lastSettlingSql = `(SELECT d.decision FROM dead_letter_decisions d WHERE d.dead_letter_id = l.dead_letter_id
    AND d.outcome IS DISTINCT FROM 'rejected' ORDER BY d.sequence DESC LIMIT 1)`;
export const isSettledSql = `coalesce(${lastSettlingSql} <> 'reopened', false)`;

/**
 * An attempt of before a replay was one transaction (ADR-023): its event may be in the ledger without a decision that says so. The
 * oldest that none has settled, which has the content of all of them. Follows a FROM with `dead_letters l`.
 */
export const begunSql = `(SELECT a FROM dead_letter_attempts a WHERE a.dead_letter_id = l.dead_letter_id AND a.sequence > coalesce(
    (SELECT max(d.attempt) FROM dead_letter_decisions d WHERE d.dead_letter_id = l.dead_letter_id), 0)
  ORDER BY a.sequence LIMIT 1)`;

/** Postgres has no NUL in a text; what cannot be taken may have it anywhere, and is kept all the same, visibly escaped. */
export function storable(text: string | null): string | null {
  return text?.replaceAll('\u0000', '\\u0000') ?? null;
}

export interface LockedLetter {
  readonly settled: boolean;
  /** What `begunSql` finds. */
  readonly begun: {
    readonly payload: string | null;
    readonly attemptedBy: string;
    readonly attemptedAt: Instant;
  } | null;
}

interface LockedRow {
  readonly dead_letter_id: string;
  readonly settled: boolean;
  readonly payload: string | null;
  readonly attempted_by: string | null;
  readonly attempted_at: Instant | null;
}

/**
 * Until the transaction ends nobody else decides about them. The rows are locked, not changed, in the order of the key, as whoever
 * stores dead letters does; they are looked at in a statement of its own, which sees what was decided while it waited.
 * @throws DomainFailure DEAD_LETTER_NOT_FOUND
 */
export async function lockLetters(
  client: pg.ClientBase,
  deadLetterIds: readonly string[],
): Promise<ReadonlyMap<string, LockedLetter>> {
  await client.query({
    name: 'dead-letters-lock',
    text: `SELECT FROM dead_letters WHERE dead_letter_id = ANY ($1::uuid[]) ORDER BY dead_letter_id FOR NO KEY UPDATE`,
    values: [deadLetterIds],
  });
  const { rows } = await client.query<LockedRow>({
    name: 'dead-letters-locked',
    text: `SELECT l.dead_letter_id, ${isSettledSql} AS settled, (b.begun).payload, (b.begun).attempted_by, (b.begun).attempted_at
      FROM dead_letters l CROSS JOIN LATERAL (SELECT ${begunSql} AS begun) AS b WHERE l.dead_letter_id = ANY ($1::uuid[])`,
    values: [deadLetterIds],
  });
  const locked = new Map<string, LockedLetter>();
  for (const { dead_letter_id: id, settled, payload, attempted_by: by, attempted_at: at } of rows) {
    const begun = by === null || at === null ? null : { payload, attemptedBy: by, attemptedAt: at };
    locked.set(id, { settled, begun });
  }
  for (const id of deadLetterIds) if (!locked.has(id)) throw notFound(id);
  return locked;
}

/** @throws DomainFailure DEAD_LETTER_NOT_FOUND */
export async function lockLetter(client: pg.ClientBase, deadLetterId: string): Promise<LockedLetter> {
  const locked = (await lockLetters(client, [deadLetterId])).get(deadLetterId);
  if (locked === undefined) throw notFound(deadLetterId);
  return locked;
}

function notFound(deadLetterId: string): DomainFailure {
  return new DomainFailure('DEAD_LETTER_NOT_FOUND', `There is no dead letter "${deadLetterId}".`);
}

/** Of different dead letters, under their locks: so it settles every attempt that was ever begun. */
export async function appendDecisions(
  client: pg.ClientBase,
  decisions: readonly { readonly deadLetterId: string; readonly decision: DeadLetterDecision }[],
): Promise<void> {
  const replays = decisions.map(({ decision }) => (decision.decision === 'replayed' ? decision : null));
  await client.query({
    name: 'dead-letters-decide',
    text: `INSERT INTO dead_letter_decisions
        (dead_letter_id, sequence, decision, outcome, code, detail, payload, decided_by, reason, attempt)
      SELECT n.id, (SELECT coalesce(max(d.sequence), 0) + 1 FROM dead_letter_decisions d WHERE d.dead_letter_id = n.id),
        n.decision, n.outcome, n.code, n.detail, n.payload, n.decided_by, n.reason,
        (SELECT max(a.sequence) FROM dead_letter_attempts a WHERE a.dead_letter_id = n.id)
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
        AS n (id, decision, outcome, code, detail, payload, decided_by, reason)`,
    values: [
      decisions.map(({ deadLetterId }) => deadLetterId),
      decisions.map(({ decision }) => decision.decision),
      replays.map((replay) => replay?.outcome ?? null),
      replays.map((replay) => replay?.code ?? null),
      replays.map((replay) => storable(replay?.detail ?? null)),
      replays.map((replay) => storable(replay?.payload ?? null)),
      decisions.map(({ decision }) => decision.decidedBy),
      decisions.map(({ decision }) => decision.reason),
    ],
  });
}
