import fc from 'fast-check';
import { assignmentAt, currentAssignments, holdsUntil } from '../../src/domain/rating/assignments.js';
import type { AssignedPriceBook } from '../../src/domain/rating/assignments.js';
import { segmentsWithNamed } from '../../src/domain/rating/named-version.js';
import { keepingOverrides, withOverrides } from '../../src/domain/rating/overrides.js';
import type { PriceSegment } from '../../src/domain/rating/rating.js';
import { priceSegments } from '../../src/domain/rating/segments.js';
import type { Instant } from '../../src/domain/values.js';
import { boundOf, flat, january, version } from '../support/rating-input.js';

const { from, to } = january;
const book = version('v1', [flat('1')]);
const own = { ...version('1', [flat('2')]), code: 'override:c', priceBookId: 'own/1' };
const none = { ...version('2', []), code: 'override:c', priceBookId: 'own/2' };
const whole = (priceBook: PriceSegment['priceBook']): readonly PriceSegment[] => [{ from, to, priceBook }];
const names = (segments: readonly PriceSegment[] | undefined): readonly unknown[] =>
  (segments ?? []).map((segment) => [segment.from, segment.to, segment.priceBook?.priceBookId ?? null]);

describe('overrides', () => {
  test('hold for the meters that they price, while they are in force', () => {
    const middle = boundOf(10);
    const meters = withOverrides(whole(book), [
      { from, to: middle, priceBook: null },
      { from: middle, to, priceBook: own },
    ]);
    expect([...meters.keys()]).toEqual(['calls']);
    expect(names(meters.get('calls'))).toEqual([
      [from, middle, 'standard/v1'],
      [middle, to, 'own/1'],
    ]);
  });

  test('that price nothing, or not this meter, leave the price book', () => {
    expect(withOverrides(whole(book), whole(none)).size).toBe(0);
    const middle = boundOf(10);
    const meters = withOverrides(whole(book), [
      { from, to: middle, priceBook: own },
      { from: middle, to, priceBook: none },
    ]);
    expect(names(meters.get('calls'))).toEqual([
      [from, middle, 'own/1'],
      [middle, to, 'standard/v1'],
    ]);
  });

  test('price nothing where no price book is assigned: nothing is due there, and usage is held (RULES 34)', () => {
    const middle = boundOf(10);
    const assigned = [
      { from, to: middle, priceBook: book },
      { from: middle, to, priceBook: null },
    ];
    expect(names(withOverrides(assigned, whole(own)).get('calls'))).toEqual([
      [from, middle, 'own/1'],
      [middle, to, null],
    ]);
  });

  test('tile the period whatever the bounds', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 28 }), { maxLength: 6 });
    const tiled = (at: readonly number[], books: readonly PriceSegment['priceBook'][]): readonly PriceSegment[] => {
      const bounds = [from, ...[...at].sort((a, b) => a - b).map(boundOf), to];
      return bounds.slice(1).map((end, index) => ({
        from: bounds[index] ?? from,
        to: end,
        priceBook: books[index % books.length] ?? null,
      }));
    };
    fc.assert(
      fc.property(cuts, cuts, (books, overrides) => {
        const over = tiled(overrides, [null, own]);
        const segments = withOverrides(tiled(books, [book, null]), over).get('calls') ?? [];
        if (over.every(({ priceBook }) => priceBook === null)) return;
        expect([segments[0]?.from, segments.at(-1)?.to]).toEqual([from, to]);
        for (const [index, segment] of segments.slice(1).entries()) {
          expect(segment.from).toBe(segments[index]?.to);
          expect(segment.priceBook?.priceBookId).not.toBe(segments[index]?.priceBook?.priceBookId);
        }
      }),
    );
  });

  test('stay beside another price book, and beside a version that a re-rating names', () => {
    const other = { ...version('v9', [flat('9')]), learnedOrder: 9 };
    const meters = new Map([
      ['calls', whole(own)],
      ['seats', whole(book)],
    ]);
    const kept = keepingOverrides(whole(other), meters);
    expect([...kept.keys()]).toEqual(['calls']);
    expect(names(kept.get('calls'))).toEqual([[from, to, 'own/1']]);
    const dates = { startOfDay: (): Instant => from, rolledBack: new Map() };
    expect(segmentsWithNamed(whole(own), other, dates)).toBeNull();
    expect(names(segmentsWithNamed(whole(book), other, dates) ?? [])).toEqual([[from, to, 'standard/v9']]);
  });
});

describe('assignments', () => {
  const assigned = (
    priceBook: string,
    effectiveFrom: Instant | null,
    { until = null, order = 1 }: { readonly until?: Instant | null; readonly order?: number } = {},
  ): AssignedPriceBook => ({ priceBook, effectiveFrom, effectiveUntil: until, learnedOrder: order });
  const promo = assigned('promo', boundOf(5), { until: boundOf(10), order: 2 });
  const standard = assigned('standard', null);

  test('that end give way to the one before, and to nothing where there is none', () => {
    const current = currentAssignments([standard, promo]);
    expect([boundOf(4), boundOf(5), boundOf(9), boundOf(10)].map((at) => assignmentAt(current, at)?.priceBook)).toEqual(
      ['standard', 'promo', 'promo', 'standard'],
    );
    expect(assignmentAt([promo], boundOf(10))).toBeNull();
    expect([holdsUntil(standard, current), holdsUntil(promo, current)]).toEqual([null, boundOf(10)]);
  });

  test('that are learned later for the same start replace the earlier one for good', () => {
    const ended = assigned('standard', null, { until: boundOf(10), order: 3 });
    expect(currentAssignments([standard, promo, ended])).toEqual([ended, promo]);
    expect(assignmentAt(currentAssignments([standard, ended]), boundOf(10))).toBeNull();
  });

  test('cease for good when the next one without an end begins', () => {
    const next = assigned('next', boundOf(7), { order: 3 });
    const current = currentAssignments([standard, promo, next]);
    expect([standard, promo, next].map((each) => holdsUntil(each, current))).toEqual([boundOf(7), boundOf(7), null]);
  });

  test('cut the period where they begin and end', () => {
    const promotion = { ...version('p1', [flat('3')]), code: 'promo', priceBookId: 'promo/p1' };
    const schedule = { assignments: [standard, promo], versions: [book, promotion], startOfDay: () => from };
    expect(names(priceSegments(january, schedule))).toEqual([
      [from, boundOf(5), 'standard/v1'],
      [boundOf(5), boundOf(10), 'promo/p1'],
      [boundOf(10), to, 'standard/v1'],
    ]);
  });
});
