import { decimal, parseDecimal } from '../decimal.js';
import { DomainFailure } from '../failure.js';
import { roundingModes } from '../rating/price-book.js';
import { pointerTo, readList, readName, readObject, refuseUnknownProperties } from '../rating/wire-reader.js';
import { parseLocalDate } from '../time/local-date.js';
import type { DecimalString } from '../values.js';
import type { TaxRate, TaxTable } from './table-provider.js';
import { taxCategories } from './tax.js';
import type { TaxCategory } from './tax.js';

const ratesMax = 10_000;

/**
 * Reads a tax table: `{"rounding": "half_up", "per": "document", "categories": {"ebooks": "reduced"}, "rates": [{"country": "DE",
 * "category": "standard", "rate": "19", "from": "2021-01-01", "until": "2026-12-31"}]}`.
 * @throws DomainFailure VALIDATION_FAILED, UNKNOWN_PROPERTY, INVALID_DECIMAL, INVALID_DATE with a pointer
 */
export function parseTaxTable(value: unknown): TaxTable {
  const wire = readObject(value, '');
  refuseUnknownProperties(wire, ['per', 'rounding', 'categories', 'rates'], '');
  const categories = Object.entries(readObject(wire['categories'] ?? {}, '/categories'));
  return {
    per: oneOf(['document', 'line'] as const, wire['per'] ?? 'document', '/per'),
    rounding: oneOf(roundingModes, wire['rounding'] ?? 'half_up', '/rounding'),
    categories: Object.fromEntries(
      categories.map(([code, category]): [string, TaxCategory] => [
        code,
        oneOf(taxCategories, category, pointerTo('/categories', code)),
      ]),
    ),
    rates: readList(wire['rates'], '/rates', ratesMax).map((rate, index) => readRate(rate, pointerTo('/rates', index))),
  };
}

function readRate(value: unknown, pointer: string): TaxRate {
  const wire = readObject(value, pointer);
  refuseUnknownProperties(wire, ['country', 'category', 'rate', 'from', 'until'], pointer);
  const country = readName(wire['country'], pointerTo(pointer, 'country'));
  if (!/^[A-Z]{2}$/.test(country))
    refuse('A country is two capital letters (ISO 3166-1).', pointerTo(pointer, 'country'));
  const day = (name: string) =>
    parseLocalDate(readName(wire[name], pointerTo(pointer, name)), pointerTo(pointer, name));
  const [from, until] = [day('from'), wire['until'] === undefined || wire['until'] === null ? null : day('until')];
  if (until !== null && until < from) refuse('"until" must not come before "from".', pointerTo(pointer, 'until'));
  return {
    country,
    category: oneOf(['standard', 'reduced'] as const, wire['category'], pointerTo(pointer, 'category')),
    rate: readPercent(wire['rate'], pointerTo(pointer, 'rate')),
    from,
    until,
  };
}

function readPercent(value: unknown, pointer: string): DecimalString {
  const rate = parseDecimal(value, pointer);
  // EN 16931 refuses the category that both become at 0 % (BR-S-05).
  if (decimal(rate).isZero()) {
    const detail =
      'A standard or reduced rate is above 0. What is taxed at 0 % has a category of its own: in "categories" give its charge code "zero" (zero rated), "exempt" or "reverse_charge"; or give a customer that tax treatment.';
    refuse(detail, pointer);
  }
  if (decimal(rate).isNegative() || decimal(rate).gt(100))
    refuse('A rate is above 0, and 100 percent at most.', pointer);
  return rate;
}

function oneOf<T extends string>(known: readonly T[], value: unknown, pointer: string): T {
  const found = known.find((each) => each === value);
  return found ?? refuse(`Must be one of ${known.join(', ')}.`, pointer);
}

function refuse(detail: string, pointer: string): never {
  throw new DomainFailure('VALIDATION_FAILED', detail, pointer);
}
