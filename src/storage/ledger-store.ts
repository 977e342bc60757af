/** How a batch of events is stored: copied where it is likely to be new, looked up where it is likely to be there already. */
import type { Database } from './database.js';
import { beginSql } from './backfills-append.js';
import { insertDeadLetters } from './dead-letters.js';
import { sqlState } from './errors.js';
import {
  copyEvents,
  deadlockDetected,
  type EarlierEvents,
  insertNew,
  lookUpEarlier,
  type SortedBatch,
} from './ledger-append.js';
import { RecentEvents } from './recent-events.js';
import type { NewDeadLetter } from './types.js';

export interface Batch {
  readonly sorted: SortedBatch;
  readonly deadLetters: readonly NewDeadLetter[];
}

/**
 * Nearly every batch is all new, and most of what is not was stored a moment ago. So batches are copied, but for what is likely
 * to be there already: that is looked up at the same time, and copied then if it is not. A copy fails when there was more; then the
 * batch is inserted, and as it has its like behind it (an import repeated, an outbox sent again) the following ones are looked up
 * as a whole before they are copied, while that finds what was not likely.
 */
export class BatchStore {
  private readonly recent = new RecentEvents();
  private repeating = false;

  constructor(private readonly db: Database) {}

  /**
   * Dead letters are in the transaction of all events. Without them it may be two: those likely to be there are one of their own.
   * @param stored filled with the winners that are committed, whether or not the others fail
   * @returns the events that were there before
   * @throws StorageUnavailable
   */
  async store({ sorted, deadLetters }: Batch, stored: Set<number>): Promise<EarlierEvents> {
    const { winners } = sorted;
    const copied = deadLetters.length === 0 ? await this.copy(sorted, stored) : { earlier: none, left: winners };
    const inserted =
      copied.left.length === 0 && deadLetters.length === 0
        ? none
        : await this.insert({ sorted: { ...sorted, winners: copied.left }, deadLetters }, stored);
    this.recent.add(sorted.events);
    return inserted.size === 0 ? copied.earlier : new Map([...copied.earlier, ...inserted]);
  }

  /** Answers which events were there, as far as it looked, and which winners are neither there nor stored now. */
  private async copy(
    sorted: SortedBatch,
    stored: Set<number>,
  ): Promise<{ readonly earlier: EarlierEvents; readonly left: readonly number[] }> {
    const { events, winners } = sorted;
    const whole = this.repeating;
    const likely = new Set(whole ? events : events.filter((event) => this.recent.has(event)));
    const isLikely = (index: number): boolean => events[index] !== undefined && likely.has(events[index]);
    const copy = async (which: readonly number[]): Promise<boolean> => {
      if (which.length === 0) return true;
      const isCopied = await copyEvents(this.db, { ...sorted, winners: which });
      if (isCopied) for (const index of which) stored.add(index);
      return isCopied;
    };
    const [looked, copied] = await Promise.allSettled([
      lookUpEarlier(this.db.pool, sorted, (event) => likely.has(event)),
      copy(likely.size === 0 ? winners : winners.filter((index) => !isLikely(index))),
    ]);
    if (copied.status === 'rejected') throw copied.reason;
    if (looked.status === 'rejected') throw looked.reason;
    const earlier = looked.value;
    if (whole) this.repeating = this.isUnlikely(sorted, earlier);
    if (!copied.value) return { earlier, left: winners };
    const left = likely.size === 0 ? [] : winners.filter((index) => isLikely(index) && !earlier.has(index));
    return { earlier, left: (await copy(left)) ? [] : left };
  }

  private async insert(batch: Batch, stored: Set<number>): Promise<EarlierEvents> {
    const { sorted } = batch;
    const found = await insertBatch(this.db, batch);
    // What was stored just now is there, too, but was not before.
    const earlier = new Map([...found].filter(([index]) => !stored.has(sorted.repeats.get(index) ?? index)));
    for (const index of sorted.winners) if (!earlier.has(index)) stored.add(index);
    this.repeating ||= this.isUnlikely(sorted, earlier);
    return earlier;
  }

  private isUnlikely({ events }: SortedBatch, earlier: EarlierEvents): boolean {
    return [...earlier.keys()].some((index) => events[index] !== undefined && !this.recent.has(events[index]));
  }
}

const none: EarlierEvents = new Map();

/** Inserts lock keys in one order and cannot deadlock with one another, only with a copy, which then becomes an insert. */
const insertAttempts = 5;

/** One transaction for events and dead letters. Answers which events were there before. */
async function insertBatch(db: Database, batch: Batch): Promise<EarlierEvents> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await insertOnce(db, batch);
    } catch (error) {
      if (attempt === insertAttempts || sqlState(error) !== deadlockDetected) throw error;
    }
  }
}

function insertOnce(db: Database, { sorted, deadLetters }: Batch): Promise<EarlierEvents> {
  return db.transaction(
    async (client) => {
      const found = sorted.winners.length === 0 ? none : await insertNew(client, sorted);
      if (deadLetters.length > 0) await insertDeadLetters(client, deadLetters);
      return found;
    },
    sorted.winners.length === 0 ? '' : beginSql(sorted.backfillIds),
  );
}
