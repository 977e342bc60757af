/** The steps of a close of many periods. Each is one statement or can be repeated, so a run goes on where it stopped. */
import { Context } from '@temporalio/activity';
import type { Activities, PeriodCloseStepInput } from '../contracts/activities.js';
import type { PeriodCloseProgress } from '../contracts/period-close.js';
import { pause } from '../relay/pause.js';
import type { ActivityDependencies } from './dependencies.js';
import { heartbeating } from './heartbeating.js';
import { lookBackForMeters } from './look-back.js';
import { wakeInvoicing, wakeWaitingInvoicing } from './wake-invoicing.js';

type Steps = Pick<Activities, 'planPeriodClose' | 'handOverPeriods' | 'followPeriodClose'>;

/** How often it is looked whether invoicing has decided (ms): at first, doubled up to the greatest. */
const lookEveryMs = { first: 250, max: 2_000 };

export function periodCloseSteps(dependencies: ActivityDependencies): Steps {
  return {
    planPeriodClose: async ({ closeId }) => {
      const { periodCloses } = dependencies.storage;
      let after = (Context.current().info.heartbeatDetails as string | undefined) ?? '';
      await heartbeating(
        () => after,
        async () => {
          // What was skipped without a meter that is new is with invoicing then, and not left out as empty.
          if (await lookBackForMeters(dependencies)) await wakeWaitingInvoicing(dependencies);
          for (let next: string | null = after; next !== null;) {
            after = next;
            ({ next } = await periodCloses.createMissing(closeId, after));
          }
          await periodCloses.plan(closeId);
        },
      );
      return periodCloses.progress(closeId);
    },
    handOverPeriods: async (input) => {
      const { periodCloses } = dependencies.storage;
      await periodCloses.handOver(input.closeId, input.limit);
      const progress = await periodCloses.progress(input.closeId);
      if (progress.remaining > 0) await wake(dependencies, input);
      const { cancelled, planned, requested, left } = progress;
      return { progress, more: !cancelled && requested + left < planned };
    },
    followPeriodClose: async ({ forMs, ...input }) => follow(dependencies, input, forMs),
  };
}

/** One signal a chunk. */
function wake(dependencies: ActivityDependencies, { closeId, billingDay }: PeriodCloseStepInput): Promise<void> {
  return wakeInvoicing(dependencies, billingDay, { customerId: `period-close/${closeId}`, period: billingDay });
}

/** Until invoicing has decided everything that was handed over, or the time is up. */
async function follow(
  dependencies: ActivityDependencies,
  input: PeriodCloseStepInput,
  forMs: number,
): Promise<PeriodCloseProgress> {
  const { periodCloses } = dependencies.storage;
  const { cancellationSignal } = Context.current();
  const deadline = performance.now() + forMs;
  let progress = await periodCloses.progress(input.closeId);
  // Should somebody have terminated it, nobody else would issue what is pending.
  if (isUnderWay(progress)) await wake(dependencies, input);
  await heartbeating(
    () => progress,
    async () => {
      let wait = lookEveryMs.first;
      while (isUnderWay(progress) && performance.now() < deadline && !cancellationSignal.aborted) {
        await pause(wait, cancellationSignal);
        wait = Math.min(wait * 2, lookEveryMs.max);
        progress = await periodCloses.progress(input.closeId);
      }
    },
  );
  return progress;
}

/** Handed over and not decided. */
function isUnderWay({ requested, issued, held, skipped, alreadyInvoiced }: PeriodCloseProgress): boolean {
  return requested > issued + held + skipped + alreadyInvoiced;
}
