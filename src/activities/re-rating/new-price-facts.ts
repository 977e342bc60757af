import { startOfLocalDay } from '../../calendar/time-zones.js';
import { keepsPins } from '../../domain/correction/reasons.js';
import { DomainFailure, invariant } from '../../domain/failure.js';
import { pricesWithNamed, segmentsWithNamed } from '../../domain/rating/named-version.js';
import type { NamingDates } from '../../domain/rating/named-version.js';
import { pinnedPriceFacts, priceFactsOf, segmentsOf, withCurrentRates } from '../../billing/price-facts.js';
import { membershipOf } from '../../domain/rollout/inclusion.js';
import type { Pinned, PriceFacts } from '../../billing/price-facts.js';
import type { BillingPeriod, ReRating, Storage } from '../../storage/types.js';

/**
 * The versions that a re-rating rates a period with (RULES 21): the pins of its last rating for what was learned about usage;
 * otherwise the price book version that it names, or without one what is known now. Limited to some meters it moves
 * their prices only. What the period's documents converted at stays; only for another currency a rate is looked up (RULES 39).
 * @throws DomainFailure PRICE_BOOK_NOT_IN_FORCE when the named version is never valid in the period, and moves no fee in advance
 */
export async function newPriceFacts(
  storage: Storage,
  period: BillingPeriod,
  { reRating, pinned }: { readonly reRating: ReRating; readonly pinned: Pinned },
): Promise<PriceFacts> {
  const before = await pinnedPriceFacts(storage, period, pinned);
  if (keepsPins(reRating.reason)) return withCurrentRates(storage, period, before);
  const after =
    reRating.priceBookId === null
      ? await priceFactsOf(storage, period)
      : await named(storage, period, { before, priceBookId: reRating.priceBookId });
  const { meters } = reRating.scope;
  const moved = meters === null ? after : limitedTo(meters, before, after);
  return withCurrentRates(storage, period, { ...moved, rates: before.rates });
}

async function named(
  { reference, rollouts }: Storage,
  period: BillingPeriod,
  { before, priceBookId }: { readonly before: PriceFacts; readonly priceBookId: string },
): Promise<PriceFacts> {
  const [version] = await reference.priceBooksById([priceBookId]);
  invariant(version !== undefined, 'a re-rating names a price book version that exists');
  const startOfDay = (date: Parameters<typeof startOfLocalDay>[0]) => startOfLocalDay(date, period.timeZone);
  const dates = { startOfDay, rolledBack: await rolledBackAmong(rollouts, before, startOfDay) };
  const prices = pricesWithNamed({ segments: before.segments, next: before.next?.segments ?? null }, version, dates);
  if (prices === null) {
    throw new DomainFailure(
      'PRICE_BOOK_NOT_IN_FORCE',
      `Version ${version.version} of the price book "${version.code}" is not valid at any time in the period ${period.period}.`,
    );
  }
  const own = [...before.meterSegments].map(
    ([meter, pinned]) => [meter, segmentsWithNamed(pinned, version, dates) ?? pinned] as const,
  );
  return {
    ...before,
    segments: prices.segments,
    meterSegments: new Map(own),
    next: before.next === undefined || prices.next === null ? before.next : { ...before.next, segments: prices.next },
  };
}

/** Candidates that the period was rated with and that were taken back since, and from when on. */
async function rolledBackAmong(
  rollouts: Storage['rollouts'],
  { segments, meterSegments, next }: PriceFacts,
  startOfDay: NamingDates['startOfDay'],
): Promise<NamingDates['rolledBack']> {
  const books = [segments, next?.segments ?? [], ...meterSegments.values()].flat().map(({ priceBook }) => priceBook);
  const candidates = books.flatMap((book) => (book?.isCandidate === true ? [book.priceBookId] : []));
  if (candidates.length === 0) return new Map();
  const found = await rollouts.ofCandidates([...new Set(candidates)]);
  return new Map(
    found.flatMap((rollout) => {
      const { until } = membershipOf(rollout, null, startOfDay);
      return until === null ? [] : [[rollout.priceBookId, until] as const];
    }),
  );
}

function limitedTo(codes: readonly string[], before: PriceFacts, after: PriceFacts): PriceFacts {
  const moved = codes.map((code) => [code, segmentsOf(after, code)] as const);
  return { ...before, meterSegments: new Map([...before.meterSegments, ...moved]) };
}
