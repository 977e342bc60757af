import { D, decimal, divide, toDecimalString } from '../../decimal.js';
import { DomainFailure } from '../../failure.js';
import { instantToMicros } from '../../time/instant.js';
import type { DecimalString, Interval } from '../../values.js';
import { readPrice } from '../parse-tiers.js';
import type { FixedFee } from '../price-book.js';
import { parsePriceItem, priceItemProperties, priceItemToWire } from '../price-item.js';
import type { PriceItemWire } from '../price-item.js';
import { pointerTo, readBoolean, readName, refuseUnknownProperties } from '../wire-reader.js';
import type { WireObject } from '../wire-reader.js';
import type { PricedShare } from './priced-share.js';

const fixedProperties = [
  'model',
  'name',
  'amount',
  'billed',
  'prorate',
  'quantity_meter',
  ...priceItemProperties,
] as const;

/** @throws UNKNOWN_PROPERTY, VALIDATION_FAILED and the refusals of decimals */
export function parseFixed(wire: WireObject, pointer: string): FixedFee {
  refuseUnknownProperties(wire, fixedProperties, pointer);
  const quantityMeter = wire['quantity_meter'];
  return {
    model: 'fixed',
    name: readName(wire['name'], pointerTo(pointer, 'name')),
    amount: readPrice(wire['amount'], pointerTo(pointer, 'amount')),
    billed: readBilled(wire['billed'], pointerTo(pointer, 'billed')),
    prorate: wire['prorate'] === undefined ? false : readBoolean(wire['prorate'], pointerTo(pointer, 'prorate')),
    quantityMeter:
      quantityMeter === undefined || quantityMeter === null
        ? null
        : readName(quantityMeter, pointerTo(pointer, 'quantity_meter')),
    ...parsePriceItem(wire, pointer),
  };
}

function readBilled(value: unknown, pointer: string): FixedFee['billed'] {
  if (value === 'in_advance' || value === 'in_arrears') return value;
  throw new DomainFailure('VALIDATION_FAILED', '"billed" must be "in_advance" or "in_arrears".', pointer);
}

export interface FixedWire extends PriceItemWire {
  readonly model: 'fixed';
  readonly name: string;
  readonly amount: DecimalString;
  readonly billed: FixedFee['billed'];
  readonly prorate: boolean;
  readonly quantity_meter?: string;
}

export function fixedToWire({ name, amount, billed, prorate, quantityMeter, item }: FixedFee): FixedWire {
  return {
    model: 'fixed',
    name,
    amount,
    billed,
    prorate,
    ...(quantityMeter === null ? {} : { quantity_meter: quantityMeter }),
    ...(item !== undefined && priceItemToWire({ item })),
  };
}

/** A prorated amount is a fraction; its digits after the point are rounded half-even, far below any minor unit. */
const proratedPlaces = 12;

/**
 * The fee of one version: whole, or for the share of its period in which it is in force, by time elapsed between instants.
 * @param inForce stretches of the period
 */
export function priceFixed(
  fee: FixedFee,
  {
    quantity,
    period,
    inForce,
  }: { readonly quantity: D; readonly period: Interval; readonly inForce: readonly Interval[] },
): PricedShare {
  const { name, amount, billed, quantityMeter } = fee;
  const units = quantityMeter === null ? '' : `${toDecimalString(quantity)} × `;
  const whole = quantity.times(decimal(amount));
  const fixed = { name, amount, billed, quantity_meter: quantityMeter };
  const share = { unitPrice: amount, tiers: [] };
  const [elapsed, length] = [inForce.reduce((sum, own) => sum + lengthOf(own), 0n), lengthOf(period)];
  if (!fee.prorate || elapsed === length) {
    return { ...share, amount: whole, formula: `${units}${amount}`, details: { fixed } };
  }
  const [part, all] = [seconds(elapsed), seconds(length)];
  return {
    ...share,
    amount: divide(whole.times(decimal(part)), decimal(all), { places: proratedPlaces, mode: 'half_even' }),
    formula: `${units}${amount} × ${part} / ${all} (seconds in force)`,
    details: { fixed: { ...fixed, elapsed_seconds: part, period_seconds: all } },
  };
}

const lengthOf = ({ from, to }: Interval): bigint => instantToMicros(to) - instantToMicros(from);
const seconds = (micros: bigint): DecimalString => toDecimalString(new D(micros.toString()).times(new D('0.000001')));
