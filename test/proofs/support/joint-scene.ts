/**
 * The joint between ledger and workflow on real Postgres, taken apart: ingest that has drawn its positions and not committed, the
 * relay's plan, closing of windows, gate, comparison, correction. The steps can be put together in any order.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { parsePriceBook } from '../../../src/domain/rating/parse-price-book.js';
import type { Instant, LocalDate } from '../../../src/domain/values.js';
import { insertEvents, sortBatch } from '../../../src/storage/ledger-append.js';
import { isUnavailable } from '../../../src/storage/errors.js';
import { RelayFenced } from '../../../src/storage/relay-cursor.js';
import { openLedgerTransaction } from '../../../src/storage/safe-horizon.js';
import type { BillingPeriod, Storage, UsageRange } from '../../../src/storage/types.js';
import { createActivityFixture } from '../../activities/fixture.js';
import type { ActivityFixture } from '../../activities/fixture.js';
import { usageEvent } from '../../storage/usage-fixture.js';
import { LockWatch } from './interleavings.js';
import { JointBooks, persistently } from './joint-books.js';

export const group = 'all';
const priceBook = 'joint';

/** A call and what it carries; `time` in January or February 2024. */
export interface Call {
  readonly eventId: string;
  readonly time: string;
  readonly bytes: number;
}

/** What calls cost, in cents; the price book of the scene says the same. */
export function costOf(calls: readonly Pick<Call, 'bytes'>[]): number {
  const tiers = Math.min(calls.length, 3) * 10 + Math.max(calls.length - 3, 0) * 8;
  return tiers + calls.reduce((sum, { bytes }) => sum + bytes, 0);
}

export const eventOf = (customerId: string, { eventId, time, bytes }: Call) =>
  usageEvent({ customerId, eventId, eventTime: time, metadataJson: `{"bytes":${bytes}}` });

export class JointScene {
  /** Cursor and fencing epoch of the relay that plans here. */
  private epoch = 0;
  private customers = 0;
  private readonly books = new Map<string, JointBooks>();

  private constructor(
    readonly fixture: ActivityFixture,
    /** Connections for ingest that is taken apart. */
    readonly ingest: pg.Pool,
    readonly admin: pg.Client,
    readonly watch: LockWatch,
  ) {}

  static async open(): Promise<JointScene> {
    const fixture = await createActivityFixture();
    const bytes = { code: 'bytes', eventType: 'api_call', aggregation: 'sum', valueProperty: 'bytes' } as const;
    const always = {
      groupBy: [],
      filters: {},
      windowSize: 'hour',
      allowedLateness: 'PT1H',
      allowNegative: false,
      maxGroups: 1000,
      effectiveFrom: null,
    } as const;
    await fixture.storage.reference.createMeter({ ...bytes, ...always });
    await fixture.storage.reference.createPriceBook(
      parsePriceBook({
        code: priceBook,
        version: 'v1',
        currency: 'USD',
        effective_from: '2024-01-01T00:00:00Z',
        prices: [
          {
            meter: 'api_calls',
            model: 'tiered',
            tiers: [
              { up_to: '3', unit_price: '0.10' },
              { up_to: null, unit_price: '0.08' },
            ],
          },
          { meter: 'bytes', model: 'flat', unit_price: '0.01' },
        ],
      }),
    );
    return JointScene.on(fixture);
  }

  /** A scene goes on where its meters, prices and customers are already, with a relay of its own. */
  static async on(fixture: ActivityFixture): Promise<JointScene> {
    const ingest = new pg.Pool({ connectionString: fixture.url, max: 8 });
    // A connection that a test ends on purpose; whoever uses it meets the error himself.
    ingest.on('error', () => undefined);
    ingest.on('connect', (client) => client.on('error', () => undefined));
    const [admin, watching] = [0, 1].map(() => new pg.Client({ connectionString: fixture.url }));
    if (admin === undefined || watching === undefined) throw new Error('two connections');
    await Promise.all([admin.connect(), watching.connect()]);
    const scene = new JointScene(fixture, ingest, admin, new LockWatch(watching));
    scene.closing = () => watching.end();
    await scene.takeOver();
    return scene;
  }

  private closing = (): Promise<void> => Promise.resolve();

  get storage(): Storage {
    return this.fixture.storage;
  }

