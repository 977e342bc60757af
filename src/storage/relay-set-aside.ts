/**
 * Customers whose facts cannot be planned, because a billing period of theirs cannot be created (unknown to a database that was
 * set back to a state before them, in a time zone that this process does not know, stored periods in the way) or because the
 * statement that plans them refuses a value of theirs. The relay goes on without them. Of each is kept (a control row) up to where all his facts are planned; none of his later ones is, so once the
 * cause is gone they are planned from there on exactly as they would have been.
 */
import type pg from 'pg';
import type { Position } from '../domain/values.js';
import { insertFinding } from './gate-findings.js';
import { lockCursor, type Turn } from './relay-cursor.js';
import { automaticActor } from './types.js';

export interface Unplannable {
  readonly customerId: string;
  /** Why a billing period of the customer could not be created, or his facts not be planned, in the sentence of a finding. */
  readonly reason: string;
}

/** For `Unplannable`: what went wrong, and the words of whoever said so. */
export const periodNotCreated = (reason: string): string => `a billing period cannot be created: ${reason}`;
export const factsRefused = (reason: string): string => `the database refuses to sum it: ${reason}.`;

/** Whose facts are in (from, to]: a decision about a backfill is a fact of all its customers. */
export async function customersBetween(pool: pg.Pool, from: Position, to: Position): Promise<readonly string[]> {
  const { rows } = await pool.query<{ customer_id: string }>(
    `SELECT customer_id FROM telemetry_events WHERE position > $1 AND position <= $2
     UNION SELECT customer_id FROM event_adjustments WHERE position > $1 AND position <= $2
     UNION SELECT b.customer_id FROM backfill_decisions d JOIN backfill_customers b USING (backfill_id)
       WHERE d.position > $1 AND d.position <= $2 ORDER BY 1`,
    [from, to],
  );
  return rows.map((row) => row.customer_id);
}

/**
 * Who was tried in vain is tried again after this, doubled each time; at once where a version of him was stored since, and when a
 * relay begins (which may know more time zones).
 */
const retrySeconds = { first: 60, max: 3_600 };
/** Customers that one call of `plan` looks at again. */
const retriedAtOnce = 20;

/**
 * Whether any of them was not set aside before.
 * @throws RelayFenced; rolls back with the transaction
 */
export async function setAside(client: pg.PoolClient, turn: Turn, customers: readonly Unplannable[]): Promise<boolean> {
  const position = await lockCursor(client, turn);
  let isAnyNew = false;
  for (const { customerId, reason } of customers) {
    const { rowCount } = await client.query(
      `INSERT INTO relay_set_aside AS s (partition_group, customer_id, from_position, reason) VALUES ($1, $2, $3, $4)
       ON CONFLICT (partition_group, customer_id) DO NOTHING`,
      [turn.group, customerId, position, reason],
    );
    if (rowCount === 0) continue;
    isAnyNew = true;
    await insertFinding(client, {
      code: 'USAGE_SET_ASIDE',
      customerId,
      period: null,
      subject: { customer_id: customerId, relay_group: turn.group },
      detail:
        `Usage of customer "${customerId}" after position ${position} is in no billing period yet, because ${reason} ` +
        `It is tried again at least every hour, and comes in by itself once that is mended.`,
    });
  }
  return isAnyNew;
}

/** Whether facts of anybody are to be left out. Inside the transaction that holds the cursor. */
export async function isAnyoneAside(client: pg.PoolClient, group: string): Promise<boolean> {
  const { rows } = await client.query<{ aside: boolean }>(
    'SELECT EXISTS (SELECT FROM relay_set_aside WHERE partition_group = $1) AS aside',
    [group],
  );
  return rows[0]?.aside === true;
}

/** For whoever takes the group over: all are tried again soon. */
export const tryAllAgainSql = `UPDATE relay_set_aside SET tried_at = '-infinity', tries = 1 WHERE partition_group = $1`;

/** Customers to try again now: those not tried for the longest first. */
export async function toTryAgain(pool: pg.Pool, group: string): Promise<readonly string[]> {
  const { rows } = await pool.query<{ customer_id: string }>(
    `SELECT customer_id FROM relay_set_aside s
     WHERE partition_group = $1 AND (
       tried_at <= clock_timestamp() - make_interval(secs => least($2 * 2.0 ^ least(tries - 1, 20), $3))
       OR EXISTS (SELECT FROM customer_versions v WHERE v.customer_id = s.customer_id AND v.learned_at > s.tried_at))
     ORDER BY tried_at, customer_id LIMIT $4`,
    [group, retrySeconds.first, retrySeconds.max, retriedAtOnce],
  );
  return rows.map((row) => row.customer_id);
}

/** It did not help: the customer waits for his next turn. */
export async function triedInVain(pool: pg.Pool, group: string, { customerId, reason }: Unplannable): Promise<void> {
  await pool.query(
    `UPDATE relay_set_aside SET tried_at = clock_timestamp(), tries = tries + 1, reason = $3
     WHERE partition_group = $1 AND customer_id = $2`,
    [group, customerId, reason],
  );
}

/** Up to where the customer's facts are planned; null: he is not set aside (any more). Locked until the transaction ends. */
export async function plannedUpTo(client: pg.PoolClient, group: string, customerId: string): Promise<Position | null> {
  const { rows } = await client.query<{ from_position: Position }>(
    'SELECT from_position FROM relay_set_aside WHERE partition_group = $1 AND customer_id = $2 FOR UPDATE',
    [group, customerId],
  );
  return rows[0]?.from_position ?? null;
}

/** The customer's facts are planned up to there; at the cursor he goes on with everybody else, and his finding is resolved. */
export async function catchUp(
  client: pg.PoolClient,
  { group, customerId }: { readonly group: string; readonly customerId: string },
  { to, cursor }: { readonly to: Position; readonly cursor: Position },
): Promise<void> {
  const key = [group, customerId];
  if (to !== cursor) {
    await client.query(
      'UPDATE relay_set_aside SET from_position = $3 WHERE partition_group = $1 AND customer_id = $2',
      [...key, to],
    );
    return;
  }
  await client.query('DELETE FROM relay_set_aside WHERE partition_group = $1 AND customer_id = $2', key);
  await client.query(
    `INSERT INTO finding_resolutions (finding_id, resolution, reason, resolved_by)
     SELECT f.finding_id, 'fixed', 'Its usage is in its billing periods.', $3 FROM findings f
     WHERE f.code = 'USAGE_SET_ASIDE' AND f.customer_id = $2 AND f.subject ->> 'relay_group' = $1
     ON CONFLICT (finding_id) DO NOTHING`,
    [...key, automaticActor],
  );
}
