import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cli, eventsIn, ledger, stubOfEachTest } from './support/stub-api.js';
import type { CliRun } from './support/stub-api.js';

const api = stubOfEachTest();
const { file } = api;

function csvFile(rows: number, name = 'trace.csv'): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const seconds = String(i % 60).padStart(2, '0');
    return `2023-11-16 18:${String(Math.floor(i / 60) % 60).padStart(2, '0')}:${seconds}.6805900,${i + 1},${2 * i}`;
  });
  return file(name, ['TIMESTAMP,ContextTokens,GeneratedTokens', ...lines].join('\r\n'));
}

const mapping = [
  ...['--customer', 'cust_{row%20}', '--event-type', 'llm_request', '--time', 'TIMESTAMP', '--assume-utc'],
  ...['--value', 'input=ContextTokens', '--value', 'output=GeneratedTokens'],
];
async function run(path: string, ...more: string[]): Promise<CliRun> {
  return cli(['import', path, ...mapping, '--url', api.url, ...more], {
    RECKONER_STATE_DIR: join(api.folder, 'state'),
  });
}

describe('reckoner import', () => {
  it('sends each row once, as the options say', async () => {
    const events = ledger();
    api.answer(events.take);
    const result = await run(csvFile(45), '--source', 'trace', '--metadata', 'line={row}');
    expect(result).toMatchObject({ code: 0, err: '' });
    expect(result.out).toMatch(/Accepted +45/);
    expect(events.stored.size).toBe(45);
    const [[id, first] = []] = events.stored;
    expect(id).toMatch(/^[0-9a-f]{16}-1$/);
    expect(first).toEqual({
      event_id: id,
      source: 'trace',
      customer_id: 'cust_1',
      event_type: 'llm_request',
      event_time: '2023-11-16T18:00:00.6805900Z',
      metadata: { line: '1', input: '1', output: '0' },
    });
    expect([...events.stored.values()].filter((event) => event.customer_id === 'cust_0')).toHaveLength(2);
  });

  it('is safe to repeat, also under another name', async () => {
    const events = ledger();
    api.answer(events.take);
    await run(csvFile(45));
    expect((await run(csvFile(45))).out).toMatch(/Accepted +0\nDuplicates +45/);
    expect((await run(csvFile(45, 'copy.csv'))).out).toMatch(/Accepted +0\nDuplicates +45/);
    expect(events.stored.size).toBe(45);
  });

  it('cuts batches by number', async () => {
    api.answer(ledger().take);
    await run(csvFile(45), '--batch-size', '20');
    expect(api.requests.map((request) => eventsIn(request).length).sort()).toEqual([20, 20, 5]);
  });

  it('cuts batches before a request becomes too large', async () => {
    const events = ledger();
    api.answer(events.take);
    const wide = file(
      'wide.csv',
      [
        'TIMESTAMP,ContextTokens,GeneratedTokens',
        ...Array.from({ length: 700 }, (_, i) => `2023-11-16T18:00:00Z,${i},${'9'.repeat(15_000)}`),
      ].join('\n'),
    );
    expect(await run(wide)).toMatchObject({ code: 0 });
    expect(events.stored.size).toBe(700);
    expect(api.requests.length).toBeGreaterThan(1);
    for (const { body } of api.requests) expect(Buffer.byteLength(body)).toBeLessThan(5 * 1024 * 1024);
  });

  it('imports the rows between --skip and --limit under the numbers that they always have', async () => {
    const events = ledger();
    api.answer(events.take);
    await run(csvFile(45), '--skip', '10', '--limit', '3');
    expect([...events.stored.keys()].map((id) => id.split('-')[1])).toEqual(['11', '12', '13']);
    await run(csvFile(45));
    expect(events.stored.size).toBe(45);
  });

  it('reads NDJSON, nested columns and long numbers included', async () => {
    const events = ledger();
    api.answer(events.take);
    const path = file(
      'usage.ndjson',
      '{"at":"2024-01-15T10:00:00Z","who":"c1","usage":{"n":12345678901234567890.10}}\n\n{"at":"2024-01-15T10:00:01+01:00","who":"c2","usage":{"n":null}}\n',
    );
    const args = [
      '--customer',
      'who',
      '--event-type',
      't',
      '--time',
      'at',
      '--value',
      'n=usage.n',
      '--event-id',
      '{who}-{row}',
    ];
    expect(await cli(['import', path, ...args, '--url', api.url, '--no-state'])).toMatchObject({ code: 0 });
    expect([...events.stored.values()]).toEqual([
      expect.objectContaining({ event_id: 'c1-1', customer_id: 'c1', metadata: { n: '12345678901234567890.10' } }),
      expect.objectContaining({ event_id: 'c2-2', event_time: '2024-01-15T10:00:01+01:00', metadata: {} }),
    ]);
  });

  it('takes a customer as a column, a literal text or a template', async () => {
    const events = ledger();
    api.answer(events.take);
    const path = file('c.csv', 'at,customer\n2024-01-01T00:00:00Z,acme\n');
    for (const customer of ['customer', '=customer', 'other', '{customer}_{row}']) {
      const args = [
        '--customer',
        customer,
        '--event-type',
        't',
        '--time',
        'at',
        '--event-id',
        customer.replace(/\W/g, '.'),
      ];
      await cli(['import', path, ...args, '--url', api.url, '--no-state']);
    }
    expect([...events.stored.values()].map((event) => event.customer_id)).toEqual([
      'acme',
      'customer',
      'other',
      'acme_1',
    ]);
  });

  it('prints the first events and sends nothing with --dry-run', async () => {
    const result = await run(csvFile(45), '--dry-run');
    expect(result.code).toBe(0);
    expect(result.out.trim().split('\n')).toHaveLength(5);
    expect(JSON.parse(result.out.split('\n')[0] ?? '')).toMatchObject({
      customer_id: 'cust_1',
      metadata: { input: '1' },
    });
    expect(api.requests).toHaveLength(0);
  });
});

