/** Rollouts over HTTP: begun, halted, taken back; what that does to prices, invoices and proofs (RULES 41, 42). */
import { bucketOf } from '../../src/billing/price-rollouts.js';
import { book, candidate, january, named, offerOf, reason, RolloutScene, start } from './support/rollout-scene.js';
import { exampleCalls, exampleCustomer } from './support/test-api.js';
import type { TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let scene: RolloutScene;
let api: TestApi;
beforeEach(async () => {
  scene = await RolloutScene.start();
  ({ api } = scene);
});
afterEach(() => api.close());

describe('a candidate', () => {
  test('holds for nobody until a stage includes the customer, and for that one only', async () => {
    for (const customer of ['cust_1', 'cust_2']) await scene.use(customer);
    expect([await scene.costOf('cust_1'), await scene.costOf('cust_2')]).toEqual(['1.00', '1.00']);
    expect(await api.expect(200, 'GET', '/price-books/standard?at=2024-02-01T00:00:00Z')).toMatchObject({
      version: 'v1',
    });
    const id = await scene.begun();
    expect([await scene.costOf('cust_1'), await scene.costOf('cust_2')]).toEqual(['2.00', '1.00']);
    expect(await scene.versionOf('cust_1', january)).toBe('v2');
    expect(await scene.versionOf('cust_2', january)).toBe('v1');
    expect(await scene.versionOf('cust_1', '2023-12-31T23:00:00Z')).toBeUndefined();
    expect(await api.expect(200, 'GET', `/price-rollouts/${id}`)).toMatchObject({
      price_book: named,
      flag: 'price-rollout/standard',
      state: 'canary',
      customers: 2,
      members: 1,
      comparison: null,
      stages: [{ sequence: 1, kind: 'canary', customers: ['cust_1'], reason, decided_by: 'anonymous' }],
    });
    expect(await api.all('/price-rollouts?price_book=standard')).toMatchObject([{ rollout_id: id, state: 'canary' }]);
    expect(await api.all('/price-rollouts?price_book=other')).toEqual([]);
  });

  test('is told by "rollout", which is a part of what the version says', async () => {
    expect(await api.expect(200, 'POST', '/price-books', candidate())).toMatchObject({ rollout: true });
    await api.refused('PRICE_BOOK_VERSION_IMMUTABLE', 409, 'POST', '/price-books', book('0.20'));
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/price-books', candidate({ rollout: 'yes', version: 'v3' }));
    const both = candidate({ version: 'v3', supersedes: 'v1' });
    await api.refused('ROLLOUT_CONFLICT', 409, 'POST', '/price-books', both);
    const correction = book('0.30', { version: 'v3', supersedes: 'v2' });
    await api.refused('ROLLOUT_CONFLICT', 409, 'POST', '/price-books', correction);
  });

  test('an invoice in mid-period has a charge of each version, and stays proven whatever is decided later', async () => {
    await scene.use('cust_1', 10);
    const id = await scene.begun({ effective_from: '2024-01-15T10:00:00Z' });
    // Ten calls from 10:00:00 on: all in the candidate's part; ten more before it.
    const early = exampleCalls(10).map((event) => ({
      ...event,
      event_id: `early/${String(event['event_id'])}`,
      event_time: '2024-01-05T10:00:00Z',
    }));
    await api.expect(202, 'POST', '/events', early);
    await scene.close('cust_1');
    const [invoice] = await api.all('/invoices');
    expect(invoice).toMatchObject({ total: '3.00' });
    const path = `/invoices/${String(invoice?.['invoice_id'])}`;
    const issued = await api.expect(200, 'GET', path);
    await scene.rollBack(id, january);
    expect(await api.expect(200, 'GET', path)).toEqual(issued);
    expect(await api.expect(200, 'GET', `${path}/verify`)).toMatchObject({ verified: true });
    // What comes late is corrected by the versions of the invoice.
    const late = { ...exampleCalls(1)[0], event_id: 'late', event_time: '2024-01-20T10:00:00Z' };
    await api.expect(202, 'POST', '/events', [late]);
    const reRating = { reason: 'late_usage', scope: { customer_ids: ['cust_1'] } };
    await api.expect(202, 'POST', '/re-ratings', reRating);
    expect((await api.all('/invoices?type=correction')).map(({ total }) => total)).toEqual(['0.20']);
  });
});

describe('is refused to begin', () => {
  test('with a version that is not there, not a candidate, or without a version before', async () => {
    const with_ = (more: Json) => start({ price_book: { ...named, ...more } });
    await api.refused('UNKNOWN_PRICE_BOOK', 422, 'POST', '/price-rollouts', with_({ code: 'none' }));
    await api.refused('UNKNOWN_PRICE_BOOK', 422, 'POST', '/price-rollouts', with_({ version: 'v9' }));
    await api.refused('NOT_A_CANDIDATE', 409, 'POST', '/price-rollouts', with_({ version: 'v1' }));
  });

  test('for customers who are unknown, or who have another price book', async () => {
    const other = candidate({ code: 'other' });
    await api.expect(201, 'POST', '/price-books', other);
    await api.expect(201, 'POST', '/price-books', book('1', { code: 'other', version: 'v1' }));
    await api.expect(201, 'PUT', '/customers/cust_3', { ...exampleCustomer, price_book: 'other' });
    const unknown = await api.refused('UNKNOWN_CUSTOMER', 422, 'POST', '/price-rollouts', start({ customers: ['x'] }));
    expect((unknown['errors'] as Json[])[0]).toMatchObject({ pointer: '/customers/0' });
    const customers = ['cust_1', 'cust_3'];
    const refused = await api.refused('CANARY_NOT_ON_PRICE_BOOK', 422, 'POST', '/price-rollouts', start({ customers }));
    expect((refused['errors'] as Json[])[0]).toMatchObject({ pointer: '/customers/1' });
    expect(await api.all('/price-rollouts')).toEqual([]);
  });

  test('beside an open one, a later version, or a second time', async () => {
    await api.expect(201, 'POST', '/price-books', candidate({ version: 'v3' }));
    const id = await scene.begun();
    const second = start({ price_book: { ...named, version: 'v3' } });
    await api.refused('ROLLOUT_OPEN', 409, 'POST', '/price-rollouts', second);
    const later = book('1', { version: 'v4', effective_from: '2024-05-01' });
    await api.refused('ROLLOUT_OPEN', 409, 'POST', '/price-books', later);
    // A correction of the version before begins before the rollout: it is learned all the same.
    const corrected = book('0.11', { version: 'v0', effective_from: '2023-12-01T00:00:00Z' });
    await api.expect(201, 'POST', '/price-books', corrected);
    expect(await api.expect(200, 'POST', '/price-rollouts', start())).toMatchObject({ rollout_id: id });
    await api.refused('NOT_A_CANDIDATE', 409, 'POST', '/price-rollouts', start({ customers: ['cust_2'] }));
    await scene.rollBack(id, january);
    await api.refused('NOT_A_CANDIDATE', 409, 'POST', '/price-rollouts', start({ reason: 'again' }));
    await api.expect(201, 'POST', '/price-books', later);
    const conflict = await api.refused('ROLLOUT_CONFLICT', 409, 'POST', '/price-rollouts', second);
    expect(conflict['detail']).toContain('"v4"');
  });

  test('at half an hour, and without a reason', async () => {
    const at = (text: string) => start({ effective_from: text });
    await api.refused('EFFECTIVE_FROM_NOT_ALIGNED', 422, 'POST', '/price-rollouts', at('2024-01-01T00:30:00Z'));
    await api.refused('INVALID_DATE', 422, 'POST', '/price-rollouts', at('2024-02-30'));
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/price-rollouts', start({ reason: ' ' }));
    await api.refused('ROLLOUT_NOT_FOUND', 404, 'GET', '/price-rollouts/none');
  });
});

describe('halt and resume', () => {
  const post = (id: string, path: string, from: string): Promise<Json> =>
    api.expect(200, 'POST', `/price-rollouts/${id}/${path}`, { reason, effective_from: from });

  test('keep who is in, and hold up who is not; a new customer waits as well', async () => {
    const id = await scene.begun();
    await scene.stage(id, {
      kind: 'percentage',
      percentage: '99.99',
      override: true,
      effective_from: '2024-03-01T00:00:00Z',
    });
    expect(await post(id, 'halt', '2024-02-01T00:00:00Z').catch((error: unknown) => String(error))).toContain('422');
    expect(await post(id, 'halt', '2024-03-11T00:00:00Z')).toMatchObject({ state: 'halted', members: 2 });
    await api.expect(201, 'PUT', '/customers/new', exampleCustomer);
    const isIn = async (customer: string, at = '2024-03-20T00:00:00Z'): Promise<unknown> =>
      (await api.expect(200, 'GET', `/price-rollouts/${id}/customers/${customer}?at=${at}`))['included'];
    expect([await isIn('cust_1'), await isIn('cust_2'), await isIn('new')]).toEqual([true, true, false]);
    await api.refused('ROLLOUT_TRANSITION_REFUSED', 409, 'POST', `/price-rollouts/${id}/stages`, {
      ...{ kind: 'all', reason, override: true },
    });
    await api.refused('ROLLOUT_TRANSITION_REFUSED', 409, 'POST', `/price-rollouts/${id}/halt`, { reason });
    const metrics = (await api.send('GET', '/metrics')).body;
    expect(metrics).toContain('reckoner_price_rollouts_open{state="halted"} 1');
    expect(metrics).toContain('reckoner_price_rollouts_open{state="canary"} 0');
    expect(await post(id, 'resume', '2024-03-15T00:00:00Z')).toMatchObject({ state: 'percentage', members: 3 });
    expect([await isIn('new', '2024-03-14T23:00:00Z'), await isIn('new')]).toEqual([false, true]);
  });
});

describe('a rollback', () => {
  test('restores the version before, changes nothing issued, and offers what would undo it', async () => {
    for (const customer of ['cust_1', 'cust_2'])
      for (const month of ['2024-01', '2024-02']) await scene.use(customer, 10, month);
    const id = await scene.begun();
    for (const customer of ['cust_1', 'cust_2']) await scene.close(customer);
    const totals = async (type: string): Promise<unknown> =>
      (await api.all(`/invoices?type=${type}`)).map((each) => [each['customer_id'], each['total']]).sort();
    expect(await totals('invoice')).toEqual([
      ['cust_1', '2.00'],
      ['cust_2', '1.00'],
    ]);
    const answer = await scene.rollBack(id, january);
    expect(answer).toMatchObject({ state: 'rolled_back', members: 0 });
    expect(offerOf(answer)).toEqual({
      periods: 1,
      examples: [{ customer_id: 'cust_1', period: '2024-01-01' }],
      re_ratings: [
        {
          reason: 'price_correction',
          scope: {
            customer_ids: ['cust_1'],
            from: '2024-01-01T00:00:00.000000Z',
            to: '2024-02-01T00:00:00.000000Z',
          },
        },
      ],
    });
    const [finding] = await api.all('/findings?code=PRICE_CORRECTION_OFFERED');
    expect(finding).toMatchObject({
      subject: { price_book: 'standard', version: 'v2', rolled_back: id },
      detail: expect.stringContaining(JSON.stringify(offerOf(answer).re_ratings[0])),
    });
    expect(finding?.['detail']).toContain('go by what is known now');
    // Nothing has happened by itself; the month that is not invoiced is priced by the version before.
    expect(await api.all('/re-ratings')).toEqual([]);
    expect(await totals('invoice')).toHaveLength(2);
    expect(await scene.costOf('cust_1')).toBe('2.00');
    expect(await scene.costOf('cust_1', '2024-02')).toBe('1.00');
    expect(await scene.versionOf('cust_1', january)).toBe('v1');

    for (const body of offerOf(answer).re_ratings) await api.expect(202, 'POST', '/re-ratings', body);
    expect(await totals('credit_note')).toEqual([['cust_1', '-1.00']]);
    expect(offerOf(await api.expect(200, 'GET', `/price-rollouts/${id}`))).toMatchObject({
      periods: 0,
      re_ratings: [],
    });
  });

  test('of a month with both versions takes back the candidate’s part', async () => {
    await scene.use('cust_1', 10);
    const id = await scene.begun({ effective_from: '2024-01-15T00:00:00Z' });
    await api.expect(202, 'POST', '/events', [
      { ...exampleCalls(1)[0], event_id: 'early', event_time: '2024-01-02T00:00:00Z' },
    ]);
    await scene.close('cust_1');
    expect((await api.all('/invoices')).map(({ total }) => total)).toEqual(['2.10']);
    const {
      re_ratings: [offered],
    } = offerOf(await scene.rollBack(id, '2024-01-15T00:00:00Z'));
    await api.expect(202, 'POST', '/re-ratings', offered);
    expect((await api.all('/invoices?type=credit_note')).map(({ total }) => total)).toEqual(['-1.00']);
  });

  test('offers only what ends after its date, which is midnight in the customer’s zone', async () => {
    await api.expect(201, 'PUT', '/customers/cust_3', { ...exampleCustomer, time_zone: 'America/New_York' });
    const id = await scene.begun({ customers: ['cust_1', 'cust_3'] });
    for (const customer of ['cust_1', 'cust_3']) {
      for (const month of ['2024-01', '2024-02']) {
        await scene.use(customer, 10, month);
        await scene.close(customer, month);
      }
    }
    const offer = offerOf(await scene.rollBack(id, '2024-02-01'));
    expect(offer).toMatchObject({
      periods: 2,
      examples: [
        { customer_id: 'cust_1', period: '2024-02-01' },
        { customer_id: 'cust_3', period: '2024-02-01' },
      ],
    });
    expect(offerOf(await api.expect(200, 'GET', `/price-rollouts/${id}`))).toEqual(offer);
    const [finding] = await api.all('/findings?code=PRICE_CORRECTION_OFFERED');
    expect(finding?.['detail']).not.toContain('2024-01-01');
  });

  test('leaves the time before its date to the candidate, also under a later correction of the version before', async () => {
    await scene.use('cust_1', 10);
    const id = await scene.begun({ effective_from: '2024-01-15T00:00:00Z' });
    const one = (event_id: string, day: string): Json => ({
      ...exampleCalls(1)[0],
      ...{ event_id, event_time: `2024-01-${day}T00:00:00Z` },
    });
    await api.expect(202, 'POST', '/events', [one('early', '02'), one('end', '30')]);
    await scene.close('cust_1');
    const totals = async (): Promise<unknown> => (await api.all('/invoices')).map(({ total }) => total).sort();
    expect(await totals()).toEqual(['2.30']);
    const offer = offerOf(await scene.rollBack(id, '2024-01-29T00:00:00Z'));
    expect(offer.periods).toBe(1);
    for (const body of offer.re_ratings) await api.expect(202, 'POST', '/re-ratings', body);
    expect(await totals()).toEqual(['-0.10', '2.30']);
    // What the candidate keeps is not offered again.
    expect(offerOf(await api.expect(200, 'GET', `/price-rollouts/${id}`)).periods).toBe(0);
    const correction = book('0.13', { version: 'v1-fixed', supersedes: 'v1' });
    for (const body of offerOf(await api.expect(201, 'POST', '/price-books', correction)).re_ratings)
      await api.expect(202, 'POST', '/re-ratings', body);
    // Two calls at 0.03 more, ten stay at 0.20.
    expect(await totals()).toEqual(['-0.10', '0.06', '2.30']);
  });

  test('offers what is right where several versions hold, in usage and in fees in advance', async () => {
    const priced = (version: string, amount: string, more: Json): Json =>
      book('0.10', {
        ...{ code: 'fees', version, ...more },
        prices: [
          { meter: 'api_calls', model: 'flat', unit_price: '0.10' },
          { model: 'fixed', name: 'Fee', amount, billed: 'in_advance', prorate: true },
        ],
      });
    const february = { effective_from: '2024-02-01' };
    await api.expect(201, 'POST', '/price-books', priced('v0', '29.00', {}));
    await api.expect(201, 'POST', '/price-books', priced('v1', '58.00', february));
    await api.expect(201, 'POST', '/price-books', priced('v2', '87.00', { ...february, rollout: true }));
    await api.expect(201, 'PUT', '/customers/cust_3', { ...exampleCustomer, price_book: 'fees' });
    await scene.use('cust_3');
    const fees = { price_book: { code: 'fees', version: 'v2' }, customers: ['cust_3'] };
    const id = await scene.begun({ ...fees, effective_from: '2024-02-10' });
    await scene.close('cust_3');
    // Nine days at 2.00 and twenty at 3.00; then all of them at 2.00.
    expect((await api.all('/invoices')).map(({ total }) => total)).toEqual(['79.00']);
    const offer = offerOf(await scene.rollBack(id, '2024-02-10'));
    expect(offer.examples).toEqual([{ customer_id: 'cust_3', period: '2024-01-01' }]);
    for (const body of offer.re_ratings) await api.expect(202, 'POST', '/re-ratings', body);
    expect((await api.all('/invoices?type=credit_note')).map(({ total }) => total)).toEqual(['-20.00']);
    expect(offerOf(await api.expect(200, 'GET', `/price-rollouts/${id}`)).periods).toBe(0);
  });

  test('offers what is right where another version began between the first stage and the candidate', async () => {
    await api.expect(
      201,
      'POST',
      '/price-books',
      book('0.30', { version: 'v1b', effective_from: '2024-01-10T00:00:00Z' }),
    );
    const later = candidate({ version: 'v3', effective_from: '2024-01-15T00:00:00Z' });
    await api.expect(201, 'POST', '/price-books', later);
    await scene.use('cust_1', 10);
    const id = await scene.begun({ price_book: { ...named, version: 'v3' } });
    await scene.close('cust_1');
    expect((await api.all('/invoices')).map(({ total }) => total)).toEqual(['2.00']);
    for (const body of offerOf(await scene.rollBack(id, '2024-01-15T00:00:00Z')).re_ratings)
      await api.expect(202, 'POST', '/re-ratings', body);
    expect((await api.all('/invoices?type=correction')).map(({ total }) => total)).toEqual(['1.00']);
  });

  test('from a date after all that is issued offers nothing', async () => {
    await scene.use('cust_1');
    const id = await scene.begun();
    await scene.close('cust_1');
    expect(offerOf(await scene.rollBack(id, '2024-02-01'))).toEqual({ periods: 0, examples: [], re_ratings: [] });
    expect(await api.all('/findings?code=PRICE_CORRECTION_OFFERED')).toEqual([]);
  });

  test('is the end of it; also after all, where it restores the version before for everybody', async () => {
    await scene.use('cust_2');
    const id = await scene.begun();
    await scene.stage(id, { kind: 'all', override: true });
    expect(await scene.costOf('cust_2')).toBe('2.00');
    await scene.rollBack(id, january);
    expect(await scene.costOf('cust_2')).toBe('1.00');
    for (const path of ['halt', 'resume', 'rollback'])
      await api.refused('ROLLOUT_TRANSITION_REFUSED', 409, 'POST', `/price-rollouts/${id}/${path}`, { reason });
    expect(await api.all('/findings?code=PRICE_CORRECTION_OFFERED')).toEqual([]);
  });
});

describe('a member', () => {
  test('is told whether, since when and why', async () => {
    const id = await scene.begun({ effective_from: '2024-02-01' });
    const of = (customer: string, at: string): Promise<Json> =>
      api.expect(200, 'GET', `/price-rollouts/${id}/customers/${customer}?at=${at}`);
    expect(await of('cust_1', '2024-02-01T00:00:00Z')).toEqual({
      rollout_id: id,
      customer_id: 'cust_1',
      at: '2024-02-01T00:00:00.000000Z',
      included: true,
      version: 'v2',
      reason: 'TARGETING_MATCH',
      since: '2024-02-01T00:00:00.000000Z',
      until: null,
      stage: 1,
      bucket: bucketOf(id, 'cust_1'),
    });
    expect(await of('cust_1', '2024-01-31T23:00:00Z')).toMatchObject({
      ...{ included: false, version: 'v1', reason: 'DEFAULT', since: '2024-02-01T00:00:00.000000Z' },
    });
    expect(await of('cust_2', '2024-02-01T00:00:00Z')).toMatchObject({
      ...{ included: false, version: 'v1', reason: 'DEFAULT', since: null, stage: null },
    });
    await api.refused('UNKNOWN_CUSTOMER', 404, 'GET', `/price-rollouts/${id}/customers/nobody`);
  });
});

test('two rollouts of one price book at once: one begins', async () => {
  await api.expect(201, 'POST', '/price-books', candidate({ version: 'v3' }));
  const answers = await Promise.all(
    ['v2', 'v3'].map((version) =>
      api.send('POST', '/price-rollouts', start({ price_book: { code: 'standard', version } })),
    ),
  );
  expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 409]);
  expect(await api.all('/price-rollouts')).toHaveLength(1);
});
