/** Backfills over HTTP: opened, sent to in every notation, closed, reverted, and what they hold. */
import { forgetKeys } from './support/forget-keys.js';
import { callEvent, exampleCustomer, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
let databaseUrl: string;
beforeAll(async () => {
  api = await TestApi.start({}, (url) => {
    databaseUrl = url;
    return Promise.resolve(url);
  });
  await api.setUpExample();
  await api.expect(201, 'PUT', '/customers/other', exampleCustomer);
});
afterAll(() => api.close());

const january = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
const body = (more: Json = {}): Json => ({ customer_ids: ['cust_1'], ...january, ...more });

async function open(more: Json = {}): Promise<string> {
  return String((await api.expect(201, 'POST', '/backfills', body(more)))['backfill_id']);
}
const close = (id: string) => api.expect(200, 'POST', `/backfills/${id}/close`, {});
const revert = (id: string) => api.expect(200, 'POST', `/backfills/${id}/revert`, {});
const send = (id: string, payload: unknown, headers: Record<string, string> = {}) =>
  api.expect(202, 'POST', `/events?backfill_id=${id}`, payload, headers);
const calls = async (): Promise<unknown> => {
  const usage = await api.expect(200, 'GET', '/customers/cust_1/usage?period=2024-01');
  const meters = usage['meters'] as readonly Json[] | undefined;
  return (meters ?? []).find((meter) => meter['meter'] === 'api_calls')?.['quantity'] ?? '0';
};
const trace = (id: string, source = '') => api.expect(200, 'GET', `/events/cust_1/${id}?source=${source}`);

let ids = 0;
const event = (more: Json = {}): Json => callEvent(`b${(ids += 1)}`, more);

describe('opening', () => {
  test('says whose and when, by whom and why; the same key is the same backfill', async () => {
    const headers = { 'x-reckoner-actor': 'ann', 'idempotency-key': 'backfill-1' };
    const asked = body({ mode: 'replace', reason: 'lost log', customer_ids: ['cust_1', 'other', 'cust_1'] });
    const created = await api.expect(201, 'POST', '/backfills', asked, headers);
    expect(created).toEqual({
      backfill_id: expect.any(String),
      customer_ids: ['cust_1', 'other'],
      from: '2024-01-01T00:00:00.000000Z',
      to: '2024-02-01T00:00:00.000000Z',
      mode: 'replace',
      status: 'open',
      reason: 'lost log',
      created_by: 'ann',
      created_at: expect.stringMatching(/Z$/),
      decisions: [],
    });
    expect(await api.expect(201, 'POST', '/backfills', asked, headers)).toEqual(created);
    const id = String(created['backfill_id']);
    expect(await api.expect(200, 'GET', `/backfills/${id}`)).toEqual({ ...created, events: 0 });
    const reverted = await revert(id);
    expect(reverted).toMatchObject({ status: 'reverted', events: 0 });
    expect((await api.all('/backfills?customer_id=other&status=reverted')).map((each) => each['backfill_id'])).toEqual([
      id,
    ]);
    expect(await api.all('/backfills?customer_id=other&status=open')).toEqual([]);
  });

  test('under a key whose answer was forgotten: the same request is the same backfill, another one is another', async () => {
    const opened = async (more: Json): Promise<unknown> => {
      await forgetKeys(databaseUrl);
      const created = await api.expect(201, 'POST', '/backfills', body(more), { 'idempotency-key': 'backfill-2' });
      return created['backfill_id'];
    };
    const first = await opened({});
    expect(await opened({})).toBe(first);
    const second = await opened({ to: '2024-01-15T00:00:00Z' });
    expect(second).not.toBe(first);
    for (const id of [first, second]) await revert(String(id));
  });

  test('refusals each have a code', async () => {
    const refuse = (code: string, more: Json) => api.refused(code, 422, 'POST', '/backfills', body(more));
    await refuse('BACKFILL_RANGE_EMPTY', { to: january.from });
    await refuse('VALIDATION_FAILED', { customer_ids: [] });
    await refuse('VALIDATION_FAILED', { mode: 'merge' });
    await refuse('INSTANT_WITHOUT_OFFSET', { from: '2024-01-01T00:00:00' });
    const unknown = await refuse('UNKNOWN_CUSTOMER', { customer_ids: ['cust_1', 'nobody'] });
    expect(unknown['errors']).toMatchObject([{ pointer: '/customer_ids/1' }]);
    for (const url of ['/backfills/nothing', '/backfills/7b9c2b8e-8b1c-4c55-8a3e-111111111111']) {
      await api.refused('BACKFILL_NOT_FOUND', 404, 'GET', url);
      await api.refused('BACKFILL_NOT_FOUND', 404, 'POST', `${url}/close`, {});
    }
  });
});

describe('sending', () => {
  test('in every notation; what lies outside is refused by itself, with its own code, and kept', async () => {
    const id = await open();
    const cloud = {
      specversion: '1.0',
      id: 'ce',
      source: 'src',
      type: 'api_call',
      subject: 'cust_1',
      time: '2024-01-15T10:00:00Z',
    };
    await send(id, event());
    await send(id, [event(), event()]);
    await send(id, cloud, { 'content-type': 'application/cloudevents+json' });
    await send(id, `${JSON.stringify(event())}\n${JSON.stringify(event())}\n`, {
      'content-type': 'application/x-ndjson',
    });
    await api.expect(202, 'POST', '/events', { events: [event()], backfill_id: id });
    expect(await api.expect(200, 'GET', `/backfills/${id}`)).toMatchObject({ events: 7 });
    const answer = await send(id, [
      callEvent('early', { event_time: '2023-12-31T23:59:59.999999Z' }),
      callEvent('first', { event_time: january.from }),
      callEvent('end', { event_time: january.to }),
      callEvent('elsewhere', { customer_id: 'other' }),
    ]);
    expect(answer).toMatchObject({ accepted: 1, rejected: 3 });
    expect(answer['results']).toMatchObject(
      [0, 2, 3].map((index) => ({ index, status: 'rejected', code: 'EVENT_OUTSIDE_BACKFILL' })),
    );
    const kept = await api.all('/dead-letters?code=EVENT_OUTSIDE_BACKFILL');
    expect(kept.map((letter) => [letter['event_id'], letter['backfill_id']]).sort()).toEqual([
      ['early', id],
      ['elsewhere', id],
      ['end', id],
    ]);
    await revert(id);
  });

  test('to one that is unknown, closed or reverted nothing of the request is taken', async () => {
    const id = await open();
    const lines = { 'content-type': 'application/x-ndjson' };
    await api.refused('BACKFILL_NOT_FOUND', 404, 'POST', '/events?backfill_id=nothing', event());
    await close(id);
    await api.refused('BACKFILL_CLOSED', 409, 'POST', `/events?backfill_id=${id}`, event());
    const refused = await api.send('POST', `/events?backfill_id=${id}`, JSON.stringify(event()), lines);
    expect([refused.statusCode, refused.json<Json>()['code']]).toEqual([409, 'BACKFILL_CLOSED']);
    await revert(id);
    await api.refused('BACKFILL_REVERTED', 409, 'POST', '/events', { events: [event()], backfill_id: id });
    await api.refused('BACKFILL_REVERTED', 409, 'POST', `/backfills/${id}/close`, {});
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/events?backfill_id=x', { events: [], backfill_id: id });
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', { events: [], backfill_id: 7 });
  });

  test('an id that is used elsewhere is refused where neither event would count', async () => {
    const [adding, replacing] = [await open(), await open({ mode: 'replace' })];
    const shared = event();
    await send(adding, shared);
    expect((await api.expect(202, 'POST', '/events', shared))['results']).toMatchObject([
      { code: 'EVENT_ID_IN_BACKFILL' },
    ]);
    const ordinary = event();
    await api.expect(202, 'POST', '/events', ordinary);
    expect((await send(replacing, ordinary))['results']).toMatchObject([{ code: 'EVENT_ID_REPLACED' }]);
    expect(await send(adding, ordinary)).toMatchObject({ duplicates: 1 });
    expect(await send(replacing, { ...ordinary, source: 'mended' })).toMatchObject({ accepted: 1 });
    const codes = (await api.deadLetters()).map((letter) => letter['code']);
    expect(codes).toEqual(expect.arrayContaining(['EVENT_ID_IN_BACKFILL', 'EVENT_ID_REPLACED']));
    await Promise.all([revert(adding), revert(replacing)]);
  });
});

describe('what a schema refuses by now', () => {
  const late = (id: string, more: Json = {}): Json =>
    callEvent(id, { event_type: 'late_schema', metadata: { a: 1 }, ...more });
  let ordinary: Json;
  let filled: Json;
  let adding: string;
  beforeAll(async () => {
    [ordinary, filled, adding] = [late('was-taken'), late('was-filled'), await open()];
    await api.expect(202, 'POST', '/events', ordinary);
    await send(adding, filled);
    const schema = { type: 'object', properties: { a: { type: 'string' } } };
    await api.expect(201, 'POST', '/event-schemas', { event_type: 'late_schema', schema });
  });
  afterAll(() => revert(adding));
  const codesOf = async (id: string): Promise<readonly unknown[]> =>
    (await api.all('/dead-letters?limit=100'))
      .filter((letter) => letter['event_id'] === id)
      .map((letter) => letter['code'])
      .sort();

  test('and is there already, is a duplicate only where it counts', async () => {
    const replacing = await open({ mode: 'replace' });
    expect(await send(adding, ordinary)).toMatchObject({ duplicates: 1 });
    expect(await send(adding, filled)).toMatchObject({ duplicates: 1 });
    expect(await codesOf('was-taken')).toEqual([]);
    const refused = await send(replacing, [ordinary, late('never')]);
    expect(refused['results']).toMatchObject([
      { index: 0, event_id: 'was-taken', status: 'rejected', code: 'EVENT_ID_REPLACED' },
      { index: 1, status: 'rejected', code: 'EVENT_SCHEMA_MISMATCH' },
    ]);
    expect(await codesOf('was-taken')).toEqual(['EVENT_ID_REPLACED']);
    const ordinarily = await api.expect(202, 'POST', '/events', [filled, ordinary]);
    expect(ordinarily).toMatchObject({ duplicates: 1, rejected: 1 });
    expect(await codesOf('was-filled')).toEqual(['EVENT_ID_IN_BACKFILL']);
    await close(replacing);
    // Its dead letter is told the same, now that the event does not count.
    const [letter] = (await api.deadLetters()).filter(
      (each) => each['code'] === 'EVENT_ID_REPLACED' && each['event_id'] === 'was-taken',
    );
    expect(
      await api.expect(200, 'POST', `/dead-letters/${String(letter?.['dead_letter_id'])}/replay`, {}),
    ).toMatchObject({
      rejection: { code: 'EVENT_ID_REPLACED' },
    });
    await revert(replacing);
  });

  test('lies outside all the same', async () => {
    const february = await open({ from: '2024-02-01T00:00:00Z', to: '2024-03-01T00:00:00Z' });
    const others = await open({ customer_ids: ['other'] });
    for (const id of [february, others]) {
      expect((await send(id, [ordinary]))['results']).toMatchObject([
        { status: 'rejected', code: 'EVENT_OUTSIDE_BACKFILL' },
      ]);
      await revert(id);
    }
  });
});

test('its events count from its closing to its reversion; an event says so of itself', async () => {
  const before = Number(await calls());
  const id = await open();
  await send(id, [callEvent('traced', { source: 'fill' }), event({ source: 'fill' })]);
  expect(Number(await calls())).toBe(before);
  expect(await trace('traced', 'fill')).toMatchObject({ backfill_id: id, effective: null, metering: [] });
  const closed = await close(id);
  expect(closed).toMatchObject({ status: 'closed', events: 2, decisions: [{ decision: 'closed', reason: null }] });
  expect(await close(id)).toEqual(closed);
  expect(Number(await calls())).toBe(before + 2);
  expect(await trace('traced', 'fill')).toMatchObject({ effective: { event_type: 'api_call' }, metering: [{}] });
  await revert(id);
  expect(await revert(id)).toMatchObject({ status: 'reverted' });
  expect(Number(await calls())).toBe(before);
  expect(await trace('traced', 'fill')).toMatchObject({ effective: null });
});

test('one that replaces: the others of its range and customers do not count meanwhile', async () => {
  await api.expect(202, 'POST', '/events', callEvent('replaced', { event_time: '2024-01-20T10:00:00Z' }));
  const before = Number(await calls());
  const id = await open({ mode: 'replace', from: '2024-01-20T00:00:00Z', to: '2024-01-21T00:00:00Z' });
  const own = { event_time: '2024-01-20T11:00:00Z', source: 'mended' };
  await send(id, [event(own), event(own), event(own)]);
  await close(id);
  expect(Number(await calls())).toBe(before + 2);
  expect(await trace('replaced')).toMatchObject({ backfill_id: null, effective: null });
  await revert(id);
  expect(Number(await calls())).toBe(before);
  expect(await trace('replaced')).toMatchObject({ effective: {} });
});

test('an open one holds the closing of a period, unless it is forced', async () => {
  const february = { from: '2024-02-10T00:00:00Z', to: '2024-03-05T00:00:00Z' };
  const id = await open(february);
  const url = '/billing-periods/cust_1/2024-02/close';
  const refused = await api.refused('BACKFILL_OPEN', 409, 'POST', url, {});
  expect(refused['detail']).toContain(id);
  const other = await api.expect(202, 'POST', '/billing-periods/other/2024-02/close', {});
  expect(other).toMatchObject({ stage: 'invoiced' });
  const forced = await api.expect(202, 'POST', url, { force: true, reason: 'the import takes weeks' });
  expect(forced).toMatchObject({ stage: 'invoiced' });
  await close(id);
});
