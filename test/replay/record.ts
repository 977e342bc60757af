/**
 * `npx tsx test/replay/record.ts [workflow…]`: records the histories that replay.test.ts replays, from a dev server with the real
 * workflows and in-memory activities. Run it before a workflow changes, keep the old files as long as such runs may still
 * be open, and never edit one by hand: a history without the SDK's own flags replays anything.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import type { WorkflowHandleWithSignaledRunId } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import worker from '@temporalio/worker/package.json' with { type: 'json' };
import {
  billingPeriodQuery,
  closeRequestedSignal,
  openWindowsMax,
  usageRecordedSignal,
} from '../../src/contracts/billing-period.js';
import type { UsageRecorded } from '../../src/contracts/billing-period.js';
import { readySignal } from '../../src/contracts/invoicing.js';
import {
  auditAnchorWorkflowId,
  dailyReconciliationWorkflowId,
  periodSweepWorkflowId,
  reRatingWorkflowId,
  taskQueue,
  workflowTypes,
} from '../../src/contracts/names.js';
import {
  billingPeriodStart,
  invoicingStart,
  priceEvaluationStart,
  reconciliationStart,
  reRatingStart,
  usageRelayStart,
} from '../../src/contracts/start-options.js';
import { addMs, msPerHour, msToInstant } from '../../src/domain/time/instant.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { eventually, startDevServer, withWorker } from '../support/temporal.js';
import { anchored } from '../workflows/fake-anchor.js';
import { FakeEvaluation, periods as periodsToEvaluate } from '../workflows/fake-evaluation.js';
import { FakeInvoicing } from '../workflows/fake-invoicing.js';
import { FakePeriod } from '../workflows/fake-period.js';
import { FakeReconciliation, periods as periodsToReconcile } from '../workflows/fake-reconciliation.js';
import { FakeReRating } from '../workflows/fake-re-rating.js';
import { historiesOf } from '../workflows/history.js';
import type { History } from '../workflows/history.js';
import { chunksContinued } from './record-period-close.js';

const folder = join(process.cwd(), 'test', 'replay', 'histories');
const from = '2024-01-01T00:00:00.000000Z' as Instant;
const to = '2024-02-01T00:00:00.000000Z' as Instant;
/** A past period whose waits are short enough to be recorded in real time. */
const quick = { invoiceDelayMs: 200, lateUsageQuietMs: 300, ratingCadenceMs: 0, allowedLatenessMs: { calls: 300 } };

const at = (hours: number): Instant => addMs(from, hours * msPerHour);
const event = (hours: number) => ({ meter: 'calls', at: at(hours) });

let env: TestWorkflowEnvironment;

/** Periods of different scenarios differ in nothing but their first day, so that their workflow ids do. */
let periods = 0;
function quickPeriod(): FakePeriod {
  periods += 1;
  return new FakePeriod({ from: addMs(from, periods * 24 * msPerHour), to, settings: quick });
}

function tell(fake: FakePeriod, range: UsageRecorded): Promise<WorkflowHandleWithSignaledRunId> {
  const options = billingPeriodStart(fake.customerId, fake.period);
  return env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
    ...options,
    signal: usageRecordedSignal,
    signalArgs: [range],
  });
}

function close(fake: FakePeriod, forced = false): Promise<WorkflowHandleWithSignaledRunId> {
  return env.client.workflow.signalWithStart(workflowTypes.billingPeriod, {
    ...billingPeriodStart(fake.customerId, fake.period),
    signal: closeRequestedSignal,
    signalArgs: [{ requestId: 'recorded', forced, reason: forced ? 'recorded' : null }],
  });
}

type Scenario = () => Promise<readonly History[]>;

async function recorded(
  fake: FakePeriod,
  work: () => Promise<WorkflowHandleWithSignaledRunId>,
): Promise<readonly History[]> {
  return withWorker(env, { activities: fake.activities }, async () => {
    const handle = await work();
    await handle.result();
    return historiesOf(env.client, handle.workflowId, handle.signaledRunId);
  });
}

