/** Compares what a case expects with what came out; each difference is one sentence. Amounts compare as decimals. */
import { addDecimals, compareDecimals } from '../domain/decimal.js';
import { parseInstant } from '../domain/time/instant.js';
import type { DecimalString, GroupKey } from '../domain/values.js';
import type { CaseCharge, CaseDocument, CaseDocumentLine, CaseWindow } from './engine.js';
import type { ExpectedCorrection, ExpectedInvoice, ExpectedLine, ExpectedUsage, ExpectedWindows } from './format.js';

type Differences = readonly string[];
type ExpectedConversion = NonNullable<ExpectedLine['charges']>[number]['conversion'];

const sameDecimal = (a: string, b: string): boolean => compareDecimals(a as DecimalString, b as DecimalString) === 0;
const sumOf = (quantities: readonly string[]): string => addDecimals(quantities as readonly DecimalString[]);

export function differencesInUsage(expected: ExpectedUsage, windows: readonly CaseWindow[]): Differences {
  const found = sumOf(
    windows.filter((window) => matches(window.group, expected.group)).map(({ quantity }) => quantity),
  );
  return decimalDifference('quantity', expected.quantity, found);
}

export function differencesInWindows(expected: ExpectedWindows, windows: readonly CaseWindow[]): Differences {
  const byStart = new Map<string, { end: string; quantities: string[] }>();
  for (const window of windows) {
    if (!matches(window.group, expected.group)) continue;
    const known = byStart.get(window.start);
    if (known === undefined) byStart.set(window.start, { end: window.end, quantities: [window.quantity] });
    else known.quantities.push(window.quantity);
  }
  const differences = [...textDifference('count of windows', expected.count, byStart.size)];
  for (const { start, end, quantity } of expected.windows ?? []) {
    const found = byStart.get(parseInstant(start));
    if (found === undefined) {
      differences.push(`expected a window from ${start}, found none; there are ${listOf([...byStart.keys()])}`);
      continue;
    }
    if (end !== undefined)
      differences.push(...textDifference(`end of the window from ${start}`, parseInstant(end), found.end));
    differences.push(...decimalDifference(`quantity of the window from ${start}`, quantity, sumOf(found.quantities)));
  }
  return differences;
}

export function differencesInInvoice(expected: ExpectedInvoice, found: CaseDocument | null): Differences {
  if (expected.absent === true)
    return found === null ? [] : [`expected no invoice, found one of ${found.total} ${found.currency}`];
  if (found === null) return ['expected an invoice, found none'];
  return [
    ...textDifference('status', expected.status, found.status),
    ...textDifference('currency', expected.currency, found.currency),
    ...differencesInSums(expected, found),
    ...textDifference('number of lines', expected.line_count, found.lines.length),
    ...(expected.lines ?? []).flatMap((line) => differencesInLine(line, found.lines)),
  ];
}

export function differencesInCorrection(expected: ExpectedCorrection, found: readonly CaseDocument[]): Differences {
  const [correction, ...others] = found;
  if (correction === undefined) return ['expected a correction, found none'];
  if (others.length > 0) return [`expected one correction, found ${found.length}`];
  return [
    ...textDifference('type', expected.type, correction.type),
    ...differencesInSums(expected, correction),
    ...textDifference('number of lines', expected.line_count, correction.lines.length),
    ...(expected.lines ?? []).flatMap((line) => differencesInLine(line, correction.lines)),
  ];
}

function differencesInSums(
  expected: Pick<ExpectedInvoice, 'subtotal' | 'credits' | 'credit_draws' | 'total'>,
  found: CaseDocument,
): Differences {
  const shown = (draws: readonly (readonly [string, string])[]): string =>
    draws.map(([grant, amount]) => `${grant} ${addDecimals([amount as DecimalString])}`).join(', ');
  return [
    ...decimalDifference('subtotal', expected.subtotal, found.subtotal),
    ...decimalDifference('credits', expected.credits, found.credits),
    ...textDifference(
      'draws of credits',
      expected.credit_draws && shown(expected.credit_draws.map(({ grant, amount }) => [grant, amount])),
      shown((found.credit_draws ?? []).map(({ grant_id: grant, amount }) => [grant, amount])),
    ),
    ...decimalDifference('total', expected.total, found.total),
  ];
}

