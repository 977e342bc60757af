import { defaultGroupCommitLimits, GroupCommit, type CommitJob } from '../../src/api/ingest/group-commit.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Instant } from '../../src/domain/values.js';
import { StorageUnavailable } from '../../src/storage/errors.js';
import type { AppendOutcome, UsageLedger } from '../../src/storage/types.js';

function eventOf(eventId: string): UsageEvent {
  return {
    customerId: 'c',
    source: '',
    eventId,
    eventType: 't',
    eventTime: '2024-01-15T10:00:00.000000Z' as Instant,
    metadataJson: '{}',
    contentHash: '1',
    provenance: { requestId: null, userId: null, traceId: null },
  };
}

function jobOf(...eventIds: readonly string[]): CommitJob {
  return { events: eventIds.map(eventOf), deadLetters: [], bytes: eventIds.length };
}

/** A ledger whose transactions end when the test says so. */
class ManualLedger {
  readonly batches: { readonly ids: readonly string[]; readonly finish: (error?: Error) => void }[] = [];

  append(events: readonly UsageEvent[]): Promise<readonly AppendOutcome[]> {
    return new Promise((resolve, reject) => {
      const ids = events.map(({ eventId }) => eventId);
      const outcomes = ids.map((id): AppendOutcome => (id.startsWith('dup') ? 'duplicate' : 'accepted'));
      this.batches.push({ ids, finish: (error) => (error === undefined ? resolve(outcomes) : reject(error)) });
    });
  }

  finish(index: number, error?: Error): void {
    const batch = this.batches[index];
    if (batch === undefined) throw new Error(`there is no batch ${index}`);
    batch.finish(error);
  }
}

/** Lets everything that is ready happen. */
async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function groupCommit(ledger: ManualLedger, limits: Partial<typeof defaultGroupCommitLimits> = {}): GroupCommit {
  return new GroupCommit(ledger, { ...defaultGroupCommitLimits, ...limits });
}

test('requests of one turn share a transaction, and each gets the outcomes of its own events', async () => {
  const ledger = new ManualLedger();
  const commits = groupCommit(ledger);
  const answers = Promise.all([
    commits.submit(jobOf('a', 'dup1')),
    commits.submit(jobOf('b')),
    commits.submit(jobOf('dup2', 'c')),
  ]);
  await turns();
  expect(ledger.batches.map(({ ids }) => ids)).toEqual([['a', 'dup1', 'b', 'dup2', 'c']]);
  ledger.finish(0);
  expect(await answers).toEqual([['accepted', 'duplicate'], ['accepted'], ['duplicate', 'accepted']]);
  expect(commits.depth).toBe(0);
});

test('nobody waits for company: an idle committer takes what is there, and the rest gathers meanwhile', async () => {
  const ledger = new ManualLedger();
  const commits = groupCommit(ledger, { committers: 2, eventsBeside: 1 });
  const first = commits.submit(jobOf('a'));
  await turns();
  const second = commits.submit(jobOf('b'));
  await turns();
  const others = [commits.submit(jobOf('c')), commits.submit(jobOf('d'))];
  await turns();
  expect(ledger.batches.map(({ ids }) => ids)).toEqual([['a'], ['b']]);
  ledger.finish(0);
  await turns();
  expect(ledger.batches[2]?.ids).toEqual(['c', 'd']);
  ledger.finish(1);
  ledger.finish(2);
  expect(await Promise.all([first, second, ...others])).toHaveLength(4);
});

describe('beside a transaction that has just begun', () => {
  test('few events gather and follow it; as many as are worth a transaction begin one', async () => {
    const ledger = new ManualLedger();
    const commits = groupCommit(ledger, { committers: 3, eventsBeside: 3, overtakenAfterMs: 600_000 });
    const answers = [commits.submit(jobOf('a'))];
    await turns();
    answers.push(commits.submit(jobOf('b')), commits.submit(jobOf('c')));
    await turns();
    expect(ledger.batches.map(({ ids }) => ids)).toEqual([['a']]);
    answers.push(commits.submit(jobOf('d')));
    await turns();
    expect(ledger.batches.map(({ ids }) => ids)).toEqual([['a'], ['b', 'c', 'd']]);
    answers.push(commits.submit(jobOf('e')));
    ledger.finish(0);
    ledger.finish(1);
    await turns();
    expect(ledger.batches[2]?.ids).toEqual(['e']);
    ledger.finish(2);
    expect(await Promise.all(answers)).toHaveLength(5);
  });

  test('nobody waits for one that takes long: it is overtaken', async () => {
    const ledger = new ManualLedger();
    const commits = groupCommit(ledger, { committers: 2, overtakenAfterMs: 1 });
    const [stuck, others] = [commits.submit(jobOf('stuck')), [commits.submit(jobOf('same turn'))]];
    await turns();
    others.push(commits.submit(jobOf('b')), commits.submit(jobOf('c')));
    while (ledger.batches.length < 2) await turns();
    expect(ledger.batches.map(({ ids }) => ids)).toEqual([
      ['stuck', 'same turn'],
      ['b', 'c'],
    ]);
    ledger.finish(1);
    ledger.finish(0);
    expect(await Promise.all([stuck, ...others])).toHaveLength(4);
    await commits.close();
  });
});

