import { DomainFailure } from '../failure.js';
import { flatProperties, parseFlat } from './models/flat.js';
import { lineTermProperties, parseLineTerms } from './models/line-terms.js';
import { packageProperties, parsePackage } from './models/package.js';
import { parsePercentage, percentageProperties } from './models/percentage.js';
import { parseTiers } from './parse-tiers.js';
import type { TierPriceName } from './parse-tiers.js';
import { parsePriceItem, priceItemProperties } from './price-item.js';
import type { Match, Price, Tier } from './price-book.js';
import { pointerTo, readBoolean, readList, readName, readObject, refuseUnknownProperties } from './wire-reader.js';
import type { WireObject } from './wire-reader.js';

const modelNames: Readonly<Record<string, Price['model']>> = {
  flat: 'flat',
  per_unit: 'flat',
  tiered: 'tiered',
  graduated: 'tiered',
  volume: 'volume',
  package: 'package',
  percentage: 'percentage',
  graduated_percentage: 'graduated_percentage',
};
const groupLimit = 64;
const matchTextLimit = 1_024;

const tierProperties = ['tiers', 'charge_when_zero'] as const;
const commonProperties = [
  'meter',
  'model',
  'match',
  'price_by',
  ...priceItemProperties,
  ...lineTermProperties,
] as const;
const modelProperties: Readonly<Record<Price['model'], readonly string[]>> = {
  flat: flatProperties,
  tiered: tierProperties,
  volume: tierProperties,
  package: packageProperties,
  percentage: percentageProperties,
  graduated_percentage: tierProperties,
};

/** One entry of `prices` that prices a meter. @throws UNKNOWN_PRICE_MODEL, UNKNOWN_PROPERTY, VALIDATION_FAILED and those of tiers */
export function parsePrice(value: unknown, pointer: string): Price {
  const wire = readObject(value, pointer);
  const model = readModel(wire, pointer);
  refuseUnknownProperties(wire, [...commonProperties, ...modelProperties[model]], pointer);
  const base = {
    meter: readName(wire['meter'], pointerTo(pointer, 'meter')),
    match: readMatch(wire['match'], pointerTo(pointer, 'match')),
    priceBy: readPriceBy(wire['price_by'], pointerTo(pointer, 'price_by')),
    ...parsePriceItem(wire, pointer),
    ...parseLineTerms(wire, pointer),
  };
  switch (model) {
    case 'flat':
      return { ...base, model, ...parseFlat(wire, pointer) };
    case 'tiered':
    case 'volume':
      return { ...base, model, ...parseTiered(wire, pointer, 'unit_price') };
    case 'graduated_percentage':
      return { ...base, model, ...parseTiered(wire, pointer, 'rate') };
    case 'package':
      return { ...base, model, ...parsePackage(wire, pointer) };
    case 'percentage':
      if (base.included === null) return { ...base, model, ...parsePercentage(wire, pointer) };
      throw new DomainFailure(
        'VALIDATION_FAILED',
        'A percentage price gives "free_events" and "free_amount", not "included" units.',
        pointerTo(pointer, 'included'),
      );
  }
}

function parseTiered(
  wire: WireObject,
  pointer: string,
  priceName: TierPriceName,
): { readonly tiers: readonly Tier[]; readonly chargeWhenZero: boolean } {
  const chargeWhenZero =
    wire['charge_when_zero'] === undefined
      ? false
      : readBoolean(wire['charge_when_zero'], pointerTo(pointer, 'charge_when_zero'));
  return { tiers: parseTiers(wire['tiers'], pointerTo(pointer, 'tiers'), priceName), chargeWhenZero };
}

function readModel(wire: WireObject, pointer: string): Price['model'] {
  const at = pointerTo(pointer, 'model');
  const name = readName(wire['model'], at);
  const model = Object.hasOwn(modelNames, name) ? modelNames[name] : undefined;
  if (model !== undefined) return model;
  const known = [...Object.keys(modelNames), 'fixed'].join(', ');
  throw new DomainFailure('UNKNOWN_PRICE_MODEL', `"${name}" is not a price model; known are ${known}.`, at);
}

/** Properties with the text that they must have; null: the event does not have the property. */
function readMatch(value: unknown, pointer: string): Match {
  if (value === undefined) return {};
  const wire = readObject(value, pointer);
  const names = Object.keys(wire).sort();
  readList(names, pointer, groupLimit);
  return Object.fromEntries(
    names.map((name) => {
      const text = wire[name];
      const at = pointerTo(pointer, name);
      readName(name, at);
      if (text === null || (typeof text === 'string' && text.length <= matchTextLimit)) return [name, text];
      throw new DomainFailure(
        'VALIDATION_FAILED',
        `A text of at most ${matchTextLimit} characters, or null, is expected here.`,
        at,
      );
    }),
  );
}

function readPriceBy(value: unknown, pointer: string): readonly string[] | null {
  if (value === undefined) return null;
  const names = readList(value, pointer, groupLimit).map((item, index) => readName(item, pointerTo(pointer, index)));
  const repeated = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (repeated >= 0)
    throw new DomainFailure('VALIDATION_FAILED', 'A property can be named only once.', pointerTo(pointer, repeated));
  return [...names].sort();
}
