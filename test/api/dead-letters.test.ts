/** Dead letters over HTTP: listed, replayed as they are or corrected, in bulk, discarded; and their metrics. */
import { Registry } from 'prom-client';
import { registerDeadLetterMetrics } from '../../src/api/plugins/dead-letter-metrics.js';
import { callEvent, exampleCustomer, exampleOfEachTest } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const ann = { 'x-reckoner-actor': 'ann' };
const stranger = (id: string, more: Json = {}): Json => callEvent(id, { customer_id: 'stranger', ...more });
const idOf = (letter: Json | undefined): string => String(letter?.['dead_letter_id']);

/** Sends what is rejected; answers the ids of the dead letters, in the order of the events. */
async function reject(...events: readonly Json[]): Promise<readonly string[]> {
  expect(await api.expect(202, 'POST', '/events', events)).toMatchObject({ accepted: 0, rejected: events.length });
  const letters = await api.deadLetters();
  return events.map(({ event_id: id }) => idOf(letters.find((letter) => letter['event_id'] === id)));
}
const replay = (id: string, body: unknown = {}, status = 200) =>
  api.expect(status, 'POST', `/dead-letters/${id}/replay`, body, ann);

describe('one', () => {
  test('is tried again as it was kept; rejected again it stays open, accepted it is settled', async () => {
    const [id = ''] = await reject(stranger('a'));
    const rejection = { code: 'UNKNOWN_CUSTOMER', detail: expect.stringContaining('stranger') };
    expect(await replay(id)).toMatchObject({ outcome: 'rejected', rejection, status: 'open' });
    await api.expect(201, 'PUT', '/customers/stranger', exampleCustomer);
    const answer = await replay(id, { reason: 'the customer was missing' });
    expect(answer).toMatchObject({ outcome: 'accepted', rejection: null, status: 'replayed' });
    expect(await api.expect(200, 'GET', `/dead-letters/${id}`)).toMatchObject({
      code: 'UNKNOWN_CUSTOMER',
      decisions: [
        { decision: 'replayed', outcome: 'rejected', code: 'UNKNOWN_CUSTOMER', decided_by: 'ann', reason: null },
        { decision: 'replayed', outcome: 'accepted', code: null, payload: null, reason: 'the customer was missing' },
      ],
    });
    await api.expect(200, 'GET', '/events/stranger/a');
    await api.refused('DEAD_LETTER_NOT_OPEN', 409, 'POST', `/dead-letters/${id}/replay`, {});
    await api.refused('DEAD_LETTER_NOT_OPEN', 409, 'POST', `/dead-letters/${id}/discard`, { reason: 'x' });
    // A replay keeps no dead letters of its own.
    expect(await api.all('/dead-letters?status=all')).toHaveLength(1);
  });

  test('is corrected: its numbers to the last digit, and the correction is kept beside it', async () => {
    const meter = { code: 'bytes', event_type: 'download', aggregation: 'sum', value_property: 'bytes' };
    await api.expect(201, 'POST', '/meters', meter);
    const [id = ''] = await reject(callEvent('b', { event_type: 'download', metadata: { bytes: 'many' } }));
    const wrong = await replay(id, { event: callEvent('b', { event_type: 'download' }) });
    expect(wrong).toMatchObject({ outcome: 'rejected', rejection: { code: 'VALUE_PROPERTY_MISSING' } });
    const event = JSON.stringify(callEvent('b', { event_type: 'download', metadata: { bytes: 0 } }));
    const digits = '12345678901234567890.123456789012345678';
    const corrected = event.replace('"bytes":0', `"bytes":${digits}`);
    const answer = await replay(id, `{"event":${corrected},"reason":"unit mended"}`);
    expect(answer).toMatchObject({ outcome: 'accepted', status: 'replayed' });
    const decisions = answer['decisions'] as readonly Json[];
    expect(decisions[1]?.['payload']).toBe(corrected);
    expect((await api.send('GET', '/events/cust_1/b')).body).toContain(digits);
    expect(await api.expect(200, 'GET', '/customers/cust_1/usage?period=2024-01')).toBeDefined();
  });

  test('a CloudEvent is tried as one; an event that is there already is a duplicate', async () => {
    const cloud = {
      specversion: '1.0',
      id: 'c',
      source: 's',
      type: 'api_call',
      subject: 'stranger',
      time: '2024-01-15T10:00:00Z',
    };
    await api.expect(202, 'POST', '/events', cloud, { 'content-type': 'application/cloudevents+json' });
    const [letter] = await api.deadLetters();
    await api.expect(201, 'PUT', '/customers/stranger', exampleCustomer);
    await api.expect(202, 'POST', '/events', stranger('c', { source: 's' }));
    expect(await replay(idOf(letter))).toMatchObject({ outcome: 'duplicate', status: 'replayed' });
  });

  test('what is no JSON at all can only be corrected', async () => {
    await api.refused('INVALID_JSON', 400, 'POST', '/events', '{"event_id": "cut');
    const [letter] = await api.deadLetters();
    expect(await replay(idOf(letter))).toMatchObject({ outcome: 'rejected', rejection: { code: 'INVALID_JSON' } });
    expect(await replay(idOf(letter), { event: callEvent('cut off') })).toMatchObject({ outcome: 'accepted' });
  });

  test('of a backfill goes back there while it is open, and is refused with its code when it is not', async () => {
    const range = { from: '2024-01-10T00:00:00Z', to: '2024-01-20T00:00:00Z' };
    const created = await api.expect(201, 'POST', '/backfills', { customer_ids: ['cust_1'], ...range });
    const backfill = String(created['backfill_id']);
    const outside = [callEvent('d', { event_time: '2024-01-05T00:00:00Z' }), callEvent('e', { customer_id: 'x' })];
    await api.expect(202, 'POST', `/events?backfill_id=${backfill}`, outside);
    const letters = await api.deadLetters();
    const [d, e] = ['d', 'e'].map((id) => idOf(letters.find((letter) => letter['event_id'] === id)));
    expect(await replay(d ?? '', { event: callEvent('d') })).toMatchObject({ outcome: 'accepted' });
    expect(await api.expect(200, 'GET', '/events/cust_1/d')).toMatchObject({ backfill_id: backfill });
    await api.expect(200, 'POST', `/backfills/${backfill}/close`, {});
    expect(await replay(e ?? '', { event: callEvent('e') })).toMatchObject({
      outcome: 'rejected',
      rejection: { code: 'BACKFILL_CLOSED' },
      status: 'open',
    });
  });

  test("without an event's shape is kept to the length that shows what it was, and tells others like it apart", async () => {
    const large = (last: string): Json => callEvent('large', { metadata: { a: `${'x'.repeat(200_000)}${last}` } });
    for (const last of ['1', '2']) await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', large(last));
    const letters = await api.deadLetters();
    expect(letters).toHaveLength(2);
    for (const letter of letters) {
      const payload = String(letter['payload']);
      expect(payload).toContain(`(cut: these are 65536 of ${JSON.stringify(large('1')).length} characters`);
      expect(payload.length).toBeLessThan(66_000);
      expect(await replay(idOf(letter))).toMatchObject({ outcome: 'rejected', status: 'open' });
    }
  });

  test('that only its time makes impossible is kept whole, however long it is, and can be replayed', async () => {
    const tracestate = 't'.repeat(200_000);
    const [specversion, time] = ['1.0', '2024-01-15T10:00:00Z'];
    const cloud = { specversion, id: 'long', source: 's', type: 'api_call', subject: 'stranger', time, tracestate };
    await api.expect(202, 'POST', '/events', cloud, { 'content-type': 'application/cloudevents+json' });
    const [letter] = await api.deadLetters();
    await api.expect(201, 'PUT', '/customers/stranger', exampleCustomer);
    expect(await replay(idOf(letter))).toMatchObject({ outcome: 'accepted' });
  });

  test('is discarded with a reason; the same content opens it again', async () => {
    const [id = ''] = await reject(stranger('f'));
    const url = `/dead-letters/${id}/discard`;
    await api.refused('VALIDATION_FAILED', 422, 'POST', url, {});
    expect(await api.expect(200, 'POST', url, { reason: 'a test system' }, ann)).toMatchObject({
      status: 'discarded',
      decisions: [{ decision: 'discarded', decided_by: 'ann', reason: 'a test system' }],
    });
    expect(await api.deadLetters()).toEqual([]);
    expect(await api.all('/dead-letters?status=discarded')).toHaveLength(1);
    expect(await reject(stranger('f'))).toEqual([id]);
  });

  test('unknown ones, and bodies of another shape, are refused', async () => {
    for (const id of ['nothing', '7b9c2b8e-8b1c-4c55-8a3e-111111111111']) {
      await api.refused('DEAD_LETTER_NOT_FOUND', 404, 'GET', `/dead-letters/${id}`);
      await api.refused('DEAD_LETTER_NOT_FOUND', 404, 'POST', `/dead-letters/${id}/replay`, {});
      await api.refused('DEAD_LETTER_NOT_FOUND', 404, 'POST', `/dead-letters/${id}/discard`, { reason: 'x' });
    }
    const [id = ''] = await reject(stranger('g'));
    await api.refused('UNKNOWN_PROPERTY', 422, 'POST', `/dead-letters/${id}/replay`, { evnt: {} });
    await api.refused('INVALID_JSON', 400, 'POST', `/dead-letters/${id}/replay`, '{"event":');
    expect(await replay(id, { event: [] })).toMatchObject({ rejection: { code: 'VALIDATION_FAILED' } });
  });
});

