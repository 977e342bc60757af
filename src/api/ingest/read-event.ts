/**
 * From an item of a request body to a validated event. Written out by hand because it runs for every event, and a valid
 * one should cost no allocation beyond what is stored.
 */
import { DomainFailure } from '../../domain/failure.js';
import type { Provenance, UsageEvent } from '../../domain/metering/event.js';
import { tagProblem, type TagRules } from '../../domain/metering/tags.js';
import { parseInstant } from '../../domain/time/instant.js';
import type { Instant } from '../../domain/values.js';
import { contentHashOf } from '../../storage/content-hash.js';
import type { ProblemIssue, ProblemIssues } from '../problem.js';
import type { TargetBackfill } from './backfilled.js';
import { isEventShape, isObject, shapeProblems, type EventShape } from './event-shape.js';
import type { ExactJson } from './exact-json.js';
import { noSuchSchema, type RequestSchemas } from './known-schemas.js';
import { metadataToJson, type Metadata } from './read-metadata.js';
import { valueProblem, type ValueNeeds } from './value-needs.js';

/** What a request knows when it reads its events. */
export interface ReadContext {
  /** Event times beyond it are refused: the clock and the tolerance (DESIGN 3). */
  readonly latestEventTime: Instant;
  readonly isKnownCustomer: (customerId: string) => boolean;
  /** By event type, what its meters need of the metadata. */
  readonly valueNeeds: ReadonlyMap<string, readonly ValueNeeds[]>;
  /** null: no event of the request needs a schema. */
  readonly schemas: RequestSchemas | null;
  /** null: no tag is registered, so tags are not looked at. */
  readonly tagRules: TagRules | null;
  /** The body may hold texts that Postgres cannot store. */
  readonly doubtfulText: boolean;
  /** The request sends its events for a backfill. */
  readonly backfill?: TargetBackfill;
}

/** Why an event is not taken; the first issue gives the code. */
export interface RefusedEvent {
  /** The item does not have an event's shape (as against: a well-formed event that cannot be taken). */
  readonly malformed: boolean;
  readonly issues: ProblemIssues;
  /**
   * The event, where it is refused by what may change while the ledger goes on: schemas, meters, tags. It may have been taken
   * before the change, and is then the duplicate that it was.
   */
  readonly event?: UsageEvent;
}

export type ReadResult = UsageEvent | RefusedEvent;

export function isRefused(result: ReadResult): result is RefusedEvent {
  return 'issues' in result;
}

const noMetadata: Metadata = {};
const noProvenance: Provenance = { requestId: null, userId: null, traceId: null };

/**
 * Precedence: shape, event time, metadata, whether it lies in the future, the customer, those and the range of a backfill
 * (`placedIn`), the schema, the values, the tags. Behind them comes reuse of the id (the commit).
 */
export function readEvent(item: ExactJson, context: ReadContext): ReadResult {
  if (!isObject(item))
    return malformed([{ pointer: '', code: 'VALIDATION_FAILED', detail: 'An event is a JSON object.' }]);
  if (!isEventShape(item) || context.doubtfulText) {
    const [first, ...others] = shapeProblems(item);
    if (first !== undefined) return malformed([first, ...others]);
  }
  return readShape(item as unknown as EventShape, context);
}

/** An item whose shape is known to be right. */
export function readShape(shape: EventShape, context: ReadContext): ReadResult {
  const metadata = shape.metadata ?? noMetadata;
  let eventTime: Instant;
  let metadataJson: string;
  try {
    eventTime = parseInstant(shape.event_time, '/event_time');
    metadataJson = metadataToJson(metadata, { strings: context.doubtfulText });
  } catch (error) {
    return malformed([issueOf(error)]);
  }
  const schema = context.schemas === null ? null : context.schemas.of(shape.event_type, shape.schema_version);
  const refusal = refusalOf(shape, eventTime, context);
  if (refusal !== null) return { malformed: false, issues: [refusal] };
  const { customer_id: customerId, event_id: eventId, event_type: eventType, source = '' } = shape;
  const event = {
    customerId,
    source,
    eventId,
    eventType,
    eventTime,
    metadataJson,
    contentHash: contentHashOf({ customerId, source, eventId, eventType, eventTime, metadata }),
    provenance: provenanceOf(shape),
  };
  const mismatch = mismatchOf({ shape, eventTime }, schema, context);
  if (mismatch !== null) return { malformed: false, issues: [mismatch], event };
  return schema === null || 'latest' in schema ? event : { ...event, schemaVersion: schema.version };
}

