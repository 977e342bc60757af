/** Decisions about dead letters: facts, of which the last one says whether a dead letter is open. */
import { randomUUID } from 'node:crypto';
import type { Instant } from '../../src/domain/values.js';
import { createDeadLetterStore } from '../../src/storage/dead-letters.js';
import { createUsageLedger } from '../../src/storage/ledger.js';
import type { DeadLetterStore, LetterReplayed } from '../../src/storage/types.js';
import { createFixture, type Fixture, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
let store: DeadLetterStore;
beforeEach(async () => {
  fixture = await createFixture();
  store = createDeadLetterStore(fixture.db, () => Promise.resolve([]));
});
afterEach(() => fixture.close());

interface Kept {
  readonly payload: string;
  readonly code?: string;
  readonly customerId?: string;
  readonly backfillId?: string;
}

/** Rejected at ingest; answers the ids that are open, the oldest first. */
async function keep(...letters: readonly Kept[]): Promise<readonly string[]> {
  const ledger = createUsageLedger(fixture.db, () => Promise.resolve([]));
  for (const { payload, code = 'EVENT_TIME_IN_FUTURE', customerId = 'acme', ...more } of letters) {
    await ledger.append([], [{ code, detail: 'd', customerId, eventId: 'x', payload, ...more }]);
  }
  return openIds();
}
const openIds = async (filter: Parameters<DeadLetterStore['list']>[0] = {}): Promise<readonly string[]> =>
  (await store.list({ status: 'open', ...filter }, { limit: 100 })).data
    .map(({ deadLetterId }) => deadLetterId)
    .reverse();

const by = { decidedBy: 'ann', reason: 'clock was wrong' };
const refusal = { code: 'UNKNOWN_CUSTOMER', detail: 'There is none.' } as const;
const mended = '{"event_id":"mended"}';

/** Refused as it was read, new to the ledger, or there before. */
async function replay(
  deadLetterId: string,
  outcome: 'accepted' | 'duplicate' | 'rejected',
  payload = mended,
): Promise<LetterReplayed | undefined> {
  const event = usageEvent({ customerId: 'acme', eventId: randomUUID(), eventTime: '2024-01-10T10:00:00Z' });
  if (outcome === 'duplicate') await fixture.append([event]);
  const letter =
    outcome === 'rejected'
      ? { deadLetterId, payload, event: null, refusal }
      : { deadLetterId, payload, event, refusal: null };
  const [replayed] = await store.replay([letter], { ...by, refusals: {} });
  return replayed;
}
const decided = (outcome: 'accepted' | 'duplicate' | 'rejected'): LetterReplayed => ({
  kind: 'decided',
  outcome,
  rejection: outcome === 'rejected' ? refusal : null,
});
const readBack = (outcome: 'accepted' | 'rejected'): object => ({
  decision: 'replayed',
  outcome,
  ...(outcome === 'rejected' ? refusal : { code: null, detail: null }),
  payload: mended,
  ...by,
  decidedAt: expect.stringMatching(/Z$/),
});

test('a replay that was rejected leaves it open, one that was taken settles it, and so does discarding; once', async () => {
  const [a = '', b = '', c = ''] = await keep({ payload: 'a' }, { payload: 'b' }, { payload: 'c' });
  expect(await replay(a, 'rejected')).toEqual(decided('rejected'));
  expect(await openIds()).toEqual([a, b, c]);
  expect(await replay(a, 'accepted')).toEqual(decided('accepted'));
  expect(await replay(b, 'duplicate')).toEqual(decided('duplicate'));
  expect(await store.discard(c, by)).toEqual({ stored: true });
  expect(await replay(c, 'accepted')).toEqual({ kind: 'settled' });
  expect(await openIds()).toEqual([]);
  expect(await store.find(a)).toMatchObject({
    status: 'replayed',
    decisions: [readBack('rejected'), readBack('accepted')],
  });
  expect(await store.find(c)).toMatchObject({
    status: 'discarded',
    decisions: [{ decision: 'discarded', ...by, decidedAt: expect.stringMatching(/Z$/) }],
  });
  expect(await store.find(randomUUID())).toBeNull();
  await expect(store.discard(randomUUID(), by)).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
  await expect(replay(randomUUID(), 'accepted')).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
});

test('two decisions at the same time: one is stored', async () => {
  const [a = ''] = await keep({ payload: 'a' });
  const both = await Promise.all(Array.from({ length: 8 }, () => store.discard(a, by)));
  expect(both.filter(({ stored }) => stored)).toHaveLength(1);
  expect((await store.find(a))?.decisions).toHaveLength(1);
});

test('the same content, rejected again after it was settled, is open again; while it is open nothing is added', async () => {
  const [a = ''] = await keep({ payload: 'a' });
  await keep({ payload: 'a' });
  expect((await store.find(a))?.decisions).toEqual([]);
  await store.discard(a, by);
  expect(await openIds()).toEqual([]);
  const before = await store.backlog();
  expect(await keep({ payload: 'a' }, { payload: 'a' })).toEqual([a]);
  expect((await store.find(a))?.decisions.map(({ decision, decidedBy }) => [decision, decidedBy])).toEqual([
    ['discarded', 'ann'],
    ['reopened', 'reckoner'],
  ]);
  await replay(a, 'rejected');
  expect((await store.find(a))?.status).toBe('open');
  expect(before).toEqual({ open: 0, oldest: null });
});

test('the same content for another backfill is another one', async () => {
  const backfillId = randomUUID();
  const [plain = '', filled = ''] = await keep({ payload: 'a' }, { payload: 'a', backfillId });
  expect(plain).not.toBe(filled);
  expect((await store.find(filled))?.backfillId).toBe(backfillId);
});

test('lists by status, code, customer and time, page by page', async () => {
  const [a = '', b = '', c = ''] = await keep(
    { payload: 'a' },
    { payload: 'b', code: 'INVALID_JSON' },
    { payload: 'c', customerId: 'other' },
  );
  await store.discard(a, by);
  await replay(b, 'accepted');
  const ids = async (filter: Parameters<DeadLetterStore['list']>[0]): Promise<readonly string[]> =>
    (await store.list(filter, { limit: 10 })).data.map(({ deadLetterId }) => deadLetterId);
  expect(await ids({})).toEqual([c, b, a]);
  expect(await ids({ status: 'open' })).toEqual([c]);
  expect(await ids({ status: 'discarded' })).toEqual([a]);
  expect(await ids({ status: 'replayed' })).toEqual([b]);
  expect(await ids({ code: 'INVALID_JSON' })).toEqual([b]);
  expect(await ids({ customerId: 'other' })).toEqual([c]);
  const since = (await store.find(b))?.receivedAt;
  expect(await ids({ since: since as Instant })).toEqual([c, b]);
  const first = await store.list({}, { limit: 2 });
  expect((await store.list({}, { limit: 2, cursor: first.nextCursor ?? '' })).data).toMatchObject([
    { deadLetterId: a },
  ]);
});

test('to be replayed are open ones: first those that never were, then those whose last try is longest ago', async () => {
  const [a = '', b = '', c = ''] = await keep({ payload: 'a' }, { payload: 'b' }, { payload: 'c' });
  await replay(a, 'rejected');
  const next = async (limit: number): Promise<readonly string[]> =>
    (await store.toReplay({}, limit)).map(({ deadLetterId }) => deadLetterId);
  expect(await next(10)).toEqual([b, c, a]);
  await replay(b, 'rejected');
  await store.discard(c, by);
  expect(await next(10)).toEqual([a, b]);
  expect(await next(1)).toEqual([a]);
  expect(await store.toReplay({ customerId: 'nobody' }, 10)).toEqual([]);
});

test('the backlog counts open ones, since the oldest was received or opened again', async () => {
  expect(await store.backlog()).toEqual({ open: 0, oldest: null });
  const [a = '', b = ''] = await keep({ payload: 'a' }, { payload: 'b' });
  const [first, second] = [await store.find(a), await store.find(b)];
  expect(await store.backlog()).toEqual({ open: 2, oldest: first?.receivedAt });
  await store.discard(a, by);
  expect(await store.backlog()).toEqual({ open: 1, oldest: second?.receivedAt });
  await keep({ payload: 'a' });
  await store.discard(b, by);
  const reopened = (await store.find(a))?.decisions.at(-1)?.decidedAt;
  expect(await store.backlog()).toEqual({ open: 1, oldest: reopened });
});

describe('of large ones so many are read at once as fit into 8 MiB, and one at least', () => {
  const large = (name: string, bytes: number): Kept => ({ payload: name.padEnd(bytes, '.') });
  const MiB = 1024 * 1024;

  test('the list goes on with the next page', async () => {
    await keep(large('a', 3 * MiB), large('b', 9 * MiB), large('c', 5 * MiB), large('d', 5 * MiB), { payload: 'e' });
    const pages: string[] = [];
    for (let cursor: string | undefined, more = true; more;) {
      const page = await store.list({}, { limit: 4, ...(cursor !== undefined && { cursor }) });
      pages.push(page.data.map(({ payload }) => payload.charAt(0)).join(''));
      cursor = page.nextCursor ?? undefined;
      more = cursor !== undefined;
    }
    expect(pages).toEqual(['edc', 'b', 'a']);
  });

  test('corrections that were tried count as well', async () => {
    const [a = '', b = ''] = await keep({ payload: 'a' }, { payload: 'b' });
    await replay(a, 'rejected', 'x'.repeat(9 * MiB));
    await replay(b, 'rejected', 'x'.repeat(9 * MiB));
    const page = await store.list({}, { limit: 10 });
    expect([page.data.map(({ payload }) => payload), page.nextCursor]).toEqual([['b'], expect.any(String)]);
  });

  test('a replay takes the first of them', async () => {
    await keep(large('a', 5 * MiB), large('b', 5 * MiB), large('c', 9 * MiB));
    const taken = async (limit: number): Promise<string> =>
      (await store.toReplay({}, limit)).map(({ payload }) => payload.charAt(0)).join('');
    expect([await taken(1), await taken(1_000)]).toEqual(['a', 'ab']);
    for (const { deadLetterId } of await store.toReplay({}, 2)) await replay(deadLetterId, 'rejected');
    expect(await taken(1_000)).toBe('c');
  });
});
