/** Rollouts as feature flags: OpenFeature's interface over the decision that rating takes. */
import { ErrorCode, StandardResolutionReasons } from '@openfeature/server-sdk';
import type { EvaluationContext, FlagMetadata, JsonValue, Provider, ResolutionDetails } from '@openfeature/server-sdk';
import { startOfLocalDay } from '../calendar/time-zones.js';
import { DomainFailure } from '../domain/failure.js';
import { assignmentAt, currentAssignments } from '../domain/rating/assignments.js';
import type { Membership } from '../domain/rollout/inclusion.js';
import type { WideningKind } from '../domain/rollout/rollout.js';
import { startOfVersion, versionInForce } from '../domain/rating/segments.js';
import { msToInstant, parseInstant } from '../domain/time/instant.js';
import type { Instant, LocalDate } from '../domain/values.js';
import type { Storage, StoredRollout } from '../storage/types.js';
import { bucketOf, membershipsOf } from './price-rollouts.js';

type FlagStorage = Pick<Storage, 'reference' | 'rollouts'>;

/** Why a customer has the candidate or not, in OpenFeature's words. */
export type FlagReason = 'TARGETING_MATCH' | 'SPLIT' | 'STATIC' | 'DEFAULT';

const reasonOf: Readonly<Record<WideningKind, FlagReason>> = {
  canary: StandardResolutionReasons.TARGETING_MATCH,
  percentage: StandardResolutionReasons.SPLIT,
  all: StandardResolutionReasons.STATIC,
};

export interface RolloutAnswer {
  /** The candidate is the version in force for the customer at the instant. */
  readonly isIncluded: boolean;
  readonly reason: FlagReason;
  /** Of the price book, for the customer, at the instant; null: none is in force, or the customer does not have the book. */
  readonly version: string | null;
  /** When a stage includes the customer, not before the candidate's own date; null: none does. */
  readonly since: Instant | null;
  readonly until: Instant | null;
  readonly stage: number | null;
  readonly bucket: number;
}

/**
 * The decision for one customer and instant, as every rating of that instant takes it: from the same facts, through the same
 * functions (`membershipsOf`, `versionInForce`).
 * @throws DomainFailure UNKNOWN_CUSTOMER
 */
export async function rolloutAnswer(
  storage: FlagStorage,
  rollout: StoredRollout,
  { customerId, at }: { readonly customerId: string; readonly at: Instant },
): Promise<RolloutAnswer> {
  const { reference } = storage;
  const customer = await reference.findCustomer(customerId);
  if (customer === null) throw new DomainFailure('UNKNOWN_CUSTOMER', `There is no customer "${customerId}".`);
  const { timeZone } = customer;
  const [assignments, versions] = await Promise.all([
    reference.assignments(customerId),
    reference.priceBookVersions(rollout.code),
  ]);
  const startOfDay = (date: LocalDate): Instant => startOfLocalDay(date, timeZone);
  const memberships = await membershipsOf(storage, versions, { customerId, timeZone, assignments });
  const hasBook = assignmentAt(currentAssignments(assignments), at)?.priceBook === rollout.code;
  const inForce = hasBook ? versionInForce(versions, at, { startOfDay, memberships }) : null;
  const isIncluded = inForce?.priceBookId === rollout.priceBookId;
  const candidate = versions.find(({ priceBookId }) => priceBookId === rollout.priceBookId);
  const isAssigned = assignments.some(({ priceBook }) => priceBook === rollout.code);
  const membership = (isAssigned ? memberships.get(rollout.priceBookId) : undefined) ?? nobody;
  const { included, until } = membership;
  const start = candidate === undefined ? null : startOfVersion(candidate, startOfDay);
  return {
    isIncluded,
    reason: isIncluded && included !== null ? reasonOf[included.kind] : StandardResolutionReasons.DEFAULT,
    version: inForce?.version ?? null,
    since: included === null ? null : start !== null && start > included.from ? start : included.from,
    until,
    stage: included?.sequence ?? null,
    bucket: bucketOf(rollout.rolloutId, customerId),
  };
}

