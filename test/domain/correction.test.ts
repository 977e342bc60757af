import fc from 'fast-check';
import { compareWithInvoiced } from '../../src/domain/correction/compare.js';
import type { InvoicedLine } from '../../src/domain/correction/compare.js';
import { addDecimals } from '../../src/domain/decimal.js';
import { lineKeyOf } from '../../src/domain/rating/line-key.js';
import { ratePeriod } from '../../src/domain/rating/rate.js';
import type { RatedLine } from '../../src/domain/rating/rating.js';
import type { DecimalString } from '../../src/domain/values.js';
import { flat, inGroup, meter, ratingInput, tiered, used, version, volume } from '../support/rating-input.js';

const regions = ['eu', 'us', 'ap'] as const;
const invoiced = (region: string, amount: string): InvoicedLine => {
  const group = { region };
  return { lineKey: lineKeyOf('calls', group), meter: 'calls', group, amount: amount as DecimalString };
};
/** Rated lines of 1.00 a unit by region. */
function rated(units: Readonly<Record<string, string>>, price: object = flat('1')): readonly RatedLine[] {
  const usage = Object.entries(units).map(([region, quantity]) => used(0, quantity, inGroup({ region })));
  return ratePeriod(ratingInput([version('v1', [price])], usage, [meter({ groupBy: ['region'] })])).lines;
}
const inShort = (correction: ReturnType<typeof compareWithInvoiced>): unknown =>
  correction && [
    correction.total,
    correction.lines.map((line) => [line.group['region'], line.originalAmount, line.correctedAmount, line.amount]),
  ];

test.each<[string, readonly InvoicedLine[], Readonly<Record<string, string>>, unknown]>([
  ['nothing before, nothing now', [], {}, null],
  ['nothing changed', [invoiced('eu', '5.00')], { eu: '5' }, null],
  ['more', [invoiced('eu', '5')], { eu: '7' }, ['2', [['eu', '5', '7', '2']]]],
  ['less', [invoiced('eu', '5')], { eu: '3' }, ['-2', [['eu', '5', '3', '-2']]]],
  [
    'a new line; the unchanged one is not shown',
    [invoiced('eu', '5')],
    { eu: '5', us: '1' },
    ['1', [['us', '0', '1', '1']]],
  ],
  ['a line that is gone', [invoiced('eu', '5'), invoiced('us', '1')], { eu: '5' }, ['-1', [['us', '1', '0', '-1']]]],
  [
    'lines that cancel out',
    [invoiced('eu', '5'), invoiced('us', '1')],
    { eu: '1', us: '5' },
    [
      '0',
      [
        ['eu', '5', '1', '-4'],
        ['us', '1', '5', '4'],
      ],
    ],
  ],
  ['a line of 0 appears: nothing changed', [], { eu: '0' }, null],
])('%s', (_name, before, now, expected) => {
  expect(inShort(compareWithInvoiced(before, rated(now)))).toEqual(expected);
});

test('a corrected line carries its new cumulative and its explanation; a gone one neither', () => {
  const correction = compareWithInvoiced([invoiced('eu', '5'), invoiced('us', '1')], rated({ eu: '7' }));
  expect(correction?.lines.map(({ quantity, rated: line }) => [quantity, line?.formula ?? null])).toEqual([
    ['7', '7 × 1'],
    ['0', null],
  ]);
});

describe('over any chain of revisions', () => {
  const price = fc.constantFrom(
    flat('0.005'),
    tiered([
      ['10.5', '0.333'],
      [null, '0.0071'],
    ]),
    volume([
      ['10', '0.125'],
      [null, '0.1'],
    ]),
  );
  const units = fc
    .record({ eu: fc.nat(40), us: fc.nat(40), ap: fc.nat(40) })
    .map((of) => Object.fromEntries(regions.map((region) => [region, String(of[region] / 2)])));

  test('what was booked is the rounded latest cumulative, and the same revision books nothing more', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(units, price), { minLength: 1, maxLength: 7 }), (revisions) => {
        let chain: readonly InvoicedLine[] = [];
        for (const [quantities, priceWire] of revisions) {
          const lines = rated(quantities, priceWire);
          const correction = compareWithInvoiced(chain, lines);
          chain = booked(chain, correction);
          expect(addDecimals(chain.map(({ amount }) => amount))).toBe(addDecimals(lines.map(({ amount }) => amount)));
          expect(compareWithInvoiced(chain, lines)).toBeNull();
        }
      }),
    );
  });

  function booked(
    chain: readonly InvoicedLine[],
    correction: ReturnType<typeof compareWithInvoiced>,
  ): readonly InvoicedLine[] {
    const byKey = new Map(chain.map((line) => [line.lineKey, line]));
    for (const line of correction?.lines ?? []) {
      const before = byKey.get(line.lineKey)?.amount;
      byKey.set(line.lineKey, {
        ...line,
        amount: addDecimals(before === undefined ? [line.amount] : [before, line.amount]),
      });
    }
    return [...byKey.values()];
  }
});
