import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { billingPeriodQuery, closeRequestedSignal, usageRecordedSignal } from '../../src/contracts/billing-period.js';
import type { BillingPeriodOutcome, CloseRequested, UsageRecorded } from '../../src/contracts/billing-period.js';
import { billingPeriodWorkflowId, workflowTypes } from '../../src/contracts/names.js';
import { billingPeriodStart } from '../../src/contracts/start-options.js';
import { addMs, instantToMs, msPerHour, msToInstant } from '../../src/domain/time/instant.js';
import type { Instant } from '../../src/domain/values.js';
import { eventually, startTimeSkipping, withWorker } from '../support/temporal.js';
import { FakePeriod } from './fake-period.js';
import { actionsOf, historiesOf, sleepUntil, total } from './history.js';

const minute = 60_000;
const msPerDay = 86_400_000;
const meters = ['m1', 'm2', 'm3', 'm4', 'm5'];

let env: TestWorkflowEnvironment;
/** The next midnight of the server's clock: periods of these tests begin there. */
let midnight: Instant;

beforeAll(async () => {
  env = await startTimeSkipping();
});
afterAll(() => env.teardown());
beforeEach(async () => {
  midnight = msToInstant((Math.floor((await env.currentTimeMs()) / msPerDay) + 1) * msPerDay);
});

const at = (day: number, hour: number, minutes = 0): Instant =>
  addMs(midnight, day * msPerDay + hour * msPerHour + minutes * minute);
const start = (fake: FakePeriod) =>
  env.client.workflow.start(workflowTypes.billingPeriod, billingPeriodStart(fake.customerId, fake.period));

function tell(fake: FakePeriod, range: UsageRecorded): Promise<WorkflowHandle> {
  const options = billingPeriodStart(fake.customerId, fake.period);
  return env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
    ...options,
    signal: usageRecordedSignal,
    signalArgs: [range],
  });
}

function requestClose(fake: FakePeriod, request: Partial<CloseRequested> = {}): Promise<WorkflowHandle> {
  return env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
    ...billingPeriodStart(fake.customerId, fake.period),
    signal: closeRequestedSignal,
    signalArgs: [{ requestId: 'r1', forced: false, reason: null, ...request }],
  });
}

const resultOf = (handle: WorkflowHandle): Promise<BillingPeriodOutcome> =>
  handle.result() as Promise<BillingPeriodOutcome>;

test('a month with an event a day and five meters: every window closes once, the period is handed over, within its budget', async () => {
  const fake = new FakePeriod({ from: at(0, 0), to: at(31, 0), meters });
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start(fake);
    for (let day = 0; day < 31; day += 1) {
      await sleepUntil(env, instantToMs(at(day, 10, 31)));
      await tell(fake, fake.record(...meters.map((meter) => ({ meter, at: at(day, 10, 30) }))));
    }
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });

    expect(fake.revisions).toHaveLength(31 * meters.length);
    expect(fake.calls.closeWindows).toHaveLength(31);
    expect(fake.differences).toBe(0);
    expect(fake.calls.requests).toMatchObject([{ forced: false, reason: null, billingDay: at(31, 1).slice(0, 10) }]);
    expect(await env.currentTimeMs()).toBeGreaterThanOrEqual(instantToMs(at(31, 1)));
    const counts = actionsOf(await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId));
    expect(total(counts)).toBeLessThanOrEqual(200);
  });
});

test('half a day with an event a second, signalled every five minutes: a month of such days stays within its budget', async () => {
  const fake = new FakePeriod({ from: at(0, 0), to: at(0, 12), meters });
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start(fake);
    for (let signal = 1; signal <= 144; signal += 1) {
      await sleepUntil(env, instantToMs(at(0, 0, signal * 5)));
      // What a signal costs does not depend on how many events it stands for: one a meter will do.
      await tell(fake, fake.record(...meters.map((meter) => ({ meter, at: at(0, 0, signal * 5 - 1) }))));
    }
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });

    expect(fake.revisions).toHaveLength(12 * meters.length);
    expect(fake.differences).toBe(0);
    const counts = actionsOf(await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId));
    expect(counts['workflowExecutionSignaled']).toBe(144);
    expect(2 * 31 * total(counts)).toBeLessThanOrEqual(12_000);
  });
});

test('an empty month is handed over after its end and the invoice delay, without closing anything', async () => {
  const fake = new FakePeriod({ from: at(0, 0), to: at(31, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start(fake);
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });
    expect(fake.calls.closeWindows).toEqual([]);
    expect(await env.currentTimeMs()).toBeGreaterThanOrEqual(instantToMs(at(31, 1)));
    const counts = actionsOf(await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId));
    expect(total(counts)).toBeLessThanOrEqual(6);
  });
});

