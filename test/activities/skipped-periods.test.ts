/** A skip settles what was known then: what is learned later, and could change it, has the period asked about again (RULES 64). */
import { randomUUID } from 'node:crypto';
import type { LocalDate } from '../../src/domain/values.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { createActivityFixture, issuedAt, seatsMeter } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const months = ['2024-01-01', '2024-02-01', '2024-03-01'] as LocalDate[];
const [january, february, march] = months as [LocalDate, LocalDate, LocalDate];
/** The day of the sweep. */
const today = '2024-02-01' as LocalDate;

const uploads = {
  ...seatsMeter,
  code: 'uploads',
  eventType: 'upload',
  aggregation: 'count',
  valueProperty: null,
} as const;

let fixture: ActivityFixture;

beforeEach(async () => {
  fixture = await createActivityFixture();
  const content = { code: 'all', version: 'v1', currency: 'USD', effective_from: '2023-01-01T00:00:00Z' };
  const prices = ['seats', 'uploads'].map((code) => ({ meter: code, model: 'flat', unit_price: '1.00' }));
  await fixture.storage.reference.createPriceBook(parsePriceBook({ ...content, prices }));
  await fixture.addCustomer('acme', { priceBook: 'all', skipEmptyInvoices: true });
});
afterEach(() => fixture.close());

async function send(eventType: string, eventTime: string, metadata: object = {}): Promise<string> {
  const eventId = randomUUID();
  const event = { customerId: 'acme', eventId, eventType, eventTime, metadataJson: JSON.stringify(metadata) };
  await fixture.storage.ledger.append([usageEvent(event)], []);
  await plan();
  return eventId;
}
const changeSeats = (eventTime: string, seats: number): Promise<string> => send('seat_change', eventTime, { seats });

async function plan(): Promise<void> {
  const { relay } = fixture.storage;
  await relay.plan('all', (await relay.acquire('all')).epoch);
}

async function periodOf(period: LocalDate): Promise<BillingPeriod> {
  const found = await fixture.storage.periods.periodNamed('acme', period);
  if (found === null) throw new Error(`no period ${period}`);
  return found;
}

async function invoice(...periods: readonly LocalDate[]): Promise<void> {
  for (const period of periods) {
    await periodOf(period);
    const request = { customerId: 'acme', period, billingDay: today, forced: false, reason: null };
    await fixture.storage.periods.requestInvoicing({ ...request, requestId: randomUUID() });
    await issuePending();
  }
}

async function issuePending(): Promise<void> {
  await fixture.run(fixture.activities.issueChunk, { billingDay: today, limit: 10 });
}

async function stages(): Promise<readonly (string | undefined)[]> {
  const { periods } = fixture.storage;
  return Promise.all(months.map(async (month) => (await periods.status('acme', month))?.stage));
}

async function totals(): Promise<readonly string[]> {
  const { data } = await fixture.storage.billing.listInvoices({ customerId: 'acme' }, { limit: 50 });
  return data.map(({ period, total }) => `${period} ${total}`).sort();
}

/** What the daily sweep has started. */
async function swept(): Promise<readonly string[]> {
  fixture.temporal.length = 0;
  await fixture.run(fixture.activities.sweepPeriods);
  return fixture.temporal.map(({ workflowId }) => workflowId);
}

