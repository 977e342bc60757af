import type { RolloutStage, StageKind } from '../../src/domain/rollout/rollout.js';
import { instant } from './rating-input.js';

/** `2024-01-15`, a local date; `15`, midnight of that day of January in UTC; `15T06`, an hour of it. */
const beginningOf = (text: string): RolloutStage['effectiveFrom'] =>
  text.length === 10
    ? (text as RolloutStage['effectiveFrom'])
    : instant(`2024-01-${text.slice(0, 2)}T${text.length > 2 ? text.slice(3) : '00'}:00:00.000000Z`);

export interface StageFacts {
  readonly customers?: readonly string[];
  readonly percentage?: number;
  readonly decidedAt?: string;
}

export const stage = (
  kind: StageKind,
  from: string,
  { customers = [], percentage, decidedAt = '01' }: StageFacts = {},
): Omit<RolloutStage, 'sequence'> => ({
  kind,
  effectiveFrom: beginningOf(from),
  customerIds: kind === 'canary' && customers.length === 0 ? ['canary'] : customers,
  percentage: percentage ?? null,
  decidedAt: instant(`2024-01-${decidedAt}T00:00:00.000000Z`),
});

/** Numbered from 1 on. */
export const stages = (...some: readonly Omit<RolloutStage, 'sequence'>[]): readonly RolloutStage[] =>
  some.map((each, index) => ({ ...each, sequence: index + 1 }));
