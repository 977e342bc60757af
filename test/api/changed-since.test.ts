/** What was taken, counted or billed stays so when meters and registries change afterwards, and what cannot be counted shows. */
import { Corrections } from './support/corrections.js';
import { callEvent, exampleOfAllTests } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfAllTests();

test('an event that was billed says so, whatever the meter takes by a later version', async () => {
  const invoiceId = await new Corrections(api).invoiced('billed');
  const [event] = await api.all('/events?customer_id=billed&limit=1');
  const traced = (): Promise<Json> => api.expect(200, 'GET', `/events/billed/${String(event?.['event_id'])}`);
  const before = await traced();
  expect(before).toMatchObject({ metering: [{ meter: 'api_calls', invoice: { invoice_id: invoiceId } }] });
  await api.expect(201, 'POST', '/meters', {
    code: 'api_calls',
    event_type: 'api_call',
    aggregation: 'count',
    window: 'hour',
    filters: { tier: ['gold'] },
    effective_from: '2024-01-01',
  });
  expect(await traced()).toEqual(before);
});

test('usage names what would hold the invoice: values that a meter cannot read', async () => {
  const meter = { code: 'gb', event_type: 'transfer', aggregation: 'sum', window: 'hour' };
  await api.expect(201, 'POST', '/meters', { ...meter, value_property: 'gb' });
  await api.expect(201, 'POST', '/meters', { ...meter, value_property: 'gib', effective_from: '2024-01-20' });
  const transfer = (id: string, day: string, metadata: Json): Json =>
    callEvent(id, { event_type: 'transfer', event_time: `2024-01-${day}T10:00:00Z`, metadata });
  // By one of the versions each can be read, so none is refused when it is sent.
  const events = [
    transfer('t1', '10', { gb: 1 }),
    transfer('t2', '25', { gb: 1 }),
    transfer('t3', '26', { gb: 1 }),
    transfer('t4', '27', { gib: 2 }),
  ];
  await api.expect(202, 'POST', '/events', events);
  const { cost } = await api.expect(200, 'GET', '/customers/cust_1/usage?period=2024-01');
  const problems = ((cost as Json)['problems'] as readonly Json[]).filter(({ meter: code }) => code === 'gb');
  expect(problems).toEqual([
    {
      code: 'UNREADABLE_VALUE',
      meter: 'gb',
      group: {},
      detail: expect.stringMatching(/^2 event\(s\) .* "gb" reads its value, for example .*t[23]/),
    },
    expect.objectContaining({ code: 'UNPRICED_METER' }),
  ]);
});

test('a retry into a backfill is a duplicate when a tag is required since', async () => {
  const range = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
  const { backfill_id: id } = await api.expect(201, 'POST', '/backfills', { customer_ids: ['cust_1'], ...range });
  const send = (event: Json): Promise<Json> => api.expect(202, 'POST', `/events?backfill_id=${String(id)}`, [event]);
  const sent = callEvent('in-backfill', { event_type: 'tagged_since' });
  expect(await send(sent)).toMatchObject({ accepted: 1 });
  await api.expect(201, 'PUT', '/tags/team', { required_for: ['tagged_since'] });
  expect(await send(sent)).toMatchObject({ accepted: 0, duplicates: 1, rejected: 0 });
  const other = await send({ ...sent, metadata: { region: 'eu' } });
  expect(other).toMatchObject({ rejected: 1, results: [{ code: 'TAG_REQUIRED' }] });
});

test('a replay that is refused again is no new rejection', async () => {
  const rejected = async (): Promise<string | undefined> => {
    const { body } = await api.send('GET', '/metrics');
    return /^reckoner_events_rejected_total\{code="UNKNOWN_CUSTOMER"\} (\d+)$/m.exec(body)?.[1];
  };
  await api.expect(202, 'POST', '/events', [callEvent('lost', { customer_id: 'nobody' })]);
  expect(await rejected()).toBe('1');
  await api.expect(200, 'POST', '/dead-letters/replay', { code: 'UNKNOWN_CUSTOMER', reason: 'try' });
  expect(await rejected()).toBe('1');
});