const nobody: Membership = { included: null, everybody: null, until: null };

const keyPrefix = 'price-rollout/';

/** The key of the flag that tells which version of a price book a customer has. */
export const flagKeyOf = (code: string): string => `${keyPrefix}${code}`;

export interface PriceRolloutProviderOptions {
  readonly storage: FlagStorage;
  /** Epoch milliseconds. */
  readonly clock: () => number;
}

/**
 * An OpenFeature provider for other services: `price-rollout/{code}` with the customer as targeting key. As a boolean: whether
 * the customer has the candidate of the price book's newest rollout; as a string: the version in force. `at` in the
 * context asks about another instant than now. It decides nothing itself.
 */
export class PriceRolloutProvider implements Provider {
  readonly metadata = { name: 'reckoner-price-rollouts' } as const;
  readonly runsOn = 'server';

  constructor(private readonly options: PriceRolloutProviderOptions) {}

  async resolveBooleanEvaluation(
    flagKey: string,
    defaultValue: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    const found = await this.answer(flagKey, context);
    return 'errorCode' in found
      ? { ...found, value: defaultValue }
      : { ...detailsOf(found), value: found.answer.isIncluded };
  }

  async resolveStringEvaluation(
    flagKey: string,
    defaultValue: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    const found = await this.answer(flagKey, context);
    return 'errorCode' in found
      ? { ...found, value: defaultValue }
      : { ...detailsOf(found), value: found.answer.version ?? defaultValue };
  }

  resolveNumberEvaluation(_flagKey: string, defaultValue: number): Promise<ResolutionDetails<number>> {
    return Promise.resolve({ ...wrongType, value: defaultValue });
  }

  resolveObjectEvaluation<T extends JsonValue>(_flagKey: string, defaultValue: T): Promise<ResolutionDetails<T>> {
    return Promise.resolve({ ...wrongType, value: defaultValue });
  }

  private async answer(flagKey: string, context: EvaluationContext): Promise<Found | Refused> {
    const { storage, clock } = this.options;
    const { targetingKey: customerId, at } = context;
    const [rollout] = flagKey.startsWith(keyPrefix)
      ? await storage.rollouts.ofPriceBook(flagKey.slice(keyPrefix.length))
      : [];
    if (rollout === undefined) return refused(ErrorCode.FLAG_NOT_FOUND, `No price book is rolled out as "${flagKey}".`);
    if (customerId === undefined || customerId === '')
      return refused(ErrorCode.TARGETING_KEY_MISSING, 'The targeting key is the id of the customer.');
    try {
      const instant =
        at === undefined ? msToInstant(clock()) : parseInstant(at instanceof Date ? at.toISOString() : at);
      return { rollout, answer: await rolloutAnswer(storage, rollout, { customerId, at: instant }) };
    } catch (error) {
      if (!(error instanceof DomainFailure)) throw error;
      return refused(ErrorCode.INVALID_CONTEXT, error.detail);
    }
  }
}

interface Found {
  readonly rollout: StoredRollout;
  readonly answer: RolloutAnswer;
}
type Refused = Required<Pick<ResolutionDetails<never>, 'errorCode' | 'errorMessage'>> & { readonly reason: 'ERROR' };

const refused = (errorCode: ErrorCode, errorMessage: string): Refused => ({
  errorCode,
  errorMessage,
  reason: StandardResolutionReasons.ERROR,
});
const wrongType = refused(ErrorCode.TYPE_MISMATCH, 'A price rollout is a boolean, or the name of a version.');

function detailsOf({ rollout, answer }: Found): Omit<ResolutionDetails<never>, 'value'> {
  const flagMetadata: FlagMetadata = {
    rollout_id: rollout.rolloutId,
    candidate: rollout.version,
    ...(answer.since !== null && { since: answer.since }),
    ...(answer.stage !== null && { stage: answer.stage }),
  };
  return { reason: answer.reason, ...(answer.version !== null && { variant: answer.version }), flagMetadata };
}