test('an event that comes within the allowed lateness is part of its window; one that comes later makes the next revision', async () => {
  const fake = new FakePeriod({ from: at(0, 0), to: at(2, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start(fake);
    await sleepUntil(env, instantToMs(at(0, 10, 31)));
    await tell(fake, fake.record({ meter: 'calls', at: at(0, 10, 30) }));
    await sleepUntil(env, instantToMs(at(0, 11, 45)));
    await tell(fake, fake.record({ meter: 'calls', at: at(0, 10, 59) }));
    await sleepUntil(env, instantToMs(at(0, 13)));
    expect(fake.revisions.map(({ events }) => events)).toEqual([2]);

    await tell(fake, fake.record({ meter: 'calls', at: at(0, 10, 15) }));
    await sleepUntil(env, instantToMs(at(0, 13, 50)));
    // Past on arrival: it waits an hour of quiet instead of closing at once.
    expect(fake.revisions).toHaveLength(1);
    await sleepUntil(env, instantToMs(at(0, 14, 30)));
    expect(fake.revisions.map(({ events }) => events)).toEqual([2, 3]);
    expect(fake.differences).toBe(0);
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });
  });
});

test('an import of the past closes after a quiet time, whole, and then waits the invoice delay', async () => {
  const fake = new FakePeriod({ from: at(-60, 0), to: at(-30, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    const begun = await env.currentTimeMs();
    const events = Array.from({ length: 40 }, (_, index) => ({ meter: 'calls', at: at(-59, 0, index * 30) }));
    const handle = await tell(fake, fake.record(...events.slice(0, 20)));
    await env.sleep(30 * minute);
    await tell(fake, fake.record(...events.slice(20)));
    await env.sleep(45 * minute);
    expect(fake.revisions).toEqual([]);
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });
    expect(fake.calls.closeWindows).toHaveLength(1);
    expect(fake.revisions).toHaveLength(20);
    expect(fake.differences).toBe(0);
    expect((await env.currentTimeMs()) - begun).toBeGreaterThanOrEqual(90 * minute);
  });
});

test('an import of more windows than the state carries leaves their list to the ledger', async () => {
  const fake = new FakePeriod({ from: at(-60, 0), to: at(-30, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    const events = Array.from({ length: 600 }, (_, index) => ({ meter: 'calls', at: at(-60, index) }));
    const handle = await tell(fake, fake.record(...events.slice(0, 300)));
    await env.sleep(10 * minute);
    await tell(fake, fake.record(...events.slice(300)));
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });
    expect(fake.calls.closeWindows.map(({ scope }) => scope)).toEqual(['due']);
    expect(fake.revisions).toHaveLength(600);
  });
});

test('lost, repeated and reordered signals change nothing but the way: the ledger is asked', async () => {
  const fake = new FakePeriod({ from: at(0, 0), to: at(1, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start(fake);
    await sleepUntil(env, instantToMs(at(0, 10, 10)));
    const [first, second, third, fourth] = [1, 2, 3, 4].map((index) =>
      fake.record({ meter: 'calls', at: at(0, 10, index) }),
    );
    await tell(fake, first as UsageRecorded);
    const asked = fake.calls.readPeriod;
    await tell(fake, third as UsageRecorded); // a gap
    await tell(fake, second as UsageRecorded); // comes late, and is covered
    await tell(fake, third as UsageRecorded); // again
    await tell(fake, fourth as UsageRecorded);
    fake.record({ meter: 'calls', at: at(0, 10, 5) }); // never delivered
    await tell(fake, fake.record({ meter: 'calls', at: at(0, 11, 5) }));
    const view = await eventually(
      () => handle.query(billingPeriodQuery),
      ({ appliedThrough, openWindows }) => appliedThrough === '6' && openWindows.length === 2,
    );
    expect(view.usage).toMatchObject([{ meter: 'calls' }]);
    expect(fake.calls.readPeriod).toBeGreaterThan(asked);
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });
    expect(fake.differences).toBe(0);
    expect(fake.revisions.map(({ events }) => events).sort()).toEqual([1, 5]);
  });
});

test('a range that is too large to carry sends the workflow to the ledger', async () => {
  const fake = new FakePeriod({ from: at(0, 0), to: at(1, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start(fake);
    await sleepUntil(env, instantToMs(at(0, 10, 10)));
    fake.append({ meter: 'calls', at: at(0, 10, 1) });
    await tell(fake, fake.plan({ withSums: false }));
    await tell(fake, fake.record({ meter: 'calls', at: at(0, 10, 2) }));
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });
    expect(fake.revisions.map(({ events }) => events)).toEqual([2]);
    expect(fake.differences).toBe(0);
  });
});

