/** POST /event-adjustments: a replacement is read exactly as an event is at ingest. */
import { DomainFailure } from '../../domain/failure.js';
import { escapedToken } from '../../domain/json-pointer.js';
import { msToInstant } from '../../domain/time/instant.js';
import type { Adjusted, EventAdjustment, NewEventAdjustment, Replacement, Storage } from '../../storage/types.js';
import { isObject } from '../ingest/event-shape.js';
import type { ExactJson } from '../ingest/exact-json.js';
import type { KnownMeters } from '../ingest/known-meters.js';
import type { KnownSchemas, RequestSchemas } from '../ingest/known-schemas.js';
import type { KnownTags } from '../ingest/known-tags.js';
import { isRefused, readEvent, type ReadContext } from '../ingest/read-event.js';
import { issuesMax, RequestRefused, type ProblemIssue } from '../problem.js';
import type { AdjustmentShape } from '../schemas/corrections.js';

export interface AdjustmentServiceDependencies {
  readonly storage: Pick<Storage, 'reference' | 'ledger' | 'adjustments'>;
  readonly meters: KnownMeters;
  readonly schemas: KnownSchemas;
  readonly tags: KnownTags;
  readonly clock: () => number;
  readonly futureToleranceMs: number;
}

type Identity = Pick<NewEventAdjustment, 'customerId' | 'source' | 'eventId'>;

const replacementProperties = ['event_type', 'event_time', 'metadata'] as const;

export class AdjustmentService {
  constructor(private readonly deps: AdjustmentServiceDependencies) {}

  /**
   * A request that was carried out before is a duplicate, whatever was decided and registered since (RULES 66).
   * @param requestId absent: the request has no key
   * @throws DomainFailure VALIDATION_FAILED and the refusals of an event for the replacement, UNKNOWN_CUSTOMER,
   *   EVENT_NOT_FOUND; in this precedence
   */
  async adjust(body: AdjustmentShape, requestId?: string): Promise<Adjusted> {
    const told = requestId === undefined ? null : await this.deps.storage.adjustments.ofRequest(requestId);
    if (told !== null) return { outcome: 'duplicate', adjustment: told };
    const identity = { customerId: body.customer_id, source: body.source, eventId: body.event_id };
    const context = await this.contextFor(body);
    const replacement = replacementOf(body, identity, context);
    if (!context.isKnownCustomer(body.customer_id)) throw unknownCustomer(body.customer_id);
    const adjustment = { ...identity, type: body.type, replacement, reason: body.reason };
    try {
      return await this.deps.storage.adjustments.adjust(adjustment, requestId);
    } catch (error) {
      if (error instanceof DomainFailure && error.code === 'EVENT_NOT_FOUND')
        throw eventNotFound(identity, '/event_id');
      throw error;
    }
  }

  /**
   * Of one event, oldest first.
   * @throws DomainFailure EVENT_NOT_FOUND
   */
  async ofEvent(identity: Identity): Promise<readonly EventAdjustment[]> {
    const { ledger, adjustments } = this.deps.storage;
    const { customerId, source, eventId } = identity;
    if ((await ledger.findEvent(customerId, source, eventId)) === null) throw eventNotFound(identity);
    return adjustments.ofEvent(customerId, source, eventId);
  }

  private async contextFor(body: AdjustmentShape): Promise<ReadContext> {
    const { storage, meters, tags, clock, futureToleranceMs } = this.deps;
    const [known, valueNeeds, schemas, tagRules] = await Promise.all([
      storage.reference.knownCustomers([body.customer_id]),
      meters.valueNeeds(),
      this.schemasFor(body),
      tags.rules(),
    ]);
    return {
      latestEventTime: msToInstant(clock() + futureToleranceMs),
      isKnownCustomer: (id) => known.has(id),
      valueNeeds,
      schemas,
      tagRules,
      doubtfulText: true,
    };
  }

  /**
   * A replacement is held against the version that the event was: an event of before its type had a schema against none. One of
   * another type is like a new event of that type.
   */
  private async schemasFor(body: AdjustmentShape): Promise<RequestSchemas | null> {
    const { replacement } = body;
    const eventType = isObject(replacement) ? replacement['event_type'] : undefined;
    if (body.type !== 'amend' || typeof eventType !== 'string') return null;
    const { schemas, storage } = this.deps;
    const event = await storage.ledger.findEvent(body.customer_id, body.source, body.event_id);
    if (event === null) return null;
    if (event.eventType !== eventType) return schemas.forOne({ eventType, named: undefined });
    const { schemaVersion } = event;
    if (schemaVersion === null) return null;
    const found = await schemas.forOne({ eventType, named: schemaVersion });
    return { of: () => found.of(eventType, schemaVersion) };
  }
}

function replacementOf(body: AdjustmentShape, identity: Identity, context: ReadContext): Replacement | null {
  const { replacement } = body;
  if (body.type === 'void') {
    if (replacement === undefined || replacement === null) return null;
    throw refused('A void takes the event out altogether: it has no "replacement". To change the event, amend it.');
  }
  if (!isObject(replacement)) {
    throw refused('An amendment needs a "replacement": an object with event_type, event_time and metadata.');
  }
  return readReplacement(replacement, identity, context);
}

function readReplacement(
  replacement: Readonly<Record<string, ExactJson>>,
  { customerId, source, eventId }: Identity,
  context: ReadContext,
): Replacement {
  const strange = Object.keys(replacement).filter((key) => !isReplacementProperty(key));
  const [first, ...others] = strange.slice(0, issuesMax + 1).map(unknownProperty);
  if (first !== undefined) throw new RequestRefused([first, ...others]);
  // Its identity is that of the event it replaces.
  const event = readEvent({ ...replacement, customer_id: customerId, source, event_id: eventId }, context);
  if (!isRefused(event)) {
    const { eventType, eventTime, metadataJson, contentHash } = event;
    return { eventType, eventTime, metadataJson, contentHash };
  }
  const [issue, ...more] = event.issues;
  throw new RequestRefused([placed(issue), ...more.map(placed)]);
}

const isReplacementProperty = (key: string): boolean => replacementProperties.some((known) => known === key);

/** Where a fault of the event that was put together stands in the body. */
function placed(issue: ProblemIssue): ProblemIssue {
  const inReplacement = replacementProperties.some((key) => `${issue.pointer}/`.startsWith(`/${key}/`));
  return inReplacement ? { ...issue, pointer: `/replacement${issue.pointer}` } : issue;
}

function unknownProperty(key: string): ProblemIssue {
  const shown = key.slice(0, 100);
  const pointer = `/replacement/${escapedToken(shown)}`;
  const detail = `"${shown}" is not a property of a replacement; known are: ${replacementProperties.join(', ')}.`;
  return { pointer, code: 'UNKNOWN_PROPERTY', detail };
}

function refused(detail: string): DomainFailure {
  return new DomainFailure('VALIDATION_FAILED', detail, '/replacement');
}

function unknownCustomer(customerId: string): DomainFailure {
  return new DomainFailure('UNKNOWN_CUSTOMER', `There is no customer "${customerId}".`, '/customer_id');
}

export function eventNotFound({ customerId, source, eventId }: Identity, pointer?: string): DomainFailure {
  const from = source === '' ? 'without a source' : `from source "${source}"`;
  const detail = `Customer "${customerId}" has no event "${eventId}" ${from}. Rejected events are under GET /dead-letters.`;
  return new DomainFailure('EVENT_NOT_FOUND', detail, pointer);
}