describe('many', () => {
  const bulk = (body: Json) => api.expect(200, 'POST', '/dead-letters/replay', body, ann);

  test('are tried again by filter; those that are rejected again come last the next time', async () => {
    await reject(stranger('a'), stranger('b'), callEvent('c', { customer_id: 'nobody' }));
    await api.refused('INVALID_JSON', 400, 'POST', '/events', 'no JSON');
    expect(await bulk({ customer_id: 'nobody' })).toEqual({
      replayed: 1,
      accepted: 0,
      duplicates: 0,
      rejected: 1,
      rejected_by_code: { UNKNOWN_CUSTOMER: 1 },
    });
    await api.expect(201, 'PUT', '/customers/stranger', exampleCustomer);
    // The one that was tried comes after the others.
    expect(await bulk({ limit: 3, reason: 'customer added' })).toEqual({
      replayed: 3,
      accepted: 2,
      duplicates: 0,
      rejected: 1,
      rejected_by_code: { INVALID_JSON: 1 },
    });
    expect((await api.deadLetters()).map((letter) => letter['code'])).toEqual(['INVALID_JSON', 'UNKNOWN_CUSTOMER']);
    expect(await bulk({ code: 'UNKNOWN_CUSTOMER' })).toMatchObject({ replayed: 1, rejected: 1 });
    expect(await bulk({ code: 'EVENT_ID_REUSED' })).toMatchObject({ replayed: 0 });
  });

  test('the answer to a key is given once', async () => {
    await reject(stranger('a'));
    await api.expect(201, 'PUT', '/customers/stranger', exampleCustomer);
    const headers = { ...ann, 'idempotency-key': 'bulk-1' };
    const first = await api.expect(200, 'POST', '/dead-letters/replay', {}, headers);
    expect(first).toMatchObject({ accepted: 1 });
    expect(await api.expect(200, 'POST', '/dead-letters/replay', {}, headers)).toEqual(first);
  });
});

