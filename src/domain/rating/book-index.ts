import { groupBy } from '../group-by.js';
import type { FixedFee, Price, PriceBookVersion } from './price-book.js';

/** What rating asks of a price book version for every customer. */
export interface BookIndex {
  /** Prices by the meter that they are of, whatever they match. */
  readonly byMeter: ReadonlyMap<string, readonly Price[]>;
  /** Meters with a price that is due without usage (RULES 12, 15). */
  readonly dueWithoutUsage: readonly string[];
  /** Meters that fees are counted by, and of them those for fees in advance. */
  readonly countedForFees: readonly string[];
  readonly countedInAdvance: readonly string[];
}

/** Versions never change, so their index is kept as long as they are: closing a month rates thousands of customers by few. */
const indexes = new WeakMap<PriceBookVersion, BookIndex>();

export function indexOf(book: PriceBookVersion): BookIndex {
  const known = indexes.get(book);
  if (known !== undefined) return known;
  const index = {
    byMeter: groupBy(book.prices, ({ meter }) => meter),
    dueWithoutUsage: book.prices.filter(isDueWithoutUsage).map(({ meter }) => meter),
    countedForFees: countedBy(book.fees),
    countedInAdvance: countedBy(book.fees.filter(({ billed }) => billed === 'in_advance')),
  };
  indexes.set(book, index);
  return index;
}

const countedBy = (fees: readonly FixedFee[]): readonly string[] =>
  fees.flatMap(({ quantityMeter }) => quantityMeter ?? []);

export const isDueWithoutUsage = (price: Price): boolean =>
  price.minimum !== null || ('chargeWhenZero' in price && price.chargeWhenZero);
