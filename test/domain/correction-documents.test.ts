/** What stands between a comparison and a document: sums of the chain, retired charges, named versions, the correction itself. */
import { compareWithInvoiced } from '../../src/domain/correction/compare.js';
import { invoicedLines } from '../../src/domain/correction/invoiced.js';
import { hasEnded, keepsPins, reRatingReasons, reRatingStatuses } from '../../src/domain/correction/reasons.js';
import { retiredCharges } from '../../src/domain/correction/retire.js';
import { buildCorrection } from '../../src/domain/invoicing/build-correction.js';
import type { CorrectionFacts } from '../../src/domain/invoicing/build-correction.js';
import type { InvoiceLineItem } from '../../src/domain/invoicing/invoice.js';
import { segmentsWithNamed } from '../../src/domain/rating/named-version.js';
import { rateParts } from '../../src/domain/rating/rate-pinned.js';
import { ratePeriod } from '../../src/domain/rating/rate.js';
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import type { PriceSegment, RatedLine } from '../../src/domain/rating/rating.js';
import type { DecimalString, Instant, LocalDate, Position } from '../../src/domain/values.js';
import { flat, inGroup, instant, january, meter, ratingInput, used, version } from '../support/rating-input.js';

const byRegion = meter({ groupBy: ['region'] });
function rated(units: Readonly<Record<string, string>>, book = version('v1', [flat('0.10')])): readonly RatedLine[] {
  const usage = Object.entries(units).map(([region, quantity]) => used(0, quantity, inGroup({ region })));
  return ratePeriod(ratingInput([book], usage, [byRegion])).lines;
}
const line = (lineItemId: string, region: string, amount: string): InvoiceLineItem => ({
  lineItemId,
  lineNumber: 1,
  lineKey: `["calls",{"region":"${region}"}]`,
  description: 'calls',
  meter: 'calls',
  group: { region },
  serviceFrom: january.from,
  serviceTo: january.to,
  quantity: '1' as DecimalString,
  amount: amount as DecimalString,
  currency: 'USD',
  originalAmount: null,
  correctedAmount: null,
  reason: null,
  correctsLineItemId: null,
  chargeIds: [],
  calculation: { formula: '', charges: [] },
});

describe('invoicedLines', () => {
  test('sums a line over the documents and names the first that billed it', () => {
    const chain = [
      { lines: [line('a1', 'eu', '5'), line('a2', 'us', '1')] },
      { lines: [line('b1', 'eu', '-2')] },
      { lines: [line('c1', 'ap', '3'), line('c2', 'eu', '0.5')] },
    ];
    expect(
      invoicedLines(chain).map(({ group, amount, firstLineItemId }) => [group['region'], amount, firstLineItemId]),
    ).toEqual([
      ['eu', '3.5', 'a1'],
      ['us', '1', 'a2'],
      ['ap', '3', 'c1'],
    ]);
  });

  test('a chain without documents has invoiced nothing', () => {
    expect(invoicedLines([])).toEqual([]);
  });
});

describe('retiredCharges', () => {
  const charges = (lines: readonly RatedLine[]) => lines.flatMap((rating) => rating.charges);

  test('what the new rating no longer has becomes a revision of 0; what it has stays away', () => {
    const retired = retiredCharges(charges(rated({ eu: '5', us: '2' })), charges(rated({ eu: '7' })));
    expect(retired).toHaveLength(1);
    expect(retired[0]).toMatchObject({
      group: { region: 'us' },
      quantity: '0',
      amount: '0',
      eventCount: 0,
      digest: '0'.repeat(16),
    });
    expect(retired[0]?.calculation).toMatchObject({ formula: '0', quantity: '0', tiers: [], price_book_version: 'v1' });
  });

  test('another price book version retires the charge of the one before', () => {
    const before = charges(rated({ eu: '5' }));
    const retired = retiredCharges(before, charges(rated({ eu: '5' }, version('v2', [flat('0.20')]))));
    expect(retired.map(({ priceBookId }) => priceBookId)).toEqual(['standard/v1']);
  });

  test('what is 0 already is not retired again', () => {
    const retired = retiredCharges(charges(rated({ eu: '5' })), []);
    expect(retired).toHaveLength(1);
    expect(retiredCharges(retired, [])).toEqual([]);
  });
});