const billingPeriodScenarios: Record<string, Scenario> = {
  'windows-close': () => {
    const fake = quickPeriod();
    return recorded(fake, async () => {
      const handle = await tell(fake, fake.record(event(30), event(31)));
      await tell(fake, fake.record(event(32)));
      return handle;
    });
  },
  empty: () => {
    const fake = quickPeriod();
    return recorded(fake, async () => {
      const handle = await env.client.workflow.start(
        workflowTypes.billingPeriod,
        billingPeriodStart(fake.customerId, fake.period),
      );
      return Object.assign(handle, { signaledRunId: handle.firstExecutionRunId });
    });
  },
  'earlier-deadline': () => {
    // The timer of the period's end is armed first and gives way to a window's.
    const now = Date.now();
    const fake = new FakePeriod({ from, to: msToInstant(now + 3_000), settings: { ...quick, idleTimeoutMs: 100 } });
    return recorded(fake, async () => {
      const options = billingPeriodStart(fake.customerId, fake.period);
      const handle = await env.client.workflow.start(workflowTypes.billingPeriod, options);
      await eventually(
        () => handle.query(billingPeriodQuery),
        ({ nextDeadline }) => nextDeadline !== null,
      );
      await tell(fake, fake.record({ meter: 'calls', at: msToInstant(now - 2 * msPerHour) }));
      return Object.assign(handle, { signaledRunId: handle.firstExecutionRunId });
    });
  },
  'gap-and-repeat': () => {
    const fake = quickPeriod();
    return recorded(fake, async () => {
      const first = fake.record(event(40));
      fake.record(event(41));
      const handle = await tell(fake, first);
      await tell(fake, fake.record(event(42)));
      await tell(fake, first);
      return handle;
    });
  },
  'many-windows': () => {
    const fake = quickPeriod();
    const hours = Array.from({ length: openWindowsMax + 4 }, (_, index) => event(50 + index));
    return recorded(fake, () => tell(fake, fake.record(...hours)));
  },
  'close-requested': () => {
    const fake = quickPeriod();
    return recorded(fake, async () => {
      await tell(fake, fake.record(event(60)));
      return close(fake, true);
    });
  },
  // Recorded before corrections existed, as billingPeriod.late-usage: kept as the proof that such runs replay.
  'late-correction': () => {
    const fake = quickPeriod();
    fake.record(event(70));
    fake.issue();
    return recorded(fake, async () => {
      const handle = await tell(fake, fake.record(event(71)));
      await tell(fake, fake.record(event(72)));
      return handle;
    });
  },
  'voided-while-late': () => {
    const fake = quickPeriod();
    fake.record(event(77));
    fake.issue();
    return recorded(fake, async () => {
      const handle = await tell(fake, fake.record(event(78)));
      await eventually(
        () => handle.query(billingPeriodQuery),
        ({ stage }) => stage === 'late',
      );
      fake.stage = 'void';
      await close(fake);
      return handle;
    });
  },
  void: () => {
    const fake = quickPeriod();
    fake.record(event(75));
    fake.stage = 'void';
    return recorded(fake, () => tell(fake, fake.record(event(76))));
  },
  'already-invoiced': () => {
    const fake = quickPeriod();
    const range = fake.record(event(80));
    fake.issue();
    return recorded(fake, () => tell(fake, range));
  },
  'late-while-handing-over': () => {
    const fake = quickPeriod();
    fake.meanwhile = async (activity) => {
      if (activity !== 'requestInvoicing') return;
      fake.meanwhile = () => Promise.resolve();
      await tell(fake, fake.record(event(91)));
    };
    return recorded(fake, async () => {
      await tell(fake, fake.record(event(90)));
      return close(fake);
    });
  },
  'requested-then-held': () => {
    const fake = quickPeriod();
    fake.record(event(100));
    fake.stage = 'requested';
    fake.meanwhile = (activity) => {
      if (activity === 'readPeriod') fake.stage = 'metering';
      return Promise.resolve();
    };
    return recorded(fake, () => tell(fake, fake.record(event(101))));
  },
  'held-by-backfill': () => {
    const fake = quickPeriod();
    // Opened when the period had been read, ended when it has been found held.
    fake.meanwhile = (activity) => {
      if (activity === 'closeWindows') {
        fake.held = true;
        fake.meanwhile = () => Promise.resolve();
      }
      return Promise.resolve();
    };
    return recorded(fake, async () => {
      const handle = await tell(fake, fake.record(event(105)));
      await eventually(
        () => Promise.resolve(fake.calls.readPeriod),
        (reads) => reads >= 2,
      );
      fake.held = false;
      await tell(fake, { ...fake.record(event(106)), sums: null });
      return handle;
    });
  },
  'continue-as-new': () => {
    const fake = quickPeriod();
    return recorded(fake, async () => {
      const handle = await tell(fake, fake.record(event(110)));
      for (let index = 0; index < 12; index += 1) {
        const range = fake.record(event(111 + index));
        await tell(fake, range);
        await eventually(
          () => env.client.workflow.getHandle(handle.workflowId).query(billingPeriodQuery),
          ({ appliedThrough }) => appliedThrough === range.to,
        );
      }
      return handle;
    });
  },
};

let reRatings = 0;
function reRated(fake: FakeReRating): Promise<readonly History[]> {
  return withWorker(env, { activities: fake.activities }, async () => {
    const reRatingId = `recorded-${(reRatings += 1)}`;
    const about = { customerId: 'c1', period: '2024-01-01' as LocalDate };
    const handle = await env.client.workflow.start(
      workflowTypes.reRating,
      reRatingStart({ reRatingId, workflowId: reRatingWorkflowId(reRatingId) }, about, 'manual'),
    );
    await handle.result();
    return historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
  });
}

