/** The usage ledger of the pure engine: events and adjustments in memory, by the rules of identity and content (RULES 6, 7). */
import { DomainFailure } from '../domain/failure.js';
import { parseDecimal } from '../domain/decimal.js';
import { canonicalEvent, sameContent } from '../domain/metering/canonical-content.js';
import type { EventContent } from '../domain/metering/canonical-content.js';
import type { MeteredEvent } from '../domain/metering/fold.js';
import { readingOf, takes, valueProperties } from '../domain/metering/reading.js';
import type { Metadata } from '../domain/metering/metadata.js';
import { surelyCountsFrom } from '../domain/metering/meter-versions.js';
import type { Meter } from '../domain/metering/meter.js';
import { addMs, msToInstant, parseInstant } from '../domain/time/instant.js';
import type { PlainEvent } from './engine.js';
import type { CaseAdjustment } from './format.js';

const customerId = 'case';
const futureToleranceMs = 5 * 60_000;

interface LedgerEntry {
  readonly original: EventContent;
  /** null: voided. */
  current: MeteredEvent | null;
}

export class PureLedger {
  private readonly entries = new Map<string, LedgerEntry>();
  private readonly latestEventTime = addMs(msToInstant(Date.now()), futureToleranceMs);
  private contents = 0;
  private counting: readonly MeteredEvent[] | null = null;

  constructor(private readonly meters: readonly Meter[]) {}

  /** A repeat changes nothing. @throws DomainFailure why the event cannot be taken */
  append(event: PlainEvent): void {
    requireName(event.event_id, 'event_id');
    const content = this.readContent(event);
    const identity = identityOf(event.source, event.event_id);
    const known = this.entries.get(identity);
    if (known === undefined) {
      this.entries.set(identity, { original: content, current: this.metered(event, content) });
      this.counting = null;
    } else if (!sameContent(known.original, content, valueProperties(this.meters, content.eventType))) {
      throw new DomainFailure('EVENT_ID_REUSED', `The event "${event.event_id}" is already known with other content.`);
    }
  }

  /** @throws DomainFailure EVENT_NOT_FOUND, or why the replacement cannot be taken */
  adjust({ event_id, source = '', type, replacement }: CaseAdjustment): void {
    const entry = this.entries.get(identityOf(source, event_id));
    if (entry === undefined) throw new DomainFailure('EVENT_NOT_FOUND', `There is no event "${event_id}".`);
    this.counting = null;
    if (type === 'void') {
      entry.current = null;
      return;
    }
    if (replacement === undefined) throw new DomainFailure('VALIDATION_FAILED', 'An amendment needs a replacement.');
    const event = { event_id, source, ...replacement, metadata: replacement.metadata ?? {} };
    entry.current = this.metered(event, this.readContent(event));
  }

  /** What counts now; the same list until that changes. */
  events(): readonly MeteredEvent[] {
    this.counting ??= [...this.entries.values()].flatMap(({ current }) => current ?? []);
    return this.counting;
  }

  private readContent(event: PlainEvent): EventContent {
    requireName(event.event_type, 'event_type');
    const content = {
      eventType: event.event_type,
      eventTime: parseInstant(event.event_time, '/event_time'),
      metadata: event.metadata as Metadata,
    };
    // Writing the canonical text is what finds numbers that are too long.
    canonicalEvent({ ...content, customerId, source: event.source, eventId: event.event_id });
    if (content.eventTime > this.latestEventTime) {
      throw new DomainFailure(
        'EVENT_TIME_IN_FUTURE',
        `The event time ${content.eventTime} lies in the future.`,
        '/event_time',
      );
    }
    const unread = this.meters.find(({ code }) => this.isUnread(code, content));
    if (unread !== undefined) throw unreadableValue(unread, content.metadata);
    return content;
  }

  /** Of a meter's versions any may hold at the time of the event: refused is what none of them can read, once one surely holds (RULES 68). */
  private isUnread(code: string, { eventType, eventTime, metadata }: EventContent): boolean {
    const versions = this.meters.filter((version) => version.code === code);
    const from = surelyCountsFrom(versions);
    return (
      (from === null || eventTime >= from) &&
      versions.every((version) => takes(version, eventType, metadata) && readingOf(version, metadata) === null)
    );
  }

  private metered({ event_id, source }: PlainEvent, content: EventContent): MeteredEvent {
    this.contents += 1;
    // Cases never look at digests, so a number that no other content has does for the hash.
    return { ...content, customerId, source, eventId: event_id, contentHash: String(this.contents) };
  }
}

const identityOf = (source: string, eventId: string): string => JSON.stringify([source, eventId]);

function requireName(value: string, property: string): void {
  if (value.length < 1 || value.length > 128) {
    throw new DomainFailure(
      'VALIDATION_FAILED',
      `"${property}" must be a text of 1 to 128 characters.`,
      `/${property}`,
    );
  }
}

function unreadableValue(meter: Meter, metadata: Metadata): DomainFailure {
  const property = meter.valueProperty ?? '';
  const pointer = `/metadata/${property}`;
  if (meter.aggregation === 'count') {
    return new DomainFailure('VALUE_PROPERTY_NOT_DECIMAL', `"${property}" is not a whole number.`, pointer);
  }
  if (!Object.hasOwn(metadata, property)) {
    return new DomainFailure('VALUE_PROPERTY_MISSING', `The meter "${meter.code}" needs "${property}".`, pointer);
  }
  const isTooLong = refusalOf(() => parseDecimal(metadata[property])) === 'NUMBER_TOO_LONG';
  if (isTooLong) return new DomainFailure('NUMBER_TOO_LONG', `"${property}" has too many digits.`, pointer);
  return new DomainFailure('VALUE_PROPERTY_NOT_DECIMAL', `"${property}" is not a decimal.`, pointer);
}

function refusalOf(parse: () => unknown): string | null {
  try {
    parse();
    return null;
  } catch (error) {
    if (error instanceof DomainFailure) return error.code;
    throw error;
  }
}
