import type { DeadLetterState, StoredDecision } from '../../storage/types.js';

export function toApiDeadLetter(letter: DeadLetterState): object {
  return {
    dead_letter_id: letter.deadLetterId,
    code: letter.code,
    detail: letter.detail,
    customer_id: letter.customerId,
    event_id: letter.eventId,
    backfill_id: letter.backfillId ?? null,
    payload: letter.payload,
    received_at: letter.receivedAt,
    status: letter.status,
    decisions: letter.decisions.map(toApiDecision),
  };
}

function toApiDecision(decided: StoredDecision): object {
  return {
    decision: decided.decision,
    ...(decided.decision === 'replayed' && {
      outcome: decided.outcome,
      code: decided.code,
      detail: decided.detail,
      payload: decided.payload,
    }),
    decided_by: decided.decidedBy,
    reason: decided.reason,
    decided_at: decided.decidedAt,
  };
}
