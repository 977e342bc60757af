/** From a cent back to its events where a level was carried into the period: `weighted_sum` (RULES 70). */
import { exampleCustomer, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
beforeAll(async () => {
  api = await TestApi.start();
  await api.setUpExample();
  const level = {
    event_type: 'seat_change',
    aggregation: 'weighted_sum',
    value_property: 'seats',
    group_by: ['team', 'region'],
  };
  await api.expect(201, 'POST', '/meters', { ...level, code: 'seats' });
  await api.expect(201, 'POST', '/price-books', {
    code: 'seats',
    version: 'v1',
    currency: 'USD',
    effective_from: '2023-01-01T00:00:00Z',
    prices: [{ meter: 'seats', model: 'flat', unit_price: '10', price_by: ['team'] }],
  });
});
afterAll(() => api.close());

/** Of a customer of its own, so that no test sees another's events. */
function level(customerId: string) {
  const change = (id: string, time: string, seats: string, group: Json = { team: 'a' }): Json => ({
    event_id: id,
    customer_id: customerId,
    event_type: 'seat_change',
    event_time: time,
    metadata: { seats, ...group },
  });
  return {
    change,
    open: () => api.expect(201, 'PUT', `/customers/${customerId}`, { ...exampleCustomer, price_book: 'seats' }),
    send: (...events: readonly Json[]) => api.expect(202, 'POST', '/events', events),
    adjust: (id: string, more: Json) =>
      api.expect(202, 'POST', '/event-adjustments', { customer_id: customerId, event_id: id, ...more }),
    lines: async (month: string): Promise<readonly Json[]> => {
      const closed = await api.expect(202, 'POST', `/billing-periods/${customerId}/${month}/close`);
      return (await api.expect(200, 'GET', `/invoices/${String(closed['invoice_id'])}`))['lines'] as readonly Json[];
    },
    event: (id: string) => api.expect(200, 'GET', `/events/${customerId}/${id}`),
  };
}

const chargeOf = async (line: Json | undefined): Promise<Json> =>
  api.expect(200, 'GET', `/charges/${String((line?.['charge_ids'] as readonly string[])[0])}`);
const openingOf = (charge: Json): Json => (charge['calculation'] as Json)['opening_level'] as Json;
const idsOf = async (href: unknown, query = ''): Promise<readonly unknown[]> =>
  ((await api.expect(200, 'GET', `${String(href)}${query}`))['data'] as readonly Json[]).map(
    (each) => each['event_id'],
  );

test('a month without events says from which events its level comes, and these say where it went', async () => {
  const { change, event, lines, open, send } = level('carried');
  await open();
  await send(change('plus-10', '2024-01-01T00:00:00Z', '10'));
  const [january] = await lines('2024-01');
  const [february] = await lines('2024-02');
  expect([january, february].map((line) => [line?.['quantity'], line?.['amount']])).toEqual([
    ['10', '100.00'],
    ['10', '100.00'],
  ]);
  const first = await chargeOf(january);
  expect(openingOf(first)).toMatchObject({ at: '2024-01-01T00:00:00.000000Z', level: '0', event_count: 0, first: [] });
  const second = await chargeOf(february);
  expect((second['calculation'] as Json)['source_events']).toMatchObject({ count: 0, first: [] });
  const opening = openingOf(second);
  expect(opening).toMatchObject({ at: '2024-02-01T00:00:00.000000Z', level: '10', event_count: 1, first: ['plus-10'] });
  // The one event of January is what January's charge was made from: the fingerprint is the same.
  expect(opening['digest']).toBe(((first['calculation'] as Json)['source_events'] as Json)['digest']);
  expect(await idsOf(opening['href'])).toEqual(['plus-10']);

  const { metering } = (await event('plus-10')) as { metering: readonly Json[] };
  expect(metering).toMatchObject([
    {
      charge_id: first['charge_id'],
      carried_to: {
        count: 1,
        first: [{ period: '2024-02-01', charge_id: second['charge_id'], line_item_id: february?.['line_item_id'] }],
      },
    },
  ]);
});

test('with events of its own the month shows both: what it began with and what changed it', async () => {
  const { change, lines, open, send } = level('both');
  await open();
  await send(change('plus-10', '2023-11-20T00:00:00Z', '10'), change('plus-1', '2024-02-01T00:00:00Z', '1'));
  const charge = await chargeOf((await lines('2024-02'))[0]);
  expect(charge['calculation']).toMatchObject({
    quantity: '11',
    source_events: { count: 1, first: ['plus-1'] },
    opening_level: { level: '10', event_count: 1, first: ['plus-10'] },
    level_stretches: [{ from: '2024-02-01T00:00:00.000000Z', to: '2024-03-01T00:00:00.000000Z', level: '11' }],
  });
});

test('how high the level stood, and how long; its events have the changes that add up to it', async () => {
  const { change, lines, open, send } = level('stretches');
  await open();
  await send(
    change('before', '2023-12-20T00:00:00Z', '4'),
    change('up', '2024-01-05T12:00:00Z', '2'),
    change('down', '2024-01-20T00:00:00Z', '-1'),
    change('at once', '2024-01-20T00:00:00Z', '3'),
  );
  const charge = await chargeOf((await lines('2024-01'))[0]);
  const at = (day: string): string => `2024-${day}.000000Z`;
  expect(charge['calculation']).toMatchObject({
    level_stretches: [
      { from: at('01-01T00:00:00'), to: at('01-05T12:00:00'), level: '4' },
      { from: at('01-05T12:00:00'), to: at('01-20T00:00:00'), level: '6' },
      { from: at('01-20T00:00:00'), to: at('02-01T00:00:00'), level: '8' },
    ],
    decided_by: null,
  });
  const { data } = await api.expect(200, 'GET', `/charges/${String(charge['charge_id'])}/events`);
  expect((data as readonly Json[]).map((event) => [event['event_id'], event['value'], event['stands_for']])).toEqual([
    ['up', '2', null],
    ['at once', '3', null],
    ['down', '-1', null],
  ]);
});

test.each([
  ['max', 'b', '9'],
  ['min', 'c', '2'],
  ['latest', 'e', '5'],
])('of %s the event that decided is named', async (aggregation, id, value) => {
  const code = `peak_${aggregation}`;
  await api.expect(201, 'POST', '/meters', { code, event_type: code, aggregation, value_property: 'size' });
  const prices = [{ meter: code, model: 'flat', unit_price: '1' }];
  const book = { version: 'v1', currency: 'USD', effective_from: '2023-01-01T00:00:00Z', prices };
  await api.expect(201, 'POST', '/price-books', { code, ...book });
  await api.expect(201, 'PUT', `/customers/${code}`, { ...exampleCustomer, price_book: code });
  const sizes = [
    ['a', '03', 4],
    ['b', '10', 9],
    ['b2', '11', '9.0'],
    ['c', '12', 2],
    ['d', '20', 8],
    ['e', '20', 5],
  ] as const;
  const events = sizes.map(([event_id, day, size]) => ({
    ...{ event_id, customer_id: code, event_type: code },
    ...{ event_time: `2024-01-${day}T00:00:00Z`, metadata: { size } },
  }));
  await api.expect(202, 'POST', '/events', events);
  const closed = await api.expect(202, 'POST', `/billing-periods/${code}/2024-01/close`);
  const { lines } = await api.expect(200, 'GET', `/invoices/${String(closed['invoice_id'])}`);
  const charge = await chargeOf((lines as readonly Json[])[0]);
  expect(charge['calculation']).toMatchObject({
    quantity: value,
    decided_by: { event_id: id, source: '', value },
    level_stretches: null,
  });
});

test('by the group of the price, over the pages; a level that came back to nothing is told, too', async () => {
  const { change, event, lines, open, send } = level('grouped');
  await open();
  await send(
    change('a-1', '2024-01-02T00:00:00Z', '4', { team: 'a', region: 'eu' }),
    change('a-2', '2024-01-03T00:00:00Z', '5', { team: 'a', region: 'us' }),
    change('a-3', '2024-01-04T00:00:00Z', '-2', { team: 'a' }),
    change('b-1', '2024-01-05T00:00:00Z', '3', { team: 'b' }),
    change('none', '2024-01-06T00:00:00Z', '1', {}),
    change('c-up', '2024-01-06T00:00:00Z', '6', { team: 'c' }),
    change('c-down', '2024-01-07T00:00:00Z', '-6', { team: 'c' }),
    change('c-again', '2024-02-15T12:00:00Z', '2', { team: 'c' }),
  );
  const january = await lines('2024-01');
  expect(january).toHaveLength(4);
  const february = await lines('2024-02');
  const openings = await Promise.all(february.map(chargeOf));
  expect(
    openings.map((charge) => [charge['group'], openingOf(charge)['level'], openingOf(charge)['event_count']]),
  ).toEqual([
    [{ team: 'a' }, '7', 3],
    [{ team: 'b' }, '3', 1],
    [{ team: 'c' }, '0', 2],
    [{ team: null }, '1', 1],
  ]);
  const { href } = openingOf(openings[0] ?? {});
  const page = await api.expect(200, 'GET', `${String(href)}?limit=2`);
  expect((page['data'] as readonly Json[]).map((each) => each['event_id'])).toEqual(['a-1', 'a-2']);
  expect(await idsOf(href, `?limit=2&cursor=${String(page['next_cursor'])}`)).toEqual(['a-3']);
  // A cursor of one list is none of the other.
  await api.refused(
    'INVALID_CURSOR',
    400,
    'GET',
    `/charges/${String(openings[2]?.['charge_id'])}/events?cursor=${String(page['next_cursor'])}`,
  );
  expect(((await event('b-1')) as { metering: readonly Json[] }).metering).toMatchObject([
    { carried_to: { count: 1, first: [{ charge_id: openings[1]?.['charge_id'] }] } },
  ]);
});

test('a past charge shows what was known at its cutoff; its correction shows what came late', async () => {
  const { adjust, change, event, lines, open, send } = level('late');
  await open();
  await send(change('plus-10', '2023-12-01T00:00:00Z', '10'), change('moved', '2023-12-01T00:00:00Z', '5'));
  const past = await chargeOf((await lines('2024-01'))[0]);
  expect(openingOf(past)).toMatchObject({ level: '15', event_count: 2 });
  await send(change('late', '2023-12-10T00:00:00Z', '1'));
  await adjust('plus-10', {
    type: 'amend',
    replacement: {
      event_type: 'seat_change',
      event_time: '2023-12-02T00:00:00Z',
      metadata: { seats: '20', team: 'a' },
    },
  });
  await adjust('moved', { type: 'void' });
  const again = await api.expect(200, 'GET', `/charges/${String(past['charge_id'])}`);
  expect(again).toEqual(past);
  expect(await idsOf(openingOf(past)['href'])).toEqual(['moved', 'plus-10']);
  const february = await chargeOf((await lines('2024-02'))[0]);
  expect(openingOf(february)).toMatchObject({ level: '21', event_count: 2, first: ['plus-10', 'late'] });
  // January's charge knew neither the late event nor the amendment, so the level of these was first carried to February's.
  for (const id of ['late', 'plus-10'])
    expect(((await event(id)) as { metering: readonly Json[] }).metering).toMatchObject([
      { carried_to: { count: 1, first: [{ period: '2024-02-01', charge_id: february['charge_id'] }] } },
    ]);
});

test('a month before billing_from into which a level is carried is seen and closed like any other', async () => {
  const { change, open, lines, send } = level('early');
  await open();
  await send(change('plus-10', '2023-10-16T12:00:00Z', '10'));
  await api.refused('UNKNOWN_PERIOD', 404, 'GET', '/billing-periods/early/2023-11');
  // Its gate makes the month after it (RULES 65).
  await lines('2023-10');
  expect(await api.expect(200, 'GET', '/billing-periods/early/2023-11')).toMatchObject({ stage: 'closing' });
  expect(await api.expect(200, 'GET', '/customers/early/usage?period=2023-11')).toMatchObject({
    cost: { total: '100.00' },
  });
  expect(await lines('2023-11')).toMatchObject([{ quantity: '10', amount: '100.00' }]);
  await api.refused('UNKNOWN_PERIOD', 404, 'GET', '/billing-periods/early/2023-09');
});

test('what is no level has no opening level, and no events of one', async () => {
  await api.expect(201, 'PUT', '/customers/calls', exampleCustomer);
  await api.expect(202, 'POST', '/events', [
    {
      event_id: 'call',
      customer_id: 'calls',
      event_type: 'api_call',
      event_time: '2024-01-15T00:00:00Z',
      metadata: {},
    },
  ]);
  const { event, lines } = level('calls');
  const charge = await chargeOf((await lines('2024-01'))[0]);
  expect(charge['calculation']).toMatchObject({ opening_level: null, level_stretches: null, decided_by: null });
  const none = await api.expect(200, 'GET', `/charges/${String(charge['charge_id'])}/opening-events`);
  expect(none).toEqual({ data: [], next_cursor: null });
  expect(((await event('call')) as { metering: readonly Json[] }).metering).toMatchObject([{ carried_to: null }]);
  await api.refused('CHARGE_NOT_FOUND', 404, 'GET', '/charges/2e6e0d55-7d7a-5d83-9a5e-8d1b9b40a1f3/opening-events');
});
