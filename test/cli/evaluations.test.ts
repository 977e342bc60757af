/** What-if on the command line: what the commands ask for and print. */
import { cli, stubOfEachTest } from './support/stub-api.js';
import type { CliRun } from './support/stub-api.js';

const api = stubOfEachTest();

const evaluate = (...args: string[]): Promise<CliRun> => api.run('prices', 'evaluate', ...args);
const sent = (): unknown => JSON.parse(api.requests[0]?.body ?? '');
const named = ['--price-book', 'standard@v2'] as const;
const priceBook = { code: 'standard', version: 'v2' };

const run = {
  evaluation_id: 'e-1',
  status: 'finished',
  price_book: priceBook,
  requested_at: 'then',
  requested_by: 'ada',
  progress: { periods: 3, of: 3 },
  totals: [
    {
      currency: 'USD',
      customers: 2,
      not_comparable: 1,
      current: '128.72',
      evaluated: '120.06',
      difference: { count: 2, sum: '-8.66', min: '-7.66', median: '-7.66', p90: '-1.00', max: '-1.00' },
      winners: 2,
      losers: 0,
      unchanged: 0,
      top_winners: [{ customer_id: 'c1', difference: '-7.66' }],
      top_losers: [],
    },
  ],
  customers: {
    data: [
      {
        customer_id: 'c1',
        periods: 1,
        not_comparable: 0,
        current: '118.72',
        evaluated: '111.06',
        difference: '-7.66',
        currency: 'USD',
      },
    ],
    next_cursor: null,
  },
};

test('quantities are answered with lines, formula and total; what has no price is told', async () => {
  api.answer(() => ({
    body: {
      price_book: priceBook,
      currency: 'USD',
      total: '118.72',
      lines: [
        {
          meter: 'api_calls',
          name: null,
          group: { region: 'eu' },
          quantity: '1234',
          amount: '118.72',
          formula: 'a × b',
        },
        { meter: null, name: 'Platform', group: {}, quantity: '1', amount: '30.00', formula: '30.00' },
      ],
      problems: [{ code: 'UNPRICED_METER', meter: 'seats', detail: 'nothing prices it' }],
    },
  }));
  const result = await evaluate(...named, '--quantity', 'api_calls=1000', '--quantity', 'a=b=2');
  expect(result).toMatchObject({ code: 0 });
  expect(sent()).toEqual({
    price_book: priceBook,
    quantities: [
      { meter: 'api_calls', quantity: '1000' },
      { meter: 'a=b', quantity: '2' },
    ],
  });
  expect(api.requests[0]).toMatchObject({ method: 'POST', path: '/price-books/evaluate' });
  expect(result.out).toMatch(/Price book +standard v2\nTotal +118\.72 USD/);
  expect(result.out).toMatch(/api_calls.*region=eu.*1234.*a × b.*118\.72/);
  expect(result.out).toMatch(/Platform.*30\.00/);
  expect(result.out).toContain('UNPRICED_METER: nothing prices it');
});

test('a quantity may be of a group', async () => {
  api.answer(() => ({ body: { price_book: priceBook, currency: 'USD', total: '0.00', lines: [], problems: [] } }));
  const quantities = ['egress[region=eu]=100', 'egress[region=us,path=a=b]=2', 'odd[name=3'];
  const result = await evaluate(...named, ...quantities.flatMap((text) => ['--quantity', text]));
  expect(result).toMatchObject({ code: 0 });
  expect(sent()).toMatchObject({
    quantities: [
      { meter: 'egress', group: { region: 'eu' }, quantity: '100' },
      { meter: 'egress', group: { region: 'us', path: 'a=b' }, quantity: '2' },
      { meter: 'odd[name', quantity: '3' },
    ],
  });
});

