/**
 * Two processes store the same events in one ledger, many batches at once, and everything fails now and then, before it had an
 * effect or after. What was answered must be true of what is there in the end.
 *
 * SEED=… repeats a run; TIMES=10 runs ten times as many.
 */
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { type Database, openDatabase } from '../../src/storage/database.js';
import { StorageUnavailable } from '../../src/storage/errors.js';
import { createUsageLedger } from '../../src/storage/ledger.js';
import type { AppendOutcome, NewDeadLetter, UsageLedger } from '../../src/storage/types.js';
import { seeded } from '../proofs/support/interleavings.js';
import { through } from './ledger-between.js';
import { createFixture, type Fixture, usageEvent } from './usage-fixture.js';

const histories = 12 * Number(process.env['TIMES'] ?? 1);
const firstSeed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** Of one process; each sends batch after batch. */
const senders = 4;
const batchesOfSender = 25;
const identities = 40;
const contents = ['', 'second', 'third'];

let fixture: Fixture;
let second: Database;
beforeAll(async () => {
  fixture = await createFixture();
  second = openDatabase(fixture.url);
});
afterAll(async () => {
  await second.close();
  await fixture.close();
});

type Random = () => number;

function pick<T>(values: readonly T[], random: Random): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new Error('there is nothing to pick from');
  return value;
}

/** Fails one call in eight: half of them before, half of them after it had its effect. */
function failing(db: Database, random: Random): Database {
  const error = (): Error =>
    random() < 0.5 ? new StorageUnavailable(new Error('injected')) : new Error('injected, as a mistake of ours');
  const mayFail = async <T>(run: () => Promise<T>): Promise<T> => {
    const fate = random();
    if (fate < 1 / 16) throw error();
    const result = await run();
    if (fate < 1 / 8) throw error();
    return result;
  };
  return through(db, {
    lookUp: mayFail,
    transaction: mayFail,
    copyIn: (copy) => {
      if (random() < 0.05) return Promise.reject(Object.assign(new Error('injected deadlock'), { code: '40P01' }));
      return mayFail(copy);
    },
  });
}

interface Answer {
  readonly event: UsageEvent;
  /** Null: it failed, and nobody knows. */
  readonly became: AppendOutcome | null;
}

class Sender {
  readonly answers: Answer[] = [];

  constructor(
    private readonly ledger: UsageLedger,
    private readonly customerId: string,
    private readonly random: Random,
  ) {}

  async sendAll(): Promise<void> {
    for (let batch = 0; batch < batchesOfSender; batch += 1) {
      const events = Array.from({ length: 1 + Math.floor(this.random() * 12) }, () => this.event(batch));
      const letters = this.random() < 0.2 ? [this.letter()] : [];
      await this.send(events, letters);
    }
  }

  /** Most are of the identities that the other senders are sending now, and most with the same content. */
  private event(batch: number): UsageEvent {
    const { random, customerId } = this;
    const around = Math.floor((batch / batchesOfSender) * identities);
    const eventId = `e${(around + Math.floor(random() * 8)) % identities}`;
    const metadataJson = JSON.stringify({ content: random() < 0.8 ? contents[0] : pick(contents, random) });
    return usageEvent({ customerId, eventId, eventTime: '2024-01-15T10:00:00Z', metadataJson });
  }

  private letter(): NewDeadLetter {
    const payload = pick(['one', 'two'], this.random);
    return { code: 'C', detail: '', customerId: this.customerId, eventId: null, payload };
  }

  /** Now and then it gives up after a failure; else it tries again as GroupCommit does, with what it knows to be committed. */
  private async send(events: readonly UsageEvent[], letters: readonly NewDeadLetter[]): Promise<void> {
    const committed = new Map<UsageEvent, AppendOutcome>();
    for (;;) {
      try {
        const became = await this.ledger.append(events, letters, committed);
        this.answers.push(...events.map((event, index) => ({ event, became: became[index] ?? null })));
        return;
      } catch (error) {
        if (!String(error).includes('injected')) throw error;
        // This attempt may have stored what the next one finds.
        this.answers.push(...events.map((event) => ({ event, became: null })));
        if (this.random() < 0.3) return;
      }
    }
  }
}

const keyOf = ({ eventId }: UsageEvent): string => eventId;

/** What is wrong with the answers about one identity, whose rows have these hashes. */
function complaintOf(answers: readonly Answer[], hashes: readonly string[]): string | null {
  const answered = answers.filter(({ became }) => became !== null);
  const [hash] = hashes;
  if (hashes.length > 1) return 'stored more than once';
  if (hash === undefined) return answered.length === 0 ? null : 'answered and not stored';
  const accepted = answered.filter(({ became }) => became === 'accepted');
  if (accepted.length > 1) return 'accepted more than once';
  if (!accepted.every(({ event }) => event.contentHash === hash)) return 'another content than the accepted one';
  const unknown = answers.some(({ event, became }) => became === null && event.contentHash === hash);
  if (accepted.length === 0 && !unknown) return 'stored by nobody';
  const isTrue = ({ event, became }: Answer): boolean => (became === 'conflict') === (event.contentHash !== hash);
  return answered.every(isTrue) ? null : 'duplicate of what is not there, or conflict with itself';
}

test.each(Array.from({ length: histories }, (_, index) => firstSeed + index))(
  'each identity is stored once and accepted at most once, and every answer is true (SEED=%i)',
  async (seed) => {
    const random = seeded(seed);
    const customerId = `customer ${seed}`;
    const sending = [fixture.db, second].flatMap((db) => {
      const ledger = createUsageLedger(failing(db, seeded(random() * 2 ** 31)), () => Promise.resolve([]));
      return Array.from({ length: senders }, () => new Sender(ledger, customerId, seeded(random() * 2 ** 31)));
    });
    await Promise.all(sending.map((sender) => sender.sendAll()));
    const { rows } = await fixture.db.pool.query<{ event_id: string; content_hash: string }>(
      'SELECT event_id, content_hash::text FROM telemetry_events WHERE customer_id = $1',
      [customerId],
    );
    const answers = sending.flatMap((sender) => sender.answers);
    const ids = [...new Set(answers.map(({ event }) => keyOf(event)))];
    const complaints = ids.map((id) => [
      id,
      complaintOf(
        answers.filter(({ event }) => keyOf(event) === id),
        rows.filter(({ event_id }) => event_id === id).map(({ content_hash }) => content_hash),
      ),
    ]);
    expect(complaints.filter(([, complaint]) => complaint !== null)).toEqual([]);
    expect(rows.map(({ event_id }) => event_id).filter((id) => !ids.includes(id))).toEqual([]);
    // It was a history worth telling.
    const outcomes = new Set(answers.map(({ became }) => became));
    expect([...outcomes].sort()).toEqual(['accepted', 'conflict', 'duplicate', null]);
  },
);
