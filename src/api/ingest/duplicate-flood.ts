/**
 * Duplicates by producer (customer and source) over a sliding window. A producer that sends little but duplicates, and many of
 * them, is asked to slow down until the window has moved on: so it never costs the ledger more than the limit in a window.
 * Nothing is dropped: what is refused can be sent again. Counted in the process, so the limit holds for each API process.
 *
 * Duplicates are counted one by one. What else a producer sends matters only when it is about as much as the limit: of it a sample
 * is counted, so that events which are no duplicates, nearly all of them, are not looked at one by one.
 */
import type { UsageEvent } from '../../domain/metering/event.js';
import type { AppendOutcome, FindingStore } from '../../storage/types.js';
import { RefusedForNow } from '../problem.js';
import { identifierOf, sourceOf, type EventFormat, type EventItem } from './event-format.js';

export interface DuplicateFloodLimits {
  /** Length of the window (ms). */
  readonly windowMs: number;
  /** Duplicates of one producer in a window, other contents under a used id among them (`isRepetition`); 0: no limit. */
  readonly duplicates: number;
  /** Only a producer of whose events at least this many percent are duplicates is throttled. */
  readonly percent: number;
}

/**
 * A client in a loop is caught from 1,250 repeats a second on: 100,000 requests over 1,000 events within a minute; a slower one shows in
 * `nearest`. An import repeated as a whole after a failure is no flood up to this size; a larger one is slowed down to this many a
 * minute and producer, and loses nothing by it: it is told when to go on.
 */
export const defaultDuplicateFloodLimits: DuplicateFloodLimits = { windowMs: 60_000, duplicates: 75_000, percent: 50 };

export interface DuplicateFloodDependencies {
  readonly limits: DuplicateFloodLimits;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly findings: Pick<FindingStore, 'store'>;
}

interface Slot {
  number: number;
  duplicates: number;
  /** An estimate: what the sampled ones stand for. */
  others: number;
}

/** Whether an event is there already, with the same content or another. What only comes too late, or with a backfill, is new. */
const isRepetition = (outcome: AppendOutcome | undefined): boolean => outcome === 'duplicate' || outcome === 'conflict';

interface Producer {
  readonly customerId: string;
  readonly source: string;
  readonly slots: readonly Slot[];
  /** UTC day of the finding that was stored last. */
  findingDay: string | null;
}

/** Of a producer that sends as much else as the limit of duplicates, about so many are sampled. */
const samplesAtLimit = 1_000;
/** The window moves on by this part of its length. */
const slotCount = 6;
/** Producers that are followed at the same time. */
const producersMax = 100_000;

export class DuplicateFlood {
  /** Producers that sent duplicates lately, or of which other events were sampled, by customer and source. */
  private readonly producers = new Map<string, Map<string, Producer>>();
  private count = 0;
  private readonly flooding = new Set<Producer>();
  private sweptAt = 0;
  /** Every so many events that are no duplicates, on average, one is counted for all of them. */
  private readonly sampleEvery: number;
  /** Events until the next one that is sampled. */
  private untilSample: number;

  constructor(private readonly deps: DuplicateFloodDependencies) {
    this.sampleEvery = Math.max(1, Math.floor(deps.limits.duplicates / samplesAtLimit));
    this.untilSample = this.nextGap();
  }

  /** Producers that are throttled now. */
  get active(): number {
    const slot = this.slotNow();
    return [...this.flooding].filter((producer) => this.isFlooding(producer, slot)).length;
  }

  /**
   * How near a producer is to being throttled, or how far beyond: the most duplicates in the window of one that sends little else,
   * as a part of the limit. From 1 on it is throttled. 0 without a limit. Looks at every producer that is followed.
   */
  get nearest(): number {
    const { duplicates: limit } = this.deps.limits;
    if (limit === 0) return 0;
    const slot = this.slotNow();
    let most = 0;
    for (const bySource of this.producers.values())
      for (const { slots } of bySource.values()) {
        const sent = sumOf(slots, { after: slot - slotCount, to: slot });
        if (this.isMostly(sent)) most = Math.max(most, sent.duplicates);
      }
    return most / limit;
  }

