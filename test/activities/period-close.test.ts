/** Closing many periods at once, by the real activities on real Postgres. */
import { randomUUID } from 'node:crypto';
import type { LocalDate } from '../../src/domain/values.js';
import type { PeriodCloseScope, PeriodCloseTarget } from '../../src/storage/types.js';
import { createActivityFixture, january } from './fixture.js';
import type { ActivityFixture } from './fixture.js';
import { ReRatingFixture } from './re-rating-fixture.js';

const billingDay = '2031-01-01' as LocalDate;

let fixture: ActivityFixture;
beforeEach(async () => {
  fixture = await createActivityFixture();
});
afterEach(() => fixture.close());

async function ask(scope: Partial<PeriodCloseScope> = {}): Promise<string> {
  const closeId = randomUUID();
  await fixture.storage.periodCloses.request({
    ...{ closeId, workflowId: `period-close/${closeId}`, billingDay, requestedBy: 'ann' },
    scope: {
      period: scope.endedOn === undefined ? january : null,
      endedOn: null,
      customerIds: null,
      legalEntity: null,
      ...scope,
    },
  });
  return closeId;
}

const plan = (closeId: string) => fixture.run(fixture.activities.planPeriodClose, { closeId });
const handOver = (closeId: string, limit = 500) =>
  fixture.run(fixture.activities.handOverPeriods, { closeId, billingDay, limit });
const issue = () => fixture.run(fixture.activities.issueChunk, { billingDay, limit: 1_000 });
const progress = (closeId: string) => fixture.storage.periodCloses.progress(closeId);

async function targets(closeId: string, state?: PeriodCloseTarget['state']): Promise<readonly PeriodCloseTarget[]> {
  const filter = state === undefined ? {} : { state };
  return (await fixture.storage.periodCloses.targets(closeId, filter, { limit: 100 })).data;
}

const inShort = async (closeId: string) =>
  (await targets(closeId)).map(({ customerId, state, reason }) => [customerId, state, reason]);

test('customers with and without usage are closed together, also where nothing had made the period', async () => {
  for (const customer of ['a', 'b', 'c']) await fixture.addCustomer(customer);
  await fixture.addCustomer('d', { skipEmptyInvoices: true });
  await fixture.addCustomer('e', { priceBook: 'nothing' });
  await fixture.addCalls('a', 10);
  await fixture.addCalls('e', 10);
  const closeId = await ask();
  expect(await plan(closeId)).toMatchObject({ planned: 5, notReady: 0, requested: 0, remaining: 5 });
  expect(await plan(closeId)).toMatchObject({ planned: 5 });
  expect(await handOver(closeId, 3)).toMatchObject({ more: true, progress: { requested: 3, remaining: 5 } });
  expect(await handOver(closeId, 3)).toMatchObject({ more: false, progress: { requested: 5, remaining: 5 } });
  expect(fixture.temporal.filter(({ type }) => type === 'invoicing')).toEqual(
    Array.from({ length: 2 }, () => ({
      method: 'signalWithStart',
      type: 'invoicing',
      workflowId: `invoicing/${billingDay}`,
    })),
  );
  await issue();
  expect(await progress(closeId)).toEqual({
    ...{ planned: 5, notReady: 0, requested: 5, left: 0, issued: 3, held: 1, skipped: 1, alreadyInvoiced: 0 },
    ...{ remaining: 0, cancelled: false },
  });
  expect(await inShort(closeId)).toEqual([
    ['a', 'issued', null],
    ['b', 'issued', null],
    ['c', 'issued', null],
    ['d', 'skipped', null],
    ['e', 'held', null],
  ]);
  const [first] = await targets(closeId, 'issued');
  expect(await fixture.storage.billing.findInvoice(first?.invoiceId ?? '')).toMatchObject({ customerId: 'a' });
});