test('close on request closes all windows at once and hands over, without waiting for anything', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0), meters });
  await withWorker(env, { activities: fake.activities }, async () => {
    await tell(fake, fake.record({ meter: 'm1', at: at(-2, 5) }, { meter: 'm2', at: at(-2, 7) }));
    const handle = await requestClose(fake);
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });
    expect(fake.calls.closeWindows.map(({ scope }) => scope)).toEqual(['all']);
    expect(fake.calls.requests).toMatchObject([{ forced: false }]);
    // The run's own clock: the server's moves on to anything once no run is left.
    const { startTime, closeTime } = await handle.describe();
    expect((closeTime?.getTime() ?? Infinity) - startTime.getTime()).toBeLessThan(30 * minute);
  });
});

test('a period that is over before anybody looked waits its invoice delay: its import may be on its way', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0), meters });
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start(fake);
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });
    const { startTime, closeTime } = await handle.describe();
    expect((closeTime?.getTime() ?? 0) - startTime.getTime()).toBeGreaterThanOrEqual(fake.settings.invoiceDelayMs);
  });
});

test('a forced close before the end of the period carries its reason to invoicing', async () => {
  const fake = new FakePeriod({ from: at(-1, 0), to: at(30, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    await tell(fake, fake.record({ meter: 'calls', at: at(-1, 5) }));
    const handle = await requestClose(fake, { forced: true, reason: 'contract ended' });
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });
    expect(fake.calls.requests).toMatchObject([{ forced: true, reason: 'contract ended' }]);
  });
});

test('a fact after the invoice starts the period again: it waits for quiet, starts one correction, and ends', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    await tell(fake, fake.record({ meter: 'calls', at: at(-2, 5) }));
    expect(await resultOf(await requestClose(fake))).toEqual({ outcome: 'handed_over' });

    const handle = await tell(fake, fake.record({ meter: 'calls', at: at(-2, 6) }));
    await env.sleep(50 * minute);
    await tell(fake, fake.record({ meter: 'calls', at: at(-2, 7) }));
    await env.sleep(50 * minute);
    expect(fake.calls.corrections).toBe(0);
    expect((await handle.query(billingPeriodQuery)).stage).toBe('late');
    expect(await resultOf(handle)).toEqual({ outcome: 'correction_started' });
    expect(fake.calls).toMatchObject({ corrections: 1, lateNotes: 0 });
    expect(fake.calls.requests).toHaveLength(1);
  });
});

test('a close request is heard while late usage is gathered: the invoice was voided meanwhile', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0) });
  fake.append({ meter: 'calls', at: at(-2, 5) });
  fake.issue();
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await tell(fake, fake.record({ meter: 'calls', at: at(-2, 6) }));
    await env.sleep(minute);
    expect((await handle.query(billingPeriodQuery)).stage).toBe('late');
    await requestClose(fake); // refused by the API while it is invoiced; harmless all the same
    await env.sleep(minute);
    expect(fake.calls.requests).toHaveLength(0);
    fake.stage = 'void';
    expect(await resultOf(await requestClose(fake))).toEqual({ outcome: 'handed_over' });
    expect(fake.calls).toMatchObject({ corrections: 0, requests: [{ forced: false }] });
  });
});

test('late usage of a customer that corrects by hand is noted, and operators are told', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0) });
  fake.append({ meter: 'calls', at: at(-2, 5) });
  fake.issue();
  fake.correctsByHand = true;
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await tell(fake, fake.record({ meter: 'calls', at: at(-2, 6) }));
    expect(await resultOf(handle)).toEqual({ outcome: 'late_usage_noted' });
    expect(fake.calls).toMatchObject({ corrections: 0, lateNotes: 1 });
  });
});

test('a voided invoice is replaced when somebody asks to close the period, not when a fact comes', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0) });
  fake.append({ meter: 'calls', at: at(-2, 5) });
  fake.stage = 'void';
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await tell(fake, fake.record({ meter: 'calls', at: at(-2, 6) }));
    expect(await resultOf(handle)).toEqual({ outcome: 'void' });
    expect(fake.calls.requests).toHaveLength(0);
    expect(await resultOf(await requestClose(fake))).toEqual({ outcome: 'handed_over' });
    expect(fake.calls.requests).toHaveLength(1);
  });
});

test('a steady trickle of late usage is corrected after a day at the latest', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0) });
  fake.append({ meter: 'calls', at: at(-2, 5) });
  fake.issue();
  await withWorker(env, { activities: fake.activities }, async () => {
    for (let halfHour = 0; halfHour < 50; halfHour += 1) {
      await tell(fake, fake.record({ meter: 'calls', at: at(-2, 6) }));
      await env.sleep(30 * minute);
    }
    expect(fake.calls.corrections).toBe(1);
    await env.client.workflow.getHandle(billingPeriodWorkflowId(fake.customerId, fake.period)).terminate();
  });
});

