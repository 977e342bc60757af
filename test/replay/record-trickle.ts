/**
 * `npx tsx test/replay/record-trickle.ts NAME`: records usage that keeps coming past for longer than it is waited for (RULES 63). It
 * takes more than a day, so its server skips time. `billingPeriod.trickle-waited-on` was recorded before there was a limit.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import worker from '@temporalio/worker/package.json' with { type: 'json' };
import { usageRecordedSignal } from '../../src/contracts/billing-period.js';
import { workflowTypes } from '../../src/contracts/names.js';
import { billingPeriodStart } from '../../src/contracts/start-options.js';
import { addMs, msPerHour } from '../../src/domain/time/instant.js';
import type { Instant } from '../../src/domain/values.js';
import { startTimeSkipping, withWorker } from '../support/temporal.js';
import { FakePeriod } from '../workflows/fake-period.js';
import { historiesOf, sleepUntil } from '../workflows/history.js';

const from = '2024-01-01T00:00:00.000000Z' as Instant;
const everyMs = (50 * msPerHour) / 60;
const hours = 40;

const name = process.argv[2] ?? 'trickle';
const env = await startTimeSkipping();
try {
  const fake = new FakePeriod({ from, to: '2024-02-01T00:00:00.000000Z' as Instant });
  await withWorker(env, { activities: fake.activities }, async () => {
    const tell = (index: number) =>
      env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
        ...billingPeriodStart(fake.customerId, fake.period),
        signal: usageRecordedSignal,
        signalArgs: [fake.record({ meter: 'calls', at: addMs(from, (index % 20) * msPerHour) })],
      });
    const begun = await env.currentTimeMs();
    const first = await tell(0);
    for (let index = 1; index * everyMs < hours * msPerHour; index += 1) {
      await sleepUntil(env, begun + index * everyMs);
      if (
        (await env.client.workflow.getHandle(first.workflowId, first.signaledRunId).describe()).status.name !==
        'RUNNING'
      )
        break;
      await tell(index);
    }
    await env.client.workflow.getHandle(first.workflowId, first.signaledRunId).result();
    const [history] = await historiesOf(env.client, first.workflowId, first.signaledRunId);
    if (history === undefined) throw new Error('the first run has a history');
    const file = join(process.cwd(), 'test', 'replay', 'histories', `billingPeriod.${name}.${worker.version}.json`);
    await writeFile(file, `${historyToJSON(history)}\n`);
  });
} finally {
  await env.teardown();
}
