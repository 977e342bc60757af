/**
 * On the real server, where continue-as-new is atomic: every workflow task replays the whole history
 * (maxCachedWorkflows: 0), and the server suggests continue-as-new after 40 events.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowHandle, WorkflowHandleWithSignaledRunId } from '@temporalio/client';
import { billingPeriodQuery, closeRequestedSignal, usageRecordedSignal } from '../../src/contracts/billing-period.js';
import type { UsageRecorded } from '../../src/contracts/billing-period.js';
import { workflowTypes } from '../../src/contracts/names.js';
import { customerIdKey } from '../../src/contracts/search-attributes.js';
import { billingPeriodStart } from '../../src/contracts/start-options.js';
import { addMs, msPerHour, msToInstant } from '../../src/domain/time/instant.js';
import type { Instant } from '../../src/domain/values.js';
import { eventually, startDevServer, withWorker } from '../support/temporal.js';
import { FakePeriod } from './fake-period.js';
import { historiesOf } from './history.js';

const day = 24 * msPerHour;

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startDevServer({ suggestContinueAsNewAt: 40 });
});
afterAll(() => env.teardown());

/** A period that is running now; `at` counts hours from its beginning. */
function runningPeriod(): { readonly fake: FakePeriod; readonly at: (hour: number, minute?: number) => Instant } {
  const midnight = msToInstant(Math.floor(Date.now() / day) * day);
  const fake = new FakePeriod({ from: addMs(midnight, -9 * day), to: addMs(midnight, 20 * day), meters: ['m1', 'm2'] });
  return { fake, at: (hour, minute = 0) => addMs(midnight, -9 * day + hour * msPerHour + minute * 60_000) };
}

function tell(fake: FakePeriod, range: UsageRecorded): Promise<WorkflowHandleWithSignaledRunId> {
  const options = billingPeriodStart(fake.customerId, fake.period);
  return env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
    ...options,
    signal: usageRecordedSignal,
    signalArgs: [range],
  });
}

async function close(fake: FakePeriod): Promise<unknown> {
  const handle = await env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
    ...billingPeriodStart(fake.customerId, fake.period),
    signal: closeRequestedSignal,
    signalArgs: [{ requestId: 'r', forced: true, reason: 'test' }],
  });
  return handle.result();
}

async function applied(handle: WorkflowHandle, range: UsageRecorded): Promise<void> {
  await eventually(
    () => env.client.workflow.getHandle(handle.workflowId).query(billingPeriodQuery),
    ({ appliedThrough }) => appliedThrough === range.to,
  );
}

test('state survives continue-as-new and full replay: every event is closed once, and what was accumulated agrees', async () => {
  const { fake, at } = runningPeriod();
  await withWorker(env, { activities: fake.activities, maxCachedWorkflows: 0 }, async () => {
    const first = await tell(fake, fake.record({ meter: 'm1', at: at(0) }, { meter: 'm2', at: at(0, 30) }));
    for (let hour = 1; hour < 30; hour += 1) {
      const range = fake.record({ meter: 'm1', at: at(hour) }, { meter: 'm2', at: at(hour, 30) });
      // One at a time, so that there are enough workflow tasks to continue as new from.
      await applied(await tell(fake, range), range);
    }
    const runs = await historiesOf(env.client, first.workflowId, first.signaledRunId);
    expect(runs.length).toBeGreaterThanOrEqual(3);
    // What operators find it by is still there in the last run.
    const last = await env.client.workflow.getHandle(first.workflowId).describe();
    expect(last.runId).not.toBe(first.signaledRunId);
    expect(last.typedSearchAttributes.get(customerIdKey)).toBe(fake.customerId);
    const view = await env.client.workflow.getHandle(first.workflowId).query(billingPeriodQuery);
    expect(view.usage).toEqual([
      { meter: 'm1', quantity: '30', events: 30 },
      { meter: 'm2', quantity: '30', events: 30 },
    ]);
    expect(view.openWindows.length + view.closedWindows).toBe(60);
    expect(await close(fake)).toEqual({ outcome: 'handed_over' });
    expect(fake.differences).toBe(0);
    expect(new Set(fake.revisions.map(({ window }) => `${window.m} ${window.w}`)).size).toBe(60);
  });
});

test('signals that arrive at any speed, in any order and twice, around continue-as-new, are all in the period', async () => {
  const { fake, at } = runningPeriod();
  await withWorker(env, { activities: fake.activities, maxCachedWorkflows: 0 }, async () => {
    const ranges = Array.from({ length: 150 }, (_, index) => fake.record({ meter: 'm1', at: at(index % 20) }));
    const shuffled = [...ranges, ...ranges].sort(
      (a, b) => ((Number(a.to) * 7919) % 151) - ((Number(b.to) * 7919) % 151),
    );
    await Promise.all(shuffled.map((range) => tell(fake, range)));
    await close(fake);
    expect(fake.openWindows).toEqual([]);
    expect(fake.differences).toBe(0);
    const last = new Map(fake.revisions.map(({ window, events }) => [window.w, events]));
    expect([...last.values()].reduce((sum, events) => sum + events, 0)).toBe(150);
  });
});

test('operators find the period by its typed search attributes and read its summary', async () => {
  const { fake, at } = runningPeriod();
  await withWorker(env, { activities: fake.activities }, async () => {
    await tell(fake, fake.record({ meter: 'm1', at: at(1) }));
    await close(fake);
    const query = `CustomerId = "${fake.customerId}" AND BillingPeriod = "${fake.period}" AND BillingStage = "ready"`;
    const found = await eventually(
      async () => {
        const rows = [];
        for await (const row of env.client.workflow.list({ query })) rows.push(row);
        return rows;
      },
      (rows) => rows.length > 0,
    );
    const described = await env.client.workflow.getHandle(found[0]?.workflowId ?? '').describe();
    expect(await described.staticSummary()).toBe(`Usage of ${fake.customerId}, period ${fake.period}`);
    expect(described.typedSearchAttributes.getAll()).toContainEqual(expect.objectContaining({ value: 'ready' }));
  });
});
