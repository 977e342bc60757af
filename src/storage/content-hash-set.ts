import { randomInt } from 'node:crypto';

/**
 * Content hashes as a set, for hints: four times as fast as a `Set` of their texts, and once in some hundred million questions
 * it says yes of one that it does not have.
 *
 * Open addressing with linear probing in one array. Of a hash's last 18 digits the lower nine say where it stands, the upper nine
 * what stands there.
 */
export class ContentHashSet {
  private readonly slots: Uint32Array;
  private readonly mask: number;
  /** All but so many of the 32 bits of a product say where a hash stands. */
  private readonly shift: number;
  private readonly capacity: number;
  private added = 0;

  /** @param capacity as many different ones as will be added at most; half of the slots stay empty */
  constructor(capacity: number) {
    this.capacity = Math.max(capacity, 1);
    const bits = Math.ceil(Math.log2(this.capacity * 2));
    this.slots = new Uint32Array(2 ** bits);
    this.mask = 2 ** bits - 1;
    this.shift = 32 - bits;
  }

  get isFull(): boolean {
    return this.added >= this.capacity;
  }

  /** How many places there are; each hash that was added has one of its own, from 0 on. */
  get places(): number {
    return this.slots.length;
  }

  /** @param contentHash decimal digits (contentHashOf) */
  has(contentHash: string): boolean {
    return this.find(contentHash) !== null;
  }

  /** Its place. */
  find(contentHash: string): number | null {
    const entry = upper(contentHash);
    const at = this.seek(contentHash, entry);
    return this.slots[at] === entry ? at : null;
  }

  /**
   * Its place, which nothing changes any more.
   * @throws RangeError when it is full
   */
  add(contentHash: string): number {
    if (this.isFull) throw new RangeError(`made for ${this.capacity} hashes`);
    const entry = upper(contentHash);
    const at = this.seek(contentHash, entry);
    if (this.slots[at] !== entry) {
      this.slots[at] = entry;
      this.added += 1;
    }
    return at;
  }

  /** Where it stands, or would. */
  private seek(contentHash: string, entry: number): number {
    const { slots, mask } = this;
    let at = this.placeOf(contentHash);
    for (let found = slots[at]; found !== 0 && found !== entry; found = slots[at]) at = (at + 1) & mask;
    return at;
  }

  private placeOf(contentHash: string): number {
    return Math.imul(lower(contentHash), multiplier) >>> this.shift;
  }
}

/** Odd, and drawn once a process: a sender who chooses what he sends by its hash cannot crowd one place. */
const multiplier = randomInt(2 ** 30, 2 ** 32) | 1;

const lower = (digits: string): number => numberOf(digits, digits.length - 9, digits.length);

/** Never 0, which is an empty slot. */
const upper = (digits: string): number => numberOf(digits, digits.length - 18, digits.length - 9) + 1;

/** Of the digits from `from` on, as far as there are any, to `to`. */
function numberOf(digits: string, from: number, to: number): number {
  let number = 0;
  for (let at = Math.max(from, 0); at < to; at += 1) number = number * 10 + digits.charCodeAt(at) - 48;
  return number;
}
