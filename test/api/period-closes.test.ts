/** Closing many periods over HTTP. */
import { exampleCalls, exampleCustomer, exampleOfEachTest } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const february = { period: '2024-02' };
const customers = async (...ids: readonly string[]): Promise<void> => {
  for (const id of ids)
    await api.expect(201, 'PUT', `/customers/${id}`, { ...exampleCustomer, billing_from: '2024-02-01' });
};

test('a month of all customers is closed; GET tells how far it is and what became of each', async () => {
  await customers('cust_2', 'cust_3');
  await api.expect(202, 'POST', '/billing-periods/cust_3/2024-02/close', {});
  const asked = await api.expect(202, 'POST', '/period-closes', february, { 'x-reckoner-actor': 'ada' });
  const id = String(asked['close_id']);
  expect(asked).toMatchObject({
    ...{ workflow_id: `period-close/${id}`, billing_day: '2024-03-10', requested_by: 'ada', cancellation: null },
    scope: { period: '2024-02-01', ended_on: null, customer_ids: null, legal_entity: null },
  });
  expect(api.temporal.periodCloses).toEqual([id]);
  const close = await api.expect(200, 'GET', `/period-closes/${id}`);
  expect(close).toMatchObject({
    status: 'finished',
    progress: { planned: 2, not_ready: 1, requested: 2, left: 0, issued: 2, held: 0, remaining: 0 },
  });
  expect(await api.expect(200, 'GET', '/period-closes')).toEqual({ data: [close], next_cursor: null });
  const of = (query: string): Promise<Json> => api.expect(200, 'GET', `/period-closes/${id}/targets${query}`);
  expect(await of('?state=not_ready')).toEqual({
    data: [{ customer_id: 'cust_3', period: '2024-02-01', state: 'not_ready', reason: 'invoiced', invoice_id: null }],
    next_cursor: null,
  });
  const first = await of('?limit=1');
  expect(first).toMatchObject({ data: [{ customer_id: 'cust_1', state: 'issued', invoice_id: expect.any(String) }] });
  expect(await of(`?cursor=${String(first['next_cursor'])}`)).toMatchObject({
    data: [{ customer_id: 'cust_2' }, { customer_id: 'cust_3' }],
  });
});

test('the same request under its key is the same close, and starts it again where Temporal was away', async () => {
  const key = { 'idempotency-key': 'close-1' };
  api.temporal.away = true;
  await api.refused('TEMPORAL_UNAVAILABLE', 503, 'POST', '/period-closes', february, key);
  api.temporal.away = false;
  const { close_id: id } = await api.expect(202, 'POST', '/period-closes', february, key);
  expect(await api.expect(202, 'POST', '/period-closes', february, key)).toMatchObject({ close_id: id });
  expect(await api.expect(200, 'GET', '/period-closes')).toMatchObject({
    data: [{ close_id: id, status: 'finished' }],
  });
});

test('one that goes on is cancelled once, with a reason', async () => {
  api.temporal.onPeriodClose = () => Promise.resolve();
  const { close_id: id } = await api.expect(202, 'POST', '/period-closes', february);
  expect(await api.expect(200, 'GET', `/period-closes/${String(id)}`)).toMatchObject({
    status: 'planning',
    planned_at: null,
  });
  const cancel = `/period-closes/${String(id)}/cancel`;
  const reason = { reason: 'too early' };
  await api.refused('VALIDATION_FAILED', 422, 'POST', cancel, {});
  expect(await api.expect(200, 'POST', cancel, reason, { 'x-reckoner-actor': 'ada' })).toMatchObject({
    status: 'cancelled',
    cancellation: { by: 'ada', reason: 'too early' },
  });
  await api.refused('PERIOD_CLOSE_ENDED', 409, 'POST', cancel, reason, { 'x-reckoner-actor': 'bob' });
});

test('ended_on is the last day of the periods; where it is that of none, the answer says which there are', async () => {
  await api.expect(202, 'POST', '/events', exampleCalls(1));
  const closed = async (day: string): Promise<unknown> => {
    const { close_id: id } = await api.expect(202, 'POST', '/period-closes', { ended_on: day });
    return api.expect(200, 'GET', `/period-closes/${String(id)}`);
  };
  expect(await closed('2024-01-31')).toMatchObject({ progress: { planned: 1, issued: 1 }, hint: null });
  expect(await closed('2024-01-31')).toMatchObject({
    progress: { planned: 0, not_ready: 1 },
    hint: 'No period was ready; the targets with state not_ready say why.',
  });
  expect(await closed('2024-02-01')).toMatchObject({
    progress: { planned: 0 },
    hint: expect.stringMatching(
      /^No period of these customers ends on 2024-02-01, its last day\. Periods near it: 2024-01-01 to 2024-01-31 \(1\)/,
    ),
  });
});

test('what is wrong is refused with what to do', async () => {
  const refused = (code: string, status: number, body: unknown) =>
    api.refused(code, status, 'POST', '/period-closes', body);
  await refused('VALIDATION_FAILED', 422, {});
  await refused('VALIDATION_FAILED', 422, { ...february, ended_on: '2024-02-29' });
  await refused('VALIDATION_FAILED', 422, { ...february, customer_ids: [] });
  await refused('UNKNOWN_PROPERTY', 422, { ...february, force: true });
  await refused('INVALID_PERIOD', 422, { period: 'February' });
  await refused('PERIOD_NOT_ENDED', 409, { period: '2024-04' });
  await refused('PERIOD_NOT_ENDED', 409, { ended_on: '2024-03-31' });
  await refused('UNKNOWN_CUSTOMER', 422, { ...february, customer_ids: ['nobody'] });
  await refused('UNKNOWN_LEGAL_ENTITY', 422, { ...february, legal_entity: 'nobody' });
  for (const id of ['nonsense', '00000000-0000-4000-8000-000000000000']) {
    await api.refused('PERIOD_CLOSE_NOT_FOUND', 404, 'GET', `/period-closes/${id}`);
    await api.refused('PERIOD_CLOSE_NOT_FOUND', 404, 'GET', `/period-closes/${id}/targets`);
    await api.refused('PERIOD_CLOSE_NOT_FOUND', 404, 'POST', `/period-closes/${id}/cancel`, { reason: 'x' });
  }
});
