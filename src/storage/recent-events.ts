import type { UsageEvent } from '../domain/metering/event.js';
import { ContentHashSet } from './content-hash-set.js';

/** So many are remembered at least, and at most twice as many. */
const remembered = 100_000;

/**
 * Content hashes of what this process has stored lately: a hint where duplicates are likely, since most are retries that come
 * soon. Never an answer: the ledger is asked about each of them, because it may have been set back to a state before it (restored,
 * failed over), and a retry is then what mends it.
 */
export class RecentEvents {
  private young = new ContentHashSet(remembered);
  private old = new ContentHashSet(1);

  has({ contentHash }: UsageEvent): boolean {
    return this.young.has(contentHash) || this.old.has(contentHash);
  }

  add(events: readonly UsageEvent[]): void {
    for (const { contentHash } of events) {
      if (this.young.isFull) {
        this.old = this.young;
        this.young = new ContentHashSet(remembered);
      }
      this.young.add(contentHash);
    }
  }
}
