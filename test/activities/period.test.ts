/** What `billingPeriod` orders: reading, closing, handing over, noting late usage; and the sweep. On real Postgres. */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import pg from 'pg';
import type { CloseWindowsInput } from '../../src/contracts/activities.js';
import { emptyDigest } from '../../src/domain/metering/digest.js';
import { instantToMs } from '../../src/domain/time/instant.js';
import type { DecimalString, Instant, LocalDate, Position } from '../../src/domain/values.js';
import { createActivityFixture, january } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

let fixture: ActivityFixture;
beforeEach(async () => {
  fixture = await createActivityFixture();
  await fixture.addCustomer('acme');
});
afterEach(() => fixture.close());

const nowMs = instantToMs('2024-02-01T03:00:00.000000Z' as Instant);
const key = { customerId: 'acme', period: january };
const ten = '2024-01-10T00:00:00.000000Z' as Instant;
const eleven = '2024-01-10T01:00:00.000000Z' as Instant;

const read = (input = { ...key, nowMs }) => fixture.run(fixture.activities.readPeriod, input);
const close = (input: Partial<CloseWindowsInput>) =>
  fixture.run(fixture.activities.closeWindows, {
    ...key,
    nowMs,
    scope: 'listed',
    windows: [],
    accumulatedThrough: null,
    rate: false,
    ...input,
  });
const findings = async () => (await fixture.storage.findings.list({ customerId: 'acme' }, { limit: 10 })).data;

test('a reading tells where the period is, which windows are open, and what decides their closing', async () => {
  await fixture.addCalls('acme', 90);
  expect(await read()).toEqual({
    from: '2024-01-01T00:00:00.000000Z',
    to: '2024-02-01T00:00:00.000000Z',
    timeZone: 'UTC',
    stage: 'metering',
    invoiceNumber: null,
    highestEventTime: '2024-01-10T01:29:00.000000Z',
    windows: {
      kind: 'listed',
      windows: [
        { m: 'api_calls', w: ten, e: eleven },
        { m: 'api_calls', w: eleven, e: '2024-01-10T02:00:00.000000Z' },
      ],
    },
    veryLateFacts: 0,
    settings: {
      outOfOrdernessMs: 60_000,
      idleTimeoutMs: 300_000,
      invoiceDelayMs: 3_600_000,
      lateUsageQuietMs: 3_600_000,
      ratingCadenceMs: 0,
      allowedLatenessMs: { api_calls: 3_600_000 },
    },
  });
});

test('more windows than a workflow carries come as two figures', async () => {
  for (let day = 1; day <= 12; day += 1)
    await fixture.addCalls('acme', 24 * 60, `2024-01-${String(day + 9)}T00:00:00Z`);
  expect((await read()).windows).toEqual({ kind: 'many', earliestTargetMs: null, anyPast: true });
  const middle = instantToMs('2024-01-15T12:00:00.000000Z' as Instant);
  const reading = await read({ ...key, nowMs: middle });
  expect(reading.windows).toMatchObject({ kind: 'many', anyPast: true });

  const closed = await close({ scope: 'due' });
  expect(closed).toMatchObject({ closed: 12 * 24, revisions: 12 * 24, remaining: { kind: 'listed', windows: [] } });
});

test('closing compares with what the signals told: a difference is a finding, the ledger wins, and a repeat adds nothing', async () => {
  await fixture.addCalls('acme', 60);
  const through = await fixture.storage.ledger.safeHorizon();
  const told = {
    m: 'api_calls',
    w: ten,
    e: eleven,
    since: '0' as Position,
    n: 59,
    q: '59' as DecimalString,
    d: emptyDigest,
  };
  const input = { windows: [told], accumulatedThrough: through };
  expect(await close(input)).toMatchObject({ closed: 1, revisions: 1, differences: 1, remaining: null });
  expect(await close(input)).toMatchObject({ revisions: 0 });
  expect(await findings()).toMatchObject([
    { code: 'ACCUMULATION_DIFFERENCE', period: january, subject: { meter: 'api_calls', window_start: ten } },
  ]);
  expect((await read()).windows).toEqual({ kind: 'listed', windows: [] });
});