  /** To be told what became of events after each commit. Costs next to nothing while nobody sends duplicates. */
  record(events: readonly UsageEvent[], outcomes: readonly AppendOutcome[], duplicates: number): void {
    if (this.deps.limits.duplicates === 0) return;
    const slot = this.slotNow();
    this.sweep(slot);
    this.sample(events, outcomes, slot);
    if (duplicates === 0) return;
    for (let at = 0; at < events.length; at += 1) {
      const event = events[at];
      if (event !== undefined && isRepetition(outcomes[at])) this.recordDuplicate(event, slot);
    }
  }

  /**
   * Refuses a request all of whose events are of producers that flood; it names the first of them. With an event of somebody else
   * among them it is taken: a gateway that sends for many must not be stopped by one.
   * @throws RefusedForNow DUPLICATE_FLOOD
   */
  check(items: readonly EventItem[], format: EventFormat): void {
    if (this.flooding.size === 0) return;
    const slot = this.slotNow();
    let first: Producer | null = null;
    let others = false;
    for (const item of items) {
      const producer = this.producerOf(item, format);
      if (producer !== undefined && this.flooding.has(producer) && this.isFlooding(producer, slot)) first ??= producer;
      else others = true;
    }
    if (first === null) return;
    const sent = this.sentBy(first, slot);
    this.storeFinding(first, sent);
    if (others) return;
    const detail = `${sent}. Stop repeating what was answered 202; send the others again later.`;
    throw new RefusedForNow({ code: 'DUPLICATE_FLOOD', detail }, this.secondsUntilCalm(first, slot));
  }

  /** At random distances, so that whoever sends in turn with others is counted as often as they are. */
  private sample(events: readonly UsageEvent[], outcomes: readonly AppendOutcome[], slot: number): void {
    let at = this.untilSample;
    for (; at < events.length; at += 1 + this.nextGap()) {
      const event = events[at];
      if (event === undefined || isRepetition(outcomes[at])) continue;
      // Half of the places are left to those that send duplicates.
      const counts = this.countsOf(event, slot, producersMax / 2);
      if (counts !== null) counts.others += this.sampleEvery;
    }
    this.untilSample = at - events.length;
  }

  /** How many events are passed over; on average one less than `sampleEvery`. */
  private nextGap(): number {
    return Math.floor(Math.random() * (2 * this.sampleEvery - 1));
  }

  private recordDuplicate(event: UsageEvent, slot: number): void {
    const counts = this.countsOf(event, slot, producersMax);
    if (counts === null) return;
    counts.duplicates += 1;
    // Looked at once in a while: the sum over the slots need not be exact to one event.
    if (counts.duplicates % checkEvery(this.deps.limits) !== 0) return;
    const producer = this.producers.get(event.customerId)?.get(event.source);
    if (producer !== undefined && this.isFlooding(producer, slot)) this.flooding.add(producer);
  }

  /** The counts of its producer in the slot; null when so many producers are followed already that no other is. */
  private countsOf({ customerId, source }: UsageEvent, slot: number, followedMax: number): Slot | null {
    let producer = this.producers.get(customerId)?.get(source);
    if (producer === undefined) {
      if (this.count >= followedMax) return null;
      producer = this.add(customerId, source);
    }
    const counts = producer.slots[slot % slotCount];
    if (counts === undefined) return null;
    if (counts.number !== slot) Object.assign(counts, { number: slot, duplicates: 0, others: 0 });
    return counts;
  }

