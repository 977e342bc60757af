import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { ApiProblem, ApiUnreachable } from '../api-client.js';
import { contextOf, messageOf } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { importFile, previewFile } from '../import/import-file.js';
import type { ImportOptions, ImportSummary } from '../import/import-file.js';
import { defaultEventId } from '../import/mapping.js';
import { progressBar } from '../import/progress.js';
import { formatOf } from '../import/rows.js';
import { stateFolder } from '../import/state.js';
import { parseOffset } from '../import/time.js';
import { column, printable, renderFacts, renderTable } from '../output.js';
import { positiveInteger, wholeNumber } from '../paging.js';
import { CommandFailed, UsageError } from '../terminal.js';

interface Options {
  readonly customer: string;
  readonly eventType: string;
  readonly time: string;
  readonly timeZone?: string;
  readonly assumeUtc?: boolean;
  readonly value: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly eventId: string;
  readonly source?: string;
  readonly schemaVersion?: number;
  readonly backfill?: string;
  readonly format?: string;
  readonly delimiter: string;
  readonly batchSize: number;
  readonly concurrency: number;
  readonly retries: number;
  readonly skip: number;
  readonly limit?: number;
  readonly dryRun?: boolean;
  readonly restart?: boolean;
  readonly state: boolean;
}

const help = `
Templates (--customer, --event-type, --metadata, --event-id, --source):
  {NAME}         the row's column NAME
  {row}          number of the data row; the first one is 1, a CSV header does not count
  {row%20}       that number modulo 20: 1, 2, … 19, 0, 1, …
  {fingerprint}  fingerprint of the file's content
  {{ and }}      single braces

A repeated import is safe: each row has the same event id again, and is a duplicate. An import that was interrupted
continues behind the last batch that was answered.
Rows for a backfill that replaces need a --source of its own: an event's identity is used once, for ever.

Example:
  reckoner import trace.csv --customer 'cust_{row%20}' --event-type llm_request --time TIMESTAMP --assume-utc \\
    --value input_tokens=ContextTokens --value output_tokens=GeneratedTokens`;

const previewRows = 5;

export function addImportCommand(program: Command, dependencies: CliDependencies): void {
  program
    .command('import')
    .description('send the rows of a CSV or NDJSON file as usage events')
    .argument('<file>', 'CSV with a header line, or NDJSON')
    .requiredOption('--customer <column|=text|template>', 'whose usage a row is')
    .requiredOption('--event-type <template>', 'event type')
    .requiredOption('--time <column>', 'when it happened: RFC 3339, or YYYY-MM-DD HH:MM:SS.fffffff')
    .option('--time-zone <offset>', 'what times without an offset mean: UTC, or such as +01:00')
    .option('--assume-utc', 'the same as --time-zone UTC')
    .addOption(pairs('--value <name=column>', 'metadata property (tags.KEY: a tag) from a column; repeatable'))
    .addOption(pairs('--metadata <name=template>', 'metadata property (tags.KEY: a tag); repeatable'))
    .option('--event-id <template>', 'what identifies a row', defaultEventId)
    .option('--source <template>', "the events' source")
    .option(
      '--schema-version <number>',
      "version of the event type's schema that the rows are to match",
      positiveInteger,
    )
    .option('--backfill <id>', 'send the rows for this open backfill: they count when it is closed')
    .option('--format <csv|ndjson>', "default: by the file's name")
    .option('--delimiter <character>', 'between the fields of a CSV file', ',')
    .option('--batch-size <number>', 'events in a request, up to 10000', batchSize, 1000)
    .option('--concurrency <number>', 'requests at the same time, up to 64', concurrency, 4)
    .option('--retries <number>', 'tries after the first one, when the API is away or busy', wholeNumber, 8)
    .option('--skip <rows>', 'data rows to leave out at the beginning', wholeNumber, 0)
    .option('--limit <rows>', 'how many rows to import', positiveInteger)
    .option('--dry-run', `print the first events (--limit, else ${previewRows}) and send nothing`)
    .option('--restart', 'send all rows again, not only those behind an interruption')
    .option('--no-state', 'neither keep nor use the record of how far an import came')
    .addHelpText('after', help)
    .action(async (file: string, options: Options, command: Command) => {
      const context = contextOf(command, dependencies);
      const importOptions = await readOptions(file, options, context);
      if (options.dryRun === true) await preview(importOptions, options.limit ?? previewRows, context);
      else await runImport(importOptions, options.retries, context);
    });
}