describe('segmentsWithNamed', () => {
  const at = (day: string): Instant => instant(`2024-01-${day}T00:00:00.000000Z`);
  const from = (name: string, effectiveFrom: string, more: object = {}): PriceBookVersion =>
    version(name, [flat('1')], { effective_from: effectiveFrom, ...more });
  const v1 = from('v1', '2024-01-01T00:00:00Z');
  const v2 = from('v2', '2024-01-15T00:00:00Z');
  const pinned: readonly PriceSegment[] = [
    { from: january.from, to: at('15'), priceBook: v1 },
    { from: at('15'), to: january.to, priceBook: v2 },
  ];
  const startOfDay = (date: LocalDate): Instant => instant(`${date}T00:00:00.000000Z`);
  const dates = { startOfDay, rolledBack: new Map<string, Instant>() };
  const inShort = (segments: readonly PriceSegment[] | null): unknown =>
    segments?.map((segment) => [segment.from.slice(8, 10), segment.priceBook?.version ?? null]) ?? null;

  test.each<[string, PriceBookVersion, unknown]>([
    [
      'in place of the one with the same date',
      from('v2b', '2024-01-15T00:00:00Z'),
      [
        ['01', 'v1'],
        ['15', 'v2b'],
      ],
    ],
    [
      'in place of the first, up to the second',
      from('v1b', '2024-01-01T00:00:00Z'),
      [
        ['01', 'v1b'],
        ['15', 'v2'],
      ],
    ],
    [
      'between the two',
      from('v1c', '2024-01-10T00:00:00Z'),
      [
        ['01', 'v1'],
        ['10', 'v1c'],
        ['15', 'v2'],
      ],
    ],
    [
      'after both, by its local date',
      from('v3', '2024-01-20'),
      [
        ['01', 'v1'],
        ['15', 'v2'],
        ['20', 'v3'],
      ],
    ],
    ['before them all: it replaces them', from('v0', '2023-12-01T00:00:00Z'), [['01', 'v0']]],
    [
      'before them all and with an end: as long as it is valid',
      from('v0', '2023-12-01T00:00:00Z', { effective_until: '2024-01-20T00:00:00Z' }),
      [
        ['01', 'v0'],
        ['20', 'v2'],
      ],
    ],
    [
      'of another price book: likewise',
      { ...from('p1', '2024-01-10T00:00:00Z'), code: 'promo' },
      [
        ['01', 'v1'],
        ['10', 'p1'],
      ],
    ],
    ['one that begins after the period: never', from('v9', '2024-02-01T00:00:00Z'), null],
    [
      'the pinned one itself changes nothing',
      v2,
      [
        ['01', 'v1'],
        ['15', 'v2'],
      ],
    ],
  ])('%s', (_name, named, expected) => {
    expect(inShort(segmentsWithNamed(pinned, named, dates))).toEqual(expected);
  });

  test('also where no version was in force', () => {
    const gap: readonly PriceSegment[] = [
      { from: january.from, to: at('15'), priceBook: null },
      { from: at('15'), to: january.to, priceBook: v2 },
    ];
    expect(inShort(segmentsWithNamed(gap, v1, dates))).toEqual([
      ['01', 'v1'],
      ['15', 'v2'],
    ]);
  });
});

describe('rateParts', () => {
  const calls = meter();
  const bytes = meter({ meterId: 'meter-2', code: 'bytes' });
  const book = version('v1', [flat('0.10'), { ...flat('1'), meter: 'bytes' }]);
  const corrected = version('v2', [flat('0.20'), { ...flat('2'), meter: 'bytes' }]);
  const segment = (priceBook: PriceBookVersion): PriceSegment => ({ ...january, priceBook });
  const usageOf = (code: string) => [{ ...used(0, '10'), meter: code }];

  test('each part by its own prices, lines in order', () => {
    const { lines, problems } = rateParts({ period: january, currency: 'USD' }, [
      { meters: [calls], segments: [segment(book)], usage: usageOf('calls') },
      { meters: [bytes], segments: [segment(corrected)], usage: usageOf('bytes') },
    ]);
    expect(problems).toEqual([]);
    expect(lines.map(({ meter: code, amount }) => [code, amount])).toEqual([
      ['bytes', '20'],
      ['calls', '1'],
    ]);
  });

  test('what is due without usage is due once, of the part that has the meter, and of no meter that no part has', () => {
    const minimum = { minimum: '5' };
    const both = version('v1', [
      { ...flat('1'), ...minimum, meter: 'bytes' },
      { ...flat('1'), ...minimum, meter: 'unborn' },
    ]);
    const { lines } = rateParts({ period: january, currency: 'USD' }, [
      { meters: [bytes], segments: [segment(both)], usage: [] },
      { meters: [calls], segments: [segment(both)], usage: [] },
    ]);
    expect(lines.map(({ meter: code, amount }) => [code, amount])).toEqual([['bytes', '5']]);
  });

  test('one part is rated as the period is', () => {
    const usage = [...usageOf('calls'), ...usageOf('bytes')];
    const whole = { period: january, currency: 'USD', meters: [calls, bytes], segments: [segment(book)], usage };
    expect(rateParts({ period: january, currency: 'USD' }, [whole])).toEqual(ratePeriod(whole));
  });
});