describe('a level that is learned late', () => {
  beforeEach(async () => {
    await fixture.storage.reference.createMeter(seatsMeter);
    await invoice(...months);
    expect(await stages()).toEqual(['skipped', 'skipped', 'skipped']);
    expect(await swept()).toEqual([]);
  });

  test('the gate of its month starts the next one, whose gate starts the one after', async () => {
    await changeSeats('2024-01-10T00:00:00Z', 10);
    fixture.temporal.length = 0;
    await invoice(january);
    expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['billing-period/acme/2024-02-01']);
    const reading = { customerId: 'acme', period: february, nowMs: Date.parse(issuedAt) };
    expect(await fixture.run(fixture.activities.readPeriod, reading)).toMatchObject({ stage: 'metering' });
    fixture.temporal.length = 0;
    await invoice(february);
    expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['billing-period/acme/2024-03-01']);
    await invoice(march);
    expect(await totals()).toEqual(['2024-01-01 7.1', '2024-02-01 10', '2024-03-01 10']);
    expect(await swept()).toEqual([]);
  });

  test('the worker is lost after the commit: the sweep starts what the gate would have', async () => {
    await changeSeats('2024-01-10T00:00:00Z', 10);
    const lost = jest.spyOn(fixture.client.workflow, 'start').mockRejectedValue(new Error('killed'));
    await invoice(january).catch(() => undefined);
    lost.mockRestore();
    expect(await stages()).toEqual(['invoiced', 'skipped', 'skipped']);
    // In order: March's turn comes when February is decided.
    expect(await swept()).toEqual(['billing-period/acme/2024-02-01']);
    expect(await swept()).toEqual(['billing-period/acme/2024-02-01']);
    await invoice(february);
    expect(await swept()).toEqual(['billing-period/acme/2024-03-01']);
  });

  test('the workflow of its own month was terminated: the sweep starts it', async () => {
    await changeSeats('2024-01-10T00:00:00Z', 10);
    expect(await swept()).toEqual(['billing-period/acme/2024-01-01']);
  });

  test('a period that is as empty as it was is skipped once more, and then left alone', async () => {
    const eventId = await changeSeats('2024-01-10T00:00:00Z', 10);
    const key = { customerId: 'acme', source: '', eventId };
    await fixture.storage.adjustments.adjust({ ...key, type: 'void', replacement: null, reason: null });
    await plan();
    expect(await swept()).toEqual(['billing-period/acme/2024-01-01']);
    await invoice(...months);
    expect(await stages()).toEqual(['skipped', 'skipped', 'skipped']);
    expect(await swept()).toEqual([]);
  });

  test('what concerns no level concerns nobody but its own period', async () => {
    await send('login', '2024-01-10T00:00:00Z');
    expect(await swept()).toEqual(['billing-period/acme/2024-01-01']);
    fixture.temporal.length = 0;
    await invoice(january);
    expect(fixture.temporal).toEqual([]);
    expect(await swept()).toEqual([]);
  });

  test('a close of many periods asks again about what could have changed, and about nothing else', async () => {
    const close = async (): Promise<unknown> => {
      const closeId = randomUUID();
      const { periodCloses } = fixture.storage;
      const scope = { period: february, endedOn: null, customerIds: null, legalEntity: null };
      const asked = { closeId, workflowId: `period-close/${closeId}`, scope, billingDay: today, requestedBy: 'ann' };
      await periodCloses.request(asked);
      await periodCloses.plan(closeId);
      await periodCloses.handOver(closeId, 10);
      const { data } = await periodCloses.targets(closeId, {}, { limit: 10 });
      return data.map(({ state, reason }) => [state, reason]);
    };
    expect(await close()).toEqual([['not_ready', 'skipped']]);
    await changeSeats('2024-01-10T00:00:00Z', 10);
    expect(await close()).toEqual([['requested', null]]);
    await issuePending();
    expect(await totals()).toEqual(['2024-02-01 10']);
  });
});

test('what was skipped before the cutoff was kept is asked about once more', async () => {
  await fixture.storage.reference.createMeter(seatsMeter);
  await changeSeats('2024-01-10T00:00:00Z', 10);
  const request = { customerId: 'acme', period: february, billingDay: today, forced: false, reason: null };
  const requestId = randomUUID();
  await periodOf(february);
  await fixture.storage.periods.requestInvoicing({ ...request, requestId });
  await fixture.storage.periods.recordOutcome(requestId, 'skipped', null);
  await invoice(january);
  fixture.temporal.length = 0;
  await invoice(january);
  expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['billing-period/acme/2024-02-01']);
});

