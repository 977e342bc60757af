/**
 * Group commit: requests that wait at the same time share a transaction, because a transaction costs Postgres as much as some
 * forty events whatever it holds. Nobody waits for company: while none is under way, one takes at once whatever is queued.
 * Beside one that has just begun, few events are not worth another: they gather, and follow it or overtake it when it takes long.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainFailure } from '../../domain/failure.js';
import type { UsageEvent } from '../../domain/metering/event.js';
import { StorageUnavailable } from '../../storage/errors.js';
import type { AppendOutcome, NewDeadLetter, UsageLedger } from '../../storage/types.js';

/** What one request wants committed. */
export interface CommitJob {
  readonly events: readonly UsageEvent[];
  readonly deadLetters: readonly NewDeadLetter[];
  /** Size of the request's body: bounds the memory that waiting requests hold. */
  readonly bytes: number;
}

export interface GroupCommitLimits {
  /** Transactions at the same time. */
  readonly committers: number;
  /** So many events are worth a transaction of their own beside one that has just begun. */
  readonly eventsBeside: number;
  /** A transaction under way for longer (ms) waits for a slow disk or for a lock: nobody is to wait behind it. */
  readonly overtakenAfterMs: number;
  /** Events a transaction takes, unless a single request has more. */
  readonly eventsPerCommit: number;
  /** Events and bytes that may wait or be in flight; beyond them requests are refused with OVER_CAPACITY. */
  readonly eventsWaiting: number;
  readonly bytesWaiting: number;
}

export const defaultGroupCommitLimits: GroupCommitLimits = {
  committers: 4,
  eventsBeside: 100,
  overtakenAfterMs: 10,
  eventsPerCommit: 5_000,
  eventsWaiting: 100_000,
  bytesWaiting: 64 * 1024 * 1024,
};

export interface CommitObserver {
  /** After each transaction that committed. */
  committed(events: number, requests: number, seconds: number): void;
}

const patienceMs = 30_000;
const lookEveryMs = 50;