  private add(customerId: string, source: string): Producer {
    const bySource = this.producers.get(customerId) ?? new Map<string, Producer>();
    this.producers.set(customerId, bySource);
    const slots = Array.from({ length: slotCount }, () => ({ number: -1, duplicates: 0, others: 0 }));
    const producer = { customerId, source, slots, findingDay: null };
    bySource.set(source, producer);
    this.count += 1;
    return producer;
  }

  private producerOf(item: EventItem, format: EventFormat): Producer | undefined {
    const customerId = identifierOf(item, format.customerIdKey);
    const bySource = customerId === null ? undefined : this.producers.get(customerId);
    return bySource?.get(sourceOf(item));
  }

  private isFlooding({ slots }: Producer, slot: number): boolean {
    const sent = sumOf(slots, { after: slot - slotCount, to: slot });
    return sent.duplicates >= this.deps.limits.duplicates && this.isMostly(sent);
  }

  private isMostly({ duplicates, others }: Pick<Slot, 'duplicates' | 'others'>): boolean {
    return duplicates * 100 >= (duplicates + others) * this.deps.limits.percent;
  }

  private sentBy({ customerId, source, slots }: Producer, slot: number): string {
    const { duplicates } = sumOf(slots, { after: slot - slotCount, to: slot });
    return `The customer "${customerId}", source "${source}", sent ${duplicates} duplicates within ${this.deps.limits.windowMs / 1_000} s`;
  }

  /** Until so many of the producer's slots have left the window that it floods no longer. */
  private secondsUntilCalm({ slots }: Producer, slot: number): number {
    const { windowMs, duplicates: limit } = this.deps.limits;
    let oldest = slot - slotCount;
    while (sumOf(slots, { after: oldest, to: slot }).duplicates >= limit) oldest += 1;
    const calmAt = ((oldest + slotCount) * windowMs) / slotCount;
    return Math.max(1, Math.ceil((calmAt - this.deps.clock()) / 1_000));
  }

  /** Once a day and producer. Stored beside the request: one that fails is tried again with the next refusal. */
  private storeFinding(producer: Producer, sent: string): void {
    const { customerId, source } = producer;
    const day = new Date(this.deps.clock()).toISOString().slice(0, 10);
    if (producer.findingDay === day) return;
    producer.findingDay = day;
    const detail = `${sent}; from ${this.deps.limits.duplicates} on it is throttled. Its sender repeats what was answered 202.`;
    const subject = { customer_id: customerId, source, day };
    this.deps.findings.store({ code: 'DUPLICATE_FLOOD', customerId, period: null, subject, detail }).catch(() => {
      producer.findingDay = null;
    });
  }

  /** Forgets, once a slot, of whom nothing was counted for a window. */
  private sweep(slot: number): void {
    if (slot === this.sweptAt) return;
    this.sweptAt = slot;
    for (const producer of this.flooding) if (!this.isFlooding(producer, slot)) this.flooding.delete(producer);
    for (const [customerId, bySource] of this.producers) {
      for (const [source, { slots }] of bySource) {
        const { duplicates, others } = sumOf(slots, { after: slot - slotCount, to: slot });
        if (duplicates + others > 0) continue;
        bySource.delete(source);
        this.count -= 1;
      }
      if (bySource.size === 0) this.producers.delete(customerId);
    }
  }

  private slotNow(): number {
    return Math.floor((this.deps.clock() * slotCount) / this.deps.limits.windowMs);
  }
}

function checkEvery({ duplicates }: DuplicateFloodLimits): number {
  return Math.max(1, Math.floor(duplicates / 100));
}

/** Over the slots numbered in (after, to]: a clock that was set back leaves later ones, which do not count. */
function sumOf(
  slots: readonly Slot[],
  { after, to }: { readonly after: number; readonly to: number },
): Pick<Slot, 'duplicates' | 'others'> {
  let duplicates = 0;
  let others = 0;
  for (const slot of slots) {
    if (slot.number <= after || slot.number > to) continue;
    duplicates += slot.duplicates;
    others += slot.others;
  }
  return { duplicates, others };
}
