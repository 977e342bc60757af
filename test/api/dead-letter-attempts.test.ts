/** Several people about one dead letter: of what they send in its place one content counts, and the others learn of it. */
import pg from 'pg';
import { callEvent, exampleCustomer, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
let databaseUrl: string;
beforeEach(async () => {
  api = await TestApi.start({}, (url) => {
    databaseUrl = url;
    return Promise.resolve(url);
  });
  await api.setUpExample();
});
afterEach(() => api.close());

/** One that nobody could take; its corrections name a customer that is there. */
async function reject(): Promise<string> {
  await api.expect(202, 'POST', '/events', [callEvent('lost', { customer_id: 'stranger' })]);
  const [letter] = await api.deadLetters();
  return String(letter?.['dead_letter_id']);
}
interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}
function deferred(): Deferred {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
interface Answer {
  readonly status: number;
  readonly body: Json;
}
const send = async (url: string, body: Json, actor: string): Promise<Answer> => {
  const { statusCode, body: text } = await api.send('POST', url, body, { 'x-reckoner-actor': actor });
  return { status: statusCode, body: JSON.parse(text) as Json };
};
const replay = (id: string, actor: string, event?: Json): Promise<Answer> =>
  send(`/dead-letters/${id}/replay`, event === undefined ? {} : { event }, actor);
const discard = (id: string, actor: string): Promise<Answer> =>
  send(`/dead-letters/${id}/discard`, { reason: 'a test system' }, actor);
const stored = async (): Promise<number> => (await api.all('/events?customer_id=cust_1')).length;
const letterOf = (id: string): Promise<Json> => api.expect(200, 'GET', `/dead-letters/${id}`);
async function sql<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}
/** As it was left by a replay of before replays were one transaction: begun, and no decision tells what became of it. */
const begunBefore = (id: string, event: Json | null): Promise<unknown> =>
  sql(`INSERT INTO dead_letter_attempts (dead_letter_id, sequence, payload, attempted_by) VALUES ($1, 1, $2, 'ann')`, [
    id,
    event === null ? null : JSON.stringify(event),
  ]);

test('corrected at once with ids of their own: one counts, the others are refused and say by whom', async () => {
  for (let round = 0; round < 5; round += 1) {
    const id = await reject();
    const before = await stored();
    const people = ['ann', 'bob', 'cid', 'dan'];
    const answers = await Promise.all(people.map((actor) => replay(id, actor, callEvent(`${round} of ${actor}`))));
    const taken = answers.filter(({ status }) => status === 200);
    expect(taken.map(({ body }) => [body['outcome'], body['status']])).toEqual([['accepted', 'replayed']]);
    for (const { body } of answers.filter(({ status }) => status === 409)) {
      expect(body['code']).toBe('DEAD_LETTER_NOT_OPEN');
      expect(String(body['detail'])).toMatch(/by "(ann|bob|cid|dan)"/);
    }
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(3);
    expect(await stored()).toBe(before + 1);
    expect((await letterOf(id))['decisions']).toHaveLength(round * 2 + 1); // each round but the first opens it again
  }
});

test('discarded and replayed at once: it is discarded and nothing counts, or it counts and is not discarded', async () => {
  for (let round = 0; round < 5; round += 1) {
    const id = await reject();
    const before = await stored();
    const [tried, thrown] = await Promise.all([replay(id, 'ann', callEvent(`e${round}`)), discard(id, 'bob')]);
    const { status } = await letterOf(id);
    expect([tried.status, thrown.status].sort()).toEqual([200, 409]);
    expect([status, await stored()]).toEqual(tried.status === 200 ? ['replayed', before + 1] : ['discarded', before]);
  }
});