interface WaitingJob extends CommitJob {
  readonly resolve: (outcomes: readonly AppendOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

export class GroupCommit {
  private readonly queue: WaitingJob[] = [];
  private queuedEvents = 0;
  private active = 0;
  /** Of the active transactions those that have just begun. */
  private young = 0;
  private closing = false;
  private flushScheduled = false;
  private readonly idle: (() => void)[] = [];
  private waitingEvents = 0;
  private waitingBytes = 0;

  constructor(
    private readonly ledger: Pick<UsageLedger, 'append'>,
    private readonly limits: GroupCommitLimits = defaultGroupCommitLimits,
    private readonly observer?: CommitObserver,
  ) {}

  /** Events that wait or are in flight. */
  get depth(): number {
    return this.waitingEvents;
  }

  /**
   * Resolves, once durable, with what became of each event by index.
   * @throws DomainFailure OVER_CAPACITY when too much waits already, or the API is stopping
   * @throws StorageUnavailable when the database is away; the request may or may not be committed, and can be repeated
   */
  submit(job: CommitJob): Promise<readonly AppendOutcome[]> {
    if (this.closing) {
      return Promise.reject(new DomainFailure('OVER_CAPACITY', 'This server is stopping. Send the request again.'));
    }
    if (this.isFull(job)) {
      return Promise.reject(
        new DomainFailure('OVER_CAPACITY', 'Too many events wait to be stored. Send the same request again later.'),
      );
    }
    this.waitingEvents += job.events.length;
    this.waitingBytes += job.bytes;
    this.queuedEvents += job.events.length;
    return new Promise((resolve, reject) => {
      const { events, deadLetters, bytes } = job;
      this.queue.push({ events, deadLetters, bytes, resolve, reject });
      this.scheduleFlush();
    });
  }

  /**
   * As `submit`, but waits for room: for who already holds what it submits in memory and would only have to send it again.
   * @throws DomainFailure OVER_CAPACITY when there is none for half a minute, or the API is stopping
   */
  async submitPatiently(job: CommitJob): Promise<readonly AppendOutcome[]> {
    for (let waited = 0; this.isFull(job) && !this.closing && waited < patienceMs; waited += lookEveryMs) {
      await sleep(lookEveryMs);
    }
    return this.submit(job);
  }

  /** Refuses new requests and resolves when everything accepted before is committed or answered. */
  close(): Promise<void> {
    this.closing = true;
    if (this.queue.length === 0 && this.active === 0) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  /** A request alone is always taken: its own size is bounded by the limits of the body. */
  private isFull(job: CommitJob): boolean {
    if (this.waitingEvents === 0 && this.waitingBytes === 0) return false;
    const { eventsWaiting, bytesWaiting } = this.limits;
    return this.waitingEvents + job.events.length > eventsWaiting || this.waitingBytes + job.bytes > bytesWaiting;
  }

  /** Once a turn of the event loop, so that requests read in the same turn share the transaction. */
  private scheduleFlush(): void {
    if (this.flushScheduled || this.active >= this.limits.committers) return;
    this.flushScheduled = true;
    setImmediate(() => {
      this.flushScheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    while (this.queue.length > 0 && this.mayBegin()) this.begin(this.takeBatch());
    if (this.queue.length === 0 && this.active === 0) {
      for (const resolve of this.idle.splice(0)) resolve();
    }
  }

  private mayBegin(): boolean {
    if (this.active >= this.limits.committers) return false;
    return this.young === 0 || this.queuedEvents >= this.limits.eventsBeside;
  }

  private begin(jobs: readonly WaitingJob[]): void {
    let young = true;
    const grow = (): void => {
      if (young) this.young -= 1;
      young = false;
      this.flush();
    };
    this.active += 1;
    this.young += 1;
    const growing = setTimeout(grow, this.limits.overtakenAfterMs);
    void this.commit(jobs).then(() => {
      clearTimeout(growing);
      this.active -= 1;
      grow();
    });
  }

  private takeBatch(): readonly WaitingJob[] {
    let events = this.queue[0]?.events.length ?? 0;
    let jobs = 1;
    for (; jobs < this.queue.length; jobs += 1) {
      const more = this.queue[jobs]?.events.length ?? 0;
      if (events + more > this.limits.eventsPerCommit) break;
      events += more;
    }
    this.queuedEvents -= events;
    return this.queue.splice(0, jobs);
  }

  /** Never rejects: each job has its own answer. */
  private async commit(jobs: readonly WaitingJob[], committed = new Map<UsageEvent, AppendOutcome>()): Promise<void> {
    try {
      await this.append(jobs, committed);
    } catch (error) {
      if (jobs.length === 1 || error instanceof StorageUnavailable) this.settle(jobs, error);
      // One request's content must not fail its neighbours: each gets a transaction, and an answer, of its own.
      else for (const job of jobs) await this.commit([job], committed);
    }
  }

  private async append(jobs: readonly WaitingJob[], committed: Map<UsageEvent, AppendOutcome>): Promise<void> {
    const [only] = jobs;
    const single = jobs.length === 1 && only !== undefined;
    const events = single ? only.events : joined(jobs.map((job) => job.events));
    const deadLetters = single ? only.deadLetters : joined(jobs.map((job) => job.deadLetters));
    const start = performance.now();
    const outcomes = await this.ledger.append(events, deadLetters, committed);
    this.observer?.committed(events.length, jobs.length, (performance.now() - start) / 1_000);
    let offset = 0;
    for (const job of jobs) {
      this.release(job);
      job.resolve(outcomes.slice(offset, offset + job.events.length));
      offset += job.events.length;
    }
  }

  private settle(jobs: readonly WaitingJob[], error: unknown): void {
    for (const job of jobs) {
      this.release(job);
      job.reject(error);
    }
  }

  private release(job: CommitJob): void {
    this.waitingEvents -= job.events.length;
    this.waitingBytes -= job.bytes;
  }
}

/** Several times as fast as flatMap, which looks at every item. */
function joined<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const all: T[] = [];
  for (const list of lists) for (const item of list) all.push(item);
  return all;
}
