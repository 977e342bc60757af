/** Customers, meters, price books. */
import { exampleCustomer, exampleMeter, exampleOfAllTests, examplePriceBook } from './support/test-api.js';

const api = exampleOfAllTests();

const tiered = (tiers: readonly object[]): object => ({
  ...examplePriceBook,
  version: 'bad',
  prices: [{ meter: 'api_calls', model: 'tiered', tiers }],
});
const customer = (more: object): object => ({ ...exampleCustomer, ...more });

describe('PUT /customers', () => {
  test('fills in the defaults of the contract', async () => {
    const body = { name: 'Plain', currency: 'USD', price_book: 'standard' };
    expect(await api.expect(201, 'PUT', '/customers/plain', body)).toEqual({
      customer_id: 'plain',
      name: 'Plain',
      currency: 'USD',
      time_zone: 'UTC',
      billing_anchor_day: 1,
      billing_from: '2024-03-01',
      price_book: 'standard',
      price_book_from: null,
      price_book_until: null,
      invoice_delay: 'PT1H',
      late_usage_quiet_time: 'PT1H',
      skip_empty_invoices: false,
      grace_period: 'PT0S',
      invoice_approval: 'none',
      approval_threshold: null,
      currency_conversion: null,
      tags: {},
      buyer: {},
      locale: 'en',
      itemisation: 'group',
      legal_entity: 'default',
      tax: { treatment: 'standard', exemption_reason: null },
      version: 1,
    });
  });

  test('billing_from is the period of its creation in its own zone and anchor, and stays', async () => {
    const body = customer({ time_zone: 'Asia/Kolkata', billing_anchor_day: 15, billing_from: undefined });
    expect(await api.expect(201, 'PUT', '/customers/kolkata', body)).toMatchObject({ billing_from: '2024-02-15' });
    api.now += 60 * 86_400_000;
    expect(await api.expect(200, 'PUT', '/customers/kolkata', body)).toMatchObject({ billing_from: '2024-02-15' });
    api.now -= 60 * 86_400_000;
  });

  test('the same facts again change nothing; other facts make a version', async () => {
    await api.expect(201, 'PUT', '/customers/again', customer({}));
    expect(await api.expect(200, 'PUT', '/customers/again', customer({}))).toMatchObject({ version: 1 });
    const renamed = customer({
      name: 'New',
      tags: { tier: 'gold' },
      buyer: { address: 'Street 1', email: 'a@b.example' },
      approval_threshold: '10.5',
    });
    expect(await api.expect(200, 'PUT', '/customers/again', renamed)).toMatchObject({
      version: 2,
      name: 'New',
      tags: { tier: 'gold' },
    });
    expect(await api.expect(200, 'GET', '/customers/again')).toMatchObject({
      version: 2,
      buyer: { address: 'Street 1', email: 'a@b.example' },
      approval_threshold: '10.5',
    });
  });

  test('what GET answers can be put again and changes nothing', async () => {
    const put = customer({ price_book_from: '2024-02-01', time_zone: 'Europe/Berlin', billing_anchor_day: 31 });
    await api.expect(201, 'PUT', '/customers/round', put);
    const { customer_id: _id, version: _version, ...facts } = await api.expect(200, 'GET', '/customers/round');
    expect(facts).toMatchObject({ price_book_from: '2024-01-31T23:00:00.000000Z' });
    expect(await api.expect(200, 'PUT', '/customers/round', facts)).toMatchObject({ version: 1, ...facts });
    expect(await api.storage.reference.assignments('round')).toHaveLength(1);
  });

  test('another price book is assigned from the beginning unless it says from when', async () => {
    await api.expect(201, 'POST', '/price-books', { ...examplePriceBook, code: 'other' });
    await api.expect(201, 'PUT', '/customers/mover', customer({}));
    expect(
      await api.expect(
        200,
        'PUT',
        '/customers/mover',
        customer({ price_book: 'other', price_book_from: '2024-05-01T00:00:00Z' }),
      ),
    ).toMatchObject({
      price_book_from: '2024-05-01T00:00:00.000000Z',
    });
    expect(
      await api.expect(200, 'PUT', '/customers/mover', customer({ price_book: 'other', name: 'same book' })),
    ).toMatchObject({
      price_book_from: '2024-05-01T00:00:00.000000Z',
    });
    expect(await api.expect(200, 'PUT', '/customers/mover', customer({}))).toMatchObject({
      price_book: 'standard',
      price_book_from: null,
    });
  });

  test('another zone or anchor takes effect at the next boundary', async () => {
    await api.expect(201, 'PUT', '/customers/zoned', customer({}));
    await api.expect(
      200,
      'PUT',
      '/customers/zoned',
      customer({ time_zone: 'america/new_york', billing_anchor_day: 15 }),
    );
    expect(await api.expect(200, 'GET', '/customers/zoned')).toMatchObject({ time_zone: 'America/New_York' });
    const now = await api.expect(200, 'GET', '/billing-periods/zoned/2024-03');
    expect(now).toMatchObject({
      from: '2024-03-01T00:00:00.000000Z',
      to: '2024-04-01T00:00:00.000000Z',
      time_zone: 'UTC',
    });
    api.now = Date.parse('2024-04-20T12:00:00Z');
    const usage = await api.expect(200, 'GET', '/customers/zoned/usage');
    api.now = Date.parse('2024-03-10T12:00:00Z');
    expect(usage).toMatchObject({ period: { from: '2024-04-15T04:00:00.000000Z', to: '2024-05-15T04:00:00.000000Z' } });
  });

  test('workflows of the current and the past periods are started, newest first', async () => {
    await api.expect(201, 'PUT', '/customers/starter', customer({}));
    await until(() => api.temporal.started.filter((started) => started.startsWith('starter')).length === 3);
    expect(api.temporal.started.filter((started) => started.startsWith('starter'))).toEqual([
      'starter 2024-03-01',
      'starter 2024-02-01',
      'starter 2024-01-01',
    ]);
  });

  test('the currency cannot change while a period is open', async () => {
    await api.expect(201, 'POST', '/price-books', { ...examplePriceBook, code: 'euro', currency: 'EUR' });
    await api.expect(201, 'PUT', '/customers/locked', customer({ billing_from: '2024-03-01' }));
    await api.expect(200, 'GET', '/billing-periods/locked/2024-03');
    await api.refused(
      'CURRENCY_LOCKED',
      409,
      'PUT',
      '/customers/locked',
      customer({ currency: 'EUR', price_book: 'euro' }),
    );
    await api.expect(202, 'POST', '/billing-periods/locked/2024-03/close', { force: true, reason: 'moves to euro' });
    expect(
      await api.expect(200, 'PUT', '/customers/locked', customer({ currency: 'EUR', price_book: 'euro' })),
    ).toMatchObject({ currency: 'EUR' });
  });

  test.each<[string, object, string, string]>([
    ['no name', { name: undefined }, 'VALIDATION_FAILED', '/name'],
    ['an unknown property', { colour: 'red' }, 'UNKNOWN_PROPERTY', '/colour'],
    ['an unknown property of the buyer', { buyer: { phone: '1' } }, 'UNKNOWN_PROPERTY', '/buyer/phone'],
    ['an unknown currency', { currency: 'usd' }, 'UNKNOWN_CURRENCY', '/currency'],
    ['an unknown zone', { time_zone: 'Mars/Olympus' }, 'UNKNOWN_TIME_ZONE', '/time_zone'],
    ['an offset for a zone', { time_zone: '+01:00' }, 'UNKNOWN_TIME_ZONE', '/time_zone'],
    ['an anchor day as text', { billing_anchor_day: '1' }, 'VALIDATION_FAILED', '/billing_anchor_day'],
    ['an anchor day of 32', { billing_anchor_day: 32 }, 'VALIDATION_FAILED', '/billing_anchor_day'],
    ['a day that does not exist', { billing_from: '2024-02-30' }, 'INVALID_DATE', '/billing_from'],
    ['a duration in months', { invoice_delay: 'P1M' }, 'INVALID_DURATION', '/invoice_delay'],
    ['a quiet time that is none', { late_usage_quiet_time: 'soon' }, 'INVALID_DURATION', '/late_usage_quiet_time'],
    ['a number for a threshold', { approval_threshold: 10 }, 'VALIDATION_FAILED', '/approval_threshold'],
    ['a negative threshold', { approval_threshold: '-0.01' }, 'VALIDATION_FAILED', '/approval_threshold'],
    ['an exponent for a threshold', { approval_threshold: '1e3' }, 'INVALID_DECIMAL', '/approval_threshold'],
    ['text for a boolean', { skip_empty_invoices: 'true' }, 'VALIDATION_FAILED', '/skip_empty_invoices'],
    ['a number in the tags', { tags: { a: 1 } }, 'VALIDATION_FAILED', '/tags/a'],
    ['an unknown price book', { price_book: 'nothing' }, 'UNKNOWN_PRICE_BOOK', '/price_book'],
    ['a price book in another currency', { currency: 'EUR' }, 'CURRENCY_MISMATCH', '/currency'],
    [
      'an assignment within the hour',
      { price_book_from: '2024-01-01T00:30:00Z' },
      'EFFECTIVE_FROM_NOT_ALIGNED',
      '/price_book_from',
    ],
    [
      'an assignment without offset',
      { price_book_from: '2024-01-01T00:00:00' },
      'INSTANT_WITHOUT_OFFSET',
      '/price_book_from',
    ],
  ])('refuses %s', async (_name, more, code, pointer) => {
    const status = code === 'CURRENCY_LOCKED' ? 409 : 422;
    const problem = await api.refused(code, status, 'PUT', '/customers/wrong', customer(more));
    expect(problem['errors']).toContainEqual({ pointer, code, detail: expect.any(String) });
    await api.refused('UNKNOWN_CUSTOMER', 404, 'GET', '/customers/wrong');
  });

  test('an id may have any characters a URL can carry', async () => {
    const id = 'Ünïcode/with spaces & 100%';
    expect(await api.expect(201, 'PUT', `/customers/${encodeURIComponent(id)}`, customer({}))).toMatchObject({
      customer_id: id,
    });
    expect(await api.expect(200, 'GET', `/customers/${encodeURIComponent(id)}`)).toMatchObject({ customer_id: id });
    await api.refused('VALIDATION_FAILED', 422, 'PUT', `/customers/${'x'.repeat(129)}`, customer({}));
    await api.refused('VALIDATION_FAILED', 422, 'PUT', '/customers/nul%00', customer({}));
  });

  test('GET /customers pages through all of them', async () => {
    const all = await api.all('/customers?limit=2');
    const ids = all.map(({ customer_id: id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(['cust_1', 'plain', 'zoned']));
    await api.refused('INVALID_CURSOR', 400, 'GET', '/customers?cursor=nonsense');
  });
});

async function until(condition: () => boolean): Promise<void> {
  for (let look = 0; look < 500 && !condition(); look += 1) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('meters', () => {
  test('have the defaults of the contract', async () => {
    const body = { code: 'defaults', event_type: 'e', aggregation: 'count' };
    expect(await api.expect(201, 'POST', '/meters', body)).toEqual({
      meter_id: expect.any(String),
      code: 'defaults',
      version: 1,
      event_type: 'e',
      aggregation: 'count',
      value_property: null,
      count_property: null,
      max_groups: 1000,
      effective_from: null,
      group_by: [],
      filters: {},
      window: 'hour',
      allowed_lateness: 'PT1H',
      allow_negative: false,
    });
  });

  test('exist with the same content, and never change', async () => {
    const body = {
      code: 'bytes',
      event_type: 'e',
      aggregation: 'sum',
      value_property: 'b',
      group_by: ['region'],
      filters: { tier: ['premium'] },
      window: 'day',
    };
    const created = await api.expect(201, 'POST', '/meters', body);
    expect(await api.expect(200, 'POST', '/meters', body)).toEqual(created);
    await api.refused('METER_IMMUTABLE', 409, 'POST', '/meters', { ...body, window: 'month' });
    const { data } = await api.expect(200, 'GET', '/meters');
    expect(data).toContainEqual(created);
  });

  test.each<[string, object, string, string]>([
    ['an aggregation that does not exist', { aggregation: 'average' }, 'UNKNOWN_AGGREGATION', '/aggregation'],
    ['a maximum of nothing', { aggregation: 'max' }, 'VALIDATION_FAILED', '/value_property'],
    [
      'a sum of counts',
      { aggregation: 'sum', value_property: 'x', count_property: 'n' },
      'VALIDATION_FAILED',
      '/count_property',
    ],
    [
      'a start within an hour',
      { effective_from: '2024-01-01T00:30:00Z' },
      'EFFECTIVE_FROM_NOT_ALIGNED',
      '/effective_from',
    ],
    ['no groups at all', { max_groups: 0 }, 'VALIDATION_FAILED', '/max_groups'],
    ['a sum of nothing', { aggregation: 'sum' }, 'VALIDATION_FAILED', '/value_property'],
    ['a count of values', { value_property: 'x' }, 'VALIDATION_FAILED', '/value_property'],
    ['a window of a week', { window: 'week' }, 'VALIDATION_FAILED', '/window'],
    ['a group twice', { group_by: ['a', 'a'] }, 'VALIDATION_FAILED', '/group_by'],
    [
      'a value that no event has',
      { aggregation: 'sum', value_property: '__proto__' },
      'VALIDATION_FAILED',
      '/value_property',
    ],
    ['a count that no event has', { count_property: '__proto__' }, 'VALIDATION_FAILED', '/count_property'],
    ['a group that no event has', { group_by: ['a', '__proto__'] }, 'VALIDATION_FAILED', '/group_by/1'],
    ['a tag that no event has', { filters: { 'tags.__proto__': ['a'] } }, 'VALIDATION_FAILED', '/filters'],
    ['a filter that is a text', { filters: { tier: 'premium' } }, 'VALIDATION_FAILED', '/filters/tier'],
    ['a lateness in years', { allowed_lateness: 'P1Y' }, 'INVALID_DURATION', '/allowed_lateness'],
    ['an unknown property', { unit: 'bytes' }, 'UNKNOWN_PROPERTY', '/unit'],
  ])('are refused with %s', async (_name, more, code, pointer) => {
    const problem = await api.refused(code, 422, 'POST', '/meters', { ...exampleMeter, code: 'wrong', ...more });
    expect(problem['errors']).toContainEqual({ pointer, code, detail: expect.any(String) });
  });
});

describe('price books', () => {
  test('a version never changes, and time travel finds the one in force', async () => {
    const v1 = { ...examplePriceBook, code: 'travel' };
    const created = await api.expect(201, 'POST', '/price-books', v1);
    expect(created).toMatchObject({
      price_book_id: expect.any(String),
      ...v1,
      rounding: 'half_even',
      effective_until: null,
      effective_from: '2024-01-01T00:00:00.000000Z',
      prices: expect.any(Array),
    });
    expect(await api.expect(200, 'POST', '/price-books', v1)).toEqual(created);
    await api.refused('PRICE_BOOK_VERSION_IMMUTABLE', 409, 'POST', '/price-books', { ...v1, rounding: 'up' });
    await api.expect(201, 'POST', '/price-books', { ...v1, version: 'v2', effective_from: '2024-02-01' });
    const at = async (instant: string): Promise<unknown> =>
      (await api.expect(200, 'GET', `/price-books/travel?at=${encodeURIComponent(instant)}`))['version'];
    expect(await at('2024-01-31T23:59:59.999999Z')).toBe('v1');
    expect(await at('2024-02-01T01:00:00+01:00')).toBe('v2');
    expect((await api.expect(200, 'GET', '/price-books/travel'))['version']).toBe('v2');
    await api.refused('UNKNOWN_PRICE_BOOK', 404, 'GET', '/price-books/travel?at=2023-12-31T23:00:00Z');
    await api.refused('UNKNOWN_PRICE_BOOK', 404, 'GET', '/price-books/nothing');
    await api.refused('INSTANT_WITHOUT_OFFSET', 422, 'GET', '/price-books/travel?at=2024-01-01T00:00:00');
  });

  test.each<[string, object, string, string]>([
    [
      'an unknown price model',
      { ...examplePriceBook, prices: [{ meter: 'api_calls', model: 'staircase' }] },
      'UNKNOWN_PRICE_MODEL',
      '/prices/0/model',
    ],
    [
      'overlapping tiers',
      tiered([
        { up_to: '10', unit_price: '1' },
        { up_to: '5', unit_price: '1' },
        { up_to: null, unit_price: '1' },
      ]),
      'TIERS_OVERLAP',
      '/prices/0/tiers/1/up_to',
    ],
    ['a bounded last tier', tiered([{ up_to: '10', unit_price: '1' }]), 'LAST_TIER_BOUNDED', '/prices/0/tiers/0/up_to'],
    ['no tiers', tiered([]), 'TIERS_EMPTY', '/prices/0/tiers'],
    [
      'a price as a number',
      { ...examplePriceBook, prices: [{ meter: 'api_calls', model: 'flat', unit_price: 0.1 }] },
      'INVALID_DECIMAL',
      '/prices/0/unit_price',
    ],
    [
      'an absurdly long price',
      { ...examplePriceBook, prices: [{ meter: 'api_calls', model: 'flat', unit_price: '9'.repeat(39) }] },
      'NUMBER_TOO_LONG',
      '/prices/0/unit_price',
    ],
    [
      'a meter that does not exist',
      { ...examplePriceBook, prices: [{ meter: 'nothing', model: 'flat', unit_price: '1' }] },
      'UNKNOWN_METER',
      '/prices/0/meter',
    ],
    [
      'a start within the hour',
      { ...examplePriceBook, effective_from: '2024-01-01T00:00:00.5Z' },
      'EFFECTIVE_FROM_NOT_ALIGNED',
      '/effective_from',
    ],
    [
      'a start without offset',
      { ...examplePriceBook, effective_from: '2024-01-01T00:00:00' },
      'INSTANT_WITHOUT_OFFSET',
      '/effective_from',
    ],
    ['an unknown currency', { ...examplePriceBook, currency: 'XXQ' }, 'UNKNOWN_CURRENCY', '/currency'],
    ['another currency than before', { ...examplePriceBook, currency: 'EUR' }, 'CURRENCY_MISMATCH', '/currency'],
    ['an unknown property', { ...examplePriceBook, colour: 1 }, 'UNKNOWN_PROPERTY', '/colour'],
    [
      'a commitment below zero',
      { ...examplePriceBook, minimum_commitment: '-100' },
      'VALIDATION_FAILED',
      '/minimum_commitment',
    ],
    ['no object', [], 'VALIDATION_FAILED', ''],
    ['no prices', { ...examplePriceBook, version: 'bad', prices: [] }, 'VALIDATION_FAILED', '/prices'],
  ])('are refused with %s', async (_name, body, code, pointer) => {
    const problem = await api.refused(
      code,
      422,
      'POST',
      '/price-books',
      Array.isArray(body) ? body : { ...body, version: 'bad' },
    );
    expect(problem['errors']).toContainEqual({ pointer, code, detail: expect.any(String) });
  });
});
