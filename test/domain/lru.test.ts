import { Lru } from '../../src/domain/lru.js';

test('an Lru forgets what was not asked for longest', () => {
  const kept = new Lru<string, number>(2);
  kept.set('a', 1);
  kept.set('b', 2);
  expect(kept.get('a')).toBe(1);
  kept.set('c', 3);
  expect([kept.get('a'), kept.get('b'), kept.get('c'), kept.size]).toEqual([1, undefined, 3, 2]);
  kept.set('a', 4);
  expect([kept.get('a'), kept.size]).toEqual([4, 2]);
});

test('whoever is asked for all the time stays, however many others come; what is taken out is gone', () => {
  const kept = new Lru<string, number>(2);
  kept.set('busy', 1);
  for (let other = 0; other < 5; other += 1) {
    kept.set(`other ${other}`, other);
    expect(kept.get('busy')).toBe(1);
  }
  kept.delete('busy');
  expect([kept.get('busy'), kept.size]).toEqual([undefined, 1]);
});
