/** Everything that the audit log says, held against everything that is stored, at one snapshot. */
import type pg from 'pg';
import type { AuditCounts, AuditProblem, NotYet } from '../domain/audit/findings.js';
import { noCounts } from '../domain/audit/findings.js';
import { readLayouts } from './audit-rows.js';
import { readBlocks } from './audit-verify-blocks.js';
import { readChains } from './audit-verify-chains.js';
import { checkCheckpoints } from './audit-verify-checkpoints.js';
import { guardProblem, layoutsProblem, tablesProblem } from './audit-verify-tables.js';
import type { Database } from './database.js';
import { mapStorageError } from './errors.js';
import type { AuditStage, VerificationStep, VerifyOptions } from './types-audit.js';

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

class Verification {
  private counts: AuditCounts = noCounts;
  private problem: AuditProblem | null = null;
  private keyIds: readonly string[] = [];

  constructor(
    private readonly client: pg.ClientBase,
    private readonly options: VerifyOptions,
  ) {}

  async *steps(): AsyncGenerator<VerificationStep> {
    yield* this.chains();
    if (this.options.customerId === undefined) {
      if (this.problem === null) yield* this.blocks();
      if (this.problem === null) yield* this.checkpoints();
      // Last: a row that was changed says more.
      if (this.problem === null) this.problem = await guardProblem(this.client, await readLayouts(this.client));
    }
    const verified = this.problem === null;
    const notYet = verified ? await this.notYet() : { facts: 0, entries: 0 };
    yield { kind: 'result', verified, problem: this.problem, counts: this.counts, notYet, keyIds: this.keyIds };
  }

  private async *chains(): AsyncGenerator<VerificationStep> {
    yield this.note({}, await layoutsProblem(this.client), 'chains');
    if (this.problem !== null) return;
    const layouts = await readLayouts(this.client);
    for await (const { counts, problem } of readChains(this.client, layouts, this.options.customerId)) {
      yield this.note(counts, problem, 'chains');
    }
    if (this.problem !== null || this.options.customerId !== undefined) return;
    yield this.note({}, await tablesProblem(this.client, layouts), 'rows');
  }

  private async *blocks(): AsyncGenerator<VerificationStep> {
    const layouts = await readLayouts(this.client);
    for await (const { problem, ...counts } of readBlocks(this.client, layouts))
      yield this.note(counts, problem, 'blocks');
  }

  private async *checkpoints(): AsyncGenerator<VerificationStep> {
    for await (const { problem, keyIds, checkpoints } of checkCheckpoints(this.client, this.options.trustedKeys)) {
      this.keyIds = keyIds;
      yield this.note({ checkpoints }, problem, 'checkpoints');
    }
  }

  private note(counts: Partial<AuditCounts>, problem: AuditProblem | null, stage: AuditStage): VerificationStep {
    this.counts = { ...this.counts, ...counts };
    this.problem = problem;
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
