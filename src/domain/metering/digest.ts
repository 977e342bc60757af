/**
 * A digest stands for a set of events: the sum of their content hashes modulo 2^64, as 16 hex digits. A sum does not care
 * about order, and two digests add up, so sets can be compared and joined without listing them. SQL computes the same.
 */
import { invariant } from '../failure.js';
import type { Digest } from '../values.js';

export const emptyDigest = '0000000000000000' as Digest;

const digestText = /^[0-9a-f]{16}$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && digestText.test(text);
}

/** Of content hashes, as decimal digits or bigint; each event of the set once. */
export function digestOf(hashes: Iterable<string | bigint>): Digest {
  let sum = 0n;
  for (const hash of hashes) sum += BigInt(hash);
  return toDigest(sum);
}

/** The digest of the union of disjoint sets. */
export function addDigests(...digests: readonly Digest[]): Digest {
  return sumDigests(digests);
}

/** As `addDigests`, of any number: a call takes only so many arguments, and a meter may have more groups. */
export function sumDigests(digests: Iterable<Digest>): Digest {
  let sum = 0n;
  for (const digest of digests) {
    invariant(isDigest(digest), `a digest has 16 hex digits, got "${digest}"`);
    sum += BigInt(`0x${digest}`);
  }
  return toDigest(sum);
}

function toDigest(sum: bigint): Digest {
  return BigInt.asUintN(64, sum).toString(16).padStart(16, '0') as Digest;
}