async function readOptions(file: string, options: Options, context: CliContext): Promise<ImportOptions> {
  const info = await stat(file).catch((error: unknown) => {
    throw new UsageError(`cannot read ${file}: ${messageOf(error)}`);
  });
  if (!info.isFile()) throw new UsageError(`${file} is not a file`);
  if (info.size === 0) throw new UsageError(`${file}: the file is empty`);
  if (options.delimiter.length !== 1) throw new UsageError('--delimiter takes one character');
  const twice = Object.keys(options.value).find((name) => Object.hasOwn(options.metadata, name));
  if (twice !== undefined) throw new UsageError(`the property ${twice} is given by --value and by --metadata`);
  return {
    file,
    format: formatOf(file, options.format),
    delimiter: options.delimiter,
    mapping: {
      customer: options.customer,
      eventType: options.eventType,
      time: options.time,
      offset: offsetOf(options),
      values: options.value,
      metadata: options.metadata,
      eventId: options.eventId,
      source: options.source ?? null,
      ...(options.schemaVersion !== undefined && { schemaVersion: options.schemaVersion }),
    },
    batchSize: options.batchSize,
    concurrency: options.concurrency,
    skip: options.skip,
    limit: options.limit ?? null,
    stateFolder: options.state ? stateFolder(context.terminal.env) : null,
    backfill: options.backfill ?? null,
    restart: options.restart === true,
  };
}

function offsetOf({ timeZone, assumeUtc }: Options): string | null {
  if (timeZone === undefined) return assumeUtc === true ? 'Z' : null;
  const offset = parseOffset(timeZone);
  if (assumeUtc === true && offset !== 'Z') throw new UsageError('--assume-utc and --time-zone contradict each other');
  return offset;
}

async function preview(options: ImportOptions, count: number, { terminal }: CliContext): Promise<void> {
  const rows = await previewFile(options, count);
  for (const { row, event, problem } of rows) {
    if (problem === null) terminal.out(`${event}\n`);
    else terminal.err(`row ${row}: ${problem.code}: ${printable(problem.detail)}\n`);
  }
  terminal.err(`dry run: nothing was sent\n`);
  if (rows.some(({ problem }) => problem !== null)) throw new CommandFailed('some rows cannot be sent');
}

async function runImport(options: ImportOptions, retries: number, context: CliContext): Promise<void> {
  const { terminal, json, api, clock, sleep } = context;
  const { size } = await stat(options.file);
  const bar = progressBar(size, terminal.interactive && !json);
  const say = (text: string): void => bar.above(() => terminal.err(`${printable(text)}\n`));
  try {
    const summary = await importFile(options, {
      api,
      clock,
      retry: {
        retries,
        sleep,
        onRetry: (error, waitMs) => say(`${error.message}; trying again in ${(waitMs / 1000).toFixed(1)} s`),
      },
      onProgress: (progress) => bar.update(progress),
      onNotice: say,
    });
    bar.stop();
    context.print(summary, () => describe(summary));
    if (summary.rejected > 0)
      throw new CommandFailed(`${summary.rejected} ${summary.rejected === 1 ? 'row was' : 'rows were'} rejected`);
  } catch (error) {
    bar.stop();
    if (error instanceof ApiProblem || error instanceof ApiUnreachable) {
      terminal.err('the import stopped; the same command continues it, and sends nothing twice in effect\n');
    }
    throw error;
  }
}

function describe(summary: ImportSummary): string {
  const { rows, firstRow, accepted, duplicates, rejected, rejections, durationMs } = summary;
  const perSecond = durationMs > 0 ? Math.round((rows * 1000) / durationMs) : rows;
  const facts = renderFacts([
    ['Rows', firstRow > 1 ? `${rows}, from row ${firstRow} on` : rows],
    ['Accepted', accepted],
    ['Duplicates', duplicates],
    ['Rejected', rejected],
    ['Time', `${(durationMs / 1000).toFixed(2)} s, ${perSecond} rows a second`],
  ]);
  if (rejections.length === 0) return facts;
  const columns = [column('Row', 'row', 'right'), column('Code', 'code'), column('Detail', 'detail')];
  return `${facts}\nThe first rejected rows\n${renderTable(
    columns,
    rejections.map((problem) => ({ ...problem })),
  )}`;
}

function pairs(flags: string, description: string): Option {
  return new Option(flags, description).argParser(collectPair).default({}, 'none');
}

function collectPair(text: string, pairs: Readonly<Record<string, string>>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('expected name=column or name=template');
  const name = text.slice(0, at);
  if (Object.hasOwn(pairs, name)) throw new InvalidArgumentError(`the property ${name} is given twice`);
  return { ...pairs, [name]: text.slice(at + 1) };
}

function atMost(max: number): (text: string) => number {
  return (text) => {
    const value = positiveInteger(text);
    if (value > max) throw new InvalidArgumentError(`at most ${max}`);
    return value;
  };
}
const batchSize = atMost(10_000);
const concurrency = atMost(64);