describe('buildCorrection', () => {
  const facts = (
    before: readonly InvoiceLineItem[],
    now: readonly RatedLine[],
    more: Partial<CorrectionFacts> = {},
  ): CorrectionFacts => {
    const correction = compareWithInvoiced(invoicedLines([{ lines: before }]), now);
    if (correction === null) throw new Error('nothing to correct');
    return {
      invoiceId: 'i2',
      chainPlace: 2,
      correctsInvoiceId: 'i1',
      customerId: 'cust_1',
      currency: 'USD',
      period: { ...january, period: '2024-01-01' as LocalDate, timeZone: 'UTC' },
      seller: { name: 'Seller Ltd' },
      buyer: { name: 'Acme' },
      paymentTermsDays: 14,
      issuedAt: instant('2024-03-01T00:00:00.000000Z'),
      cutoffPosition: '9' as Position,
      pinnedVersions: { customer_version_id: 'c1', meter_ids: [], price_segments: [] },
      correction,
      reason: 'late_usage',
      lineItemId: (key) => `item ${key}`,
      correctsLineItemId: (key) => before.find(({ lineKey }) => lineKey === key)?.lineItemId ?? null,
      chargeIds: ({ rated: now }) => (now === null ? ['retired'] : ['current']),
      ...more,
    };
  };

  test('changed lines with what was invoiced, what is right and the difference', () => {
    const document = buildCorrection(
      facts([line('a1', 'eu', '0.50'), line('a2', 'us', '0.10')], rated({ eu: '7', ap: '1', us: '1' })),
    );
    expect(document).toMatchObject({
      type: 'correction',
      total: '0.3',
      subtotal: '0.3',
      correctsInvoiceId: 'i1',
      chainPlace: 2,
    });
    expect(document.dueAt).toBe('2024-03-15T00:00:00.000000Z');
    expect(
      document.lines.map((item) => [
        item.lineNumber,
        item.description,
        item.originalAmount,
        item.correctedAmount,
        item.amount,
        item.correctsLineItemId,
        item.reason,
        item.chargeIds,
      ]),
    ).toEqual([
      [1, 'calls (region: ap)', '0', '0.1', '0.1', null, 'late_usage', ['current']],
      [2, 'calls (region: eu)', '0.5', '0.7', '0.2', 'a1', 'late_usage', ['current']],
    ]);
  });

  test('a negative total is a credit note; a line of which nothing is left explains itself with 0', () => {
    const document = buildCorrection(facts([line('a1', 'eu', '0.50')], []));
    expect(document).toMatchObject({ type: 'credit_note', total: '-0.5' });
    expect(document.lines[0]).toMatchObject({
      quantity: '0',
      amount: '-0.5',
      chargeIds: ['retired'],
      calculation: { formula: '0', charges: [] },
    });
  });

  test('the first document of a chain is no correction', () => {
    expect(() => buildCorrection(facts([], rated({ eu: '1' }), { chainPlace: 1 }))).toThrow('invariant broken');
  });
});

test('only what was learned about usage keeps the pins', () => {
  expect(reRatingReasons.filter(keepsPins)).toEqual(['late_usage', 'usage_correction']);
});

test('three statuses are ends', () => {
  expect(reRatingStatuses.filter(hasEnded)).toEqual(['completed', 'no_difference', 'rejected']);
});
