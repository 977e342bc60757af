import type { UsageEvent } from '../domain/metering/event.js';

/**
 * The events that this process is storing at the moment. One that comes twice at once waits here until the first is committed:
 * in the database it would wait with locks held, and two batches that overlap could wait for each other.
 *
 * Told apart by content hash, which is at hand: an event of the same identity with other content passes, and the database
 * decides. So does what two processes store at once.
 */
export class EventsInFlight {
  private readonly batches = new Map<string, Promise<unknown>>();

  /** Runs `store` while none of the events is in flight elsewhere. */
  async during<T>(events: readonly UsageEvent[], store: () => Promise<T>): Promise<T> {
    // Waits before it enters, so nobody waits for who waits.
    for (let other = this.overlapping(events); other !== undefined; other = this.overlapping(events)) await other;
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    for (const { contentHash } of events) this.batches.set(contentHash, ended);
    try {
      return await store();
    } finally {
      for (const { contentHash } of events) this.batches.delete(contentHash);
      end();
    }
  }

  private overlapping(events: readonly UsageEvent[]): Promise<unknown> | undefined {
    if (this.batches.size === 0) return undefined;
    for (const { contentHash } of events) {
      const other = this.batches.get(contentHash);
      if (other !== undefined) return other;
    }
    return undefined;
  }
}
