/** A skip settles what was known then: what is learned later, and could change it, has the period asked about again (RULES 64). */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { LocalDate } from '../../src/domain/values.js';
import type { Storage } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { issuedAt, seatsMeter } from './fixture.js';
import type { ActivityFixture } from './fixture.js';
import { SkippedScene, today, uploads } from './skipped-scene.js';

const months = ['2024-01-01', '2024-02-01', '2024-03-01'] as LocalDate[];
const [january, february, march] = months as [LocalDate, LocalDate, LocalDate];

let scene: SkippedScene;
let fixture: ActivityFixture;
beforeEach(async () => {
  scene = await SkippedScene.create();
  ({ fixture } = scene);
});
afterEach(() => fixture.close());

describe('a level that is learned late', () => {
  beforeEach(async () => {
    await fixture.storage.reference.createMeter(seatsMeter);
    await scene.invoice(...months);
    expect(await scene.stages(...months)).toEqual(['skipped', 'skipped', 'skipped']);
    expect(await scene.swept()).toEqual([]);
  });

  test('the gate of its month starts the next one, whose gate starts the one after', async () => {
    await scene.changeSeats('2024-01-10T00:00:00Z', 10);
    fixture.temporal.length = 0;
    await scene.invoice(january);
    expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['billing-period/acme/2024-02-01']);
    const reading = { customerId: 'acme', period: february, nowMs: Date.parse(issuedAt) };
    expect(await fixture.run(fixture.activities.readPeriod, reading)).toMatchObject({ stage: 'metering' });
    fixture.temporal.length = 0;
    await scene.invoice(february);
    expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['billing-period/acme/2024-03-01']);
    await scene.invoice(march);
    expect(await scene.totals()).toEqual(['2024-01-01 7.1', '2024-02-01 10', '2024-03-01 10']);
    expect(await scene.swept()).toEqual([]);
  });

  test('the worker is lost after the commit: the sweep starts what the gate would have', async () => {
    await scene.changeSeats('2024-01-10T00:00:00Z', 10);
    const lost = jest.spyOn(fixture.client.workflow, 'start').mockRejectedValue(new Error('killed'));
    await scene.invoice(january).catch(() => undefined);
    lost.mockRestore();
    expect(await scene.stages(...months)).toEqual(['invoiced', 'skipped', 'skipped']);
    // In order: March's turn comes when February is decided.
    expect(await scene.swept()).toEqual(['billing-period/acme/2024-02-01']);
    expect(await scene.swept()).toEqual(['billing-period/acme/2024-02-01']);
    await scene.invoice(february);
    expect(await scene.swept()).toEqual(['billing-period/acme/2024-03-01']);
  });

  test('the workflow of its own month was terminated: the sweep starts it', async () => {
    await scene.changeSeats('2024-01-10T00:00:00Z', 10);
    expect(await scene.swept()).toEqual(['billing-period/acme/2024-01-01']);
  });

  test('a period that is as empty as it was is skipped once more, and then left alone', async () => {
    const eventId = await scene.changeSeats('2024-01-10T00:00:00Z', 10);
    await scene.voidEvent(eventId);
    expect(await scene.swept()).toEqual(['billing-period/acme/2024-01-01']);
    await scene.invoice(...months);
    expect(await scene.stages(...months)).toEqual(['skipped', 'skipped', 'skipped']);
    expect(await scene.swept()).toEqual([]);
  });

  test('what concerns no level concerns nobody but its own period', async () => {
    await scene.send('login', '2024-01-10T00:00:00Z');
    expect(await scene.swept()).toEqual(['billing-period/acme/2024-01-01']);
    fixture.temporal.length = 0;
    await scene.invoice(january);
    expect(fixture.temporal).toEqual([]);
    expect(await scene.swept()).toEqual([]);
    // Nor does it lie open for ever in what a person looks at.
    expect(await scene.unbilled(february)).toEqual([]);
    expect(await scene.closeMany(february)).toEqual([['not_ready', 'skipped']]);
  });

  test('a close of many periods asks again about what could have changed, and about nothing else', async () => {
    expect(await scene.closeMany(february)).toEqual([['not_ready', 'skipped']]);
    await scene.changeSeats('2024-01-10T00:00:00Z', 10);
    expect(await scene.unbilled(february)).toEqual([[february, 'skipped']]);
    expect(await scene.closeMany(february)).toEqual([['requested', null]]);
    expect(await scene.unbilled(february)).toEqual([[february, 'ready']]);
    await scene.issuePending();
    expect(await scene.totals()).toEqual(['2024-02-01 10']);
  });
});

