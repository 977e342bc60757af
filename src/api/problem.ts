/** Errors on the wire: RFC 9457 `application/problem+json` with a stable upper-case `code`. */
import { DomainFailure, type FailureCode } from '../domain/failure.js';

export const problemMediaType = 'application/problem+json';

/** One place in the body that is at fault. */
export interface ProblemIssue {
  /** JSON pointer (RFC 6901) into the body; empty for the whole body. */
  readonly pointer: string;
  readonly code: FailureCode;
  readonly detail: string;
}

/** The wire shape. `instance` is the request's id, which the log carries too. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: FailureCode;
  readonly instance: string;
  readonly errors: readonly ProblemIssue[];
  /** Only where more is at fault than `errors` lists. */
  readonly errors_truncated?: true;
  /** Only where a part of the request was carried out. */
  readonly progress?: IngestProgress;
}

/** What of a stream of events is committed. */
export interface IngestProgress {
  /** Every line before this one, counted from 0, is dealt with. */
  readonly lines: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
}

interface CodeEntry {
  readonly status: number;
  readonly title: string;
}

/** Exhaustive: a code without a status does not compile. */
export const problemCodes: Readonly<Record<FailureCode, CodeEntry>> = {
  INVALID_JSON: { status: 400, title: 'The body is not JSON' },
  VALIDATION_FAILED: { status: 422, title: 'The request does not have the required shape' },
  UNKNOWN_PROPERTY: { status: 422, title: 'Unknown property' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  BATCH_TOO_LARGE: { status: 413, title: 'Too many events in one request' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'Unsupported media type' },
  INVALID_INSTANT: { status: 422, title: 'Not an instant' },
  INSTANT_WITHOUT_OFFSET: { status: 422, title: 'Instant without offset' },
  EVENT_TIME_IN_FUTURE: { status: 422, title: 'Event time in the future' },
  INVALID_DURATION: { status: 422, title: 'Not a duration' },
  INVALID_DATE: { status: 422, title: 'Not a calendar day' },
  INVALID_DECIMAL: { status: 422, title: 'Not a decimal' },
  NUMBER_TOO_LONG: { status: 422, title: 'Number too long' },
  VALUE_PROPERTY_MISSING: { status: 422, title: 'Value property missing' },
  VALUE_PROPERTY_NOT_DECIMAL: { status: 422, title: 'Value property is not a decimal' },
  UNKNOWN_CUSTOMER: { status: 404, title: 'Unknown customer' },
  EVENT_ID_REUSED: { status: 409, title: 'Event id reused with other content' },
  EVENT_NOT_FOUND: { status: 404, title: 'Event not found' },
  UNKNOWN_CURRENCY: { status: 422, title: 'Unknown currency' },
  UNKNOWN_TIME_ZONE: { status: 422, title: 'Unknown time zone' },
  CURRENCY_MISMATCH: { status: 422, title: 'Currencies differ' },
  EXCHANGE_RATE_MISSING: { status: 422, title: 'Exchange rate missing' },
  CURRENCY_LOCKED: { status: 409, title: 'The currency cannot change now' },
  UNKNOWN_METER: { status: 404, title: 'Unknown meter' },
  METER_IMMUTABLE: { status: 409, title: 'A meter never changes' },
  INCOMPATIBLE_METER: { status: 409, title: 'The meter reads what its events cannot have' },
  INCOMPATIBLE_METER_VERSION: { status: 409, title: 'The version cannot read what the meter has counted' },
  UNKNOWN_AGGREGATION: { status: 422, title: 'Unknown aggregation' },
  UNKNOWN_PRICE_BOOK: { status: 404, title: 'Unknown price book' },
  UNKNOWN_PRICE_MODEL: { status: 422, title: 'Unknown price model' },
  TIERS_OVERLAP: { status: 422, title: 'Tiers overlap' },
  TIERS_GAP: { status: 422, title: 'Tiers leave a gap' },
  LAST_TIER_BOUNDED: { status: 422, title: 'The last tier has a bound' },
  TIERS_EMPTY: { status: 422, title: 'No tiers' },
  DUPLICATE_PRICE: { status: 422, title: 'Two prices for the same usage' },
  EFFECTIVE_FROM_NOT_ALIGNED: { status: 422, title: 'effective_from is not on a full hour of UTC' },
  PRICE_BOOK_VERSION_IMMUTABLE: { status: 409, title: 'A price book version never changes' },
  INVALID_PERIOD: { status: 422, title: 'Not a billing period' },
  UNKNOWN_PERIOD: { status: 404, title: 'Unknown billing period' },
  PERIOD_NOT_ENDED: { status: 409, title: 'The billing period has not ended' },
  PERIOD_ALREADY_INVOICED: { status: 409, title: 'The billing period is invoiced already' },
  INVOICE_NOT_FOUND: { status: 404, title: 'Invoice not found' },
  CHARGE_NOT_FOUND: { status: 404, title: 'Charge not found' },
  DOCUMENT_NOT_FOUND: { status: 404, title: 'Document not found' },
  UNKNOWN_RE_RATING_REASON: { status: 422, title: 'Unknown reason of a re-rating' },
  EMPTY_RE_RATING_SCOPE: { status: 422, title: 'The scope names nothing' },
  NOTHING_TO_RE_RATE: { status: 422, title: 'The scope meets no invoiced period' },
  PERIOD_NOT_INVOICED: { status: 409, title: 'The billing period is not invoiced yet' },
  INVOICE_VOID: { status: 409, title: 'The invoice is void' },
  INVOICE_NOT_ISSUED: { status: 409, title: 'The invoice is not issued' },
  PRICE_BOOK_NOT_IN_FORCE: { status: 422, title: 'The price book version is not in force in the period' },
  RE_RATING_NOT_FOUND: { status: 404, title: 'Re-rating not found' },
  RE_RATING_NOT_AWAITING_APPROVAL: { status: 409, title: 'The re-rating does not wait for approval' },
  RE_RATING_ALREADY_DECIDED: { status: 409, title: 'The re-rating was decided already' },
  OWN_RE_RATING: { status: 403, title: 'Nobody approves a re-rating of their own' },
  RECONCILIATION_NOT_FOUND: { status: 404, title: 'Reconciliation not found' },
  FINDING_NOT_FOUND: { status: 404, title: 'Finding not found' },
  FINDING_ALREADY_RESOLVED: { status: 409, title: 'The finding is resolved already' },
  INVALID_CURSOR: { status: 400, title: 'Not a cursor of this list' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'Idempotency key reused with other content' },
  IDEMPOTENCY_KEY_IN_FLIGHT: { status: 409, title: 'The first request with this key is still in flight' },
  IDEMPOTENCY_KEY_INVALID: { status: 400, title: 'Not an idempotency key' },
  ROUTE_NOT_FOUND: { status: 404, title: 'No such route' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method not allowed' },
  OVER_CAPACITY: { status: 503, title: 'Over capacity' },
  DATABASE_UNAVAILABLE: { status: 503, title: 'The database is not available' },
  TEMPORAL_UNAVAILABLE: { status: 503, title: 'Temporal is not available' },
  INTERNAL_ERROR: { status: 500, title: 'Internal error' },
  DUPLICATE_FLOOD: { status: 429, title: 'Too many duplicates' },
  BACKFILL_NOT_FOUND: { status: 404, title: 'Backfill not found' },
  BACKFILL_RANGE_EMPTY: { status: 422, title: 'The range of the backfill is empty' },
  BACKFILL_CLOSED: { status: 409, title: 'The backfill is closed' },
  BACKFILL_REVERTED: { status: 409, title: 'The backfill is reverted' },
  BACKFILL_OPEN: { status: 409, title: 'An open backfill holds the billing period' },
  EVENT_OUTSIDE_BACKFILL: { status: 422, title: 'The event is outside its backfill' },
  EVENT_ID_IN_BACKFILL: { status: 409, title: 'The event id is used in a backfill that does not count' },
  EVENT_ID_REPLACED: { status: 409, title: 'The event id is used by an event that the backfill replaces' },
  DEAD_LETTER_NOT_FOUND: { status: 404, title: 'Dead letter not found' },
  PRICE_BOOK_VERSION_SUPERSEDED: { status: 409, title: 'The price book version is superseded already' },
  NOTHING_TO_EVALUATE: { status: 422, title: 'The scope meets no billing period' },
  ROLLOUT_NOT_FOUND: { status: 404, title: 'Rollout not found' },
  ROLLOUT_OPEN: { status: 409, title: 'A version of the price book is being rolled out' },
  ROLLOUT_CONFLICT: { status: 409, title: 'Another version is in the way of the rollout' },
  ROLLOUT_TRANSITION_REFUSED: { status: 409, title: 'Not possible in this state of the rollout' },
  ROLLOUT_NOT_WIDER: { status: 422, title: 'The stage includes nobody else' },
  ROLLOUT_NOT_COMPARED: { status: 409, title: 'The members are not compared yet' },
  ROLLOUT_CHANGED: { status: 409, title: 'Somebody else decided at the same time' },
  NOT_A_CANDIDATE: { status: 409, title: 'The version cannot be rolled out' },
  CANARY_NOT_ON_PRICE_BOOK: { status: 422, title: 'The customer does not have the price book' },
  PRICE_EVALUATION_NOT_FOUND: { status: 404, title: 'Evaluation not found' },
  DEAD_LETTER_NOT_OPEN: { status: 409, title: 'The dead letter is settled' },
  DEAD_LETTER_ATTEMPTED: { status: 409, title: 'Another content was sent in place of the dead letter' },
  UNKNOWN_SCHEMA_VERSION: { status: 404, title: 'No such version of a schema' },
  EVENT_SCHEMA_MISMATCH: { status: 422, title: 'The event does not match its schema' },
  EVENT_SCHEMA_UNSUPPORTED: { status: 409, title: 'The version of the schema cannot be evaluated any more' },
  INVALID_SCHEMA: { status: 422, title: 'Not a schema that can be registered' },
  INCOMPATIBLE_SCHEMA: { status: 409, title: 'The schema breaks what relies on the event type' },
  TAG_NOT_REGISTERED: { status: 404, title: 'Tag not registered' },
  TAG_VALUE_NOT_ALLOWED: { status: 422, title: 'Value of a tag not allowed' },
  TAG_REQUIRED: { status: 422, title: 'Required tag missing' },
  CREDIT_GRANT_NOT_FOUND: { status: 404, title: 'Credit grant not found' },
  CREDIT_GRANT_VOID: { status: 409, title: 'The credit grant is void already' },
  ACCOUNTING_MONTH_CLOSED: { status: 409, title: 'The accounting month is closed' },
  ACCOUNTING_MONTH_NOT_OVER: { status: 409, title: 'The accounting month is not over' },
  ACCOUNTING_MONTH_OUT_OF_ORDER: { status: 409, title: 'An earlier accounting month is open' },
  LEDGER_MAPPING_MISSING: { status: 409, title: 'An account is not mapped' },
  PAYMENT_NOT_FOUND: { status: 404, title: 'Payment not found' },
  PAYMENT_REVERSED: { status: 409, title: 'The payment is reversed' },
  ALLOCATION_EXCEEDS_PAYMENT: { status: 422, title: 'More is allocated than is left of the payment' },
  ALLOCATION_EXCEEDS_OPEN: { status: 409, title: 'More is allocated than is open' },
  CREDIT_NOTE_NOT_FOUND: { status: 404, title: 'Credit note not found' },
  NOT_CREDITABLE: { status: 409, title: 'More than can be credited' },
  CREDITS_WRITE_OFF: { status: 409, title: 'What is written off is credited only after the write-off is reversed' },
  INVOICE_TRANSITION_REFUSED: { status: 409, title: 'Not possible in this status of the invoice' },
  REFUND_EXCEEDS_CREDIT: { status: 409, title: 'There is not so much unapplied credit' },
  REFUND_NOT_FOUND: { status: 404, title: 'Refund not found' },
  NOTHING_OPEN: { status: 409, title: 'Nothing is open' },
  INVOICE_CHANGED: { status: 409, title: 'The invoice says something else than what was seen' },
  INVOICE_REJECTED: { status: 409, title: 'Just this content was rejected' },
  INVOICE_HAS_PROBLEMS: { status: 409, title: 'The invoice cannot be issued as it is' },
  WRITE_OFF_NOT_FOUND: { status: 404, title: 'Write-off not found' },
  WRITE_OFF_REVERSED: { status: 409, title: 'The write-off is reversed' },
  PAYMENT_REFERENCE_KNOWN: { status: 409, title: 'A payment like this is on record' },
  UNKNOWN_LEGAL_ENTITY: { status: 404, title: 'Unknown legal entity' },
  NUMBER_PREFIX_LOCKED: { status: 409, title: 'Numbers were drawn with another prefix' },
  NUMBER_PREFIX_TAKEN: { status: 409, title: 'The number prefix belongs to another legal entity' },
  PERIOD_CLOSE_NOT_FOUND: { status: 404, title: 'Period close not found' },
  PERIOD_CLOSE_ENDED: { status: 409, title: 'The period close has ended' },
  RENDERING_DIFFERS: { status: 500, title: 'Rendering differs' },
  TEXT_NOT_PRINTABLE: { status: 422, title: 'Text not printable' },
  E_INVOICE_NOT_POSSIBLE: { status: 422, title: 'E-invoice not possible' },
  AUDIT_ENTRY_NOT_FOUND: { status: 404, title: 'Audit entry not found' },
  AUDIT_KEY_MISSING: { status: 409, title: 'No audit key is configured' },
  AUDIT_KEY_INVALID: { status: 409, title: 'The audit key cannot sign' },
  AUDIT_ANCHOR_DIFFERS: { status: 409, title: 'The audit log is not what was anchored' },
};

/** Seconds a client should wait before it repeats a request that was refused for the state of the server. */
export const retryAfterSeconds: Readonly<Partial<Record<FailureCode, number>>> = {
  OVER_CAPACITY: 1,
  DATABASE_UNAVAILABLE: 2,
  TEMPORAL_UNAVAILABLE: 5,
  IDEMPOTENCY_KEY_IN_FLIGHT: 1,
  DUPLICATE_FLOOD: 10,
};

/**
 * What an answer lists of all that is at fault: a body may have a fault in every few bytes. Who looks for faults may stop behind one
 * more than these.
 */
export const issuesMax = 50;

export type ProblemIssues = readonly [ProblemIssue, ...ProblemIssue[]];

/** More than one place of the body at fault; the first issue gives the problem its code, the first `issuesMax` are listed. */
export class RequestRefused extends DomainFailure {
  readonly issues: readonly ProblemIssue[];
  readonly isTruncated: boolean;

  constructor(issues: ProblemIssues) {
    super(issues[0].code, issues[0].detail, issues[0].pointer);
    this.issues = issues.slice(0, issuesMax);
    this.isTruncated = issues.length > issuesMax;
  }
}

/** A refusal that passes by itself, at a known time. */
export class RefusedForNow extends DomainFailure {
  constructor(
    { code, detail }: Pick<DomainFailure, 'code' | 'detail'>,
    /** Seconds. */
    readonly retryAfter: number,
  ) {
    super(code, detail);
  }
}

/** A stream of events that was not taken to its end. */
export class IngestInterrupted extends DomainFailure {
  readonly progress: IngestProgress;
  /** Seconds; by default the one of the code. */
  readonly retryAfter: number | undefined;
  override readonly cause: unknown;

  constructor(
    { code, detail }: Pick<DomainFailure, 'code' | 'detail'>,
    more: { readonly progress: IngestProgress; readonly retryAfter?: number; readonly cause: unknown },
  ) {
    super(code, detail);
    this.progress = more.progress;
    this.retryAfter = more.retryAfter;
    this.cause = more.cause;
  }
}

/** Seconds after which a request so refused may be repeated; undefined when repeating it would not help. */
export function retryAfterOf(failure: DomainFailure): number | undefined {
  const own = failure instanceof RefusedForNow || failure instanceof IngestInterrupted ? failure.retryAfter : undefined;
  return own ?? retryAfterSeconds[failure.code];
}

/**
 * An unknown thing named by the URL is 404; named by the body (the failure then points into it) it is 422, because the
 * route itself exists.
 */
export function statusOf(failure: Pick<DomainFailure, 'code' | 'pointer'>): number {
  const { status } = problemCodes[failure.code];
  return status === 404 && failure.pointer !== undefined ? 422 : status;
}

export function problemOf(failure: DomainFailure, requestId: string): Problem {
  return {
    type: `urn:reckoner:problem:${failure.code}`,
    title: problemCodes[failure.code].title,
    status: statusOf(failure),
    detail: failure.detail,
    code: failure.code,
    instance: requestId,
    errors: issuesOf(failure),
    ...(failure instanceof RequestRefused && failure.isTruncated && { errors_truncated: true }),
    ...(failure instanceof IngestInterrupted && { progress: failure.progress }),
  };
}

function issuesOf(failure: DomainFailure): readonly ProblemIssue[] {
  if (failure instanceof RequestRefused) return failure.issues;
  if (failure.pointer === undefined) return [];
  return [{ pointer: failure.pointer, code: failure.code, detail: failure.detail }];
}
