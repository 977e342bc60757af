import { ratePeriod } from '../../src/domain/rating/rate.js';
import {
  flat,
  january,
  onlyLine,
  ratingInput,
  seedTiers,
  tiered,
  used,
  version,
  volume,
  withFees,
} from '../support/rating-input.js';

describe('several versions in the period (RULES 20)', () => {
  const v1 = version('v1', [tiered(withFees)]);
  const v2 = version('v2', [
    tiered([
      ['1000', '0.20', '7'],
      [null, '0.16', '9'],
    ]),
  ]);

  test('tiered: each version prices its share of the cumulative', () => {
    const line = onlyLine(ratePeriod(ratingInput([v1, v2], [used(0, '800'), used(1, '700')])));
    expect(
      line.charges.map(({ amount, calculation }) => [amount, calculation.formula, calculation.quantity_before]),
    ).toEqual([
      ['85.00', '800 × 0.10 + 5.00', '0'],
      ['129.00', '200 × 0.20 + 500 × 0.16 + 9', '800'],
    ]);
    expect(line).toMatchObject({
      quantity: '1500',
      amount: '214',
      formula: '800 × 0.10 + 5.00 + 200 × 0.20 + 500 × 0.16 + 9',
    });
  });

  test('a version without usage has no charge', () => {
    const line = onlyLine(ratePeriod(ratingInput([v1, v2], [used(1, '10')])));
    expect(line.charges.map(({ priceBookId }) => priceBookId)).toEqual(['standard/v2']);
  });

  test('a tier that was filled to its bound before the change is entered after it', () => {
    const line = onlyLine(ratePeriod(ratingInput([v1, v2], [used(0, '1000'), used(1, '100')])));
    expect(line.formula).toBe('1000 × 0.10 + 5.00 + 100 × 0.16 + 9');
  });

  test('a fee is given back with the units that made it due', () => {
    const line = onlyLine(ratePeriod(ratingInput([v1, v2], [used(0, '1200'), used(1, '-300')])));
    expect(line.formula).toBe('1000 × 0.10 + 5.00 + 200 × 0.08 + 10.00 − 100 × 0.20 − 200 × 0.16 − 9');
    expect(line.amount).toBe('70');
  });

  test('volume: one flat fee, from the version at the end even without usage in it', () => {
    const books = [
      version('v1', [volume(withFees)]),
      version('v2', [
        volume([
          ['1000', '0.20', '7'],
          [null, '0.16', '9'],
        ]),
      ]),
    ];
    const line = onlyLine(ratePeriod(ratingInput(books, [used(0, '1500')])));
    expect(line.charges.map(({ amount, eventCount }) => [amount, eventCount])).toEqual([
      ['120.00', 1],
      ['9.00', 0],
    ]);
  });

  test('a version that comes back has one charge with all its stretches', () => {
    const promotion = version('promotion', [flat('0.05')]);
    const standard = version('v1', [flat('0.10')]);
    const usage = [used(0, '10'), used(1, '20'), used(2, '30')];
    const line = onlyLine(ratePeriod(ratingInput([standard, promotion, standard], usage)));
    expect(line.charges.map(({ quantity, calculation }) => [quantity, calculation.in_force.length])).toEqual([
      ['40', 2],
      ['20', 1],
    ]);
    expect(line.amount).toBe('5');
  });

  test.each([
    ['flat, then tiered', [flat('9'), tiered(seedTiers)]],
    ['volume, then flat, then tiered', [volume(seedTiers), flat('9'), tiered(seedTiers)]],
    ['tiered, then flat, then tiered again', [tiered([[null, '9']]), flat('9'), tiered(seedTiers)]],
  ])('a change of model gives the whole period to the last version: %s', (_name, prices) => {
    const books = prices.map((price, index) => version(`v${index}`, [price]));
    const line = onlyLine(ratePeriod(ratingInput(books, [used(0, '800'), used(1, '700')])));
    expect(line).toMatchObject({ amount: '140', formula: '1000 × 0.10 + 500 × 0.08' });
    expect(line.charges).toHaveLength(1);
    expect(line.charges[0]?.calculation.in_force).toEqual([january]);
  });

  test('rounding follows the version at the end', () => {
    const books = [version('v1', [flat('0.005')]), version('v2', [flat('0.000')], { rounding: 'up' })];
    expect(onlyLine(ratePeriod(ratingInput(books, [used(0, '1'), used(1, '1')]))).amount).toBe('0.01');
  });
});
