/** A whole worker on a real database and a real Temporal server: from rows in the usage ledger to an issued invoice. */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { billingPeriodQuery, closeRequestedSignal } from '../../src/contracts/billing-period.js';
import {
  dailyReconciliationScheduleId,
  dailyReconciliationWorkflowId,
  allPartitions,
  auditAnchorScheduleId,
  billingPeriodWorkflowId,
  invoicingWorkflowId,
  periodSweepScheduleId,
  usageRelayWorkflowId,
  workflowTypes,
} from '../../src/contracts/names.js';
import { searchAttributeKeys } from '../../src/contracts/search-attributes.js';
import { billingPeriodStart } from '../../src/contracts/start-options.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { startWorker } from '../../src/worker/worker.js';
import type { RunningWorker, WorkerConfig } from '../../src/worker/worker.js';
import { bundleFileName } from '../../src/worker/workflow-code.js';
import { createActivityFixture, january, settings } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { eventually, startDevServer, workflowBundle } from '../support/temporal.js';

let env: TestWorkflowEnvironment;
let fixture: ActivityFixture;
let codeFolder: string;
let config: WorkerConfig;
const workers: RunningWorker[] = [];

beforeAll(async () => {
  [env, fixture] = await Promise.all([startDevServer({ searchAttributes: false }), createActivityFixture()]);
  codeFolder = await mkdtemp(join(tmpdir(), 'reckoner-worker-'));
  await copyFile(await workflowBundle(), join(codeFolder, bundleFileName));
  config = {
    ...settings,
    databaseUrl: fixture.url,
    temporal: { address: env.address, namespace: 'default' },
    metrics: null,
    logLevel: 'error',
  };
});
afterAll(async () => {
  await closeWorkers();
  await fixture.close();
  await env.teardown();
  await rm(codeFolder, { recursive: true });
});

async function start(): Promise<RunningWorker> {
  const worker = await startWorker(config, { codeFolder });
  workers.push(worker);
  return worker;
}

async function closeWorkers(): Promise<void> {
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
}

test('a worker registers what it needs, starts relay and sweep, and a second one beside it finds them', async () => {
  await Promise.all([start(), start()]);
  const { customAttributes } = await env.connection.operatorService.listSearchAttributes({ namespace: 'default' });
  expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(searchAttributeKeys.map(({ name }) => name)));
  // What they begin at night is not what the tests below look at.
  const schedules = [periodSweepScheduleId, dailyReconciliationScheduleId, auditAnchorScheduleId];
  for (const id of schedules) await env.client.schedule.getHandle(id).pause();
  const relay = await env.client.workflow.getHandle(usageRelayWorkflowId(allPartitions)).describe();
  expect(relay.status.name).toBe('RUNNING');
  const sweep = await env.client.schedule.getHandle(periodSweepScheduleId).describe();
  const daily = await env.client.schedule.getHandle(dailyReconciliationScheduleId).describe();
  expect(daily).toMatchObject({
    action: {
      workflowType: workflowTypes.reconciliation,
      workflowId: dailyReconciliationWorkflowId,
      args: [{ runId: null }],
    },
    policies: { overlap: 'SKIP' },
    spec: { calendars: [{ hour: [{ start: 3 }], minute: [{ start: 50 }] }] },
  });
  expect(sweep.action).toMatchObject({ workflowType: workflowTypes.periodSweep });
  const anchor = await env.client.schedule.getHandle(auditAnchorScheduleId).describe();
  expect(anchor).toMatchObject({ action: { workflowType: workflowTypes.auditAnchor }, policies: { overlap: 'SKIP' } });
});

test('usage in the ledger reaches its billing period through the relay, and closing makes the invoice', async () => {
  await fixture.addCustomer('acme');
  await fixture.addCalls('acme', 1_234);
  const handle = env.client.workflow.getHandle(billingPeriodWorkflowId('acme', january));
  const view = await eventually(
    () => handle.query(billingPeriodQuery).catch(() => null),
    (answer) => answer?.usage[0]?.events === 1_234,
  );
  expect(view?.openWindows).toHaveLength(21);

  // At once before it is asked for: what follows takes a while, in which a day may end.
  const today = new Date().toISOString().slice(0, 10) as LocalDate;
  await env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
    ...billingPeriodStart('acme', january),
    signal: closeRequestedSignal,
    signalArgs: [{ requestId: 'r', forced: false, reason: null }],
  });
  const invoices = await eventually(
    async () => (await fixture.storage.billing.listInvoices({ customerId: 'acme' }, { limit: 1 })).data,
    ({ length }) => length === 1,
  );
  expect(invoices).toMatchObject([{ total: '118.72' }]);
  const { data: findings } = await fixture.storage.findings.list({ customerId: 'acme' }, { limit: 10 });
  expect(findings).toEqual([]);
  await eventually(
    () => env.client.workflow.getHandle(invoicingWorkflowId(today)).describe(),
    ({ status }) => status.name === 'COMPLETED',
  );
  // The next period has its workflow now, though nothing has been used in it.
  const next = await env.client.workflow
    .getHandle(billingPeriodWorkflowId('acme', '2024-02-01' as LocalDate))
    .describe();
  expect(next.type).toBe(workflowTypes.billingPeriod);
});

test('a worker that is closed hands the relay on: usage goes on reaching its period', async () => {
  await closeWorkers();
  await fixture.addCustomer('later');
  await fixture.addCalls('later', 7);
  await start();
  const handle = env.client.workflow.getHandle(billingPeriodWorkflowId('later', january));
  await eventually(
    () => handle.query(billingPeriodQuery).catch(() => null),
    (answer) => answer?.usage[0]?.events === 7,
  );
  await fixture.addCalls('later', 5, '2024-01-12T00:00:00Z');
  await eventually(
    () => handle.query(billingPeriodQuery),
    ({ usage, appliedThrough }) => usage[0]?.events === 12 && appliedThrough !== null,
  );
  const relay = await env.client.workflow.getHandle(usageRelayWorkflowId(allPartitions)).describe();
  expect(relay.historyLength).toBeLessThan(50);
});

test('a worker that cannot reach its database or bundle says so and leaves nothing open', async () => {
  await expect(
    startWorker({ ...config, temporal: { address: '127.0.0.1:1', namespace: 'default' } }, { codeFolder }),
  ).rejects.toThrow();
  await expect(startWorker(config, { codeFolder: join(codeFolder, 'nowhere') })).rejects.toThrow('npm run build');
});

test('the instant of an event decides its period, not the moment the relay tells of it', async () => {
  if (workers.length === 0) await start();
  await fixture.addCustomer('edge');
  await fixture.addCalls('edge', 1, '2024-01-31T23:59:50Z');
  await fixture.addCalls('edge', 1, '2024-02-01T00:00:00Z');
  for (const [period, from] of [
    ['2024-01-01', '2024-01-31T23:00:00.000000Z'],
    ['2024-02-01', '2024-02-01T00:00:00.000000Z'],
  ] as const) {
    const view = await eventually(
      () =>
        env.client.workflow
          .getHandle(billingPeriodWorkflowId('edge', period as LocalDate))
          .query(billingPeriodQuery)
          .catch(() => null),
      (answer) => answer?.openWindows.length === 1,
    );
    expect(view?.openWindows[0]?.windowStart).toBe(from as Instant);
  }
});
