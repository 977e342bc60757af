/** A candidate that was taken back: what was issued under it, and the re-ratings that would undo it. Nothing changes by itself. */
import { startOfLocalDay } from '../../calendar/time-zones.js';
import { membershipsOfAll } from '../../billing/price-rollouts.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';
import { versionInForce } from '../../domain/rating/segments.js';
import { isLocalDate } from '../../domain/time/effective-from.js';
import { orderOf } from '../../domain/rollout/transitions.js';
import type { Instant, LocalDate } from '../../domain/values.js';
import type { PinnedPeriod, Storage, StoredRollout } from '../../storage/types.js';
import { examplesOf, reRatingsTo } from './price-corrections.js';
import type { ReRatingOffer } from './price-corrections.js';

type OfferStorage = Pick<Storage, 'reference' | 'rollouts' | 'reRatings' | 'findings'>;

/** Periods that the finding names. */
const named = 3;

/**
 * Issued periods that the candidate prices and that end after the rollback's date, each with a re-rating to the version that
 * would hold without it. In those before that date the candidate goes on holding (RULES 41).
 */
export async function rollbackOffer(storage: OfferStorage, rollout: StoredRollout): Promise<ReRatingOffer> {
  const { reference, reRatings } = storage;
  const [all, pinned] = await Promise.all([
    reference.priceBookVersions(rollout.code),
    reRatings.pinnedTo(rollout.priceBookId),
  ]);
  const periods = pinned.filter((period) => isTakenBack(period, rollout));
  const versions = all.filter(({ priceBookId }) => priceBookId !== rollout.priceBookId);
  const dates = {
    startOfDay: (day: LocalDate): Instant => startOfLocalDay(day, 'UTC'),
    memberships: await membershipsOfAll(storage, versions),
  };
  const begins = orderOf(rollout.stages[0]?.effectiveFrom ?? ('' as Instant));
  const byVersion = new Map<PriceBookVersion, PinnedPeriod[]>();
  for (const period of periods) {
    // No version begins between the first stage and the rollout's end, so this one holds wherever the candidate did.
    const at = begins > period.from && begins < period.to ? (begins as Instant) : period.from;
    const before = versionInForce(versions, at, dates);
    if (before === null) continue;
    byVersion.set(before, [...(byVersion.get(before) ?? []), period]);
  }
  return {
    periods: periods.length,
    examples: examplesOf(periods),
    reRatings: [...byVersion].flatMap(([version, own]) => reRatingsTo(version, own)),
  };
}

function isTakenBack({ to, timeZone }: PinnedPeriod, { stages }: StoredRollout): boolean {
  const from = stages.find(({ kind }) => kind === 'rollback')?.effectiveFrom;
  if (from === undefined) return false;
  return to > (isLocalDate(from) ? startOfLocalDay(from, timeZone) : from);
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
      (more > 0 ? `, and ${more} more, which GET /price-rollouts/${rolloutId} lists.` : '.'),
  });
}
