/** Before a period is closed: live usage, what it would cost, where the period is. */
import type { Instant } from '../../src/domain/values.js';
import { callEvent, exampleCalls, exampleCustomer, examplePriceBook, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;

beforeAll(async () => {
  api = await TestApi.start();
  await api.setUpExample();
  await api.expect(202, 'POST', '/events', exampleCalls());
});
afterAll(async () => {
  await api.close();
});

describe('before the period is closed', () => {
  test('live usage says what it would cost now', async () => {
    const usage = await api.expect(200, 'GET', '/customers/cust_1/usage?period=2024-01');
    expect(usage).toEqual({
      customer_id: 'cust_1',
      period: { period: '2024-01-01', from: '2024-01-01T00:00:00.000000Z', to: '2024-02-01T00:00:00.000000Z' },
      as_of: expect.stringMatching(/Z$/),
      watermark: expect.stringMatching(/Z$/),
      finality: 'estimated',
      currency: 'USD',
      meters: [
        {
          meter: 'api_calls',
          group: {},
          quantity: '1234',
          event_count: 1234,
          windows: [
            {
              window_start: '2024-01-15T10:00:00.000000Z',
              window_end: '2024-01-15T11:00:00.000000Z',
              quantity: '1234',
              event_count: 1234,
              digest: expect.stringMatching(/^[0-9a-f]{16}$/),
              state: 'closing',
            },
          ],
        },
      ],
      cost: {
        total: '118.72',
        provisional: true,
        price_lookup: 'current',
        prices_as_of: null,
        lines: [
          expect.objectContaining({
            meter: 'api_calls',
            quantity: '1234',
            amount: '118.72',
            formula: '1000 × 0.10 + 234 × 0.08',
          }),
        ],
        problems: [],
      },
    });
  });

  test('without a period it is that of now', async () => {
    expect(await api.expect(200, 'GET', '/customers/cust_1/usage')).toMatchObject({
      period: { period: '2024-03-01' },
      meters: [],
      cost: { total: '0.00' },
    });
  });

  test('a meter of local days adds its hours up', async () => {
    await api.expect(201, 'POST', '/meters', {
      code: 'daily',
      event_type: 'ping',
      aggregation: 'count',
      window: 'day',
      group_by: ['region'],
    });
    await api.expect(201, 'PUT', '/customers/kolkata', { ...exampleCustomer, time_zone: 'Asia/Kolkata' });
    const ping = (id: string, time: string, region?: string): Json =>
      callEvent(id, {
        customer_id: 'kolkata',
        event_type: 'ping',
        event_time: time,
        metadata: region === undefined ? {} : { region },
      });
    await api.expect(202, 'POST', '/events', [
      ping('a', '2024-01-15T18:29:59Z', 'eu'),
      ping('b', '2024-01-15T18:30:00Z', 'eu'),
      ping('c', '2024-01-16T10:00:00Z', 'eu'),
      ping('d', '2024-01-16T10:00:00Z'),
    ]);
    const usage = await api.expect(200, 'GET', '/customers/kolkata/usage?period=2024-01');
    expect(usage['meters']).toMatchObject([
      {
        group: { region: 'eu' },
        quantity: '3',
        windows: [
          { window_start: '2024-01-14T18:30:00.000000Z', window_end: '2024-01-15T18:30:00.000000Z', quantity: '1' },
          { window_start: '2024-01-15T18:30:00.000000Z', window_end: '2024-01-16T18:30:00.000000Z', quantity: '2' },
        ],
      },
      { group: { region: null }, quantity: '1' },
    ]);
    expect(usage['cost']).toMatchObject({
      problems: [
        { code: 'UNPRICED_METER', meter: 'daily' },
        { code: 'UNPRICED_METER', meter: 'daily' },
      ],
    });
  });

  test('the period says where it is', async () => {
    expect(await api.expect(200, 'GET', '/billing-periods/cust_1/2024-01')).toEqual({
      customer_id: 'cust_1',
      period: '2024-01-01',
      from: '2024-01-01T00:00:00.000000Z',
      to: '2024-02-01T00:00:00.000000Z',
      time_zone: 'UTC',
      stage: expect.stringMatching(/^(open|closing)$/),
      windows: expect.any(Number),
      closed_windows: expect.any(Number),
      last_cutoff: null,
      corrections: [],
      invoice_id: null,
      invoiced_cutoff: null,
      waits_for: [],
      workflow_id: 'billing-period/cust_1/2024-01-01',
    });
    const periods = await api.all('/billing-periods?customer_id=cust_1&limit=1');
    expect(periods.map(({ period }) => period)).toEqual(expect.arrayContaining(['2024-01-01']));
    await api.refused('UNKNOWN_CUSTOMER', 404, 'GET', '/billing-periods?customer_id=nobody');
  });

  test.each([
    ['INVALID_PERIOD', 422, 'january'],
    ['INVALID_PERIOD', 422, '2024-13'],
    ['UNKNOWN_PERIOD', 404, '2024-01-15'],
    ['UNKNOWN_PERIOD', 404, '2024-04'],
  ])('%s for the period %#', async (code, status, period) => {
    await api.refused(code, status, 'GET', `/billing-periods/cust_1/${period}`);
    await api.refused(code, status, 'GET', `/customers/cust_1/usage?period=${period}`);
  });

  test('before billing_from only periods with usage exist, and asking makes none', async () => {
    await api.expect(201, 'PUT', '/customers/fresh', { ...exampleCustomer, billing_from: '2024-02-01' });
    await api.refused('UNKNOWN_PERIOD', 404, 'GET', '/billing-periods/fresh/2023-05');
    await api.refused('UNKNOWN_PERIOD', 404, 'GET', '/customers/fresh/usage?period=2023-05');
    await api.refused('UNKNOWN_PERIOD', 404, 'POST', '/billing-periods/fresh/2023-05/close');
    const listed = (await api.all('/billing-periods?customer_id=fresh')).map(({ period }) => period);
    expect(listed).not.toContain('2023-05-01');
    await api.expect(202, 'POST', '/events', [
      callEvent('old', { customer_id: 'fresh', event_time: '2023-05-10T00:00:00Z' }),
    ]);
    expect(await api.expect(200, 'GET', '/billing-periods/fresh/2023-05')).toMatchObject({ period: '2023-05-01' });
  });

  test('the opening period, once it is there, is seen and closed like any other', async () => {
    await api.expect(201, 'POST', '/price-books', {
      ...examplePriceBook,
      code: 'advance',
      prices: [{ model: 'fixed', name: 'Platform fee', amount: '30.00', billed: 'in_advance' }],
    });
    await api.expect(201, 'PUT', '/customers/opening', {
      ...exampleCustomer,
      price_book: 'advance',
      billing_from: '2024-02-01',
    });
    await api.refused('UNKNOWN_PERIOD', 404, 'GET', '/billing-periods/opening/2024-01');
    // As the workflow of the first period makes it.
    const at = '2024-01-31T23:59:59.000000Z' as Instant;
    await api.storage.periods.periodAt('opening', at);
    expect(await api.expect(200, 'GET', '/billing-periods/opening/2024-01')).toMatchObject({ stage: 'closing' });
    expect(await api.expect(200, 'GET', '/customers/opening/usage?period=2024-01')).toMatchObject({
      cost: { total: '30.00' },
    });
    expect(await api.expect(202, 'POST', '/billing-periods/opening/2024-01/close')).toMatchObject({
      stage: 'invoiced',
    });
    // The one before it was stored by nobody's wish to bill it.
    await api.storage.periods.periodAt('opening', '2023-12-31T23:59:59.000000Z' as Instant);
    await api.refused('UNKNOWN_PERIOD', 404, 'GET', '/billing-periods/opening/2023-12');
  });

  test.each([
    ['INVALID_PERIOD', 422, 'january'],
    ['UNKNOWN_PERIOD', 404, '2024-01-15'],
    ['PERIOD_NOT_ENDED', 409, '2024-04'],
  ])('%s when the period %# is to be closed', async (code, status, period) => {
    await api.refused(code, status, 'POST', `/billing-periods/cust_1/${period}/close`);
  });
});

test('another zone takes effect after the last stored period; facts of which the calendar knows nothing ask for none', async () => {
  await api.expect(201, 'PUT', '/customers/ahead', exampleCustomer);
  await api.storage.periods.periodAt('ahead', '2024-05-10T00:00:00.000000Z' as Instant);
  const renamed = { ...exampleCustomer, name: 'New' };
  const { periods } = api.storage;
  const { listPeriods } = periods;
  const listed = jest.fn(listPeriods);
  periods.listPeriods = listed;
  await api.expect(200, 'PUT', '/customers/ahead', renamed);
  await api.expect(200, 'PUT', '/customers/ahead', { ...renamed, time_zone: 'Europe/Berlin' });
  expect(listed).not.toHaveBeenCalled();
  periods.listPeriods = listPeriods;
  const [, second, third] = await api.storage.reference.customerVersions('ahead');
  expect([second, third].map((version) => version?.calendarFrom)).toEqual([null, '2024-06-01T00:00:00.000000Z']);
});
