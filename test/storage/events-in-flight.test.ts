import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Instant } from '../../src/domain/values.js';
import { contentHashOf } from '../../src/storage/content-hash.js';
import { EventsInFlight } from '../../src/storage/events-in-flight.js';

/** Its metadata is its name here. */
const event = (eventId: string, content = ''): UsageEvent => {
  const [identity, eventTime] = [{ customerId: 'c', source: '', eventId }, '2024-01-15T10:00:00.000000Z' as Instant];
  const contentHash = contentHashOf({ ...identity, eventType: 't', eventTime, metadata: { content } });
  return { ...identity, contentHash, metadataJson: eventId + content } as UsageEvent;
};
const eventsOf = (...ids: readonly string[]): readonly UsageEvent[] => ids.map((id) => event(id));

/** Stores whose calls end when they are told to. */
class Stores {
  readonly calls: string[] = [];
  private readonly ends: (() => void)[] = [];

  readonly store = (events: readonly UsageEvent[], call = 0): Promise<readonly string[]> => {
    this.calls.push(`${call}:${events.map(({ metadataJson }) => metadataJson).join('')}`);
    return new Promise((resolve) => {
      this.ends.push(() => resolve(events.map(({ metadataJson }) => `${metadataJson}${call}`)));
    });
  };

  async end(index: number): Promise<void> {
    this.ends[index]?.();
    await turns();
  }
}

/** The ledger is asked whatever became of the first copy. */
const asking = (): EventsInFlight<string> => new EventsInFlight(() => null);

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

test('an event that is being stored waits until it is; those that it came with go on', async () => {
  const [inFlight, stores] = [asking(), new Stores()];
  const one = inFlight.each(eventsOf('a', 'b'), stores.store);
  const two = inFlight.each(eventsOf('c', 'b', 'd'), stores.store);
  await turns();
  expect(stores.calls).toEqual(['0:ab', '0:cd']);
  await stores.end(0);
  await expect(one).resolves.toEqual(['a0', 'b0']);
  expect(stores.calls).toHaveLength(2);
  await stores.end(1);
  expect(stores.calls[2]).toBe('1:b');
  await stores.end(2);
  await expect(two).resolves.toEqual(['c0', 'b1', 'd0']);
});

test('of one identity nothing overtakes: the lower index is stored first', async () => {
  const [inFlight, stores] = [asking(), new Stores()];
  void inFlight.each([event('a')], stores.store);
  void inFlight.each([event('a'), event('a', '!'), event('b')], stores.store);
  await turns();
  expect(stores.calls).toEqual(['0:a', '0:b']);
  await stores.end(0);
  await stores.end(1);
  expect(stores.calls[2]).toBe('1:aa!');
});

test('three that overlap in a ring all end', async () => {
  const inFlight = asking();
  const stored: string[] = [];
  const store = async (events: readonly UsageEvent[]): Promise<readonly string[]> => {
    await turns();
    stored.push(...events.map(({ eventId }) => eventId));
    return events.map(({ eventId }) => eventId);
  };
  const answers = await Promise.all(['ab', 'bc', 'ca'].map((ids) => inFlight.each(eventsOf(...ids), store)));
  expect(answers).toEqual([
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'a'],
  ]);
  expect(stored.sort()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
});

test('a failure lets the next one in, and a call without a free event still comes', async () => {
  const inFlight = asking();
  await expect(inFlight.each(eventsOf('a'), () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  const stores = new Stores();
  void inFlight.each(eventsOf('a'), stores.store);
  void inFlight.each(eventsOf('a'), stores.store);
  await turns();
  expect(stores.calls).toEqual(['0:a', '0:']);
});

test('what became of the first copy says what the second is, and the ledger is not asked', async () => {
  const told: string[] = [];
  const inFlight = new EventsInFlight<string>((first, became, again) => {
    told.push(`${first.metadataJson} ${became} ${again.metadataJson}`);
    return first.eventId === 'b' ? 'repeated' : null;
  });
  const stores = new Stores();
  void inFlight.each(eventsOf('a', 'b', 'c'), stores.store);
  const two = inFlight.each([...eventsOf('c', 'b', 'd'), event('b', '!')], stores.store);
  await turns();
  expect(stores.calls).toEqual(['0:abc', '0:d']);
  await stores.end(1);
  await stores.end(0);
  expect(told.sort()).toEqual(['b b0 b', 'c c0 c']);
  // Another content of b's identity was held back with it, and is for the ledger to judge.
  expect(stores.calls[2]).toBe('1:cb!');
  await stores.end(2);
  await expect(two).resolves.toEqual(['c1', 'repeated', 'd0', 'b!1']);
});

test('of a first copy that was not stored nothing is said', async () => {
  const inFlight = new EventsInFlight<string>(() => 'repeated');
  const one = inFlight.each(eventsOf('a'), async () => {
    await turns();
    throw new Error('away');
  });
  const two = inFlight.each(eventsOf('a', 'b'), (events) => Promise.resolve(events.map(({ eventId }) => eventId)));
  await expect(one).rejects.toThrow('away');
  await expect(two).resolves.toEqual(['a', 'b']);
});

test('another event whose content hash is the same is no copy: whoever makes hashes collide loses nothing', async () => {
  const inFlight = new EventsInFlight<string>(() => 'repeated');
  const stores = new Stores();
  const [a, b, c] = eventsOf('a', 'b', 'c').map((each) => ({ ...each, contentHash: '4611686018427387904' }));
  const one = inFlight.each([a, b] as UsageEvent[], stores.store);
  const two = inFlight.each([c, b, a] as UsageEvent[], stores.store);
  await turns();
  // Of what collides within a batch one is known again; the others are for the ledger to judge.
  expect(stores.calls).toEqual(['0:ab', '0:ca']);
  await stores.end(0);
  await stores.end(1);
  await expect(Promise.all([one, two])).resolves.toEqual([
    ['a0', 'b0'],
    ['c0', 'repeated', 'a0'],
  ]);
});