describe('a meter over past events', () => {
  beforeEach(async () => {
    await send('upload', '2024-01-10T00:00:00Z');
    await send('seat_change', '2024-02-10T00:00:00Z', { seats: 29 });
    await invoice(...months);
    expect(await stages()).toEqual(['skipped', 'skipped', 'skipped']);
    await swept();
    await issuePending();
  });

  test('the sweep asks again about the skipped periods that have some, once', async () => {
    await fixture.storage.reference.createMeter(uploads);
    expect(await swept()).toEqual(['invoicing/2024-02-01']);
    expect(await stages()).toEqual(['ready', 'skipped', 'skipped']);
    await issuePending();
    expect(await totals()).toEqual(['2024-01-01 1']);
    expect(await swept()).toEqual([]);
  });

  test('a level: every period from the first event on', async () => {
    await fixture.storage.reference.createMeter(seatsMeter);
    expect(await swept()).toEqual(['invoicing/2024-02-01']);
    expect(await stages()).toEqual(['skipped', 'ready', 'ready']);
    await issuePending();
    expect(await totals()).toEqual(['2024-02-01 20', '2024-03-01 29']);
    expect(await swept()).toEqual([]);
  });

  test('one that takes none of them, or begins later, changes nothing, and is not asked about again', async () => {
    await fixture.storage.reference.createMeter({ ...uploads, effectiveFrom: '2024-02-01' as LocalDate });
    await fixture.storage.reference.createMeter({ ...uploads, code: 'large', filters: { size: ['large'] } });
    // Whether its filters take the event is the gate's to say.
    expect(await swept()).toEqual(['invoicing/2024-02-01']);
    await issuePending();
    expect(await stages()).toEqual(['skipped', 'skipped', 'skipped']);
    expect(await swept()).toEqual([]);
  });

  test('a close of many periods does not leave out what a new meter may count', async () => {
    await fixture.storage.reference.createMeter(uploads);
    const closeId = randomUUID();
    const scope = { period: january, endedOn: null, customerIds: null, legalEntity: null };
    const asked = { closeId, workflowId: `period-close/${closeId}`, scope, billingDay: today, requestedBy: 'ann' };
    await fixture.storage.periodCloses.request(asked);
    fixture.temporal.length = 0;
    await fixture.run(fixture.activities.planPeriodClose, { closeId });
    expect(fixture.temporal.map(({ workflowId }) => workflowId)).toEqual(['invoicing/2024-02-01']);
    const { data } = await fixture.storage.periodCloses.targets(closeId, {}, { limit: 10 });
    expect(data).toMatchObject([{ state: 'not_ready', reason: 'requested' }]);
    await issuePending();
    expect(await totals()).toEqual(['2024-01-01 1']);
  });

  test('a sweep that is lost on the way begins again, and asks for nothing twice', async () => {
    await fixture.storage.reference.createMeter(uploads);
    const { periods } = fixture.storage;
    const meterIds = await periods.metersToLookBackFor();
    expect(await periods.askSkippedAgain({ meterIds, after: '', billingDay: today })).toBeNull();
    expect(await stages()).toEqual(['ready', 'skipped', 'skipped']);
    expect(await swept()).toContain('invoicing/2024-02-01');
    expect(await fixture.storage.periods.pendingInvoicing(today, 10)).toHaveLength(1);
    await issuePending();
    expect(await totals()).toEqual(['2024-01-01 1']);
  });

  test('an open backfill holds what it covers: its decision tells, not the sweep', async () => {
    const range = { from: '2024-01-01T00:00:00.000000Z', to: '2024-01-20T00:00:00.000000Z' } as never;
    const asked = { backfillId: randomUUID(), customerIds: ['acme'], range, mode: 'add', reason: null } as const;
    await fixture.storage.backfills.create({ ...asked, createdBy: 'ann' });
    await fixture.storage.reference.createMeter(uploads);
    await swept();
    expect(await stages()).toEqual(['skipped', 'skipped', 'skipped']);
    const decision = { decision: 'closed', decidedBy: 'ann', reason: null } as const;
    await fixture.storage.backfills.decide(asked.backfillId, decision);
    await plan();
    const { relay } = fixture.storage;
    const due = await relay.due(0, 100);
    expect(due.map(({ customerId, period }) => [customerId, period])).toContainEqual(['acme', january]);
  });

  test('a gate that has not seen the meter does not skip: it looks again', async () => {
    const { storage } = fixture;
    const request = { customerId: 'acme', period: january, billingDay: today, forced: false, reason: null };
    const requestId = randomUUID();
    await storage.periods.requestInvoicing({ ...request, requestId });
    const skip = storage.billing.atGate(await periodOf(january), async (gate) => {
      await gate.bringWindowsToCutoff();
      await storage.reference.createMeter(uploads);
      await gate.recordOutcome(requestId, 'skipped', null);
    });
    await expect(skip).rejects.toThrow('2 versions of meters, and 1 were counted with');
    await issuePending();
    expect(await totals()).toEqual(['2024-01-01 1']);
  });

  test('a look back waits for gates that are skipping without the meter', async () => {
    const { storage } = fixture;
    const request = { customerId: 'acme', period: january, billingDay: today, forced: false, reason: null };
    const requestId = randomUUID();
    await storage.periods.requestInvoicing({ ...request, requestId });
    const order: string[] = [];
    let looked: Promise<unknown> = Promise.resolve();
    await storage.billing.atGate(await periodOf(january), async (gate) => {
      await gate.recordOutcome(requestId, 'skipped', null);
      await storage.reference.createMeter(uploads);
      looked = swept().then(() => order.push('looked back'));
      // Whatever else could let it pass has had its turn by then.
      await storage.periods.status('acme', february);
      order.push('skipped');
    });
    await looked;
    expect(order).toEqual(['skipped', 'looked back']);
    expect(await stages()).toEqual(['ready', 'skipped', 'skipped']);
  });
});
