/** Findings as rows: code and subject are the identity, so the same one is stored once while it is open. */
import type pg from 'pg';
import { canonicalJson } from './canonical-json.js';
import { uuidOf } from './identifiers.js';
import type { FindingClass, NewFinding } from './types.js';

/** A row of `findings` as JSON. */
export interface FindingRow {
  readonly finding_id: string;
  readonly code: string;
  readonly customer_id: string | null;
  readonly period: string | null;
  readonly subject: NewFinding['subject'];
  readonly detail: string;
  readonly class: FindingClass | null;
}

/**
 * The finding as the row that stands for it now. One that was resolved as fixed and is found again gets an id of its own, so
 * that it shows as open; one that a person has accepted stays accepted.
 */
export async function findingToDb(
  db: pg.Pool | pg.PoolClient,
  { code, customerId, period, subject, detail, ...finding }: NewFinding,
): Promise<FindingRow> {
  const row = { code, customer_id: customerId, period, subject, detail, class: finding.class ?? null };
  const text = canonicalJson(subject);
  for (let recurrence = 0; ; recurrence += 1) {
    const findingId = recurrence === 0 ? uuidOf('finding', code, text) : uuidOf('finding', code, text, recurrence);
    const { rows } = await db.query<{ fixed: boolean }>({
      name: 'finding-fixed',
      text: `SELECT EXISTS (SELECT FROM finding_resolutions WHERE finding_id = $1 AND resolution = 'fixed') AS fixed`,
      values: [findingId],
    });
    if (rows[0]?.fixed !== true) return { finding_id: findingId, ...row };
  }
}

/** Stores the finding unless it is known, and returns its id. */
export async function insertFinding(db: pg.Pool | pg.PoolClient, finding: NewFinding): Promise<string> {
  const row = await findingToDb(db, finding);
  await db.query(
    `INSERT INTO findings (finding_id, code, customer_id, period, subject, detail, class) VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (finding_id) DO NOTHING`,
    [row.finding_id, row.code, row.customer_id, row.period, JSON.stringify(row.subject), row.detail, row.class],
  );
  return row.finding_id;
}
