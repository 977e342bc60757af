/** What a rollout may begin beside, and what may begin beside a rollout: the versions of one price book never compete. */
import { DomainFailure } from '../failure.js';
import type { PriceBookVersion } from '../rating/price-book.js';
import type { PriceRollout, RolloutStage } from './rollout.js';
import { isOpen, orderOf, stateOf } from './transitions.js';

/** A rollout with its candidate. */
export interface RolloutOf {
  readonly rollout: PriceRollout;
  readonly candidate: Pick<PriceBookVersion, 'version' | 'effectiveFrom'>;
}

type Beginning = Pick<PriceBookVersion, 'effectiveFrom'>;

/** When the candidate holds for the first customers, as text to compare: its own date, or its first stage's. */
function startOfRollout(candidate: Beginning, first: Pick<RolloutStage, 'effectiveFrom'> | undefined): string {
  const own = orderOf(candidate.effectiveFrom);
  const stage = first === undefined ? own : orderOf(first.effectiveFrom);
  return stage > own ? stage : own;
}

/**
 * @param versions all of the price book
 * @param others rollouts of other versions of it
 * @throws DomainFailure NOT_A_CANDIDATE, ROLLOUT_OPEN, ROLLOUT_CONFLICT
 */
export function requireStart(
  candidate: PriceBookVersion,
  first: Pick<RolloutStage, 'effectiveFrom'>,
  { versions, others }: { readonly versions: readonly PriceBookVersion[]; readonly others: readonly RolloutOf[] },
): void {
  const { code, version } = candidate;
  if (candidate.isCandidate !== true) {
    const detail = `Version "${version}" of the price book "${code}" holds for everybody from its own date on. Only a version that was created with "rollout": true can be rolled out.`;
    throw new DomainFailure('NOT_A_CANDIDATE', detail, '/price_book/version');
  }
  const open = others.find(({ rollout }) => isOpen(stateOf(rollout.stages)));
  if (open !== undefined) {
    const detail = `Version "${open.candidate.version}" of the price book "${code}" is being rolled out (${open.rollout.rolloutId}). Finish that rollout or roll it back first.`;
    throw new DomainFailure('ROLLOUT_OPEN', detail, '/price_book/code');
  }
  const start = startOfRollout(candidate, first);
  const known = beginningsOf(versions, others);
  const later = known.find(({ from }) => from > start);
  if (later !== undefined) {
    const detail = `Version "${later.version}" of the price book "${code}" begins at ${later.from}, after this rollout would: whoever is included later than that would have another price. Begin with it, or after it.`;
    throw new DomainFailure('ROLLOUT_CONFLICT', detail, '/effective_from');
  }
  if (known.length > 0) return;
  const detail = `The price book "${code}" has no other version that holds before, so there is nothing to compare with or to go back to.`;
  throw new DomainFailure('ROLLOUT_CONFLICT', detail, '/price_book/version');
}

/** When the versions that hold for everybody begin: by their own dates, or by the stage for all of their rollouts. */
function beginningsOf(
  versions: readonly PriceBookVersion[],
  others: readonly RolloutOf[],
): readonly { readonly version: string; readonly from: string }[] {
  return [
    ...versions
      .filter(({ isCandidate }) => isCandidate !== true)
      .map(({ version, effectiveFrom }) => ({ version, from: orderOf(effectiveFrom) })),
    ...others.flatMap(({ rollout: { stages }, candidate }) =>
      stateOf(stages) === 'completed'
        ? [{ version: candidate.version, from: startOfRollout(candidate, stages.at(-1)) }]
        : [],
    ),
  ];
}

/** From when on nobody's turn is to come or to end, as text to compare: at everybody, or rolled back. null: not decided yet. */
function endOfRollout({ rollout: { stages }, candidate }: RolloutOf): string | null {
  const ends = stages.flatMap((stage) => {
    if (stage.kind === 'all') return [startOfRollout(candidate, stage)];
    return stage.kind === 'rollback' ? [orderOf(stage.effectiveFrom)] : [];
  });
  return ends.sort()[0] ?? null;
}

/**
 * Whether a version for everybody may be learned now: not one that begins while another one is being rolled out, or the two
 * would take turns by customer. That ends when it is at everybody or rolled back, which may be dated ahead.
 * @throws DomainFailure ROLLOUT_OPEN
 */
export function requireNoRollout(version: PriceBookVersion, rollouts: readonly RolloutOf[]): void {
  const begins = orderOf(version.effectiveFrom);
  const open = rollouts.find((beside) => {
    const start = startOfRollout(beside.candidate, beside.rollout.stages[0]);
    const end = endOfRollout(beside);
    return begins >= start && (end === null || begins < end);
  });
  if (open === undefined) return;
  const { rollout, candidate } = open;
  const start = startOfRollout(candidate, rollout.stages[0]);
  const end = endOfRollout(open);
  const detail =
    `Version "${candidate.version}" of the price book "${version.code}" is being rolled out since ${start}` +
    (end === null
      ? '. Finish that rollout or roll it back before a version that begins later.'
      : `, until it is at everybody or rolled back at ${end}. Begin then or later.`);
  throw new DomainFailure('ROLLOUT_OPEN', detail, '/effective_from');
}
