/** `reckoner explain` on what the API really answers: an invoice, its correction, and the charges in between. */
import { cli } from '../cli/support/stub-api.js';
import type { CliRun } from '../cli/support/stub-api.js';
import { daysIn, readArithmetic } from '../support/explained.js';
import { callEvent, exampleCalls, TestApi } from './support/test-api.js';

let api: TestApi;
let url: string;
beforeAll(async () => {
  api = await TestApi.start();
  url = await api.app.listen({ port: 0, host: '127.0.0.1' });
  await api.setUpExample();
  await api.expect(202, 'POST', '/events', exampleCalls());
  await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');
});
afterAll(() => api.close());

const run = (...args: string[]): Promise<CliRun> => cli([...args, '--url', url]);

test('a line of an invoice, by its number: usage by day, price, arithmetic, the line, and the check of all of it', async () => {
  const { code, out, err } = await run('explain', 'INV-000001', '--verify');
  expect({ code, err }).toEqual({
    code: 0,
    err: expect.stringMatching(/^All its events: reckoner charges events \S+\n$/),
  });
  expect(readArithmetic(out)).toEqual({ together: '118.72', total: expect.anything() });
  expect(out).toMatch(
    / {2}1000 × 0\.10 = 100\.00 {3}tier up to 1000\n {2}234 × 0\.08 {2}= {2}18\.72 {3}tier above 1000/,
  );
  expect(out).toContain('Price book      standard, version v1\nIn force since  1 January 2024, 00:00 (UTC)\n');
  expect(out).toContain(
    '1234 of "api_calls", from 1234 events, between 15 January 2024, 10:00 and 15 January 2024, 11:00.',
  );
  expect(daysIn(out)).toEqual([{ n: 1234n, d: 1n }]);
  expect(out).toContain('On invoice INV-000001, line 1');
  expect(out.split('\n').filter((line) => line.length > 100)).toEqual([]);
});

test('the charge of it, its events as the text says to list them, and JSON as the API answers', async () => {
  const invoice = await api.expect(200, 'GET', '/invoices/INV-000001');
  const [line] = invoice['lines'] as readonly { readonly charge_ids: readonly string[] }[];
  const id = line?.charge_ids[0] ?? '';
  const text = await run('explain', id);
  const [, ...command] = /All its events: (reckoner) (.*)/.exec(text.err)?.[2]?.split(' ') ?? [];
  const events = await run('charges', ...command, '--limit', '3');
  expect(events.code).toBe(0);
  expect(events.out).toMatch(/e1.*\n.*e2.*\n.*e3/);
  expect(events.err).toContain('More: repeat with --cursor');
  expect(JSON.parse((await run('explain', id, '--json')).out)).toEqual(await api.expect(200, 'GET', `/charges/${id}`));
});

test('nothing there, and a line that is not there', async () => {
  expect((await run('explain', '00000000-0000-4000-8000-000000000000')).err).toContain(
    'there is no charge with the id',
  );
  expect((await run('explain', 'INV-000001', '--line', '7')).err).toContain('has no line 7');
});

test('usage that came later, and is not billed yet, changes no explanation', async () => {
  const before = (await run('explain', 'INV-000001')).out;
  await api.expect(202, 'POST', '/events', [callEvent('late', { event_time: '2024-01-20T00:00:00Z' })]);
  expect((await run('explain', 'INV-000001')).out).toBe(before);
});
