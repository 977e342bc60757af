/** Dimensional prices: which price of a meter holds for a group of its usage (RULES 17). */
import { DomainFailure } from '../failure.js';
import { groupBy } from '../group-by.js';
import { groupKeyText, projectGroup } from '../metering/group-key.js';
import type { GroupKey } from '../values.js';
import type { Match, Price } from './price-book.js';

/** A property that the group does not have at all (the meter does not group by it) has no value to match. */
export function matches(match: Match, group: GroupKey): boolean {
  for (const property in match) {
    if (!Object.hasOwn(group, property) || group[property] !== match[property]) return false;
  }
  return true;
}

/** How many properties a match names. */
export const specificity = (match: Match): number => Object.keys(match).length;

/** Of the prices of one meter the one that holds for the group; null: none matches. */
export function mostSpecific(prices: readonly Price[], group: GroupKey): Price | null {
  let found: Price | null = null;
  for (const price of prices) {
    if (!matches(price.match, group)) continue;
    if (found === null || specificity(price.match) > specificity(found.match)) found = price;
  }
  return found;
}

/**
 * The properties that make up a price's lines: what it is priced by and, because they tell its lines from those of the
 * meter's other prices, what it matches. null: all that the meter groups by.
 */
export function pricingProperties({ match, priceBy }: Pick<Price, 'match' | 'priceBy'>): readonly string[] | null {
  if (priceBy === null || specificity(match) === 0) return priceBy;
  return [...new Set([...priceBy, ...Object.keys(match)])].sort();
}

/** The line that the price puts a group of usage on. */
export const pricingGroup = (price: Pick<Price, 'match' | 'priceBy'>, group: GroupKey): GroupKey =>
  projectGroup(group, pricingProperties(price));

/** The only line of a price whose lines need no usage to be known; null: its groups are known from usage alone. */
export function lineWithoutUsage(price: Pick<Price, 'match' | 'priceBy'>, groupBy: readonly string[]): GroupKey | null {
  const properties = pricingProperties(price) ?? groupBy;
  return properties.every((property) => Object.hasOwn(price.match, property)) ? price.match : null;
}

interface PlacedPrice {
  readonly price: Pick<Price, 'meter' | 'match'>;
  readonly pointer: string;
}

/**
 * Refuses prices of a version of which two could hold for the same event: their matches name as many properties, do not
 * contradict each other, and no more specific price takes all that both match.
 * @throws DUPLICATE_PRICE at the later of the two
 */
export function refuseAmbiguous(prices: readonly PlacedPrice[]): void {
  const byMeter = groupBy(prices, ({ price }) => price.meter);
  const refusals = [...byMeter.values()].flatMap((own) => own.filter((placed, at) => isAmbiguous(placed, own, at)));
  const [first] = prices.filter((placed) => refusals.includes(placed));
  if (first === undefined) return;
  const { meter, match } = first.price;
  const which = specificity(match) === 0 ? '' : ` that matches ${groupKeyText(match)}`;
  throw new DomainFailure(
    'DUPLICATE_PRICE',
    `Two prices would hold for the same usage of "${meter}"${which}; add a price that matches more, or leave one out.`,
    first.pointer,
  );
}

function isAmbiguous({ price }: PlacedPrice, own: readonly PlacedPrice[], at: number): boolean {
  return own.slice(0, at).some(({ price: earlier }) => {
    const both = intersection(price.match, earlier.match);
    if (specificity(price.match) !== specificity(earlier.match) || both === null) return false;
    const decides = own.some(
      (other) => specificity(other.price.match) > specificity(price.match) && matches(other.price.match, both),
    );
    return !decides;
  });
}

/** What matches both; null: nothing can. */
export function intersection(a: Match, b: Match): Match | null {
  const contradicts = Object.keys(a).some((property) => Object.hasOwn(b, property) && a[property] !== b[property]);
  return contradicts ? null : { ...a, ...b };
}
