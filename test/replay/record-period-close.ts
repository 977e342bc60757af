/** The run of `periodClose` that record.ts records. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { workflowTypes } from '../../src/contracts/names.js';
import { periodCloseStart } from '../../src/contracts/start-options.js';
import type { LocalDate } from '../../src/domain/values.js';
import { withWorker } from '../support/temporal.js';
import { FakePeriodClose } from '../workflows/fake-period-close.js';
import { historiesOf } from '../workflows/history.js';
import type { History } from '../workflows/history.js';

export function chunksContinued(env: TestWorkflowEnvironment): Promise<readonly History[]> {
  const fake = new FakePeriodClose(10_000, 4_000);
  return withWorker(env, { activities: fake.activities }, async () => {
    const input = { closeId: 'recorded', billingDay: '2024-02-01' as LocalDate };
    const handle = await env.client.workflow.start(workflowTypes.periodClose, periodCloseStart(input));
    await handle.result();
    return historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
  });
}
