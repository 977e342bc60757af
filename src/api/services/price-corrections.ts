/** A version that supersedes another one: what it touches, and the re-rating that would settle it. Nothing changes by itself. */
import { offeredScopes } from '../../domain/correction/offered-scopes.js';
import { DomainFailure } from '../../domain/failure.js';
import type { PriceBookContent } from '../../domain/rating/parse-price-book.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';
import type { Interval } from '../../domain/values.js';
import type { PeriodKeyOf, Storage } from '../../storage/types.js';

/** Periods that one answer names; there may be as many as invoices. */
const periodsShown = 100;
/** Periods that the finding names. */
const named = 3;

/** The body of a `POST /re-ratings`, as it is to be sent. */
export interface OfferedReRating {
  readonly reason: 'price_correction';
  readonly scope: { readonly customer_ids: readonly string[]; readonly from: string; readonly to: string };
  /** Left out: by what is known now. */
  readonly price_book?: { readonly code: string; readonly version: string };
}

export interface ReRatingOffer {
  /** Issued periods that the superseded version prices. */
  readonly periods: number;
  /** The first of them. */
  readonly examples: readonly PeriodKeyOf[];
  /** All together they meet these periods and no other. */
  readonly reRatings: readonly OfferedReRating[];
}

/** Takes `"supersedes"` out of a body of `POST /price-books`; the rest is read by the domain. */
export function withoutSupersedes(body: unknown): { readonly content: unknown; readonly supersedes: string | null } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return { content: body, supersedes: null };
  const { supersedes = null, ...content } = body as Readonly<Record<string, unknown>>;
  if (supersedes === null) return { content, supersedes };
  if (typeof supersedes === 'string' && supersedes !== '') return { content, supersedes };
  throw new DomainFailure(
    'VALIDATION_FAILED',
    '"supersedes" is the name of a version of the price book.',
    '/supersedes',
  );
}

/**
 * The version that the new one corrects.
 * @throws DomainFailure UNKNOWN_PRICE_BOOK, VALIDATION_FAILED when it does not begin when the superseded one does
 */
export function supersededBy(
  content: PriceBookContent,
  supersedes: string,
  versions: readonly PriceBookVersion[],
): PriceBookVersion {
  const found = versions.find(({ version }) => version === supersedes);
  if (found === undefined || content.version === supersedes) {
    const detail =
      found === undefined
        ? `The price book "${content.code}" has no version "${supersedes}".`
        : 'A version does not supersede itself: give the correction a version of its own.';
    throw new DomainFailure('UNKNOWN_PRICE_BOOK', detail, '/supersedes');
  }
  if (found.effectiveFrom === content.effectiveFrom) return found;
  const detail = `A correction begins when the version that it supersedes does: "${supersedes}" begins at ${found.effectiveFrom}.`;
  throw new DomainFailure('VALIDATION_FAILED', detail, '/effective_from');
}

/** Looks which issued periods the superseded version prices, and leaves a finding that offers to correct them. */
export async function offerReRating(
  { reRatings, findings }: Pick<Storage, 'reRatings' | 'findings'>,
  version: PriceBookVersion,
  superseded: PriceBookVersion,
): Promise<ReRatingOffer> {
  const pinned = await reRatings.pinnedTo(superseded.priceBookId);
  const periods = pinned.filter(({ from }) => version.effectiveUntil === null || from < version.effectiveUntil);
  const { code } = version;
  const offer = {
    periods: periods.length,
    examples: examplesOf(periods),
    reRatings: reRatingsTo(version, periods),
  };
  if (offer.periods > 0) {
    await findings.store({
      code: 'PRICE_CORRECTION_OFFERED',
      customerId: null,
      period: null,
      subject: { price_book: code, version: version.version, supersedes: superseded.version },
      detail: detailOf(version, superseded, offer),
    });
  }
  return offer;
}

export function examplesOf(periods: readonly PeriodKeyOf[]): readonly PeriodKeyOf[] {
  return periods.slice(0, periodsShown).map(({ customerId, period }) => ({ customerId, period }));
}

/** That all together meet exactly these periods, by that version; null: by what is known now. */
export function reRatingsTo(
  priceBook: Pick<PriceBookVersion, 'code' | 'version'> | null,
  periods: readonly (PeriodKeyOf & Interval)[],
): readonly OfferedReRating[] {
  return offeredScopes(periods).map(({ customerIds, from, to }) => ({
    reason: 'price_correction',
    scope: { customer_ids: customerIds, from, to },
    ...(priceBook !== null && { price_book: { code: priceBook.code, version: priceBook.version } }),
  }));
}

export function toApiOffer({ periods, examples, reRatings }: ReRatingOffer): object {
  return {
    periods,
    examples: examples.map(({ customerId, period }) => ({ customer_id: customerId, period })),
    re_ratings: reRatings,
  };
}

function detailOf(
  version: PriceBookVersion,
  superseded: PriceBookVersion,
  { periods, examples, reRatings }: ReRatingOffer,
): string {
  const some = examples.slice(0, named).map(({ customerId, period }) => `"${customerId}" ${period}`);
  const [first] = reRatings;
  return (
    `Version "${version.version}" of the price book "${version.code}" supersedes "${superseded.version}", which prices ` +
    `${periods} issued period${periods === 1 ? '' : 's'}: ${some.join(', ')}${periods > named ? ' and others' : ''}. ` +
    `They stay as they are until they are re-rated: POST /re-ratings ${JSON.stringify(first)}` +
    (reRatings.length > 1
      ? `, and ${reRatings.length - 1} more; sending the version again answers with all of them.`
      : '.')
  );
}
