/** Prometheus metrics of the API. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { FailureCode } from '../../domain/failure.js';
import type { CommitObserver } from '../ingest/group-commit.js';
import type { Admission } from '../ingest/admission.js';
import type { DuplicateFlood } from '../ingest/duplicate-flood.js';
import type { IngestAnswer, IngestObserver } from '../ingest/event-ingest.js';
import type { Api } from '../types.js';

export interface ApiMetrics extends IngestObserver {
  readonly registry: Registry;
  readonly commits: CommitObserver;
}

export interface MetricsOptions {
  /** Tell of the process too: memory, garbage collection, event loop. */
  readonly ofProcess: boolean;
  /** Events that wait or are in flight. */
  readonly queueDepth: () => number;
  readonly admission: Pick<Admission, 'bytes' | 'streams'>;
  readonly flood: Pick<DuplicateFlood, 'active' | 'nearest'>;
}

export function registerMetrics(app: Api, options: MetricsOptions): ApiMetrics {
  const registry = new Registry();
  const registers = [registry];
  if (options.ofProcess) collectDefaultMetrics({ register: registry });
  countRequests(app, registry);
  const commitEvents = new Histogram({
    name: 'reckoner_group_commit_events',
    help: 'Events in one transaction of group commit.',
    buckets: [1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000],
    registers,
  });
  const commitRequests = new Histogram({
    name: 'reckoner_group_commit_requests',
    help: 'Requests that shared one transaction of group commit.',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers,
  });
  const commitSeconds = new Histogram({
    name: 'reckoner_group_commit_seconds',
    help: 'Duration of one transaction of group commit.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  gauge(registry, 'reckoner_ingest_queue_events', {
    help: 'Events that wait for their transaction or are in it.',
    read: options.queueDepth,
  });
  gauge(registry, 'reckoner_ingest_bytes', {
    help: 'Bytes of event requests that have no answer yet.',
    read: () => options.admission.bytes,
  });
  gauge(registry, 'reckoner_ingest_streams', {
    help: 'Streams of events under way.',
    read: () => options.admission.streams,
  });
  gauge(registry, 'reckoner_duplicate_flood_active', {
    help: 'Producers throttled for duplicates.',
    read: () => options.flood.active,
  });
  gauge(registry, 'reckoner_duplicate_flood_nearest', {
    help: 'Most duplicates of a producer that sends little else, in the window, as a part of the limit; from 1 on it is throttled.',
    read: () => options.flood.nearest,
  });
  return {
    registry,
    commits: {
      committed: (eventCount, requestCount, seconds) => {
        commitEvents.observe(eventCount);
        commitRequests.observe(requestCount);
        commitSeconds.observe(seconds);
      },
    },
    ingested: eventCounter(registry),
  };
}

function gauge(registry: Registry, name: string, { help, read }: { help: string; read: () => number }): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** Told of from the start, so that an alert on a missing tag can be made before the first one is missing. */
const tagCodes: readonly FailureCode[] = ['TAG_NOT_REGISTERED', 'TAG_VALUE_NOT_ALLOWED', 'TAG_REQUIRED'];

/** Counts events by what became of them: one more look only at what was not newly accepted. */
function eventCounter(registry: Registry): (answer: IngestAnswer) => void {
  const registers = [registry];
  const events = new Counter({
    name: 'reckoner_events_total',
    help: 'Events by what became of them; a conflict is another content under a used event id.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const rejections = new Counter({
    name: 'reckoner_events_rejected_total',
    help: 'Events that were not taken, conflicts included, by code.',
    labelNames: ['code'] as const,
    registers,
  });
  for (const code of tagCodes) rejections.inc({ code }, 0);
  for (const outcome of ['accepted', 'duplicate', 'conflict', 'rejected'] as const) events.inc({ outcome }, 0);
  return ({ accepted, duplicates, rejected, results }) => {
    if (accepted > 0) events.inc({ outcome: 'accepted' }, accepted);
    if (duplicates > 0) events.inc({ outcome: 'duplicate' }, duplicates);
    if (rejected === 0) return;
    const byCode = new Map<string, number>();
    for (const { code } of results) if (code !== undefined) byCode.set(code, (byCode.get(code) ?? 0) + 1);
    for (const [code, count] of byCode) {
      rejections.inc({ code }, count);
      events.inc({ outcome: code === 'EVENT_ID_REUSED' ? 'conflict' : 'rejected' }, count);
    }
  };
}

function countRequests(app: Api, registry: Registry): void {
  const registers = [registry];
  const requests = new Counter({
    name: 'reckoner_http_requests_total',
    help: 'Requests by route and status.',
    labelNames: ['method', 'route', 'status'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'reckoner_http_request_seconds',
    help: 'Duration of requests by route.',
    labelNames: ['method', 'route'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'none';
    requests.inc({ method, route, status: reply.statusCode });
    seconds.observe({ method, route }, reply.elapsedTime / 1_000);
    done();
  });
  new Gauge({
    name: 'reckoner_http_connections',
    help: 'Open HTTP connections.',
    registers,
    async collect() {
      this.set(await openConnections(app));
    },
  });
}

function openConnections(app: Api): Promise<number> {
  return new Promise((resolve) => {
    app.server.getConnections((error, count) => {
      resolve(error === null ? count : 0);
    });
  });
}
