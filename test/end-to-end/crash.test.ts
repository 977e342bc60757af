/**
 * Crashes do not matter (DESIGN 2, invariant 4): every part of the real stack is killed (-9) in the middle of ingest, of a window
 * close, of issuing and of correcting, and started again. What comes out is the very same as where nothing was killed:
 * ids, amounts, hashes.
 *
 * "In the middle" is no matter of luck: a table is locked, the transaction that comes to it waits there, and dies there.
 *
 * SEED=… repeats the order in which events were sent.
 */
import { startTestStack } from '../support/stack.js';
import type { Part, TestStack } from '../support/stack.js';
import { Books } from './support/books.js';
import { hold, periodLockOf, storedEvents } from './support/ledger-watch.js';
import { Sender } from './support/sender.js';
import { costInCents, createCustomer, createFacts, period, randomFrom, shuffled, usageOf } from './support/usage.js';

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const events = 3_000;
const lateEvents = 400;
const batch = 250;

/** Each has a customer of its own, which is in that stage when the part is killed. */
const stages = ['correct', 'close', 'issue', 'ingest'] as const;
type Stage = (typeof stages)[number];

/**
 * Where the transaction of the stage is held; and that it is this stage, and not another one. (Not where a document's number is
 * drawn already: another customer's transaction might be held there, and this one would wait for its number.)
 */
const middles: Readonly<Record<Stage, { readonly table: string; readonly sign: string }>> = {
  ingest: { table: 'telemetry_events', sign: `EXISTS (SELECT FROM telemetry_events WHERE customer_id = 'ingest')` },
  close: { table: 'aggregated_usage', sign: `NOT EXISTS (SELECT FROM invoicing_requests WHERE customer_id = 'close')` },
  issue: {
    table: 'rated_charges',
    sign: `EXISTS (SELECT FROM invoicing_requests r WHERE customer_id = 'issue'
      AND NOT EXISTS (SELECT FROM invoicing_outcomes o WHERE o.request_id = r.request_id))`,
  },
  correct: {
    table: 'rated_charges',
    sign: `EXISTS (SELECT FROM re_rating_targets t WHERE customer_id = 'correct'
      AND NOT EXISTS (SELECT FROM re_rating_outcomes o WHERE o.re_rating_id = t.re_rating_id))`,
  },
};

/** The relay's part of ingest is its plan, which it makes in a transaction of its own. */
const middleOf = (stage: Stage, part: Part): (typeof middles)[Stage] =>
  stage === 'ingest' && part === 'worker' ? { ...middles.ingest, table: 'usage_ranges' } : middles[stage];

/** The same on every stack; sent in another order each time. */
const usage = (stage: Stage) => ({ onTime: usageOf(stage, 0, events), late: usageOf(stage, events, lateEvents) });

class Course {
  private readonly books: Books;
  private readonly senders: ReadonlyMap<Stage, Sender>;
  private readonly random = randomFrom(seed);

  constructor(
    private readonly stack: TestStack,
    private readonly killed: Part | null,
  ) {
    this.books = new Books(stack.apiUrl);
    this.senders = new Map(stages.map((stage) => [stage, new Sender(stack.apiUrl)]));
  }

  async run(): Promise<void> {
    await createFacts(this.stack.apiUrl);
    const third = Math.floor(events / 3);
    for (const stage of stages) {
      await createCustomer(this.stack.apiUrl, stage);
      const { onTime } = usage(stage);
      // Some are sent twice.
      const all = shuffled([...onTime, ...onTime.slice(0, batch)], this.random);
      await this.sender(stage).send(stage === 'ingest' ? onTime.slice(0, third) : all, { batch });
    }
    await this.books.close('correct');

    // What one stage still has to make up for goes on while the next one is interrupted.
    const acts: Readonly<Record<Stage, () => Promise<void>>> = {
      correct: () => this.sendLate('correct'),
      close: () => this.books.close('close'),
      issue: () => this.books.close('issue'),
      ingest: () => this.sender('ingest').send(shuffled(usage('ingest').onTime, this.random), { batch }),
    };
    const under: Promise<void>[] = [];
    for (const stage of stages) under.push((await this.interrupted(stage, acts[stage])).acting);
    await Promise.all(under);

    await this.books.close('ingest');
    for (const stage of stages) if (stage !== 'correct') await this.sendLate(stage);
    for (const stage of stages) await this.books.settled(stage, 2);
  }