test('at the rating cadence closing stores provisional charges; a missing price does not keep windows open', async () => {
  await fixture.addCalls('acme', 30);
  await close({ scope: 'all', rate: true });
  await fixture.request('acme', randomUUID());
  await fixture.run(fixture.activities.issueChunk, { billingDay: '2024-02-01' as LocalDate, limit: 10 });
  const { data } = await fixture.storage.billing.listInvoices({ customerId: 'acme' }, { limit: 1 });
  const charge = await fixture.storage.billing.findCharge(data[0]?.lines[0]?.chargeIds[0] ?? '');
  // The issued line bills a revision of its own, which supersedes the provisional one: when that was made must not show.
  expect(charge).toMatchObject({ revision: 2, quantity: '30' });

  await fixture.addCustomer('unpriced', { priceBook: 'nothing' });
  await fixture.addCalls('unpriced', 3);
  expect(await close({ customerId: 'unpriced', scope: 'all', rate: true })).toMatchObject({ revisions: 1 });
});

test('handing over writes the request, wakes the invoicing of the day and starts the next period', async () => {
  const request = {
    ...key,
    requestId: randomUUID(),
    billingDay: '2024-02-01' as LocalDate,
    forced: false,
    reason: null,
    nowMs,
  };
  await read();
  expect(await fixture.run(fixture.activities.requestInvoicing, request)).toEqual({ alreadyInvoiced: false });
  await fixture.run(fixture.activities.requestInvoicing, request);
  expect(await fixture.storage.periods.pendingInvoicing(request.billingDay, 10)).toHaveLength(1);
  expect(fixture.temporal.slice(0, 2)).toEqual([
    { method: 'signalWithStart', type: 'invoicing', workflowId: 'invoicing/2024-02-01' },
    { method: 'start', type: 'billingPeriod', workflowId: 'billing-period/acme/2024-02-01' },
  ]);
  expect(await read()).toMatchObject({ stage: 'requested' });

  await fixture.run(fixture.activities.issueChunk, { billingDay: request.billingDay, limit: 10 });
  expect(await read()).toMatchObject({ stage: 'invoiced', invoiceNumber: 'INV-000001', veryLateFacts: 0 });
  expect(await fixture.run(fixture.activities.requestInvoicing, { ...request, requestId: randomUUID() })).toEqual({
    alreadyInvoiced: true,
  });
});

test('a period that has not begun, and one before billing_from, are not started by the one before them', async () => {
  await read();
  const request = {
    ...key,
    requestId: randomUUID(),
    billingDay: '2024-01-20' as LocalDate,
    forced: true,
    reason: 'test',
    nowMs: instantToMs(ten),
  };
  await fixture.run(fixture.activities.requestInvoicing, request);
  await fixture.addCalls('acme', 1, '2023-10-05T00:00:00Z');
  const early = { ...request, requestId: randomUUID(), period: '2023-10-01' as LocalDate, nowMs };
  await fixture.run(fixture.activities.requestInvoicing, early);
  expect(fixture.temporal.filter(({ type }) => type === 'billingPeriod')).toEqual([]);
});

test('late usage is noted once, with its count and positions', async () => {
  await fixture.addCalls('acme', 5);
  await fixture.request('acme', randomUUID());
  await fixture.run(fixture.activities.issueChunk, { billingDay: '2024-02-01' as LocalDate, limit: 10 });
  await fixture.run(fixture.activities.noteLateUsage, key);
  expect(await findings()).toEqual([]);
  await fixture.addCalls('acme', 3, '2024-01-12T00:00:00Z');
  expect(await read()).toMatchObject({ stage: 'invoiced', veryLateFacts: 3 });
  await fixture.run(fixture.activities.noteLateUsage, key);
  await fixture.run(fixture.activities.noteLateUsage, key);
  expect(await findings()).toMatchObject([{ code: 'LATE_USAGE', subject: { count: 3 } }]);
});

