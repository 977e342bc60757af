/** Postgres or Temporal away: 503 with Retry-After, nothing half-answered, no accepted event lost. */
import { BreakableProxy } from './support/breakable-proxy.js';
import { callEvent, TestApi } from './support/test-api.js';

describe('with the database away', () => {
  let api: TestApi;
  const proxy = new BreakableProxy();

  beforeAll(async () => {
    api = await TestApi.start({}, (url) => proxy.through(url));
    await api.setUpExample();
  });
  beforeEach(() => {
    proxy.heal();
  });
  afterAll(async () => {
    proxy.heal();
    await api.close();
    await proxy.close();
  });

  test('events get 503 with Retry-After, and are taken when it is back', async () => {
    proxy.cut();
    const answer = await api.send('POST', '/events', [callEvent('later')]);
    expect([answer.statusCode, answer.headers['retry-after'], answer.json<{ code: string }>().code]).toEqual([
      503,
      '2',
      'DATABASE_UNAVAILABLE',
    ]);
    proxy.heal();
    // A connection that broke without our noticing may cost one more 503; a caller repeats then.
    let again = await api.send('POST', '/events', [callEvent('later')]);
    for (let attempt = 1; again.statusCode === 503 && attempt < 10; attempt += 1) {
      again = await api.send('POST', '/events', [callEvent('later')]);
    }
    expect(again.json()).toMatchObject({ accepted: 1 });
  });

  test('malformed bodies are not answered as refused while they cannot be kept', async () => {
    proxy.cut();
    await api.refused('DATABASE_UNAVAILABLE', 503, 'POST', '/events', '{"cut off');
  });

  test.each([
    ['GET', '/customers'],
    ['GET', '/invoices'],
    ['GET', '/health/ready'],
    ['GET', '/ledger/trial-balance'],
    ['POST', '/meters'],
  ] as const)('%s %s says so too', async (method, url) => {
    proxy.cut();
    const body = method === 'POST' ? { code: 'm', event_type: 't', aggregation: 'count' } : undefined;
    await api.refused('DATABASE_UNAVAILABLE', 503, method, url, body);
  });

  test('the process is alive all the same', async () => {
    proxy.cut();
    expect(await api.expect(200, 'GET', '/health/live')).toEqual({ status: 'alive' });
  });

  test('whatever was answered 202 while it went and came back is there, once', async () => {
    const accepted: string[] = [];
    let next = 0;
    const sender = async (): Promise<void> => {
      while (next < 400) {
        const id = `crash-${(next += 1)}`;
        for (;;) {
          const answer = await api.send('POST', '/events', callEvent(id));
          if (answer.statusCode === 202) break;
          expect(answer.statusCode).toBe(503);
          proxy.heal();
        }
        accepted.push(id);
        if (accepted.length % 80 === 40) proxy.cut();
      }
    };
    await Promise.all([sender(), sender(), sender(), sender(), sender(), sender()]);
    const repeat = await api.expect(
      202,
      'POST',
      '/events',
      accepted.map((id) => callEvent(id)),
    );
    expect(repeat).toMatchObject({ accepted: 0, duplicates: accepted.length, rejected: 0 });
  });
});

describe('with Temporal away', () => {
  let api: TestApi;

  beforeAll(async () => {
    api = await TestApi.start();
    api.temporal.away = true;
    await api.setUpExample();
  });
  afterAll(async () => {
    await api.close();
  });

  test('customers and events are taken, and the API is ready', async () => {
    expect(await api.expect(202, 'POST', '/events', callEvent('e1'))).toMatchObject({ accepted: 1 });
    expect(await api.expect(200, 'GET', '/health/ready')).toEqual({
      status: 'ready',
      checks: { database: 'up', temporal: 'down' },
    });
  });

  test('closing a period gets 503 with Retry-After', async () => {
    const answer = await api.send('POST', '/billing-periods/cust_1/2024-01/close');
    expect([answer.statusCode, answer.headers['retry-after'], answer.json<{ code: string }>().code]).toEqual([
      503,
      '5',
      'TEMPORAL_UNAVAILABLE',
    ]);
  });

  test('the same Idempotency-Key is free again after a 503', async () => {
    const headers = { 'idempotency-key': 'close-1' };
    await api.refused('TEMPORAL_UNAVAILABLE', 503, 'POST', '/billing-periods/cust_1/2024-01/close', {}, headers);
    api.temporal.away = false;
    expect(await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close', {}, headers)).toMatchObject({
      stage: 'invoiced',
    });
  });
});

test('over capacity: 503 with Retry-After, and the same request is taken later', async () => {
  const api = await TestApi.start({ groupCommit: { committers: 1, eventsPerCommit: 1, eventsWaiting: 2 } });
  try {
    await api.setUpExample();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => api.send('POST', '/events', callEvent(`e${index}`))),
    );
    const refused = answers.filter(({ statusCode }) => statusCode === 503);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) {
      expect([answer.headers['retry-after'], answer.json<{ code: string }>().code]).toEqual(['1', 'OVER_CAPACITY']);
    }
    expect(answers.filter(({ statusCode }) => statusCode === 202)).toHaveLength(20 - refused.length);
    expect(await api.expect(202, 'POST', '/events', callEvent('e19'))).toMatchObject({ rejected: 0 });
  } finally {
    await api.close();
  }
});

test('closing the API commits and answers what it has taken', async () => {
  const api = await TestApi.start();
  await api.setUpExample();
  const sent = Promise.all(
    Array.from({ length: 50 }, (_, index) => api.send('POST', '/events', callEvent(`e${index}`))),
  );
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([sent, api.close()]);
  for (const answer of await sent) {
    if (answer.statusCode === 202) expect(answer.json()).toMatchObject({ accepted: 1 });
    else expect(answer.statusCode).toBe(503);
  }
});
