/** Widening a rollout over HTTP: what is compared before, by how much, in which order, and two at once (RULES 42). */
import { bucketOf } from '../../src/billing/price-rollouts.js';
import { book, january, reason, RolloutScene } from './support/rollout-scene.js';
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

describe('a widening', () => {
  test('by percentage and for all needs a finished comparison of the members since the last stage', async () => {
    for (const customer of ['cust_1', 'cust_2']) await scene.use(customer);
    const id = await scene.begun();
    const percent = { kind: 'percentage', percentage: '50', reason, effective_from: january };
    const first = await api.refused('ROLLOUT_NOT_COMPARED', 409, 'POST', `/price-rollouts/${id}/stages`, percent);
    expect(first['detail']).toContain(`/price-rollouts/${id}/comparison`);
    // Further canaries are named by somebody, who needs no comparison.
    await api.expect(201, 'PUT', '/customers/cust_3', exampleCustomer);
    await scene.use('cust_3', 20);
    expect(await scene.stage(id, { kind: 'canary', customers: ['cust_3'] })).toMatchObject({ members: 2 });

    let finish: () => void = () => undefined;
    const evaluate = api.temporal.onEvaluation;
    api.temporal.onEvaluation = (evaluationId) => {
      finish = () => void evaluate(evaluationId);
      return Promise.resolve();
    };
    expect(await scene.compare(id)).toMatchObject({ status: 'running', stage: 2, customers: 2 });
    const running = await api.refused('ROLLOUT_NOT_COMPARED', 409, 'POST', `/price-rollouts/${id}/stages`, percent);
    expect(running['detail']).toContain('still running');
    finish();
    api.temporal.onEvaluation = evaluate;
    const { evaluation_id: evaluationId } = await scene.compare(id);

    // Without the candidate 1.00 and 2.00; under it 2.00 and 4.00, though it is what they pay at present.
    const compared = await api.expect(200, 'GET', `/price-rollouts/${id}`);
    expect(compared['comparison']).toMatchObject({
      evaluation_id: evaluationId,
      status: 'finished',
      totals: [{ currency: 'USD', customers: 2, current: '3.00', evaluated: '6.00', winners: 0, losers: 2 }],
    });
    const widened = await scene.stage(id, percent);
    expect(widened).toMatchObject({ state: 'percentage', comparison: null });
    expect((widened['stages'] as Json[])[2]).toMatchObject({
      kind: 'percentage',
      percentage: '50',
      evaluation_id: evaluationId,
      override: false,
    });
    const all = { kind: 'all', reason, effective_from: january };
    await api.refused('ROLLOUT_NOT_COMPARED', 409, 'POST', `/price-rollouts/${id}/stages`, all);
    await scene.compare(id, { from: january, to: '2024-02-01T00:00:00Z' });
    expect(await scene.stage(id, all)).toMatchObject({ state: 'completed', customers: 3, members: 3 });
    expect(await scene.costOf('cust_2')).toBe('2.00');
    expect(await api.expect(200, 'GET', '/price-books/standard?at=2024-02-01T00:00:00Z')).toMatchObject({
      version: 'v2',
    });
    await api.refused('ROLLOUT_TRANSITION_REFUSED', 409, 'POST', `/price-rollouts/${id}/comparison`, {});
    await api.expect(201, 'POST', '/price-books', book('1', { version: 'v3', effective_from: '2024-05-01' }));
  });

  test('compares an invoiced month that the candidate priced with what it would have cost without it', async () => {
    await scene.use('cust_1');
    const id = await scene.begun();
    await scene.close('cust_1');
    await scene.compare(id);
    expect((await api.expect(200, 'GET', `/price-rollouts/${id}`))['comparison']).toMatchObject({
      totals: [{ current: '1.00', evaluated: '2.00', losers: 1 }],
    });
  });

  test('may be overridden, which is kept; and a comparison that compares nothing is none', async () => {
    const id = await scene.begun();
    await api.refused('NOTHING_TO_EVALUATE', 422, 'POST', `/price-rollouts/${id}/comparison`, {
      from: '2020-01-01T00:00:00Z',
      to: '2020-02-01T00:00:00Z',
    });
    // A meter that the candidate does not price: no member compares.
    await api.expect(201, 'POST', '/meters', { code: 'seats', event_type: 'seat', aggregation: 'count' });
    await api.expect(202, 'POST', '/events', [{ ...exampleCalls(1)[0], event_type: 'seat' }]);
    await scene.use('cust_1', 0);
    await scene.compare(id);
    const all = { kind: 'all', reason, effective_from: january };
    const refused = await api.refused('ROLLOUT_NOT_COMPARED', 409, 'POST', `/price-rollouts/${id}/stages`, all);
    expect(refused['detail']).toContain('Of no member');
    const widened = await scene.stage(id, { ...all, override: true });
    expect((widened['stages'] as Json[])[1]).toMatchObject({ override: true, evaluation_id: null });
  });

  test('is stable by customer: whoever is below the percentage is in, and stays in when it grows', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `member_${index}`);
    for (const id of ids) await api.expect(201, 'PUT', `/customers/${id}`, exampleCustomer);
    const id = await scene.begun();
    const membersAt = async (percentage: string): Promise<readonly string[]> => {
      await scene.stage(id, { kind: 'percentage', percentage, override: true });
      const found = await Promise.all(
        ids.map((each) => api.expect(200, 'GET', `/price-rollouts/${id}/customers/${each}?at=2024-02-01T00:00:00Z`)),
      );
      return found.filter(({ included }) => included === true).map((each) => String(each['customer_id']));
    };
    const below = (hundredths: number): readonly string[] => ids.filter((each) => bucketOf(id, each) < hundredths);
    const [some, more] = [await membersAt('20'), await membersAt('62.5')];
    expect(some).toEqual(below(2_000));
    expect(more).toEqual(below(6_250));
    expect(more).toEqual(expect.arrayContaining([...some]));
    expect(more.length).toBeGreaterThan(some.length);
    for (const percentage of ['62.5', '10'])
      await api.refused('ROLLOUT_NOT_WIDER', 422, 'POST', `/price-rollouts/${id}/stages`, {
        ...{ kind: 'percentage', percentage, reason, effective_from: january },
      });
    for (const percentage of ['100', '0', '0.00', '12.345', '-1', 'ten', 5])
      await api.refused('VALIDATION_FAILED', 422, 'POST', `/price-rollouts/${id}/stages`, {
        ...{ kind: 'percentage', percentage, reason },
      });
  });

  test('says which parts go together, and begins in order', async () => {
    const id = await scene.begun({ effective_from: '2024-02-01' });
    const refused = (body: Json): Promise<Json> =>
      api.refused('VALIDATION_FAILED', 422, 'POST', `/price-rollouts/${id}/stages`, { reason, ...body });
    await refused({ kind: 'canary' });
    await refused({ kind: 'all', customers: ['cust_2'] });
    await refused({ kind: 'percentage' });
    await refused({ kind: 'all', percentage: '5' });
    await refused({ kind: 'halt' });
    const early = await refused({ kind: 'canary', customers: ['cust_2'], effective_from: '2024-01-31' });
    expect((early['errors'] as Json[])[0]).toMatchObject({ pointer: '/effective_from' });
    await api.refused('ROLLOUT_NOT_WIDER', 422, 'POST', `/price-rollouts/${id}/stages`, {
      ...{ kind: 'canary', customers: ['cust_1'], reason },
    });
    // Left out, it begins with the next hour.
    const widened = await api.expect(200, 'POST', `/price-rollouts/${id}/stages`, {
      ...{ kind: 'canary', customers: ['cust_2'], reason },
    });
    expect((widened['stages'] as Json[])[1]).toMatchObject({ effective_from: '2024-03-10T13:00:00.000000Z' });
  });

  test('of two at once exactly one gets the place, and the other is told', async () => {
    const id = await scene.begun();
    const body = (percentage: string): Json => ({
      ...{ kind: 'percentage', percentage, reason, effective_from: january, override: true },
    });
    const answers = await Promise.all(
      ['10', '20', '30', '40'].map((each) => api.send('POST', `/price-rollouts/${id}/stages`, body(each))),
    );
    const codes = answers.map((answer) => answer.statusCode);
    const decided = (await api.expect(200, 'GET', `/price-rollouts/${id}`))['stages'] as Json[];
    expect(codes.filter((code) => code === 200)).toHaveLength(decided.length - 1);
    expect(decided.map(({ sequence }) => sequence)).toEqual(decided.map((_, index) => index + 1));
    for (const answer of answers.filter(({ statusCode }) => statusCode !== 200))
      expect(['ROLLOUT_CHANGED', 'ROLLOUT_NOT_WIDER']).toContain(answer.json<Json>()['code']);
  });
});
