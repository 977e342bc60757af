/** Whom a rollout includes, since when, and why: the one function that decides it, for rating as for anybody who asks. */
import { isLocalDate } from '../time/effective-from.js';
import type { Instant, LocalDate } from '../values.js';
import { isWidening } from './rollout.js';
import type { PriceRollout, RolloutStage, WideningKind } from './rollout.js';

/** What is known of a customer that a decision depends on. */
export interface RolloutCustomer {
  readonly customerId: string;
  /** Where the customer falls among 10,000 buckets, the same for ever: of the rollout's id and the customer's alone. */
  readonly bucket: number;
  /** When the customer's first assignment to the price book begins; null: from the beginning. */
  readonly assignedFrom: Instant | null;
  /** When the customer became known. */
  readonly knownSince: Instant;
  /** Midnight of a local date in the customer's zone. */
  readonly startOfDay: (date: LocalDate) => Instant;
}

/** The candidate holds for the customer within [from, until), where it is valid by its own dates. */
export interface Inclusion {
  readonly from: Instant;
  readonly kind: WideningKind;
  /** The stage that included the customer. */
  readonly sequence: number;
}

export interface Membership {
  /** By the first stage that includes the customer; null: none does. */
  readonly included: Inclusion | null;
  /** From then on it holds for everybody, as any version does; null: not decided. */
  readonly everybody: Inclusion | null;
  /** When the candidate was rolled back; null: it was not. */
  readonly until: Instant | null;
}

interface Halt {
  readonly from: Instant;
  /** null: it lasts. */
  readonly to: Instant | null;
  /** When it was decided, and when its end was. */
  readonly decidedAt: Instant;
  readonly endedAt: Instant | null;
}

/**
 * RULES 41, 42. A function of facts: the same stages say the same for ever, and a further widening, halt or resumption takes
 * nobody out.
 * @param customer null: nobody in particular, so that only a stage for all counts
 */
export function membershipOf(
  { stages }: Pick<PriceRollout, 'stages'>,
  customer: RolloutCustomer | null,
  startOfDay: RolloutCustomer['startOfDay'],
): Membership {
  const startOf = ({ effectiveFrom }: RolloutStage): Instant =>
    isLocalDate(effectiveFrom) ? startOfDay(effectiveFrom) : effectiveFrom;
  const halts = haltsOf(stages, startOf);
  const rollback = stages.find(({ kind }) => kind === 'rollback');
  const until = rollback === undefined ? null : startOf(rollback);
  const inclusions = stages.flatMap((stage): readonly Inclusion[] => {
    if (!isWidening(stage) || !includes(stage, customer)) return [];
    const from = firstNotHalted(later(startOf(stage), customer?.assignedFrom ?? null), { stage, customer, halts });
    if (from === null || (until !== null && until <= from)) return [];
    return [{ from, kind: stage.kind, sequence: stage.sequence }];
  });
  // In order of decision: a later stage never moves the beginning of an earlier one, in whatever zone.
  const [included = null] = inclusions;
  const all = inclusions.find(({ kind }) => kind === 'all');
  const everybody = all === undefined ? null : { ...all, from: later(all.from, included?.from ?? null) };
  return { included, everybody, until };
}

function includes(stage: RolloutStage, customer: RolloutCustomer | null): boolean {
  if (stage.kind === 'all') return true;
  if (customer === null) return false;
  if (stage.percentage !== null) return customer.bucket < stage.percentage;
  return stage.customerIds.includes(customer.customerId);
}

function haltsOf(stages: readonly RolloutStage[], startOf: (stage: RolloutStage) => Instant): readonly Halt[] {
  return stages.flatMap((stage, index) => {
    if (stage.kind !== 'halt') return [];
    const resumed = stages.slice(index + 1).find(({ kind }) => kind === 'resume');
    return [
      {
        from: startOf(stage),
        to: resumed === undefined ? null : startOf(resumed),
        decidedAt: stage.decidedAt,
        endedAt: resumed?.decidedAt ?? null,
      },
    ];
  });
}

interface Beginning {
  readonly stage: RolloutStage;
  readonly customer: RolloutCustomer | null;
  readonly halts: readonly Halt[];
}

/** While a rollout is halted nobody is included; who would have been is when it goes on. null: it does not go on. */
function firstNotHalted(at: Instant, { stage, customer, halts }: Beginning): Instant | null {
  let from = at;
  for (const halt of halts) {
    const begins = from >= halt.from && (halt.to === null || from < halt.to);
    if (!begins && !becameKnownIn(halt, stage, customer)) continue;
    if (halt.to === null) return null;
    from = later(from, halt.to);
  }
  return from;
}

/** A percentage is of whoever is a customer: one who comes while it is halted would be new, whenever the stage began. */
function becameKnownIn(halt: Halt, { kind }: RolloutStage, customer: RolloutCustomer | null): boolean {
  if (kind !== 'percentage' || customer === null) return false;
  return customer.knownSince >= halt.decidedAt && (halt.endedAt === null || customer.knownSince < halt.endedAt);
}

const later = (at: Instant, other: Instant | null): Instant => (other !== null && other > at ? other : at);
