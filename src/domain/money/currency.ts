import { DomainFailure } from '../failure.js';
import { currencyTable } from './currencies.js';

export interface Currency {
  /** Three capital letters. */
  readonly code: string;
  /** Three digits. */
  readonly numeric: string;
  /** Digits after the point of an amount. */
  readonly minorUnits: number;
  readonly name: string;
}

const currencies: ReadonlyMap<string, Currency> = new Map(
  currencyTable.map(([code, numeric, minorUnits, name]) => [code, { code, numeric, minorUnits, name }]),
);

/** @throws DomainFailure UNKNOWN_CURRENCY */
export function findCurrency(code: string, pointer?: string): Currency {
  const currency = currencies.get(code);
  if (currency === undefined) {
    const detail = `"${code.slice(0, 16)}" is not a current ISO 4217 currency; use a code such as "USD", in capitals.`;
    throw new DomainFailure('UNKNOWN_CURRENCY', detail, pointer);
  }
  return currency;
}

/** Whether it is the code of a current currency. */
export const isCurrency = (code: string): boolean => currencies.has(code);

/**
 * Digits after the point to which amounts of a currency are rounded.
 *
 * @throws DomainFailure UNKNOWN_CURRENCY
 */
export function minorUnits(currency: string): number {
  return findCurrency(currency).minorUnits;
}
