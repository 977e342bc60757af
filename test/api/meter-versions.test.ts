/** POST /meters: what a version with `effective_from` may say otherwise than the ones before it (RULES 62), and how much one may say. */
import { TestApi } from './support/test-api.js';

let api: TestApi;
beforeAll(async () => {
  api = await TestApi.start();
});
afterAll(() => api.close());

test('one that does not add up keeps what it reads in every version; what is read of it may be grouped otherwise', async () => {
  const reads = { event_type: 'reading', value_property: 'gb', filters: { tier: ['a', 'b'] } };
  const later = { effective_from: '2024-03-01' };
  for (const aggregation of ['min', 'max', 'latest', 'unique_count', 'weighted_sum', 'sum']) {
    const body = { ...reads, code: `versions-of-${aggregation}`, aggregation };
    await api.expect(201, 'POST', '/meters', body);
    const others = {
      event_type: { ...body, ...later, event_type: 'renamed' },
      value_property: { ...body, ...later, value_property: 'gib' },
      ...(aggregation === 'weighted_sum' && { filters: { ...body, ...later, filters: { tier: ['a'] } } }),
    };
    for (const [property, other] of aggregation === 'sum' ? [] : Object.entries(others)) {
      const { errors } = await api.refused('INCOMPATIBLE_METER_VERSION', 409, 'POST', '/meters', other);
      expect(errors).toEqual([
        { pointer: `/${property}`, code: 'INCOMPATIBLE_METER_VERSION', detail: expect.stringContaining('new meter') },
      ]);
    }
    const filters = aggregation === 'weighted_sum' ? { tier: ['b', 'a'] } : {};
    const regrouped = { ...body, ...later, filters, group_by: ['region'], allowed_lateness: 'PT0S', max_groups: 5 };
    expect(await api.expect(201, 'POST', '/meters', regrouped)).toMatchObject({ version: 2 });
    if (aggregation === 'sum') await api.expect(201, 'POST', '/meters', others.value_property);
  }
});

test('a meter filters by 16 properties and groups by 16, and by no more', async () => {
  const names = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `p${index}`);
  const filters = (count: number): object => Object.fromEntries(names(count).map((name) => [name, ['a']]));
  const body = { code: 'widest', event_type: 'e', aggregation: 'count', group_by: names(16), filters: filters(16) };
  expect(await api.expect(201, 'POST', '/meters', body)).toMatchObject({ filters: filters(16) });
  for (const [pointer, more] of [
    ['/filters', { filters: filters(17) }],
    ['/group_by', { group_by: names(17) }],
  ] as const) {
    const problem = await api.refused('VALIDATION_FAILED', 422, 'POST', '/meters', { ...body, code: 'wider', ...more });
    expect(problem['errors']).toMatchObject([{ pointer, code: 'VALIDATION_FAILED' }]);
  }
});