test('a trickle of usage that is past when it comes holds its period up for a day, not for ever', async () => {
  const fake = new FakePeriod({ from: at(-40, 0), to: at(-10, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    const first = await env.currentTimeMs();
    // Each within the hour that its window, and the invoice delay that the period, waits after the one before.
    while (fake.calls.requests.length === 0 && (await env.currentTimeMs()) < first + 2 * msPerDay) {
      await tell(fake, fake.record({ meter: 'calls', at: at(-20, 6) }));
      await env.sleep(50 * minute);
    }
    expect(fake.calls.requests).toHaveLength(1);
    const waited = (await env.currentTimeMs()) - first;
    expect(waited).toBeGreaterThan(msPerDay);
    expect(waited).toBeLessThan(msPerDay + 3 * msPerHour);
    expect(fake.calls.closeWindows.length).toBeLessThanOrEqual(2);
    expect(fake.differences).toBe(0);
  });
});

test('a signal that repeats what the invoice covers ends the run at once', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0) });
  const range = fake.record({ meter: 'calls', at: at(-2, 5) });
  fake.issue();
  await withWorker(env, { activities: fake.activities }, async () => {
    expect(await resultOf(await tell(fake, range))).toEqual({ outcome: 'already_invoiced' });
    expect(fake.calls.corrections).toBe(0);
  });
});

test('a fact that comes while the period is handed over is not lost', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0) });
  fake.meanwhile = async (activity) => {
    if (activity !== 'requestInvoicing' || fake.calls.requests.length !== 1 || fake.calls.corrections > 0) return;
    fake.meanwhile = () => Promise.resolve();
    await tell(fake, fake.record({ meter: 'calls', at: at(-2, 8) }));
  };
  await withWorker(env, { activities: fake.activities }, async () => {
    await tell(fake, fake.record({ meter: 'calls', at: at(-2, 5) }));
    expect(await resultOf(await requestClose(fake))).toEqual({ outcome: 'correction_started' });
    expect(fake.calls.corrections).toBe(1);
  });
});

test('a run that finds the period requested waits for the decision; a held period is metered and requested again', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0) });
  fake.decision = 'pending';
  await withWorker(env, { activities: fake.activities }, async () => {
    await tell(fake, fake.record({ meter: 'calls', at: at(-2, 5) }));
    await resultOf(await requestClose(fake));
    const handle = await tell(fake, fake.record({ meter: 'calls', at: at(-2, 6) }));
    await env.sleep(5 * minute);
    expect(fake.calls.requests).toHaveLength(1);
    fake.stage = 'metering';
    fake.decision = 'issued';
    expect(await resultOf(handle)).toEqual({ outcome: 'handed_over' });
    expect(fake.calls.requests).toHaveLength(2);
    expect(fake.revisions.map(({ events }) => events).sort()).toEqual([1, 1]);
  });
});

test('operators see customer, period, stage, open windows, next close and usage', async () => {
  const fake = new FakePeriod({ from: at(0, 0), to: at(31, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    await sleepUntil(env, instantToMs(at(0, 10, 10)));
    const handle = await tell(
      fake,
      fake.record({ meter: 'calls', at: at(0, 10, 9) }, { meter: 'calls', at: at(0, 10, 8) }),
    );
    expect(handle.workflowId).toBe(billingPeriodWorkflowId(fake.customerId, fake.period));
    const view = await eventually(
      () => handle.query(billingPeriodQuery),
      ({ nextDeadline }) => nextDeadline !== null,
    );
    expect(view).toEqual({
      customerId: fake.customerId,
      period: fake.period,
      stage: 'open',
      appliedThrough: '2',
      openWindows: [{ meter: 'calls', windowStart: at(0, 10), windowEnd: at(0, 11), quantity: '2' }],
      closedWindows: 0,
      nextDeadline: at(0, 12, 5),
      usage: [{ meter: 'calls', quantity: '2', events: 2 }],
    });
    const metadata = await handle.query<{
      currentDetails?: string;
      definition?: { signalDefinitions?: { description?: string }[] };
    }>('__temporal_workflow_metadata');
    expect(metadata.currentDetails).toContain(`| Customer | \`${fake.customerId}\` |`);
    expect(metadata.currentDetails).toContain(`| Next close | ${at(0, 12, 5).slice(0, 10)} 12:05:00Z |`);
    const described = (metadata.definition?.signalDefinitions ?? []).filter(({ description }) => description);
    expect(described).toHaveLength(2);
    await handle.terminate();
  });
});
