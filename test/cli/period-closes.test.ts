import { stubOfEachTest } from './support/stub-api.js';
import type { CliRun } from './support/stub-api.js';

const api = stubOfEachTest();
const { paths } = api;

const run = (...args: string[]): Promise<CliRun> => api.run('periods', ...args);

const counts = { planned: 3, not_ready: 0, requested: 3, left: 0, issued: 0, held: 0, skipped: 0, already_invoiced: 0 };
const close = {
  ...{ close_id: 'c-1', workflow_id: 'period-close/c-1', status: 'invoicing', billing_day: '2024-02-01' },
  ...{ requested_by: 'ada', requested_at: '2024-02-01T08:00:00Z', planned_at: null, cancellation: null },
  scope: { period: '2024-01-01', ended_on: null, customer_ids: null, legal_entity: 'acme-de' },
  progress: { ...counts, remaining: 3 },
};
const done = { ...close, status: 'finished', progress: { ...counts, issued: 3, remaining: 0 } };

it('close-all follows the close until everything is decided', async () => {
  let looks = 0;
  api.answer(({ method }) => ({ body: method === 'POST' || (looks += 1) < 2 ? close : done }));
  const { code, out } = await run('close-all', '--period', '2024-01', '--customer', 'a', '--customer', 'b');
  expect(code).toBe(0);
  expect(out).toMatch(
    /Periods +2024-01-01, of acme-de[\s\S]*Planned +3 \(and 0 not ready\)[\s\S]*Issued +3[\s\S]*Remaining +0/,
  );
  expect(paths()).toEqual(['POST /period-closes', 'GET /period-closes/c-1', 'GET /period-closes/c-1']);
  expect(JSON.parse(api.requests[0]?.body ?? '')).toEqual({ period: '2024-01', customer_ids: ['a', 'b'] });
  expect(api.requests[0]?.headers['idempotency-key']).toMatch(/./);
});

it('close-all tells what was not ready and why, and fails where something is held', async () => {
  const partly = { ...done, progress: { ...counts, issued: 2, held: 1, not_ready: 1, remaining: 0 } };
  const target = { customer_id: 'late', period: '2024-01-01', state: 'not_ready', reason: 'backfill_open' };
  api.answer(({ path }) => ({ body: path.includes('/targets') ? { data: [target] } : partly }));
  const { code, out, err } = await run('close-all', '--ended-on', '2024-01-31', '--legal-entity', 'acme-de');
  expect(code).not.toBe(0);
  expect(out).toMatch(/late.*2024-01-01.*backfill_open/);
  expect(err).toContain('1 held');
  expect(JSON.parse(api.requests[0]?.body ?? '')).toEqual({ ended_on: '2024-01-31', legal_entity: 'acme-de' });
});

it('close-all needs one of --period and --ended-on, and says where a close that goes on is seen', async () => {
  expect(await run('close-all')).toMatchObject({ code: 2, err: expect.stringContaining('--period or --ended-on') });
  expect(await run('close-all', '--period', '2024-01', '--ended-on', '2024-01-31')).toMatchObject({ code: 2 });
  api.answer(() => ({ body: close }));
  const { code, err } = await run('close-all', '--period', '2024-01', '--wait', '0');
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('still invoicing after 0 s') });
});

it('close-all that planned nothing says on stderr which periods there are, and that is no failure', async () => {
  const hint =
    'No period of these customers ends on 2024-02-01, its last day. Periods near it: 2024-01-01 to 2024-01-31 (7).';
  const none = { ...counts, planned: 0, requested: 0, issued: 0, remaining: 0 };
  api.answer(() => ({ body: { ...done, progress: none, hint } }));
  expect(await run('close-all', '--ended-on', '2024-02-01')).toMatchObject({ code: 0, err: `${hint}\n` });
});

it('closes are listed, shown and cancelled', async () => {
  api.answer(({ path }) => ({ body: path === '/period-closes' ? { data: [close], next_cursor: null } : close }));
  expect((await run('closes')).out).toMatch(/2024-02-01T08:00:00Z.*ada.*2024-01-01, of acme-de.*invoicing.*c-1/);
  expect((await run('closes', 'show', 'c-1')).out).toMatch(/Handed over +3 \(0 left\)/);
  await run('closes', 'cancel', 'c-1', '--reason', 'too early');
  expect(paths()).toEqual(['GET /period-closes', 'GET /period-closes/c-1', 'POST /period-closes/c-1/cancel']);
  expect(JSON.parse(api.requests[2]?.body ?? '')).toEqual({ reason: 'too early' });
});