const reRatingScenarios: Record<string, Scenario> = {
  correction: () => reRated(new FakeReRating([{ differs: [true] }])),
  'moved-and-approved-twice': () => {
    const fake = new FakeReRating([{ differs: [true, true], movesOnce: true }, { differs: [true] }]);
    fake.needsApproval = [1, 2];
    fake.decisions.set(1, 'approved').set(2, 'approved');
    return reRated(fake);
  },
  rejected: () => {
    const fake = new FakeReRating([{ differs: [true] }]);
    fake.needsApproval = [1];
    fake.decisions.set(1, 'rejected');
    return reRated(fake);
  },
  'dry-run': () => {
    const fake = new FakeReRating([{ differs: [true] }]);
    fake.dryRun = true;
    return reRated(fake);
  },
};

const ids = { auditAnchor: auditAnchorWorkflowId, periodSweep: periodSweepWorkflowId };
function ofOneActivity(type: keyof typeof ids, activities: object): Promise<readonly History[]> {
  return withWorker(env, { activities }, async () => {
    const handle = await env.client.workflow.start(workflowTypes[type], { workflowId: ids[type], taskQueue });
    await handle.result();
    return historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
  });
}

const otherScenarios: Record<string, Record<string, Scenario>> = {
  reRating: reRatingScenarios,
  reconciliation: {
    'chunks-and-differences': () => {
      const fake = new FakeReconciliation();
      fake.pending = periodsToReconcile(205, 2);
      return withWorker(env, { activities: fake.activities }, async () => {
        const handle = await env.client.workflow.start(workflowTypes.reconciliation, reconciliationStart('recorded'));
        await handle.result();
        return historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
      });
    },
    'daily-continued': () => {
      const fake = new FakeReconciliation();
      fake.pending = periodsToReconcile(2_600);
      return withWorker(env, { activities: fake.activities }, async () => {
        const handle = await env.client.workflow.start(workflowTypes.reconciliation, {
          workflowId: dailyReconciliationWorkflowId,
          taskQueue,
          args: [{ runId: null }],
        });
        await handle.result();
        return historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
      });
    },
  },
  priceEvaluation: {
    'chunks-continued': () => {
      const fake = new FakeEvaluation();
      fake.pending = periodsToEvaluate(2_600, 2);
      return withWorker(env, { activities: fake.activities }, async () => {
        const handle = await env.client.workflow.start(workflowTypes.priceEvaluation, priceEvaluationStart('recorded'));
        await handle.result();
        return historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
      });
    },
  },
  periodClose: { 'chunks-continued': () => chunksContinued(env) },
  invoicing: {
    'chunks-and-held': () => {
      const fake = new FakeInvoicing();
      fake.pending = Array.from({ length: 205 }, (_, index) => ({
        customerId: `c${index}`,
        outcome: index === 3 ? 'held' : 'issued',
      }));
      return withWorker(env, { activities: fake.activities }, async () => {
        const handle = await env.client.workflow.signalWithStart(workflowTypes.invoicing, {
          ...invoicingStart('2024-02-01' as LocalDate),
          signal: readySignal,
          signalArgs: [{ customerId: 'c0', period: '2024-01-01' as LocalDate }],
        });
        await handle.result();
        return historiesOf(env.client, handle.workflowId, handle.signaledRunId);
      });
    },
  },
  usageRelay: {
    'day-over': () => {
      const days = [Promise.resolve()];
      const runRelay = () => days.pop() ?? Context.current().cancelled;
      return withWorker(env, { activities: { runRelay } }, async () => {
        const handle = await env.client.workflow.start(
          workflowTypes.usageRelay,
          usageRelayStart({ group: 'recorded', heartbeatTimeoutMs: 1_000 }),
        );
        const histories = await eventually(
          () => historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId),
          ({ length }) => length === 2,
        );
        await env.client.workflow.getHandle(handle.workflowId).terminate();
        return histories.slice(0, 1);
      });
    },
  },
  auditAnchor: { run: () => ofOneActivity('auditAnchor', { anchorAudit: () => Promise.resolve(anchored) }) },
  periodSweep: { run: () => ofOneActivity('periodSweep', { sweepPeriods: () => Promise.resolve({ started: 2 }) }) },
};

async function record(): Promise<void> {
  await mkdir(folder, { recursive: true });
  const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  env = await startDevServer({ suggestContinueAsNewAt: 40, identity: 'recorder' });
  try {
    for (const [workflow, scenarios] of Object.entries({ billingPeriod: billingPeriodScenarios, ...otherScenarios })) {
      if (asked.length > 0 && !asked.includes(workflow)) continue;
      for (const [name, scenario] of Object.entries(scenarios)) {
        const histories = await scenario();
        for (const [index, history] of histories.entries()) {
          const run = histories.length === 1 ? name : `${name}-run-${index + 1}`;
          const file = join(folder, `${workflow}.${run}.${worker.version}.json`);
          const isKept = existsSync(file) && !process.argv.includes('--replace');
          if (!isKept) await writeFile(file, `${historyToJSON(history)}\n`);
          console.log(`${isKept ? 'kept    ' : 'recorded'} ${workflow}.${run}: ${history.events?.length ?? 0} events`);
        }
      }
    }
  } finally {
    await env.teardown();
  }
}

void record();