test('what is not ready is listed with its reason, and a held period is asked about again', async () => {
  const books = new ReRatingFixture(fixture);
  const invoiced = await books.invoicedCustomer(1);
  const voided = await books.invoicedCustomer(1);
  await fixture.storage.billing.atGate(
    await fixture.storage.periods.periodAt(voided, '2024-01-10T00:00:00.000000Z' as never),
    async (gate) => {
      for (const { invoiceId } of gate.chain.documents) await gate.voidInvoice(invoiceId, 'ann', 'a test');
    },
  );
  await fixture.addCustomer('requested');
  await fixture.request('requested', randomUUID());
  for (const [customer, outcome] of [
    ['held', 'held'],
    ['skipped', 'skipped'],
  ] as const) {
    await fixture.addCustomer(customer);
    const { requestId } = await fixture.request(customer, randomUUID());
    await fixture.storage.periods.recordOutcome(requestId, outcome, null);
  }
  await fixture.addCustomer('filling');
  await fixture.storage.backfills.create({
    ...{ backfillId: randomUUID(), customerIds: ['filling'], mode: 'add', reason: null, createdBy: 'ann' },
    range: { from: '2024-01-05T00:00:00.000000Z', to: '2024-01-06T00:00:00.000000Z' },
  } as never);
  await fixture.addCustomer('later', { billingFrom: '2024-02-01' as LocalDate });
  const closeId = await ask();
  await plan(closeId);
  expect(await inShort(closeId)).toEqual([
    [invoiced, 'not_ready', 'invoiced'],
    [voided, 'not_ready', 'void'],
    ['filling', 'not_ready', 'backfill_open'],
    ['held', 'planned', null],
    ['requested', 'not_ready', 'requested'],
    ['skipped', 'not_ready', 'skipped'],
  ]);
});

test('a period that has not ended is listed, never closed', async () => {
  await fixture.addCustomer('a');
  const now = new Date().toISOString().slice(0, 7);
  await fixture.storage.periods.periodNamed('a', `${now}-01` as LocalDate);
  const closeId = await ask({ period: `${now}-01` as LocalDate });
  expect(await plan(closeId)).toMatchObject({ planned: 0, notReady: 1 });
  expect(await inShort(closeId)).toEqual([['a', 'not_ready', 'not_ended']]);
  expect(await handOver(closeId)).toMatchObject({ more: false, progress: { requested: 0 } });
});

test.each<[string, Partial<PeriodCloseScope>]>([
  ['its name', {}],
  ['its last day', { endedOn: '2024-01-31' as LocalDate }],
])('a first period that billing begins within is closed by %s, also where nothing had made it', async (_by, scope) => {
  await fixture.addCustomer('a', { billingFrom: '2024-01-15' as LocalDate });
  await fixture.addCustomer('b', { billingFrom: '2024-01-31' as LocalDate, timeZone: 'Pacific/Auckland' });
  // Begins with the next one.
  await fixture.addCustomer('c', { billingFrom: '2024-02-01' as LocalDate, timeZone: 'America/New_York' });
  await fixture.addCustomer('d', { billingFrom: '2024-01-01' as LocalDate });
  const closeId = await ask(scope);
  await plan(closeId);
  expect(await inShort(closeId)).toEqual(['a', 'b', 'd'].map((id) => [id, 'planned', null]));
});

test('the scope narrows by customer, legal entity and the local day of the end', async () => {
  const seller = { name: 'Acme GmbH' };
  await fixture.storage.numbering.putEntity({ code: 'acme-de', numberPrefix: 'ACME-DE', seller }, 'ann');
  await fixture.addCustomer('a');
  await fixture.addCustomer('b', { legalEntity: 'acme-de' });
  await fixture.addCustomer('c', { billingAnchorDay: 15, timeZone: 'America/New_York' });
  const found = async (scope: Partial<PeriodCloseScope>) => {
    const closeId = await ask(scope);
    await plan(closeId);
    return (await targets(closeId)).map(({ customerId, period }) => `${customerId} ${period}`);
  };
  expect(await found({ customerIds: ['a'] })).toEqual(['a 2024-01-01']);
  expect(await found({ legalEntity: 'acme-de' })).toEqual(['b 2024-01-01']);
  expect(await found({ legalEntity: 'default' })).toEqual(['a 2024-01-01']);
  expect(await found({ endedOn: '2024-01-31' as LocalDate })).toEqual(['a 2024-01-01', 'b 2024-01-01']);
  expect(await found({ endedOn: '2024-02-14' as LocalDate })).toEqual(['c 2024-01-15']);
  expect(await found({ endedOn: '2024-02-01' as LocalDate })).toEqual([]);
  expect(await found({ period: '2024-01-15' as LocalDate })).toEqual(['c 2024-01-15']);
  expect(await found({ period: '2024-01-02' as LocalDate })).toEqual([]);
});