test('a period stands beside what it costs now; a version from a file is sent as it is written', async () => {
  const file = api.file('draft.json', '{"code": "idea", "prices": [{"unit_price": 0.10000000000000000001}]}');
  api.answer(() => ({
    body: {
      price_book: { code: 'idea', version: 'draft' },
      customer_id: 'c1',
      period: { period: '2024-01-01' },
      currency: 'USD',
      comparable: false,
      current: '118.72',
      evaluated: '111.06',
      difference: '-7.66',
      invoiced: null,
      lines: [
        {
          meter: 'api_calls',
          group: {},
          quantity: '1234',
          current_amount: '118.72',
          evaluated_amount: '111.06',
          difference: '-7.66',
          evaluated_formula: '1234 × 0.09',
        },
      ],
      problems: [{ side: 'evaluated', code: 'UNPRICED_METER', detail: 'seats' }],
    },
  }));
  const result = await evaluate('--file', file, '--customer', 'c1', '--period', '2024-01');
  expect(result).toMatchObject({ code: 0 });
  expect(api.requests[0]?.body).toContain('0.10000000000000000001');
  expect(sent()).toMatchObject({ price_book: { code: 'idea' }, customer_id: 'c1', period: '2024-01' });
  expect(result.out).toMatch(
    /Costs now +118\.72 USD\nInvoiced +–\nWould cost +111\.06 USD \(does not compare\)\nDifference +–\n/,
  );
  expect(result.out).toMatch(/api_calls.*118\.72.*111\.06.*-7\.66.*1234 × 0\.09/);
  expect(result.out).toContain('evaluated: UNPRICED_METER: seats');
});

test('customers make a run; --wait prints its totals, distribution, winners and customers', async () => {
  const statuses = ['running', 'finished'];
  api.answer(({ method }) =>
    method === 'POST'
      ? { status: 202, body: { evaluation_id: 'e-1', status: 'running' } }
      : { body: { ...run, status: statuses.shift() } },
  );
  const result = await evaluate(...named, '--all', '--from', '2024-01', '--wait');
  expect(result).toMatchObject({ code: 0, waits: [500] });
  expect(sent()).toEqual({ price_book: priceBook, customers: 'all', from: '2024-01-01T00:00:00Z' });
  expect(result.out).toMatch(/Periods +3 of 3/);
  expect(result.out).toMatch(/Customers +2 \(and 1 that do not compare\)/);
  expect(result.out).toMatch(/Difference +-8\.66\nA customer +min -7\.66, median -7\.66, p90 -1\.00, max -1\.00/);
  expect(result.out).toMatch(/Pay less +2: c1 -7\.66/);
  expect(result.out).toMatch(/c1.*118\.72.*111\.06.*-7\.66.*USD/);
});

test('without --wait says where to look; waiting ends', async () => {
  api.answer(({ method }) =>
    method === 'POST' ? { status: 202, body: { evaluation_id: 'e-1' } } : { body: { ...run, status: 'running' } },
  );
  const asked = await evaluate(...named, '--customer', 'c1', '--customer', 'c2');
  expect(asked).toMatchObject({ code: 0 });
  expect(asked.out).toContain('reckoner prices evaluation e-1');
  expect(sent()).toEqual({ price_book: priceBook, customers: ['c1', 'c2'] });
  const waited = await evaluate(...named, '--all', '--wait', '1');
  expect(waited).toMatchObject({ code: 1, waits: [500, 500] });
  expect(waited.err).toContain('still running after 1 s');
});

test('runs are listed and shown', async () => {
  api.answer(({ path }) => ({ body: path.endsWith('e-1') ? run : { data: [run], next_cursor: null } }));
  expect((await cli(['prices', 'evaluations', '--url', api.url])).out).toMatch(/ada.*finished.*standard v2.*3.*e-1/);
  expect((await cli(['prices', 'evaluation', 'e-1', '--url', api.url])).out).toMatch(/Status +finished/);
});

test.each([
  [['--all']],
  [[...named]],
  [[...named, '--file', 'x.json', '--all']],
  [[...named, '--all', '--customer', 'c']],
  [[...named, '--quantity', 'api_calls']],
  [[...named, '--quantity', 'egress[region=eu]']],
  [[...named, '--quantity', 'egress[eu]=100']],
  [[...named, '--quantity', 'egress[]=100']],
  [[...named, '--all', '--period', '2024-01']],
  [[...named, '--customer', 'a', '--customer', 'b', '--period', '2024-01']],
  [[...named, '--quantity', 'a=1', '--from', '2024-01']],
  [['--price-book', 'standard', '--all']],
])('%p is wrongly called', async (args) => {
  expect(await evaluate(...args)).toMatchObject({ code: 2 });
  expect(api.requests).toEqual([]);
});
