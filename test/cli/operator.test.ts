/** What operators look at: lists of all customers, tables of a terminal's width. */
import { cli, stubOfEachTest } from './support/stub-api.js';
import type { CliRun } from './support/stub-api.js';

const api = stubOfEachTest();
const { run } = api;

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

test('periods list calls a period that is there before its time what it is: not begun', async () => {
  const month = (first: string, next: string, stage: string) => ({
    ...{ period: first.slice(0, 10), time_zone: 'UTC', stage, corrections: [], invoice_id: null },
    ...{ from: first, to: next },
  });
  const [past, next, further] = ['2024-01-01', '2999-01-01', '2999-02-01'].map((day) => `${day}T00:00:00.000000Z`);
  const data = [
    month(String(next), String(further), 'open'),
    month(String(past), String(next), 'open'),
    // Closed by force, before it has begun.
    month(String(further), '2999-03-01T00:00:00.000000Z', 'invoiced'),
  ];
  api.answer(() => ({ body: { data, next_cursor: null } }));
  const { out } = await run('periods', 'list', 'cust_9');
  expect(out).toMatch(/2999-01-01 .*│ not begun │/);
  expect(out).toMatch(/2024-01-01 .*│ open +│/);
  expect(out).toMatch(/2999-02-01 .*│ invoiced +│/);
  expect(JSON.parse((await run('periods', 'list', 'cust_9', '--json')).out)).toMatchObject({ data });
});

describe('on a terminal', () => {
  const letter = {
    received_at: '2024-01-15T10:00:00.123456Z',
    code: 'VALUE_PROPERTY_NOT_DECIMAL',
    customer_id: 'cust_1',
    event_id: 'evt_1',
    detail: 'The meter "bytes_out" reads its value from the metadata property "bytes", which holds a text. '
      .repeat(3)
      .trim(),
    status: 'open',
    dead_letter_id: '4f0c0000-0000-4000-8000-000000000000',
  };
  const widest = (text: string): number => Math.max(...text.split('\n').map((line) => line.length));
  const words = (text: string): string => text.replace(/[^\w"]+/g, ' ');
  const onTerminal = (args: readonly string[], columns: number | null): Promise<CliRun> =>
    cli([...args, '--url', api.url], {}, 'ada', columns);

  test('a wide table is wrapped to its width, whole, with instants to the second', async () => {
    api.answer(() => ({ body: { data: [letter], next_cursor: null } }));
    const { out } = await onTerminal(['dead-letters', 'list'], 190);
    expect(widest(out)).toBeLessThanOrEqual(190);
    expect(out).toContain('2024-01-15T10:00:00Z');
    for (const word of new Set(words(letter.detail).split(' '))) expect(words(out)).toContain(word);
    expect(out).toContain(letter.dead_letter_id);
  });

  test('a pipe gets lines as long as they are, and every digit', async () => {
    api.answer(() => ({ body: { data: [letter], next_cursor: null } }));
    const { out } = await onTerminal(['dead-letters', 'list'], null);
    expect(out).toContain(letter.detail);
    expect(out).toContain(letter.received_at);
    expect((await onTerminal(['dead-letters', 'list', '--json'], 80)).out).toContain(letter.received_at);
  });

  test('tables within an event are wrapped, too', async () => {
    api.answer(() => ({ body: { event_id: 'evt_1', adjustments: [letter] } }));
    expect(widest((await onTerminal(['events', 'show', 'c', 'e'], 190)).out)).toBeLessThanOrEqual(190);
  });

  test('a table that fits is as it is', async () => {
    api.answer(() => ({ body: { data: [{ ...letter, detail: 'short' }], next_cursor: null } }));
    const wide = await onTerminal(['dead-letters', 'list'], 500);
    const piped = await onTerminal(['dead-letters', 'list'], null);
    expect(wide.out.split('\n')).toHaveLength(piped.out.split('\n').length);
  });
});

test('ledger checklist says what of a month is open, and has a help of its own', async () => {
  api.answer(() => ({ body: { month: '2024-01', drafts: 0, unbilled: 0, unapplied_payments: 0, data: [] } }));
  expect((await run('ledger', 'checklist', '2024-01')).out).toBe('2024-01: nothing is open.\n');
  expect(api.requests[0]?.path).toBe('/ledger/months/2024-01/checklist');
  expect((await run('ledger', 'checklist', '--help')).out).toContain('ledger checklist');
});

test('reconcile leaves out meters of which no stage has anything, but not where they differ', async () => {
  const zero = { count: 0, quantity: '0' };
  const stages = (meter: string, count: number) => ({
    ...{
      meter,
      events: { stored: count, count, quantity: String(count) },
      aggregates: zero,
      lines: null,
      journal: null,
    },
    charges: { quantity: String(count), amount: '0' },
  });
  const result = (customer_id: string, name: string, list: readonly object[]) => ({
    ...{ customer_id, period: '2024-01-01', result: name, report: { stages: list, differences: [] } },
  });
  const results = [
    result('c', 'equal', [stages('unused', 0), stages('used', 3)]),
    result('d', 'different', [stages('lost', 0)]),
  ];
  const run_ = { run_id: 'r', status: 'finished', periods: 2, different: 0, findings: {}, results: { data: results } };
  api.answer(() => ({ body: run_ }));
  const { out } = await run('reconciliations', 'show', 'r');
  expect(out).toMatch(/used .*3 events/);
  expect(out).toContain('lost');
  expect(out).not.toContain('unused');
});

test('what nobody asked for by name was done by the program', async () => {
  const entry = { at: '2024-01-15T10:00:00Z', sequence: 7, actor: null, changes: [], scope: 'customer/c' };
  api.answer(() => ({ body: { data: [entry], next_cursor: null } }));
  expect((await run('audit', 'list')).out).toContain('(the program)');
});
