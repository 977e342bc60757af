/** POST /reconciliations and findings: what differs, and what a person decided about it. */
import type { LocalDate } from '../../src/domain/values.js';
import { exampleCalls, exampleCustomer, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;

const as = (actor: string, key?: string): Record<string, string> => ({
  'x-reckoner-actor': actor,
  ...(key !== undefined && { 'idempotency-key': key }),
});

beforeAll(async () => {
  api = await TestApi.start();
  await api.setUpExample();
  await api.expect(202, 'POST', '/events', exampleCalls(1_234));
  await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');
});
afterAll(async () => {
  await api.close();
});

const show = (run: Json): Promise<Json> => api.expect(200, 'GET', `/reconciliations/${String(run['run_id'])}`);

describe('a reconciliation', () => {
  test('holds all stages of a period against each other', async () => {
    const started = await api.expect(202, 'POST', '/reconciliations', { customer_ids: ['cust_1'] }, as('ada'));
    expect(started).toEqual({
      run_id: expect.any(String),
      workflow_id: `reconciliation/${String(started['run_id'])}`,
      status: 'running',
    });
    expect(api.temporal.reconciliations.at(-1)).toBe(started['run_id']);
    const usage = { count: 1234, quantity: '1234', digest: expect.stringMatching(/^[0-9a-f]{16}$/) };
    expect(await show(started)).toMatchObject({
      status: 'finished',
      scope: { customer_ids: ['cust_1'], from: null, to: null },
      requested_by: 'ada',
      finished_at: expect.stringMatching(/Z$/),
      periods: 1,
      different: 0,
      findings: {},
      results: {
        data: [
          {
            customer_id: 'cust_1',
            period: '2024-01-01',
            result: 'equal',
            report: {
              state: 'invoiced',
              stages: [
                {
                  meter: 'api_calls',
                  events: { stored: 1234, voided: 0, filtered: 0, ...usage },
                  aggregates: usage,
                  charges: { ...usage, amount: '118.72' },
                  lines: { amount: '118.72' },
                  journal: { amount: '118.72' },
                },
              ],
              differences: [],
            },
          },
        ],
        next_cursor: null,
      },
    });
  });

  test('without a body looks at everything; results are paged and told by result', async () => {
    for (const id of ['cust_2', 'cust_3']) {
      await api.expect(201, 'PUT', `/customers/${id}`, exampleCustomer);
      await api.expect(
        202,
        'POST',
        '/events',
        exampleCalls(3).map((event) => ({ ...event, customer_id: id })),
      );
      await api.expect(202, 'POST', `/billing-periods/${id}/2024-01/close`);
    }
    const run = await show(await api.expect(202, 'POST', '/reconciliations'));
    expect(run).toMatchObject({ status: 'finished', different: 0, requested_by: 'anonymous' });
    const path = `/reconciliations/${String(run['run_id'])}/results`;
    expect((await api.all(`${path}?limit=1&result=equal`)).map((each) => each['customer_id'])).toEqual(
      expect.arrayContaining(['cust_1', 'cust_2', 'cust_3']),
    );
    expect(await api.all(`${path}?result=different`)).toEqual([]);
    expect((await api.all('/reconciliations?limit=1')).length).toBe(2);
  });

  test('the same Idempotency-Key is the same run, also after Temporal was away', async () => {
    const send = () => api.send('POST', '/reconciliations', { from: '2024-01-01T00:00:00Z' }, as('ada', 'run-1'));
    api.temporal.away = true;
    expect((await send()).json<Json>()['code']).toBe('TEMPORAL_UNAVAILABLE');
    api.temporal.away = false;
    const first = await send();
    expect(first.statusCode).toBe(202);
    expect((await send()).body).toBe(first.body);
    const runs = await api.all('/reconciliations');
    expect(runs.filter(({ scope }) => (scope as Json)['from'] !== null)).toHaveLength(1);
  });

  test.each<[string, Json, string, string]>([
    ['an unknown customer', { customer_ids: ['cust_1', 'nobody'] }, 'UNKNOWN_CUSTOMER', '/customer_ids/1'],
    ['no customers', { customer_ids: [] }, 'VALIDATION_FAILED', '/customer_ids'],
    [
      'an interval the wrong way round',
      { from: '2024-02-01T00:00:00Z', to: '2024-01-01T00:00:00Z' },
      'VALIDATION_FAILED',
      '/to',
    ],
    ['a day for an instant', { from: '2024-01-01' }, 'INVALID_INSTANT', '/from'],
    ['an unknown property', { periods: [] }, 'UNKNOWN_PROPERTY', '/periods'],
  ])('is refused for %s', async (_name, body, code, pointer) => {
    const problem = await api.refused(code, 422, 'POST', '/reconciliations', body);
    expect(problem['errors']).toMatchObject([{ pointer }]);
  });

  test('one that does not exist is not found', async () => {
    for (const id of ['nonsense', '00000000-0000-4000-8000-000000000000']) {
      await api.refused('RECONCILIATION_NOT_FOUND', 404, 'GET', `/reconciliations/${id}`);
      await api.refused('RECONCILIATION_NOT_FOUND', 404, 'GET', `/reconciliations/${id}/results`);
    }
    await api.refused('INVALID_CURSOR', 400, 'GET', '/reconciliations?cursor=WyJ4Il0');
  });

  test('what differs is counted by class and comes first to the eye', async () => {
    const { run_id: runId } = await api.expect(202, 'POST', '/reconciliations', { customer_ids: ['cust_2'] });
    const [equal] = await api.all(`/reconciliations/${String(runId)}/results`);
    const difference = {
      stage: 'aggregates→charges',
      meter: 'api_calls',
      class: 'missing',
      expected: { count: 3 },
      found: { count: 2 },
      difference: { count: -1 },
      detail: 'one is missing',
    };
    const results = () =>
      Promise.resolve({
        data: [
          {
            customerId: 'cust_2',
            period: '2024-01-01' as LocalDate,
            result: 'different' as const,
            report: {
              ...(equal?.['report'] as Json),
              differences: [difference, { ...difference, class: 'large_gap' }, difference],
            },
          },
        ],
        nextCursor: null,
      });
    const stub = jest.replaceProperty(api.storage, 'reconciliation', {
      ...api.storage.reconciliation,
      find: api.storage.reconciliation.find,
      results,
    });
    const shown = await api.expect(200, 'GET', `/reconciliations/${String(runId)}`);
    stub.restore();
    expect(shown).toMatchObject({
      findings: { missing: 2, large_gap: 1 },
      results: { data: [{ result: 'different', report: { differences: [{ class: 'missing' }, {}, {}] } }] },
    });
  });
});

describe('findings', () => {
  let id: string;

  beforeAll(async () => {
    id = await api.storage.findings.store({
      code: 'RECONCILIATION_DIFFERENCE',
      customerId: 'cust_1',
      period: null,
      subject: { customer_id: 'cust_1', what: 'test' },
      detail: 'a test',
      class: 'missing',
    });
  });

  const resolve = (body: Json, actor = 'ada', finding = id) =>
    ['POST', `/findings/${finding}/resolve`, body, as(actor)] as const;

  test('tell their class, and are open until somebody decides', async () => {
    expect(await api.all('/findings?customer_id=cust_1&class=missing&resolved=false')).toMatchObject([
      { finding_id: id, class: 'missing', resolution: null },
    ]);
    expect(await api.all('/findings?class=duplicate')).toEqual([]);
    await api.refused('VALIDATION_FAILED', 422, 'GET', '/findings?resolved=yes');
    await api.refused('VALIDATION_FAILED', 422, 'GET', '/findings?class=odd');
  });

  test('are resolved once, under the name of who decided', async () => {
    await api.refused('VALIDATION_FAILED', 422, ...resolve({ resolution: 'ignored', reason: 'x' }));
    await api.refused('VALIDATION_FAILED', 422, ...resolve({ resolution: 'fixed' }));
    await api.refused('FINDING_NOT_FOUND', 404, ...resolve({ resolution: 'fixed', reason: 'x' }, 'ada', 'nonsense'));
    const resolved = await api.expect(200, ...resolve({ resolution: 'accepted', reason: 'known' }));
    expect(resolved).toMatchObject({
      finding_id: id,
      resolution: {
        resolution: 'accepted',
        reason: 'known',
        resolved_by: 'ada',
        resolved_at: expect.stringMatching(/Z$/),
      },
    });
    expect(await api.expect(200, ...resolve({ resolution: 'accepted', reason: 'known' }))).toEqual(resolved);
    await api.refused('FINDING_ALREADY_RESOLVED', 409, ...resolve({ resolution: 'fixed', reason: 'known' }));
    await api.refused('FINDING_ALREADY_RESOLVED', 409, ...resolve({ resolution: 'accepted', reason: 'known' }, 'bob'));
    expect(await api.all('/findings?resolved=true')).toEqual([resolved]);
    expect(await api.all('/findings?customer_id=cust_1&resolved=false')).toEqual([]);
  });
});