describe('rejected rows', () => {
  it('are counted and shown with their row numbers, and make the exit code 1', async () => {
    const future = { code: 'EVENT_TIME_IN_FUTURE', detail: 'too early' };
    api.answer(ledger((event) => (/-(7|33)$/.test(event.event_id) ? future : null)).take);
    const result = await run(csvFile(45), '--batch-size', '10');
    expect(result.code).toBe(1);
    expect(result.out).toMatch(/Accepted +43/);
    expect(result.out).toMatch(/Rejected +2/);
    expect(result.out).toMatch(/ 7 .*EVENT_TIME_IN_FUTURE.*too early/);
    expect(result.out).toMatch(/ 33 .*EVENT_TIME_IN_FUTURE/);
    expect(result.err).toContain('2 rows were rejected');
  });

  it('include those that cannot be mapped; the others are sent', async () => {
    const events = ledger();
    api.answer(events.take);
    const path = file(
      'odd.csv',
      'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,1,2\n2023-11-16 18:00:01,1\n2023-11-16 18:00:02,3,4\n',
    );
    const result = await run(path, '--json');
    expect(result.code).toBe(1);
    expect(JSON.parse(result.out)).toMatchObject({
      rows: 3,
      accepted: 2,
      rejected: 1,
      rejections: [{ row: 2, code: 'WRONG_NUMBER_OF_FIELDS', detail: 'the row has 2 fields, the header 3' }],
    });
    expect(events.stored.size).toBe(2);
  });

  it('include lines of NDJSON that are no objects, or lack a column', async () => {
    api.answer(ledger().take);
    const path = file(
      'x.jsonl',
      '{"at":"2024-01-01T00:00:00Z","c":"a"}\nnot json\n{"at":"2024-01-01T00:00:00Z"}\n[1]\n7\n',
    );
    const args = ['--customer', 'c', '--event-type', 't', '--time', 'at', '--json', '--no-state', '--url', api.url];
    const { out } = await cli(['import', path, ...args]);
    expect((JSON.parse(out) as { rejections: { row: number; code: string }[] }).rejections).toMatchObject([
      { row: 2, code: 'INVALID_JSON' },
      { row: 3, code: 'COLUMN_MISSING' },
      { row: 4, code: 'INVALID_JSON' },
      { row: 5, code: 'INVALID_JSON' },
    ]);
  });

  it('are all counted, though only the first are listed', async () => {
    api.answer(ledger(() => ({ code: 'UNKNOWN_CUSTOMER', detail: 'nobody' })).take);
    const result = JSON.parse((await run(csvFile(100), '--batch-size', '7', '--json')).out) as Record<
      string,
      unknown[]
    >;
    expect(result['rejected']).toBe(100);
    expect(result['rejections']?.map((rejection) => (rejection as { row: number }).row)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  });
});

describe('an API that is busy or away', () => {
  it.each([429, 503])('is asked again after a %i, not sooner than it wishes', async (status) => {
    const events = ledger();
    let refusals = 2;
    api.answer((request) => {
      if (refusals === 0) return events.take(request);
      refusals -= 1;
      return { status, headers: { 'retry-after': '7' }, body: { code: 'OVER_CAPACITY', detail: 'busy' } };
    });
    const result = await run(csvFile(10));
    expect(result.code).toBe(0);
    expect(events.stored.size).toBe(10);
    expect(result.waits).toEqual([7000, 7000]);
    expect(result.err).toContain('OVER_CAPACITY: busy; trying again in 7.0 s');
  });

  it('is asked again when the connection breaks, also after it took the events', async () => {
    const events = ledger();
    let breaks = 3;
    api.answer((request) => {
      const answer = events.take(request);
      breaks -= 1;
      return breaks >= 0 ? { hangUp: true } : answer;
    });
    const result = await run(csvFile(10));
    expect(result.code).toBe(0);
    expect(events.stored.size).toBe(10);
    expect(result.out).toMatch(/Duplicates +10/);
    // Each wait lies between half of 250 ms × 2^n and all of it.
    result.waits.forEach((wait, n) => {
      expect(wait).toBeGreaterThanOrEqual(125 * 2 ** n);
      expect(wait).toBeLessThanOrEqual(250 * 2 ** n);
    });
  });

  it('is given up in the end, with a word on how to go on', async () => {
    api.answer(() => ({ status: 503, body: { code: 'DATABASE_UNAVAILABLE', detail: 'no database' } }));
    const result = await run(csvFile(10), '--retries', '3');
    expect(result.code).toBe(1);
    expect(result.waits).toHaveLength(3);
    expect(result.err).toContain('the same command continues it');
    expect(result.err).toContain('error: DATABASE_UNAVAILABLE: no database');
  });

  it('is not asked again what it refused', async () => {
    api.answer(() => ({ status: 413, body: { code: 'BODY_TOO_LARGE', detail: 'too large' } }));
    const result = await run(csvFile(10));
    expect(result).toMatchObject({ code: 1, waits: [] });
    expect(api.requests).toHaveLength(1);
  });
});

describe('an interrupted import', () => {
  const failFrom = (row: number, events: ReturnType<typeof ledger>): void =>
    api.answer((request) => {
      const last = eventsIn(request).at(-1)?.event_id.split('-')[1];
      return Number(last) > row ? { status: 400, body: { code: 'INVALID_JSON', detail: 'no' } } : events.take(request);
    });
  const rowsSent = (): number[] =>
    api.requests.flatMap((request) => eventsIn(request).map((event) => Number(event.event_id.split('-')[1])));

  it('continues behind the last answered batch', async () => {
    const events = ledger();
    failFrom(50, events);
    const path = csvFile(100);
    expect((await run(path, '--batch-size', '10', '--concurrency', '1')).code).toBe(1);
    const before = api.requests.length;
    api.answer(events.take);
    const result = await run(path, '--batch-size', '10', '--json');
    expect(result.code).toBe(0);
    expect(result.err).toContain('continuing after row 50');
    expect(JSON.parse(result.out)).toMatchObject({ firstRow: 51, rows: 50, accepted: 50 });
    expect(Math.min(...rowsSent().slice(before * 10))).toBe(51);
    expect(events.stored.size).toBe(100);
  });

  it('never continues behind a gap', async () => {
    const events = ledger();
    // The second batch fails while the third and fourth, sent with it, succeed.
    api.answer((request) =>
      eventsIn(request)[0]?.event_id.endsWith('-11') === true
        ? { status: 400, body: { code: 'INVALID_JSON', detail: 'no' } }
        : events.take(request),
    );
    const path = csvFile(40);
    expect((await run(path, '--batch-size', '10')).code).toBe(1);
    api.answer(events.take);
    expect((await run(path, '--batch-size', '10')).err).toContain('continuing after row 10');
    expect(events.stored.size).toBe(40);
  });

  it('begins anew when the mapping, the start or the file is another, or on demand', async () => {
    const events = ledger();
    failFrom(50, events);
    const path = csvFile(100);
    const interrupt = async (): Promise<void> =>
      void (await run(path, '--batch-size', '10', '--concurrency', '1', '--restart'));
    api.answer(events.take);
    for (const change of [['--metadata', 'a=b'], ['--skip', '5'], ['--restart'], ['--no-state']]) {
      failFrom(50, events);
      await interrupt();
      api.answer(events.take);
      expect((await run(path, ...change)).err).not.toContain('continuing');
    }
    failFrom(50, events);
    await interrupt();
    api.answer(events.take);
    const changed = await run(csvFile(101));
    expect(changed.err).not.toContain('continuing');
    expect(changed.err).toContain('the content of this file has changed');
  });

  it('sends all again after one that was finished', async () => {
    api.answer(ledger().take);
    const path = csvFile(30);
    await run(path);
    expect((await run(path)).out).toMatch(/Duplicates +30/);
  });

  it('keeps its state in one small file, and works where that is impossible', async () => {
    api.answer(ledger().take);
    const path = csvFile(30);
    await run(path);
    const states = readdirSync(join(api.folder, 'state', 'imports'));
    expect(states).toHaveLength(1);
    const state = JSON.parse(readFileSync(join(api.folder, 'state', 'imports', states[0] ?? ''), 'utf8')) as unknown;
    expect(state).toMatchObject({ acknowledgedRow: 30, finished: true });
    const blocked = file('blocked', 'a file where the folder should be');
    const result = await cli(['import', path, ...mapping, '--url', api.url], { RECKONER_STATE_DIR: blocked });
    expect(result.code).toBe(0);
    expect(result.err).toContain('the state cannot be kept');
  });
});

describe('an import that is wrongly called', () => {
  const wrong: readonly (readonly [string, readonly string[], string])[] = [
    ['a file that is not there', ['/nowhere.csv', ...mapping], 'cannot read /nowhere.csv'],
    ['a format that nobody said', ['NAMELESS', ...mapping], 'give --format'],
    ['a missing option', ['FILE', '--customer', 'c'], '--event-type'],
    ['an unknown column', ['FILE', ...mapping, '--value', 'x=Nope'], "--value x: the file has no column 'Nope'"],
    ['an unknown column of time', ['FILE', '--customer', 'c', '--event-type', 't', '--time', 'nope'], '--time'],
    ['a time without offset', ['FILE', '--customer', 'c', '--event-type', 't', '--time', 'TIMESTAMP'], '--assume-utc'],
    ['contradicting zones', ['FILE', ...mapping, '--time-zone', '+01:00'], 'contradict'],
    ['a named zone', ['FILE', ...mapping, '--time-zone', 'Europe/Berlin'], 'fixed offset'],
    ['a property given twice', ['FILE', ...mapping, '--metadata', 'input=1'], 'property input'],
    ['a value without a column', ['FILE', ...mapping, '--value', 'x='], 'name=column'],
    ['a batch too large', ['FILE', ...mapping, '--batch-size', '10001'], 'at most 10000'],
  ];
  it.each(wrong)('says so: %s', async (_name, args, message) => {
    const named = csvFile(3);
    const nameless = file('nameless', 'a');
    const real = args.map((arg) => (arg === 'FILE' ? named : arg === 'NAMELESS' ? nameless : arg));
    const result = await cli(['import', ...real, '--url', api.url, '--no-state']);
    expect(result.code).toBe(2);
    expect(result.err).toContain(message);
    expect(api.requests).toHaveLength(0);
  });
});

it('reads no further than it has been answered, however long the file', async () => {
  let answered = 0;
  let furthestAhead = 0;
  api.answer((request) => {
    const events = eventsIn(request);
    furthestAhead = Math.max(furthestAhead, Number(events.at(-1)?.event_id.split('-')[1]) - answered);
    answered += events.length;
    return { status: 202, body: { accepted: events.length, duplicates: 0, rejected: 0, results: [] } };
  });
  expect((await run(csvFile(10_000), '--batch-size', '100')).code).toBe(0);
  expect(answered).toBe(10_000);
  // What is under way is bounded by the size of a batch times the concurrency of 4, not by the file.
  expect(furthestAhead).toBeLessThanOrEqual(100 * 4);
});
