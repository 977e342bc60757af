/** Seeded chance: the same seed gives the same order on every machine. */
export type Random = () => number;

/** Uniform in [0, 1), from 32 bits of state (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An integer in [from, to]. */
export const integerOf = (random: Random, from: number, to: number): number =>
  from + Math.floor(random() * (to - from + 1));

export function pick<T>(random: Random, items: readonly [T, ...T[]]): T {
  return items[integerOf(random, 0, items.length - 1)] ?? items[0];
}

export function shuffled<T>(random: Random, items: readonly T[]): readonly T[] {
  const weighed = items.map((item) => [random(), item] as const);
  return weighed.sort(([a], [b]) => a - b).map(([, item]) => item);
}

/** Consecutive pieces of 1 to `largest` items. */
export function split<T>(random: Random, items: readonly T[], largest: number): readonly (readonly T[])[] {
  const pieces: (readonly T[])[] = [];
  for (let at = 0; at < items.length;) {
    const size = integerOf(random, 1, largest);
    pieces.push(items.slice(at, at + size));
    at += size;
  }
  return pieces;
}

export function* permutationsOf<T>(items: readonly T[]): Generator<readonly T[]> {
  if (items.length === 0) yield [];
  for (const [index, item] of items.entries()) {
    for (const rest of permutationsOf(items.toSpliced(index, 1))) yield [item, ...rest];
  }
}
