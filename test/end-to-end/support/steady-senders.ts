/**
 * Senders of every kind that go on whatever becomes of the database: what is not answered 202 is sent again as it is. The API is
 * there all the time, so that it must answer each request, and say 503 where it cannot take it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { usageOf } from './usage.js';
import type { Usage } from './usage.js';

interface Answer {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly results: readonly { readonly index: number; readonly status: string; readonly code?: string }[];
}

interface Request {
  readonly events: readonly Usage[];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** Indices of events with other content under a used id. */
  readonly altered: readonly number[];
  /** How many are known to be stored already. */
  readonly known: number;
}

const refusals = new Set(['DATABASE_UNAVAILABLE', 'OVER_CAPACITY']);
const json = { 'content-type': 'application/json' };

/** Says when new requests may be begun. */
export class Traffic {
  stopped = false;
  green: Promise<void> = Promise.resolve();

  /** Nothing new begins until `work` has ended. */
  async standsDuring(work: () => Promise<void>): Promise<void> {
    const ended = work();
    this.green = ended.catch(() => undefined);
    await ended;
  }
}

/** One customer's events, numbered from 0 on. */
export abstract class SteadySender {
  /** Ids of new events that were answered 202. */
  readonly acknowledged = new Set<string>();
  /** Events told as accepted, over all answers. */
  accepted = 0;
  /** Contents that were told to be conflicts. */
  conflicts = 0;
  /** Answers of 503, and answers of 202 that came at a later attempt. */
  refused = 0;
  repeated = 0;
  protected next = 0;

  constructor(
    readonly customerId: string,
    protected readonly apiUrl: string,
  ) {}

  /** Everything that was begun, each once. */
  get sent(): readonly Usage[] {
    return usageOf(this.customerId, 0, this.next);
  }

  /** Sends until told to stop; what was begun is sent to its end. */
  async run(lanes: number, traffic: Traffic): Promise<void> {
    const lane = async (): Promise<void> => {
      for (await traffic.green; !traffic.stopped; await traffic.green) await this.persist(this.request());
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  protected abstract request(): Request;

  protected fresh(count: number): readonly Usage[] {
    const events = usageOf(this.customerId, this.next, count);
    this.next += count;
    return events;
  }

  private async persist(request: Request): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const { url, headers, body } = request;
      const response = await fetch(url, { method: 'POST', headers, body });
      const text = await response.text();
      if (response.status === 202) {
        if (attempt > 1) this.repeated += 1;
        this.check(request, JSON.parse(text) as Answer, attempt === 1);
        return;
      }
      const { code } = JSON.parse(text) as { readonly code: string };
      if (response.status !== 503 || !refusals.has(code) || !(Number(response.headers.get('retry-after')) > 0))
        throw new Error(`${this.customerId}: ${response.status} ${text}`);
      this.refused += 1;
      await sleep(50);
    }
  }

  private check({ events, altered, known }: Request, answer: Answer, isFirst: boolean): void {
    const { accepted, duplicates, rejected, results } = answer;
    const conflicts = results.filter(({ code }) => code === 'EVENT_ID_REUSED').map(({ index }) => index);
    const expected = { altered: altered.length, rejected: altered.length, all: events.length };
    const found = { altered: conflicts.length, rejected, all: accepted + duplicates + rejected };
    const isTold = altered.every((index) => conflicts.includes(index)) && (!isFirst || duplicates === known);
    if (JSON.stringify(found) !== JSON.stringify(expected) || !isTold)
      throw new Error(`${this.customerId}: ${JSON.stringify(answer)} to ${JSON.stringify(expected)}, ${known} known`);
    this.accepted += accepted;
    this.conflicts += rejected;
    const refused = new Set(altered);
    for (const [index, { event_id: id }] of events.entries()) if (!refused.has(index)) this.acknowledged.add(id);
  }
}

const jsonRequest = (apiUrl: string, events: readonly Usage[]): Request => ({
  ...{ events, url: `${apiUrl}/events`, headers: json, altered: [], known: 0 },
  body: JSON.stringify(events),
});

/** All new: copied into the ledger. */
export class FreshBatches extends SteadySender {
  protected override request(): Request {
    return jsonRequest(this.apiUrl, this.fresh(200));
  }
}

export class Singles extends SteadySender {
  protected override request(): Request {
    const [event] = this.fresh(1);
    if (event === undefined) throw new Error('one event');
    return { ...jsonRequest(this.apiUrl, [event]), body: JSON.stringify(event) };
  }
}

/** New ones, ones that were acknowledged, and other content under their ids: inserted into the ledger. */
export class MixedBatches extends SteadySender {
  protected override request(): Request {
    const known = usageOf(this.customerId, 0, this.next)
      .filter(({ event_id: id }) => this.acknowledged.has(id))
      .slice(-60);
    const altered = known.slice(0, 5).map((event, index) => ({
      ...event,
      metadata: { ...event.metadata, bytes: `${this.next}${index}00000` },
    }));
    const fresh = this.fresh(60);
    return {
      ...jsonRequest(this.apiUrl, [...fresh, ...known, ...altered]),
      altered: altered.map((_, index) => fresh.length + known.length + index),
      known: known.length,
    };
  }
}

/** Lines, compressed, committed while they stream. */
export class CompressedStreams extends SteadySender {
  protected override request(): Request {
    const events = this.fresh(1_500);
    const body = gzipSync(events.map((event) => JSON.stringify(event)).join('\n'));
    const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
    return { events, url: `${this.apiUrl}/events`, headers, body: new Uint8Array(body), altered: [], known: 0 };
  }
}

export class Backfilled extends SteadySender {
  backfillId = '';

  protected override request(): Request {
    const request = jsonRequest(this.apiUrl, this.fresh(200));
    return { ...request, url: `${request.url}?backfill_id=${this.backfillId}` };
  }
}