test('metrics tell how many are open and how old the oldest is; of a database that is away only that nothing is known', async () => {
  await reject(stranger('a'), stranger('b'));
  const { body } = await api.send('GET', '/metrics');
  expect(body).toMatch(/^reckoner_dead_letters_open 2$/m);
  expect(body).toMatch(/^reckoner_dead_letters_oldest_seconds \d/m);
  const registry = new Registry();
  let asked = 0;
  const backlog = () => {
    asked += 1;
    return Promise.reject(new Error('away'));
  };
  registerDeadLetterMetrics(registry, { deadLetters: { backlog }, clock: () => 0 });
  expect(await registry.metrics()).toMatch(/^reckoner_dead_letters_open Nan$/m);
  await registry.metrics();
  expect(asked).toBe(1);
});

test('lists by code, customer and time', async () => {
  await reject(stranger('a'), callEvent('b', { event_time: '2030-01-01T00:00:00Z' }));
  const codes = async (query: string) => (await api.all(`/dead-letters?${query}`)).map((letter) => letter['code']);
  expect(await codes('code=EVENT_TIME_IN_FUTURE')).toEqual(['EVENT_TIME_IN_FUTURE']);
  expect(await codes('customer_id=stranger')).toEqual(['UNKNOWN_CUSTOMER']);
  expect(await codes('since=2000-01-01T00:00:00Z')).toHaveLength(2);
  expect(await codes('since=2999-01-01T00:00:00Z')).toEqual([]);
  await api.refused('VALIDATION_FAILED', 422, 'GET', '/dead-letters?status=closed');
  const { detail } = await api.refused('VALIDATION_FAILED', 422, 'GET', '/dead-letters?code=EVENT_TIME');
  expect(detail).toContain('"code": is no code of a refusal');
});
