/** The API over a real socket, with a Temporal address at which nobody listens. */
import { connect, createServer } from 'node:net';
import { startApi, type RunningApi } from '../../src/api/server.js';
import { connectTemporal } from '../../src/api/temporal-gateway.js';
import type { LocalDate } from '../../src/domain/values.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { callEvent, exampleCustomer, exampleMeter, examplePriceBook } from './support/test-api.js';

/** A port that was free a moment ago. */
async function deadAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${address.port}`;
}

let database: TestDatabase;
let api: RunningApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi({
    databaseUrl: database.url,
    temporal: { address: await deadAddress(), namespace: 'default' },
    http: { host: '127.0.0.1', port: 0 },
    futureToleranceMs: 300_000,
    logLevel: 'silent',
  });
});
afterAll(async () => {
  await database.drop();
});

const send = (method: string, path: string, body: unknown): Promise<Response> =>
  fetch(`${api.url}${path}`, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

test('starts and takes events while Temporal is away, and says so', async () => {
  expect(await (await fetch(`${api.url}/health/ready`)).json()).toEqual({
    status: 'ready',
    checks: { database: 'up', temporal: 'down' },
  });
  expect((await send('POST', '/meters', exampleMeter)).status).toBe(201);
  expect((await send('POST', '/price-books', examplePriceBook)).status).toBe(201);
  expect((await send('PUT', '/customers/cust_1', exampleCustomer)).status).toBe(201);
  expect(await (await send('POST', '/events', callEvent('e1'))).json()).toMatchObject({ accepted: 1 });
  const metrics = await (await fetch(`${api.url}/metrics`)).text();
  expect(metrics).toMatch(/^process_resident_memory_bytes \d/m);
});

/** All that comes back until the connection is closed. */
async function sendRaw(text: string): Promise<string> {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(text);
  await new Promise<void>((resolve, reject) => socket.once('close', () => resolve()).once('error', reject));
  return Buffer.concat(chunks).toString();
}

test.each([
  ['a bad chunk', 400, 'INVALID_JSON', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n'],
  ['a bad length', 400, 'INVALID_JSON', 'Content-Length: -5\r\n\r\n{}'],
  ['two lengths', 400, 'INVALID_JSON', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['huge headers', 431, 'HEADERS_TOO_LARGE', `X-Much: ${'x'.repeat(100_000)}\r\n\r\n`],
])('%s is answered as a problem, and the connection closed', async (_what, status, code, rest) => {
  const answer = await sendRaw(`POST /meters HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${rest}`);
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} .*\\r\\nContent-Type: application/problem\\+json\\r\\n`));
  expect(head).toMatch(/\r\nConnection: close/);
  const problem = JSON.parse(body) as Readonly<Record<string, unknown>>;
  expect(problem).toMatchObject({ code, status, type: `urn:reckoner:problem:${code}` });
  expect(head).toContain(`X-Request-Id: ${String(problem['instance'])}`);
  expect((await fetch(`${api.url}/health/live`)).status).toBe(200);
});

test('the gateway reports an unreachable service, not a defect', async () => {
  const gateway = connectTemporal({ address: await deadAddress(), namespace: 'default', deadlineMs: 500 });
  const period = '2024-01-01' as LocalDate;
  const request = { requestId: '1', forced: false, reason: null };
  const reRating = { reRatingId: 'r', workflowId: 're-rating/r', reason: 'manual' };
  for (const call of [
    () => gateway.health(),
    () => gateway.startBillingPeriod('c', period),
    () => gateway.closePeriod('c', period, request),
    () => gateway.startReRating(reRating, null),
    () => gateway.signalDecided(reRating, null),
    () => gateway.startReconciliation('run'),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
  }
  await gateway.close();
});

test('the gateway can be closed while a call still tries', async () => {
  const gateway = connectTemporal({ address: await deadAddress(), namespace: 'default', deadlineMs: 1_500 });
  let settled = false;
  const call = gateway.startBillingPeriod('c', '2024-01-01' as LocalDate).catch((error: unknown) => {
    settled = true;
    return error;
  });
  await gateway.close();
  expect(settled).toBe(true);
  expect(await call).toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
});

test('closing answers what it has taken, refuses what comes after, and leaves no connection', async () => {
  const statuses = Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      send('POST', '/events', callEvent(`last-${index}`)).then(
        ({ status }) => status,
        () => 'refused',
      ),
    ),
  );
  await fetch(`${api.url}/health/live`);
  await api.close();
  for (const status of await statuses) expect([202, 503, 'refused']).toContain(status);
  await expect(fetch(`${api.url}/health/live`)).rejects.toThrow();
});

test('a port that is taken is said at once, and nothing is left open', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address === null || typeof address === 'string' ? 0 : address.port;
  const starting = startApi({
    databaseUrl: database.url,
    temporal: { address: await deadAddress(), namespace: 'default' },
    http: { host: '127.0.0.1', port },
    futureToleranceMs: 300_000,
    logLevel: 'silent',
  });
  await expect(starting).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await new Promise((resolve) => server.close(resolve));
});
