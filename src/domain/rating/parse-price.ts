import { DomainFailure } from '../failure.js';
import { parseTiers, readPrice } from './parse-tiers.js';
import type { Price } from './price-book.js';
import { pointerTo, readBoolean, readList, readName, readObject, refuseUnknownProperties } from './wire-reader.js';
import type { WireObject } from './wire-reader.js';

/** Models of the contract that a later version brings; known, so that the refusal says so instead of "unknown". */
const laterModels: readonly string[] = ['package', 'percentage', 'graduated_percentage', 'fixed'];
const laterProperties: readonly string[] = ['match', 'included', 'minimum', 'maximum', 'discount_percent'];
const modelNames: Readonly<Record<string, Price['model']>> = {
  flat: 'flat',
  per_unit: 'flat',
  tiered: 'tiered',
  graduated: 'tiered',
  volume: 'volume',
};
const groupLimit = 64;

const commonProperties = ['meter', 'model', 'price_by'] as const;
const flatProperties = [...commonProperties, 'unit_price'] as const;
const tierProperties = [...commonProperties, 'tiers', 'charge_when_zero'] as const;

/** One entry of `prices`. @throws UNKNOWN_PRICE_MODEL, UNSUPPORTED_PRICE_FEATURE, UNKNOWN_PROPERTY and those of tiers */
export function parsePrice(value: unknown, pointer: string): Price {
  const wire = readObject(value, pointer);
  const model = readModel(wire, pointer);
  for (const key of laterProperties) {
    if (wire[key] !== undefined) {
      throw new DomainFailure(
        'UNSUPPORTED_PRICE_FEATURE',
        `"${key}" is not supported by this version yet.`,
        pointerTo(pointer, key),
      );
    }
  }
  refuseUnknownProperties(wire, model === 'flat' ? flatProperties : tierProperties, pointer);
  const base = {
    meter: readName(wire['meter'], pointerTo(pointer, 'meter')),
    priceBy: readPriceBy(wire['price_by'], pointerTo(pointer, 'price_by')),
  };
  if (model === 'flat')
    return { ...base, model, unitPrice: readPrice(wire['unit_price'], pointerTo(pointer, 'unit_price')) };
  const chargeWhenZero =
    wire['charge_when_zero'] === undefined
      ? false
      : readBoolean(wire['charge_when_zero'], pointerTo(pointer, 'charge_when_zero'));
  return { ...base, model, tiers: parseTiers(wire['tiers'], pointerTo(pointer, 'tiers')), chargeWhenZero };
}

function readModel(wire: WireObject, pointer: string): Price['model'] {
  const at = pointerTo(pointer, 'model');
  const name = readName(wire['model'], at);
  const model = Object.hasOwn(modelNames, name) ? modelNames[name] : undefined;
  if (model !== undefined) return model;
  if (laterModels.includes(name)) {
    throw new DomainFailure(
      'UNSUPPORTED_PRICE_FEATURE',
      `The price model "${name}" is not supported by this version yet.`,
      at,
    );
  }
  throw new DomainFailure(
    'UNKNOWN_PRICE_MODEL',
    `"${name}" is not a price model; known are flat, tiered and volume.`,
    at,
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
