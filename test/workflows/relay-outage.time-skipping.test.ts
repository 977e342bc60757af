/**
 * A relay that is away for an hour while events keep coming, under the real workflow: real activities, ledger and relay loop on
 * Temporal's time-skipping server. It catches up without a late revision, in the middle of a period and over its end and gate.
 */
import { Context } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import pg from 'pg';
import { createActivities } from '../../src/activities/index.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { reconcilePeriod } from '../../src/billing/reconcile-period.js';
import { allPartitions } from '../../src/contracts/names.js';
import { msToInstant } from '../../src/domain/time/instant.js';
import type { LocalDate } from '../../src/domain/values.js';
import { deliverTo } from '../../src/relay/deliver.js';
import { runRelayLoop } from '../../src/relay/relay-loop.js';
import type { RelayEnd } from '../../src/relay/relay-loop.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { createActivityFixture, settings } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { eventually, startTimeSkipping, withWorker } from '../support/temporal.js';
import { sleepUntil } from './history.js';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** Events come so often, each with one that is late by less than is allowed. */
const everyMs = 10 * minute;
const lateByMs = 40 * minute;
const silent = { info: () => undefined, warn: () => undefined };
const dateOf = (ms: number): LocalDate => new Date(ms).toISOString().slice(0, 10) as LocalDate;

let env: TestWorkflowEnvironment;
let fixture: ActivityFixture;
let admin: pg.Client;
beforeAll(async () => {
  [env, fixture] = await Promise.all([startTimeSkipping(), createActivityFixture()]);
  admin = new pg.Client({ connectionString: fixture.url });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await fixture.close();
  await env.teardown();
});

/** The relay, which can go away. */
class Relay {
  private running: { readonly stop: AbortController; readonly ended: Promise<RelayEnd> } | null = null;

  start(): void {
    const stop = new AbortController();
    const dependencies = { relay: fixture.storage.relay, deliver: deliverTo(env.client), log: silent };
    const options = { group: allPartitions, tickMs: 5, signalIntervalMs: 0, stop: stop.signal };
    this.running = { stop, ended: runRelayLoop({ ...dependencies, nowMs: () => performance.now() }, options) };
  }

  async stop(): Promise<void> {
    if (this.running === null) return;
    const { stop, ended } = this.running;
    this.running = null;
    stop.abort();
    expect(await ended).toBe('stopped');
  }

  /** Everything that was stored is told, unless the relay is away. */
  async settled(): Promise<void> {
    if (this.running === null) return;
    await eventually(
      () => fixture.storage.relay.lag(allPartitions),
      ({ facts, oldestUndelivered }) => facts === 0 && oldestUndelivered === null,
    );
  }
}

/** A customer whose period begins at the server's next midnight, and whoever sends its events. */
class Scene {
  private readonly times: number[] = [];
  readonly relay = new Relay();

  private constructor(
    readonly customerId: string,
    readonly startMs: number,
    readonly periods: readonly BillingPeriod[],
  ) {}

  static async begin(customerId: string): Promise<Scene> {
    const nextMidnight = async (): Promise<number> => (Math.floor((await env.currentTimeMs()) / day) + 1) * day;
    // Every month has such a day.
    while (new Date(await nextMidnight()).getUTCDate() > 28) await env.sleep(day);
    const startMs = await nextMidnight();
    await fixture.addCustomer(customerId, {
      billingFrom: dateOf(startMs),
      billingAnchorDay: new Date(startMs).getUTCDate(),
    });
    const first = await fixture.storage.periods.periodAt(customerId, msToInstant(startMs));
    const second = await fixture.storage.periods.periodAt(customerId, first.to);
    return new Scene(customerId, startMs, [first, second]);
  }

  get endMs(): number {
    return Date.parse(this.periods[1]?.from ?? '');
  }

  /** Events come from now to then; the relay tells of them at once, or not at all. */
  async eventsUntil(ms: number): Promise<void> {
    for (let nowMs = await env.currentTimeMs(); nowMs + everyMs <= ms; nowMs = await env.currentTimeMs()) {
      await sleepUntil(env, nowMs + everyMs);
      const at = await env.currentTimeMs();
      const times = [at, Math.max(this.startMs, at - lateByMs)];
      const events = times.map((time, index) =>
        usageEvent({
          customerId: this.customerId,
          eventId: `${at}/${index}`,
          eventTime: new Date(time).toISOString().replace(/\.\d+/, ''),
        }),
      );
      expect(await fixture.storage.ledger.append(events, [])).toEqual(['accepted', 'accepted']);
      this.times.push(...times);
      await this.relay.settled();
    }
  }

  private callsIn({ from, to }: BillingPeriod): readonly number[] {
    return this.times.filter((time) => time >= Date.parse(from) && time < Date.parse(to));
  }

  /**
   * Windows of a period as they must be: one final revision each, of all its events, and nothing after it. (Provisional ones before
   * it come of the ratings at other windows' closing.)
   */
  expectedWindows(period: BillingPeriod): unknown {
    const counts = new Map<number, number>();
    for (const time of this.callsIn(period)) {
      const window = Math.floor(time / hour) * hour;
      counts.set(window, (counts.get(window) ?? 0) + 1);
    }
    return [...counts]
      .sort(([a], [b]) => a - b)
      .map(([window, events]) => ({ window: new Date(window).toISOString(), events, finals: 1, last: true }));
  }

