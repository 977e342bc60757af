/** Findings as rows: code and subject are the identity, so the same one is stored once. */
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

export function findingToDb({ code, customerId, period, subject, detail, ...finding }: NewFinding): FindingRow {
  const findingId = uuidOf('finding', code, canonicalJson(subject));
  return {
    finding_id: findingId,
    code,
    customer_id: customerId,
    period,
    subject,
    detail,
    class: finding.class ?? null,
  };
}

/** Stores the finding unless it is known, and returns its id. */
export async function insertFinding(db: pg.Pool | pg.PoolClient, finding: NewFinding): Promise<string> {
  const row = findingToDb(finding);
  await db.query(
    `INSERT INTO findings (finding_id, code, customer_id, period, subject, detail, class) VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (finding_id) DO NOTHING`,
    [row.finding_id, row.code, row.customer_id, row.period, JSON.stringify(row.subject), row.detail, row.class],
  );
  return row.finding_id;
}
