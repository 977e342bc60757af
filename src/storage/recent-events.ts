import type { UsageEvent } from '../domain/metering/event.js';

/** So many are remembered at least, and at most twice as many. */
const remembered = 100_000;

/**
 * Content hashes of what this process has stored lately: a hint where duplicates are likely, since most are retries that come
 * soon. Never an answer: the ledger is asked about each of them, because it may have been set back to a state before it (restored,
 * failed over), and a retry is then what mends it.
 */
export class RecentEvents {
  private young = new Set<string>();
  private old = new Set<string>();

  has({ contentHash }: UsageEvent): boolean {
    return this.young.has(contentHash) || this.old.has(contentHash);
  }

  add(events: readonly UsageEvent[]): void {
    for (const { contentHash } of events) this.young.add(contentHash);
    if (this.young.size < remembered) return;
    this.old = this.young;
    this.young = new Set();
  }
}
