/** Adjusting events, re-rating, reconciling, verifying, voiding, findings: what the commands ask for and print. */
import { cli, stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { run, paths, bodyOf } = api;

describe('in whose name', () => {
  const actors = (): readonly unknown[] => api.requests.map(({ headers }) => headers['x-reckoner-actor']);

  it('is told by --as, else by RECKONER_ACTOR, else the user of the computer', async () => {
    api.answer(() => ({ body: { data: [] } }));
    await run('findings', '--as', 'bob');
    await cli(['findings', '--url', api.url], { RECKONER_ACTOR: 'carol' });
    await run('findings');
    expect(actors()).toEqual(['bob', 'carol', 'ada']);
  });

  it('is refused when it cannot be sent', async () => {
    const result = await run('findings', '--as', 'Ада');
    expect(result).toMatchObject({ code: 2 });
    expect(result.err).toContain('--as');
    expect(api.requests).toEqual([]);
  });

  it('is nobody where the computer’s user has a name of the program', async () => {
    api.answer(() => ({ body: { data: [] } }));
    for (const user of ['reckoner', 'Ада', null]) await cli(['findings', '--url', api.url], {}, user);
    expect(actors()).toEqual([undefined, undefined, undefined]);
  });
});

describe('events', () => {
  it('void says which event, and why', async () => {
    api.answer(() => ({ status: 202, body: { status: 'accepted', adjustment_id: 'a1' } }));
    const result = await run('events', 'void', 'c', 'evt', '--source', 's', '--reason', 'test call');
    expect(result).toMatchObject({ code: 0 });
    expect(paths()).toEqual(['POST /event-adjustments']);
    expect(bodyOf(0)).toEqual({
      customer_id: 'c',
      event_id: 'evt',
      source: 's',
      type: 'void',
      reason: 'test call',
    });
    expect(api.requests[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(result.out).toMatch(/status +accepted/);
  });

  it('amend sends numbers as they are written', async () => {
    api.answer(() => ({ status: 202, body: {} }));
    const metadata = '{"bytes":0.10000000000000000001}';
    await run(
      'events',
      'amend',
      'c',
      'evt',
      '--event-type',
      't',
      '--time',
      '2024-01-01T00:00:00Z',
      '--metadata',
      metadata,
    );
    expect(api.requests[0]?.body).toBe(
      `{"customer_id":"c","event_id":"evt","type":"amend","replacement":{"event_type":"t","event_time":"2024-01-01T00:00:00Z","metadata":${metadata}}}`,
    );
  });

  it.each(['{', '5', '[]', '"x"'])('amend refuses metadata %p', async (metadata) => {
    const args = ['events', 'amend', 'c', 'e', '--event-type', 't', '--time', 'x', '--metadata', metadata];
    expect(await run(...args)).toMatchObject({ code: 2 });
    expect(api.requests).toEqual([]);
  });

  it('show asks for the event of that source', async () => {
    api.answer(() => ({ body: { event_id: 'e/1', adjustments: [{ type: 'void' }], effective: null } }));
    expect((await run('events', 'show', 'c', 'e/1', '--source', 's')).out).toMatch(/void/);
    expect(api.requests[0]).toMatchObject({ path: '/events/c/e%2F1', query: { source: 's' } });
  });
});

const reRating = {
  re_rating_id: 'r-1',
  status: 'completed',
  reason: 'price_correction',
  price_book: { code: 'standard', version: 'v2@x' },
  dry_run: false,
  requested_by: 'ada',
  requested_at: '2024-02-01T00:00:00Z',
  attempt: 1,
  periods: 1,
  differences: [
    {
      customer_id: 'c',
      period: '2024-01-01',
      meter: 'api_calls',
      group: { region: 'eu' },
      original_amount: '118.72',
      corrected_amount: '118.80',
      difference: '0.08',
      currency: 'USD',
    },
  ],
  differences_truncated: false,
  corrections: ['inv-2'],
  held: [],
  decisions: [{ attempt: 1, decision: 'approved', decided_by: 'bob', reason: 'seen' }],
};

describe('re-ratings', () => {
  it('re-rate sends its scope, waits, and prints what was corrected', async () => {
    const statuses = ['comparing', 'correcting', 'completed'];
    api.answer(({ method }) => ({
      status: method === 'POST' ? 202 : 200,
      body: { ...reRating, status: statuses.shift() },
    }));
    const scope = [
      '--customer',
      'c',
      '--customer',
      'd',
      '--meter',
      'api_calls',
      '--from',
      '2024-01',
      '--to',
      '2024-02-15',
    ];
    const book = ['--price-book', 'standard@v2@x', '--dry-run', '--wait'];
    const result = await run('re-rate', '--reason', 'price_correction', ...scope, ...book);
    expect(result).toMatchObject({ code: 0, waits: [500, 500] });
    expect(bodyOf(0)).toEqual({
      reason: 'price_correction',
      scope: {
        customer_ids: ['c', 'd'],
        meters: ['api_calls'],
        from: '2024-01-01T00:00:00Z',
        to: '2024-02-15T00:00:00Z',
      },
      price_book: { code: 'standard', version: 'v2@x' },
      dry_run: true,
    });
    expect(paths()).toEqual(['POST /re-ratings', 'GET /re-ratings/r-1', 'GET /re-ratings/r-1']);
    expect(result.out).toMatch(/region=eu.*118\.72.*118\.80.*0\.08.*USD/);
    expect(result.out).toMatch(/Decision +approved by bob, attempt 1: seen/);
    expect(result.out).toMatch(/Correction +inv-2/);
  });

  it('re-rate does not wait unless told, and waiting ends where a person decides', async () => {
    api.answer(() => ({ status: 202, body: { ...reRating, status: 'comparing' } }));
    expect(await run('re-rate', '--reason', 'manual', '--customer', 'c')).toMatchObject({ code: 0, waits: [] });
    expect(bodyOf(0)).toEqual({ reason: 'manual', scope: { customer_ids: ['c'] }, dry_run: false });
    const late = await run('re-rate', '--reason', 'manual', '--customer', 'c', '--wait', '1');
    expect(late).toMatchObject({ code: 1, waits: [500, 500] });
    expect(late.err).toContain('still comparing');
    api.answer(() => ({ body: { ...reRating, status: 'awaiting_approval' } }));
    expect(await run('re-rate', '--reason', 'manual', '--customer', 'c', '--wait')).toMatchObject({
      code: 0,
      waits: [],
    });
  });

  it('re-rate fails when periods are held', async () => {
    const held = [{ customer_id: 'c', period: '2024-01-01', detail: 'no price' }];
    api.answer(() => ({ body: { ...reRating, held } }));
    const result = await run('re-rate', '--reason', 'manual', '--customer', 'c', '--wait');
    expect(result).toMatchObject({ code: 1 });
    expect(result.out).toContain('no price');
  });

  it.each([
    [['--price-book', 'standard']],
    [['--price-book', '@v1']],
    [['--price-book', 'standard@']],
    [['--wait', 'x']],
  ])('re-rate refuses %p', async (args) => {
    expect(await run('re-rate', '--reason', 'manual', ...args)).toMatchObject({ code: 2 });
    expect(api.requests).toEqual([]);
  });

  it('list, show, approve and reject', async () => {
    api.answer(() => ({ body: { data: [reRating], next_cursor: null } }));
    const filter = ['--status', 'awaiting_approval', '--customer', 'c', '--reason', 'late_usage'];
    expect((await run('re-ratings', 'list', ...filter)).out).toMatch(/ada.*price_correction.*completed.*r-1/);
    expect(api.requests[0]?.query).toEqual({ status: 'awaiting_approval', customer_id: 'c', reason: 'late_usage' });
    api.answer(() => ({ body: reRating }));
    expect((await run('re-ratings', 'show', 'r-1')).out).toMatch(/Status +completed/);
    await run('re-ratings', 'approve', 'r-1', '--reason', 'seen', '--as', 'bob');
    await run('re-ratings', 'reject', 'r-1');
    expect(paths().slice(1)).toEqual([
      'GET /re-ratings/r-1',
      'POST /re-ratings/r-1/approve',
      'POST /re-ratings/r-1/reject',
    ]);
    expect([bodyOf(2), bodyOf(3)]).toEqual([{ reason: 'seen' }, {}]);
    expect(api.requests[2]?.headers['x-reckoner-actor']).toBe('bob');
  });
});

const usage = { count: 1235, quantity: '1235', digest: 'f' };
const result = {
  customer_id: 'c',
  period: '2024-01-01',
  result: 'equal',
  report: {
    state: 'invoiced',
    stages: [
      {
        meter: 'api_calls',
        events: usage,
        aggregates: usage,
        charges: { ...usage, amount: '118.80' },
        lines: { amount: '118.80' },
        journal: { amount: '118.80' },
      },
    ],
    differences: [],
  },
};
const finished = {
  run_id: 'run-1',
  status: 'finished',
  requested_by: 'ada',
  requested_at: 'then',
  periods: 1,
  different: 0,
  findings: {},
  results: { data: [result], next_cursor: null },
};

describe('reconciliations', () => {
  it('reconcile waits and prints the stages', async () => {
    const statuses = ['running', 'finished'];
    api.answer(({ method }) => {
      if (method === 'POST') return { status: 202, body: { run_id: 'run-1', status: 'running' } };
      return { body: { ...finished, status: statuses.shift() } };
    });
    const done = await run('reconcile', '--customer', 'c', '--from', '2024-01-01', '--wait');
    expect(done).toMatchObject({ code: 0, waits: [500] });
    expect(bodyOf(0)).toEqual({ customer_ids: ['c'], from: '2024-01-01T00:00:00Z' });
    expect(done.out).toMatch(/api_calls.*1235 events, quantity 1235.*118\.80.*118\.80.*equal/);
  });

  it('differences are printed, and fail the command', async () => {
    const difference = {
      stage: 'aggregates→charges',
      meter: 'api_calls',
      class: 'missing',
      expected: { count: 3 },
      found: { count: 2 },
      detail: 'one is missing',
    };
    const different = { ...result, result: 'different', report: { ...result.report, differences: [difference] } };
    api.answer(({ path }) =>
      path.endsWith('/results')
        ? { body: { data: [different], next_cursor: null } }
        : { body: { ...finished, periods: 9, different: 1, findings: { missing: 1 } } },
    );
    const shown = await run('reconciliations', 'show', 'run-1');
    expect(shown).toMatchObject({ code: 1 });
    expect(shown.out).toMatch(/Findings +missing 1/);
    expect(shown.out).toMatch(/aggregates→charges.*missing.*3 events.*2 events.*one is missing/);
    expect(shown.err).toContain('1 of 9 periods differ');
    expect(api.requests.at(-1)).toMatchObject({
      path: '/reconciliations/run-1/results',
      query: { result: 'different' },
    });
  });

  it('without --wait says where to look; waiting ends', async () => {
    api.answer(({ method }) =>
      method === 'POST' ? { status: 202, body: { run_id: 'run-1' } } : { body: { ...finished, status: 'running' } },
    );
    const asked = await run('reconcile');
    expect(asked).toMatchObject({ code: 0 });
    expect(asked.out).toContain('run-1');
    expect(bodyOf(0)).toEqual({});
    expect(await run('reconcile', '--wait', '1')).toMatchObject({ code: 1, waits: [500, 500] });
  });

  it('list is a table', async () => {
    api.answer(() => ({ body: { data: [finished], next_cursor: null } }));
    expect((await run('reconciliations')).out).toMatch(/ada.*finished.*1.*0.*run-1/);
  });
});

describe('verify', () => {
  const figures = { event_count: 1, quantity: '1', amount: '0.1', digest: 'a' };
  const verification = {
    ...{ invoice_id: 'inv-1', number: 'INV-000001', type: 'invoice', status: 'issued', customer_id: 'c' },
    ...{ period: '2024-01-01', currency: 'USD', cutoff_position: '1234', verified: true },
    lines: [
      {
        line_key: 'k',
        meter: 'api_calls',
        group: {},
        expected: '118.72',
        found: '118.72',
        difference: '0.00',
        found_quantity: '1234',
      },
    ],
    total: { expected: '118.72', found: '118.72', difference: '0.00' },
    charges: [{ charge_id: 'ch-1', meter: 'api_calls', expected: figures, found: figures, verified: true }],
    document_hash: { verified: true },
    journal: { verified: true, differences: [] },
    problems: [],
  };

  it('prints expected, found and difference line by line', async () => {
    api.answer(() => ({ body: verification }));
    const shown = await run('verify', 'INV-000001');
    expect(shown).toMatchObject({ code: 0 });
    expect(api.requests[0]?.path).toBe('/invoices/INV-000001/verify');
    expect(shown.out).toMatch(/api_calls.*1234.*118\.72.*118\.72.*0\.00/);
    expect(shown.out).toMatch(/Verified +yes/);
    expect(shown.out).toMatch(/Charges +1 of 1/);
  });

  it('calls fees and the commitment by their names', async () => {
    const [line] = verification.lines;
    const keys = ['{"fee":"Platform fee","billed":"in_advance"}', '{"fee":"Setup","billed":"in_arrears"}'];
    const lines = [...keys, '{"minimum_commitment":true}'].map((key) => ({ ...line, meter: null, line_key: key }));
    api.answer(() => ({ body: { ...verification, lines } }));
    const { out } = await run('verify', 'INV-000001');
    expect(out).toMatch(/Platform fee \(in advance\) │[\s\S]*│ Setup +│[\s\S]*│ Minimum commitment +│[\s\S]*│ Total /);
  });

  it('fails when the invoice is not what it must be, and says where', async () => {
    api.answer(() => ({
      body: {
        ...verification,
        verified: false,
        lines: [{ ...verification.lines[0], expected: '118.80', difference: '-0.08' }],
        charges: [{ ...verification.charges[0], found: { ...figures, event_count: 2 }, verified: false }],
        document_hash: { verified: false },
        journal: { verified: false, differences: [{ detail: 'revenue is short' }] },
        problems: ['api_calls: no price'],
      },
    }));
    const shown = await run('verify', 'inv-1');
    expect(shown).toMatchObject({ code: 1 });
    expect(shown.out).toMatch(/118\.80.*118\.72.*-0\.08/);
    expect(shown.out).toMatch(/ch-1.*1 \/ 1 \/ 0\.1 \/ a.*2 \/ 1 \/ 0\.1 \/ a/);
    for (const text of ['DIFFERS', 'revenue is short', 'api_calls: no price']) expect(shown.out).toContain(text);
  });
});

describe('invoices, periods, findings', () => {
  it('invoices void needs a reason, and prints the void invoice', async () => {
    api.answer(() => ({ body: { number: 'INV-000001', type: 'invoice', status: 'void', lines: [] } }));
    expect(await run('invoices', 'void', 'inv-1')).toMatchObject({ code: 2 });
    const voided = await run('invoices', 'void', 'inv-1', '--reason', 'wrong customer');
    expect(paths()).toEqual(['POST /invoices/inv-1/void']);
    expect(bodyOf(0)).toEqual({ reason: 'wrong customer' });
    expect(voided.out).toContain('INV-000001 (invoice, void)');
  });

  it('periods list shows stages and how many corrections', async () => {
    const days = { from: '2023-12-31T23:00:00.000000Z', to: '2024-01-31T23:00:00.000000Z', time_zone: 'Europe/Berlin' };
    const corrections = ['a', 'b'];
    const period = { period: '2024-01-01', ...days, stage: 'invoiced', invoice_id: 'inv-1', corrections };
    api.answer(() => ({ body: { data: [period], next_cursor: 'n' } }));
    const list = await run('periods', 'list', 'c', '--limit', '1');
    expect(api.requests[0]).toMatchObject({ path: '/billing-periods', query: { customer_id: 'c', limit: '1' } });
    expect(list.out).toMatch(/2024-01-01 to 2024-01-31.*invoiced.*inv-1.*2/);
    expect(list.err).toContain('--cursor n');
  });

  it('findings without a subcommand list, --open only those that are open', async () => {
    const finding = { code: 'X', class: 'missing', finding_id: 'f-1', resolution: { resolution: 'accepted' } };
    api.answer(() => ({ body: { data: [finding], next_cursor: null } }));
    expect((await run('findings', '--open', '--class', 'missing')).out).toMatch(/X.*missing.*accepted.*f-1/);
    expect(api.requests[0]).toMatchObject({ path: '/findings', query: { resolved: 'false', class: 'missing' } });
    expect(await run('dead-letters')).toMatchObject({ code: 0 });
    expect(api.requests[1]?.path).toBe('/dead-letters');
  });

  it('findings resolve keeps a decision', async () => {
    api.answer(() => ({ body: { finding_id: 'f-1', resolution: { resolution: 'fixed' } } }));
    expect(await run('findings', 'resolve', 'f-1', '--resolution', 'fixed')).toMatchObject({ code: 2 });
    const resolved = await run('findings', 'resolve', 'f-1', '--resolution', 'fixed', '--reason', 'done');
    expect(resolved.out).toMatch(/resolution\.resolution +fixed/);
    expect(paths()).toEqual(['POST /findings/f-1/resolve']);
    expect(bodyOf(0)).toEqual({ resolution: 'fixed', reason: 'done' });
  });
});
