import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { casesCommand } from '../../src/cases/command.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cases-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const price = {
  code: 'standard',
  version: 'v1',
  currency: 'USD',
  effective_from: '2024-01-01T00:00:00Z',
  prices: [{ meter: 'calls', model: 'flat', unit_price: '0.10' }],
};
const call = (eventId: string): object => ({
  event_id: eventId,
  event_type: 'call',
  event_time: '2024-01-10T00:00:00Z',
});
const billingCase = (name: string, ...steps: readonly object[]): object => ({
  name,
  customer: { currency: 'USD' },
  meters: [{ code: 'calls', event_type: 'call', aggregation: 'count', group_by: ['region'] }],
  price_books: [price],
  steps,
});
const close = { close_period: '2024-01' };
const expectInvoice = (more: object): object => ({ expect_invoice: { period: '2024-01', ...more } });

function write(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

async function run(...args: readonly string[]): Promise<{ code: number; lines: readonly string[] }> {
  const lines: string[] = [];
  const code = await casesCommand(args, { print: (line) => lines.push(line), environment: {} });
  return { code, lines };
}

test('one line a case, the count at the end, and 0 when all pass', async () => {
  write('a.json', billingCase('one call', { events: [call('e')] }, close, expectInvoice({ total: '0.1' })));
  write('b.json', billingCase('none', close, expectInvoice({ total: '0' })));
  write('case.schema.json', '{}');
  expect(await run(folder)).toEqual({ code: 0, lines: ['ok    one call', 'ok    none', '2 cases, all passed'] });
});

test('the difference where one fails, and 1; later steps are not run', async () => {
  const path = write(
    'a.json',
    billingCase(
      'wrong',
      { events: [call('e')] },
      close,
      expectInvoice({ total: '0.20' }),
      expectInvoice({ total: '0.30' }),
    ),
  );
  write('b.json', billingCase('right', close));
  expect(await run(folder)).toEqual({
    code: 1,
    lines: [
      'FAIL  wrong',
      `      ${path}`,
      '      step 3, expect_invoice 2024-01: total: expected 0.20, found 0.10',
      'ok    right',
      '2 cases, 1 passed, 1 failed',
    ],
  });
});

test.each<[string, readonly object[], string]>([
  ['usage', [{ expect_usage: { period: '2024-01', meter: 'calls', quantity: '2' } }], 'quantity: expected 2, found 1'],
  [
    'usage of a group',
    [{ expect_usage: { period: '2024-01', meter: 'calls', quantity: '1', group: { region: 'eu' } } }],
    'quantity: expected 1, found 0',
  ],
  [
    'windows: count',
    [{ expect_windows: { period: '2024-01', meter: 'calls', count: 0 } }],
    'count of windows: expected 0, found 1',
  ],
  [
    'windows: missing',
    [{ expect_windows: { period: '2024-01', meter: 'calls', windows: [{ start: '2024-01-11T00:00:00Z' }] } }],
    'expected a window from 2024-01-11T00:00:00Z, found none',
  ],
  [
    'windows: end',
    [
      {
        expect_windows: {
          period: '2024-01',
          meter: 'calls',
          windows: [{ start: '2024-01-10T00:00:00Z', end: '2024-01-10T02:00:00Z' }],
        },
      },
    ],
    'end of the window',
  ],
  [
    'windows: quantity',
    [
      {
        expect_windows: {
          period: '2024-01',
          meter: 'calls',
          windows: [{ start: '2024-01-10T00:00:00Z', quantity: '2' }],
        },
      },
    ],
    'quantity of the window from 2024-01-10T00:00:00Z: expected 2, found 1',
  ],
  ['no invoice', [expectInvoice({ total: '1' })], 'expected an invoice, found none'],
  [
    'an invoice where none should be',
    [close, expectInvoice({ absent: true })],
    'expected no invoice, found one of 0.10 USD',
  ],
  ['status', [close, expectInvoice({ status: 'paid' })], 'status: expected paid, found issued'],
  ['currency', [close, expectInvoice({ currency: 'EUR' })], 'currency: expected EUR, found USD'],
  ['subtotal', [close, expectInvoice({ subtotal: '1' })], 'subtotal: expected 1, found 0.10'],
  ['number of lines', [close, expectInvoice({ line_count: 2 })], 'number of lines: expected 2, found 1'],
  [
    'a missing line',
    [close, expectInvoice({ lines: [{ meter: 'bytes' }] })],
    'expected a line for bytes, found none; there are calls {"region":null}',
  ],
  [
    'a line of another group',
    [close, expectInvoice({ lines: [{ meter: 'calls', group: { region: 'eu' } }] })],
    'expected a line for calls {"region":"eu"}, found none',
  ],
  [
    'several lines',
    [{ events: [{ ...call('f'), metadata: { region: 'eu' } }] }, close, expectInvoice({ lines: [{ meter: 'calls' }] })],
    'expected one line for calls, found',
  ],
  [
    'quantity of a line',
    [close, expectInvoice({ lines: [{ meter: 'calls', quantity: '2' }] })],
    'quantity of calls: expected 2, found 1',
  ],
  [
    'amount of a line',
    [close, expectInvoice({ lines: [{ meter: 'calls', amount: '2' }] })],
    'amount of calls: expected 2, found 0.10',
  ],
  [
    'formula',
    [close, expectInvoice({ lines: [{ meter: 'calls', formula: '1 × 1' }] })],
    'formula of calls: expected 1 × 1, found 1 × 0.10',
  ],
  [
    'number of charges',
    [close, expectInvoice({ lines: [{ meter: 'calls', charges: [] }] })],
    'number of charges of calls: expected 0, found 1',
  ],
  [
    'version of a charge',
    [close, expectInvoice({ lines: [{ meter: 'calls', charges: [{ price_book_version: 'v2' }] }] })],
    'price book version of charge 1 of calls: expected v2, found v1',
  ],
  [
    'a correction where there is none',
    [close, { expect_correction: { period: '2024-01' } }],
    'expected a correction, found none',
  ],
  [
    'no correction where there is one',
    [
      close,
      { events: [call('f')] },
      { re_rate: { period: '2024-01', reason: 'manual' } },
      { expect_no_correction: { period: '2024-01' } },
    ],
    'expected no correction, found one of 0.10 USD',
  ],
  [
    'total of a correction',
    [
      close,
      { events: [call('f')] },
      { re_rate: { period: '2024-01', reason: 'manual' } },
      { expect_correction: { period: '2024-01', total: '1' } },
    ],
    'total: expected 1, found 0.10',
  ],
  [
    'original amount',
    [
      close,
      { events: [call('f')] },
      { re_rate: { period: '2024-01', reason: 'manual' } },
      { expect_correction: { period: '2024-01', lines: [{ meter: 'calls', original_amount: '1' }] } },
    ],
    'original amount of calls: expected 1, found 0.10',
  ],
  [
    'corrected amount',
    [
      close,
      { events: [call('f')] },
      { re_rate: { period: '2024-01', reason: 'manual' } },
      { expect_correction: { period: '2024-01', lines: [{ meter: 'calls', corrected_amount: '1' }] } },
    ],
    'corrected amount of calls: expected 1, found 0.20',
  ],
  [
    'type of a correction',
    [
      close,
      { events: [call('f')] },
      { re_rate: { period: '2024-01', reason: 'manual' } },
      { expect_correction: { period: '2024-01', type: 'credit_note' } },
    ],
    'type: expected credit_note, found correction',
  ],
  [
    'a refusal that did not come',
    [{ expect_refusal: { step: close, code: 'PERIOD_NOT_ENDED' } }],
    'expected the refusal PERIOD_NOT_ENDED, but close_period 2024-01 was carried out',
  ],
  [
    'another refusal',
    [close, { expect_refusal: { step: close, code: 'PERIOD_NOT_ENDED' } }],
    'expected the refusal PERIOD_NOT_ENDED, found PERIOD_ALREADY_INVOICED',
  ],
  ['a refusal that nobody expects', [close, close], 'close_period 2024-01: PERIOD_ALREADY_INVOICED'],
  ['an unknown meter', [{ expect_usage: { period: '2024-01', meter: 'bytes', quantity: '0' } }], 'UNKNOWN_METER'],
])('finds what differs: %s', async (_name, steps, difference) => {
  const { code, lines } = await run(write('a.json', billingCase('differs', { events: [call('e')] }, ...steps)));
  expect(code).toBe(1);
  expect(lines.filter((line) => line.includes(difference))).toHaveLength(1);
});

test('facts of a case that are refused fail it', async () => {
  const wrong = { ...billingCase('wrong facts', close), customer: { currency: 'EUR' } };
  expect((await run(write('a.json', wrong))).lines).toContainEqual(
    expect.stringContaining('facts of the case: CURRENCY_MISMATCH'),
  );
});

test('files that are no cases fail, and say why', async () => {
  write('a.json', '{ "name": ');
  write('b.json', { name: 'incomplete' });
  const { code, lines } = await run(folder);
  expect(code).toBe(1);
  expect(lines.filter((line) => line.startsWith('FAIL'))).toHaveLength(2);
  expect(lines).toContainEqual(expect.stringContaining('the file is not JSON'));
  expect(lines).toContainEqual(expect.stringContaining('customer: '));
});

test.each<[string, readonly string[], number, string]>([
  ['no path', [], 2, 'Name at least one file or folder'],
  ['an unknown option', ['--fast', '.'], 2, "Unknown option '--fast'"],
  ['both ways to run', ['--pure', '--stack', '.'], 2, 'Choose one'],
  ['a path that does not exist', ['/nowhere/at/all'], 2, '/nowhere/at/all'],
  ['help', ['--help'], 0, 'Runs billing cases'],
])('the command with %s', async (_name, args, code, text) => {
  const outcome = await run(...args);
  expect(outcome.code).toBe(code);
  expect(outcome.lines.join('\n')).toContain(text);
});

test('a folder without cases is no success', async () => {
  expect(await run(folder)).toEqual({ code: 1, lines: ['no cases found'] });
});
