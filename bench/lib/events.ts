/** Events for the bench. */
import { randomUUID } from 'node:crypto';
import { v7 } from 'uuid';

export interface BenchEvent {
  readonly event_id: string;
  readonly event_time: string;
  readonly customer_id: string;
  readonly event_type: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export const ingestCustomers = 20;
/** Of `customers` in turn. */
export const ingestCustomerOf = (index: number, customers = ingestCustomers): string => `bench_${index % customers}`;

let series = 0;

/** Ids in their order of time. No id is ever repeated within a process. */
export function newEventId(index: number): string {
  if (index === 0) series += 1;
  return `evt-${process.pid.toString(36)}-${series.toString(36).padStart(4, '0')}-${index.toString().padStart(8, '0')}`;
}

const day = Date.UTC(2024, 0, 15);
const dayMs = 86_400_000;

/** Ids as producers make them: where they fall in the index of the key decides what a large table costs. */
export const idKinds = {
  'time-ordered': { name: 'time-ordered ids (UUIDv7)', newId: () => v7() },
  random: { name: 'random ids (UUIDv4)', newId: () => randomUUID() },
} as const satisfies Readonly<Record<string, { readonly name: string; readonly newId: (index: number) => string }>>;
export type IdKind = keyof typeof idKinds;

export interface EventsOf {
  /** How many customers they are of, in turn; or the one. */
  readonly customers?: number | string;
  readonly newId?: (index: number) => string;
  /** Epoch milliseconds, and how long after it the last one is. */
  readonly from?: number;
  readonly spanMs?: number;
}

/** `count` new events of the meters of the ingest rows (setup.ts); by default spread over one day. */
export function newEvents(
  count: number,
  { customers = ingestCustomers, newId = newEventId, from = day, spanMs = dayMs }: EventsOf = {},
): BenchEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    event_id: newId(index),
    event_time: new Date(from + (index * spanMs) / count).toISOString(),
    customer_id: typeof customers === 'string' ? customers : ingestCustomerOf(index, customers),
    event_type: 'call',
    metadata: { region: index % 2 === 0 ? 'eu' : 'us', bytes: String(index % 4096) },
  }));
}

/** As `application/x-ndjson`. */
export function linesOf(events: readonly BenchEvent[]): Buffer {
  return Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
}

/** Bodies of POST /events; of `batch` 1 the event itself. */
export function bodies(events: readonly BenchEvent[], batch: number): Buffer[] {
  const result: Buffer[] = [];
  for (let from = 0; from < events.length; from += batch) {
    const slice = events.slice(from, from + batch);
    result.push(Buffer.from(JSON.stringify(batch === 1 ? slice[0] : { events: slice })));
  }
  return result;
}
