import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { billingPeriodQuery, usageRecordedSignal } from '../../src/contracts/billing-period.js';
import { workflowTypes } from '../../src/contracts/names.js';
import { billingPeriodStart } from '../../src/contracts/start-options.js';
import type { Instant } from '../../src/domain/values.js';
import { eventually, startDevServer, withWorker } from '../support/temporal.js';
import { FakePeriod } from './fake-period.js';
import { historiesOf } from './history.js';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  // The server's own suggestion comes at 4,096 events: below that, only the workflow's count of signals acts.
  env = await startDevServer();
});
afterAll(() => env.teardown());

test('signals that pile up while every worker is down make the run continue as new by their count', async () => {
  const fake = new FakePeriod({
    from: '2024-01-01T00:00:00.000000Z' as Instant,
    to: '2024-02-01T00:00:00.000000Z' as Instant,
  });
  const range = fake.record({ meter: 'calls', at: '2024-01-10T10:00:00.000000Z' as Instant });
  const first = await env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
    ...billingPeriodStart(fake.customerId, fake.period),
    signal: usageRecordedSignal,
    signalArgs: [range],
  });
  const handle = env.client.workflow.getHandle(first.workflowId);
  for (let batch = 0; batch < 20; batch += 1) {
    await Promise.all(Array.from({ length: 100 }, () => handle.signal(usageRecordedSignal, range)));
  }
  await withWorker(env, { activities: fake.activities }, async () => {
    const runs = await eventually(
      () => historiesOf(env.client, first.workflowId, first.signaledRunId),
      ({ length }) => length === 2,
    );
    expect(runs[0]?.events?.length).toBeLessThan(4_096);
    await eventually(
      () => handle.query(billingPeriodQuery),
      ({ usage, nextDeadline }) => usage[0]?.events === 1 && nextDeadline !== null,
    );
  });
  await handle.terminate();
});
