import fc from 'fast-check';
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import type { AssignedPriceBook } from '../../src/domain/rating/assignments.js';
import { priceSegments, versionInForce } from '../../src/domain/rating/segments.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { instant, january, version } from '../support/rating-input.js';

/** Day of January at an hour of UTC. */
const day = (of: number, hour = 0): Instant =>
  instant(`2024-01-${String(of).padStart(2, '0')}T${String(hour).padStart(2, '0')}:00:00.000000Z`);
/** A zone five hours east of UTC. */
const startOfDay = (date: LocalDate): Instant => day(Number(date.slice(8)) - 1, 19);

interface VersionFacts {
  readonly from: string;
  readonly until?: Instant;
  readonly code?: string;
  readonly order?: number;
}
const book = (name: string, { from, until, code = 'standard', order = 1 }: VersionFacts): PriceBookVersion => ({
  ...version(name, []),
  code,
  priceBookId: `${code}/${name}`,
  effectiveFrom: from as Instant,
  effectiveUntil: until ?? null,
  learnedOrder: order,
});
const assigned = (priceBook: string, effectiveFrom: Instant | null, learnedOrder = 1): AssignedPriceBook => ({
  priceBook,
  effectiveFrom,
  learnedOrder,
});

/** `version from day` of each segment, in short. */
function segmentsOf(
  versions: readonly PriceBookVersion[],
  assignments: readonly AssignedPriceBook[] = [assigned('standard', null)],
): readonly string[] {
  return priceSegments(january, { assignments, versions, startOfDay }).map(
    ({ from, priceBook }) => `${priceBook?.version ?? 'none'} ${from.slice(8, 13)}`,
  );
}