export function differencesInNoCorrection(found: readonly CaseDocument[]): Differences {
  return found.map(({ total, currency }) => `expected no correction, found one of ${total} ${currency}`);
}

function differencesInLine(expected: ExpectedLine, lines: readonly CaseDocumentLine[]): Differences {
  const what = expected.meter ?? expected.fee ?? '–';
  const name = expected.group === undefined ? what : `${what} ${JSON.stringify(expected.group)}`;
  const candidates = lines.filter((line) => isNamed(line, expected) && matches(line.group, expected.group));
  const [line] = candidates;
  if (line === undefined) return [`expected a line for ${name}, found none; there are ${listOf(lines.map(lineName))}`];
  if (candidates.length > 1) return [`expected one line for ${name}, found ${listOf(candidates.map(lineName))}`];
  return [
    ...decimalDifference(`quantity of ${name}`, expected.quantity, line.quantity ?? '0'),
    ...decimalDifference(`amount of ${name}`, expected.amount, line.amount),
    ...decimalDifference(`original amount of ${name}`, expected.original_amount, line.original_amount ?? '0'),
    ...decimalDifference(`corrected amount of ${name}`, expected.corrected_amount, line.corrected_amount ?? '0'),
    ...textDifference(`formula of ${name}`, expected.formula, line.calculation.formula),
    ...differencesInCharges(name, expected, line),
  ];
}

function differencesInCharges(name: string, expected: ExpectedLine, line: CaseDocumentLine): Differences {
  if (expected.charges === undefined) return [];
  const { charges } = line.calculation;
  return [
    ...textDifference(`number of charges of ${name}`, expected.charges.length, charges.length),
    ...expected.charges.flatMap((charge, index) => {
      const found = charges[index];
      if (found === undefined) return [];
      const place = `charge ${index + 1} of ${name}`;
      return [
        ...textDifference(`price book version of ${place}`, charge.price_book_version, found.price_book_version),
        ...decimalDifference(`quantity of ${place}`, charge.quantity, found.quantity),
        ...textDifference(`formula of ${place}`, charge.formula, found.formula),
        ...differencesInConversion(place, charge.conversion, found.conversion),
      ];
    }),
  ];
}

function differencesInConversion(
  place: string,
  expected: ExpectedConversion,
  found: CaseCharge['conversion'],
): Differences {
  if (expected === undefined) return [];
  if (found === undefined) return [`expected that ${place} is converted, and it is not`];
  return [
    ...decimalDifference(`rate of ${place}`, expected.rate, found.rate),
    ...textDifference(`day of the rate of ${place}`, expected.rate_date, found.rate_date),
    ...decimalDifference(`converted amount of ${place}`, expected.amount, found.amount),
  ];
}

/** Only the properties that the expectation names are looked at. */
function matches(group: GroupKey, expected: GroupKey | undefined): boolean {
  return Object.entries(expected ?? {}).every(([property, value]) => (group[property] ?? null) === value);
}

function isNamed({ meter, description }: CaseDocumentLine, expected: ExpectedLine): boolean {
  return meter === null ? description === expected.fee : meter === expected.meter;
}

const lineName = ({ meter, description, group }: CaseDocumentLine): string =>
  Object.keys(group).length === 0 ? (meter ?? description) : `${meter ?? description} ${JSON.stringify(group)}`;
const listOf = (items: readonly string[]): string => (items.length === 0 ? 'none at all' : items.join(', '));

function decimalDifference(what: string, expected: string | undefined, found: string): Differences {
  return expected === undefined || sameDecimal(expected, found)
    ? []
    : [`${what}: expected ${expected}, found ${found}`];
}

function textDifference(what: string, expected: string | number | undefined, found: string | number): Differences {
  return expected === undefined || expected === found ? [] : [`${what}: expected ${expected}, found ${found}`];
}
