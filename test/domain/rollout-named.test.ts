/** A re-rating that names a version, of a period that a candidate priced (RULES 21, 41). */
import { pricesWithNamed, segmentsWithNamed } from '../../src/domain/rating/named-version.js';
import type { PinnedPrices } from '../../src/domain/rating/named-version.js';
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
const shown = (segments: readonly PriceSegment[] | null | undefined): readonly string[] | undefined =>
  segments?.map(({ from, priceBook }) => `${priceBook?.version ?? 'none'} ${from.slice(8, 10)}`);
const dates = (rolledBackAt?: string) => ({
  startOfDay: () => january.from,
  rolledBack: new Map(rolledBackAt === undefined ? [] : [['v2', at(rolledBackAt)]]),
});

test.each<[string, PriceBookVersion, string | undefined, readonly string[]]>([
  ['a correction of the version before leaves the candidate its part', of('v1b', '01'), undefined, ['v1b 01', 'v2 10']],
  ['a version that begins later takes its part of it', of('v3', '20'), undefined, ['v1 01', 'v2 10', 'v3 20']],
  ['the version before, once the candidate is rolled back from its beginning, has all of it', v1, '10', ['v1 01']],
  ['rolled back from later on, the candidate keeps the time until then', v1, '20', ['v1 01', 'v2 10', 'v1 20']],
  ['so it does under a correction', of('v1b', '01'), '31', ['v1b 01', 'v2 10', 'v1b 31']],
  ['while it is not rolled back nothing changes by it', v1, undefined, ['v1 01', 'v2 10']],
  ['the candidate itself holds from its own date, by whoever names it', v2, undefined, ['v2 01']],
])('%s', (_name, book, rolledBackAt, expected) => {
  expect(shown(segmentsWithNamed(pinned, book, dates(rolledBackAt)))).toEqual(expected);
});

describe('a period with a fee in advance for the next one', () => {
  const on20 = at('20');
  const other = of('other', '01', { code: 'other' });
  const v3 = of('v3', '20', { learnedOrder: 3 });
  const own: readonly PriceSegment[] = [{ from: january.from, to: on20, priceBook: v1 }];
  const next: readonly PriceSegment[] = [{ from: on20, to: january.to, priceBook: v3 }];
  const both = (prices: PinnedPrices, book: PriceBookVersion) => {
    const found = pricesWithNamed(prices, book, dates());
    return found === null ? null : [shown(found.segments), shown(found.next)];
  };
  const onlyIn = (prices: readonly PriceSegment[], priceBook: PriceBookVersion): readonly PriceSegment[] =>
    prices.map((segment) => ({ ...segment, priceBook }));

  test.each<[string, PinnedPrices, PriceBookVersion, unknown]>([
    [
      'a correction of the version in the fee alone moves the fee',
      { segments: own, next },
      of('v3b', '20'),
      [['v1 01'], ['v3b 20']],
    ],
    [
      'a correction of the version in the period leaves the fee its own',
      { segments: own, next },
      of('v1b', '01'),
      [['v1b 01'], ['v3 20']],
    ],
    ['of another price book it prices both', { segments: own, next }, other, [['other 01'], ['other 20']]],
    [
      'a price book that prices a part of the period keeps to its part, in the fee as in usage',
      {
        segments: pinned.map((segment, index) => (index === 0 ? segment : { ...segment, priceBook: other })),
        next: onlyIn(next, other),
      },
      v1,
      [['v1 01', 'other 10'], ['other 20']],
    ],
    [
      'what begins after the period and is in no fee is not in force',
      { segments: own, next: null },
      of('v3b', '20'),
      null,
    ],
    ['nor is what begins after both', { segments: own, next }, of('v4', '31', { code: 'none' }), null],
  ])('%s', (_name, prices, book, expected) => {
    expect(both(prices, book)).toEqual(expected);
  });
});
