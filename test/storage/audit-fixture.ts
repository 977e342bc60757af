/** A database in which every audited table has rows, for tests that tamper with it as a superuser would. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { AuditProblem } from '../../src/domain/audit/findings.js';
import type { CreditTerms } from '../../src/domain/credits/grant.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';
import { newAuditKey, signerOf } from '../../src/storage/audit-hashes.js';
import { anchorProblem } from '../../src/storage/audit-verify-checkpoints.js';
import { verifyAudit } from '../../src/storage/audit-verify.js';
import type { Database } from '../../src/storage/database.js';
import { rowTypes } from '../../src/storage/row-types.js';
import type { AnchoredState, AuditStore, VerificationStep, VerifyOptions } from '../../src/storage/types.js';
import { createActivityFixture, issuedAt } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { ReRatingFixture } from '../activities/re-rating-fixture.js';
import { fillOtherTables } from '../proofs/support/every-table.js';

export type Verification = Extract<VerificationStep, { kind: 'result' }>;

export async function resultOf(steps: AsyncIterable<VerificationStep>): Promise<Verification> {
  let last: VerificationStep | undefined;
  for await (const step of steps) last = step;
  if (last?.kind !== 'result') throw new Error('a verification ends with its result');
  return last;
}

export const verify = (audit: AuditStore, options?: VerifyOptions): Promise<Verification> =>
  resultOf(audit.verify(options));

/** Everything the program writes to audited tables, at least once. */
export async function createAuditedBooks(): Promise<ActivityFixture> {
  const fixture = await createActivityFixture();
  const { storage, activities, run } = fixture;
  await fillOtherTables(fixture);
  const reRating = new ReRatingFixture(fixture);
  const customerId = await reRating.invoicedCustomer(20);
  await fixture.addCalls(customerId, 4, '2024-01-20T00:00:00Z');
  await reRating.reRate(customerId);
  const waiting = await reRating.invoicedCustomer(10, { approvalThreshold: '0.50' as DecimalString });
  await fixture.addCalls(waiting, 10, '2024-01-20T00:00:00Z');
  const asked = await reRating.ask(waiting);
  await run(activities.compareReRating, { reRatingId: asked, attempt: 1, limit: 100 });
  const decision = { attempt: 1, decision: 'rejected', decidedBy: 'bob', reason: 'a test' } as const;
  await storage.reRatings.decide(asked, decision);
  const [event] = (await storage.ledger.listEvents({ customerId }, { limit: 1 })).data;
  const adjustment = { customerId, source: event?.source ?? '', eventId: event?.eventId ?? '', type: 'void' } as const;
  await storage.adjustments.adjust({ ...adjustment, replacement: null, reason: 'a test' });
  const backfillId = randomUUID();
  const range = { from: '2024-01-01T00:00:00.000000Z' as Instant, to: '2024-01-02T00:00:00.000000Z' as Instant };
  await storage.backfills.create({
    backfillId,
    customerIds: [customerId],
    range,
    mode: 'add',
    createdBy: 'ann',
    reason: null,
  });
  await storage.backfills.decide(backfillId, { decision: 'closed', decidedBy: 'ann', reason: null });
  const tamperer = new Tamperer(await connect(fixture.url));
  for (const table of await tamperer.tables()) await tamperer.double(table);
  await tamperer.client.end();
  await storage.audit.seal({ factsMax: 7 });
  for (const signer of [signerOf(newAuditKey()), signerOf(newAuditKey())]) {
    await storage.audit.sign(signer, issuedAt, { headsMax: 3 });
    await fixture.addCustomer(`after ${signer.keyId}`);
  }
  // A key that is new is itself an entry, which the next checkpoint signs.
  const last = signerOf(newAuditKey());
  await storage.audit.sign(last, issuedAt);
  await storage.audit.sign(last, issuedAt);
  return fixture;
}

export const whole = { verified: true, problem: null };

export const creditOf = (customerId: string): CreditTerms => ({
  ...{
    grantId: randomUUID(),
    customerId,
    currency: 'USD',
    type: 'prepaid',
    priority: 50,
    name: 'a package',
    reason: null,
  },
  ...{ amount: '1.00' as DecimalString, effectiveFrom: '2023-01-01T00:00:00.000000Z' as Instant, expiresAt: null },
  ...{ rollOver: null, rolledOverFrom: null, grantedBy: 'ann' },
});
export const postingDate = '2024-02-01' as LocalDate;