  /** A customer whose periods exist and are empty. */
  async newCustomer(names: readonly LocalDate[] = [january]): Promise<JointBooks> {
    const customerId = `joint-${(this.customers += 1)}`;
    await this.fixture.addCustomer(customerId, { priceBook });
    const periods: BillingPeriod[] = [];
    for (const name of names) {
      const period = await this.storage.periods.periodNamed(customerId, name);
      if (period !== null) periods.push(period);
    }
    return this.adopt(new JointBooks(this, customerId, periods));
  }

  /** Signals for the customer go to these books from now on. */
  adopt(books: JointBooks): JointBooks {
    this.books.set(books.customerId, books);
    return books;
  }

  // The relay ----------------------------------------------------------------------------------------------------------

  async takeOver(): Promise<number> {
    const { epoch } = await persistently(() => this.storage.relay.acquire(group));
    // Of two that wait for each other the answers may come in another order than their turns.
    this.epoch = Math.max(this.epoch, epoch);
    return epoch;
  }

  async plan(storage: Storage = this.storage): Promise<void> {
    await storage.relay.plan(group, this.epoch);
  }

  /** A relay that was fenced or lost its database begins again, as its loop does. */
  async planOrTakeOver(): Promise<void> {
    try {
      await this.plan();
    } catch (error) {
      if (!(error instanceof RelayFenced) && !isUnavailable(error)) throw error;
      await this.takeOver();
    }
  }

  /** Tells every customer what is due. `marked` false: the relay ends before it has noted the delivery. */
  async deliver({ marked = true } = {}): Promise<readonly UsageRange[]> {
    const ranges = await persistently(() => this.storage.relay.due(group, 0, 1_000));
    for (const range of ranges) this.books.get(range.customerId)?.told(range);
    if (marked) await persistently(() => this.storage.relay.markDelivered(ranges));
    return ranges;
  }

  // Ingest -------------------------------------------------------------------------------------------------------------

  /** An ingest transaction that has drawn its positions: `work` is done, nothing is committed. */
  async begin(work: (client: pg.PoolClient) => Promise<void>): Promise<OpenIngest> {
    const client = await this.ingest.connect();
    let failed = true;
    try {
      await client.query(`BEGIN;${openLedgerTransaction}`);
      await work(client);
      failed = false;
    } finally {
      if (failed) client.release(true);
    }
    const end = async (how: 'COMMIT' | 'ROLLBACK'): Promise<void> => {
      let broken = true;
      try {
        await client.query(how);
        broken = false;
      } finally {
        client.release(broken);
      }
    };
    return { commit: () => end('COMMIT'), rollBack: () => end('ROLLBACK') };
  }

  beginAppend(customerId: string, calls: readonly Call[]): Promise<OpenIngest> {
    const batch = sortBatch(calls.map((call) => eventOf(customerId, call)));
    return this.begin(async (client) => void (await insertEvents(client, batch)));
  }

  /** The same for a backfill. @throws (RK001) when it is not open any more */
  beginFill(customerId: string, backfillId: string, call: Call): Promise<OpenIngest> {
    const batch = sortBatch([{ ...eventOf(customerId, call), backfillId }], [backfillId]);
    return this.begin(async (client) => {
      await client.query(`SELECT require_open_backfills('{${backfillId}}')`);
      await insertEvents(client, batch);
    });
  }

  beginVoid(customerId: string, eventId: string): Promise<OpenIngest> {
    return this.begin(
      async (client) =>
        void (await client.query(
          `INSERT INTO event_adjustments (adjustment_id, customer_id, source, event_id, partition, type)
           SELECT $1, customer_id, source, event_id, partition, 'void' FROM telemetry_events WHERE customer_id = $2 AND event_id = $3`,
          [randomUUID(), customerId, eventId],
        )),
    );
  }

  async close(): Promise<void> {
    await Promise.all([this.ingest.end(), this.admin.end(), this.closing()]);
    await this.fixture.close();
  }
}

export interface OpenIngest {
  commit(): Promise<void>;
  rollBack(): Promise<void>;
}

export const january = '2024-01-01' as LocalDate;
export const february = '2024-02-01' as LocalDate;
export const periodNameOf = (time: string): LocalDate => `${time.slice(0, 7)}-01` as LocalDate;
/** Long after both periods. */
export const longAfter = Date.parse('2024-03-15T00:00:00Z');
export const at = (text: string): Instant => `${text.slice(0, 19)}.000000Z` as Instant;
