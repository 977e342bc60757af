/** The stack engine against a small server that answers as the API does; the real API runs the cases end to end. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkCase } from '../../src/cases/format.js';
import type { BillingCase } from '../../src/cases/format.js';
import { runCase } from '../../src/cases/run-case.js';
import { stackEngine } from '../../src/cases/stack-engine.js';

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly key: string | undefined;
}
type Answer = readonly [status: number, body: unknown, headers?: Record<string, string>];

let server: Server;
let calls: Call[];
/** Answers by `METHOD /first/segments`; the first that fits. */
let answers: readonly (readonly [prefix: string, answer: (call: Call, nth: number) => Answer])[];

beforeEach(async () => {
  calls = [];
  server = createServer((request, response) => void respond(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
});

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  const key = request.headers['idempotency-key'];
  const call: Call = {
    method: request.method ?? '',
    path: request.url ?? '',
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    key: typeof key === 'string' ? key : undefined,
  };
  calls.push(call);
  const found = answers.find(([prefix]) => `${call.method} ${call.path}`.startsWith(prefix));
  const nth = calls.filter(({ method, path }) => method === call.method && path === call.path).length;
  const [status, body, headers] = found?.[1](call, nth) ?? [200, {}];
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

const problem = (status: number, code: string): Answer => [status, { code, detail: `because of ${code}` }];
const period = (stage: string, invoiceId: string | null = null): Answer => [200, { stage, invoice_id: invoiceId }];
const taken: Answer = [202, { accepted: 1, duplicates: 0, rejected: 0, results: [] }];

const billingCase = (...steps: readonly object[]): BillingCase =>
  checkCase({
    name: 'on the stack',
    customer: { currency: 'USD', skip_empty_invoices: true },
    meters: [{ code: 'calls', event_type: 'call', aggregation: 'count' }],
    price_books: [
      {
        code: 'standard',
        version: 'v1',
        currency: 'USD',
        effective_from: '2024-01-01T00:00:00Z',
        prices: [{ meter: 'calls', model: 'flat', unit_price: '0.10' }],
      },
    ],
    steps,
  });
const event = { event_id: 'e', event_type: 'call', event_time: '2024-01-10T00:00:00Z' };
const close = { close_period: '2024-03' };

const run = (...steps: readonly object[]): ReturnType<typeof runCase> =>
  runCase(billingCase(...steps), stackEngine(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`));
const sent = (method: string, path: string): readonly Call[] =>
  calls.filter((call) => call.method === method && call.path.startsWith(path));

test('a case has a customer, meters, price books and event types of its own', async () => {
  answers = [['POST /events', () => taken]];
  expect(
    await run({ events: [event] }, { expect_refusal: { step: { close_period: '2024-01' }, code: 'X' } }),
  ).not.toBeNull();
  const customer = sent('PUT', '/customers/')[0];
  const own = customer?.path.slice('/customers/'.length) ?? '';
  expect(customer?.body).toMatchObject({
    currency: 'USD',
    skip_empty_invoices: true,
    price_book: `${own}.standard`,
  });
  expect(sent('POST', '/meters')[0]?.body).toMatchObject({
    code: `${own}.calls`,
    event_type: `${own}.call`,
    aggregation: 'count',
  });
  expect(sent('POST', '/price-books')[0]?.body).toMatchObject({
    code: `${own}.standard`,
    prices: [{ meter: `${own}.calls` }],
  });
  expect(sent('POST', '/events')[0]?.body).toEqual({
    events: [{ ...event, event_type: `${own}.call`, customer_id: own, source: '', metadata: {} }],
  });
  expect(sent('POST', '/meters')[0]?.key).toMatch(/^[0-9a-f-]{36}$/);
  await run({ close_period: '2024-01' });
  expect(new Set(sent('PUT', '/customers/').map(({ path }) => path)).size).toBe(2);
});

test('many events go in several requests', async () => {
  answers = [['POST /events', () => taken]];
  expect(await run({ events: [{ ...event, repeat: 2500, event_id: 'e{n}', every: 'PT1S' }] })).toBeNull();
  const sizes = sent('POST', '/events').map(({ body }) => (body['events'] as unknown[]).length);
  expect(sizes).toEqual([1000, 1000, 500]);
});

test('closing waits until the invoice is there, and shows it in the case’s own names', async () => {
  const invoice = (call: Call): Answer => {
    const own = sent('PUT', '/customers/')[0]?.path.slice('/customers/'.length) ?? '';
    const calculation = {
      formula: '1 × 0.10',
      charges: [{ price_book_version: 'v1', quantity: '1', formula: '1 × 0.10', more: true }],
    };
    const meter = `${own}.calls`;
    const amounts = { quantity: '1', amount: '0.10', calculation, charge_ids: [] };
    const line = { description: meter, meter, group: {}, ...amounts };
    return [
      200,
      {
        invoice_id: call.path,
        type: 'invoice',
        status: 'issued',
        currency: 'USD',
        subtotal: '0.10',
        credits: '0.00',
        total: '0.10',
        lines: [line],
      },
    ];
  };
  answers = [
    ['GET /invoices/i1', invoice],
    ['GET /billing-periods/', (_call, nth) => (nth < 3 ? period('closing') : period('invoiced', 'i1'))],
  ];
  const expected = {
    period: '2024-03',
    total: '0.10',
    lines: [{ meter: 'calls', quantity: '1', amount: '0.1', charges: [{ price_book_version: 'v1' }] }],
  };
  expect(await run(close, { expect_invoice: expected })).toBeNull();
  expect(sent('GET', '/billing-periods/')[0]?.path).toMatch(/\/2024-03-01$/);
});

test('a period without an invoice, known or not', async () => {
  answers = [['GET /billing-periods/', () => problem(404, 'UNKNOWN_PERIOD')]];
  expect(await run({ expect_invoice: { period: '2024-01', absent: true } })).toBeNull();
  answers = [['GET /billing-periods/', () => period('skipped')]];
  expect(await run(close, { expect_invoice: { period: '2024-03', absent: true } })).toBeNull();
});

test('usage is read by window', async () => {
  answers = [
    [
      'GET /customers/',
      ({ path }) => {
        const own = /customers\/([^/]+)\//.exec(path)?.[1] ?? '';
        const window = {
          window_start: '2024-01-10T00:00:00Z',
          window_end: '2024-01-10T01:00:00.000000Z',
          quantity: '2.50',
        };
        return [
          200,
          {
            meters: [
              { meter: `${own}.calls`, group: { region: 'eu' }, windows: [window] },
              { meter: 'other', group: {}, windows: [window] },
            ],
          },
        ];
      },
    ],
  ];
  const windows = [{ start: '2024-01-10T00:00:00Z', end: '2024-01-10T01:00:00Z', quantity: '2.5' }];
  expect(
    await run(
      { expect_usage: { period: '2024-01', meter: 'calls', quantity: '2.5', group: { region: 'eu' } } },
      { expect_windows: { period: '2024-01', meter: 'calls', count: 1, windows } },
    ),
  ).toBeNull();
});

test.each<[string, readonly (readonly [string, () => Answer])[], object, string]>([
  [
    'a rejected event',
    [
      [
        'POST /events',
        () => [202, { results: [{ status: 'duplicate' }, { status: 'rejected', code: 'EVENT_ID_REUSED' }] }],
      ],
    ],
    { events: [event] },
    'EVENT_ID_REUSED',
  ],
  [
    'a problem',
    [['POST /billing-periods/', () => problem(409, 'PERIOD_ALREADY_INVOICED')]],
    close,
    'PERIOD_ALREADY_INVOICED',
  ],
  [
    'the finding that holds the invoice',
    [
      ['GET /billing-periods/', () => period('held')],
      [
        'GET /findings',
        () => [
          200,
          {
            data: [
              { code: 'LATE_USAGE', detail: '' },
              { code: 'UNPRICED_METER', detail: 'no price' },
            ],
          },
        ],
      ],
    ],
    close,
    'UNPRICED_METER',
  ],
])('a refusal: %s', async (_name, given, step, code) => {
  answers = given;
  expect(await run({ expect_refusal: { step, code } })).toBeNull();
  expect((await run(step))?.differences).toEqual([expect.stringContaining(code)]);
});

test('over capacity is tried again under the same key', async () => {
  answers = [
    [
      'POST /meters',
      (_call, nth) => (nth === 1 ? [503, { code: 'DATABASE_UNAVAILABLE' }, { 'retry-after': '0' }] : [201, {}]),
    ],
    ['POST /events', () => taken],
  ];
  expect(await run({ events: [event] })).toBeNull();
  const keys = sent('POST', '/meters').map(({ key }) => key);
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
});

const reRate = { re_rate: { period: '2024-01', reason: 'late_usage' } };
const bounds: Answer = [200, { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' }];
const reRating = (status: string, more: object = {}): Answer => [202, { re_rating_id: 'r1', status, ...more }];

test('re-rates the period of its customer, waits, and shows the corrections', async () => {
  answers = [
    ['GET /billing-periods/', () => bounds],
    ['POST /re-ratings', () => reRating('comparing')],
    ['GET /re-ratings/r1', (_call, nth) => reRating(nth < 3 ? 'correcting' : 'completed', { corrections: ['c1'] })],
    [
      'GET /invoices/c1',
      ({ path }) => [
        200,
        {
          type: 'correction',
          status: 'issued',
          currency: 'USD',
          subtotal: '0.10',
          credits: '0.00',
          total: '0.10',
          lines: [],
          path,
        },
      ],
    ],
  ];
  expect(await run(reRate, { expect_correction: { period: '2024-01', total: '0.10', type: 'correction' } })).toBeNull();
  const own = sent('PUT', '/customers/')[0]?.path.slice('/customers/'.length);
  expect(sent('POST', '/re-ratings')[0]?.body).toEqual({
    reason: 'late_usage',
    scope: { customer_ids: [own], from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' },
  });
});

test('a re-rating without a difference has no corrections', async () => {
  answers = [
    ['GET /billing-periods/', () => bounds],
    ['POST /re-ratings', () => reRating('comparing')],
    ['GET /re-ratings/r1', () => reRating('no_difference', { corrections: [] })],
  ];
  expect(await run(reRate, { expect_no_correction: { period: '2024-01' } })).toBeNull();
});

test('a held re-rating is refused with the code of the finding that holds it', async () => {
  answers = [
    ['GET /billing-periods/', () => bounds],
    ['POST /re-ratings', () => reRating('comparing')],
    ['GET /re-ratings/r1', () => reRating('completed', { held: [{}] })],
    ['GET /findings', () => [200, { data: [{ code: 'NEGATIVE_TOTAL', detail: 'below zero' }] }]],
  ];
  expect(await run({ expect_refusal: { step: reRate, code: 'NEGATIVE_TOTAL' } })).toBeNull();
});

test('adjusts an event of its customer', async () => {
  answers = [];
  const replacement = { event_type: 'call', event_time: '2024-01-11T00:00:00Z' };
  expect(await run({ adjust_event: { event_id: 'e', type: 'amend', replacement } })).toBeNull();
  const [adjustment] = sent('POST', '/event-adjustments');
  const own = String(adjustment?.body['customer_id']);
  expect(adjustment?.body).toEqual({
    customer_id: own,
    event_id: 'e',
    type: 'amend',
    replacement: { ...replacement, event_type: `${own}.call`, metadata: {} },
  });
});

test('an answer that is no problem document fails the case', async () => {
  answers = [['POST /billing-periods/', () => [500, 'oops']]];
  expect((await run(close))?.differences).toEqual([expect.stringContaining('was answered 500')]);
});
