/** `reckoner explain`: what a customer is sent, word by word; and what is said where there is nothing to explain. */
import type {
  ChargeExplanation,
  ExplainedCalculation,
  ExplainedInvoice,
} from '../../src/explanation/charge-explanation.js';
import { readArithmetic } from '../support/explained.js';
import { stubOfEachTest } from './support/stub-api.js';
import type { CliRun } from './support/stub-api.js';

const api = stubOfEachTest();

const run = (...args: string[]): Promise<CliRun> => api.run('explain', ...args);

const ids = {
  first: '11111111-1111-5111-8111-111111111111',
  second: '22222222-2222-5222-8222-222222222222',
  before: '33333333-3333-5333-8333-333333333333',
} as const;

const window = (day: string, hour: string, quantity: string, revision = 1) => ({
  ...{ window_start: `2024-01-${day}T${hour}:00:00.000000Z`, window_end: `2024-01-${day}T${hour}:59:59.000000Z` },
  ...{ revision, quantity, event_count: Number(quantity), digest: '00000000000000ff' },
});

const calculation = {
  model: 'tiered',
  formula: '200 × 0.20 + 500 × 0.16',
  quantity: '700',
  unit_price: null,
  tiers: [
    { up_to: '1000', quantity: '200', unit_price: '0.20', amount: '40.00' },
    { up_to: null, quantity: '500', unit_price: '0.16', flat_fee: '5', amount: '85.00' },
  ],
  quantity_before: '800',
  period_quantity: '1500',
  price_book: 'standard',
  price_book_version: 'v2',
  effective_date: '2024-01-15',
  in_force: [{ from: '2024-01-14T23:00:00.000000Z', to: '2024-01-31T23:00:00.000000Z' }],
  windows: [window('15', '10', '300'), window('15', '11', '100'), window('20', '23', '300')],
  source_events: {
    count: 700,
    stands_for: '700',
    digest: '0123456789abcdef',
    first: ['evt_1', 'evt_2', 'evt_3', 'evt_4', 'evt_5'],
    href: `/charges/${ids.second}/events`,
  },
} as unknown as ExplainedCalculation;

const charge: ChargeExplanation = {
  charge_id: ids.second,
  revision: 1,
  supersedes_charge_id: null,
  provisional: false,
  current_charge_ids: [ids.second],
  price_lookup: 'current',
  prices_as_of: null,
  customer_id: 'cust_1',
  period: '2024-01-01',
  period_from: '2023-12-31T23:00:00.000000Z',
  period_to: '2024-01-31T23:00:00.000000Z',
  time_zone: 'Europe/Berlin',
  meter: 'api_calls',
  aggregation: 'count',
  group: { region: 'eu' },
  amount: '125.00',
  currency: 'USD',
  cutoff_position: '1500',
  calculation,
  invoice_lines: [{ invoice_id: 'inv-1', line_item_id: 'line-1' }],
};

const first: ChargeExplanation = {
  ...charge,
  charge_id: ids.first,
  current_charge_ids: [ids.first],
  amount: '80.005',
  calculation: {
    ...calculation,
    tiers: [{ up_to: '1000', quantity: '800', unit_price: '0.10000625', amount: '80.005' }],
    quantity: '800',
    quantity_before: '0',
    price_book_version: 'v1',
    effective_date: '2023-01-01T00:00:00Z',
    in_force: [{ from: charge.period_from, to: '2024-01-14T23:00:00.000000Z' }],
    windows: [window('03', '10', '800')],
    source_events: { ...calculation.source_events, count: 800 },
  } as unknown as ExplainedCalculation,
};

const line = {
  line_item_id: 'line-1',
  line_key: '{"meter":"api_calls","group":{"region":"eu"}}',
  line_number: 1,
  description: 'api_calls (region = eu)',
  amount: '205.00',
  charge_ids: [ids.first, ids.second],
};
const invoice: ExplainedInvoice = {
  ...{ invoice_id: 'inv-1', number: 'INV-000001', type: 'invoice', status: 'issued', currency: 'USD' },
  ...{ issued_at: '2024-02-01T01:00:00.000000Z', corrects_invoice_id: null, lines: [line] },
  ...{ customer_id: 'cust_1', period: { name: '2024-01-01' }, chain_place: 1 },
};
const correction = {
  ...invoice,
  ...{ invoice_id: 'inv-2', number: 'INV-000002', type: 'correction', corrects_invoice_id: 'inv-1', chain_place: 2 },
  lines: [{ ...line, original_amount: '200.00', corrected_amount: '205.00', amount: '5.00', reason: 'late_usage' }],
};