export async function invoiceOf({ activities, request, run }: ActivityFixture, customerId: string): Promise<void> {
  await request(customerId, randomUUID());
  await run(activities.issueChunk, { billingDay: postingDate, limit: 10 });
}

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, types: rowTypes, options: '-c timezone=UTC -c datestyle=ISO' });
  await client.connect();
  return client;
}

/** After `ENABLE TRIGGER ALL`, or `USER`: triggers that were made to fire always do so again. */
export const rearm = `DO $$
DECLARE
  g record;
BEGIN
  FOR g IN SELECT tgrelid::regclass AS relation, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'
      AND tgname IN ('refuse_change', 'only_erase_salt', 'require_balance', 'require_other_person') LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', g.relation, g.tgname);
  END LOOP;
END $$`;

const name = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** A superuser who has disabled the triggers of a table, in a transaction that the verification reads and rolls back. */
export class Tamperer {
  constructor(readonly client: pg.Client) {}

  /** What a verification says of the database as `work` leaves it. */
  async verified(table: string, work: () => Promise<void>): Promise<Verification> {
    await this.tamper(table, work);
    const lease = { query: this.client.query.bind(this.client), release: () => undefined };
    const db = { pool: { connect: () => Promise.resolve(lease) } } as unknown as Database;
    return resultOf(verifyAudit(db, {}));
  }

  /** What an anchor says of it. */
  async anchored(table: string, anchored: AnchoredState, work: () => Promise<void>): Promise<AuditProblem | null> {
    await this.tamper(table, work);
    const problem = await anchorProblem(this.client, anchored);
    await this.client.query('ROLLBACK');
    return problem;
  }

  private async tamper(table: string, work: () => Promise<void>): Promise<void> {
    await this.client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    try {
      for (const statement of await this.disarming(table)) await this.client.query(statement);
      await work();
      await this.client.query(`ALTER TABLE ${name(table)} ENABLE TRIGGER USER`);
    } catch (error) {
      await this.client.query('ROLLBACK');
      throw error;
    }
  }

  /** Triggers, constraints that look at values, and identities: a superuser is stopped by none of them. */
  private async disarming(table: string): Promise<readonly string[]> {
    const { rows } = await this.client.query<{ statement: string }>(
      `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS statement FROM pg_constraint
       WHERE conrelid = $1::regclass AND contype = 'c'
       UNION ALL SELECT format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY', attrelid::regclass, attname) FROM pg_attribute
       WHERE attrelid = $1::regclass AND attidentity <> ''`,
      [name(table)],
    );
    return [`ALTER TABLE ${name(table)} DISABLE TRIGGER ALL`, ...rows.map(({ statement }) => statement)];
  }

  async tables(): Promise<readonly string[]> {
    const { rows } = await this.client.query<{ table: string }>(
      `SELECT DISTINCT table_name AS table FROM audit_layouts UNION SELECT unnest(ARRAY['audit_changes', 'audit_entries',
         'audit_blocks', 'audit_checkpoints', 'audit_checkpoint_heads', 'audit_commitments']) ORDER BY 1`,
    );
    return rows.map(({ table }) => table);
  }

