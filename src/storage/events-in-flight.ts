import type { UsageEvent } from '../domain/metering/event.js';
import { ContentHashSet } from './content-hash-set.js';

/**
 * The events that this process is storing at the moment. One that comes twice at once waits here until the first is committed,
 * while those that it came with go on: in the database it would wait with locks held, and two batches that overlap could wait
 * for each other.
 *
 * Told apart by content hash, which is at hand: an event of the same identity with other content passes, and the database
 * decides. So does what two processes store at once.
 */
export class EventsInFlight {
  private readonly batches = new Set<Batch>();

  /**
   * @param store called at once with what nobody else is storing, and with the others when it is done; a later call may fail when
   *   earlier ones have not
   * @returns what it answered for each event, by index
   */
  async each<T>(
    events: readonly UsageEvent[],
    store: (events: readonly UsageEvent[], call: number) => Promise<readonly T[]>,
    call = 0,
  ): Promise<readonly T[]> {
    const { waiting, elsewhere } = this.waiting(events);
    if (waiting.size === 0) return this.during(events, () => store(events, call));
    const free = events.filter((event) => !waiting.has(event));
    const [stored] = await Promise.all([this.during(free, () => store(free, call)), ...elsewhere]);
    const others = events.filter((event) => waiting.has(event));
    const answers = [stored.values(), (await this.each(others, store, call + 1)).values()] as const;
    return events.map((event) => next(waiting.has(event) ? answers[1] : answers[0]));
  }

  private async during<T>(events: readonly UsageEvent[], store: () => Promise<T>): Promise<T> {
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const hashes = new ContentHashSet(events.length);
    for (const { contentHash } of events) hashes.add(contentHash);
    const batch = { hashes, ended };
    this.batches.add(batch);
    try {
      return await store();
    } finally {
      this.batches.delete(batch);
      end();
    }
  }

  /** Those in flight elsewhere, and with them whatever has their identity here: of one identity the lower index wins. */
  private waiting(events: readonly UsageEvent[]): Waiting {
    const found = new Set<UsageEvent>();
    const elsewhere: Promise<void>[] = [];
    for (const { hashes, ended } of this.batches) {
      const before = found.size;
      for (const event of events) if (hashes.has(event.contentHash)) found.add(event);
      if (found.size > before) elsewhere.push(ended);
    }
    if (found.size === 0) return nothing;
    const identities = new Set([...found].map(identityOf));
    return { waiting: new Set(events.filter((event) => identities.has(identityOf(event)))), elsewhere };
  }
}

/** What is being stored, and when it is. */
interface Batch {
  readonly hashes: ContentHashSet;
  readonly ended: Promise<void>;
}

interface Waiting {
  readonly waiting: ReadonlySet<UsageEvent>;
  /** The ends of the batches that store them. */
  readonly elsewhere: readonly Promise<void>[];
}

const nothing: Waiting = { waiting: new Set(), elsewhere: [] };

/** U+0000 is in no identifier, because Postgres cannot store it. */
const identityOf = ({ customerId, source, eventId }: UsageEvent): string => `${customerId}\0${source}\0${eventId}`;

function next<T>(values: Iterator<T>): T {
  const { value, done } = values.next();
  if (done === true) throw new Error('invariant broken: every event has an outcome');
  return value;
}