test('a transaction takes no more events than its limit, but a request is never split', async () => {
  const ledger = new ManualLedger();
  const commits = groupCommit(ledger, { committers: 1, eventsPerCommit: 3 });
  const answers = Promise.all([
    commits.submit(jobOf('a', 'b', 'c', 'd')),
    commits.submit(jobOf('e', 'f')),
    commits.submit(jobOf('g', 'h')),
  ]);
  for (let batch = 0; batch < 3; batch += 1) {
    await turns();
    ledger.finish(batch);
  }
  await answers;
  expect(ledger.batches.map(({ ids }) => ids)).toEqual([
    ['a', 'b', 'c', 'd'],
    ['e', 'f'],
    ['g', 'h'],
  ]);
});

test('a request that breaks its transaction does not fail its neighbours', async () => {
  const ledger = new ManualLedger();
  const commits = groupCommit(ledger, { committers: 1 });
  const answers = Promise.allSettled([
    commits.submit(jobOf('a')),
    commits.submit(jobOf('poison')),
    commits.submit(jobOf('b')),
  ]);
  const broken = new Error('invalid byte sequence');
  await turns();
  ledger.finish(0, broken);
  for (const [batch, error] of [[1], [2, broken], [3]] as const) {
    await turns();
    ledger.finish(batch, error);
  }
  const [a, poison, b] = await answers;
  expect(a).toEqual({ status: 'fulfilled', value: ['accepted'] });
  expect(poison).toEqual({ status: 'rejected', reason: broken });
  expect(b).toEqual({ status: 'fulfilled', value: ['accepted'] });
  expect(ledger.batches.map(({ ids }) => ids)).toEqual([['a', 'poison', 'b'], ['a'], ['poison'], ['b']]);
});

test('what was committed of a transaction that broke keeps its outcome when its requests are tried one by one', async () => {
  const calls: (readonly [ids: string, known: string])[] = [];
  const append: UsageLedger['append'] = (events, _letters, committed = new Map()) => {
    const names = (some: Iterable<UsageEvent>): string => [...some].map(({ eventId }) => eventId).join('');
    calls.push([names(events), names(committed.keys())]);
    const [first] = events;
    if (events.length === 1) return Promise.resolve(events.map((event) => committed.get(event) ?? 'duplicate'));
    if (first !== undefined) committed.set(first, 'accepted');
    return Promise.reject(new Error('the rest'));
  };
  const commits = new GroupCommit({ append });
  const answers = await Promise.all([commits.submit(jobOf('a')), commits.submit(jobOf('b'))]);
  expect(calls).toEqual([
    ['ab', ''],
    ['a', 'a'],
    ['b', 'a'],
  ]);
  expect(answers).toEqual([['accepted'], ['duplicate']]);
});

test('with the database away every request of the transaction is told so, once', async () => {
  const ledger = new ManualLedger();
  const commits = groupCommit(ledger, { committers: 1 });
  const answers = Promise.allSettled([commits.submit(jobOf('a')), commits.submit(jobOf('b'))]);
  await turns();
  const away = new StorageUnavailable(new Error('ECONNREFUSED'));
  ledger.finish(0, away);
  expect(await answers).toEqual([
    { status: 'rejected', reason: away },
    { status: 'rejected', reason: away },
  ]);
  expect(ledger.batches).toHaveLength(1);
  expect(commits.depth).toBe(0);
});

test.each([
  ['events', { eventsWaiting: 3 }],
  ['bytes', { bytesWaiting: 3 }],
])('what waits is bounded by %s; a request alone is always taken', async (_name, limits) => {
  const ledger = new ManualLedger();
  const commits = groupCommit(ledger, { committers: 1, ...limits });
  const large = commits.submit(jobOf('a', 'b', 'c', 'd'));
  await expect(commits.submit(jobOf('e'))).rejects.toMatchObject({ code: 'OVER_CAPACITY' });
  await turns();
  ledger.finish(0);
  await large;
  const next = commits.submit(jobOf('e'));
  await turns();
  ledger.finish(1);
  expect(await next).toEqual(['accepted']);
});

test('whoever is patient waits for room', async () => {
  const ledger = new ManualLedger();
  const commits = groupCommit(ledger, { committers: 1, eventsWaiting: 1 });
  const first = commits.submit(jobOf('a'));
  const patient = commits.submitPatiently(jobOf('b'));
  await turns();
  expect(commits.depth).toBe(1);
  ledger.finish(0);
  await first;
  while (ledger.batches.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  ledger.finish(1);
  expect(await patient).toEqual(['accepted']);
});

test('patience ends when the API is stopping', async () => {
  const ledger = new ManualLedger();
  const commits = groupCommit(ledger, { committers: 1, eventsWaiting: 1 });
  const first = commits.submit(jobOf('a'));
  const patient = expect(commits.submitPatiently(jobOf('b'))).rejects.toMatchObject({ code: 'OVER_CAPACITY' });
  await turns();
  const closing = commits.close();
  ledger.finish(0);
  await Promise.all([first, patient, closing]);
  expect(ledger.batches).toHaveLength(1);
});

test('closing refuses what is new, and waits for what was taken', async () => {
  const ledger = new ManualLedger();
  const commits = groupCommit(ledger);
  const taken = commits.submit(jobOf('a'));
  let closed = false;
  const closing = commits.close().then(() => {
    closed = true;
  });
  await expect(commits.submit(jobOf('b'))).rejects.toMatchObject({ code: 'OVER_CAPACITY' });
  await turns();
  expect(closed).toBe(false);
  ledger.finish(0);
  await closing;
  expect(await taken).toEqual(['accepted']);
});