test('what was skipped before the cutoff was kept is asked about once more', async () => {
  await fixture.storage.reference.createMeter(seatsMeter);
  await scene.changeSeats('2024-01-10T00:00:00Z', 10);
  const requestId = await scene.ask(february);
  await fixture.storage.periods.recordOutcome(requestId, 'skipped', null);
  await scene.invoice(january);
  fixture.temporal.length = 0;
  await scene.invoice(january);
  expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['billing-period/acme/2024-02-01']);
});

test('of what earlier periods learn only what changes a level is news: events, amendments, decisions about backfills', async () => {
  const { adjustments, ledger, reference } = fixture.storage;
  await reference.createMeter(seatsMeter);
  const eventId = await scene.send('login', '2024-01-10T00:00:00Z');
  const amend = async (eventType: string): Promise<void> => {
    const moved = {
      customerId: 'acme',
      eventId,
      eventType,
      eventTime: '2024-01-11T00:00:00Z',
      metadataJson: '{"seats":0}',
    };
    const replacement = usageEvent(moved);
    await adjustments.adjust({ customerId: 'acme', source: '', eventId, type: 'amend', replacement, reason: null });
    await scene.plan();
  };
  const backfill = async (eventType: string): Promise<void> => {
    const [backfillId, eventTime] = [await scene.openBackfill(), '2024-01-05T10:00:00Z'];
    const event = { customerId: 'acme', eventId: randomUUID(), eventType, eventTime, metadataJson: '{"seats":0}' };
    await ledger.append([{ ...usageEvent(event), backfillId }], []);
    await scene.closeBackfill(backfillId);
  };
  await scene.invoice(february);
  expect(await scene.unbilled(february)).toEqual([]);
  const learned: readonly (readonly [news: boolean, learn: () => Promise<unknown>])[] = [
    [false, () => amend('logout')],
    [false, () => backfill('login')],
    [true, () => backfill('seat_change')],
    [true, () => amend('seat_change')],
    [true, () => scene.send('seat_change', '2024-01-20T00:00:00Z', { seats: 0 })],
    [false, () => scene.send('login', '2024-01-20T00:00:00Z')],
  ];
  for (const [isNews, learn] of learned) {
    await learn();
    expect(await scene.unbilled(february)).toEqual(isNews ? [[february, 'skipped']] : []);
    await scene.invoice(february);
    expect(await scene.unbilled(february)).toEqual([]);
  }
});

