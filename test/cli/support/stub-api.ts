/** An HTTP server that stands in for Reckoner's API, and a terminal that remembers what was printed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../../src/cli/program.js';

export interface StubRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}
export interface StubAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is bytes. */
  readonly body?: unknown;
  /** Breaks the connection instead of answering. */
  readonly hangUp?: boolean;
}
export type StubHandler = (request: StubRequest) => StubAnswer | Promise<StubAnswer>;

export interface StubApi {
  readonly url: string;
  readonly requests: readonly StubRequest[];
  answer(handler: StubHandler): void;
  close(): Promise<void>;
}

export async function startStubApi(): Promise<StubApi> {
  const requests: StubRequest[] = [];
  let handler: StubHandler = () => ({ status: 404, body: { code: 'ROUTE_NOT_FOUND', detail: 'no such route' } });
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'http://stub');
      const request = {
        method: incoming.method ?? '',
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      requests.push(request);
      void Promise.resolve(handler(request)).then(({ status = 200, headers = {}, body, hangUp = false }) => {
        if (hangUp) {
          incoming.socket.destroy();
          return;
        }
        const type = body instanceof Buffer ? 'application/octet-stream' : 'application/json';
        outgoing.writeHead(status, { 'content-type': type, ...headers });
        outgoing.end(body instanceof Buffer ? body : JSON.stringify(body ?? {}));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (next) => void (handler = next),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The stub of the test that runs, and what the tests of most commands do with it. */
export interface StubOfEachTest extends Omit<StubApi, 'close'> {
  /** A command line, sent to the stub. */
  run(...args: string[]): Promise<CliRun>;
  /** `POST /payments` of every request so far. */
  paths(): readonly string[];
  /** JSON of a request's body. */
  bodyOf(index: number): unknown;
  /** Of the test's own, empty at first. */
  readonly folder: string;
  /** Writes a file into that folder, and answers its path. */
  file(name: string, content: string): string;
}

/** Starts a stub before each test of the file that calls it, and stops it after. */
export function stubOfEachTest(): StubOfEachTest {
  let stub: StubApi;
  let folder: string;
  beforeEach(async () => {
    stub = await startStubApi();
    folder = mkdtempSync(join(tmpdir(), 'reckoner-cli-'));
  });
  afterEach(async () => {
    await stub.close();
    rmSync(folder, { recursive: true });
  });
  return {
    get url() {
      return stub.url;
    },
    get requests() {
      return stub.requests;
    },
    get folder() {
      return folder;
    },
    answer: (handler) => stub.answer(handler),
    run: (...args) => cli([...args, '--url', stub.url]),
    paths: () => stub.requests.map(({ method, path }) => `${method} ${path}`),
    bodyOf: (index) => JSON.parse(stub.requests[index]?.body ?? ''),
    file: (name, content) => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    },
  };
}

export interface SentEvent {
  readonly event_id: string;
  readonly customer_id: string;
  readonly event_type: string;
  readonly event_time: string;
  readonly source?: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export function eventsIn(request: StubRequest): readonly SentEvent[] {
  return (JSON.parse(request.body) as { events: SentEvent[] }).events;
}

/** Takes events as the API does: each id once; `reject` may refuse some. */
export function ledger(reject: (event: SentEvent) => { code: string; detail: string } | null = () => null): {
  readonly stored: ReadonlyMap<string, SentEvent>;
  readonly take: (request: StubRequest) => StubAnswer;
} {
  const stored = new Map<string, SentEvent>();
  const take = (request: StubRequest): StubAnswer => {
    const results: Record<string, unknown>[] = [];
    let accepted = 0;
    eventsIn(request).forEach((event, index) => {
      const refusal = reject(event);
      if (refusal !== null) results.push({ index, event_id: event.event_id, status: 'rejected', ...refusal });
      else if (stored.has(event.event_id)) results.push({ index, event_id: event.event_id, status: 'duplicate' });
      else {
        stored.set(event.event_id, event);
        accepted += 1;
      }
    });
    const of = (status: string): number => results.filter((result) => result['status'] === status).length;
    return { status: 202, body: { accepted, duplicates: of('duplicate'), rejected: of('rejected'), results } };
  };
  return { stored, take };
}

export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Buffer;
  /** What was waited for, in milliseconds; waiting takes no time here. */
  readonly waits: readonly number[];
}

export async function cli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  user: string | null = 'ada',
  columns: number | null = null,
): Promise<CliRun> {
  const printed = { out: '', err: '', bytes: [] as Uint8Array[] };
  const waits: number[] = [];
  let now = Date.parse('2024-02-01T00:00:00Z');
  const code = await runCli(args, {
    terminal: {
      out: (text) => void (printed.out += text),
      err: (text) => void (printed.err += text),
      outBytes: (bytes) => void printed.bytes.push(bytes),
      interactive: false,
      columns,
      env,
      user,
    },
    fetcher: fetch,
    sleep: async (ms) => {
      waits.push(ms);
      now += ms;
    },
    clock: () => now,
  });
  return { code, out: printed.out, err: printed.err, bytes: Buffer.concat(printed.bytes), waits };
}
