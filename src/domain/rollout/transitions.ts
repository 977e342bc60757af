/** The life of a rollout: its state is never stored, it is what the stages so far come to. */
import { DomainFailure, invariant } from '../failure.js';
import { isLocalDate } from '../time/effective-from.js';
import { addMs, msPerHour } from '../time/instant.js';
import type { Instant, LocalDate } from '../values.js';
import { isWidening } from './rollout.js';
import type { RolloutStage, StageKind, WideningKind } from './rollout.js';

export const rolloutStates = ['canary', 'percentage', 'halted', 'completed', 'rolled_back'] as const;
export type RolloutState = (typeof rolloutStates)[number];

/** Nothing leaves `rolled_back`; what is completed can still be taken back. */
export const rolloutTransitions: Readonly<Record<RolloutState, readonly StageKind[]>> = {
  canary: ['canary', 'percentage', 'all', 'halt', 'rollback'],
  percentage: ['percentage', 'all', 'halt', 'rollback'],
  halted: ['resume', 'rollback'],
  completed: ['rollback'],
  rolled_back: [],
};

const stateAfter: Readonly<Record<WideningKind, RolloutState>> = {
  canary: 'canary',
  percentage: 'percentage',
  all: 'completed',
};

export function stateOf(stages: readonly RolloutStage[]): RolloutState {
  const last = stages.at(-1);
  if (last?.kind === 'rollback') return 'rolled_back';
  if (last?.kind === 'halt') return 'halted';
  const widened = stages.findLast(isWidening);
  invariant(widened !== undefined, 'a rollout begins with its canaries');
  return stateAfter[widened.kind];
}

/** Whether nobody else may roll out a version of the price book: it is neither at everybody nor taken back. */
export const isOpen = (state: RolloutState): boolean => state !== 'completed' && state !== 'rolled_back';

/** What a decision says, before it has a place among the stages. */
export type PlannedStage = Omit<RolloutStage, 'sequence' | 'decidedAt'>;

/**
 * Whether the decision may follow the stages so far.
 * @param now stages that begin later than this have included nobody yet
 * @throws DomainFailure ROLLOUT_TRANSITION_REFUSED, ROLLOUT_NOT_WIDER, VALIDATION_FAILED for a beginning out of order
 */
export function requireStage(stages: readonly RolloutStage[], planned: PlannedStage, now: Instant): void {
  const state = stateOf(stages);
  if (!rolloutTransitions[state].includes(planned.kind)) throw refusedTransition(state, planned.kind);
  requireWider(stages, planned);
  requireOrder(stages, planned, now);
}

function refusedTransition(state: RolloutState, kind: StageKind): DomainFailure {
  const [first, ...others] = rolloutTransitions[state];
  const next =
    first === undefined
      ? 'Nothing follows; to try again create another version and roll that out.'
      : `What may follow: ${[first, ...others].join(', ')}.`;
  return new DomainFailure(
    'ROLLOUT_TRANSITION_REFUSED',
    `The rollout is ${state.replace('_', ' ')}, so "${kind}" is not possible. ${next}`,
  );
}

/** Widening only ever adds customers. */
function requireWider(stages: readonly RolloutStage[], { kind, percentage, customerIds }: PlannedStage): void {
  if (kind === 'percentage') {
    const last = stages.findLast((stage) => stage.percentage !== null)?.percentage ?? 0;
    if ((percentage ?? 0) > last) return;
    const detail = `The rollout includes ${percentText(last)} % already; a percentage stage must include more. To take customers out again roll it back.`;
    throw new DomainFailure('ROLLOUT_NOT_WIDER', detail, '/percentage');
  }
  if (kind !== 'canary') return;
  const named = new Set(stages.flatMap((stage) => stage.customerIds));
  if (customerIds.some((id) => !named.has(id))) return;
  throw new DomainFailure('ROLLOUT_NOT_WIDER', 'All of these customers are canaries already.', '/customers');
}

/** "12.5" of 1250. */
export function percentText(hundredths: number): string {
  const [whole, fraction = ''] = (hundredths / 100).toFixed(2).split('.');
  const kept = fraction.replace(/0+$/, '');
  return kept === '' ? (whole ?? '') : `${whole ?? ''}.${kept}`;
}

/** A local date is compared by its midnight in UTC here; when it begins for a customer is the customer's zone's. */
export const orderOf = (effectiveFrom: Instant | LocalDate): string =>
  isLocalDate(effectiveFrom) ? `${effectiveFrom}T00:00:00.000000Z` : effectiveFrom;

/**
 * A widening begins no earlier than the one before it, a resumption no earlier than the halt. A halt comes after whatever has
 * begun, so that it takes nobody out. A rollback may begin at any time: it takes everybody out from then on.
 */
function requireOrder(stages: readonly RolloutStage[], planned: PlannedStage, now: Instant): void {
  const at = orderOf(planned.effectiveFrom);
  const refused = (detail: string): DomainFailure => new DomainFailure('VALIDATION_FAILED', detail, '/effective_from');
  if (planned.kind === 'rollback') return;
  if (planned.kind === 'halt') {
    const begun = stages.find(
      (stage) => isWidening(stage) && hasBegunWithin(stage.effectiveFrom, { from: at, to: now }),
    );
    if (begun === undefined) return;
    throw refused(
      `Stage ${begun.sequence} began at ${begun.effectiveFrom}; a halt takes nobody out, so it must begin later.`,
    );
  }
  const before = stages.find((stage) => orderOf(stage.effectiveFrom) > at);
  if (before === undefined) return;
  throw refused(`Stage ${before.sequence} begins at ${before.effectiveFrom}; what follows it must not begin earlier.`);
}

/** Local midnights lie up to so long before and after that of UTC. */
const eastMostMs = 14 * msPerHour;
const westMostMs = 12 * msPerHour;

/** Whether it began for any customer within [from, to]. */
function hasBegunWithin(
  effectiveFrom: Instant | LocalDate,
  { from, to }: { readonly from: string; readonly to: Instant },
): boolean {
  const order = orderOf(effectiveFrom) as Instant;
  const isDate = order !== effectiveFrom;
  const first = isDate ? addMs(order, -eastMostMs) : order;
  const last = isDate ? addMs(order, westMostMs) : order;
  return from <= to && first <= to && last >= from;
}
