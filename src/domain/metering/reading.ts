/** What one event says to a meter: whether it is taken, its group, and what is read of it. */
import { decimal } from '../decimal.js';
import type { DecimalString, GroupKey } from '../values.js';
import { type Metadata, readDimension, readScalar, readValue } from './metadata.js';
import type { Meter } from './meter.js';

/** Whether the meter counts such an event: its type, and every filtered property has one of the allowed texts. */
export function takes(meter: Pick<Meter, 'eventType' | 'filters'>, eventType: string, metadata: Metadata): boolean {
  if (meter.eventType !== eventType) return false;
  return Object.entries(meter.filters).every(([property, allowed]) => {
    const scalar = readDimension(metadata, property);
    return scalar !== null && allowed.includes(scalar.text);
  });
}

/** The meter's group of such an event; a property without a text is null (RULES 17). */
export function groupOf({ groupBy }: Pick<Meter, 'groupBy'>, metadata: Metadata): GroupKey {
  return Object.fromEntries(groupBy.map((property) => [property, readDimension(metadata, property)?.text ?? null]));
}

type Reads = Pick<Meter, 'aggregation' | 'valueProperty'>;

/**
 * What the meter reads of one event: a decimal, or for `unique_count` the text that must differ. null: there is nothing that
 * it can read, for which ingest rejects the event, and which holds the invoice when it is found later (RULES 10).
 */
export function readingOf({ aggregation, valueProperty }: Reads, metadata: Metadata): string | null {
  if (valueProperty === null) return aggregation === 'count' ? '1' : null;
  if (aggregation === 'unique_count') return readScalar(metadata, valueProperty)?.text ?? null;
  if (aggregation === 'count') return countOf(metadata, valueProperty);
  return readValue(metadata, valueProperty);
}

/** How many an event stands for (RULES 32): one where it does not say, otherwise a whole number that is not negative. */
function countOf(metadata: Metadata, property: string): DecimalString | null {
  const isSaid = Object.hasOwn(metadata, property) && metadata[property] !== null;
  if (!isSaid) return '1' as DecimalString;
  const count = readValue(metadata, property);
  return count !== null && decimal(count).isInteger() && !decimal(count).isNegative() ? count : null;
}

/** What one event by itself gives the meter; null: it cannot be read. */
export function quantityOf(meter: Reads, metadata: Metadata): DecimalString | null {
  const reading = readingOf(meter, metadata);
  return reading !== null && meter.aggregation === 'unique_count' ? ('1' as DecimalString) : (reading as DecimalString);
}

/** How many events one event stands for to a meter that counts them (RULES 32); null: the meter does not count events. */
export function standsFor(meter: Reads, metadata: Metadata): DecimalString | null {
  return meter.aggregation === 'count' ? quantityOf(meter, metadata) : null;
}

/** Properties of an event type that are compared by value where a retry is held against its original (RULES 6). */
export function valueProperties(meters: readonly Meter[], eventType: string): ReadonlySet<string> {
  return new Set(
    meters.flatMap((meter) =>
      // What unique_count tells apart are texts: "1" and "1.0" are two users.
      meter.eventType === eventType && meter.aggregation !== 'unique_count' ? (meter.valueProperty ?? []) : [],
    ),
  );
}
