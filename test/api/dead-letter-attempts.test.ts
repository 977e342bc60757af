/** Several people about one dead letter: of what they send in its place one content counts, and the others learn of it. */
import { StorageUnavailable } from '../../src/storage/errors.js';
import { callEvent, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
beforeEach(async () => {
  api = await TestApi.start();
  await api.setUpExample();
});
afterEach(() => api.close());

/** One that nobody could take; its corrections name a customer that is there. */
async function reject(): Promise<string> {
  await api.expect(202, 'POST', '/events', [callEvent('lost', { customer_id: 'stranger' })]);
  const [letter] = await api.deadLetters();
  return String(letter?.['dead_letter_id']);
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
/** The database goes away between the event and the decision. */
function loseDecision(): void {
  const { deadLetters } = api.storage;
  let isLost = false;
  const decide = (): Promise<never> => {
    isLost = true;
    return Promise.reject(new StorageUnavailable('gone'));
  };
  const losing = new Proxy(deadLetters, {
    get: (target, name): unknown => (name === 'decide' && !isLost ? decide : Reflect.get(target, name)),
  });
  Object.assign(api.storage, { deadLetters: losing });
}

test('corrected at once with ids of their own: one counts, the others are refused and say by whom', async () => {
  for (let round = 0; round < 5; round += 1) {
    const id = await reject();
    const before = await stored();
    const people = ['ann', 'bob', 'cid', 'dan'];
    const answers = await Promise.all(people.map((actor) => replay(id, actor, callEvent(`${round} of ${actor}`))));
    const taken = answers.filter(({ status }) => status === 200);
    expect(taken.map(({ body }) => [body['outcome'], body['status']])).toEqual([['accepted', 'replayed']]);
    for (const { body } of answers.filter(({ status }) => status === 409)) {
      expect(['DEAD_LETTER_ATTEMPTED', 'DEAD_LETTER_NOT_OPEN']).toContain(body['code']);
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

test('the database is away between event and decision: another content waits, the same one and a plain replay go on', async () => {
  const id = await reject();
  loseDecision();
  expect((await replay(id, 'ann', callEvent('first'))).status).toBe(503);
  expect([await stored(), (await letterOf(id))['status']]).toEqual([1, 'open']);
  for (const refused of [await replay(id, 'bob', callEvent('second')), await discard(id, 'bob')]) {
    expect(refused).toMatchObject({ status: 409, body: { code: 'DEAD_LETTER_ATTEMPTED' } });
    expect(refused.body['detail']).toContain('by "ann"');
  }
  expect(await replay(id, 'bob')).toMatchObject({ status: 200, body: { outcome: 'duplicate', status: 'replayed' } });
  const [decision] = (await letterOf(id))['decisions'] as readonly Json[];
  expect(decision).toMatchObject({ decided_by: 'bob', payload: expect.stringContaining('"first"') });
  expect(await stored()).toBe(1);
});

test('many at once go on with what was begun; what was rejected lets the next content in', async () => {
  const id = await reject();
  loseDecision();
  await replay(id, 'ann', callEvent('begun'));
  expect(await api.expect(200, 'POST', '/dead-letters/replay', {}, { 'x-reckoner-actor': 'bob' })).toMatchObject({
    replayed: 1,
    duplicates: 1,
  });
  expect((await letterOf(id))['status']).toBe('replayed');

  const again = await reject();
  expect((await replay(again, 'ann', callEvent('x', { customer_id: 'nobody' }))).body).toMatchObject({
    outcome: 'rejected',
  });
  loseDecision();
  expect((await replay(again, 'ann', callEvent('y', { customer_id: 'nobody' }))).status).toBe(503);
  expect((await replay(again, 'bob', callEvent('z'))).body).toMatchObject({ code: 'DEAD_LETTER_ATTEMPTED' });
  expect((await replay(again, 'bob')).body).toMatchObject({ outcome: 'rejected', status: 'open' });
  expect((await replay(again, 'bob', callEvent('z'))).body).toMatchObject({ outcome: 'accepted', status: 'replayed' });
  expect(await stored()).toBe(2);
});
