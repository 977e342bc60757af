/** From a row of a file to an event, as its options say. */
import type { SourceRow } from './rows.js';
import { columnReader, compileTemplate, MissingColumn, valueReader } from './template.js';
import type { Template, TemplateScope } from './template.js';
import { toRfc3339 } from './time.js';

export interface MappingOptions {
  /** A column's name, `=` and a literal text, or a template. */
  readonly customer: string;
  readonly eventType: string;
  /** A column's name. */
  readonly time: string;
  /** What a time without offset means; null: such a time is refused. */
  readonly offset: string | null;
  /** Metadata properties that are a column's text, by name (`tags.KEY`: a tag); left out where the column is empty. */
  readonly values: Readonly<Record<string, string>>;
  /** Metadata properties that are templates, by name (`tags.KEY`: a tag). */
  readonly metadata: Readonly<Record<string, string>>;
  readonly eventId: string;
  readonly source: string | null;
  /** Of the event type's schema; without it the latest. */
  readonly schemaVersion?: number;
}

/** An id that a repeated import of the same file gives each row again. */
export const defaultEventId = '{fingerprint}-{row}';

export interface RowProblem {
  readonly row: number;
  readonly code: string;
  readonly detail: string;
}
export type MappedRow =
  | { readonly row: number; readonly event: string; readonly problem: null }
  | { readonly row: number; readonly event: null; readonly problem: RowProblem };

/**
 * A function from row to event (JSON text).
 * @throws UsageError for options that do not fit the file; the function, for a time whose offset nobody said
 */
export function compileMapping(options: MappingOptions, scope: TemplateScope): (row: SourceRow) => MappedRow {
  const template = (text: string, option: string): Template => compileTemplate(text, option, scope);
  const entries = Object.entries(options.metadata);
  const metadata = entries.map(([name, text]) => [name, template(text, `--metadata ${name}`)] as const);
  const values = Object.entries(options.values).map(
    ([name, column]) => [name, valueReader(column, `--value ${name}`, scope)] as const,
  );
  const customer = compileCustomer(options.customer, scope);
  const eventType = template(options.eventType, '--event-type');
  const eventId = template(options.eventId, '--event-id');
  const source = options.source === null ? null : template(options.source, '--source');
  const time = columnReader(options.time, '--time', scope);

  const eventOf = (row: SourceRow): string =>
    JSON.stringify({
      event_id: eventId(row),
      ...(source === null ? {} : { source: source(row) }),
      customer_id: customer(row),
      event_type: eventType(row),
      event_time: toRfc3339(time(row), options.offset),
      ...(options.schemaVersion === undefined ? {} : { schema_version: options.schemaVersion }),
      metadata: withTags({ ...texts(metadata, row), ...presentTexts(values, row) }),
    });

  return (row) => {
    const refuse = (code: string, detail: string): MappedRow => ({
      row: row.number,
      event: null,
      problem: { row: row.number, code, detail },
    });
    if (row.problem !== null) return refuse(row.problem.code, row.problem.detail);
    try {
      return { row: row.number, event: eventOf(row), problem: null };
    } catch (error) {
      if (error instanceof MissingColumn) return refuse('COLUMN_MISSING', error.message);
      throw error;
    }
  };
}

/**
 * A bare name that is a column of the file means that column (in NDJSON every bare name does); `=text` is always that
 * text; everything else is a template.
 */
function compileCustomer(text: string, scope: TemplateScope): Template {
  if (text.startsWith('=')) return () => text.slice(1);
  const isColumn = scope.columns === null ? !/[{}]/.test(text) : scope.columns.includes(text);
  return isColumn ? columnReader(text, '--customer', scope) : compileTemplate(text, '--customer', scope);
}

function texts(templates: readonly (readonly [string, Template])[], row: SourceRow): Record<string, string> {
  return Object.fromEntries(templates.map(([name, template]) => [name, template(row)]));
}

const tagPrefix = 'tags.';

/** `tags.team` is the tag `team`, as in meters. An empty text is no tag: a required one is then missing, and told of. */
function withTags(metadata: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> {
  const entries = Object.entries(metadata);
  const isTag = ([name]: readonly [string, string]): boolean => name.startsWith(tagPrefix);
  const tags = entries.filter((entry) => isTag(entry) && entry[1] !== '');
  return {
    ...Object.fromEntries(entries.filter((entry) => !isTag(entry))),
    ...(tags.length > 0 && {
      tags: Object.fromEntries(tags.map(([name, text]) => [name.slice(tagPrefix.length), text])),
    }),
  };
}

/** An empty cell says nothing: the property is left out, and a meter that needs it has the event rejected. */
function presentTexts(readers: readonly (readonly [string, Template])[], row: SourceRow): Record<string, string> {
  const read = readers.map(([name, reader]) => [name, present(reader, row)] as const);
  return Object.fromEntries(read.flatMap(([name, value]) => (value === '' ? [] : [[name, value]])));
}

function present(reader: Template, row: SourceRow): string {
  try {
    return reader(row).trim();
  } catch (error) {
    if (error instanceof MissingColumn) return '';
    throw error;
  }
}
