/** Finding events: what is asked of the API, and what a person sees. */
import { stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { run } = api;

describe('finding events', () => {
  const exact = '{"n":12345678901234567890.123456789012345678,"region":"eu"}';
  const event = {
    ...{ event_id: 'e1', source: 's', customer_id: 'c 1', event_type: 'api_call', backfill_id: null },
    ...{ event_time: '2024-01-15T10:00:00.000000Z', ingestion_time: '2024-01-16T10:00:00.000000Z' },
  };
  const page = `{"data":[${JSON.stringify(event).slice(0, -1)},"metadata":${exact}}],"next_cursor":"abc"}`;

  it('asks for what was wanted, and prints a table with numbers as they were sent', async () => {
    api.answer(() => ({ body: Buffer.from(page), headers: { 'content-type': 'application/json' } }));
    const result = await run(
      ...['events', 'list', 'c 1', '--type', 'api_call', '--from', '2024-01', '--to', '2024-01-16T00:00:00Z'],
      ...['--limit', '5', '--cursor', 'xyz'],
    );
    expect(result.code).toBe(0);
    expect(api.requests[0]).toMatchObject({ method: 'GET', path: '/events' });
    expect(api.requests[0]?.query).toEqual({
      ...{ customer_id: 'c 1', event_type: 'api_call', from: '2024-01-01T00:00:00Z', to: '2024-01-16T00:00:00Z' },
      ...{ limit: '5', cursor: 'xyz' },
    });
    expect(result.out).toMatch(/2024-01-15T10:00:00\.000000Z.*e1.*s.*api_call.*2024-01-16T10:00:00\.000000Z/);
    expect(result.out).toContain(exact);
    expect(result.err).toBe('More: repeat with --cursor abc\n');
  });

  it('prints the answer as it is with --json', async () => {
    api.answer(() => ({ body: Buffer.from(page), headers: { 'content-type': 'application/json' } }));
    const { out, err } = await run('events', 'list', 'c 1', '--json');
    expect(out.replaceAll(/\s+(?=["{}[\]])|(?<=:) /g, '')).toContain(exact);
    expect(JSON.parse(out)).toMatchObject({ data: [{ event_id: 'e1' }], next_cursor: 'abc' });
    expect(err).toBe('');
  });

  it('says what is wrong with the answer', async () => {
    api.answer(() => ({ body: Buffer.from('no JSON'), headers: { 'content-type': 'text/html' } }));
    const result = await run('events', 'list', 'c');
    expect([result.code === 0, result.err]).toEqual([false, expect.stringContaining('not JSON')]);
  });
});
