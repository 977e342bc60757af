/** What holds for every route: problems, methods, media types, idempotency keys, strictness, OpenAPI, metrics. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { callEvent, exampleCustomer, exampleMeter, exampleOfAllTests } from './support/test-api.js';
import { routes } from './support/routes.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfAllTests();

describe('routes and methods', () => {
  test('an unknown path is ROUTE_NOT_FOUND', async () => {
    await api.refused('ROUTE_NOT_FOUND', 404, 'GET', '/nothing/here');
    await api.refused('ROUTE_NOT_FOUND', 404, 'GET', '/customers/%zz');
    await api.refused('ROUTE_NOT_FOUND', 404, 'GET', `/customers/${'x'.repeat(5_000)}`);
  });

  test.each([
    ['DELETE', '/events', 'GET, HEAD, POST'],
    ['POST', '/customers/cust_1', 'GET, HEAD, PUT'],
    ['PUT', '/invoices/INV-000001/pdf?x=1', 'GET, HEAD'],
    ['GET', '/billing-periods/cust_1/2024-01/close', 'POST'],
  ] as const)('%s %s is METHOD_NOT_ALLOWED and says what is', async (method, url, allow) => {
    await api.refused('METHOD_NOT_ALLOWED', 405, method, url);
    expect((await api.send(method, url)).headers['allow']).toBe(allow);
  });

  test('a defect shows its request id and nothing else', async () => {
    const list = () => Promise.reject(new Error('secret: column "x" at /srv/app.js:1'));
    const broken = jest.replaceProperty(api.storage, 'findings', { ...api.storage.findings, list });
    const problem = await api.refused('INTERNAL_ERROR', 500, 'GET', '/findings');
    broken.restore();
    expect(JSON.stringify(problem)).not.toMatch(/secret|column|app\.js|at /);
  });
});

describe('strictness', () => {
  test.each([
    ['/customers?limit=0', 'VALIDATION_FAILED'],
    ['/customers?limit=101', 'VALIDATION_FAILED'],
    ['/customers?limit=1e1', 'VALIDATION_FAILED'],
    ['/customers?limit=%2B5', 'VALIDATION_FAILED'],
    ['/customers?limit=', 'VALIDATION_FAILED'],
    ['/customers?limit=5&limit=6', 'VALIDATION_FAILED'],
    ['/customers?page=2', 'UNKNOWN_PROPERTY'],
    ['/meters?code=api_calls', 'UNKNOWN_PROPERTY'],
    ['/customers/cust_1?at=2024-01-01', 'UNKNOWN_PROPERTY'],
    ['/ledger/accounts?limit=5', 'UNKNOWN_PROPERTY'],
    ['/ledger/balances?currency=%00', 'VALIDATION_FAILED'],
    ['/audit/entries/customer%2F%00/1', 'VALIDATION_FAILED'],
    ['/events', 'VALIDATION_FAILED'],
    ['/events?customer_id=cust_1&limit=1001', 'VALIDATION_FAILED'],
    ['/events?customer_id=cust_1&from=2024-01-01', 'INVALID_INSTANT'],
  ])('GET %s is %s', async (url, code) => {
    await api.refused(code, 422, 'GET', url);
  });

  test.each([
    ['not JSON', '{"code":', 'INVALID_JSON', 400],
    ['empty', '', 'INVALID_JSON', 400],
    ['with __proto__', '{"code":"x","__proto__":{"event_type":"t"}}', 'UNKNOWN_PROPERTY', 422],
    ['with NUL', '{"code":"x\\u0000","event_type":"t","aggregation":"count"}', 'VALIDATION_FAILED', 422],
    ['nested without end', `{"code":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'INVALID_JSON', 400],
    ['of more than 1 MiB', `{"code":"${'x'.repeat(1_048_576)}"}`, 'BODY_TOO_LARGE', 413],
    ['a list', '[]', 'VALIDATION_FAILED', 422],
  ])('a body %s is refused', async (_name, body, code, status) => {
    await api.refused(code, status, 'POST', '/meters', body);
  });

  test('a cursor with something appended is refused, though a decoder would pass over it', async () => {
    await api.expect(201, 'PUT', '/customers/cust_2', exampleCustomer);
    const { next_cursor: cursor } = await api.expect(200, 'GET', '/customers?limit=1');
    await api.expect(200, 'GET', `/customers?limit=1&cursor=${String(cursor)}`);
    for (const appended of ['A', '=', '%20', 'AAA', '!']) {
      await api.refused('INVALID_CURSOR', 400, 'GET', `/customers?limit=1&cursor=${String(cursor)}${appended}`);
    }
  });

  test('another media type is refused', async () => {
    await api.refused('UNSUPPORTED_MEDIA_TYPE', 415, 'POST', '/meters', JSON.stringify(exampleMeter), {
      'content-type': 'text/plain',
    });
  });
});

describe('Idempotency-Key', () => {
  const meter = (code: string): Json => ({ code, event_type: 't', aggregation: 'count' });
  const key = (value: string): Record<string, string> => ({ 'idempotency-key': value });

  test('the first answer is returned again, whatever the notation of key and body', async () => {
    const first = await api.send('POST', '/meters', meter('keyed'), key('k-1'));
    expect([first.statusCode, first.headers['idempotency-replayed']]).toEqual([201, undefined]);
    const again = await api.send(
      'POST',
      '/meters',
      '{ "aggregation":"count", "event_type":"t","code":"keyed" }',
      key('"k-1"'),
    );
    expect([again.statusCode, again.headers['idempotency-replayed'], again.body]).toEqual([201, 'true', first.body]);
    expect(again.headers['content-type']).toBe(first.headers['content-type']);
  });

  test('a refusal is an answer too', async () => {
    const send = () => api.send('POST', '/billing-periods/cust_1/2024-03/close', undefined, key('k-2'));
    const [first, again] = [await send(), await send()];
    expect([first.statusCode, first.json<Json>()['code']]).toEqual([409, 'PERIOD_NOT_ENDED']);
    expect([again.statusCode, again.body, again.headers['idempotency-replayed']]).toEqual([409, first.body, 'true']);
    expect(again.headers['content-type']).toMatch(/^application\/problem\+json/);
  });

  test('other content, or another route, under the same key is refused', async () => {
    await api.expect(201, 'POST', '/meters', meter('reused'), key('k-3'));
    await api.refused('IDEMPOTENCY_KEY_REUSED', 422, 'POST', '/meters', meter('reused-2'), key('k-3'));
    await api.refused(
      'IDEMPOTENCY_KEY_REUSED',
      422,
      'POST',
      '/billing-periods/cust_1/2024-01/close',
      undefined,
      key('k-3'),
    );
  });

  test('while the first is in flight the second is told so, and the effect happens once', async () => {
    let release = (): void => undefined;
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    api.temporal.onClose = () => waiting;
    const close = () => api.send('POST', '/billing-periods/cust_1/2024-01/close', undefined, key('k-4'));
    const closes = api.temporal.closed.length;
    const first = close();
    while (api.temporal.closed.length === closes) await new Promise((resolve) => setTimeout(resolve, 5));
    const second = await close();
    expect([second.statusCode, second.json<Json>()['code'], second.headers['retry-after']]).toEqual([
      409,
      'IDEMPOTENCY_KEY_IN_FLIGHT',
      '1',
    ]);
    release();
    expect((await first).statusCode).toBe(202);
    expect(api.temporal.closed).toHaveLength(closes + 1);
  });

  test.each(['""', 'with space', 'x'.repeat(256), '"a"b"'])('%s is no key', async (value) => {
    await api.refused('IDEMPOTENCY_KEY_INVALID', 400, 'POST', '/meters', meter('no-key'), key(value));
  });

  test('a request that fails its schema does not use its key up', async () => {
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/meters', { ...meter('fixed'), event_type: 5 }, key('k-5'));
    await api.expect(201, 'POST', '/meters', meter('fixed'), key('k-5'));
  });

  test('a defect does not use the key up', async () => {
    const createMeter = () => Promise.reject(new Error('a defect'));
    const { meters } = api.storage.reference;
    const broken = jest.replaceProperty(api.storage, 'reference', { ...api.storage.reference, meters, createMeter });
    await api.refused('INTERNAL_ERROR', 500, 'POST', '/meters', meter('after-defect'), key('k-6'));
    broken.restore();
    await api.expect(201, 'POST', '/meters', meter('after-defect'), key('k-6'));
  });

  test('two actors may use the same key', async () => {
    const as = (actor: string): Record<string, string> => ({ ...key('k-7'), 'x-reckoner-actor': actor });
    await api.expect(201, 'POST', '/meters', meter('of-ada'), as('ada'));
    await api.expect(201, 'POST', '/meters', meter('of-bob'), as('bob'));
    expect((await api.send('POST', '/meters', meter('of-ada'), as('ada'))).headers['idempotency-replayed']).toBe(
      'true',
    );
  });

  test('events need none, and ignore it', async () => {
    await api.expect(202, 'POST', '/events', callEvent('k'), key('not a key at all'));
  });
});

describe('OpenAPI', () => {
  interface Operation {
    readonly operationId: string;
    readonly summary: string;
    readonly parameters?: readonly { readonly name: string }[];
    readonly responses: Readonly<
      Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Json }>> }>
    >;
  }
  let document: Json & { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> };

  beforeAll(async () => {
    document = (await api.expect(200, 'GET', '/openapi.json')) as typeof document;
  });

  const operations = (): readonly (readonly [string, Operation])[] =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    );

  test('is of version 3.1, and its schemas are valid JSON Schema 2020-12', () => {
    expect(document['openapi']).toBe('3.1.0');
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    for (const [name, operation] of operations()) {
      for (const [status, response] of Object.entries(operation.responses)) {
        for (const { schema } of Object.values(response.content ?? {})) {
          const withComponents = {
            $id: `urn:test:${name}:${status}`.replaceAll(/[ {}]/g, '-'),
            ...schema,
            components: document['components'],
          };
          expect(() => ajv.compile(withComponents)).not.toThrow();
        }
      }
    }
  });

  test('a route that keeps who decided says how to say it', () => {
    const acting = operations().filter(([, { parameters }]) =>
      (parameters ?? []).some(({ name }) => name === 'x-reckoner-actor'),
    );
    expect(acting.map(([name]) => name).sort()).toEqual([
      'POST /audit/anchor',
      'POST /audit/seal',
      'POST /backfills',
      'POST /backfills/{id}/close',
      'POST /backfills/{id}/revert',
      'POST /credit-grants',
      'POST /credit-grants/{id}/void',
      'POST /customers/{customer_id}/apply-credit',
      'POST /dead-letters/replay',
      'POST /dead-letters/{id}/discard',
      'POST /dead-letters/{id}/replay',
      'POST /event-schemas',
      'POST /exchange-rates',
      'POST /findings/{id}/resolve',
      'POST /invoices/{id}/approve',
      'POST /invoices/{id}/credit-notes',
      'POST /invoices/{id}/reject',
      'POST /invoices/{id}/release',
      'POST /invoices/{id}/void',
      'POST /invoices/{id}/write-off',
      'POST /ledger/account-mappings',
      'POST /ledger/months/{month}/close',
      'POST /ledger/rebuild',
      'POST /ledger/snapshots',
      'POST /payments',
      'POST /payments/{id}/allocations',
      'POST /payments/{id}/reverse',
      'POST /period-closes',
      'POST /period-closes/{id}/cancel',
      'POST /price-books',
      'POST /price-books/evaluate',
      'POST /price-rollouts',
      'POST /price-rollouts/{id}/comparison',
      'POST /price-rollouts/{id}/halt',
      'POST /price-rollouts/{id}/resume',
      'POST /price-rollouts/{id}/rollback',
      'POST /price-rollouts/{id}/stages',
      'POST /re-ratings',
      'POST /re-ratings/{id}/approve',
      'POST /re-ratings/{id}/reject',
      'POST /reconciliations',
      'POST /refunds',
      'POST /write-offs/{id}/reverse',
      'PUT /customers/{customer_id}',
      'PUT /customers/{customer_id}/price-overrides',
      'PUT /legal-entities/{code}',
      'PUT /tags/{key}',
    ]);
  });

  test('every route is documented, by a name of its own, with its problems', () => {
    const served = api.app
      .printRoutes({ commonPrefix: false, includeHooks: false })
      .split('\n')
      .filter((line) => /\((GET|POST|PUT)/.test(line) && !line.includes('HEAD)'));
    expect(operations().length).toBeGreaterThanOrEqual(40);
    expect(served).not.toHaveLength(0);
    const names = operations().map(([, { operationId }]) => operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const [name, operation] of operations()) {
      expect([name, operation.summary]).toEqual([name, expect.stringMatching(/./)]);
      const problems = Object.values(operation.responses).filter(
        ({ content }) => content !== undefined && 'application/problem+json' in content,
      );
      expect([name, problems.length >= 3]).toEqual([name, true]);
    }
  });

  test('lists exactly the routes of this version', () => {
    expect(
      operations()
        .map(([name]) => name)
        .sort(),
    ).toEqual(routes);
  });

  test('the documentation is served', async () => {
    const page = await api.send('GET', '/docs');
    expect([page.statusCode, page.headers['content-type']]).toEqual([200, expect.stringContaining('text/html')]);
  });
});

test('health and metrics', async () => {
  expect(await api.expect(200, 'GET', '/health/live')).toEqual({ status: 'alive' });
  expect(await api.expect(200, 'GET', '/health/ready')).toEqual({
    status: 'ready',
    checks: { database: 'up', temporal: 'up' },
  });
  await api.expect(202, 'POST', '/events', [
    callEvent('m-1'),
    callEvent('m-1'),
    callEvent('m-2', { customer_id: 'nobody' }),
  ]);
  const metrics = await api.send('GET', '/metrics');
  expect(metrics.headers['content-type']).toContain('text/plain');
  for (const line of [
    /^reckoner_events_total\{outcome="accepted"\} [1-9]/m,
    /^reckoner_events_total\{outcome="duplicate"\} [1-9]/m,
    /^reckoner_events_total\{outcome="rejected"\} [1-9]/m,
    /^reckoner_http_requests_total\{method="POST",route="\/events",status="202"\} [1-9]/m,
    /^reckoner_group_commit_events_count [1-9]/m,
    /^reckoner_group_commit_seconds_sum \d/m,
    /^reckoner_events_total\{outcome="conflict"\} \d/m,
    /^reckoner_events_rejected_total\{code="UNKNOWN_CUSTOMER"\} [1-9]/m,
    /^reckoner_ingest_queue_events 0$/m,
    /^reckoner_ingest_bytes 0$/m,
    /^reckoner_ingest_streams 0$/m,
    /^reckoner_duplicate_flood_active 0$/m,
    /^reckoner_duplicate_flood_nearest \d/m,
    /^reckoner_http_connections \d/m,
  ]) {
    expect(metrics.body).toMatch(line);
  }
});
