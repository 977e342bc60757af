/** Everything that the audit log says, held against everything that is stored, at one snapshot. */
import type pg from 'pg';
import type { AuditCounts, AuditProblem, NotYet } from '../domain/audit/findings.js';
import { noCounts } from '../domain/audit/findings.js';
import { type Layouts, readLayouts } from './audit-rows.js';
import { readBlocks } from './audit-verify-blocks.js';
import { readChains } from './audit-verify-chains.js';
import { checkCheckpoints } from './audit-verify-checkpoints.js';
import { guardProblems } from './audit-guards.js';
import { customerProblems, layoutsProblem, tableProblems } from './audit-verify-tables.js';
import type { Database } from './database.js';
import { mapStorageError } from './errors.js';
import { type AuditStage, customerScope, type VerificationStep, type VerifyOptions } from './types-audit.js';

/** The reader's pace is not bounded: it may read for an hour, and wait for whoever reads the answer. */
const begin = `BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL jit = off;
  SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`;

export async function* verifyAudit(db: Database, options: VerifyOptions): AsyncGenerator<VerificationStep> {
  let client: pg.PoolClient | null = null;
  try {
    client = await db.pool.connect();
    await client.query(begin);
    yield* new Verification(client, options).steps();
  } catch (error) {
    throw mapStorageError(error);
  } finally {
    // Nothing was written. A connection that does not answer is thrown away.
    const left = client;
    await left?.query('ROLLBACK').then(
      () => left.release(),
      () => left.release(true),
    );
  }
}

const problemsByDefault = 20;

class Verification {
  private counts: AuditCounts = noCounts;
  /** By what they say: a cut tail is met once for each checkpoint that signed it. */
  private readonly problems = new Map<string, AuditProblem>();
  private keyIds: readonly string[] = [];

  constructor(
    private readonly client: pg.ClientBase,
    private readonly options: VerifyOptions,
  ) {}

  private get isFull(): boolean {
    return this.problems.size >= (this.options.problemsMax ?? problemsByDefault);
  }

  async *steps(): AsyncGenerator<VerificationStep> {
    const unreadable = await layoutsProblem(this.client);
    yield this.note({}, unreadable === null ? [] : [unreadable], 'chains');
    // By other layouts everything would look changed.
    if (unreadable === null) {
      const layouts = await readLayouts(this.client);
      yield* this.chains(layouts);
      const { customerId } = this.options;
      yield* customerId === undefined ? this.rest(layouts) : this.ofCustomer(layouts, customerId);
    }
    const problems = [...this.problems.values()].slice(0, this.options.problemsMax ?? problemsByDefault);
    const verified = problems.length === 0;
    const notYet = verified ? await this.notYet() : { facts: 0, entries: 0 };
    const { counts, keyIds } = this;
    yield { kind: 'result', verified, problem: problems[0] ?? null, problems, counts, notYet, keyIds };
  }

  private async *chains(layouts: Layouts): AsyncGenerator<VerificationStep> {
    for await (const { counts, problems } of readChains(this.client, layouts, this.options.customerId)) {
      yield this.note(counts, problems, 'chains');
      if (this.isFull) return;
    }
  }

  private async *ofCustomer(layouts: Layouts, customerId: string): AsyncGenerator<VerificationStep> {
    yield* this.checkpoints();
    if (!this.isFull) yield this.note({}, await customerProblems(this.client, layouts, customerId), 'rows');
  }

  private async *rest(layouts: Layouts): AsyncGenerator<VerificationStep> {
    if (!this.isFull) yield this.note({}, await tableProblems(this.client, layouts), 'rows');
    if (!this.isFull) yield* this.blocks(layouts);
    yield* this.checkpoints();
    // Last: a row that was changed says more.
    if (!this.isFull) yield this.note({}, await guardProblems(this.client, layouts), 'checkpoints');
  }

  private async *blocks(layouts: Layouts): AsyncGenerator<VerificationStep> {
    for await (const { problems, ...counts } of readBlocks(this.client, layouts)) {
      yield this.note(counts, problems, 'blocks');
      if (this.isFull) return;
    }
  }

  private async *checkpoints(): AsyncGenerator<VerificationStep> {
    if (this.isFull) return;
    const { customerId, trustedKeys } = this.options;
    const scope = customerId === undefined ? undefined : customerScope(customerId);
    for await (const { problems, keyIds, checkpoints } of checkCheckpoints(this.client, { trustedKeys, scope })) {
      this.keyIds = keyIds;
      yield this.note({ checkpoints }, problems, 'checkpoints');
      if (this.isFull) return;
    }
  }

  private note(counts: Partial<AuditCounts>, problems: readonly AuditProblem[], stage: AuditStage): VerificationStep {
    this.counts = { ...this.counts, ...counts };
    for (const problem of problems) {
      const { what, table, key, detail } = problem;
      const said = JSON.stringify([what, table, key, key === null ? detail : null]);
      if (!this.problems.has(said)) this.problems.set(said, problem);
    }
    return { kind: 'progress', stage, counts: this.counts };
  }

  /** What could be cut off without a trace: nothing signed covers it yet. */
  private async notYet(): Promise<NotYet> {
    const { rows } = await this.client.query<{ readonly facts: string; readonly entries: string }>(
      `SELECT (SELECT count(*) FROM telemetry_events WHERE position > coalesce((SELECT max(to_position) FROM audit_blocks), 0)) AS facts,
         (SELECT count(*) FROM audit_entries e WHERE NOT EXISTS (
           SELECT FROM audit_checkpoint_heads h WHERE h.scope = e.scope AND h.sequence >= e.sequence)
           AND ($1::text IS NULL OR e.scope = 'customer/' || $1)) AS entries`,
      [this.options.customerId ?? null],
    );
    return { facts: Number(rows[0]?.facts ?? 0), entries: Number(rows[0]?.entries ?? 0) };
  }
}
