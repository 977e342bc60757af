/** What operators look at: lists of all customers, tables of a terminal's width, and what is said where there is nothing. */
import { cli, startStubApi } from './support/stub-api.js';
import type { CliRun, StubApi } from './support/stub-api.js';

let api: StubApi;

beforeEach(async () => {
  api = await startStubApi();
});
afterEach(async () => {
  await api.close();
});

const run = (...args: string[]): Promise<CliRun> => cli([...args, '--url', api.url]);

test('periods list --stage shows what waits at all customers, and for what', async () => {
  const days = { from: '2023-12-31T23:00:00.000000Z', to: '2024-01-31T23:00:00.000000Z', time_zone: 'Europe/Berlin' };
  const waits_for = ['UNPRICED_METER', 'UNPRICED_METER', 'DRAFT'].map((code) => ({ code, detail: 'd', id: 'f' }));
  const period = { customer_id: 'cust_9', period: '2024-01-01', ...days, stage: 'held', corrections: [], waits_for };
  api.answer(() => ({ body: { data: [period], next_cursor: null } }));
  const list = await run('periods', 'list', '--stage', 'held');
  expect(api.requests[0]?.query).toMatchObject({ stage: 'held' });
  expect(api.requests[0]?.query).not.toHaveProperty('customer_id');
  expect(list.out).toMatch(/cust_9.*2024-01-01 to 2024-01-31.*held.*UNPRICED_METER, DRAFT/);
  expect(await run('periods', 'list')).toMatchObject({ code: 2 });
  expect(await run('periods', 'list', '--stage', 'late')).toMatchObject({ code: 2 });
});
