/** Corrections as the API shows them: asked for, issued, verified; and every way to ask for nothing. */
import { as, Corrections, scopeOf } from './support/corrections.js';
import { callEvent, exampleCustomer, examplePriceBook, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
let corrections: Corrections;

const flat = (version: string, price: string, more: Json = {}): Json => ({
  ...examplePriceBook,
  version,
  prices: [{ meter: 'api_calls', model: 'flat', unit_price: price }],
  ...more,
});

beforeAll(async () => {
  api = await TestApi.start();
  corrections = new Corrections(api);
  await api.setUpExample();
});
afterAll(async () => {
  await api.close();
});

describe('a correction', () => {
  let originalId: string;
  let asked: Json;

  beforeAll(async () => {
    originalId = await corrections.invoiced('late');
    await corrections.late('late', 'late-1');
    asked = await corrections.reRate({ reason: 'late_usage', scope: scopeOf('late') });
  });

  test('is asked for with a scope and a reason, and shows what it did', async () => {
    expect(asked).toMatchObject({
      re_rating_id: expect.any(String),
      workflow_id: `re-rating/${String(asked['re_rating_id'])}`,
      reason: 'late_usage',
      scope: { customer_ids: ['late'], meters: null, from: null, to: null },
      price_book: null,
      dry_run: false,
      requested_by: 'ada',
      periods: 1,
    });
    expect(api.temporal.reRatings.at(-1)).toEqual({
      workflowId: asked['workflow_id'],
      about: { customerId: 'late', period: '2024-01-01' },
      signal: false,
    });
    expect(await corrections.get(asked)).toMatchObject({
      status: 'completed',
      attempt: 1,
      differences: [
        {
          customer_id: 'late',
          period: '2024-01-01',
          meter: 'api_calls',
          group: {},
          original_amount: '1.00',
          corrected_amount: '1.10',
          difference: '0.10',
          currency: 'USD',
        },
      ],
      differences_truncated: false,
      corrections: [expect.any(String)],
      held: [],
      decisions: [],
    });
    expect(await api.all(`/re-ratings/${String(asked['re_rating_id'])}/differences`)).toHaveLength(1);
  });

  test('is a document of its own, linked both ways, in the journal and as PDF', async () => {
    const [id] = (await corrections.get(asked))['corrections'] as readonly string[];
    const correction = await api.expect(200, 'GET', `/invoices/${String(id)}`);
    expect(correction).toMatchObject({
      type: 'correction',
      corrects_invoice_id: originalId,
      total: '0.10',
      lines: [{ original_amount: '1.00', corrected_amount: '1.10', amount: '0.10', reason: 'late_usage' }],
    });
    expect(await api.expect(200, 'GET', '/billing-periods/late/2024-01')).toMatchObject({
      stage: 'invoiced',
      invoice_id: originalId,
      corrections: [id],
    });
    expect(await api.all('/invoices?customer_id=late&period=2024-01')).toHaveLength(2);
    expect(await api.all(`/ledger/entries?invoice_id=${String(id)}`)).toHaveLength(1);
    const [first, second] = [
      await api.send('GET', `/invoices/${String(id)}/pdf`),
      await api.send('GET', `/invoices/${String(id)}/pdf`),
    ];
    expect([first.statusCode, second.rawPayload.equals(first.rawPayload)]).toEqual([200, true]);
  });

  test('bills the late event, and the original still bills the others', async () => {
    const [id] = (await corrections.get(asked))['corrections'] as readonly string[];
    const billedBy = async (event: string): Promise<unknown> => {
      const { metering } = await api.expect(200, 'GET', `/events/late/${event}`);
      return (metering as readonly { readonly invoice: Json | null }[])[0]?.invoice?.['invoice_id'];
    };
    expect([await billedBy('e1'), await billedBy('late-1')]).toEqual([originalId, id]);
  });

  test('and its original verify to the digit', async () => {
    const [id] = (await corrections.get(asked))['corrections'] as readonly string[];
    expect(await api.expect(200, 'GET', `/invoices/${String(id)}/verify`)).toMatchObject({
      verified: true,
      lines: [{ meter: 'api_calls', expected: '0.10', found: '0.10', difference: '0.00', found_quantity: '11' }],
      total: { expected: '0.10', found: '0.10', difference: '0.00' },
      charges: [{ verified: true }],
      document_hash: { verified: true },
      journal: { verified: true },
      problems: [],
    });
    expect(await api.expect(200, 'GET', `/invoices/${originalId}/verify`)).toMatchObject({
      verified: true,
      total: { expected: '1.00', found: '1.00' },
    });
    await api.refused('INVOICE_NOT_FOUND', 404, 'GET', '/invoices/INV-999999/verify');
  });

  test('of unchanged facts makes no document', async () => {
    const again = await corrections.reRate({ reason: 'manual', scope: scopeOf('late') });
    expect(await corrections.get(again)).toMatchObject({ status: 'no_difference', differences: [], corrections: [] });
    expect(await api.all('/invoices?customer_id=late')).toHaveLength(2);
  });

  test('downward is a credit note', async () => {
    await api.expect(202, 'POST', '/event-adjustments', { customer_id: 'late', event_id: 'e1', type: 'void' });
    const down = await corrections.get(
      await corrections.reRate({ reason: 'usage_correction', scope: scopeOf('late') }),
    );
    expect(down).toMatchObject({ status: 'completed', differences: [{ difference: '-0.10' }] });
    const [id] = down['corrections'] as readonly string[];
    expect(await api.expect(200, 'GET', `/invoices/${String(id)}`)).toMatchObject({
      type: 'credit_note',
      total: '-0.10',
    });
    expect(await api.expect(200, 'GET', `/invoices/${String(id)}/verify`)).toMatchObject({ verified: true });
  });

  test('lists find credit notes of corrections as corrections too', async () => {
    const found = await api.all('/invoices?customer_id=late&type=correction');
    expect(found.map(({ type }) => type).sort()).toEqual(['correction', 'credit_note']);
    expect(await api.all('/invoices?customer_id=late&type=credit_note')).toHaveLength(1);
  });

  test('is priced by the version that it names', async () => {
    const code = 'repricing';
    await api.expect(201, 'POST', '/price-books', flat('v1', '0.10', { code }));
    await corrections.invoiced('repriced', { price_book: code });
    await api.expect(201, 'POST', '/price-books', flat('v1-corrected', '0.05', { code }));
    const body = {
      reason: 'price_correction',
      scope: scopeOf('repriced'),
      price_book: { code, version: 'v1-corrected' },
    };
    const dry = await corrections.get(await corrections.reRate({ ...body, dry_run: true }));
    expect(dry).toMatchObject({
      status: 'completed',
      dry_run: true,
      price_book: body.price_book,
      differences: [{ original_amount: '1.00', corrected_amount: '0.50', difference: '-0.50' }],
      corrections: [],
    });
    expect(await corrections.get(await corrections.reRate(body))).toMatchObject({
      status: 'completed',
      corrections: [expect.any(String)],
    });
    const usage = await api.expect(200, 'GET', '/customers/repriced/usage?period=2024-01');
    expect(usage).toMatchObject({ finality: 'final', cost: { total: '0.50' } });
  });

  test('lists tell re-ratings by customer, status and reason', async () => {
    const mine = await api.all('/re-ratings?customer_id=late&limit=1');
    expect(mine.map(({ reason }) => reason)).toEqual(['usage_correction', 'manual', 'late_usage']);
    expect(await api.all('/re-ratings?customer_id=late&status=no_difference')).toMatchObject([{ reason: 'manual' }]);
    expect(await api.all('/re-ratings?customer_id=late&reason=late_usage')).toHaveLength(1);
    await api.refused('UNKNOWN_RE_RATING_REASON', 422, 'GET', '/re-ratings?reason=whim');
    await api.refused('VALIDATION_FAILED', 422, 'GET', '/re-ratings?status=done');
    await api.refused('RE_RATING_NOT_FOUND', 404, 'GET', '/re-ratings/nonsense');
    await api.refused(
      'RE_RATING_NOT_FOUND',
      404,
      'GET',
      '/re-ratings/00000000-0000-4000-8000-000000000000/differences',
    );
  });
});

describe('what is refused', () => {
  beforeAll(async () => {
    await corrections.invoiced('refusals');
    await api.expect(201, 'PUT', '/customers/fresh', exampleCustomer);
    await api.expect(202, 'POST', '/events', callEvent('fresh-1', { customer_id: 'fresh' }));
    await api.expect(200, 'GET', '/billing-periods/fresh/2024-01');
    await api.expect(201, 'POST', '/price-books', flat('feb', '1', { effective_from: '2024-02-01' }));
    await api.expect(201, 'POST', '/price-books', flat('v9', '1', { effective_from: '2024-06-01' }));
    await api.expect(
      201,
      'POST',
      '/price-books',
      flat('v0', '1', { effective_from: '2023-01-01T00:00:00Z', effective_until: '2023-02-01T00:00:00Z' }),
    );
    await api.expect(201, 'POST', '/price-books', { ...flat('e1', '1'), code: 'euro', currency: 'EUR' });
    await api.expect(201, 'POST', '/price-books', { ...flat('u1', '1'), code: 'unused' });
  });

  const scope = scopeOf('refusals');
  const named = (version: string, code = 'standard'): Json => ({
    reason: 'price_correction',
    scope,
    price_book: { code, version },
  });

  test.each<[string, Json, string, number, string | null]>([
    ['no reason', { scope }, 'VALIDATION_FAILED', 422, '/reason'],
    ['an unknown reason', { reason: 'whim', scope }, 'UNKNOWN_RE_RATING_REASON', 422, '/reason'],
    ['no scope', { reason: 'manual' }, 'EMPTY_RE_RATING_SCOPE', 422, '/scope'],
    ['an empty scope', { reason: 'manual', scope: {} }, 'EMPTY_RE_RATING_SCOPE', 422, '/scope'],
    [
      'a scope of nulls',
      { reason: 'manual', scope: { meters: null, from: null } },
      'EMPTY_RE_RATING_SCOPE',
      422,
      '/scope',
    ],
    ['no customers', { reason: 'manual', scope: { customer_ids: [] } }, 'EMPTY_RE_RATING_SCOPE', 422, '/scope'],
    [
      'an unknown customer',
      { reason: 'manual', scope: { customer_ids: ['refusals', 'nobody'] } },
      'UNKNOWN_CUSTOMER',
      422,
      '/scope/customer_ids/1',
    ],
    [
      'an unknown meter',
      { reason: 'manual', scope: { meters: ['api_calls', 'none'] } },
      'UNKNOWN_METER',
      422,
      '/scope/meters/1',
    ],
    ['an unknown part', { reason: 'manual', scope: { period: '2024-01' } }, 'UNKNOWN_PROPERTY', 422, '/scope/period'],
    [
      'a day for an instant',
      { reason: 'manual', scope: { from: '2024-01-01' } },
      'INVALID_INSTANT',
      422,
      '/scope/from',
    ],
    [
      'an interval the wrong way round',
      { reason: 'manual', scope: { from: '2024-02-01T00:00:00Z', to: '2024-02-01T00:00:00Z' } },
      'VALIDATION_FAILED',
      422,
      '/scope/to',
    ],
    [
      'an interval without invoices',
      { reason: 'manual', scope: { to: '2020-01-01T00:00:00Z' } },
      'NOTHING_TO_RE_RATE',
      422,
      '/scope',
    ],
    [
      'a period that is not invoiced',
      { reason: 'manual', scope: scopeOf('fresh') },
      'PERIOD_NOT_INVOICED',
      409,
      '/scope',
    ],
    ['an unknown price book', named('v1', 'none'), 'UNKNOWN_PRICE_BOOK', 422, '/price_book/code'],
    ['an unknown version', named('none'), 'UNKNOWN_PRICE_BOOK', 422, '/price_book/version'],
    ['a version that begins later', named('v9'), 'PRICE_BOOK_NOT_IN_FORCE', 422, '/price_book'],
    ['a version that begins as the period ends', named('feb'), 'PRICE_BOOK_NOT_IN_FORCE', 422, '/price_book'],
    ['a version that has ended', named('v0'), 'PRICE_BOOK_NOT_IN_FORCE', 422, '/price_book'],
    ['a price book in another currency', named('e1', 'euro'), 'CURRENCY_MISMATCH', 422, '/price_book/code'],
    [
      'a price book that priced nothing',
      { ...named('u1', 'unused'), scope: { meters: ['api_calls'] } },
      'PRICE_BOOK_NOT_IN_FORCE',
      422,
      '/price_book',
    ],
    ['a price book for late usage', { ...named('v1'), reason: 'late_usage' }, 'VALIDATION_FAILED', 422, '/price_book'],
    ['a text for dry_run', { reason: 'manual', scope, dry_run: 'true' }, 'VALIDATION_FAILED', 422, '/dry_run'],
  ])('%s', async (_name, body, code, status, pointer) => {
    const before = api.temporal.reRatings.length;
    const problem = await api.refused(code, status, 'POST', '/re-ratings', body);
    expect(problem['errors']).toMatchObject([{ pointer, code }]);
    expect(api.temporal.reRatings).toHaveLength(before);
  });

  test('somebody with a name of the program itself', async () => {
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/re-ratings', { reason: 'manual', scope }, as('reckoner'));
  });
});
