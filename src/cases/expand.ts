/** Writes out what a case abbreviates: repeated events, and usage given as quantities. */
import { DomainFailure } from '../domain/failure.js';
import { tagPrefix } from '../domain/metering/metadata.js';
import { parseDuration } from '../domain/time/duration.js';
import { addMs, parseInstant } from '../domain/time/instant.js';
import type { PlainEvent } from './engine.js';
import type { CaseEvent, CaseMeter, CaseUsage } from './format.js';

/** @throws DomainFailure INVALID_DURATION, INVALID_INSTANT, INSTANT_WITHOUT_OFFSET */
export function expandEvents(events: readonly CaseEvent[]): readonly PlainEvent[] {
  return events.flatMap((event) => {
    if (event.repeat === undefined) return [plainEvent(event, 1, event.event_time)];
    const first = parseInstant(event.event_time);
    const everyMs = event.every === undefined ? 0 : parseDuration(event.every);
    return Array.from({ length: event.repeat }, (_, index) =>
      plainEvent(event, index + 1, addMs(first, index * everyMs)),
    );
  });
}

function plainEvent(event: CaseEvent, n: number, eventTime: string): PlainEvent {
  const isRepeated = event.repeat !== undefined;
  const number = (value: unknown): unknown => (typeof value === 'string' ? value.replaceAll('{n}', String(n)) : value);
  const metadata = event.metadata ?? {};
  return {
    event_id: isRepeated ? event.event_id.replaceAll('{n}', String(n)) : event.event_id,
    event_type: event.event_type,
    event_time: eventTime,
    source: event.source ?? '',
    metadata: isRepeated
      ? Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, number(value)]))
      : metadata,
  };
}

/**
 * One synthetic event for each quantity: the meter's value property carries it, the group becomes metadata, and a filter
 * is met by its first allowed text.
 *
 * @throws DomainFailure UNKNOWN_METER; VALIDATION_FAILED for a meter that counts, where a quantity would mean nothing
 */
export function expandUsage(
  usage: readonly CaseUsage[],
  meters: readonly CaseMeter[],
  stepNumber: number,
): readonly PlainEvent[] {
  return usage.map((item, index) => {
    const meter = meters.find(({ code }) => code === item.meter);
    if (meter === undefined) throw new DomainFailure('UNKNOWN_METER', `The case has no meter "${item.meter}".`);
    if (meter.value_property === undefined || meter.aggregation === 'unique_count') {
      throw new DomainFailure(
        'VALIDATION_FAILED',
        `The meter "${meter.code}" counts events; a usage step needs a value.`,
      );
    }
    const filters = Object.entries(meter.filters ?? {}).map(([property, [first]]) => [property, first] as const);
    const group = Object.entries(item.group ?? {}).filter(([, value]) => value !== null);
    return {
      event_id: `usage-${stepNumber}-${index + 1}`,
      event_type: meter.event_type,
      event_time: item.at,
      source: '',
      metadata: metadataOf([...filters, ...group, [meter.value_property, item.quantity]]),
    };
  });
}

/** Where a meter reads each of them: tags stand in an object of their own. */
function metadataOf(properties: readonly (readonly [string, unknown])[]): Readonly<Record<string, unknown>> {
  const isTag = ([name]: readonly [string, unknown]): boolean => name.startsWith(tagPrefix);
  const tags = properties.filter(isTag).map(([name, value]) => [name.slice(tagPrefix.length), value] as const);
  return {
    ...Object.fromEntries(properties.filter((property) => !isTag(property))),
    ...(tags.length > 0 && { tags: Object.fromEntries(tags) }),
  };
}
