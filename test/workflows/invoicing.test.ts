import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowHandleWithSignaledRunId } from '@temporalio/client';
import { invoicingProgressQuery, readySignal } from '../../src/contracts/invoicing.js';
import { workflowTypes } from '../../src/contracts/names.js';
import { invoiceNumberKey, needsAttentionKey } from '../../src/contracts/search-attributes.js';
import { invoicingStart } from '../../src/contracts/start-options.js';
import type { LocalDate } from '../../src/domain/values.js';
import { startDevServer, withWorker } from '../support/temporal.js';
import { FakeInvoicing } from './fake-invoicing.js';
import { actionsOf, historiesOf, total } from './history.js';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startDevServer({ suggestContinueAsNewAt: 40 });
});
afterAll(() => env.teardown());

function ready(billingDay: string, customerId: string): Promise<WorkflowHandleWithSignaledRunId> {
  return env.client.workflow.signalWithStart(workflowTypes.invoicing, {
    ...invoicingStart(billingDay as LocalDate),
    signal: readySignal,
    signalArgs: [{ customerId, period: '2024-01-01' as LocalDate }],
  });
}

const customers = (count: number, outcome: 'issued' | 'held' | 'skipped' = 'issued') =>
  Array.from({ length: count }, (_, index) => ({ customerId: `c${index}`, outcome }));

test('works off a thousand requests in chunks, with a few actions, and ends', async () => {
  const fake = new FakeInvoicing();
  fake.pending = [...customers(1_000), ...customers(3, 'skipped')];
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await ready('2024-02-01', 'c0');
    expect(await handle.result()).toEqual({ issued: 1_000, held: 0, skipped: 3, alreadyInvoiced: 0 });
    expect(fake.chunks).toEqual([200, 200, 200, 200, 200, 3]);
    const described = await handle.describe();
    expect(described.typedSearchAttributes.get(invoiceNumberKey)).toBe('INV-001000');
    expect(described.typedSearchAttributes.get(needsAttentionKey)).toBe(false);
    expect(total(actionsOf(await historiesOf(env.client, handle.workflowId, handle.signaledRunId)))).toBeLessThan(12);
  });
});

test('a customer that is held does not hold up the others, and operators are told', async () => {
  const fake = new FakeInvoicing();
  fake.pending = [...customers(1, 'held'), ...customers(2)];
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await ready('2024-02-02', 'c0');
    expect(await handle.result()).toEqual({ issued: 2, held: 1, skipped: 0, alreadyInvoiced: 0 });
    expect((await handle.describe()).typedSearchAttributes.get(needsAttentionKey)).toBe(true);
  });
});

test('a request that comes during the last chunk is not forgotten, across continue-as-new too', async () => {
  const fake = new FakeInvoicing();
  fake.pending = customers(1);
  let more = 30;
  fake.meanwhile = async () => {
    if (more === 0) return;
    more -= 1;
    fake.pending.push(...customers(1));
    await ready('2024-02-03', 'next');
  };
  await withWorker(env, { activities: fake.activities, maxCachedWorkflows: 0 }, async () => {
    const handle = await ready('2024-02-03', 'c0');
    expect(await handle.result()).toEqual({ issued: 31, held: 0, skipped: 0, alreadyInvoiced: 0 });
    const runs = await historiesOf(env.client, handle.workflowId, handle.signaledRunId);
    expect(runs.length).toBeGreaterThanOrEqual(3);
    expect(await env.client.workflow.getHandle(handle.workflowId).query(invoicingProgressQuery)).toMatchObject({
      issued: 31,
    });
  });
});
