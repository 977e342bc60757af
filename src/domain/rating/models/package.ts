import { decimal, divide, toDecimalString } from '../../decimal.js';
import type { D } from '../../decimal.js';
import { DomainFailure } from '../../failure.js';
import type { DecimalString } from '../../values.js';
import { readPrice } from '../parse-tiers.js';
import type { PackagePrice } from '../price-book.js';
import { pointerTo } from '../wire-reader.js';
import type { WireObject } from '../wire-reader.js';
import type { PricedShare } from './priced-share.js';
import { ZERO } from './tiers.js';

export const packageProperties = ['package_size', 'package_price'] as const;

type Package = Pick<PackagePrice, 'packageSize' | 'packagePrice'>;

export function parsePackage(wire: WireObject, pointer: string): Package {
  const at = pointerTo(pointer, 'package_size');
  const packageSize: DecimalString = readPrice(wire['package_size'], at);
  if (decimal(packageSize).isZero())
    throw new DomainFailure('VALIDATION_FAILED', 'A package holds more than nothing.', at);
  return { packageSize, packagePrice: readPrice(wire['package_price'], pointerTo(pointer, 'package_price')) };
}

/** Every started package (RULES 13); zero usage, and usage below zero, starts none. */
export function pricePackage({ packageSize, packagePrice }: Package, quantity: D): PricedShare {
  const isUsed = quantity.isPositive() && !quantity.isZero();
  const packages = isUsed ? divide(quantity, decimal(packageSize), { places: 0, mode: 'up' }) : ZERO;
  const count = toDecimalString(packages);
  return {
    amount: packages.times(decimal(packagePrice)),
    formula: `${count} × ${packagePrice}`,
    unitPrice: null,
    tiers: [],
    details: { package: { size: packageSize, price: packagePrice, packages: count } },
  };
}
