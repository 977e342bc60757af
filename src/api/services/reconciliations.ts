/** Reconciliations on demand, and what they found. */
import { reconciliationWorkflowId } from '../../contracts/names.js';
import { DomainFailure, invariant } from '../../domain/failure.js';
import { everyPage } from '../../storage/every-page.js';
import { isUuid } from '../../storage/identifiers.js';
import type { ReconciliationRun, Storage } from '../../storage/types.js';
import type { ReconciliationBody } from '../schemas/reconciliation.js';
import type { TemporalGateway } from '../temporal-gateway.js';
import { idOf } from './asked.js';
import type { Asking } from './asked.js';
import { requireCustomers } from './customers.js';
import { distinct, timeOf } from './re-rating-scope.js';

export interface ReconciliationServiceDependencies {
  readonly storage: Pick<Storage, 'reference' | 'reconciliation'>;
  readonly temporal: TemporalGateway;
}

/** Periods that differ whose findings one answer counts. */
const countedMax = 1_000;

export class ReconciliationService {
  constructor(private readonly deps: ReconciliationServiceDependencies) {}

  /** @throws DomainFailure VALIDATION_FAILED, UNKNOWN_CUSTOMER, TEMPORAL_UNAVAILABLE */
  async create(body: ReconciliationBody, asking: Asking): Promise<ReconciliationRun> {
    const { storage, temporal } = this.deps;
    const customerIds = distinct(body?.customer_ids);
    const scope = { customerIds, ...timeOf(body ?? {}, '') };
    await requireCustomers(storage, customerIds, '/customer_ids');
    const runId = idOf('reconciliation', asking, JSON.stringify(scope));
    const workflowId = reconciliationWorkflowId(runId);
    await storage.reconciliation.request({ runId, workflowId, scope, requestedBy: asking.actor });
    const run = await storage.reconciliation.find(runId);
    invariant(run !== null, `reconciliation ${runId} was stored just now`);
    if (run.finishedAt === null) await temporal.startReconciliation(runId);
    return run;
  }

  /** @throws DomainFailure RECONCILIATION_NOT_FOUND */
  async require(runId: string): Promise<ReconciliationRun> {
    const found = isUuid(runId) ? await this.deps.storage.reconciliation.find(runId) : null;
    if (found !== null) return found;
    throw new DomainFailure('RECONCILIATION_NOT_FOUND', `There is no reconciliation "${runId}".`);
  }

  /** How many differences of each class the run found, over the first periods that differ. */
  async findingsOf(runId: string): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    let periods = 0;
    const { reconciliation } = this.deps.storage;
    const different = everyPage((page) => reconciliation.results(runId, { result: 'different' }, page), 100);
    for await (const results of different) {
      for (const { report } of results) {
        for (const each of classesIn(report)) counts[each] = (counts[each] ?? 0) + 1;
      }
      periods += results.length;
      if (periods >= countedMax) break;
    }
    return counts;
  }
}

/** The report is stored JSON (domain/reconciliation). */
function classesIn(report: unknown): readonly string[] {
  const { differences } = report as { readonly differences?: readonly { readonly class: string }[] };
  return (differences ?? []).map((difference) => difference.class);
}