function serve(documents: Readonly<Record<string, unknown>>): void {
  api.answer(({ path }) => {
    const body = documents[path];
    if (body !== undefined) return { body };
    const kind = path.startsWith('/charges/') ? 'CHARGE' : 'INVOICE';
    return { status: 404, body: { code: `${kind}_NOT_FOUND`, detail: `There is no ${path}.` } };
  });
}
const all = {
  [`/charges/${ids.first}`]: first,
  [`/charges/${ids.second}`]: charge,
  '/invoices/inv-1': invoice,
  '/invoices/INV-000001': invoice,
  '/invoices/INV-000002': correction,
  '/invoices': { data: [correction, invoice], next_cursor: null },
};

test('a charge, word by word', async () => {
  serve(all);
  const { code, out, err } = await run(ids.second);
  expect({ code, err }).toEqual({ code: 0, err: `All its events: reckoner charges events ${ids.second}\n` });
  expect(out).toMatchSnapshot();
  expect(readArithmetic(out)).toMatchObject({ together: '125.00' });
});

test('a window of more than a day is told by its days; of a highest value whose it is', async () => {
  const month = {
    ...calculation.windows[0],
    window_start: '2024-01-14T23:00:00.000000Z',
    window_end: charge.period_to,
  };
  const most: ChargeExplanation = {
    ...charge,
    aggregation: 'max',
    calculation: {
      ...calculation,
      windows: [month as (typeof calculation.windows)[number]],
      decided_by: { event_id: 'e7', source: 'gateway', event_time: '2024-01-20T10:00:00.000000Z', value: '700' },
    },
  };
  serve({ ...all, [`/charges/${ids.second}`]: most });
  const { out } = await run(ids.second);
  expect(out).toContain('It is the value 700 of event "e7" (from "gateway"), at 20 January 2024, 11:00.');
  expect(out).toMatch(/When +Events\n +15 January 2024 – 31 January 2024 +\d+\n/);
});

test('of a level: what it began with and from which events, also where nothing changed it in the period', async () => {
  const opening = { at: charge.period_from, level: '10', event_count: 2, digest: 'fedcba9876543210' };
  const level: ChargeExplanation = {
    ...charge,
    aggregation: 'weighted_sum',
    calculation: {
      ...calculation,
      // The window of a level may be the whole period: it does not say when something happened.
      windows: calculation.windows.slice(0, 1),
      level_stretches: [
        { from: '2023-12-31T23:00:00.000000Z', to: '2024-01-05T11:30:00.000000Z', level: '10' },
        { from: '2024-01-05T11:30:00.000000Z', to: '2024-01-31T23:00:00.000000Z', level: '12.5' },
      ],
      source_events: { ...calculation.source_events, count: 0, stands_for: null, first: [] },
      opening_level: { ...opening, first: ['plus_7', 'plus_3'], href: `/charges/${ids.second}/opening-events` },
    },
  };
  serve({ ...all, [`/charges/${ids.second}`]: level });
  const { out, err } = await run(ids.second);
  expect(err).toBe(`All events of the level that it began with: reckoner charges events ${ids.second} --before\n`);
  const used = out.slice(out.indexOf('What was used'), out.indexOf('What the price says'));
  expect(used).toMatchInlineSnapshot(`
    "What was used
    -------------
    700 of "api_calls" (the level, weighted by how long it lasted), from 0 events.

    The level was 10 when the period began (1 January 2024, 00:00): carried from before, from 2 events.

      From                   Level            Lasted
      1 January 2024, 00:00     10   4 d 12 h 30 min
      5 January 2024, 12:30   12.5  26 d 11 h 30 min

    Events before  plus_7, plus_3
    Fingerprint    fedcba9876543210 (of all events that made the level)

    "
  `);
  const untouched = {
    ...level.calculation,
    opening_level: { ...opening, level: '0', event_count: 0, first: [], href: '' },
  };
  serve({ ...all, [`/charges/${ids.second}`]: { ...level, calculation: untouched } });
  expect((await run(ids.second)).out).toContain('The level was 0 when the period began');
});

test('a line of a correction: all its charges, rounded once, and what was invoiced before', async () => {
  serve(all);
  const { code, out } = await run('INV-000002', '--line', '1', '--verify');
  expect(code).toBe(0);
  expect(out).toMatchSnapshot();
});

