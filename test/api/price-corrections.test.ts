/** POST /price-books with "supersedes": a corrected version offers a re-rating, and changes nothing by itself (RULES 21). */
import { exampleCalls, exampleCustomer, examplePriceBook, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;

const at = (price: string, more: Json = {}): Json => ({
  ...examplePriceBook,
  prices: [{ meter: 'api_calls', model: 'flat', unit_price: price }],
  ...more,
});
const as = (actor: string): Record<string, string> => ({ 'x-reckoner-actor': actor });

async function invoiced(customerId: string, month: string): Promise<void> {
  const calls = exampleCalls(10).map((event) => ({
    ...event,
    event_id: `${month}/${String(event['event_id'])}`,
    customer_id: customerId,
    event_time: String(event['event_time']).replace('2024-01', month),
  }));
  await api.expect(202, 'POST', '/events', calls);
  await api.expect(202, 'POST', `/billing-periods/${customerId}/${month}/close`);
}

beforeEach(async () => {
  api = await TestApi.start();
  await api.setUpExample();
  await api.expect(201, 'PUT', '/customers/cust_2', exampleCustomer);
});
afterEach(() => api.close());

const offerOf = (answer: Json): { periods: number; examples: Json[]; re_ratings: Json[] } =>
  answer['re_rating_offer'] as ReturnType<typeof offerOf>;

test('the answer and a finding offer the re-rating; sent as it is offered, it corrects those periods and no other', async () => {
  await invoiced('cust_1', '2024-01');
  await invoiced('cust_1', '2024-02');
  await invoiced('cust_2', '2024-02');
  const answer = await api.expect(201, 'POST', '/price-books', at('0.20', { version: 'v1-fixed', supersedes: 'v1' }));
  expect(answer).toMatchObject({ version: 'v1-fixed', supersedes: 'v1' });
  const priceBook = { code: 'standard', version: 'v1-fixed' };
  const [january, february, march] = ['2024-01', '2024-02', '2024-03'].map((month) => `${month}-01T00:00:00.000000Z`);
  expect(offerOf(answer)).toEqual({
    periods: 3,
    examples: [
      { customer_id: 'cust_1', period: '2024-01-01' },
      { customer_id: 'cust_1', period: '2024-02-01' },
      { customer_id: 'cust_2', period: '2024-02-01' },
    ],
    re_ratings: [
      {
        reason: 'price_correction',
        scope: { customer_ids: ['cust_1'], from: january, to: march },
        price_book: priceBook,
      },
      {
        reason: 'price_correction',
        scope: { customer_ids: ['cust_2'], from: february, to: march },
        price_book: priceBook,
      },
    ],
  });
  const [finding] = await api.all('/findings?code=PRICE_CORRECTION_OFFERED');
  expect(finding).toMatchObject({
    subject: { price_book: 'standard', version: 'v1-fixed', supersedes: 'v1' },
    detail: expect.stringContaining(JSON.stringify(offerOf(answer).re_ratings[0])),
  });

  // Nothing has happened by itself.
  expect(await api.all('/re-ratings')).toEqual([]);
  expect((await api.all('/invoices')).map(({ total }) => total)).toEqual(['1.00', '1.00', '1.00']);
  expect(await api.expect(200, 'GET', '/customers/cust_1/usage?period=2024-01')).toMatchObject({
    cost: { total: '1.00' },
  });

  for (const body of offerOf(answer).re_ratings) await api.expect(202, 'POST', '/re-ratings', body, as('ada'));
  const corrections = await api.all('/invoices?type=correction');
  expect(
    corrections.map((each) => [each['customer_id'], (each['period'] as Json)['from'], each['total']]).sort(),
  ).toEqual([
    ['cust_1', january, '1.00'],
    ['cust_1', february, '1.00'],
    ['cust_2', february, '1.00'],
  ]);
  // Once corrected, the periods are priced by the correction: sent again, the same version has nothing left to offer.
  const again = await api.expect(200, 'POST', '/price-books', at('0.20', { version: 'v1-fixed', supersedes: 'v1' }));
  expect(offerOf(again)).toEqual({ periods: 0, examples: [], re_ratings: [] });
});

test('offers only what the superseded version prices: another version, a void invoice, an open period stay out', async () => {
  await invoiced('cust_1', '2024-01');
  await api.expect(201, 'POST', '/price-books', at('0.30', { version: 'v2', effective_from: '2024-02-01T00:00:00Z' }));
  await invoiced('cust_1', '2024-02');
  await invoiced('cust_2', '2024-01');
  const [voided] = await api.all('/invoices?customer_id=cust_2');
  await api.expect(200, 'POST', `/invoices/${String(voided?.['invoice_id'])}/void`, { reason: 'a test' });
  const answer = await api.expect(201, 'POST', '/price-books', at('0.20', { version: 'v1-fixed', supersedes: 'v1' }));
  expect(offerOf(answer).examples).toEqual([{ customer_id: 'cust_1', period: '2024-01-01' }]);
  for (const body of offerOf(answer).re_ratings) await api.expect(202, 'POST', '/re-ratings', body, as('ada'));
  expect((await api.all('/invoices?type=correction')).map((each) => each['total'])).toEqual(['1.00']);
});

test('of a version that an invoice has in its fee in advance alone: the offer moves the fee', async () => {
  const fee = (amount: string, more: Json): Json => {
    const prices = [
      { meter: 'api_calls', model: 'flat', unit_price: '0.10' },
      { model: 'fixed', name: 'Fee', amount, billed: 'in_advance', prorate: true },
    ];
    return { ...examplePriceBook, code: 'fees', prices, ...more };
  };
  const february = { effective_from: '2024-02-01' };
  await api.expect(201, 'POST', '/price-books', fee('10.00', { version: 'v0' }));
  await api.expect(201, 'POST', '/price-books', fee('20.00', { version: 'v1', ...february }));
  await api.expect(201, 'PUT', '/customers/cust_3', { ...exampleCustomer, price_book: 'fees' });
  await invoiced('cust_3', '2024-01');
  expect((await api.all('/invoices')).map(({ total }) => total)).toEqual(['21.00']);
  const correction = fee('25.00', { version: 'v1-fixed', supersedes: 'v1', ...february });
  const offer = offerOf(await api.expect(201, 'POST', '/price-books', correction));
  expect(offer.examples).toEqual([{ customer_id: 'cust_3', period: '2024-01-01' }]);
  for (const body of offer.re_ratings) await api.expect(202, 'POST', '/re-ratings', body, as('ada'));
  expect((await api.all('/invoices?type=correction')).map(({ total }) => total)).toEqual(['5.00']);
  // The version of January leaves the fee of February as it is.
  const before = fee('10.00', { version: 'v0-fixed', supersedes: 'v0', minimum_commitment: '1.00' });
  for (const body of offerOf(await api.expect(201, 'POST', '/price-books', before)).re_ratings)
    await api.expect(202, 'POST', '/re-ratings', body, as('ada'));
  expect(await api.all('/invoices?type=credit_note')).toEqual([]);
  const scope = { customer_ids: ['cust_3'], to: '2024-02-01T00:00:00Z' };
  const march = fee('30.00', { version: 'v2', effective_from: '2024-03-01' });
  await api.expect(201, 'POST', '/price-books', march);
  const beyond = { reason: 'price_correction', scope, price_book: { code: 'fees', version: 'v2' } };
  await api.refused('PRICE_BOOK_NOT_IN_FORCE', 422, 'POST', '/re-ratings', beyond);
});

test('what is not invoiced yet is priced by the correction at once, and there is no finding', async () => {
  await api.expect(202, 'POST', '/events', exampleCalls(10));
  const answer = await api.expect(201, 'POST', '/price-books', at('0.20', { version: 'v1-fixed', supersedes: 'v1' }));
  expect(offerOf(answer)).toEqual({ periods: 0, examples: [], re_ratings: [] });
  expect(await api.all('/findings?code=PRICE_CORRECTION_OFFERED')).toEqual([]);
  expect(await api.expect(200, 'GET', '/customers/cust_1/usage?period=2024-01')).toMatchObject({
    cost: { total: '2.00' },
  });
});

test('a version of the same date that names none says nothing about it (RULES 21)', async () => {
  await invoiced('cust_1', '2024-01');
  const answer = await api.expect(201, 'POST', '/price-books', at('0.20', { version: 'v1-other' }));
  expect(answer['re_rating_offer']).toBeUndefined();
  expect(await api.all('/findings?code=PRICE_CORRECTION_OFFERED')).toEqual([]);
});

test('only one version corrects another, also when two are sent at once; the next corrects the correction', async () => {
  const send = (version: string) => api.send('POST', '/price-books', at('0.20', { version, supersedes: 'v1' }));
  const answers = await Promise.all(['a', 'b', 'c'].map(send));
  expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 409, 409]);
  const refused = answers.filter(({ statusCode }) => statusCode === 409).map((each) => each.json<Json>()['code']);
  expect(refused).toEqual(['PRICE_BOOK_VERSION_SUPERSEDED', 'PRICE_BOOK_VERSION_SUPERSEDED']);
  const taken = answers.find(({ statusCode }) => statusCode === 201)?.json<Json>()['version'];
  // The refused ones left nothing behind: their names are free.
  await api.expect(201, 'POST', '/price-books', at('0.40', { version: taken === 'a' ? 'b' : 'a', supersedes: taken }));
});

