/** Reads a file row by row: CSV with a header, or NDJSON. Never more of it in memory than a few rows. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { ReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse as csvParser } from 'csv-parse';
import { isLosslessNumber, parse as parseLossless } from 'lossless-json';
import { decimalTextOf } from '../../domain/decimal.js';
import { isObject } from '../api-client.js';
import { messageOf } from '../context.js';
import { CommandFailed, UsageError } from '../terminal.js';

export interface SourceRow {
  /** 1 for the first data row. */
  readonly number: number;
  /** The column's text; undefined when the row has no such column. */
  column(name: string): string | undefined;
  /** The same as a value: a JSON number with an exponent, which no text of a decimal has, as the plain decimal that it is. */
  value(name: string): string | undefined;
  /** Why the row cannot be read; its columns are then undefined. */
  readonly problem: { readonly code: string; readonly detail: string } | null;
}

export type FileFormat = 'csv' | 'ndjson';

export interface RowSource {
  /** The columns of a CSV file; null for NDJSON, where each row has its own. */
  readonly columns: readonly string[] | null;
  readonly rows: AsyncIterable<SourceRow>;
  /** How much of the file has been read, in bytes. */
  bytesRead(): number;
  close(): void;
}

export function formatOf(file: string, given: string | undefined): FileFormat {
  if (given === 'csv' || given === 'ndjson') return given;
  if (given !== undefined) throw new UsageError(`--format is csv or ndjson, not '${given}'`);
  if (/\.(ndjson|jsonl)$/i.test(file)) return 'ndjson';
  if (/\.csv$/i.test(file)) return 'csv';
  throw new UsageError(`the name of ${file} does not say its format: give --format csv or --format ndjson`);
}

/** SHA-256 of the content, the first 16 hex digits: the same content has the same fingerprint under any name. */
export async function fingerprintOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${messageOf(error)}`);
  }
  return hash.digest('hex').slice(0, 16);
}

export async function openRows(file: string, format: FileFormat, delimiter: string): Promise<RowSource> {
  const stream = createReadStream(file);
  return format === 'csv' ? openCsv(stream, delimiter) : openNdjson(stream);
}

async function openCsv(stream: ReadStream, delimiter: string): Promise<RowSource> {
  // Rows with too few or too many fields are reported one by one, so the parser must let them through.
  const parser = csvParser({ bom: true, delimiter, relax_column_count: true, skip_empty_lines: true });
  stream.on('error', (error) => parser.destroy(error));
  const records = stream.pipe(parser)[Symbol.asyncIterator]() as AsyncIterator<readonly string[]>;
  const next = async (): Promise<readonly string[] | null> => {
    try {
      const { done, value } = await records.next();
      return done === true ? null : value;
    } catch (error) {
      throw new CommandFailed(`the file cannot be read as CSV: ${messageOf(error)}`);
    }
  };
  const columns = (await next()) ?? [];
  const twice = columns.find((name, index) => columns.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`the file has two columns '${twice}'`);
  const places = new Map(columns.map((name, index) => [name, index]));
  async function* rows(): AsyncGenerator<SourceRow> {
    for (let number = 1, record = await next(); record !== null; number += 1, record = await next()) {
      yield csvRow(number, record, places);
    }
  }
  return { columns, rows: rows(), bytesRead: () => stream.bytesRead, close: () => void stream.destroy() };
}

function csvRow(number: number, record: readonly string[], places: ReadonlyMap<string, number>): SourceRow {
  const column = (name: string): string | undefined => record[places.get(name) ?? -1];
  const fits = record.length === places.size;
  return {
    number,
    column,
    value: column,
    problem: fits
      ? null
      : { code: 'WRONG_NUMBER_OF_FIELDS', detail: `the row has ${record.length} fields, the header ${places.size}` },
  };
}

function openNdjson(stream: ReadStream): RowSource {
  const lines = createInterface({ input: stream, crlfDelay: Infinity });
  async function* rows(): AsyncGenerator<SourceRow> {
    let number = 0;
    for await (const line of lines) {
      if (line.trim() === '') continue;
      number += 1;
      yield ndjsonRow(number, line);
    }
  }
  return { columns: null, rows: rows(), bytesRead: () => stream.bytesRead, close: () => void stream.destroy() };
}

function ndjsonRow(number: number, line: string): SourceRow {
  const detail = 'the line is not a JSON object';
  try {
    // Numbers stay as they are written: a float would change long ones.
    const object = parseLossless(line.replace(/^\uFEFF/, ''));
    if (isObject(object) && !isLosslessNumber(object)) {
      return {
        number,
        column: (name) => textOf(memberAt(object, name)),
        value: (name) => valueOf(memberAt(object, name)),
        problem: null,
      };
    }
  } catch {
    // Told below, like any other line that is not an object.
  }
  return { number, column: () => undefined, value: () => undefined, problem: { code: 'INVALID_JSON', detail } };
}

/** `a.b` is property b of the object in property a, unless there is a property `a.b`. */
function memberAt(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name)
    ? object[name]
    : name
        .split('.')
        .reduce<unknown>(
          (inner, key) => (isObject(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined),
          object,
        );
}

/** As the API reads a number, exactly; one that is longer than it takes stays as it is, and the API says so. */
function valueOf(value: unknown): string | undefined {
  if (!isLosslessNumber(value) || !/e/i.test(value.value)) return textOf(value);
  return decimalTextOf(value.value) ?? value.value;
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (isLosslessNumber(value)) return value.value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
