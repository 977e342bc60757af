import { continueAsNew, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import { periodCloseProgressQuery } from '../contracts/period-close.js';
import type { PeriodCloseInput, PeriodCloseProgress } from '../contracts/period-close.js';
import { chunkActivities } from './activity-proxies.js';

/** Periods handed over by an activity: a statement each, so that 10,000 customers take 20 of them. */
const chunkSize = 500;
/** How long an activity waits for invoicing before it tells how far that is; doubled each time. */
const followMs = { first: 5_000, max: 60_000 };

/**
 * Closes the ended periods of many customers: plans them, hands them over to invoicing chunk by chunk, and follows until
 * each is decided. Targets and steps are rows, so whatever stops it, it goes on with what is left; cancelling takes effect
 * between two chunks.
 */
export async function periodClose({
  closeId,
  billingDay,
  progress: before,
}: PeriodCloseInput): Promise<PeriodCloseProgress> {
  let progress = before ?? null;
  setHandler(periodCloseProgressQuery, () => progress, {
    description: 'How many periods are planned, handed over, issued, held, skipped; null: not planned yet',
  });

  let now =
    before ??
    (await chunkActivities.planPeriodClose.executeWithOptions({ summary: 'Plan which periods are closed' }, [
      { closeId },
    ]));
  const show = (): void => {
    progress = now;
    setCurrentDetails(markdownOf(closeId, now));
  };
  show();
  for (let more = now.requested + now.left < now.planned && !now.cancelled; more;) {
    const chunk = await chunkActivities.handOverPeriods.executeWithOptions(
      { summary: `Hand over up to ${chunkSize} periods, after ${now.requested}` },
      [{ closeId, billingDay, limit: chunkSize }],
    );
    now = chunk.progress;
    show();
    more = chunk.more;
    if (workflowInfo().continueAsNewSuggested)
      await continueAsNew<typeof periodClose>({ closeId, billingDay, progress: now });
  }
  for (let forMs = followMs.first; isUndecided(now); forMs = Math.min(forMs * 2, followMs.max)) {
    now = await chunkActivities.followPeriodClose.executeWithOptions(
      { summary: `Follow invoicing, ${now.remaining} remaining` },
      [{ closeId, billingDay, forMs }],
    );
    show();
    if (workflowInfo().continueAsNewSuggested)
      await continueAsNew<typeof periodClose>({ closeId, billingDay, progress: now });
  }
  return now;
}

/** What was handed over is issued also when the rest was cancelled. */
function isUndecided({ requested, issued, held, skipped, alreadyInvoiced }: PeriodCloseProgress): boolean {
  return requested > issued + held + skipped + alreadyInvoiced;
}

function markdownOf(closeId: string, progress: PeriodCloseProgress): string {
  return [
    `| Period close | \`${closeId}\` |`,
    '| --- | --- |',
    `| Planned | ${progress.planned} |`,
    `| Not ready (\`GET /period-closes/${closeId}/targets\` says why) | ${progress.notReady + progress.left} |`,
    `| Handed over | ${progress.requested} |`,
    `| Issued | ${progress.issued} |`,
    `| Held (findings say why) | ${progress.held} |`,
    `| Skipped (empty) | ${progress.skipped} |`,
    `| Already invoiced | ${progress.alreadyInvoiced} |`,
    `| Remaining | ${progress.remaining}${progress.cancelled ? ' (cancelled)' : ''} |`,
  ].join('\n');
}
