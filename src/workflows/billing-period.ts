import { patched, setHandler } from '@temporalio/workflow';
import { billingPeriodQuery, closeRequestedSignal, usageRecordedSignal } from '../contracts/billing-period.js';
import type { BillingPeriodInput, BillingPeriodOutcome } from '../contracts/billing-period.js';
import { instantToMs } from '../domain/time/instant.js';
import { tricklesOn, waitingOn } from './billing-period/accumulation.js';
import { dueWindows, lateUsageDueAt, manyWindowsDueAt, readyAt, wakeUpAt } from './billing-period/deadlines.js';
import { PeriodRun } from './billing-period/period-run.js';

/** Before it, late usage was only noted; `test/replay/histories/billingPeriod.late-usage…` is such a run. */
const correctsLateUsage = 'correct-late-usage';
/** Before it, a request to close that came while late usage was gathered was passed over, though the invoice had been voided. */
const closesWhileLate = 'close-while-late';

/** Before it, usage that kept coming past kept its windows and its period open for ever (RULES 63). */
const waitsADayForTrickles = 'wait-a-day-for-trickles';

/** How long a run waits for invoicing's decision before it reads again; doubled each time. */
const decisionWaitMs = { first: 5_000, max: 3_600_000 };

/**
 * One customer's billing period: accumulates what the relay signals, closes windows when they are due, hands the period
 * to invoicing when it is over. A fact that comes later starts it again; then it reads where the period is and goes on
 * from there, so that a run never depends on what an earlier one remembered (DESIGN 6).
 */
export async function billingPeriod(input: BillingPeriodInput): Promise<BillingPeriodOutcome> {
  const run = new PeriodRun(input);
  // State is restored, nothing is awaited yet: signals delivered with the start find their handlers. Handlers enqueue.
  setHandler(usageRecordedSignal, (range) => run.receive({ kind: 'usage', range }), {
    description: 'A range of the usage ledger with its sums, from the relay',
  });
  setHandler(closeRequestedSignal, (request) => run.receive({ kind: 'close', request }), {
    description: 'Close all windows now and hand the period to invoicing',
  });
  setHandler(billingPeriodQuery, () => run.view(), {
    description: 'Stage, open windows, next deadline and usage told by signals',
  });

  let decisionWait = decisionWaitMs.first;
  for (;;) {
    const { stage } = await run.read();
    if (stage === 'requested') {
      await run.pause(decisionWait, 'Wait for the decision of invoicing');
      decisionWait = Math.min(decisionWait * 2, decisionWaitMs.max);
      await run.continueAsNewWhenLong();
      continue;
    }
    // Nobody replaces a voided invoice by accident: facts alone do not, a request to close does.
    if (stage === 'void' && run.state.closeRequest === null) {
      run.enter('void');
      if (run.isInboxEmpty) return { outcome: 'void' };
      continue;
    }
    const outcome = stage === 'invoiced' ? await afterInvoice(run) : await meterUntilReady(run);
    // A message that came during the last step must not be lost: begin again, by reading.
    if (outcome !== null && run.isInboxEmpty) return { outcome };
  }
}

/** The regular course. Null: it is time to read again; the period may be invoiced or requested already, or held by a backfill. */
async function meterUntilReady(run: PeriodRun): Promise<'handed_over' | null> {
  for (;;) {
    run.applyInbox();
    if (run.state.lookInLedger) {
      const { stage } = await run.read();
      if (stage !== 'metering' && stage !== 'void') return null;
      continue;
    }
    const nowMs = Date.now();
    const { to, settings } = run.reading;
    // Asked only where it makes a difference: what came past in recorded runs was waited for as long as it came.
    if (tricklesOn(run.state, to) && !patched(waitsADayForTrickles)) run.state = waitingOn(run.state);
    const { lookAgainMs } = run;
    if (lookAgainMs !== null && lookAgainMs <= nowMs) return null;
    if (run.state.closeRequest !== null) {
      await run.closeWindows('all');
      return (await run.requestInvoicing()) ? 'handed_over' : null;
    }
    if (dueWindows(run.state, { settings, nowMs }).length > 0) {
      await run.closeWindows('listed');
      continue;
    }
    const manyDueAt = manyWindowsDueAt(run.state, settings);
    if (manyDueAt !== null && manyDueAt <= nowMs) {
      await run.closeWindows('due');
      continue;
    }
    const ready = lookAgainMs === null ? readyAt(run.state, { to, settings }) : null;
    if (ready !== null && ready <= nowMs) {
      if (run.hasOpenWindows) await run.closeWindows('all');
      return (await run.requestInvoicing()) ? 'handed_over' : null;
    }

    run.enter(nowMs < instantToMs(to) ? 'open' : 'closing');
    await run.continueAsNewWhenLong();
    if (run.isInboxEmpty)
      await run.waitUntil(wakeUpAt(run.state, { to, settings, lookAgainMs }), 'Next window or end of the period');
  }
}

/**
 * The invoice is issued. Facts beyond the cutoff of the last rating are gathered for the customer's quiet time; then a
 * re-rating corrects them, all together. Null: the invoice was voided meanwhile.
 */
async function afterInvoice(
  run: PeriodRun,
): Promise<'already_invoiced' | 'late_usage_noted' | 'correction_started' | null> {
  if (run.reading.veryLateFacts === 0) {
    run.enter('invoiced');
    return 'already_invoiced';
  }
  const { settings } = run.reading;
  const nowMs = Date.now();
  let late = run.state.lateUsage ?? { firstMs: nowMs, lastMs: nowMs };
  for (;;) {
    if (run.applyInbox()) late = { ...late, lastMs: Date.now() };
    if (run.state.closeRequest !== null && patched(closesWhileLate)) {
      // Only a void makes sense of it, and only a reading tells of one.
      const { stage } = await run.read();
      if (stage !== 'invoiced') return null;
    }
    run.state = { ...run.state, lateUsage: late, closeRequest: null };
    run.enter('late');
    const dueAt = lateUsageDueAt(late, settings);
    if (dueAt <= Date.now()) {
      if (patched(correctsLateUsage)) return run.startCorrection();
      await run.noteLateUsage();
      return 'late_usage_noted';
    }
    await run.continueAsNewWhenLong();
    if (run.isInboxEmpty) await run.waitUntil(dueAt, 'Gather late usage');
  }
}
