/** What a meter that begins later needs of events (RULES 68): nothing before it begins, at ingest, in amendments, in replays, at the gate. */
import { callEvent, exampleCustomer, exampleOfEachTest } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const bytesOut = (more: Json = {}): Promise<Json> =>
  api.expect(201, 'POST', '/meters', {
    ...{ code: 'bytes_out', event_type: 'api_call', aggregation: 'sum', value_property: 'bytes' },
    effective_from: '2024-02-01',
    ...more,
  });
const january = (id: string, more: Json = {}): Json => callEvent(id, { event_time: '2024-01-20T10:00:00Z', ...more });
const february = (id: string, more: Json = {}): Json => callEvent(id, { event_time: '2024-02-20T10:00:00Z', ...more });
const refusal = { results: [{ code: 'VALUE_PROPERTY_MISSING' }] };

test('an event of before it is taken, billed, and holds nothing; one of its time is refused', async () => {
  await bytesOut();
  expect(await api.expect(202, 'POST', '/events', [january('a')])).toMatchObject({ accepted: 1, rejected: 0 });
  expect(await api.expect(202, 'POST', '/events', [february('b')])).toMatchObject({ accepted: 0, ...refusal });
  const usage = await api.expect(200, 'GET', '/customers/cust_1/usage?period=2024-01');
  expect(usage).toMatchObject({ cost: { total: '0.10', problems: [] } });
  const closed = await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');
  expect(closed).toMatchObject({ stage: 'invoiced' });
});

test('an event may be amended to a time before it, and not to one of its time', async () => {
  await api.expect(202, 'POST', '/events', [january('a')]);
  await bytesOut();
  const amend = (event_time: string): Json => ({
    ...{ customer_id: 'cust_1', event_id: 'a', type: 'amend', reason: 'clock' },
    replacement: { event_type: 'api_call', event_time, metadata: {} },
  });
  await api.expect(202, 'POST', '/event-adjustments', amend('2024-01-21T10:00:00Z'));
  await api.refused('VALUE_PROPERTY_MISSING', 422, 'POST', '/event-adjustments', amend('2024-02-21T10:00:00Z'));
});

test('a dead letter of before it can be replayed as it was', async () => {
  await api.expect(202, 'POST', '/events', [january('a', { customer_id: 'stranger' })]);
  await bytesOut();
  await api.expect(201, 'PUT', '/customers/stranger', exampleCustomer);
  const [letter] = await api.deadLetters();
  const answer = await api.expect(200, 'POST', `/dead-letters/${String(letter?.['dead_letter_id'])}/replay`, {});
  expect(answer).toMatchObject({ outcome: 'accepted', status: 'replayed' });
});

test.each(['min', 'max', 'latest', 'unique_count'])(
  '%s: an event of a period that ends with its beginning holds nothing; of one in which it begins, its invoice',
  async (aggregation) => {
    await bytesOut({ aggregation });
    expect(await api.expect(202, 'POST', '/events', [january('a')])).toMatchObject({ accepted: 1, rejected: 0 });
    const closed = await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');
    expect(closed).toMatchObject({ stage: 'invoiced' });

    await bytesOut({ aggregation, code: 'mid_month', value_property: 'size', effective_from: '2024-02-25' });
    const before = february('b', { metadata: { bytes: 1 } });
    expect(await api.expect(202, 'POST', '/events', [before])).toMatchObject({ accepted: 1, rejected: 0 });
    const [held] = await api.all('/findings?code=UNREADABLE_VALUE');
    expect(held).toBeUndefined();
    await api.expect(202, 'POST', '/billing-periods/cust_1/2024-02/close');
    expect(await api.all('/findings?code=UNREADABLE_VALUE')).toMatchObject([{ period: '2024-02-01' }]);
  },
);
