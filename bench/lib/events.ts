/** Events for the bench: time-ordered ids, spread over customers and over the hours of one day. */
export interface BenchEvent {
  readonly event_id: string;
  readonly event_time: string;
  readonly customer_id: string;
  readonly event_type: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export const ingestCustomers = 20;
export const ingestCustomerOf = (index: number): string => `bench_${index % ingestCustomers}`;

let series = 0;

/** No id is ever repeated within a process. */
export function newEventId(index: number): string {
  if (index === 0) series += 1;
  return `evt-${process.pid.toString(36)}-${series.toString(36).padStart(4, '0')}-${index.toString().padStart(8, '0')}`;
}

const day = Date.UTC(2024, 0, 15);
const dayMs = 86_400_000;

/** `count` new events of the meter of the ingest rows (setup.ts). */
export function newEvents(count: number): BenchEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    event_id: newEventId(index),
    event_time: new Date(day + (index * dayMs) / count).toISOString(),
    customer_id: ingestCustomerOf(index),
    event_type: 'call',
    metadata: { region: index % 2 === 0 ? 'eu' : 'us', bytes: String(index % 4096) },
  }));
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