describe('priceSegments', () => {
  const v1 = book('v1', { from: '2023-06-01T00:00:00.000000Z' });
  const v2 = book('v2', { from: day(15) });

  test.each<[string, readonly PriceBookVersion[], readonly AssignedPriceBook[] | undefined, readonly string[]]>([
    ['no version', [], undefined, ['none 01T00']],
    ['one from before', [v1], undefined, ['v1 01T00']],
    ['one from the start', [book('v1', { from: january.from })], undefined, ['v1 01T00']],
    ['one from the end', [v1, book('v2', { from: january.to })], undefined, ['v1 01T00']],
    ['a change', [v2, v1], undefined, ['v1 01T00', 'v2 15T00']],
    ['nothing before the first one', [v2], undefined, ['none 01T00', 'v2 15T00']],
    [
      'a local date in the customer’s zone',
      [v1, book('v2', { from: '2024-01-15' })],
      undefined,
      ['v1 01T00', 'v2 14T19'],
    ],
    ['learned last holds', [v1, v2, book('v2b', { from: day(15), order: 2 })], undefined, ['v1 01T00', 'v2b 15T00']],
    [
      'learned last holds, whichever comes first in the list',
      [book('v2b', { from: day(15), order: 2 }), v1, v2],
      undefined,
      ['v1 01T00', 'v2b 15T00'],
    ],
    [
      'a local date and an instant that coincide',
      [v1, book('a', { from: day(14, 19) }), book('b', { from: '2024-01-15', order: 2 })],
      undefined,
      ['v1 01T00', 'b 14T19'],
    ],
    ['an end', [v1, book('v2', { from: day(10), until: day(20) })], undefined, ['v1 01T00', 'v2 10T00', 'v1 20T00']],
    ['an end of everything', [book('v1', { from: day(1), until: day(20) })], undefined, ['v1 01T00', 'none 20T00']],
    [
      'an end before the period',
      [book('v1', { from: '2023-01-01T00:00:00.000000Z', until: january.from })],
      undefined,
      ['none 01T00'],
    ],
    [
      'the replaced one does not come back at the end',
      [v2, book('v2b', { from: day(15), until: day(20), order: 2 }), v1],
      undefined,
      ['v1 01T00', 'v2b 15T00', 'v1 20T00'],
    ],
    ['no assignment', [v1], [], ['none 01T00']],
    ['an assignment from a day on', [v1], [assigned('standard', day(10))], ['none 01T00', 'v1 10T00']],
    [
      'an assignment to another book',
      [v1, book('p1', { code: 'premium', from: day(1) })],
      [assigned('standard', null), assigned('premium', day(10), 2)],
      ['v1 01T00', 'p1 10T00'],
    ],
    [
      'an assignment to a book that begins later',
      [v1, book('p1', { code: 'premium', from: day(20) })],
      [assigned('standard', null), assigned('premium', day(10), 2)],
      ['v1 01T00', 'none 10T00', 'p1 20T00'],
    ],
    [
      'equal assignments: learned last',
      [v1, book('p1', { code: 'premium', from: day(1) })],
      [assigned('premium', day(10), 1), assigned('standard', day(10), 2)],
      ['none 01T00', 'v1 10T00'],
    ],
    [
      'a later assignment outweighs one learned after it',
      [v1, book('p1', { code: 'premium', from: day(1) })],
      [assigned('premium', day(10), 1), assigned('standard', null, 2)],
      ['v1 01T00', 'p1 10T00'],
    ],
    ['versions of other books', [v1, book('p1', { code: 'premium', from: day(10) })], undefined, ['v1 01T00']],
  ])('%s', (_name, versions, assignments, expected) => {
    expect(segmentsOf(versions, assignments)).toEqual(expected);
  });

  test('segments tile the period, and neighbours differ', () => {
    const facts = fc.record({
      from: fc.integer({ min: -5, max: 40 }),
      length: fc.option(fc.integer({ min: 1, max: 20 })),
      code: fc.constantFrom('a', 'b'),
    });
    const at = (offset: number): Instant =>
      instant(new Date(Date.UTC(2024, 0, 1 + offset)).toISOString().replace('Z', '000Z'));
    const assignment = fc.record({
      from: fc.option(fc.integer({ min: -5, max: 40 })),
      code: fc.constantFrom('a', 'b'),
    });
    fc.assert(
      fc.property(fc.array(facts, { maxLength: 6 }), fc.array(assignment, { maxLength: 3 }), (rows, assignments) => {
        const versions = rows.map(({ from, length, code }, order) =>
          book(`v${order}`, { from: at(from), code, order, ...(length === null ? {} : { until: at(from + length) }) }),
        );
        const assignedBooks = assignments.map(({ from, code }, order) =>
          assigned(code, from === null ? null : at(from), order),
        );
        const segments = priceSegments(january, { versions, assignments: assignedBooks, startOfDay });
        expect(segments[0]?.from).toBe(january.from);
        expect(segments.at(-1)?.to).toBe(january.to);
        for (const [index, segment] of segments.entries()) {
          const next = segments[index + 1];
          expect(segment.from < segment.to).toBe(true);
          if (next !== undefined) {
            expect(next.from).toBe(segment.to);
            expect(next.priceBook?.priceBookId).not.toBe(segment.priceBook?.priceBookId);
          }
          // Whatever is in force has begun and has not ended, throughout.
          if (segment.priceBook !== null) {
            expect(segment.priceBook.effectiveFrom <= segment.from).toBe(true);
            expect((segment.priceBook.effectiveUntil ?? january.to) >= segment.to).toBe(true);
          }
        }
      }),
    );
  });
});

describe('versionInForce', () => {
  const versions = [book('v1', { from: day(1) }), book('v2', { from: '2024-01-15', until: day(20) })];
  test.each<[Instant, string | undefined]>([
    [instant('2023-12-31T23:59:59.999999Z'), undefined],
    [day(1), 'v1'],
    [instant('2024-01-14T18:59:59.999999Z'), 'v1'],
    [day(14, 19), 'v2'],
    [day(20), 'v1'],
  ])('at %s', (at, expected) => {
    expect(versionInForce(versions, at, { startOfDay })?.version).toBe(expected);
  });
});
