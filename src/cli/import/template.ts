/**
 * Texts with places to fill in from a row: `{name}` is the row's column of that name, `{row}` the number of the data row
 * (the first one is 1; a CSV header does not count), `{row%20}` that number modulo 20, `{fingerprint}` the file's
 * fingerprint. `{{` and `}}` stand for single braces.
 */
import type { SourceRow } from './rows.js';
import { UsageError } from '../terminal.js';

export type Template = (row: SourceRow) => string;

/** A column that the row does not have; only rows of NDJSON differ in their columns. */
export class MissingColumn extends Error {
  override readonly name = 'MissingColumn';
  constructor(readonly column: string) {
    super(`the row has no ${column}`);
  }
}

export interface TemplateScope {
  /** The columns of a CSV file; null where each row has its own. */
  readonly columns: readonly string[] | null;
  readonly fingerprint: string;
}

/** @throws UsageError for a place that nothing can fill, with `option` in its message */
export function compileTemplate(text: string, option: string, scope: TemplateScope): Template {
  const parts: (string | Template)[] = [];
  const places = /\{\{|\}\}|\{([^{}]*)\}|[^{}]+|[{}]/g;
  for (const [token, place] of text.matchAll(places)) {
    if (token === '{' || token === '}') throw new UsageError(`${option}: unpaired ${token} in '${text}'`);
    if (token === '{{' || token === '}}') parts.push(token.charAt(0));
    else if (place === undefined) parts.push(token);
    else parts.push(compilePlace(place, option, scope));
  }
  return (row) => parts.map((part) => (typeof part === 'string' ? part : part(row))).join('');
}

function compilePlace(place: string, option: string, scope: TemplateScope): string | Template {
  if (place === 'fingerprint') return scope.fingerprint;
  if (place === 'row') return (row) => String(row.number);
  const modulus = /^row%([1-9]\d{0,8})$/.exec(place)?.[1];
  if (modulus !== undefined) return (row) => String(row.number % Number(modulus));
  return columnReader(place, option, scope);
}

/** As `columnReader`, for a value that may be counted. */
export function valueReader(column: string, option: string, scope: TemplateScope): Template {
  const read = columnReader(column, option, scope);
  return (row) => row.value(column) ?? read(row);
}

/** Reads one column; a CSV file without it is refused before anything is sent. */
export function columnReader(column: string, option: string, { columns }: TemplateScope): Template {
  if (columns !== null && !columns.includes(column)) {
    throw new UsageError(`${option}: the file has no column '${column}'; it has ${columns.join(', ')}`);
  }
  return (row) => {
    const value = row.column(column);
    if (value === undefined) throw new MissingColumn(column);
    return value;
  };
}
