import { leavesLevel } from '../billing/closing-level.js';
import { recogniseRevenue } from '../billing/recognise-revenue.js';
import { Context } from '@temporalio/activity';
import type { SweepOutput } from '../contracts/activities.js';
import { workflowTypes } from '../contracts/names.js';
import { billingPeriodStart, reRatingStart } from '../contracts/start-options.js';
import { hasEnded, reRatingStatuses } from '../domain/correction/reasons.js';
import { inParallel } from '../relay/in-parallel.js';
import { everyPage } from '../storage/every-page.js';
import { automaticActor } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { endCredits } from './end-credits.js';
import { sweepReceivables } from './sweep-receivables.js';
import { heartbeating } from './heartbeating.js';
import { lookBackForMeters } from './look-back.js';
import { noteMovedBoundaries } from './moved-boundaries.js';
import { periodOf } from './period-facts.js';
import { startLatePeriods } from './later-periods.js';
import { rateAgain } from './rate-provisionally.js';
import { reportTaxAgain } from './report-taxes.js';
import { wakeWaitingInvoicing } from './wake-invoicing.js';

const pageSize = 200;
const startsInFlight = 8;

interface Progress {
  readonly cursor: string | null;
  readonly started: number;
}

/**
 * Starts the workflow of every unfinished period and re-rating, and of invoiced and skipped periods with facts since that nobody
 * looks at; one that runs already is left alone. Asks again about skipped periods that a new meter may count. Then ends the credits that
 * nothing can draw any more: by now every period that could is stored. Then recognises deferred revenue, and takes what snapshots of
 * closed months are missing. Resumes at the page it was on.
 */
export function sweepPeriods(dependencies: ActivityDependencies) {
  const { storage, client, now } = dependencies;
  return async (): Promise<SweepOutput> => {
    const context = Context.current();
    let progress = (context.info.heartbeatDetails as Progress | undefined) ?? { cursor: null, started: 0 };
    let reRatings = 0;
    let late = 0;
    await heartbeating(
      () => progress,
      async () => {
        do {
          const { cursor, started } = progress;
          const page = await storage.periods.unfinishedPeriods(now(), {
            limit: pageSize,
            leavesLevel: (period) => leavesLevel(storage, period),
            ...(cursor !== null && { cursor }),
          });
          await inParallel(page.data, startsInFlight, async ({ customerId, period }) => {
            await client.workflow.start(workflowTypes.billingPeriod, billingPeriodStart(customerId, period));
          });
          progress = { cursor: page.nextCursor, started: started + page.data.length };
          context.heartbeat(progress);
        } while (progress.cursor !== null);
        reRatings = await startReRatings(dependencies);
        late = await startLatePeriods(dependencies, pageSize);
        await noteMovedBoundaries(dependencies);
        await endCredits(dependencies);
        await recogniseRevenue(storage, now());
        await storage.journal.takeMonthSnapshots(automaticActor);
        await sweepReceivables(dependencies);
        // Drafts whose grace has passed and that nobody has asked about; the run that is woken looks for further ones itself.
        await storage.drafts.requestDue(now(), pageSize);
        await lookBackForMeters(dependencies);
        await wakeWaitingInvoicing(dependencies);
        await rateFallbacksAgain(dependencies);
        await reportTaxAgain(dependencies);
      },
    );
    return { started: progress.started + reRatings + late };
  };
}

/** Periods whose provisional charges stand on prices that were not those of then (RULES 43): the next close may be far. */
async function rateFallbacksAgain(dependencies: ActivityDependencies): Promise<void> {
  const { priceFallbacks } = dependencies.storage;
  for (let page = await priceFallbacks.unchecked({}, 1); page[0] !== undefined;) {
    await rateAgain(dependencies, await periodOf(dependencies.storage, page[0]));
    page = await priceFallbacks.unchecked({}, 1);
  }
}

/** Those that were stored while Temporal was away, and those whose workflow was terminated. */
async function startReRatings({ storage, client }: ActivityDependencies): Promise<number> {
  let started = 0;
  for (const status of reRatingStatuses.filter((candidate) => !hasEnded(candidate))) {
    for await (const page of everyPage((request) => storage.reRatings.list({ status }, request), pageSize)) {
      await inParallel(page, startsInFlight, async (reRating) => {
        await client.workflow.start(workflowTypes.reRating, reRatingStart(reRating, null, reRating.reason));
      });
      started += page.length;
    }
  }
  return started;
}
