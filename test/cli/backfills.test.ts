import { stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { run, file, paths, bodyOf } = api;

const backfill = {
  backfill_id: 'b-1',
  customer_ids: ['acme', 'other'],
  from: '2024-01-01T00:00:00Z',
  to: '2024-02-01T00:00:00Z',
  mode: 'replace',
  status: 'closed',
  reason: 'lost log',
  created_by: 'ann',
  created_at: '2024-03-01T00:00:00Z',
  decisions: [{ decision: 'closed', decided_by: 'bob', reason: null }],
  events: 7,
};

describe('backfill', () => {
  it('create sends customers, range and mode; months are those of UTC', async () => {
    api.answer(() => ({ status: 201, body: backfill }));
    const args = ['--customer', 'acme', '--customer', 'other', '--from', '2024-01', '--to', '2024-02-01'];
    const created = await run('backfill', 'create', ...args, '--replace', '--reason', 'lost log');
    expect(created).toMatchObject({ code: 0 });
    expect(created.out).toMatch(/Backfill +b-1[\s\S]*Customers +acme, other[\s\S]*by ann: lost log/);
    expect(bodyOf(0)).toEqual({
      customer_ids: ['acme', 'other'],
      from: '2024-01-01T00:00:00Z',
      to: '2024-02-01T00:00:00Z',
      mode: 'replace',
      reason: 'lost log',
    });
    expect(await run('backfill', 'create', '--customer', 'acme', '--from', '2024-01')).toMatchObject({ code: 2 });
    await run('backfill', 'create', '--customer', 'acme', '--from', '2024-01', '--to', '2024-02');
    expect(bodyOf(1)).toMatchObject({ mode: 'add' });
    expect(api.requests[0]?.headers['idempotency-key']).not.toBe(api.requests[1]?.headers['idempotency-key']);
  });

  it('list, show, close, revert', async () => {
    const many = { ...backfill, customer_ids: ['a', 'b', 'c', 'd'] };
    api.answer(({ path }) => ({ body: path === '/backfills' ? { data: [many], next_cursor: null } : backfill }));
    const listed = await run('backfill', 'list', '--customer', 'acme', '--status', 'open');
    expect(listed.out).toMatch(/ann.*4 customers.*replace.*closed.*b-1/);
    expect(api.requests[0]).toMatchObject({ query: { customer_id: 'acme', status: 'open' } });
    expect((await run('backfill', 'show', 'b-1')).out).toMatch(/Events +7[\s\S]*Decision +closed by bob/);
    await run('backfill', 'close', 'b-1', '--reason', 'complete');
    await run('backfill', 'revert', 'b-1');
    expect(paths().slice(1)).toEqual(['GET /backfills/b-1', 'POST /backfills/b-1/close', 'POST /backfills/b-1/revert']);
    expect([bodyOf(2), bodyOf(3)]).toEqual([{ reason: 'complete' }, {}]);
  });

  it('import sends every batch for it; the same file for another backfill begins anew', async () => {
    const csv = file('usage.csv', 'id,time\n1,2024-01-15T10:00:00Z\n2,2024-01-15T11:00:00Z\n');
    api.answer(({ body }) => {
      const { events } = JSON.parse(body) as { events: unknown[] };
      return { status: 202, body: { accepted: events.length, duplicates: 0, rejected: 0, results: [] } };
    });
    const args = [csv, '--customer', '=acme', '--event-type', 'api_call', '--time', 'time', '--batch-size', '1'];
    expect(await run('import', ...args, '--no-state', '--backfill', 'b-1')).toMatchObject({ code: 0 });
    expect(api.requests.map(({ query }) => query)).toEqual([{ backfill_id: 'b-1' }, { backfill_id: 'b-1' }]);
    await run('import', ...args, '--no-state');
    expect(api.requests[2]?.query).toEqual({});
  });
});

describe('dead-letters', () => {
  const letter = (id: string, payload: string) => ({
    dead_letter_id: id,
    code: 'VALUE_PROPERTY_MISSING',
    detail: 'no bytes',
    customer_id: 'acme',
    event_id: 'e',
    payload,
    received_at: '2024-03-01T00:00:00Z',
    status: 'open',
    backfill_id: null,
    decisions: [{ decision: 'replayed', outcome: 'rejected', code: 'X', decided_by: 'ann', reason: 'try' }],
  });
  const digits = '12345678901234567890.123456789012345678';

  it('list filters, show tells every decision, discard needs a reason', async () => {
    api.answer(({ path }) => ({
      body: path === '/dead-letters' ? { data: [letter('d-1', '{}')], next_cursor: null } : letter('d-1', '{}'),
    }));
    const listed = await run('dead-letters', '--code', 'A', '--customer', 'acme', '--since', '2024-01-01T00:00:00Z');
    expect(listed.out).toMatch(/VALUE_PROPERTY_MISSING.*acme.*open.*d-1/);
    expect(api.requests[0]?.query).toEqual({ code: 'A', customer_id: 'acme', since: '2024-01-01T00:00:00Z' });
    expect((await run('dead-letters', 'show', 'd-1')).out).toMatch(/replayed \(rejected, X\) by ann: try/);
    expect(await run('dead-letters', 'discard', 'd-1')).toMatchObject({ code: 2 });
    await run('dead-letters', 'discard', 'd-1', '--reason', 'a test');
    expect(bodyOf(2)).toEqual({ reason: 'a test' });
  });

  it('export writes every page as lines, digit by digit; replay sends them back as they were mended', async () => {
    const pages = [
      { data: [letter('d-1', `{"event_id":"e","metadata":{"bytes":${digits}}}`)], next_cursor: 'next' },
      { data: [letter('d-2', '{"cut off')], next_cursor: null },
    ];
    api.answer(({ query }) => ({ body: pages[query['cursor'] === undefined ? 0 : 1] }));
    const exported = await run('dead-letters', 'export', '--code', 'VALUE_PROPERTY_MISSING');
    const [first = '', second = ''] = exported.out.trim().split('\n');
    expect(first).toContain(digits);
    expect(JSON.parse(second)).toEqual({
      dead_letter_id: 'd-2',
      code: 'VALUE_PROPERTY_MISSING',
      detail: 'no bytes',
      event: '{"cut off',
    });

    const outcomes = ['accepted', 'rejected'];
    api.answer(({ path }) => {
      if (path.includes('d-3')) return { status: 409, body: { code: 'DEAD_LETTER_NOT_OPEN', detail: 'settled' } };
      return { body: { outcome: outcomes.shift(), rejection: { code: 'X', detail: 'still wrong' } } };
    });
    const mended = [
      first,
      second.replace('"{\\"cut off"', '{"event_id":"whole"}'),
      '{"dead_letter_id":"d-3","event":{}}',
    ];
    const path = file('letters.ndjson', `${mended.join('\n')}\n`);
    const replayed = await run('dead-letters', 'replay', path, '--reason', 'mended');
    expect(replayed.code).toBe(1);
    expect(replayed.err).toContain('d-2: X: still wrong');
    expect(replayed.out).toMatch(/accepted +1[\s\S]*rejected +1[\s\S]*already settled +1/);
    expect(paths().slice(2)).toEqual(['d-1', 'd-2', 'd-3'].map((id) => `POST /dead-letters/${id}/replay`));
    expect(api.requests[2]?.body).toContain(`"bytes":${digits}`);
    expect(bodyOf(3)).toEqual({ event: { event_id: 'whole' }, reason: 'mended' });
  });

  it('a file with a line that cannot be sent sends nothing', async () => {
    for (const line of ['no JSON', '{"event":{}}', '{"dead_letter_id":"d","event":"text"}']) {
      const path = file('letters.ndjson', `{"dead_letter_id":"d-1","event":{}}\n${line}\n`);
      const result = await run('dead-letters', 'replay', path);
      expect(result).toMatchObject({ code: 2, err: expect.stringContaining('letters.ndjson:2') });
    }
    expect(api.requests).toEqual([]);
  });

  it('replays one as it was kept, or many by filter; one way at a time', async () => {
    const counts = { replayed: 2, accepted: 1, duplicates: 0, rejected: 1, rejected_by_code: { UNKNOWN_CUSTOMER: 1 } };
    api.answer(({ path }) => ({
      body: path === '/dead-letters/replay' ? counts : { ...letter('d-1', '{}'), outcome: 'accepted' },
    }));
    expect(await run('dead-letters', 'replay', '--id', 'd-1')).toMatchObject({ code: 0 });
    const many = await run('dead-letters', 'replay', '--all', '--code', 'UNKNOWN_CUSTOMER', '--limit', '5');
    expect(many.out).toMatch(/UNKNOWN_CUSTOMER +1/);
    expect(bodyOf(1)).toEqual({ code: 'UNKNOWN_CUSTOMER', limit: 5 });
    expect(await run('dead-letters', 'replay')).toMatchObject({ code: 2 });
    expect(await run('dead-letters', 'replay', '--all', '--id', 'd-1')).toMatchObject({ code: 2 });
  });
});
