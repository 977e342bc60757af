/** Prometheus metrics of the API. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CommitObserver } from '../ingest/group-commit.js';
import type { IngestAnswer } from '../ingest/event-ingest.js';
import type { Api } from '../types.js';

export interface ApiMetrics {
  readonly registry: Registry;
  readonly commits: CommitObserver;
  ingested(answer: IngestAnswer): void;
}

export interface MetricsOptions {
  /** Tell of the process too: memory, garbage collection, event loop. */
  readonly ofProcess: boolean;
  /** Events that wait or are in flight. */
  readonly queueDepth: () => number;
}

export function registerMetrics(app: Api, options: MetricsOptions): ApiMetrics {
  const registry = new Registry();
  const registers = [registry];
  if (options.ofProcess) collectDefaultMetrics({ register: registry });
  countRequests(app, registry);
  const events = new Counter({
    name: 'reckoner_events_total',
    help: 'Events by what became of them.',
    labelNames: ['outcome'] as const,
    registers,
  });
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
  new Gauge({
    name: 'reckoner_ingest_queue_events',
    help: 'Events that wait for their transaction or are in it.',
    registers,
    collect() {
      this.set(options.queueDepth());
    },
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
    ingested: ({ accepted, duplicates, rejected }) => {
      if (accepted > 0) events.inc({ outcome: 'accepted' }, accepted);
      if (duplicates > 0) events.inc({ outcome: 'duplicate' }, duplicates);
      if (rejected > 0) events.inc({ outcome: 'rejected' }, rejected);
    },
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
