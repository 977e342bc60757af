/** GET /re-ratings/{id}: what a comparison found, and what came of it. */
import { formatAmount } from '../../domain/money/rounding.js';
import type { Comparison, Page, PageRequest, ReRating, ReRatingDecision, Storage } from '../../storage/types.js';
import { toApiDecision, toApiDifferences, toApiReRating } from '../wire/corrections-to-api.js';

type ViewStorage = Pick<Storage, 'reference' | 'reRatings'>;

/** Entries of each list that one answer shows. */
const shownMax = 1_000;
const comparisonsAtOnce = 500;

/** Of a page: price books are asked for once. */
export async function summariesOf(storage: ViewStorage, page: Page<ReRating>): Promise<object> {
  const ids = new Set(page.data.flatMap(({ priceBookId }) => priceBookId ?? []));
  const books = ids.size === 0 ? [] : await storage.reference.priceBooksById([...ids]);
  const byId = new Map(books.map((book) => [book.priceBookId, book]));
  return {
    data: page.data.map((each) => toApiReRating(each, byId.get(each.priceBookId ?? '') ?? null)),
    next_cursor: page.nextCursor,
  };
}

export async function viewOf(storage: ViewStorage, reRating: ReRating): Promise<object> {
  const { reRatingId, priceBookId } = reRating;
  const [books, outcomes, decisions, found] = await Promise.all([
    priceBookId === null ? [] : storage.reference.priceBooksById([priceBookId]),
    storage.reRatings.outcomes(reRatingId),
    decisionsOf(storage, reRating),
    comparisonsOf(storage, reRatingId),
  ]);
  const needApproval = found.shown.filter(({ needsApproval }) => needsApproval);
  const held = found.shown.filter(({ result }) => result === 'held');
  return {
    ...toApiReRating(reRating, books[0] ?? null),
    differences: found.differences.slice(0, shownMax),
    differences_truncated: found.differences.length > shownMax || found.more,
    needs_approval: needApproval.slice(0, shownMax).map(({ customerId, period, difference, currency }) => ({
      customer_id: customerId,
      period,
      difference: formatAmount(difference, currency),
      currency,
    })),
    corrections: outcomes.flatMap(({ invoiceId }) => invoiceId ?? []),
    held: held
      .slice(0, shownMax)
      .map(({ customerId, period, detail }) => ({ customer_id: customerId, period, detail })),
    decisions: decisions.map(toApiDecision),
  };
}

/** `limit` counts periods; a period's lines are never torn apart. */
export async function differencesOf(storage: ViewStorage, reRatingId: string, page: PageRequest): Promise<object> {
  const { data, nextCursor } = await storage.reRatings.comparisons(reRatingId, page);
  return { data: data.flatMap(toApiDifferences), next_cursor: nextCursor };
}

async function decisionsOf({ reRatings }: ViewStorage, reRating: ReRating): Promise<readonly ReRatingDecision[]> {
  const decisions: ReRatingDecision[] = [];
  for (let attempt = 1; attempt <= reRating.attempt; attempt += 1) {
    const decision = await reRatings.decision(reRating.reRatingId, attempt);
    if (decision !== null) decisions.push(decision);
  }
  return decisions;
}

interface Found {
  readonly differences: readonly object[];
  /** Comparisons that say more than that nothing changed. */
  readonly shown: readonly Comparison[];
  readonly more: boolean;
}

/** Reads until one answer is full. */
async function comparisonsOf({ reRatings }: ViewStorage, reRatingId: string): Promise<Found> {
  const differences: object[] = [];
  const shown: Comparison[] = [];
  let cursor: string | null = null;
  do {
    const request: PageRequest = cursor === null ? { limit: comparisonsAtOnce } : { limit: comparisonsAtOnce, cursor };
    const page = await reRatings.comparisons(reRatingId, request);
    for (const comparison of page.data) {
      differences.push(...toApiDifferences(comparison));
      if (comparison.result !== 'no_difference') shown.push(comparison);
    }
    cursor = page.nextCursor;
  } while (cursor !== null && differences.length <= shownMax && shown.length <= shownMax);
  return { differences, shown, more: cursor !== null };
}
