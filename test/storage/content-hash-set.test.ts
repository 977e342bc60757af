import fc from 'fast-check';
import { contentHashOf } from '../../src/storage/content-hash.js';
import { ContentHashSet } from '../../src/storage/content-hash-set.js';
import type { Instant } from '../../src/domain/values.js';

const eventTime = '2024-01-15T10:00:00.000000Z' as Instant;
const hashOf = (eventId: string): string =>
  contentHashOf({ customerId: 'c', source: '', eventId, eventType: 't', eventTime, metadata: {} });

test('has what was added, and nothing else, when it is as full as it gets', () => {
  const set = new ContentHashSet(20_000);
  for (let index = 0; index < 20_000; index += 1) set.add(hashOf(`in ${index}`));
  for (let index = 0; index < 20_000; index += 1) expect(set.has(hashOf(`in ${index}`))).toBe(true);
  // One in some hundred million, by chance: the places are drawn anew for each process.
  let wrong = 0;
  for (let index = 0; index < 20_000; index += 1) wrong += set.has(hashOf(`out ${index}`)) ? 1 : 0;
  expect(wrong).toBeLessThan(3);
});

test('never misses one that was added, also where many stand in one place', () => {
  const digits = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String);
  // Their lower digits are those of few.
  const crowded = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 3 })).map(([a, b]) => `${a}00000000${b}`);
  fc.assert(
    fc.property(fc.array(fc.oneof(digits, crowded)), (added) => {
      const set = new ContentHashSet(added.length);
      for (const hash of added) set.add(hash);
      for (const hash of added) expect(set.has(hash)).toBe(true);
    }),
  );
});

test('made for none it has none', () => {
  const set = new ContentHashSet(0);
  expect(set.has('1')).toBe(false);
});

test('one that is there takes no more room; one more than it was made for is refused', () => {
  const set = new ContentHashSet(2);
  for (const eventId of ['one', 'one', 'one', 'two']) set.add(hashOf(eventId));
  expect(set.isFull).toBe(true);
  expect(() => set.add(hashOf('three'))).toThrow(RangeError);
});
