/** A candidate that was taken back: what was issued under it, and the re-ratings that would undo it. Nothing changes by itself. */
import { startOfLocalDay } from '../../calendar/time-zones.js';
import { membershipOf } from '../../domain/rollout/inclusion.js';
import type { PinnedPeriod, Storage, StoredRollout } from '../../storage/types.js';
import { examplesOf, reRatingsTo } from './price-corrections.js';
import type { ReRatingOffer } from './price-corrections.js';

/** Periods that the finding names. */
const named = 3;

/**
 * Issued periods that pin the candidate beyond the rollback's date, in themselves or in a fee in advance. Their re-ratings name no
 * price book: what is known now passes over the candidate from that date on, whatever versions and assignments there are beside it.
 */
export async function rollbackOffer(
  { reRatings }: Pick<Storage, 'reRatings'>,
  rollout: StoredRollout,
): Promise<ReRatingOffer> {
  const pinned = await reRatings.pinnedTo(rollout.priceBookId);
  const periods = pinned.filter((period) => isTakenBack(period, rollout));
  return { periods: periods.length, examples: examplesOf(periods), reRatings: reRatingsTo(null, periods) };
}

/** Before the rollback's date the candidate goes on holding (RULES 41). */
function isTakenBack({ pinnedUntil, timeZone }: PinnedPeriod, rollout: StoredRollout): boolean {
  const { until } = membershipOf(rollout, null, (date) => startOfLocalDay(date, timeZone));
  return until !== null && pinnedUntil > until;
}

/** Leaves a finding that stays until somebody re-rates, or decides not to. Stored once. */
export async function storeOffer(
  { findings }: Pick<Storage, 'findings'>,
  { code, version, rolloutId }: StoredRollout,
  { periods, examples, reRatings }: ReRatingOffer,
): Promise<void> {
  if (periods === 0) return;
  const some = examples.slice(0, named).map(({ customerId, period }) => `"${customerId}" ${period}`);
  const [first] = reRatings;
  const more = reRatings.length - 1;
  await findings.store({
    code: 'PRICE_CORRECTION_OFFERED',
    customerId: null,
    period: null,
    subject: { price_book: code, version, rolled_back: rolloutId },
    detail:
      `Version "${version}" of the price book "${code}" was rolled back; it prices ${periods} issued ` +
      `period${periods === 1 ? '' : 's'}: ${some.join(', ')}${periods > named ? ' and others' : ''}. They stay as they are ` +
      `until they are re-rated: POST /re-ratings ${JSON.stringify(first)}` +
      (more > 0 ? `, and ${more} more, which GET /price-rollouts/${rolloutId} lists.` : '.') +
      ' They go by what is known now, so overrides, versions and assignments that were learned since the invoice are taken along; with "dry_run": true they show what would change.',
  });
}
