/** Rollouts → wire. */
import { flagKeyOf } from '../../billing/rollout-flags.js';
import { percentText, stateOf } from '../../domain/rollout/transitions.js';
import type { RolloutComparison, StoredRollout, StoredRolloutStage } from '../../storage/types.js';
import { evaluationWorkflowId } from '../../contracts/names.js';

export function toApiRolloutSummary({ rolloutId, code, version, startedBy, startedAt, stages }: StoredRollout): object {
  return {
    rollout_id: rolloutId,
    price_book: { code, version },
    flag: flagKeyOf(code),
    state: stateOf(stages),
    started_by: startedBy,
    started_at: startedAt,
    stages: stages.map(toApiStage),
  };
}

function toApiStage(stage: StoredRolloutStage): object {
  return {
    sequence: stage.sequence,
    kind: stage.kind,
    effective_from: stage.effectiveFrom,
    customers: stage.customerIds,
    percentage: stage.percentage === null ? null : percentText(stage.percentage),
    evaluation_id: stage.evaluationId,
    override: stage.override,
    reason: stage.reason,
    decided_by: stage.decidedBy,
    decided_at: stage.decidedAt,
  };
}

export function toApiComparison({ evaluationId, sequence, requestedAt, finishedAt }: RolloutComparison): object {
  return {
    evaluation_id: evaluationId,
    workflow_id: evaluationWorkflowId(evaluationId),
    status: finishedAt === null ? 'running' : 'finished',
    stage: sequence,
    requested_at: requestedAt,
  };
}
