/** The reads of a proof: each stage from its own rows, at any cutoff of the past. */
import { addDigests, digestOf } from '../../src/domain/metering/digest.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Position } from '../../src/domain/values.js';
import { createProofStore } from '../../src/storage/proof.js';
import type { BillingPeriod, ProofStore } from '../../src/storage/types.js';
import { createUsageStore } from '../../src/storage/usage.js';
import { createGateFixture, eventsOf, type GateFixture, issue } from './gate-fixture.js';
import { instant } from './usage-fixture.js';

let fixture: GateFixture;
let proof: ProofStore;
let meterIds: readonly string[];
beforeAll(async () => {
  fixture = await createGateFixture();
  proof = createProofStore(fixture.db);
  const premium = await fixture.addMeter({ code: 'premium', filters: { tier: ['gold', '1'] } });
  meterIds = [...fixture.meters, premium].map(({ meterId }) => meterId);
});
afterAll(() => fixture.close());

let period: BillingPeriod;
let event: ReturnType<typeof eventsOf>['event'];
let transfer: ReturnType<typeof eventsOf>['transfer'];
beforeEach(async () => {
  const customerId = await fixture.addCustomer();
  period = await fixture.addPeriod(customerId);
  ({ event, transfer } = eventsOf(customerId));
});

const counts = async (cutoff: Position) =>
  (await proof.eventCounts(period, meterIds, cutoff)).map(({ meter, stored, voided, filtered }) => [
    meter,
    stored,
    voided,
    filtered,
  ]);
const usage = async (cutoff: Position) =>
  (await proof.rawUsage(period, meterIds, cutoff)).map((row) => [
    row.meter,
    row.windowStart.slice(5, 13),
    row.quantity,
  ]);
const gold = (id: string, time: string): UsageEvent => event(id, time, { metadataJson: '{"tier":"gold"}' });

test('stored − voided − filtered = counted, for events that are amended, voided, moved, filtered, unreadable', async () => {
  const [a, b, c] = [
    gold('a', '2024-01-10T10:00:00Z'),
    event('b', '2024-01-10T10:30:00Z'),
    gold('c', '2024-01-11T00:00:00Z'),
  ];
  const t = transfer('t', '2024-01-12T00:00:00Z', '2.5');
  await fixture.append([a, b, c, t, transfer('u', '2024-01-12T00:00:00Z', 'many'), event('x', '2024-02-01T00:00:00Z')]);
  const early = await fixture.horizon();
  expect(await counts(early)).toEqual([
    ['bytes', 2, 0, 1],
    ['calls', 3, 0, 0],
    ['premium', 3, 0, 1],
  ]);
  const earlyUsage = await usage(early);
  expect(earlyUsage).toEqual([
    ['bytes', '01-12T00', '2.5'],
    ['calls', '01-10T10', '2'],
    ['calls', '01-11T00', '1'],
    ['premium', '01-10T10', '1'],
    ['premium', '01-11T00', '1'],
  ]);

  await fixture.adjust(a, null);
  await fixture.adjust(b, { eventType: 'transfer', eventTime: b.eventTime, metadataJson: '{"bytes":4}' });
  await fixture.adjust(c, { eventType: 'api_call', eventTime: instant('2024-02-02T00:00:00Z'), metadataJson: '{}' });
  await fixture.adjust(event('x', '2024-02-01T00:00:00Z'), {
    eventType: 'api_call',
    eventTime: instant('2024-01-31T23:00:00Z'),
    metadataJson: '{"tier":1}',
  });
  const late = await fixture.horizon();
  expect(await counts(late)).toEqual([
    ['bytes', 3, 0, 1],
    ['calls', 2, 1, 0],
    ['premium', 2, 1, 0],
  ]);
  for (const cutoff of [early, late]) {
    const raw = await proof.rawUsage(period, meterIds, cutoff);
    for (const { meter, stored, voided, filtered } of await proof.eventCounts(period, meterIds, cutoff)) {
      const counted = raw.filter((row) => row.meter === meter).reduce((sum, row) => sum + row.eventCount, 0);
      expect([meter, counted]).toEqual([meter, stored - voided - filtered]);
    }
  }
  // The past does not change.
  expect(await usage(early)).toEqual(earlyUsage);
});

