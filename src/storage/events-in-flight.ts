import type { UsageEvent } from '../domain/metering/event.js';
import { ContentHashSet } from './content-hash-set.js';
import { nextOf } from './next-of.js';

/**
 * The events that this process is storing at the moment. One that comes twice at once waits here until the first is committed,
 * while those that it came with go on: in the database it would wait with locks held, and two batches that overlap could wait
 * for each other.
 *
 * Found by content hash, which is at hand, and held against its identity, because 63 bits can be made to collide: what one event
 * became says nothing of another. An event of the same identity with other content passes, and the database decides. So does what
 * two processes store at once.
 */
export class EventsInFlight<Outcome extends string> {
  private readonly batches = new Set<Batch<Outcome>>();

  /**
   * @param repeated what an event is whose first copy was stored while it waited; null where the ledger has to be asked. It stands
   *   behind the same commit as the answer to the first copy
   */
  constructor(private readonly repeated: (first: UsageEvent, became: Outcome, again: UsageEvent) => Outcome | null) {}

  /**
   * @param store called at once with what nobody else is storing, and, when that is done, with those of the others of which their
   *   first copy does not tell what they are; a later call may fail when earlier ones have not
   * @returns what became of each event, by index
   */
  async each(
    events: readonly UsageEvent[],
    store: (events: readonly UsageEvent[], call: number) => Promise<readonly Outcome[]>,
    call = 0,
  ): Promise<readonly Outcome[]> {
    const waiting = this.waiting(events);
    if (waiting.size === 0) return this.during(events, () => store(events, call));
    const free = events.filter((event) => !waiting.has(event));
    const elsewhere = new Set(Array.from(waiting.values(), (first) => first?.batch));
    const [stored] = await Promise.all([
      this.during(free, () => store(free, call)),
      ...Array.from(elsewhere, (batch) => batch?.ended),
    ]);
    const became = new Map(Array.from(waiting, ([again, first]) => [again, this.repeatOf(first, again)]));
    const others = events.filter((event) => became.get(event) === null);
    const asked = others.length === 0 ? [] : await this.each(others, store, call + 1);
    const outcomes = { stored: stored.values(), asked: asked.values() };
    return events.map((event) =>
      became.has(event)
        ? (became.get(event) ?? nextOf(outcomes.asked, everyOutcome))
        : nextOf(outcomes.stored, everyOutcome),
    );
  }

  private repeatOf(first: First<Outcome> | null, again: UsageEvent): Outcome | null {
    const became = first?.batch.outcomes?.[first.index];
    return first === null || became === undefined ? null : this.repeated(first.event, became, again);
  }

  private async during(
    events: readonly UsageEvent[],
    store: () => Promise<readonly Outcome[]>,
  ): Promise<readonly Outcome[]> {
    const batch = new Batch<Outcome>(events);
    this.batches.add(batch);
    try {
      batch.outcomes = await store();
      return batch.outcomes;
    } finally {
      this.batches.delete(batch);
      batch.end();
    }
  }

  /** Those in flight elsewhere, and with them (null) whatever has their identity here: of one identity the lower index wins. */
  private waiting(events: readonly UsageEvent[]): ReadonlyMap<UsageEvent, First<Outcome> | null> {
    const found = new Map<UsageEvent, First<Outcome> | null>();
    for (const batch of this.batches) {
      for (const event of events) {
        const first = batch.find(event);
        if (first !== null) found.set(event, first);
      }
    }
    if (found.size === 0) return found;
    const identities = new Set(Array.from(found.keys(), identityOf));
    for (const event of events) if (!found.has(event) && identities.has(identityOf(event))) found.set(event, null);
    return found;
  }
}

/** Where the first copy of an event is being stored. */
interface First<Outcome> {
  readonly batch: Batch<Outcome>;
  readonly index: number;
  readonly event: UsageEvent;
}

/** What is being stored. */
class Batch<Outcome> {
  /** Once it has ended what became of each event; null when storing failed. */
  outcomes: readonly Outcome[] | null = null;
  readonly ended: Promise<void>;
  end = (): void => undefined;
  private readonly hashes: ContentHashSet;
  /** By the place of its hash the index of the event that has it. */
  private readonly indices: Uint32Array;

  constructor(private readonly events: readonly UsageEvent[]) {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    this.hashes = new ContentHashSet(events.length);
    this.indices = new Uint32Array(this.hashes.places);
    events.forEach(({ contentHash }, index) => {
      this.indices[this.hashes.add(contentHash)] = index;
    });
  }

  find(again: UsageEvent): First<Outcome> | null {
    const place = this.hashes.find(again.contentHash);
    const index = place === null ? undefined : this.indices[place];
    const event = index === undefined ? undefined : this.events[index];
    if (index === undefined || event?.contentHash !== again.contentHash) return null;
    return identityOf(event) === identityOf(again) ? { batch: this, index, event } : null;
  }
}

/** U+0000 is in no identifier, because Postgres cannot store it. */
const identityOf = ({ customerId, source, eventId }: UsageEvent): string => `${customerId}\0${source}\0${eventId}`;

const everyOutcome = 'every event has an outcome';