test('a replay that fails on its way has neither an event nor a decision', async () => {
  const id = await reject();
  await api.expect(201, 'PUT', '/customers/stranger', exampleCustomer);
  await sql(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'of a test' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER fail BEFORE INSERT ON dead_letter_decisions FOR EACH ROW EXECUTE FUNCTION fail()`);
  const tries = [
    () => replay(id, 'ann', callEvent('first')),
    () => replay(id, 'ann'),
    () => send('/dead-letters/replay', {}, 'ann'),
  ];
  for (const attempt of tries) {
    expect((await attempt()).status).toBeGreaterThanOrEqual(500);
    expect((await letterOf(id))['status']).toBe('open');
    expect(await sql('SELECT event_id FROM telemetry_events')).toEqual([]);
  }
  await sql('DROP TRIGGER fail ON dead_letter_decisions');
  expect(await replay(id, 'bob', callEvent('second'))).toMatchObject({ status: 200, body: { outcome: 'accepted' } });
  expect(await replay(id, 'ann', callEvent('first'))).toMatchObject({
    status: 409,
    body: { code: 'DEAD_LETTER_NOT_OPEN' },
  });
  expect(await stored()).toBe(1);
});

test('a bulk replay that read before the customer came, and decides after another replay, changes nothing', async () => {
  const id = await reject();
  const { deadLetters } = api.storage;
  const [reached, gate] = [deferred(), deferred()];
  let calls = 0;
  const late: typeof deadLetters.replay = async (...call) => {
    calls += 1;
    if (calls === 1) {
      reached.resolve();
      await gate.promise;
    }
    return deadLetters.replay(...call);
  };
  const slow = new Proxy(deadLetters, {
    get: (target, name): unknown => (name === 'replay' ? late : Reflect.get(target, name)),
  });
  Object.assign(api.storage, { deadLetters: slow });
  const bulk = send('/dead-letters/replay', {}, 'ann');
  await reached.promise;
  await api.expect(201, 'PUT', '/customers/stranger', exampleCustomer);
  expect((await replay(id, 'ann')).body).toMatchObject({ outcome: 'accepted', status: 'replayed' });
  gate.resolve();
  expect(await bulk).toMatchObject({ status: 200, body: { replayed: 0, rejected: 0 } });
  expect((await letterOf(id))['decisions']).toHaveLength(1);
  expect((await discard(id, 'bob')).body).toMatchObject({ code: 'DEAD_LETTER_NOT_OPEN' });
  expect((await replay(id, 'bob', callEvent('another'))).body).toMatchObject({ code: 'DEAD_LETTER_NOT_OPEN' });
});

describe('for a backfill', () => {
  const range = { from: '2024-01-10T00:00:00Z', to: '2024-01-20T00:00:00Z' };
  const outside = '2024-01-05T00:00:00Z';
  /** One that lay outside, and its backfill. */
  async function rejectFor(eventId: string): Promise<readonly [string, string]> {
    const { backfill_id: backfill } = await api.expect(201, 'POST', '/backfills', {
      customer_ids: ['cust_1'],
      ...range,
    });
    await api.expect(202, 'POST', `/events?backfill_id=${backfill}`, [callEvent(eventId, { event_time: outside })]);
    const letters = await api.deadLetters();
    return [String(letters.find((each) => each['event_id'] === eventId)?.['dead_letter_id']), String(backfill)];
  }
  const close = (backfill: string): Promise<Json> => api.expect(200, 'POST', `/backfills/${backfill}/close`, {});

  test('closed and replayed at once: it is in the backfill, or it is refused and stays open', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [id, backfill] = await rejectFor(`e${round}`);
      const [{ body }] = await Promise.all([replay(id, 'ann', callEvent(`e${round}`)), close(backfill)]);
      const { events } = await api.expect(200, 'GET', `/backfills/${backfill}`);
      if (body['outcome'] === 'accepted') expect([body['status'], events]).toEqual(['replayed', 1]);
      else
        expect([body['rejection'], body['status'], events]).toEqual([
          expect.objectContaining({ code: 'BACKFILL_CLOSED' }),
          'open',
          0,
        ]);
    }
  });

  test.each([
    ['alone', (id: string) => replay(id, 'bob')],
    ['with others', () => send('/dead-letters/replay', {}, 'bob')],
  ])(
    'closed since: what was begun before and is in the ledger is the duplicate that it was, replayed %s',
    async (_name, again) => {
      const [id, backfill] = await rejectFor('d');
      const corrected = callEvent('d');
      await begunBefore(id, corrected);
      await api.expect(202, 'POST', `/events?backfill_id=${backfill}`, [corrected]);
      await close(backfill);
      for (const refused of [await replay(id, 'bob', callEvent('d2')), await discard(id, 'bob')]) {
        expect(refused).toMatchObject({ status: 409, body: { code: 'DEAD_LETTER_ATTEMPTED' } });
      }
      expect((await again(id)).status).toBe(200);
      const letter = await letterOf(id);
      expect(letter['status']).toBe('replayed');
      expect(letter['decisions']).toMatchObject([{ outcome: 'duplicate', payload: JSON.stringify(corrected) }]);
      expect(await api.expect(200, 'GET', `/backfills/${backfill}`)).toMatchObject({ events: 1 });
    },
  );

  test('closed since: what was begun before and is not in the ledger is refused, and then another content is tried', async () => {
    const [id, backfill] = await rejectFor('d');
    await begunBefore(id, callEvent('d'));
    await close(backfill);
    const rejection = { code: 'BACKFILL_CLOSED' };
    expect((await replay(id, 'bob', callEvent('d2'))).body).toMatchObject({ code: 'DEAD_LETTER_ATTEMPTED' });
    expect((await replay(id, 'bob')).body).toMatchObject({ outcome: 'rejected', rejection, status: 'open' });
    expect((await replay(id, 'bob', callEvent('d2'))).body).toMatchObject({ outcome: 'rejected', rejection });
    expect((await discard(id, 'bob')).body).toMatchObject({ status: 'discarded' });
    expect(await stored()).toBe(0);
  });
});

test('what was begun before goes on: another content waits, the same one and a plain replay do not', async () => {
  const id = await reject();
  await begunBefore(id, callEvent('first'));
  await api.expect(202, 'POST', '/events', callEvent('first'));
  for (const refused of [await replay(id, 'bob', callEvent('second')), await discard(id, 'bob')]) {
    expect(refused).toMatchObject({ status: 409, body: { code: 'DEAD_LETTER_ATTEMPTED' } });
    expect(refused.body['detail']).toContain('by "ann"');
  }
  expect((await replay(id, 'bob')).body).toMatchObject({ outcome: 'duplicate', status: 'replayed' });
  const [decision] = (await letterOf(id))['decisions'] as readonly Json[];
  expect(decision).toMatchObject({ decided_by: 'bob', payload: expect.stringContaining('"first"') });
  expect(await stored()).toBe(1);
});