test('a target that is not ready any more when its turn comes is left', async () => {
  for (const customer of ['a', 'b', 'c']) await fixture.addCustomer(customer);
  const closeId = await ask();
  await plan(closeId);
  await fixture.request('b', randomUUID());
  expect(await handOver(closeId)).toMatchObject({ more: false, progress: { requested: 2, left: 1 } });
  expect(await inShort(closeId)).toEqual([
    ['a', 'requested', null],
    ['b', 'not_ready', 'requested'],
    ['c', 'requested', null],
  ]);
});

test('cancelling takes effect between two chunks; what was handed over is issued', async () => {
  for (const customer of ['a', 'b', 'c']) await fixture.addCustomer(customer);
  const closeId = await ask();
  await plan(closeId);
  await handOver(closeId, 1);
  const cancellation = { cancelledBy: 'ann', reason: 'too early' };
  expect(await fixture.storage.periodCloses.cancel(closeId, cancellation)).toEqual({ stored: true });
  expect(await fixture.storage.periodCloses.cancel(closeId, cancellation)).toEqual({ stored: false });
  expect(await handOver(closeId, 1)).toMatchObject({ more: false, progress: { requested: 1, cancelled: true } });
  await issue();
  expect(await progress(closeId)).toMatchObject({ issued: 1, remaining: 2, cancelled: true });
});

test('the same chunk many times at once, and two closes of the same periods at once, make one invoice each', async () => {
  const customers = Array.from({ length: 30 }, (_, index) => `c${String(index).padStart(2, '0')}`);
  for (const customer of customers) await fixture.addCustomer(customer);
  const closes = [await ask(), await ask()];
  await Promise.all(closes.flatMap((closeId) => [plan(closeId), plan(closeId)]));
  for (const closeId of closes) expect(await progress(closeId)).toMatchObject({ planned: 30 });
  await Promise.all(closes.flatMap((closeId) => Array.from({ length: 4 }, () => handOver(closeId, 10))));
  for (const closeId of closes) while ((await handOver(closeId, 10)).more);
  await Promise.all([issue(), issue(), issue()]);
  await issue();
  const { data } = await fixture.storage.billing.listInvoices({}, { limit: 100 });
  expect(data.map(({ customerId }) => customerId).sort()).toEqual(customers);
  expect((await fixture.storage.numbering.checkNumbers()).map(({ holds, documents }) => [holds, documents])).toEqual([
    [true, 30],
  ]);
  const counts = await Promise.all(closes.map(progress));
  for (const { remaining, requested, left } of counts) expect([remaining, requested + left]).toEqual([0, 30]);
  expect(counts.reduce((sum, { issued }) => sum + issued, 0)).toBe(30);
});

test('following ends when invoicing has decided, wakes it again, and says how far it is when the time is up', async () => {
  await fixture.addCustomer('a');
  const closeId = await ask();
  await plan(closeId);
  await handOver(closeId);
  const follow = (forMs: number) => fixture.run(fixture.activities.followPeriodClose, { closeId, billingDay, forMs });
  expect(await follow(10)).toMatchObject({ remaining: 1 });
  expect(fixture.temporal.filter(({ type }) => type === 'invoicing')).toHaveLength(2);
  const following = follow(60_000);
  await issue();
  expect(await following).toMatchObject({ remaining: 0, issued: 1 });
});

test('the period’s own workflow, waking later, reads that the period is invoiced', async () => {
  await fixture.addCustomer('a');
  await fixture.addCalls('a', 5);
  const closeId = await ask();
  await plan(closeId);
  await handOver(closeId);
  const read = () =>
    fixture.run(fixture.activities.readPeriod, {
      customerId: 'a',
      period: january,
      nowMs: Date.parse('2024-02-01T02:00:00Z'),
    });
  expect(await read()).toMatchObject({ stage: 'requested' });
  await issue();
  expect(await read()).toMatchObject({ stage: 'invoiced', veryLateFacts: 0 });
  const request = {
    customerId: 'a',
    period: january,
    requestId: randomUUID(),
    billingDay,
    forced: false,
    reason: null,
  };
  const asked = await fixture.run(fixture.activities.requestInvoicing, {
    ...request,
    nowMs: Date.parse('2024-02-01T02:00:00Z'),
  });
  expect(asked).toMatchObject({ alreadyInvoiced: true });
  expect(await progress(closeId)).toMatchObject({ issued: 1, remaining: 0 });
});
