import { parsePriceBook } from '../domain/rating/parse-price-book.js';
import type { PriceBookContent } from '../domain/rating/parse-price-book.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import type { PriceBookWire } from '../domain/rating/price-book-to-wire.js';

/** No stored version has it, so that nothing takes one for the other. */
const evaluatedId = '00000000-0000-0000-0000-000000000000';

/** A version that somebody asks about, which need not be stored; beside every other it is the one learned last. */
export function evaluatedVersion(content: PriceBookContent): PriceBookVersion {
  return { ...content, priceBookId: evaluatedId, learnedOrder: Number.MAX_SAFE_INTEGER };
}

/** As a run keeps it. */
export function storedEvaluatedVersion(wire: PriceBookWire): PriceBookVersion {
  return evaluatedVersion(parsePriceBook(wire));
}
