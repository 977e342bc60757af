/**
 * Expected refusals. Every code has an HTTP status (src/api/problem.ts) and a line in docs/reference/errors.md; a test
 * keeps the three in step.
 */
export const failureCodes = [
  'INVALID_JSON',
  'VALIDATION_FAILED',
  'UNKNOWN_PROPERTY',
  'BODY_TOO_LARGE',
  'BATCH_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'INVALID_INSTANT',
  'INSTANT_WITHOUT_OFFSET',
  'EVENT_TIME_IN_FUTURE',
  'INVALID_DECIMAL',
  'NUMBER_TOO_LONG',
  'VALUE_PROPERTY_MISSING',
  'VALUE_PROPERTY_NOT_DECIMAL',
  'UNKNOWN_CUSTOMER',
  'EVENT_ID_REUSED',
  'EVENT_NOT_FOUND',
  'UNKNOWN_CURRENCY',
  'UNKNOWN_TIME_ZONE',
  'CURRENCY_MISMATCH',
  'CURRENCY_LOCKED',
  'UNKNOWN_METER',
  'METER_IMMUTABLE',
  'UNKNOWN_AGGREGATION',
  'UNKNOWN_PRICE_BOOK',
  'UNKNOWN_PRICE_MODEL',
  'TIERS_OVERLAP',
  'TIERS_GAP',
  'LAST_TIER_BOUNDED',
  'TIERS_EMPTY',
  'DUPLICATE_PRICE',
  'EFFECTIVE_FROM_NOT_ALIGNED',
  'PRICE_BOOK_VERSION_IMMUTABLE',
  'INVALID_PERIOD',
  'UNKNOWN_PERIOD',
  'PERIOD_NOT_ENDED',
  'PERIOD_ALREADY_INVOICED',
  'INVOICE_NOT_FOUND',
  'CHARGE_NOT_FOUND',
  'DOCUMENT_NOT_FOUND',
  'INVALID_CURSOR',
  'IDEMPOTENCY_KEY_REUSED',
  'IDEMPOTENCY_KEY_IN_FLIGHT',
  'IDEMPOTENCY_KEY_INVALID',
  'ROUTE_NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'OVER_CAPACITY',
  'DATABASE_UNAVAILABLE',
  'TEMPORAL_UNAVAILABLE',
  'INTERNAL_ERROR',
  'INVALID_DURATION',
  'INVALID_DATE',
  'UNKNOWN_RE_RATING_REASON',
  'EMPTY_RE_RATING_SCOPE',
  'NOTHING_TO_RE_RATE',
  'PERIOD_NOT_INVOICED',
  'INVOICE_VOID',
  'INVOICE_NOT_ISSUED',
  'PRICE_BOOK_NOT_IN_FORCE',
  'RE_RATING_NOT_FOUND',
  'RE_RATING_NOT_AWAITING_APPROVAL',
  'RE_RATING_ALREADY_DECIDED',
  'OWN_RE_RATING',
  'RECONCILIATION_NOT_FOUND',
  'FINDING_NOT_FOUND',
  'FINDING_ALREADY_RESOLVED',
  'DUPLICATE_FLOOD',
  'BACKFILL_NOT_FOUND',
  'BACKFILL_RANGE_EMPTY',
  'BACKFILL_CLOSED',
  'BACKFILL_REVERTED',
  'BACKFILL_OPEN',
  'EVENT_OUTSIDE_BACKFILL',
  'EVENT_ID_IN_BACKFILL',
  'EVENT_ID_REPLACED',
  'DEAD_LETTER_NOT_FOUND',
  'DEAD_LETTER_NOT_OPEN',
  'UNKNOWN_SCHEMA_VERSION',
  'EVENT_SCHEMA_MISMATCH',
  'INVALID_SCHEMA',
  'INCOMPATIBLE_SCHEMA',
  'TAG_NOT_REGISTERED',
  'TAG_VALUE_NOT_ALLOWED',
  'TAG_REQUIRED',
  'PRICE_BOOK_VERSION_SUPERSEDED',
  'NOTHING_TO_EVALUATE',
  'PRICE_EVALUATION_NOT_FOUND',
  'EXCHANGE_RATE_MISSING',
  'ROLLOUT_NOT_FOUND',
  'ROLLOUT_OPEN',
  'ROLLOUT_CONFLICT',
  'ROLLOUT_TRANSITION_REFUSED',
  'ROLLOUT_NOT_WIDER',
  'ROLLOUT_NOT_COMPARED',
  'ROLLOUT_CHANGED',
  'NOT_A_CANDIDATE',
  'CANARY_NOT_ON_PRICE_BOOK',
  'CREDIT_GRANT_NOT_FOUND',
  'CREDIT_GRANT_VOID',
  'AUDIT_ENTRY_NOT_FOUND',
  'AUDIT_KEY_MISSING',
  'AUDIT_KEY_INVALID',
] as const;

export type FailureCode = (typeof failureCodes)[number];

/** A refusal the caller can understand and act on. `detail` is a sentence that says what to do. */
export class DomainFailure extends Error {
  override readonly name = 'DomainFailure';
  constructor(
    readonly code: FailureCode,
    readonly detail: string,
    /** JSON pointer (RFC 6901) into the body, where one place is at fault. */
    readonly pointer?: string,
  ) {
    super(`${code}: ${detail}`);
  }
}

/** A broken invariant is a defect of ours: it stops the work visibly instead of issuing a wrong amount. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}

/** For exhaustive switches: does not compile while a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`);
}
