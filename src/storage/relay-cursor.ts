/** The cursor of a relay group, held for a transaction: only the newest epoch's relay may plan by it. */
import type pg from 'pg';
import type { Position } from '../domain/values.js';

/** Another relay of the group holds a newer epoch: this one must end. */
export class RelayFenced extends Error {
  override readonly name = 'RelayFenced';
}

/** A relay group, and the epoch that the caller acquired it with. */
export interface Turn {
  readonly group: string;
  readonly epoch: number;
}

interface CursorRow {
  readonly position: Position;
  readonly epoch: string;
}
const cursorSql = 'SELECT position, epoch FROM relay_cursors WHERE partition_group = $1';

/** @throws RelayFenced */
export async function readCursor(pool: pg.Pool, turn: Turn): Promise<Position> {
  const { rows } = await pool.query<CursorRow>(cursorSql, [turn.group]);
  return fencedCursor(rows[0], turn);
}

/**
 * Locked until the transaction ends: nobody else plans, sets customers aside or takes the group over meanwhile.
 * @throws RelayFenced
 */
export async function lockCursor(client: pg.PoolClient, turn: Turn): Promise<Position> {
  const { rows } = await client.query<CursorRow>(`${cursorSql} FOR UPDATE`, [turn.group]);
  return fencedCursor(rows[0], turn);
}

function fencedCursor(cursor: CursorRow | undefined, { group, epoch }: Turn): Position {
  if (cursor === undefined || Number(cursor.epoch) !== epoch) {
    throw new RelayFenced(`epoch ${epoch} of relay group "${group}" is over: ${cursor?.epoch ?? 'no'} epoch holds it`);
  }
  return cursor.position;
}