  /** What is the same on every stack, by customer. */
  async outcome(): Promise<unknown> {
    const outcome: Record<string, unknown> = {};
    for (const stage of stages) {
      const documents = await this.books.documents(stage);
      const entries = await this.books.entries(stage);
      outcome[stage] = {
        documents: documents.map(({ number: _n, issued_at: _i, due_at: _d, ...document }) => withoutCutoffs(document)),
        entries: entries.map(
          ({ posting_date: _p, created_at: _c, description: _d, entry_order: _o, ...entry }) => entry,
        ),
      };
    }
    return outcome;
  }

  /** Nothing lost, nothing doubled, and everything proves itself. */
  async hasNoFault(): Promise<void> {
    const numbers: string[] = [];
    for (const stage of stages) {
      const { onTime, late } = usage(stage);
      const all = [...onTime, ...late];
      const ids = all.map(({ event_id: id }) => id).sort();
      expect([...(await storedEvents(this.stack.databaseUrl, stage))].sort()).toEqual(ids);
      expect([...this.sender(stage).acknowledged].sort()).toEqual(ids);
      // An answer that was lost may have told of accepted events; none is told twice.
      expect(this.sender(stage).accepted).toBeLessThanOrEqual(ids.length);
      const documents = await this.books.documents(stage);
      expect(documents.map(({ type }) => type)).toEqual(['invoice', 'correction']);
      expect(await this.books.billedInCents(stage)).toBe(costInCents(all));
      expect(BigInt(documents[0]?.total.replace('.', '') ?? '')).toBe(costInCents(onTime));
      expect(await this.books.unverified(stage)).toEqual([]);
      numbers.push(...documents.map(({ number }) => number));
    }
    const gapless = (type: string): readonly string[] => stages.map((_, index) => `${type}-00000${index + 1}`);
    expect(numbers.sort()).toEqual([...gapless('COR'), ...gapless('INV')]);
    expect(await this.books.reconciled(stages)).toEqual({ periods: stages.length, different: 0 });
    expect(await this.books.findings()).toEqual([]);
  }

  private sender(stage: Stage): Sender {
    const sender = this.senders.get(stage);
    if (sender === undefined) throw new Error(`no sender of ${stage}`);
    return sender;
  }

  /** In one request, hence one correction. */
  private sendLate(stage: Stage): Promise<void> {
    return this.sender(stage).send(usage(stage).late, { batch: lateEvents, lanes: 1 });
  }

  /** Resolves when the part runs again, with what was interrupted: it ends when that is done after all. */
  private async interrupted(stage: Stage, act: () => Promise<void>): Promise<{ readonly acting: Promise<void> }> {
    const { stack, killed } = this;
    if (killed === null) return { acting: act() };
    const { table, sign } = middleOf(stage, killed);
    const held = await hold(stack.databaseUrl, table, stage === 'ingest' ? null : periodLockOf(stage, `${period}-01`));
    const acting = act();
    // Somebody looks at it later.
    acting.catch(() => undefined);
    let acknowledged: readonly string[];
    try {
      await held.reached(sign);
      acknowledged = [...this.sender(stage).acknowledged];
      await stack.kill(killed);
    } finally {
      await held.release();
    }
    await stack.start(killed);
    const stored = new Set(await storedEvents(stack.databaseUrl, stage));
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
    return { acting };
  }
}

async function course(killed: Part | null): Promise<unknown> {
  const stack = await startTestStack();
  try {
    const run = new Course(stack, killed);
    await run.run();
    await run.hasNoFault();
    return await run.outcome();
  } finally {
    await stack.stop();
  }
}

/** A line's provenance names its document's. */
function withoutCutoffs(document: object): unknown {
  return JSON.parse(JSON.stringify(document, (key, value: unknown) => (key === 'cutoff_position' ? undefined : value)));
}

describe(`every stage, seed ${seed}`, () => {
  let reference: unknown;
  beforeAll(async () => {
    reference = await course(null);
  }, 600_000);

  test.each(['api', 'worker', 'temporal', 'postgres'] as const)(
    'kill -9 of %s in the middle of each changes nothing',
    async (part) => {
      expect(await course(part)).toEqual(reference);
    },
    900_000,
  );
});