test('a backfill counts from its closing to its reversion', async () => {
  const backfill = await fixture.addBackfill(period.customerId);
  const one = event('one', '2024-01-05T00:00:00Z');
  await fixture.appendToBackfill(backfill, [one]);
  const open = await fixture.horizon();
  const closed = await fixture.decide(backfill, 'closed');
  await fixture.adjust(one, null);
  const voided = await fixture.horizon();
  const reverted = await fixture.decide(backfill, 'reverted');
  const calls = async (cutoff: Position) => (await counts(cutoff)).find(([meter]) => meter === 'calls');
  expect(await calls(open)).toEqual(['calls', 0, 0, 0]);
  expect(await calls(closed)).toEqual(['calls', 1, 0, 0]);
  expect(await calls(voided)).toEqual(['calls', 1, 1, 0]);
  expect(await calls(reverted)).toEqual(['calls', 0, 0, 0]);
});

test('aggregates are the latest revisions at or below the cutoff, and equal the raw events there', async () => {
  const store = createUsageStore(fixture.db);
  const cutoffs: Position[] = [];
  for (const n of [1, 2, 3]) {
    await fixture.append([
      event(`e${n}`, '2024-01-10T10:00:00Z'),
      transfer(`t${n}`, `2024-01-1${n}T00:00:00Z`, n, n === 2 ? 'us' : 'eu'),
    ]);
    cutoffs.push((await store.closeWindows(period, null, [], null)).cutoff);
  }
  for (const [index, cutoff] of cutoffs.entries()) {
    const aggregated = await proof.aggregatedUsage(period, meterIds, cutoff);
    expect(aggregated.map(({ meter, eventCount }) => [meter, eventCount])).toEqual([
      ['bytes', index + 1],
      ['calls', index + 1],
    ]);
    const raw = await proof.rawUsage(period, meterIds, cutoff);
    for (const { meter, digest } of aggregated) {
      expect(digest).toBe(addDigests(...raw.filter((row) => row.meter === meter).map((row) => row.digest)));
    }
  }
  expect(await proof.aggregatedUsage(period, [], cutoffs[2] ?? ('0' as Position))).toEqual([]);
});

test('final windows join their groups at the last cutoff; one that fills again is not final', async () => {
  const store = createUsageStore(fixture.db);
  const [eu, us] = [transfer('eu', '2024-01-10T10:00:00Z', 1), transfer('us', '2024-01-10T10:10:00Z', 2, 'us')];
  await fixture.append([eu]);
  await store.closeWindows(period, null, [], null);
  await fixture.append([us]);
  const { cutoff } = await store.closeWindows(period, null, [], null);
  expect(await proof.finalWindows(period)).toEqual([
    {
      meterId: fixture.meters[1]?.meterId,
      meter: 'bytes',
      windowStart: instant('2024-01-10T10:00:00Z'),
      windowEnd: instant('2024-01-10T11:00:00Z'),
      quantity: '3',
      eventCount: 2,
      digest: digestOf([eu.contentHash, us.contentHash]),
      cutoff,
    },
  ]);
  await fixture.append([transfer('more', '2024-01-10T10:20:00Z', 3)]);
  await fixture.billing.atGate(period, (gate) => gate.bringWindowsToCutoff(), 'provisional');
  expect(await proof.finalWindows(period)).toEqual([]);
});

test('chain, charges and entries of an issued document', async () => {
  await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
  expect(await proof.chain(period)).toMatchObject({ documents: [], nextPlace: 1 });
  const invoice = await fixture.billing.atGate(period, (gate) => issue(gate, period));
  expect(await proof.chain(period)).toMatchObject({ documents: [{ invoiceId: invoice?.invoiceId }], nextPlace: 2 });
  const chargeIds = invoice?.lines.flatMap((line) => line.chargeIds) ?? [];
  expect(await proof.charges(period, chargeIds)).toMatchObject([{ meter: 'calls', quantity: '1', eventCount: 1 }]);
  expect(await proof.entries([invoice?.invoiceId ?? ''])).toMatchObject([
    { invoiceId: invoice?.invoiceId, postings: [{ account: 'accounts_receivable' }, { account: 'revenue' }] },
  ]);
  expect(await proof.entries([])).toEqual([]);
});