test.each<[string, Json, string, number, string | undefined]>([
  ['an unknown version', { version: 'v2', supersedes: 'v9' }, 'UNKNOWN_PRICE_BOOK', 422, '/supersedes'],
  ['itself', { supersedes: 'v1' }, 'UNKNOWN_PRICE_BOOK', 422, '/supersedes'],
  [
    'one that begins at another time',
    { version: 'v2', supersedes: 'v1', effective_from: '2024-02-01T00:00:00Z' },
    'VALIDATION_FAILED',
    422,
    '/effective_from',
  ],
  ['what is no name', { version: 'v2', supersedes: 7 }, 'VALIDATION_FAILED', 422, '/supersedes'],
])('superseding %s is refused', async (_name, more, code, status, pointer) => {
  const problem = await api.refused(code, status, 'POST', '/price-books', at('0.20', more));
  expect(problem['errors']).toMatchObject([{ pointer }]);
});

test('a version that exists cannot be made a correction afterwards, nor cease to be one', async () => {
  await api.expect(201, 'POST', '/price-books', at('0.20', { version: 'plain' }));
  await api.expect(201, 'POST', '/price-books', at('0.20', { version: 'fixed', supersedes: 'v1' }));
  const immutable = ['PRICE_BOOK_VERSION_IMMUTABLE', 409, 'POST', '/price-books'] as const;
  await api.refused(...immutable, at('0.20', { version: 'plain', supersedes: 'v1' }));
  await api.refused(...immutable, at('0.20', { version: 'fixed' }));
});