test('the sweep starts every unfinished period, and leaves out what is invoiced', async () => {
  await fixture.request('acme', randomUUID());
  await fixture.run(fixture.activities.issueChunk, { billingDay: '2024-02-01' as LocalDate, limit: 10 });
  await fixture.addCustomer('other');
  // `now` of the fixture is 1 February 2024.
  expect(await fixture.run(fixture.activities.sweepPeriods)).toEqual({ started: 3 });
  expect(fixture.temporal.map(({ workflowId }) => workflowId).sort()).toEqual([
    'billing-period/acme/2024-02-01',
    'billing-period/other/2024-01-01',
    'billing-period/other/2024-02-01',
  ]);
});

test('the sweep wakes invoicing for what was handed over and never decided: its run may be gone, as after a restore', async () => {
  const asked = async (requestedAt: string): Promise<void> => {
    const client = new pg.Client({ connectionString: fixture.url });
    await client.connect();
    await client.query(
      `INSERT INTO invoicing_requests (request_id, customer_id, period, billing_day, forced, requested_at)
       VALUES ($1, 'acme', '2024-01-01', '2024-02-01', false, $2)`,
      [randomUUID(), requestedAt],
    );
    await client.end();
  };
  const woken = async (): Promise<readonly string[]> => {
    fixture.temporal.length = 0;
    await fixture.run(fixture.activities.sweepPeriods);
    return fixture.temporal.map(({ workflowId }) => workflowId).filter((id) => id.startsWith('invoicing/'));
  };
  await fixture.storage.periods.periodNamed('acme', january);
  expect(await woken()).toEqual([]);
  for (const minute of ['10', '11']) await asked(`2024-01-31T23:${minute}:00Z`);
  expect(await woken()).toEqual(['invoicing/2024-02-01']);
  await fixture.run(fixture.activities.issueChunk, { billingDay: '2024-02-01' as LocalDate, limit: 10 });
  expect(await woken()).toEqual([]);
});

test('a refusal ends the retries and carries its code', async () => {
  const unknown = read({ customerId: 'acme', period: '2024-01-02' as LocalDate, nowMs });
  await expect(unknown).rejects.toThrow(ApplicationFailure);
  await expect(unknown).rejects.toMatchObject({ type: 'UNKNOWN_PERIOD', nonRetryable: true });
});

test('the lateness that a period allows is that of the versions that count in it, and a later one closes nothing early', async () => {
  const { reference } = fixture.storage;
  const [calls] = await reference.meters();
  if (calls === undefined) throw new Error('the fixture has a meter');
  const { meterId: _id, version: _version, ...content } = calls;
  const version = (allowedLateness: string, effectiveFrom: string) =>
    reference.createMeter({ ...content, allowedLateness, effectiveFrom: effectiveFrom as LocalDate });
  await version('PT0S', '2025-01-01');
  await fixture.addCalls('acme', 60);
  expect((await read()).settings.allowedLatenessMs).toEqual({ api_calls: 3_600_000 });
  const justAfter = instantToMs('2024-01-10T01:30:00.000000Z' as Instant);
  expect(await close({ scope: 'due', nowMs: justAfter })).toMatchObject({ closed: 0 });

  // Of two in one period the longer one; each of them where it alone holds.
  await version('PT2H', '2024-01-20');
  await version('PT10M', '2024-02-01');
  expect((await read()).settings.allowedLatenessMs).toEqual({ api_calls: 7_200_000 });
  const february = { ...key, period: '2024-02-01' as LocalDate, nowMs };
  await fixture.storage.periods.periodNamed('acme', february.period);
  expect((await read(february)).settings.allowedLatenessMs).toEqual({ api_calls: 600_000 });
});
