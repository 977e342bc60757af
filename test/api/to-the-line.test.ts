/** What an event carries, all the way to the invoice line: tags, provenance, and for how many events it stands. */
import { callEvent, exampleCustomer, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
const open = async (): Promise<void> => {
  api = await TestApi.start();
  await api.setUpExample();
};
const close = (): Promise<void> => api.close();
const send = (...events: readonly Json[]): Promise<Json> => api.expect(202, 'POST', '/events', events);

describe('tags', () => {
  beforeAll(open);
  afterAll(close);

  const meter = {
    code: 'bytes',
    event_type: 'transfer',
    aggregation: 'sum',
    value_property: 'bytes',
    group_by: ['tags.team', 'region'],
    filters: { 'tags.env': ['prod'] },
  };
  const transfer = (id: string, bytes: string, tags: unknown): Json =>
    callEvent(id, { customer_id: 'cust_2', event_type: 'transfer', metadata: { bytes, region: 'eu', tags } });

  const lines = async (): Promise<readonly Json[]> => {
    const closed = await api.expect(202, 'POST', '/billing-periods/cust_2/2024-01/close');
    const invoice = await api.expect(200, 'GET', `/invoices/${String(closed['invoice_id'])}`);
    return invoice['lines'] as readonly Json[];
  };

  test('usage and prices by tag; a missing tag is a group of its own', async () => {
    await api.expect(201, 'POST', '/meters', meter);
    await api.expect(201, 'POST', '/price-books', {
      code: 'by-team',
      version: 'v1',
      currency: 'USD',
      effective_from: '2024-01-01T00:00:00Z',
      prices: [{ meter: 'bytes', model: 'flat', unit_price: '0.10', price_by: ['tags.team'] }],
    });
    await api.expect(201, 'PUT', '/customers/cust_2', { ...exampleCustomer, price_book: 'by-team' });
    const answer = await send(
      transfer('a', '10', { team: 'search', env: 'prod' }),
      transfer('b', '20', { team: 'search', env: 'prod' }),
      transfer('c', '100', { env: 'prod' }),
      transfer('test', '1000', { team: 'search', env: 'test' }),
      transfer('untagged', '1000', undefined),
    );
    expect(answer).toMatchObject({ accepted: 5 });
    const usage = await api.expect(200, 'GET', '/customers/cust_2/usage?period=2024-01');
    expect((usage['meters'] as readonly Json[]).map(({ group, quantity }) => [group, quantity])).toEqual([
      [{ 'tags.team': 'search', region: 'eu' }, '30'],
      [{ 'tags.team': null, region: 'eu' }, '100'],
    ]);
    const billed = await lines();
    expect(billed.map(({ group, quantity, amount }) => [group, quantity, amount])).toEqual([
      [{ 'tags.team': 'search' }, '30', '3.00'],
      [{ 'tags.team': null }, '100', '10.00'],
    ]);
    for (const [index, ids] of [['a', 'b'], ['c']].entries()) {
      const [chargeId] = billed[index]?.['charge_ids'] as readonly string[];
      expect(await api.expect(200, 'GET', `/charges/${chargeId}`)).toMatchObject({ group: billed[index]?.['group'] });
      const events = await api.expect(200, 'GET', `/charges/${chargeId}/events`);
      expect((events['data'] as readonly Json[]).map((event) => event['event_id'])).toEqual(ids);
    }
    expect(await api.expect(200, 'GET', '/events/cust_2/c')).toMatchObject({
      metering: [{ group: { 'tags.team': null, region: 'eu' }, invoice: { line_amount: '10.00' } }],
    });
    expect(await api.expect(200, 'GET', '/events/cust_2/untagged')).toMatchObject({ metering: [] });
  });

  test.each([
    ['value_property', { value_property: 'tags.size' }],
    ['count_property', { aggregation: 'count', value_property: undefined, count_property: 'tags.size' }],
  ])('a tag is no %s', async (name, more) => {
    const problem = await api.refused('VALIDATION_FAILED', 422, 'POST', '/meters', { ...meter, ...more });
    expect(problem['errors']).toMatchObject([{ pointer: `/${name}` }]);
  });
});

describe('pre-aggregated events with their provenance', () => {
  beforeAll(open);
  afterAll(close);

  test('from the line to the events: who sent them, and for how many each stands', async () => {
    await api.expect(201, 'POST', '/meters', {
      code: 'calls',
      event_type: 'call_batch',
      aggregation: 'count',
      count_property: 'count',
    });
    await api.expect(201, 'POST', '/meters', {
      code: 'bytes',
      event_type: 'call_batch',
      aggregation: 'sum',
      value_property: 'bytes',
    });
    await api.expect(201, 'POST', '/price-books', {
      code: 'calls',
      version: 'v1',
      currency: 'USD',
      effective_from: '2024-01-01T00:00:00Z',
      prices: [
        { meter: 'calls', model: 'flat', unit_price: '0.001' },
        { meter: 'bytes', model: 'flat', unit_price: '1' },
      ],
    });
    await api.expect(201, 'PUT', '/customers/cust_2', { ...exampleCustomer, price_book: 'calls' });
    const batch = (id: string, metadata: Json, more: Json = {}): Json =>
      callEvent(id, { customer_id: 'cust_2', event_type: 'call_batch', metadata: { bytes: 2, ...metadata }, ...more });
    const provenance = { request_id: 'req-1', user_id: 'user-1', trace_id: '4bf92f3577b34da6a3ce929d0e0e4736' };
    await send(
      batch('a', { count: 1500 }, { source: 'gateway', ...provenance }),
      batch('b', {}),
      batch('c', { count: '0' }),
      batch('d', { count: 10 }),
    );
    // What counts is the replacement; who sent the event stays.
    await api.expect(202, 'POST', '/event-adjustments', {
      customer_id: 'cust_2',
      source: 'gateway',
      event_id: 'a',
      type: 'amend',
      replacement: {
        event_type: 'call_batch',
        event_time: '2024-01-16T10:00:00Z',
        metadata: { count: 1000, bytes: 3 },
      },
    });
    const closed = await api.expect(202, 'POST', '/billing-periods/cust_2/2024-01/close');
    const invoice = await api.expect(200, 'GET', `/invoices/${String(closed['invoice_id'])}`);
    const [bytes, calls] = [...(invoice['lines'] as readonly Json[])].sort((x, y) =>
      String(x['meter']) < String(y['meter']) ? -1 : 1,
    );
    expect(calls).toMatchObject({ meter: 'calls', quantity: '1011', amount: '1.01', calculation: { event_count: 4 } });
    const sourcesOf = async (line: Json | undefined): Promise<[unknown, readonly Json[]]> => {
      const [chargeId] = line?.['charge_ids'] as readonly string[];
      const { calculation } = await api.expect(200, 'GET', `/charges/${chargeId}`);
      const { href, ...facts } = (calculation as Json)['source_events'] as Json;
      return [facts, (await api.expect(200, 'GET', String(href)))['data'] as readonly Json[]];
    };
    const [facts, events] = await sourcesOf(calls);
    expect(facts).toMatchObject({ count: 4, stands_for: '1011', first: ['b', 'c', 'd', 'a'] });
    expect(events.map((event) => [event['event_id'], event['stands_for']])).toEqual([
      ['b', '1'],
      ['c', '0'],
      ['d', '10'],
      ['a', '1000'],
    ]);
    expect(events[3]).toMatchObject({ source: 'gateway', ...provenance, metadata: { count: 1000, bytes: 3 } });
    expect(events[0]).toMatchObject({ source: '', request_id: null, user_id: null, trace_id: null });
    const [ofBytes, sent] = await sourcesOf(bytes);
    expect(ofBytes).toMatchObject({ count: 4, stands_for: null });
    expect(sent.map((event) => event['stands_for'])).toEqual([null, null, null, null]);
    expect(sent.map((event) => event['value'])).toEqual(['2', '2', '2', '3']);
    expect(events.map((event) => event['value'])).toEqual(['1', '0', '10', '1000']);
  });
});