test('a line is found by its number, by its id, or because it is the only one', async () => {
  serve({ ...all, '/invoices/two': { ...invoice, lines: [line, { ...line, line_item_id: 'l2', line_number: 2 }] } });
  const only = await run('INV-000001');
  expect(only.out).toContain('On invoice INV-000001, line 1');
  for (const wanted of ['2', 'l2']) expect((await run('two', '--line', wanted)).out).toContain('line 2');
  const unsaid = await run('two');
  expect(unsaid).toMatchObject({ code: 1, out: '' });
  expect(unsaid.err).toMatch(/which line of INV-000001\? Say it with --line\. It has these:\n {2}1 {2}api_calls/);
  expect((await run('two', '--line', '3')).err).toContain('INV-000001 has no line 3');
});

test('--windows lists every window, --json is what the API answered', async () => {
  serve(all);
  const windows = await run(ids.second, '--windows');
  expect(windows.out).toContain('15 January 2024, 11:00 – 15 January 2024, 11:59:59');
  const json = await run(ids.second, '--json');
  expect(JSON.parse(json.out)).toEqual(charge);
  const both = await run('INV-000001', '--json', '--verify');
  expect(JSON.parse(both.out)).toMatchObject({ line, charges: [{ charge_id: ids.first }, { charge_id: ids.second }] });
  expect(both.err).toContain('yes  charge');
  expect(both.err).not.toContain('All its events');
});

test.each([
  ['charge', { ...charge, amount: '125.01' }, invoice, /NO {3}charge .* gives 125 USD, not 125\.01/],
  [
    'sum',
    charge,
    { ...invoice, lines: [{ ...line, amount: '206.01' }] },
    /come to 205\.005, which does NOT round to 206\.01/,
  ],
  ['explanation', { ...charge, calculation: { ...calculation, model: 'package' } }, invoice, /lacks "package"/],
])('--verify says that the %s is wrong, and ends with 1', async (_what, other, document, message) => {
  serve({ ...all, [`/charges/${ids.second}`]: other, '/invoices/inv-1': document });
  const { code, out, err } = await run(ids.second, '--verify');
  expect(code).toBe(1);
  expect(out + err).toMatch(message);
});

test('--verify notices a correction whose difference is another one', async () => {
  const [own] = correction.lines;
  serve({ ...all, '/invoices/INV-000002': { ...correction, lines: [{ ...own, amount: '6.00' }] } });
  const { code, out } = await run('INV-000002', '--verify');
  expect(code).toBe(1);
  expect(out).toMatch(/205\.00 less 200\.00 is 5; the line says 6\.00/);
});

describe('what is not explained', () => {
  test('neither a charge nor an invoice', async () => {
    serve({});
    const { code, err } = await run('nothing');
    expect(code).toBe(1);
    expect(err).toMatch(/no charge with the id "nothing", and no invoice with that id or number/);
  });

  test('an estimate, unless it is asked for; it says which charge has replaced it', async () => {
    const provisional = { ...charge, provisional: true, invoice_lines: [] };
    serve({ ...all, [`/charges/${ids.before}`]: { ...provisional, charge_id: ids.before } });
    const refused = await run(ids.before);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain(`It has been replaced by ${ids.second}`);
    const shown = await run(ids.before, '--provisional');
    expect(shown.code).toBe(0);
    expect(shown.out).toContain('! PROVISIONAL: an estimate');
    serve({
      [`/charges/${ids.second}`]: { ...provisional, price_lookup: 'fallback', prices_as_of: '2024-01-20T00:00:00Z' },
    });
    expect((await run(ids.second)).err).toContain('Once the period is invoiced');
    expect((await run(ids.second, '--provisional')).out).toContain('those known at 2024-01-20T00:00:00Z');
  });

  test('a charge that was replaced is explained, and says first by which one', async () => {
    const unbilled = { ...charge, charge_id: ids.before, invoice_lines: [] };
    serve({ ...all, [`/charges/${ids.before}`]: unbilled });
    expect((await run(ids.before)).out).toContain('! This charge does not hold any more. It has been replaced by');
    serve({ ...all, [`/charges/${ids.before}`]: { ...unbilled, current_charge_ids: [] } });
    expect((await run(ids.before)).out).toContain('has no charge any more');
  });

  test('a charge that a correction replaced names the document and its difference', async () => {
    const before = { ...charge, charge_id: ids.before, amount: '119.995' };
    const billed = { ...invoice, lines: [{ ...line, amount: '200.00', charge_ids: [ids.first, ids.before] }] };
    const voided = { ...correction, number: 'INV-000009', status: 'void', chain_place: 3 };
    const documents = { '/invoices/inv-1': billed, '/invoices/INV-000001': billed };
    const page = { data: [voided, correction, billed], next_cursor: null };
    serve({ ...all, ...documents, [`/charges/${ids.before}`]: before, '/invoices': page });
    const { out } = await run('INV-000001');
    expect(out).toContain('! Corrected since by INV-000002 (+5.00).\n');
    expect(out).toMatch(/The line: 200\.00 USD\nCorrected since by INV-000002 \(\+5\.00\)\.\n$/);
    expect(out).not.toContain('does not hold');
    expect((await run('INV-000002')).out).not.toContain('Corrected since');
  });

  test('what another program answers', async () => {
    serve({ '/charges/x': { hello: 'world' } });
    expect((await run('x')).err).toContain('is not what Reckoner');
  });
});

