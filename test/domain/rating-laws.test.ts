/** Laws of rating, and its comparison with an oracle that shares no code with it. */
import fc from 'fast-check';
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import { lineKeyOf } from '../../src/domain/rating/line-key.js';
import { ratePeriod } from '../../src/domain/rating/rate.js';
import type { RatedLine, SegmentUsage } from '../../src/domain/rating/rating.js';
import { flat, meter, ratingInput, tiered, used, version, volume } from '../support/rating-input.js';
import type { TierRow } from '../support/rating-input.js';
import {
  compare,
  minus,
  oracleCharges,
  rational,
  roundHalfEven,
  sum,
  valueOfFormula,
} from '../support/rational-rating.js';
import type { OraclePrice } from '../support/rational-rating.js';

interface Priced {
  readonly wire: object;
  readonly oracle: OraclePrice;
}

const decimalText = (units: number, places: number): string => {
  const digits = String(Math.abs(units)).padStart(places + 1, '0');
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return units < 0 ? `-${text}` : text;
};
const priceText = fc.tuple(fc.nat(99_999), fc.nat(6)).map(([units, places]) => decimalText(units, places));
// Half of all fees are 0, as they are in life.
const feeText = fc.oneof(
  fc.constant('0'),
  fc.nat(2_000).map((cents) => decimalText(cents, 2)),
);

const tierRows: fc.Arbitrary<readonly TierRow[]> = fc
  .tuple(
    fc.array(
      fc.record({
        width: fc.oneof(fc.constant(1_000), fc.integer({ min: 1, max: 5_000 })),
        price: priceText,
        fee: feeText,
      }),
      {
        maxLength: 4,
      },
    ),
    fc.record({ price: priceText, fee: feeText }),
  )
  .map(([bounded, last]) => {
    let bound = 0;
    const rows = bounded.map(({ width, price, fee }): TierRow => {
      bound += width;
      return [decimalText(bound, 1), price, fee];
    });
    return [...rows, [null, last.price, last.fee]];
  });

const flatPrice: fc.Arbitrary<Priced> = priceText.map((unitPrice) => ({
  wire: flat(unitPrice),
  oracle: { model: 'flat', unitPrice },
}));
const tieredPrice = (model: 'tiered' | 'volume'): fc.Arbitrary<Priced> =>
  fc.tuple(tierRows, fc.boolean()).map(([rows, chargeWhenZero]) => {
    const more = chargeWhenZero ? { charge_when_zero: true } : {};
    const tiers = rows.map(([upTo, unitPrice, flatFee = '0']) => ({ upTo, unitPrice, flatFee }));
    return {
      wire: model === 'tiered' ? tiered(rows, more) : volume(rows, more),
      oracle: { model, tiers, chargeWhenZero },
    };
  });
const anyPrice = fc.oneof(flatPrice, tieredPrice('tiered'), tieredPrice('volume'));

// Round ones meet bounds, and each other, exactly.
const quantity = fc.oneof(
  fc.constantFrom('0', '100', '200', '-100'),
  fc.tuple(fc.integer({ min: -3_000, max: 30_000 }), fc.nat(2)).map(([units, places]) => decimalText(units, places)),
);

/** A month of one to five stretches under up to three versions, which may come back. */
interface Month {
  readonly prices: readonly Priced[];
  readonly stretches: readonly { readonly version: number; readonly quantity: string }[];
}
const monthOf = (price: fc.Arbitrary<Priced>): fc.Arbitrary<Month> =>
  fc
    .tuple(
      fc.array(price, { minLength: 3, maxLength: 3 }),
      fc.array(fc.record({ version: fc.nat(2), quantity }), { minLength: 1, maxLength: 5 }),
    )
    .map(([prices, stretches]) => ({ prices, stretches }));
const oneModel = fc.oneof(monthOf(flatPrice), monthOf(tieredPrice('tiered')), monthOf(tieredPrice('volume')));
const anyMonth = fc.oneof({ weight: 4, arbitrary: oneModel }, { weight: 1, arbitrary: monthOf(anyPrice) });

const allowNegative = [meter({ allowNegative: true })];
const booksOf = ({ prices }: Pick<Month, 'prices'>): readonly PriceBookVersion[] =>
  prices.map(({ wire }, index) => version(`v${index}`, [wire]));

function rate(
  month: Month,
  usage: readonly SegmentUsage[] = month.stretches.map((stretch, index) => used(index, stretch.quantity)),
): RatedLine | undefined {
  const books = booksOf(month);
  const segments = month.stretches.map((stretch) => books[stretch.version] ?? null);
  return ratePeriod(ratingInput(segments, usage, allowNegative)).lines[0];
}

/** One version for the whole month, rated at a quantity. */
const rateAt = (price: Priced, units: string): RatedLine | undefined =>
  rate({ prices: [price], stretches: [{ version: 0, quantity: units }] });
const amountAt = (price: Priced, units: string): string => rateAt(price, units)?.charges[0]?.amount ?? '0';

