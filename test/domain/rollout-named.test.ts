/** A re-rating that names a version, of a period that a candidate priced (RULES 21, 41). */
import { segmentsWithNamed } from '../../src/domain/rating/named-version.js';
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import type { PriceSegment } from '../../src/domain/rating/rating.js';
import type { Instant } from '../../src/domain/values.js';
import { instant, january, version } from '../support/rating-input.js';

const at = (day: string): Instant => instant(`2024-01-${day}T00:00:00.000000Z`);
const of = (name: string, from: string, more: Partial<PriceBookVersion> = {}): PriceBookVersion => ({
  ...version(name, []),
  ...{ priceBookId: name, effectiveFrom: at(from), ...more },
});
const v1 = of('v1', '01');
/** It could have begun with v1; the customer was included on the 10th. */
const v2 = of('v2', '01', { isCandidate: true, learnedOrder: 2 });
const pinned: readonly PriceSegment[] = [
  { from: january.from, to: at('10'), priceBook: v1 },
  { from: at('10'), to: january.to, priceBook: v2 },
];
const named = (book: PriceBookVersion, rolledBack: readonly string[] = []): readonly string[] | undefined =>
  segmentsWithNamed(pinned, book, { startOfDay: () => january.from, rolledBack: new Set(rolledBack) })?.map(
    ({ from, priceBook }) => `${priceBook?.version ?? 'none'} ${from.slice(8, 10)}`,
  );

test.each<[string, PriceBookVersion, readonly string[], readonly string[]]>([
  ['a correction of the version before leaves the candidate its part', of('v1b', '01'), [], ['v1b 01', 'v2 10']],
  ['a version that begins later takes its part of it', of('v3', '20'), [], ['v1 01', 'v2 10', 'v3 20']],
  ['the version before, once the candidate is rolled back, has all of it', v1, ['v2'], ['v1 01']],
  ['while it is not rolled back nothing changes by it', v1, [], ['v1 01', 'v2 10']],
  ['the candidate itself holds from its own date, by whoever names it', v2, [], ['v2 01']],
])('%s', (_name, book, rolledBack, expected) => {
  expect(named(book, rolledBack)).toEqual(expected);
});