test('a conversion is printed, and stored text does nothing to the terminal', async () => {
  const conversion = {
    from: 'EUR',
    to: 'USD',
    rate: '1.0842',
    rate_date: '2024-01-31',
    source: 'ECB',
    amount: '135.525',
  };
  const red = { region: 'eu\u001b[31m' };
  serve({ ...all, [`/charges/${ids.second}`]: { ...charge, group: red, calculation: { ...calculation, conversion } } });
  const { out } = await run(ids.second);
  expect(out).toContain('Conversion      1 EUR = 1.0842 USD (ECB, 31 January 2024)\n');
  expect(out).toContain('125.00 × 1.0842 = 135.525 USD, not rounded');
  expect(out).toMatch(/215\.53 {2}together/);
  expect(out).not.toContain('\u001b');
  const verified = await run(ids.second, '--verify');
  expect(verified.out.replace(/\s+/g, ' ')).toMatch(
    /yes conversion of charge .* 125\.00 EUR × 1\.0842 is 135\.525 USD/,
  );
});

test('a rate is made again of what was published, of both legs, and a wrong one is noticed', async () => {
  const inputs = [
    { base: 'EUR', quote: 'USD', rate: '1.25' },
    { base: 'EUR', quote: 'GBP', rate: '0.9' },
  ];
  const crossed = {
    from: 'USD',
    to: 'GBP',
    rate: '0.72',
    rate_date: '2024-01-31',
    source: 'ecb',
    inputs,
    amount: '90.00',
  };
  const verified = async (conversion: object): Promise<CliRun> => {
    serve({
      ...all,
      [`/charges/${ids.second}`]: { ...charge, invoice_lines: [], calculation: { ...calculation, conversion } },
    });
    return run(ids.second, '--verify');
  };
  const right = await verified(crossed);
  expect(right).toMatchObject({ code: 0 });
  expect(right.out.replace(/\s+/g, ' ')).toContain(
    '1 USD = 0.72 GBP = 0.9 / 1.25 (ECB: 1 EUR = 1.25 USD, 1 EUR = 0.9 GBP, 31 January 2024)',
  );
  expect(await verified({ ...crossed, amount: '90.01' })).toMatchObject({ code: 1 });
  expect(await verified({ ...crossed, rate: '0.73', amount: '91.25' })).toMatchObject({ code: 1 });
  const elsewhere = await verified({ ...crossed, to: 'JPY' });
  expect(elsewhere).toMatchObject({ code: 1 });
  expect(elsewhere.out).toContain('lead to GBP and not to JPY');
});

test('a rate that was divided for has 15 digits; a commitment in another currency is converted, rounded, and then less the lines', async () => {
  const inputs = [{ base: 'USD', quote: 'EUR', rate: '3' }];
  const rate = { from: 'EUR', to: 'USD', rate: '0.333333333333333', rate_date: '2024-01-31', source: 'ecb', inputs };
  const commitment = { minimum: '33.33', lines: '10.00', converted: { ...rate, price: '100.00' } };
  const own = { ...calculation, model: 'minimum_commitment', commitment, windows: [] };
  serve({
    [`/charges/${ids.second}`]: { ...charge, meter: null, amount: '23.33', invoice_lines: [], calculation: own },
  });
  const { code, out } = await run(ids.second, '--verify');
  expect(code).toBe(0);
  expect(out).toContain('How the minimum commitment was worked out');
  expect(out.replace(/\s+/g, ' ')).toContain(
    'The agreed minimum is 100.00 EUR, rounded 33.33 USD: 1 EUR = 0.333333333333333 USD = 1 / 3 (ECB: 1 USD = 3 EUR, 31 January 2024).',
  );
  expect(readArithmetic(out).together).toBe('23.33');
  const wrong = { ...own, commitment: { ...commitment, minimum: '33.35', lines: '10.02' } };
  serve({
    [`/charges/${ids.second}`]: { ...charge, meter: null, amount: '23.33', invoice_lines: [], calculation: wrong },
  });
  expect(await run(ids.second, '--verify')).toMatchObject({ code: 1 });
});