describe('a meter over past events', () => {
  beforeEach(async () => {
    await scene.send('upload', '2024-01-10T00:00:00Z');
    await scene.send('seat_change', '2024-02-10T00:00:00Z', { seats: 29 });
    await scene.invoice(...months);
    expect(await scene.stages(...months)).toEqual(['skipped', 'skipped', 'skipped']);
    await scene.swept();
    await scene.issuePending();
  });

  test('the sweep asks again about the skipped periods that have some, once', async () => {
    await fixture.storage.reference.createMeter(uploads);
    expect(await scene.swept()).toEqual(['invoicing/2024-02-01']);
    expect(await scene.stages(...months)).toEqual(['ready', 'skipped', 'skipped']);
    await scene.issuePending();
    expect(await scene.totals()).toEqual(['2024-01-01 1']);
    expect(await scene.swept()).toEqual([]);
  });

  test('a level: every period from the first event on', async () => {
    await fixture.storage.reference.createMeter(seatsMeter);
    expect(await scene.swept()).toEqual(['invoicing/2024-02-01']);
    expect(await scene.stages(...months)).toEqual(['skipped', 'ready', 'ready']);
    await scene.issuePending();
    expect(await scene.totals()).toEqual(['2024-02-01 20', '2024-03-01 29']);
    expect(await scene.swept()).toEqual([]);
  });

  test('one that takes none of them, or begins later, changes nothing, and is not asked about again', async () => {
    await fixture.storage.reference.createMeter({ ...uploads, effectiveFrom: '2024-02-01' as LocalDate });
    await fixture.storage.reference.createMeter({ ...uploads, code: 'large', filters: { size: ['large'] } });
    // Whether its filters take the event is the gate's to say.
    expect(await scene.swept()).toEqual(['invoicing/2024-02-01']);
    await scene.issuePending();
    expect(await scene.stages(...months)).toEqual(['skipped', 'skipped', 'skipped']);
    expect(await scene.swept()).toEqual([]);
  });

  test('a close of many periods does not leave out what a new meter may count', async () => {
    await fixture.storage.reference.createMeter(uploads);
    const closeId = await scene.askClose(january);
    fixture.temporal.length = 0;
    await fixture.run(fixture.activities.planPeriodClose, { closeId });
    expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['invoicing/2024-02-01']);
    const { data } = await fixture.storage.periodCloses.targets(closeId, {}, { limit: 10 });
    expect(data).toMatchObject([{ state: 'not_ready', reason: 'requested' }]);
    await scene.issuePending();
    expect(await scene.totals()).toEqual(['2024-01-01 1']);
  });

  test('a sweep that is lost on the way begins again, and asks for nothing twice', async () => {
    await fixture.storage.reference.createMeter(uploads);
    const { periods } = fixture.storage;
    const meterIds = await periods.metersToLookBackFor();
    expect(await periods.askSkippedAgain({ meterIds, after: '', billingDay: today })).toBeNull();
    expect(await scene.stages(...months)).toEqual(['ready', 'skipped', 'skipped']);
    expect(await scene.swept()).toContain('invoicing/2024-02-01');
    expect(await fixture.storage.periods.pendingInvoicing(today, 10)).toHaveLength(1);
    await scene.issuePending();
    expect(await scene.totals()).toEqual(['2024-01-01 1']);
  });

  test('an open backfill holds what it covers: its decision tells, not the sweep', async () => {
    const backfillId = await scene.openBackfill();
    await fixture.storage.reference.createMeter(uploads);
    await scene.swept();
    expect(await scene.stages(...months)).toEqual(['skipped', 'skipped', 'skipped']);
    await scene.closeBackfill(backfillId);
    const { relay } = fixture.storage;
    const due = await relay.due('all', 0, 100);
    expect(due.map(({ customerId, period }) => [customerId, period])).toContainEqual(['acme', january]);
  });

  test('a gate that has not seen the meter does not skip: it looks again', async () => {
    const { storage } = fixture;
    const requestId = await scene.ask(january);
    const skip = storage.billing.atGate(await scene.periodOf(january), async (gate) => {
      await gate.bringWindowsToCutoff();
      await storage.reference.createMeter(uploads);
      await gate.recordOutcome(requestId, 'skipped', null);
    });
    await expect(skip).rejects.toThrow('2 versions of meters, and 1 were counted with');
    await scene.issuePending();
    expect(await scene.totals()).toEqual(['2024-01-01 1']);
  });

  test('a meter that is learned, and looked back for, between reading the versions and the gate is billed all the same', async () => {
    const { storage, activities, run } = fixture;
    await scene.ask(january);
    const billing = storage.billing as { atGates: Storage['billing']['atGates'] };
    const { atGates } = billing;
    let opened = 0;
    billing.atGates = async (...parameters) => {
      opened += 1;
      if (opened === 1) {
        await storage.reference.createMeter(uploads);
        await scene.swept();
      }
      return atGates(...parameters);
    };
    await run(activities.issueChunk, { billingDay: today, limit: 10 });
    await scene.swept();
    await scene.issuePending();
    expect(await scene.totals()).toEqual(['2024-01-01 1']);
    // The first one was given up, and the next read the versions anew.
    expect(opened).toBe(2);
  });

  test('versions that go on being learned hold the period, and end the attempts', async () => {
    const { storage } = fixture;
    await scene.ask(january);
    const billing = storage.billing as { atGates: Storage['billing']['atGates'] };
    const { atGates } = billing;
    let learned = 0;
    billing.atGates = async (...parameters) => {
      await storage.reference.createMeter({ ...uploads, code: `uploads-${(learned += 1)}` });
      return atGates(...parameters);
    };
    await scene.issuePending();
    expect(learned).toBe(3);
    expect(await scene.stages(...months)).toEqual(['held', 'skipped', 'skipped']);
    const { data } = await storage.findings.list({ customerId: 'acme', code: 'INVOICING_FAILED' }, { limit: 10 });
    expect(data).toHaveLength(1);
  });

  const waiting = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

  test('a look back waits for gates that are skipping without the meter', async () => {
    const { storage } = fixture;
    const requestId = await scene.ask(january);
    const order: string[] = [];
    let looked: Promise<unknown> = Promise.resolve();
    const client = new pg.Client({ connectionString: fixture.url });
    await client.connect();
    await storage.billing.atGate(await scene.periodOf(january), async (gate) => {
      await gate.recordOutcome(requestId, 'skipped', null);
      await storage.reference.createMeter(uploads);
      looked = scene.swept().then(() => order.push('looked back'));
      while ((await client.query(waiting)).rowCount === 0) {
        if (order.length > 0) throw new Error('it did not wait');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      order.push('skipped');
    });
    await looked;
    await client.end();
    expect(order).toEqual(['skipped', 'looked back']);
    expect(await scene.stages(...months)).toEqual(['ready', 'skipped', 'skipped']);
  });
});
