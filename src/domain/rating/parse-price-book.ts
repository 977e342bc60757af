import { DomainFailure } from '../failure.js';
import type { Meter } from '../metering/meter.js';
import { findCurrency } from '../money/currency.js';
import { parseAlignedInstant, parseEffectiveFrom } from '../time/effective-from.js';
import type { Instant, LocalDate } from '../values.js';
import { parsePrice } from './parse-price.js';
import { roundingModes } from './price-book.js';
import type { Price, PriceBookVersion, RoundingMode } from './price-book.js';
import { pointerTo, readList, readName, readObject, refuseUnknownProperties } from './wire-reader.js';

const priceLimit = 1000;
const bookProperties = [
  'code',
  'version',
  'currency',
  'effective_from',
  'effective_until',
  'rounding',
  'prices',
] as const;

/** What a price book version says of itself; identity and order of learning come from storage. */
export type PriceBookContent = Omit<PriceBookVersion, 'priceBookId' | 'learnedOrder'>;

/**
 * Reads a price book version from its wire shape. `per_unit` becomes `flat`, `graduated` becomes `tiered`; the texts of
 * decimals stay as given. The first thing wrong is thrown, with a JSON pointer to it.
 *
 * @throws UNKNOWN_PROPERTY, VALIDATION_FAILED, UNKNOWN_CURRENCY, EFFECTIVE_FROM_NOT_ALIGNED (RULES 19), DUPLICATE_PRICE
 *   (RULES 17), UNSUPPORTED_PRICE_FEATURE, UNKNOWN_PRICE_MODEL and the refusals of `parseTiers` (RULES 11)
 */
export function parsePriceBook(value: unknown): PriceBookContent {
  const wire = readObject(value, '');
  if (wire['minimum_commitment'] !== undefined) {
    throw new DomainFailure(
      'UNSUPPORTED_PRICE_FEATURE',
      '"minimum_commitment" is not supported by this version yet.',
      '/minimum_commitment',
    );
  }
  refuseUnknownProperties(wire, bookProperties, '');
  const effectiveFrom = readEffectiveFrom(wire['effective_from']);
  return {
    code: readName(wire['code'], '/code'),
    version: readName(wire['version'], '/version'),
    currency: findCurrency(readName(wire['currency'], '/currency'), '/currency').code,
    effectiveFrom,
    effectiveUntil: readEffectiveUntil(wire['effective_until'], effectiveFrom),
    rounding: readRounding(wire['rounding']),
    prices: readPrices(wire['prices']),
  };
}

/**
 * What the price book alone cannot show: its meters exist and `price_by` is a subset of what the meter groups by.
 *
 * @throws UNKNOWN_METER, VALIDATION_FAILED
 */
export function requireMetersOf(book: PriceBookContent, meters: readonly Meter[]): void {
  for (const [index, price] of book.prices.entries()) {
    const meter = meters.find(({ code }) => code === price.meter);
    if (meter === undefined) {
      throw new DomainFailure(
        'UNKNOWN_METER',
        `There is no meter "${price.meter}"; create it first.`,
        `/prices/${index}/meter`,
      );
    }
    const strange = (price.priceBy ?? []).find((property) => !meter.groupBy.includes(property));
    if (strange !== undefined) {
      throw new DomainFailure(
        'VALIDATION_FAILED',
        `The meter "${meter.code}" does not group by "${strange}"; "price_by" can only name what it groups by.`,
        `/prices/${index}/price_by`,
      );
    }
  }
}

function readEffectiveFrom(value: unknown): Instant | LocalDate {
  return parseEffectiveFrom(readName(value, '/effective_from'), '/effective_from');
}

function readEffectiveUntil(value: unknown, from: Instant | LocalDate): Instant | null {
  if (value === undefined || value === null) return null;
  const until = parseAlignedInstant(readName(value, '/effective_until'), '/effective_until');
  // A local date begins somewhere in the 14 hours before or the 12 after its UTC midnight; text order is enough to refuse
  // what can hold in no zone at all.
  if (until <= from) {
    throw new DomainFailure(
      'VALIDATION_FAILED',
      '"effective_until" must come after "effective_from".',
      '/effective_until',
    );
  }
  return until;
}

function readRounding(value: unknown): RoundingMode {
  if (value === undefined) return 'half_even';
  const mode = roundingModes.find((known) => known === value);
  if (mode === undefined) {
    throw new DomainFailure('VALIDATION_FAILED', `"rounding" must be one of ${roundingModes.join(', ')}.`, '/rounding');
  }
  return mode;
}

function readPrices(value: unknown): readonly Price[] {
  const seen = new Set<string>();
  return readList(value, '/prices', priceLimit).map((item, index) => {
    const pointer = pointerTo('/prices', index);
    const price = parsePrice(item, pointer);
    if (seen.has(price.meter)) {
      throw new DomainFailure(
        'DUPLICATE_PRICE',
        `Two prices would hold for the same usage of "${price.meter}".`,
        pointer,
      );
    }
    seen.add(price.meter);
    return price;
  });
}