  async windows({ customerId, period }: BillingPeriod): Promise<unknown> {
    const { rows } = await admin.query(
      `SELECT to_char(window_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"') AS window,
         (array_agg(event_count::int ORDER BY revision DESC))[1] AS events,
         (count(*) FILTER (WHERE is_final))::int AS finals, (array_agg(is_final ORDER BY revision DESC))[1] AS last
       FROM aggregated_usage WHERE customer_id = $1 AND period = $2 GROUP BY window_start ORDER BY window_start`,
      [customerId, period],
    );
    return rows;
  }

  /** One invoice and nothing after it, over all its events. */
  async expectInvoiced(period: BillingPeriod): Promise<void> {
    const { storage } = fixture;
    const documents = async () => (await storage.billing.listInvoices(period, { limit: 10 })).data;
    const invoices = await eventually(documents, ({ length }) => length > 0);
    // A call is a tenth.
    expect(invoices).toMatchObject([{ type: 'invoice', total: String(this.callsIn(period).length / 10) }]);
    for (const invoice of invoices) expect(await verifyInvoice(storage, invoice)).toMatchObject({ verified: true });
    expect((await reconcilePeriod(storage, period)).result).toBe('equal');
    expect((await storage.periods.veryLateFacts(period)).count).toBe(0);
  }

  async expectNoFinding(): Promise<void> {
    const { data } = await fixture.storage.findings.list({ customerId: this.customerId }, { limit: 10 });
    expect(data).toEqual([]);
  }
}

/** Real activities, and how often a closed window was another one than its workflow had been told. */
function activities() {
  const told = { differences: 0 };
  const real = createActivities({
    storage: fixture.storage,
    client: env.client,
    settings,
    // The server's clock, not this machine's.
    now: () => msToInstant(Context.current().info.currentAttemptScheduledTimestampMs),
  });
  return {
    told,
    activities: {
      ...real,
      closeWindows: async (...parameters: Parameters<typeof real.closeWindows>) => {
        const closed = await real.closeWindows(...parameters);
        told.differences += closed.differences;
        return closed;
      },
    },
  };
}

/** Runs a scene with workers; in the end no window was another one than its workflow had been told, and nothing was found. */
async function underTheWorkflow(customerId: string, play: (scene: Scene) => Promise<void>): Promise<void> {
  const { told, activities: real } = activities();
  // A workflow that outlives its scene would wait in the server for the cache of a worker that is gone: none is cached.
  await withWorker(env, { activities: real, maxCachedWorkflows: 0 }, async () => {
    const scene = await Scene.begin(customerId);
    try {
      await play(scene);
    } finally {
      await scene.relay.stop();
    }
    await scene.expectNoFinding();
    expect(told.differences).toBe(0);
  });
}

test.each([
  ['an hour', 1],
  ['five hours', 5],
])(
  'away for %s in the middle of a period: each window is closed once, and the invoice is right',
  async (name, hours) => {
    await underTheWorkflow(`away for ${name}`, async (scene) => {
      const [period] = scene.periods;
      if (period === undefined) throw new Error('a scene has periods');
      const awayFrom = scene.startMs + 2.5 * hour;
      scene.relay.start();
      await sleepUntil(env, scene.startMs);
      await scene.eventsUntil(awayFrom);
      await scene.relay.stop();
      await scene.eventsUntil(awayFrom + hours * hour);
      scene.relay.start();
      await scene.relay.settled();
      await scene.eventsUntil(awayFrom + (hours + 3) * hour);
      await sleepUntil(env, awayFrom + (hours + 9) * hour);
      expect(await scene.windows(period)).toEqual(scene.expectedWindows(period));
      await sleepUntil(env, scene.endMs + 2 * hour);
      await scene.expectInvoiced(period);
      expect(await scene.windows(period)).toEqual(scene.expectedWindows(period));
    });
  },
  240_000,
);

test("away over the period's end and its gate: the invoice has everything, nothing is corrected, the next period loses nothing", async () => {
  await underTheWorkflow('away over the end', async (scene) => {
    const [period, next] = scene.periods;
    if (period === undefined || next === undefined) throw new Error('a scene has periods');
    scene.relay.start();
    await sleepUntil(env, scene.endMs - 3 * hour);
    await scene.eventsUntil(scene.endMs - 0.5 * hour);
    await scene.relay.stop();
    await scene.eventsUntil(scene.endMs + 2.5 * hour);
    // Invoiced, of which no relay has told the last windows.
    await scene.expectInvoiced(period);
    scene.relay.start();
    await scene.relay.settled();
    await scene.eventsUntil(scene.endMs + 4 * hour);
    await sleepUntil(env, scene.endMs + 14 * hour);
    expect(await scene.windows(period)).toEqual(scene.expectedWindows(period));
    expect(await scene.windows(next)).toEqual(scene.expectedWindows(next));
    await scene.expectInvoiced(period);
  });
}, 240_000);
