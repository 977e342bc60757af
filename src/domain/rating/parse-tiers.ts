import { decimal, parseDecimal, zero } from '../decimal.js';
import { DomainFailure } from '../failure.js';
import type { DecimalString } from '../values.js';
import type { Tier } from './price-book.js';
import { pointerTo, readList, readObject, refuseUnknownProperties } from './wire-reader.js';

const tierLimit = 100;
/** How tiers name their price: of a unit, or of a currency unit of an amount. */
export type TierPriceName = 'unit_price' | 'rate';

/**
 * Reads a price or fee: a plain decimal string, zero or more. A negative price is refused: it would let an invoice go
 * below zero without a credit note; reductions are discounts and credits.
 */
export function readPrice(value: unknown, pointer: string): DecimalString {
  const text = parseDecimal(value, pointer);
  if (decimal(text).isNegative()) {
    throw new DomainFailure('VALIDATION_FAILED', 'A price cannot be negative; use a discount or a credit.', pointer);
  }
  return text;
}

/**
 * Tiers are written with inclusive upper bounds only, so they touch by construction (RULES 11). `from` may be given as
 * well and must then equal the bound before it. The texts of prices stay as given: the explanation repeats them.
 *
 * @throws TIERS_EMPTY, TIERS_OVERLAP (bounds not strictly ascending from zero, or a tier after the unbounded one),
 *   TIERS_GAP (`from` above the bound before it), LAST_TIER_BOUNDED
 */
export function parseTiers(value: unknown, pointer: string, priceName: TierPriceName = 'unit_price'): readonly Tier[] {
  const list = readList(value, pointer, tierLimit);
  if (list.length === 0)
    throw new DomainFailure('TIERS_EMPTY', 'At least one tier is needed, the last with "up_to": null.', pointer);
  const tiers: Tier[] = [];
  let bound: DecimalString | null = zero;
  for (const [index, item] of list.entries()) {
    const at = pointerTo(pointer, index);
    const wire = readObject(item, at);
    refuseUnknownProperties(wire, ['from', 'up_to', priceName, 'flat_fee'], at);
    if (bound === null) {
      throw new DomainFailure(
        'TIERS_OVERLAP',
        'The tier before this one is unbounded, so nothing is left for this one.',
        at,
      );
    }
    if (wire['from'] !== undefined) requireTouching(wire['from'], bound, pointerTo(at, 'from'));
    const upTo: DecimalString | null =
      wire['up_to'] === null ? null : parseDecimal(wire['up_to'], pointerTo(at, 'up_to'));
    if (upTo !== null && decimal(upTo).lte(decimal(bound))) {
      throw new DomainFailure(
        'TIERS_OVERLAP',
        `"up_to" must be greater than ${bound}, where the tier begins.`,
        pointerTo(at, 'up_to'),
      );
    }
    tiers.push({
      upTo,
      unitPrice: readPrice(wire[priceName], pointerTo(at, priceName)),
      flatFee: wire['flat_fee'] === undefined ? zero : readPrice(wire['flat_fee'], pointerTo(at, 'flat_fee')),
    });
    bound = upTo;
  }
  if (bound !== null) {
    throw new DomainFailure(
      'LAST_TIER_BOUNDED',
      `Usage above ${bound} would have no price: the last tier needs "up_to": null.`,
      pointerTo(pointerTo(pointer, list.length - 1), 'up_to'),
    );
  }
  return tiers;
}

function requireTouching(value: unknown, bound: DecimalString, pointer: string): void {
  const from = decimal(parseDecimal(value, pointer));
  const sentence = `A tier begins where the one before it ends: "from" must be ${bound}.`;
  if (from.gt(decimal(bound)))
    throw new DomainFailure('TIERS_GAP', `${sentence} Fractions in between would have no price.`, pointer);
  if (from.lt(decimal(bound))) throw new DomainFailure('TIERS_OVERLAP', sentence, pointer);
}
