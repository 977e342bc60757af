/** A billing period that an open backfill holds. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowHandle } from '@temporalio/client';
import { closeRequestedSignal, usageRecordedSignal, type UsageRecorded } from '../../src/contracts/billing-period.js';
import { workflowTypes } from '../../src/contracts/names.js';
import { billingPeriodStart } from '../../src/contracts/start-options.js';
import { addMs, instantToMs, msPerHour, msToInstant } from '../../src/domain/time/instant.js';
import type { Instant, Position } from '../../src/domain/values.js';
import { startTimeSkipping, withWorker } from '../support/temporal.js';
import { FakePeriod } from './fake-period.js';
import { sleepUntil } from './history.js';

const msPerDay = 86_400_000;

let env: TestWorkflowEnvironment;
let midnight: Instant;
beforeAll(async () => {
  env = await startTimeSkipping();
});
afterAll(() => env.teardown());
beforeEach(async () => {
  midnight = msToInstant((Math.floor((await env.currentTimeMs()) / msPerDay) + 1) * msPerDay);
});

const at = (day: number, hour: number, minutes = 0): Instant =>
  addMs(midnight, day * msPerDay + hour * msPerHour + minutes * 60_000);

function tell(fake: FakePeriod, range: UsageRecorded): Promise<WorkflowHandle> {
  return env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
    ...billingPeriodStart(fake.customerId, fake.period),
    signal: usageRecordedSignal,
    signalArgs: [range],
  });
}

/** What the relay tells of a decision, of a period without a row of the backfill too. */
const decided = (fake: FakePeriod): UsageRecorded => {
  const range = fake.plan({ withSums: false });
  return { ...range, to: String(Number(range.to) + 1) as Position };
};

test('one that was opened when everything had been read is noticed by what would close or hand over', async () => {
  const fake = new FakePeriod({ from: at(0, 0), to: at(1, 0) });
  await withWorker(env, { activities: fake.activities }, async () => {
    await sleepUntil(env, instantToMs(at(0, 8)));
    const handle = await tell(fake, fake.record({ meter: 'calls', at: at(0, 7, 30) }));
    await sleepUntil(env, instantToMs(at(0, 8, 30)));
    fake.held = true;
    await sleepUntil(env, instantToMs(at(1, 12)));
    expect(fake.revisions).toEqual([]);
    expect(fake.calls.requests).toEqual([]);
    expect((await handle.describe()).status.name).toBe('RUNNING');

    fake.held = false;
    await tell(fake, decided(fake));
    expect(await handle.result()).toEqual({ outcome: 'handed_over' });
    expect(fake.revisions).toHaveLength(1);
    expect(fake.calls.requests).toMatchObject([{ forced: false, onDemand: false }]);
  });
});

test('one that lasts for weeks costs a look a day; an end that nobody told of is found by it', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0) });
  fake.held = true;
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await tell(fake, fake.record({ meter: 'calls', at: at(-2, 5) }));
    await sleepUntil(env, instantToMs(at(14, 0)));
    expect((await handle.describe()).status.name).toBe('RUNNING');
    expect(fake.calls.readPeriod).toBeGreaterThanOrEqual(13);
    expect(fake.calls.readPeriod).toBeLessThanOrEqual(18);
    expect(fake.calls.closeWindows.length).toBeLessThanOrEqual(1);
    fake.held = false;
    expect(await handle.result()).toEqual({ outcome: 'handed_over' });
    expect(fake.revisions).toHaveLength(1);
  });
});

test('a person may close it all the same', async () => {
  const fake = new FakePeriod({ from: at(-2, 0), to: at(-1, 0) });
  fake.held = true;
  await withWorker(env, { activities: fake.activities }, async () => {
    await tell(fake, fake.record({ meter: 'calls', at: at(-2, 5) }));
    const handle = await env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
      ...billingPeriodStart(fake.customerId, fake.period),
      signal: closeRequestedSignal,
      signalArgs: [{ requestId: 'r1', forced: false, reason: 'the import is given up' }],
    });
    expect(await handle.result()).toEqual({ outcome: 'handed_over' });
    expect(fake.revisions).toHaveLength(1);
    expect(fake.calls.requests).toMatchObject([{ onDemand: true, reason: 'the import is given up' }]);
  });
});
