import { decimal } from '../decimal.js';
import { DomainFailure } from '../failure.js';
import { addsUp } from '../metering/meter.js';
import type { Meter } from '../metering/meter.js';
import { findCurrency } from '../money/currency.js';
import { parseAlignedInstant, parseEffectiveFrom } from '../time/effective-from.js';
import type { Instant, LocalDate } from '../values.js';
import { lineWithoutUsage, pricingProperties, refuseAmbiguous } from './match.js';
import { parseFixed } from './models/fixed.js';
import { readOptionalPrice } from './models/line-terms.js';
import { parsePrice } from './parse-price.js';
import { roundingModes } from './price-book.js';
import { priceBookToWire } from './price-book-to-wire.js';
import type { FixedFee, Price, PriceBookVersion, RoundingMode } from './price-book.js';
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
  'minimum_commitment',
] as const;

/** What a price book version says of itself; identity and order of learning come from storage. */
export type PriceBookContent = Omit<PriceBookVersion, 'priceBookId' | 'learnedOrder'>;

/**
 * Reads a price book version from its wire shape. `per_unit` becomes `flat`, `graduated` becomes `tiered`; the texts of
 * decimals stay as given. The first thing wrong is thrown, with a JSON pointer to it.
 *
 * @throws UNKNOWN_PROPERTY, VALIDATION_FAILED, UNKNOWN_CURRENCY, EFFECTIVE_FROM_NOT_ALIGNED (RULES 19), DUPLICATE_PRICE
 *   (RULES 17), UNKNOWN_PRICE_MODEL and the refusals of `parseTiers` (RULES 11)
 */
export function parsePriceBook(value: unknown): PriceBookContent {
  const wire = readObject(value, '');
  refuseUnknownProperties(wire, bookProperties, '');
  const effectiveFrom = readEffectiveFrom(wire['effective_from']);
  return {
    code: readName(wire['code'], '/code'),
    version: readName(wire['version'], '/version'),
    currency: findCurrency(readName(wire['currency'], '/currency'), '/currency').code,
    effectiveFrom,
    effectiveUntil: readEffectiveUntil(wire['effective_until'], effectiveFrom),
    rounding: readRounding(wire['rounding']),
    ...parsePrices(wire['prices']),
    minimumCommitment: readOptionalPrice(wire, 'minimum_commitment', ''),
  };
}

/**
 * What is asked of a price book when it is given, and not when it is read again: its meters exist, group by what prices match and
 * are priced by, and can be priced so; no rate is above 1.
 *
 * @param wire what the book was read from, so that a refusal points into it; by default its canonical form
 * @throws UNKNOWN_METER, VALIDATION_FAILED
 */
export function requireMetersOf(
  book: PriceBookContent,
  meters: readonly Meter[],
  wire: unknown = priceBookToWire(book),
): void {
  const places = placesOf(wire);
  const meterOf = (code: string, pointer: string): Meter => {
    const meter = meters.find((candidate) => candidate.code === code);
    if (meter !== undefined) return meter;
    throw new DomainFailure('UNKNOWN_METER', `There is no meter "${code}"; create it first.`, pointer);
  };
  for (const [index, price] of book.prices.entries()) {
    const pointer = places.prices[index] ?? '/prices';
    const meter = meterOf(price.meter, pointerTo(pointer, 'meter'));
    requirePriceable(price, meter, pointer);
    refuseRateAboveOne(price, pointer);
    if (!addsUp(meter)) requireOnePooling(book.prices.slice(0, index + 1), meter, pointer);
  }
  for (const [index, { quantityMeter }] of book.fees.entries()) {
    if (quantityMeter === null) continue;
    const pointer = pointerTo(places.fees[index] ?? '/prices', 'quantity_meter');
    meterOf(quantityMeter, pointer);
    if (!book.prices.some(({ meter }) => meter === quantityMeter)) continue;
    refuse(
      `"${quantityMeter}" has a price of its own here: what a fee is counted by is not charged for twice.`,
      pointer,
    );
  }
}

/** Prices of meters and fees stand in one list of the wire shape. */
function placesOf(wire: unknown): { readonly prices: readonly string[]; readonly fees: readonly string[] } {
  const entries = readList(readObject(wire, '')['prices'], '/prices', priceLimit);
  const places = entries.map((entry, index) => ({ isFee: isFixed(entry), pointer: pointerTo('/prices', index) }));
  return {
    prices: places.filter(({ isFee }) => !isFee).map(({ pointer }) => pointer),
    fees: places.filter(({ isFee }) => isFee).map(({ pointer }) => pointer),
  };
}

