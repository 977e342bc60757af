import { stubOfEachTest } from './support/stub-api.js';
import type { CliRun } from './support/stub-api.js';

const api = stubOfEachTest();
const { paths, bodyOf } = api;

const run = (...args: string[]): Promise<CliRun> => api.run('credits', ...args);

const grant = {
  grant_id: 'g1',
  customer_id: 'acme',
  type: 'prepaid',
  currency: 'USD',
  amount: '500.00',
  balance: '120.00',
  name: 'Spring',
  priority: 10,
  effective_from: '2024-03-01T00:00:00.000000Z',
  expires_at: null,
  roll_over: null,
  rolled_over_from: null,
  void: false,
  reason: null,
  granted_by: 'ada',
  granted_at: '2024-03-01T09:00:00.000000Z',
};

it('grant sends what is given, under a key of its own', async () => {
  api.answer(() => ({ status: 201, body: grant }));
  const facts = ['--customer', 'acme', '--amount', '500.00', '--currency', 'USD', '--name', 'Spring'];
  const { out } = await run('grant', ...facts);
  expect(out).toMatch(/Grant +g1[\s\S]*Left +120\.00 USD[\s\S]*Expires +never[\s\S]*by ada/);
  const ends = ['--priority', '0', '--from', '2024-03', '--expires', '2025-03-01', '--promotional'];
  await run('grant', ...facts, ...ends, '--roll-over-cap', '50', '--roll-over-validity', 'P30D', '--reason', 'a gift');
  expect(paths()).toEqual(['POST /credit-grants', 'POST /credit-grants']);
  const body = { customer_id: 'acme', type: 'prepaid', currency: 'USD', amount: '500.00', name: 'Spring' };
  expect(bodyOf(0)).toEqual(body);
  expect(bodyOf(1)).toEqual({
    ...body,
    type: 'promotional',
    priority: 0,
    effective_from: '2024-03-01T00:00:00Z',
    expires_at: '2025-03-01T00:00:00Z',
    roll_over: { cap: '50', validity: 'P30D' },
    reason: 'a gift',
  });
  const keys = api.requests.map(({ headers }) => headers['idempotency-key']);
  expect(new Set(keys).size).toBe(2);
});

it('a roll-over has both of its parts', async () => {
  const facts = ['--customer', 'acme', '--amount', '1', '--currency', 'USD', '--name', 'x'];
  expect(await run('grant', ...facts, '--roll-over-cap', '50')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--roll-over-validity'),
  });
  expect(paths()).toEqual([]);
});

it('list shows grants, of a customer where one is named', async () => {
  api.answer(() => ({ body: { data: [grant, { ...grant, grant_id: 'g2', void: true }], next_cursor: null } }));
  const { out } = await run('list', '--customer', 'acme');
  expect(out).toMatch(/acme.*Spring.*prepaid.*10.*500\.00.*120\.00.*never.*g1/);
  expect(out).toMatch(/yes.*g2/);
  expect(paths()).toEqual(['GET /credit-grants']);
  expect(api.requests[0]?.query['customer_id']).toBe('acme');
});

it('show tells all that happened to a grant', async () => {
  const at = '2024-04-01T00:00:00.000000Z';
  const draws = [
    { invoice_id: 'i1', number: 'INV-000007', entry: 'issued', amount: '380.00', at },
    { invoice_id: 'i2', number: 'INV-000008', entry: 'issued', amount: '-20.00', at },
  ];
  const expiries = [{ sequence: 1, amount: '100.00', rolled_over: '50.00', rolled_over_to: 'g9', at }];
  const voids = [{ sequence: 1, amount: '40.00', reason: 'not paid', voided_by: 'grace', at }];
  const rolled = {
    roll_over: { cap: '50.00', validity: 'P30D' },
    rolled_over_from: 'g0',
    reason: 'order 7',
    void: true,
  };
  api.answer(() => ({ body: { ...grant, ...rolled, draws, expiries, voids } }));
  const { out } = await run('show', 'g1');
  expect(out).toMatch(
    /\(void\)[\s\S]*Rolls over +50\.00 USD for P30D[\s\S]*Rolled over from +g0[\s\S]*Reason +order 7/,
  );
  expect(out).toMatch(/Drawn at.*Document.*Event/);
  expect(out).toMatch(/INV-000007.*issued.*380\.00[\s\S]*INV-000008.*-20\.00[\s\S]*100\.00.*50\.00.*g9/);
  expect(out).toMatch(/40\.00.*grace.*not paid/);
  api.answer(() => ({ body: { ...grant, draws: [], expiries: [], voids: [] } }));
  expect((await run('show', 'g1')).out).not.toContain('Drawn at');
});

it('balance shows what is left, and what of it a period may draw', async () => {
  const currencies = [
    { currency: 'USD', balance: '120.00', available: '100.00', prepaid: '70.00', promotional: '30.00' },
  ];
  api.answer(() => ({
    body: { customer_id: 'acme', at: '2024-04-01T00:00:00Z', currencies, grants: [{ ...grant, available: true }] },
  }));
  const { out } = await run('balance', 'acme', '--at', '2024-04');
  expect(out).toMatch(/Left.*Available.*Available prepaid.*Available promotional[\s\S]*May be drawn/);
  expect(out).toContain('reckoner credits list --customer acme');
  expect(out).toMatch(/USD.*120\.00.*100\.00.*70\.00.*30\.00[\s\S]*Spring.*yes.*g1/);
  expect(paths()).toEqual(['GET /customers/acme/credits']);
  expect(api.requests[0]?.query['at']).toBe('2024-04-01T00:00:00Z');
});

it('void needs a reason, and a refusal is told', async () => {
  expect(await run('void', 'g1')).toMatchObject({ code: 2 });
  api.answer(() => ({ body: { ...grant, void: true, balance: '0.00' } }));
  expect((await run('void', 'g1', '--reason', 'not paid')).out).toMatch(/Left +0\.00 USD \(void\)/);
  expect([paths(), bodyOf(0)]).toEqual([['POST /credit-grants/g1/void'], { reason: 'not paid' }]);
  api.answer(() => ({ status: 409, body: { code: 'CREDIT_GRANT_VOID', detail: 'It is void already.', errors: [] } }));
  expect(await run('void', 'g1', '--reason', 'again')).toMatchObject({
    code: 1,
    err: expect.stringContaining('CREDIT_GRANT_VOID'),
  });
});
