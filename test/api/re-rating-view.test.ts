/** What one answer shows of a re-rating of many periods. */
import { differencesOf, viewOf } from '../../src/api/services/re-rating-view.js';
import type { DecimalString, LocalDate, Position } from '../../src/domain/values.js';
import type { Comparison, Page, PageRequest, ReRating } from '../../src/storage/types.js';

type ViewStorage = Parameters<typeof viewOf>[0];

const decimal = (text: string): DecimalString => text as DecimalString;

const reRating: ReRating = {
  reRatingId: 'r',
  workflowId: 're-rating/r',
  reason: 'manual',
  scope: { customerIds: null, meters: ['m'], from: null, to: null },
  priceBookId: null,
  dryRun: false,
  requestedBy: 'ada',
  requestedAt: '2024-02-01T00:00:00.000000Z' as ReRating['requestedAt'],
  status: 'awaiting_approval',
  attempt: 2,
  targets: 600,
};

function comparison(index: number, lines: number, result: Comparison['result'] = 'difference'): Comparison {
  const line = {
    lineKey: 'm',
    meter: 'm',
    group: {},
    originalAmount: decimal('1'),
    correctedAmount: decimal('1.1'),
    difference: decimal('0.1'),
  };
  return {
    reRatingId: 'r',
    attempt: 2,
    customerId: `c${index}`,
    period: '2024-01-01' as LocalDate,
    result,
    ratingSequence: 1,
    cutoff: '1' as Position,
    pinnedVersions: { customer_version_id: 'v', meter_ids: [], price_segments: [] },
    currency: 'USD',
    difference: decimal(String(lines)),
    needsApproval: index === 0,
    differences: Array.from({ length: lines }, () => line),
    detail: result === 'held' ? 'no price' : null,
  };
}

/** Pages over what is given; remembers how many were asked for. */
function storageOf(all: readonly Comparison[]): ViewStorage & { readonly pages: () => number } {
  let pages = 0;
  const comparisons = (_id: string, { limit, cursor }: PageRequest): Promise<Page<Comparison>> => {
    pages += 1;
    const from = Number(cursor ?? 0);
    const next = from + limit;
    return Promise.resolve({ data: all.slice(from, next), nextCursor: next < all.length ? String(next) : null });
  };
  const decision = (_id: string, attempt: number) =>
    Promise.resolve(attempt === 1 ? { attempt, decision: 'approved' as const, decidedBy: 'bob', reason: null } : null);
  const reRatings = { comparisons, decision, outcomes: () => Promise.resolve([]) };
  return { reference: {}, reRatings, pages: () => pages } as unknown as ViewStorage & { pages: () => number };
}

const shown = async (all: readonly Comparison[]) =>
  (await viewOf(storageOf(all), reRating)) as {
    readonly differences: readonly object[];
    readonly differences_truncated: boolean;
    readonly needs_approval: readonly object[];
    readonly held: readonly object[];
    readonly decisions: readonly object[];
  };

test('a thousand lines are shown, and it is said when there are more', async () => {
  const exactly = await shown(Array.from({ length: 500 }, (_, index) => comparison(index, 2)));
  expect([exactly.differences.length, exactly.differences_truncated]).toEqual([1_000, false]);
  const oneMore = await shown([...Array.from({ length: 500 }, (_, index) => comparison(index, 2)), comparison(500, 1)]);
  expect([oneMore.differences.length, oneMore.differences_truncated]).toEqual([1_000, true]);
});

test('periods without a difference are read over, however many', async () => {
  const same = Array.from({ length: 5_000 }, (_, index) => comparison(index + 1, 0, 'no_difference'));
  const view = await shown([comparison(0, 1), ...same, comparison(6_000, 0, 'held')]);
  expect(view).toMatchObject({
    differences: [{ customer_id: 'c0', original_amount: '1.00', corrected_amount: '1.10', difference: '0.10' }],
    differences_truncated: false,
    needs_approval: [{ customer_id: 'c0', difference: '1.00' }],
    held: [{ customer_id: 'c6000', detail: 'no price' }],
    decisions: [{ attempt: 1, decision: 'approved', decided_by: 'bob' }],
  });
});

test('reading ends when the answer is full', async () => {
  const storage = storageOf(Array.from({ length: 5_000 }, (_, index) => comparison(index, 3)));
  await viewOf(storage, reRating);
  expect(storage.pages()).toBe(1);
});

test('pages of differences never tear the lines of a period apart', async () => {
  const storage = storageOf([comparison(0, 3), comparison(1, 2)]);
  expect(await differencesOf(storage, 'r', { limit: 1 })).toMatchObject({
    data: [{ customer_id: 'c0' }, { customer_id: 'c0' }, { customer_id: 'c0' }],
    next_cursor: '1',
  });
});