const isFixed = (entry: unknown): boolean =>
  typeof entry === 'object' && entry !== null && 'model' in entry && entry.model === 'fixed';

const refuse = (detail: string, pointer: string): never => {
  throw new DomainFailure('VALIDATION_FAILED', detail, pointer);
};

function requirePriceable(price: Price, meter: Meter, pointer: string): void {
  const { code, groupBy } = meter;
  const strange = (price.priceBy ?? []).find((property) => !groupBy.includes(property));
  if (strange !== undefined) {
    refuse(
      `The meter "${code}" does not group by "${strange}"; "price_by" can only name what it groups by.`,
      pointerTo(pointer, 'price_by'),
    );
  }
  const unknown = Object.keys(price.match).find((property) => !groupBy.includes(property));
  if (unknown !== undefined) {
    refuse(
      `The meter "${code}" does not group by "${unknown}"; "match" can only name what it groups by.`,
      pointerTo(pointerTo(pointer, 'match'), unknown),
    );
  }
  if (price.minimum !== null && price.priceBy === null && lineWithoutUsage(price, groupBy) === null) {
    refuse(
      `"${code}" groups by ${groupBy.join(', ')}: say with "price_by" whether the minimum holds for each group or, with [], for all together.`,
      pointerTo(pointer, 'minimum'),
    );
  }
  if (price.model === 'percentage' && !addsUp(meter)) {
    refuse(
      `A percentage is taken of each event, and those of "${code}" (${meter.aggregation}) do not add up to its quantity.`,
      pointerTo(pointer, 'model'),
    );
  }
}

/**
 * Beside a discount of "10", which is 10 %, a rate of "1.3" is a slip that would bill a hundred times too much. Refused where
 * a version is given, not where one is read: what was stored before goes on holding.
 */
function refuseRateAboveOne(price: Price, pointer: string): void {
  const rates =
    price.model === 'percentage'
      ? [{ rate: price.rate, at: pointer }]
      : price.model === 'graduated_percentage'
        ? price.tiers.map(({ unitPrice: rate }, index) => ({ rate, at: pointerTo(pointerTo(pointer, 'tiers'), index) }))
        : [];
  const slip = rates.find(({ rate }) => decimal(rate).gt(1));
  if (slip === undefined) return;
  refuse(
    `"rate" is a fraction, at most 1: 0.013 is 1.3 %. To bill more than what is counted, as a mark-up does, use a "flat" price.`,
    pointerTo(slip.at, 'rate'),
  );
}

/** What does not add up is taken over the events of a pool, so all prices of the meter must pool alike. */
function requireOnePooling(prices: readonly Price[], { code, groupBy }: Meter, pointer: string): void {
  const own = prices.filter(({ meter }) => meter === code);
  const pools = new Set(own.map((price) => JSON.stringify(pricingProperties(price) ?? [...groupBy].sort())));
  if (pools.size <= 1) return;
  refuse(
    `The usage of "${code}" does not add up over groups: all its prices must have the same properties in "match" and "price_by" together.`,
    pointerTo(pointer, 'price_by'),
  );
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

/** Prices of meters, and fees. */
export function parsePrices(value: unknown): Pick<PriceBookVersion, 'prices' | 'fees'> {
  const prices: { readonly price: Price; readonly pointer: string }[] = [];
  const fees: FixedFee[] = [];
  for (const [index, entry] of readList(value, '/prices', priceLimit).entries()) {
    const pointer = pointerTo('/prices', index);
    if (isFixed(entry)) fees.push(newFee(parseFixed(readObject(entry, pointer), pointer), fees, pointer));
    else prices.push({ price: parsePrice(entry, pointer), pointer });
  }
  refuseAmbiguous(prices);
  return { prices: prices.map(({ price }) => price), fees };
}

/** @throws DUPLICATE_PRICE */
function newFee(fee: FixedFee, others: readonly FixedFee[], pointer: string): FixedFee {
  if (!others.some(({ name }) => name === fee.name)) return fee;
  throw new DomainFailure(
    'DUPLICATE_PRICE',
    `There are two fees "${fee.name}": the name is what tells them apart.`,
    pointerTo(pointer, 'name'),
  );
}
