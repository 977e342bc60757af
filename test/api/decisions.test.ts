/** Who decides about corrections: approval with four eyes, a repeated request, a voided invoice. */
import { as, Corrections, scopeOf } from './support/corrections.js';
import { TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
let corrections: Corrections;

beforeAll(async () => {
  api = await TestApi.start();
  corrections = new Corrections(api);
  await api.setUpExample();
});
afterAll(async () => {
  await api.close();
});

describe('approval', () => {
  /** A re-rating that waits: its customer wants to see every difference. */
  async function waiting(customerId: string, requester = 'ada'): Promise<Json> {
    await corrections.invoiced(customerId, { approval_threshold: '0' });
    await corrections.late(customerId, `${customerId}-late`);
    const asked = await corrections.reRate({ reason: 'late_usage', scope: scopeOf(customerId) }, as(requester));
    const shown = await corrections.get(asked);
    expect(shown).toMatchObject({
      status: 'awaiting_approval',
      needs_approval: [{ customer_id: customerId, period: '2024-01-01', difference: '0.10', currency: 'USD' }],
      corrections: [],
    });
    return shown;
  }
  const path = (reRating: Json, decision: string): string =>
    `/re-ratings/${String(reRating['re_rating_id'])}/${decision}`;

  test('nobody approves their own; another one does, once', async () => {
    const asked = await waiting('four-eyes');
    await api.refused('OWN_RE_RATING', 403, 'POST', path(asked, 'approve'), undefined, as('ada'));
    const approved = await api.expect(202, 'POST', path(asked, 'approve'), { reason: 'seen' }, as('bob'));
    expect(approved).toMatchObject({ re_rating_id: asked['re_rating_id'] });
    expect(api.temporal.reRatings.at(-1)).toEqual({
      workflowId: asked['workflow_id'],
      about: { customerId: 'four-eyes', period: '2024-01-01' },
      signal: true,
    });
    expect(await corrections.get(asked)).toMatchObject({
      status: 'completed',
      decisions: [{ attempt: 1, decision: 'approved', decided_by: 'bob', reason: 'seen' }],
      corrections: [expect.any(String)],
    });
    await api.refused('RE_RATING_ALREADY_DECIDED', 409, 'POST', path(asked, 'approve'), undefined, as('bob'));
    await api.refused('RE_RATING_ALREADY_DECIDED', 409, 'POST', path(asked, 'reject'), undefined, as('carol'));
  });

  test('anonymous does not approve what anonymous asked for', async () => {
    await corrections.invoiced('nameless', { approval_threshold: '0' });
    await corrections.late('nameless', 'nameless-late');
    const asked = await api.expect(202, 'POST', '/re-ratings', { reason: 'late_usage', scope: scopeOf('nameless') });
    expect(asked).toMatchObject({ requested_by: 'anonymous' });
    await api.refused('OWN_RE_RATING', 403, 'POST', path(asked, 'approve'));
    expect(
      await api.expect(202, 'POST', path(asked, 'approve'), undefined, { authorization: 'Bearer k' }),
    ).toMatchObject({
      decisions: [{ decided_by: expect.stringMatching(/^key:/) }],
    });
  });

  test('rejecting ends it, also one’s own; the facts stay very late', async () => {
    const asked = await waiting('rejected');
    expect(await api.expect(202, 'POST', path(asked, 'reject'), { reason: 'no' }, as('ada'))).toMatchObject({
      status: 'rejected',
      decisions: [{ decision: 'rejected', decided_by: 'ada', reason: 'no' }],
      corrections: [],
    });
    expect(await api.all('/invoices?customer_id=rejected')).toHaveLength(1);
    expect(await api.expect(200, 'GET', '/customers/rejected/usage?period=2024-01')).toMatchObject({
      finality: 'estimated',
    });
    await api.refused('RE_RATING_ALREADY_DECIDED', 409, 'POST', path(asked, 'approve'), undefined, as('bob'));
  });

  test('what does not wait cannot be decided', async () => {
    await corrections.invoiced('unasked');
    await corrections.late('unasked', 'unasked-late');
    const asked = await corrections.reRate({ reason: 'late_usage', scope: scopeOf('unasked') });
    await api.refused('RE_RATING_NOT_AWAITING_APPROVAL', 409, 'POST', path(asked, 'approve'), undefined, as('bob'));
    await api.refused('RE_RATING_NOT_AWAITING_APPROVAL', 409, 'POST', path(asked, 'reject'), undefined, as('bob'));
    await api.refused('RE_RATING_NOT_FOUND', 404, 'POST', '/re-ratings/nothing/approve', undefined, as('bob'));
    await api.refused('UNKNOWN_PROPERTY', 422, 'POST', path(asked, 'approve'), { note: 'x' }, as('bob'));
  });

  test('with Temporal away the decision is stored; repeating it tells the workflow again', async () => {
    const asked = await waiting('away');
    api.temporal.away = true;
    const refused = await api.refused(
      'TEMPORAL_UNAVAILABLE',
      503,
      'POST',
      path(asked, 'approve'),
      undefined,
      as('bob', 'decide-1'),
    );
    expect(refused['detail']).toContain('stored');
    await api.refused('RE_RATING_ALREADY_DECIDED', 409, 'POST', path(asked, 'reject'), undefined, as('carol'));
    api.temporal.away = false;
    await api.expect(202, 'POST', path(asked, 'approve'), undefined, as('bob', 'decide-1'));
    expect(await corrections.get(asked)).toMatchObject({ status: 'completed', decisions: [{ decided_by: 'bob' }] });
  });
});

describe('with Temporal away', () => {
  test('the re-rating is stored, and the same key starts it', async () => {
    await corrections.invoiced('unstarted');
    await corrections.late('unstarted', 'unstarted-late');
    const send = () =>
      api.send('POST', '/re-ratings', { reason: 'late_usage', scope: scopeOf('unstarted') }, as('ada', 'again-1'));
    api.temporal.away = true;
    const refused = await send();
    expect([refused.statusCode, refused.json<Json>()['code']]).toEqual([503, 'TEMPORAL_UNAVAILABLE']);
    const [stored] = await api.all('/re-ratings?customer_id=unstarted');
    expect(stored).toMatchObject({ status: 'comparing', requested_by: 'ada' });
    expect(refused.json<Json>()['detail']).toContain(String(stored?.['re_rating_id']));
    api.temporal.away = false;
    const again = await send();
    expect([again.statusCode, again.json<Json>()['re_rating_id']]).toEqual([202, stored?.['re_rating_id']]);
    expect(await corrections.get(again.json())).toMatchObject({ status: 'completed' });
    expect(await api.all('/re-ratings?customer_id=unstarted')).toHaveLength(1);
  });
});

describe('voiding', () => {
  test('takes an invoice and its corrections back together; closing again replaces it', async () => {
    const originalId = await corrections.invoiced('voided');
    await corrections.late('voided', 'voided-late');
    const asked = await corrections.get(await corrections.reRate({ reason: 'late_usage', scope: scopeOf('voided') }));
    const [correctionId] = asked['corrections'] as readonly string[];
    const voiding = (id: string, body: unknown = { reason: 'wrong customer' }) =>
      ['POST', `/invoices/${id}/void`, body, as('ada')] as const;
    await api.refused('VALIDATION_FAILED', 422, ...voiding(originalId, {}));
    await api.refused('VALIDATION_FAILED', 422, ...voiding(String(correctionId)));
    await api.refused('INVOICE_NOT_FOUND', 404, ...voiding('INV-999999'));
    expect(await api.expect(200, ...voiding(originalId))).toMatchObject({ invoice_id: originalId, status: 'void' });
    expect(await api.expect(200, 'GET', `/invoices/${String(correctionId)}`)).toMatchObject({ status: 'void' });
    await api.refused('INVOICE_VOID', 409, ...voiding(originalId));
    await api.refused('INVOICE_VOID', 409, 'POST', '/re-ratings', { reason: 'manual', scope: scopeOf('voided') });
    expect(await api.expect(200, 'GET', '/billing-periods/voided/2024-01')).toMatchObject({
      stage: 'void',
      invoice_id: null,
      corrections: [],
    });
    expect(await api.expect(200, 'GET', `/invoices/${originalId}/verify`)).toMatchObject({
      status: 'void',
      verified: true,
    });

    const closed = await api.expect(202, 'POST', '/billing-periods/voided/2024-01/close');
    expect(closed).toMatchObject({ stage: 'invoiced', invoice_id: expect.any(String), corrections: [] });
    expect(closed['invoice_id']).not.toBe(originalId);
    expect(await api.expect(200, 'GET', `/invoices/${String(closed['invoice_id'])}`)).toMatchObject({
      total: '1.10',
      type: 'invoice',
    });
    expect(await api.expect(200, 'GET', `/invoices/${String(closed['invoice_id'])}/verify`)).toMatchObject({
      verified: true,
    });
    expect((await api.send('GET', `/invoices/${String(closed['invoice_id'])}/pdf`)).statusCode).toBe(200);
  });
});
