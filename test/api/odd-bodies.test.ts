/** Bodies that nobody means: what is wrong in them very often is told once, and neighbours do not pay for it. */
import type { AddressInfo } from 'node:net';
import { request } from 'node:http';
import { issuesMax } from '../../src/api/problem.js';
import { callEvent, exampleOfAllTests } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfAllTests();

const unknowns = (count: number): Json =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`u${index}`, 1]));
const errorsOf = (problem: Json): readonly unknown[] => problem['errors'] as readonly unknown[];

describe('more at fault than an answer lists', () => {
  const meter = { code: 'm', event_type: 'x', aggregation: 'count' };
  const replacement = { event_type: 'api_call', event_time: '2024-01-15T10:00:00Z', metadata: {} };
  const amended = (count: number): Json => ({
    ...{ customer_id: 'cust_1', event_id: 'none', type: 'amend', reason: 'r' },
    replacement: { ...replacement, ...unknowns(count) },
  });
  const cloud = { specversion: '1.0', id: 'i', source: 's', type: 'api_call', subject: 'cust_1' };
  const time = '2024-01-15T10:00:00Z';

  test.each<[string, string, (count: number) => Json, string]>([
    ['an event', '/events', (count) => callEvent('odd', unknowns(count)), 'application/json'],
    ['a CloudEvent', '/events', (count) => ({ ...cloud, time, ...unknowns(count) }), 'application/cloudevents+json'],
    ['an adjustment', '/event-adjustments', amended, 'application/json'],
    ['a meter', '/meters', (count) => ({ ...meter, ...unknowns(count) }), 'application/json'],
  ])('of %s is said to be more', async (_what, url, body, mediaType) => {
    const told = async (count: number): Promise<Json> => {
      const { body: text } = await api.send('POST', url, body(count), { 'content-type': mediaType });
      return JSON.parse(text) as Json;
    };
    const atLimit = await told(issuesMax);
    expect(atLimit).toMatchObject({ status: 422, code: 'UNKNOWN_PROPERTY' });
    expect(errorsOf(atLimit)).toHaveLength(issuesMax);
    expect(atLimit).not.toHaveProperty('errors_truncated');
    const beyond = await told(issuesMax + 1);
    expect(errorsOf(beyond)).toHaveLength(issuesMax);
    expect(beyond).toMatchObject({ code: 'UNKNOWN_PROPERTY', errors_truncated: true });
  });

  test('of an event with more properties than a call has arguments does not cost its neighbours', async () => {
    const odd = callEvent('very-odd', unknowns(200_000));
    const answer = await api.expect(202, 'POST', '/events', [odd, callEvent('neighbour')]);
    expect(answer).toMatchObject({ accepted: 1, rejected: 1, results: [{ index: 0, code: 'UNKNOWN_PROPERTY' }] });
    const alone = await api.send('POST', '/events', odd);
    expect(JSON.parse(alone.body)).toMatchObject({ status: 422, code: 'UNKNOWN_PROPERTY', errors_truncated: true });
    expect(await api.expect(200, 'GET', '/events/cust_1/neighbour')).toMatchObject({ event_id: 'neighbour' });
    const kept = (await api.deadLetters()).filter((letter) => letter['event_id'] === 'very-odd');
    for (const { payload } of kept) expect(String(payload).length).toBeLessThan(66_000);
    expect(kept).toHaveLength(2);
  });
});

describe('a member of the body that stands there twice', () => {
  const event = JSON.stringify(callEvent('twice'));
  test.each([
    ['events', `{"events":[${event}],"events":[]}`],
    ['events', `{ "events" : [] , "events" : [${event}] }`],
    ['events', `{"events":[${event}],"\\u0065vents":[]}`],
    ['events', `{"backfill_id":"a","events":[${event}],"events":[]}`],
    ['backfill_id', `{"backfill_id":"a","events":[${event}],"backfill_id":"b"}`],
    ['backfill_id', `{"backfill_id":"a","backfill_id":"b","events":[${event}]}`],
  ])('is refused: %s in %s', async (name, body) => {
    const problem = await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', body);
    expect(JSON.stringify(problem)).toContain(`\\"${name}\\" stands in the body more than once`);
  });

  test.each([
    ['events in events, brackets in texts', { events: [callEvent('b1', { metadata: { events: ['],"events":['] } })] }],
    ['one list', { events: [callEvent('b2')] }],
  ])('is not seen where there is none: %s', async (_what, body) => {
    expect(await api.expect(202, 'POST', '/events', body)).toMatchObject({ accepted: 1 });
  });
});

describe('headers of a CloudEvent', () => {
  const headers: Readonly<Record<string, string | string[]>> = {
    ...{ 'ce-specversion': '1.0', 'ce-id': 'h', 'ce-source': 's', 'ce-type': 'api_call', 'ce-subject': 'cust_1' },
    'ce-time': '2024-01-15T10:00:00Z',
    'content-type': 'application/json',
  };
  const sent = async (more: Readonly<Record<string, string | string[]>>): Promise<Json> => {
    if (!api.app.server.listening) await api.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = api.app.server.address() as AddressInfo;
    return new Promise((resolve, reject) => {
      const call = request(
        { port, path: '/events', method: 'POST', agent: false, headers: { ...headers, ...more } },
        (answer) => {
          let text = '';
          answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
          answer.on('end', () => resolve(JSON.parse(text) as Json));
        },
      );
      call.on('error', reject).end('{}');
    });
  };

  test('are taken once each', async () => {
    expect(await sent({})).toMatchObject({ accepted: 1 });
    const twice = await sent({ 'ce-id': ['dupA', 'dupB'] });
    expect(twice).toMatchObject({ status: 422, code: 'VALIDATION_FAILED' });
    expect(twice['detail']).toContain('"ce-id" came more than once');
  });

  test('are refused beside lines', async () => {
    const answer = await sent({ 'content-type': 'application/x-ndjson' });
    expect(answer).toMatchObject({ status: 422, code: 'VALIDATION_FAILED' });
    expect(answer['detail']).toContain('application/x-ndjson');
  });
});

test.each(['value_property', 'filters', 'group_by'])('a tag without a key is refused as %s', async (property) => {
  const value = { value_property: 'tags.', filters: { 'tags.': ['a'] }, group_by: ['tags.'] }[property];
  const meter = { code: 'no_key', event_type: 'x', aggregation: 'count', [property]: value };
  await api.refused('VALIDATION_FAILED', 422, 'POST', '/meters', meter);
});

test('a range of events that is empty is refused', async () => {
  const list = (from: string, to: string): string => `/events?customer_id=cust_1&from=${from}&to=${to}`;
  const [first, second] = ['2024-01-15T10:00:00Z', '2024-01-15T10:00:00.000001Z'];
  await api.expect(200, 'GET', list(first, second));
  await api.refused('VALIDATION_FAILED', 422, 'GET', list(first, first));
  await api.refused('VALIDATION_FAILED', 422, 'GET', list(second, first));
});
