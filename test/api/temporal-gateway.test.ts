/** What the API tells Temporal about re-ratings and reconciliations, on a real server without workers. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { connectTemporal, type TemporalGateway } from '../../src/api/temporal-gateway.js';
import type { LocalDate } from '../../src/domain/values.js';
import { startDevServer } from '../support/temporal.js';

let temporal: TestWorkflowEnvironment;
let gateway: TemporalGateway;

beforeAll(async () => {
  temporal = await startDevServer();
  gateway = connectTemporal({ address: temporal.address, namespace: 'default' });
});
afterAll(async () => {
  await gateway.close();
  await temporal.teardown();
});

const about = { customerId: 'cust_1', period: '2024-01-01' as LocalDate };
const reRating = (id: string) => ({ reRatingId: id, workflowId: `re-rating/${id}`, reason: 'manual' });

/** Of the only run: its input and the signals it was sent. */
async function told(workflowId: string): Promise<{ input: unknown; signals: readonly string[]; runId: string }> {
  const handle = temporal.client.workflow.getHandle(workflowId);
  const { events } = await handle.fetchHistory();
  const started = events?.[0]?.workflowExecutionStartedEventAttributes;
  const data = started?.input?.payloads?.[0]?.data;
  return {
    input: JSON.parse(Buffer.from(data ?? []).toString('utf8')) as unknown,
    signals: (events ?? []).flatMap((event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? []),
    runId: (await handle.describe()).runId,
  };
}

test('a re-rating is started once, and can be found by what it is about', async () => {
  await gateway.startReRating(reRating('r-1'), about);
  await gateway.startReRating(reRating('r-1'), about);
  const description = await temporal.client.workflow.getHandle('re-rating/r-1').describe();
  expect(description.type).toBe('reRating');
  const attributes = description.typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]);
  expect(Object.fromEntries(attributes)).toMatchObject({ CustomerId: 'cust_1', BillingPeriod: '2024-01-01' });
  expect(await told('re-rating/r-1')).toMatchObject({ input: { reRatingId: 'r-1' }, signals: [] });
});

test('a decision is a signal to the run there is, and starts one where there is none', async () => {
  await gateway.startReRating(reRating('r-2'), null);
  const { runId } = await told('re-rating/r-2');
  await gateway.signalDecided(reRating('r-2'), null);
  expect(await told('re-rating/r-2')).toEqual({ input: { reRatingId: 'r-2' }, signals: ['decided'], runId });
  await gateway.signalDecided(reRating('r-3'), about);
  expect(await told('re-rating/r-3')).toMatchObject({ input: { reRatingId: 'r-3' }, signals: ['decided'] });
});

test('a reconciliation is started under its run id', async () => {
  await gateway.startReconciliation('run-1');
  await gateway.startReconciliation('run-1');
  expect(await told('reconciliation/run-1')).toMatchObject({ input: { runId: 'run-1' }, signals: [] });
});
