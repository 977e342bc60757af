/**
 * Files of exchange rates: those of the ECB (eurofxref-daily.xml, eurofxref-hist-90d.xml, eurofxref-hist.xml, eurofxref.csv,
 * eurofxref-hist.csv), and CSV with the columns base, quote, date and rate. A file is read as a whole or refused with
 * the row and column that is wrong.
 */
import { parse as parseCsv } from 'csv-parse/sync';
import { DomainFailure } from '../../domain/failure.js';
import { isCurrency } from '../../domain/money/currency.js';
import { parseRates } from '../../domain/money/parse-rates.js';
import type { RateText } from '../../domain/money/parse-rates.js';
import { messageOf } from '../context.js';
import { CommandFailed } from '../terminal.js';
import { readEcbXml } from './ecb-xml.js';

export interface RatesFile {
  /** `ecb` for a file of the ECB; null: it does not say. */
  readonly source: string | null;
  readonly rates: readonly RateText[];
  /** Currencies that are none any more, and so cannot be invoiced in: their rates are left out. */
  readonly leftOut: readonly string[];
}

/** A rate, and where it stands. */
export interface PlacedRate extends RateText {
  /** `row 3, column USD` */
  readonly place: string;
}

export type PlacedFile = Pick<RatesFile, 'source'> & { readonly rates: readonly PlacedRate[] };

/** @throws CommandFailed naming row and column */
export function readRates(text: string): RatesFile {
  const content = text.replace(/^\uFEFF/, '');
  if (content.startsWith('PK')) throw new CommandFailed('the file is a ZIP archive: unpack it first');
  const { source, rates: placed } = content.trimStart().startsWith('<') ? readEcbXml(content) : readCsv(content);
  for (const { base, quote, place } of placed) {
    requireCodes([base], place.replace(ownColumn, 'base'));
    requireCodes([quote], place.replace(ownColumn, 'quote'));
  }
  const current = placed.filter(({ base, quote }) => isCurrency(base) && isCurrency(quote));
  if (placed.length === 0) throw new CommandFailed('the file has no exchange rate');
  const codes = placed.flatMap(({ base, quote }) => [base, quote]);
  const leftOut = [...new Set(codes)].filter((code) => !isCurrency(code)).sort();
  if (current.length === 0) {
    throw new CommandFailed(`the file has rates of no current currency, only of ${leftOut.join(', ')}`);
  }
  requireRates(current);
  return { source, rates: current.map(({ place: _place, ...rate }) => rate), leftOut };
}

/** A code that is none is a mistake of the file; one that has gone is not. */
function requireCodes(codes: readonly string[], place: string): void {
  const wrong = codes.find((code) => !/^[A-Z]{3}$/.test(code));
  if (wrong !== undefined)
    throw new CommandFailed(`${place}: "${wrong.slice(0, 40)}" is not the code of a currency, such as USD`);
}

/** The server would refuse them as well, but only those of one request together. */
function requireRates(rates: readonly PlacedRate[]): void {
  try {
    parseRates('file', rates);
  } catch (error) {
    if (!(error instanceof DomainFailure)) throw error;
    const [, index, column = ''] = /^\/rates\/(\d+)\/(\w+)$/.exec(error.pointer ?? '') ?? [];
    const place = rates[Number(index)]?.place ?? 'the file';
    throw new CommandFailed(`${place.replace(ownColumn, column)}: ${error.detail}`);
  }
}

function readCsv(text: string): PlacedFile {
  const [header = [], ...rows] = recordsOf(text);
  const columns = header.map((name) => name.trim());
  // The ECB ends every line with a comma.
  while (columns.at(-1) === '') columns.pop();
  for (const [index, row] of rows.entries()) requireWidth(row, columns.length, `row ${index + 2}`);
  if (columns[0] === 'Date') return { source: 'ecb', rates: ecbRates(columns, rows) };
  return { source: null, rates: ownRates(columns, rows) };
}

function recordsOf(text: string): readonly (readonly string[])[] {
  try {
    return parseCsv(text, { relax_column_count: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    throw new CommandFailed(`the file cannot be read as CSV: ${messageOf(error)}`);
  }
}

/** A row that is shorter or longer than the header puts figures under the wrong currency. */
function requireWidth(row: readonly string[], width: number, place: string): void {
  const beyond = row.slice(width).some((cell) => cell !== '');
  if (row.length < width || beyond)
    throw new CommandFailed(`${place}: it has ${row.length} fields, the header has ${width}`);
}

/** `Date,USD,JPY,…`: a day a row, a currency a column, `N/A` where there is no rate. */
function ecbRates(columns: readonly string[], rows: readonly (readonly string[])[]): readonly PlacedRate[] {
  const currencies = columns.slice(1);
  for (const [index, code] of currencies.entries()) requireCodes([code], `row 1, column ${index + 2}`);
  const twice = currencies.find((code, index) => currencies.indexOf(code) !== index);
  if (twice !== undefined) throw new CommandFailed(`row 1: there are two columns ${twice}`);
  return rows.flatMap((row, index) => {
    const [day = '', ...cells] = row;
    const date = isoDate(day);
    if (date === null) {
      throw new CommandFailed(`row ${index + 2}, column Date: "${day.slice(0, 40)}" is not a day such as 2024-01-31`);
    }
    return currencies.flatMap((quote, at) => {
      const rate = cells[at] ?? '';
      return rate === 'N/A' ? [] : [{ base: 'EUR', quote, date, rate, place: `row ${index + 2}, column ${quote}` }];
    });
  });
}

/** Which of them is wrong is known when the rate is read. */
const ownColumn = '(column)';
const ownColumns = ['base', 'quote', 'date', 'rate'] as const;

function ownRates(columns: readonly string[], rows: readonly (readonly string[])[]): readonly PlacedRate[] {
  const twice = ownColumns.find((name) => columns.indexOf(name) !== columns.lastIndexOf(name));
  if (twice !== undefined) throw new CommandFailed(`row 1: there are two columns ${twice}`);
  const missing = ownColumns.filter((name) => !columns.includes(name));
  if (missing.length > 0) {
    throw new CommandFailed(
      `row 1: a file of the ECB begins with the column Date, any other has the columns base, quote, date and rate; ${missing.join(', ')} is missing`,
    );
  }
  return rows.map((row, index) => {
    const cell = (name: (typeof ownColumns)[number]): string => row[columns.indexOf(name)] ?? '';
    return {
      base: cell('base'),
      quote: cell('quote'),
      date: cell('date'),
      rate: cell('rate'),
      place: `row ${index + 2}, column ${ownColumn}`,
    };
  });
}

const months = 'January February March April May June July August September October November December'.split(' ');

/** `2024-01-31`, or `31 January 2024` as in the ECB's file of one day. */
function isoDate(text: string): string | null {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return text;
  const [, day = '', month = '', year = ''] = /^(\d{1,2}) (\w+) (\d{4})$/.exec(text) ?? [];
  const number = months.indexOf(month) + 1;
  return number === 0 ? null : `${year}-${String(number).padStart(2, '0')}-${day.padStart(2, '0')}`;
}