describe('rating agrees with the oracle', () => {
  test('every charge, and the rounded line', () => {
    fc.assert(
      fc.property(anyMonth, (month) => {
        const oracle = oracleCharges(
          month.stretches.map((stretch) => ({ ...stretch, version: `standard/v${stretch.version}` })),
          Object.fromEntries(month.prices.map((price, index) => [`standard/v${index}`, price.oracle])),
        );
        const line = rate(month);
        for (const { priceBookId, amount } of line?.charges ?? []) {
          expect(compare(rational(amount), oracle.get(priceBookId) ?? rational('0'))).toBe(0);
        }
        expect(BigInt(Math.round(Number(line?.amount ?? '0') * 100))).toBe(roundHalfEven(sum([...oracle.values()]), 2));
      }),
      { numRuns: 2_000 },
    );
  });

  test('every formula has the value of its amount', () => {
    fc.assert(
      fc.property(anyMonth, (month) => {
        const line = rate(month);
        const charges = line?.charges ?? [];
        for (const { amount, calculation } of charges)
          expect(compare(valueOfFormula(calculation.formula), rational(amount))).toBe(0);
        if (line !== undefined)
          expect(compare(valueOfFormula(line.formula), sum(charges.map(({ amount }) => rational(amount))))).toBe(0);
      }),
    );
  });
});

describe('laws', () => {
  test('the quantities of tiers add up to the charge, those of charges to the line', () => {
    fc.assert(
      fc.property(anyMonth, (month) => {
        const line = rate(month);
        for (const { quantity: units, calculation } of line?.charges ?? []) {
          if (calculation.model === 'flat') continue;
          expect(compare(sum(calculation.tiers.map((tier) => rational(tier.quantity))), rational(units))).toBe(0);
        }
        const total = sum(month.stretches.map((stretch) => rational(stretch.quantity)));
        expect(compare(sum((line?.charges ?? []).map((charge) => rational(charge.quantity))), total)).toBe(0);
      }),
    );
  });

  test('the order of rows and their splitting do not matter', () => {
    fc.assert(
      fc.property(anyMonth, fc.integer({ min: -999, max: 999 }), (month, part) => {
        const whole = month.stretches.map((stretch, index) => used(index, stretch.quantity, { eventCount: 2 }));
        const pieces = month.stretches.flatMap((stretch, index) => {
          const rest = minus(rational(stretch.quantity), rational(String(part)));
          const places = String(rest.d).length - 1;
          return [used(index, String(part)), used(index, decimalText(Number(rest.n), places))];
        });
        expect(rate(month, pieces.toReversed())).toEqual(rate(month, whole));
      }),
    );
  });

  test('zero usage costs nothing, but for a fee that is charged when zero', () => {
    fc.assert(
      fc.property(anyPrice, (price) => {
        const { oracle } = price;
        const fee = oracle.model === 'flat' || !oracle.chargeWhenZero ? '0' : (oracle.tiers[0]?.flatFee ?? '0');
        expect(compare(rational(amountAt(price, '0')), rational(fee))).toBe(0);
      }),
    );
  });

  test('flat and tiered never fall as usage grows', () => {
    fc.assert(
      fc.property(fc.oneof(flatPrice, tieredPrice('tiered')), fc.nat(20_000), fc.nat(5_000), (price, units, more) => {
        const less = rational(amountAt(price, decimalText(units, 1)));
        expect(compare(rational(amountAt(price, decimalText(units + more, 1))), less)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('tiered without fees is continuous: a last unit costs no more than the dearest tier', () => {
    fc.assert(
      fc.property(tierRows, fc.integer({ min: 1, max: 20_000 }), (rows, units) => {
        const withoutFees = rows.map(([upTo, unitPrice]): TierRow => [upTo, unitPrice]);
        const price: Priced = { wire: tiered(withoutFees), oracle: { model: 'flat', unitPrice: '0' } };
        const step = minus(
          rational(amountAt(price, decimalText(units, 3))),
          rational(amountAt(price, decimalText(units - 1, 3))),
        );
        const dearest = rows.map(([, unitPrice]) => rational(unitPrice)).reduce((a, b) => (compare(a, b) > 0 ? a : b));
        expect(compare(step, { n: dearest.n, d: dearest.d * 1000n })).toBeLessThanOrEqual(0);
      }),
    );
  });

  test('volume may fall at a tier’s edge: 16 units cheaper than 15', () => {
    const oracle: OraclePrice = { model: 'flat', unitPrice: '0' };
    const price: Priced = {
      wire: volume([
        ['15', '1.00'],
        [null, '0.90'],
      ]),
      oracle,
    };
    expect([amountAt(price, '15'), amountAt(price, '16')]).toEqual(['15.00', '14.40']);
  });

  test('a change to the same price changes no amount', () => {
    fc.assert(
      fc.property(anyPrice, fc.array(quantity, { minLength: 2, maxLength: 4 }), (price, quantities) => {
        const changed = {
          prices: quantities.map(() => price),
          stretches: quantities.map((units, index) => ({ version: index, quantity: units })),
        };
        const unchanged = { prices: [price], stretches: quantities.map((units) => ({ version: 0, quantity: units })) };
        const [a, b] = [rate(changed), rate(unchanged)];
        expect(a?.amount).toBe(b?.amount);
      }),
    );
  });

  test('line keys are injective', () => {
    const part = fc.oneof(fc.constantFrom('a', 'b', '"', '{"a":"b"}', ',', 'null'), fc.string({ maxLength: 3 }));
    const group = fc.dictionary(part, fc.option(part), { maxKeys: 2 });
    fc.assert(
      fc.property(part, group, part, group, (meterA, groupA, meterB, groupB) => {
        const canonical = (name: string, of: typeof groupA): unknown => [
          name,
          Object.entries(of).sort(([x], [y]) => (x < y ? -1 : 1)),
        ];
        const same = JSON.stringify(canonical(meterA, groupA)) === JSON.stringify(canonical(meterB, groupB));
        expect(lineKeyOf(meterA, groupA) === lineKeyOf(meterB, groupB)).toBe(same);
      }),
    );
  });
});