  async columns(
    table: string,
  ): Promise<readonly { readonly column: string; readonly type: string; readonly isKey: boolean }[]> {
    const { rows } = await this.client.query<{ column: string; type: string; isKey: boolean }>(
      `SELECT a.attname AS column, format_type(a.atttypid, NULL) AS type, EXISTS (SELECT FROM pg_index i
         WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey)) AS "isKey"
       FROM pg_attribute a WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
      [name(table)],
    );
    return rows;
  }

  async primaryKey(table: string): Promise<readonly string[]> {
    const { rows } = await this.client.query<{ column: string }>(
      `SELECT a.attname AS column FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS u (attnum, n)
       JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.attnum WHERE c.conrelid = $1::regclass AND c.contype = 'p' ORDER BY u.n`,
      [name(table)],
    );
    return rows.map(({ column }) => column);
  }

  /** As the audit log writes keys. */
  async keySql(table: string): Promise<string> {
    return `to_json(ARRAY[${(await this.primaryKey(table)).map((column) => `t.${name(column)}::text`).join(', ')}])::text`;
  }

  /** In a stable order. */
  async keys(table: string): Promise<readonly string[]> {
    const key = await this.keySql(table);
    const { rows } = await this.client.query<{ key: string }>(`SELECT ${key} AS key FROM ${name(table)} t ORDER BY 1`);
    return rows.map((row) => row.key);
  }

  async change(
    table: string,
    { column, type }: { readonly column: string; readonly type: string },
    key: string,
  ): Promise<void> {
    const value = changed(name(column), type);
    await this.client.query(
      `UPDATE ${name(table)} t SET ${name(column)} = ${value} WHERE ${await this.keySql(table)} = $1`,
      [key],
    );
  }

  async remove(table: string, key: string): Promise<void> {
    await this.client.query(`DELETE FROM ${name(table)} t WHERE ${await this.keySql(table)} = $1`, [key]);
  }

  /** A copy of a row under other keys. Answers its key. */
  async insert(table: string, like: string, { alike = true } = {}): Promise<string> {
    const columns = await this.columns(table);
    const values = columns.map(({ column, type, isKey }) =>
      isKey || !alike ? changed(`t.${name(column)}`, type) : `t.${name(column)}`,
    );
    const { rows } = await this.client.query<{ key: string }>(
      `INSERT INTO ${name(table)} AS n (${columns.map(({ column }) => name(column)).join(', ')}) OVERRIDING SYSTEM VALUE
       SELECT ${values.join(', ')} FROM ${name(table)} t WHERE ${await this.keySql(table)} = $1
       RETURNING ${(await this.keySql(table)).replaceAll('t.', 'n.')} AS key`,
      [like],
    );
    return rows[0]?.key ?? '';
  }

  /** A second row for a table that has one, past all constraints but not past the log. */
  async double(table: string): Promise<void> {
    const [only, another] = await this.keys(table);
    if (only === undefined || another !== undefined || table.startsWith('audit_')) return;
    for (const statement of await this.disarming(table))
      if (!statement.includes('IDENTITY')) await this.client.query(statement);
    await this.client.query(`ALTER TABLE ${name(table)} ENABLE TRIGGER audit`);
    await this.insert(table, only, { alike: false });
    await this.client.query(`ALTER TABLE ${name(table)} ENABLE TRIGGER USER; ${rearm}`);
  }

  /** What two rows hold changes places; their primary keys stay. */
  async swap(table: string, [a, b]: readonly [string, string]): Promise<void> {
    const primary = new Set(await this.primaryKey(table));
    const all = (await this.columns(table)).map(({ column }) => column);
    const select = all.map((column) => `${primary.has(column) ? 'mine' : 'other'}.${name(column)}`).join(', ');
    const key = await this.keySql(table);
    await this.client.query(
      `CREATE TEMP TABLE swapped ON COMMIT DROP AS SELECT ${select} FROM ${name(table)} mine JOIN ${name(table)} other
         ON ARRAY[${key.replaceAll('t.', 'mine.')}, ${key.replaceAll('t.', 'other.')}] IN (ARRAY[$1, $2], ARRAY[$2, $1])`,
      [a, b],
    );
    await this.client.query(`DELETE FROM ${name(table)} t WHERE ${key} IN ($1, $2)`, [a, b]);
    await this.client.query(
      `INSERT INTO ${name(table)} (${all.map(name).join(', ')}) OVERRIDING SYSTEM VALUE SELECT ${all.map(name).join(', ')} FROM swapped`,
    );
  }
}

/** SQL of another value of the type. */
function changed(value: string, type: string): string {
  switch (type) {
    case 'uuid':
      return `gen_random_uuid()`;
    case 'boolean':
      return `NOT ${value}`;
    case 'bytea':
      return `CASE ${value} WHEN '' THEN '\\x00' ELSE set_byte(${value}, 0, 255 - get_byte(${value}, 0)) END`;
    case 'jsonb':
      return `CASE jsonb_typeof(${value}) WHEN 'object' THEN ${value} || jsonb_build_object('z', random()) WHEN 'array' THEN ${value} || '[1]' ELSE to_jsonb(random()::text) END`;
    case 'timestamp with time zone':
      return `coalesce(${value}, 'epoch') + interval '1 microsecond'`;
    case 'text':
      return `overlay(coalesce(${value}, '') || '?' placing '!' from 1)`;
    default:
      if (type === 'date') return `coalesce(${value}, '2020-01-01') + 1001 + (random() * 100000)::int`;
      if (type === 'smallint') return `(coalesce(${value}, 0) + 1)::smallint`;
      return type.endsWith('[]')
        ? changedArray(value, type)
        : `coalesce(${value}, 0) + 1000001 + (random() * 1000000)::int`;
  }
}

function changedArray(value: string, type: string): string {
  if (type === 'bytea[]') return `${value} || '\\x00'::bytea`;
  return type === 'uuid[]' ? `${value} || gen_random_uuid()` : `${value} || '1'::${type.slice(0, -2)}`;
}