function provenanceOf({ request_id, user_id, trace_id }: EventShape): Provenance {
  if (request_id === undefined && user_id === undefined && trace_id === undefined) return noProvenance;
  return { requestId: request_id ?? null, userId: user_id ?? null, traceId: trace_id ?? null };
}

/** Why a well-formed event cannot be taken, whatever it holds; null when it can. */
function refusalOf(shape: EventShape, eventTime: Instant, context: ReadContext): ProblemIssue | null {
  if (eventTime > context.latestEventTime) {
    const detail = `The event time ${eventTime} lies in the future; events up to ${context.latestEventTime} are taken now.`;
    return { pointer: '/event_time', code: 'EVENT_TIME_IN_FUTURE', detail };
  }
  if (!context.isKnownCustomer(shape.customer_id)) {
    const detail = `There is no customer "${shape.customer_id}". Create it with PUT /customers/{customer_id}, then send the event again.`;
    return { pointer: '/customer_id', code: 'UNKNOWN_CUSTOMER', detail };
  }
  return null;
}

/** What is wrong with its metadata by the schema, the meters, the tags of now; null when nothing is. */
function mismatchOf(
  { shape, eventTime }: { readonly shape: EventShape; readonly eventTime: Instant },
  schema: ReturnType<RequestSchemas['of']>,
  context: ReadContext,
): ProblemIssue | null {
  const { event_type: eventType, metadata = noMetadata } = shape;
  const mismatch = schema === null ? null : schemaProblem(shape, schema);
  if (mismatch !== null) return mismatch;
  const needs = context.valueNeeds.get(eventType);
  const unread = needs === undefined ? null : valueProblem({ metadata, eventTime }, needs);
  if (unread !== null || context.tagRules === null) return unread;
  return tagProblem(metadata, eventType, context.tagRules);
}

function schemaProblem(shape: EventShape, schema: NonNullable<ReturnType<RequestSchemas['of']>>): ProblemIssue | null {
  const { event_type: eventType, schema_version: named = 0, metadata = noMetadata } = shape;
  if ('latest' in schema) {
    const detail = `${noSuchSchema(eventType, named, schema.latest)} POST /event-schemas adds one.`;
    return { pointer: '/schema_version', code: 'UNKNOWN_SCHEMA_VERSION', detail };
  }
  if ('unusable' in schema) {
    const detail = `Version ${schema.version} of the schema of "${eventType}" cannot be evaluated any more: ${schema.unusable} POST /event-schemas adds a version; then replay the dead letters.`;
    return { pointer: '/schema_version', code: 'EVENT_SCHEMA_UNSUPPORTED', detail };
  }
  const mismatch = schema.validate(metadata);
  if (mismatch === null) return null;
  const pointer = `/metadata${mismatch.pointer}`;
  const detail = `By version ${schema.version} of the schema of "${eventType}", ${pointer} ${mismatch.detail}.`;
  return { pointer, code: 'EVENT_SCHEMA_MISMATCH', detail };
}

function issueOf(error: unknown): ProblemIssue {
  if (!(error instanceof DomainFailure)) throw error;
  return { pointer: error.pointer ?? '', code: error.code, detail: error.detail };
}

function malformed(issues: ProblemIssues): RefusedEvent {
  return { malformed: true, issues };
}
