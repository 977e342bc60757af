/** Imports a file: rows to events to batches to the API, with little memory, and continuing where an earlier run stopped. */
import type { ApiClient } from '../api-client.js';
import { compileMapping } from './mapping.js';
import type { MappedRow, MappingOptions, RowProblem } from './mapping.js';
import { fingerprintOf, openRows } from './rows.js';
import type { FileFormat, RowSource } from './rows.js';
import { forEachConcurrently, sendBatch } from './sender.js';
import type { Batch, BatchAnswer, RetryPolicy } from './sender.js';
import { shortHash, stateFileFor } from './state.js';
import { Tracker } from './tracker.js';
import type { ImportCounts } from './tracker.js';

export interface ImportOptions {
  readonly file: string;
  readonly format: FileFormat;
  readonly delimiter: string;
  readonly mapping: MappingOptions;
  readonly batchSize: number;
  readonly concurrency: number;
  /** Data rows to leave out at the beginning; they keep their numbers. */
  readonly skip: number;
  /** How many rows to import after those; null: all. */
  readonly limit: number | null;
  /** Where the state is kept; null: nothing is kept, and nothing continued. */
  readonly stateFolder: string | null;
  /** The backfill that the rows are for; null: none. */
  readonly backfill: string | null;
  /** Sends everything again, whatever the state says. */
  readonly restart: boolean;
}

export interface ImportEnvironment {
  readonly api: ApiClient;
  readonly retry: RetryPolicy;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** Told after each answered batch. */
  readonly onProgress: (progress: ImportProgress) => void;
  /** Told what a person should know: that an import continues, that a file changed. */
  readonly onNotice: (text: string) => void;
}

export interface ImportProgress {
  readonly bytesRead: number;
  readonly rows: number;
}

export interface ImportSummary extends ImportCounts {
  readonly fingerprint: string;
  readonly durationMs: number;
}

/** Below the API's limit of a body (5 MiB), with room for what surrounds the events. */
const batchBytesMax = 4_500_000;

/**
 * @throws UsageError for options that do not fit the file; ApiProblem or ApiUnreachable when a batch could not be
 * delivered: a repeated import then continues behind the last answered batch
 */
export async function importFile(options: ImportOptions, environment: ImportEnvironment): Promise<ImportSummary> {
  const started = environment.clock();
  const fingerprint = await fingerprintOf(options.file);
  const tracker = await startTracker(options, environment, fingerprint);
  const source = await openRows(options.file, options.format, options.delimiter);
  try {
    const map = compileMapping(options.mapping, { columns: source.columns, fingerprint });
    const range = { after: tracker.firstRow - 1, through: lastRow(options) };
    const batches = inBatches(mappedRows(source, map, range), options.batchSize, (problem) => tracker.reject(problem));
    await forEachConcurrently(batches, options.concurrency, async (batch) => {
      const acknowledge = tracker.begin(batch);
      // A batch without events only says that its rows are done with.
      const answer =
        batch.events.length === 0
          ? nothingSent
          : await sendBatch(environment.api, batch, { ...environment.retry, backfill: options.backfill });
      await acknowledge(answer);
      environment.onProgress({ bytesRead: source.bytesRead(), rows: tracker.rows });
    });
    await tracker.finish();
    return { ...tracker.counts(), fingerprint, durationMs: environment.clock() - started };
  } finally {
    source.close();
  }
}

/** The first rows as they would be sent. */
export async function previewFile(options: ImportOptions, count: number): Promise<readonly MappedRow[]> {
  const fingerprint = await fingerprintOf(options.file);
  const source = await openRows(options.file, options.format, options.delimiter);
  const mapped: MappedRow[] = [];
  try {
    const map = compileMapping(options.mapping, { columns: source.columns, fingerprint });
    const through = Math.min(lastRow(options), options.skip + count);
    for await (const row of mappedRows(source, map, { after: options.skip, through })) mapped.push(row);
    return mapped;
  } finally {
    source.close();
  }
}

/** Finds out where an earlier run of the same import stopped. */
async function startTracker(
  options: ImportOptions,
  environment: ImportEnvironment,
  fingerprint: string,
): Promise<Tracker> {
  const { file, skip, stateFolder } = options;
  const { api, onNotice } = environment;
  const identity = { file, url: api.url, fingerprint, mapping: mappingOf(options) };
  const stateFile = stateFolder === null ? null : await stateFileFor(stateFolder, file, api.url);
  const last = (await stateFile?.load()) ?? null;
  if (last !== null && last.fingerprint !== fingerprint && options.mapping.eventId.includes('{fingerprint}')) {
    onNotice(
      'the content of this file has changed since it was imported: its rows get new ids, and rows that were imported ' +
        'before count again. For a file that grows, give --event-id from a column that identifies a row.',
    );
  }
  const same = last?.fingerprint === fingerprint && last.mapping === identity.mapping;
  const done = same && !last.finished && !options.restart ? last.acknowledgedRow : 0;
  if (done > skip) onNotice(`continuing after row ${done}, where an earlier run stopped (--restart sends all again)`);
  return new Tracker({ firstRow: Math.max(done, skip) + 1, identity, stateFile, onNotice });
}

/** The same rows for another backfill are another import. */
function mappingOf({ backfill, mapping, skip }: ImportOptions): string {
  return shortHash(backfill === null ? [mapping, skip] : [mapping, skip, backfill]);
}

const nothingSent: BatchAnswer = { accepted: 0, duplicates: 0, rejected: 0, results: [] };

function lastRow({ skip, limit }: ImportOptions): number {
  return limit === null ? Number.MAX_SAFE_INTEGER : skip + limit;
}

async function* mappedRows(
  source: RowSource,
  map: ReturnType<typeof compileMapping>,
  range: { readonly after: number; readonly through: number },
): AsyncGenerator<MappedRow> {
  for await (const row of source.rows) {
    if (row.number > range.through) return;
    if (row.number > range.after) yield map(row);
  }
}

async function* inBatches(
  mapped: AsyncIterable<MappedRow>,
  size: number,
  onProblem: (problem: RowProblem) => void,
): AsyncGenerator<Batch> {
  let rows: number[] = [];
  let events: string[] = [];
  let bytes = 0;
  let throughRow = 0;
  const take = (): Batch => {
    const batch = { throughRow, rows, events };
    [rows, events, bytes] = [[], [], 0];
    return batch;
  };
  for await (const { row, event, problem } of mapped) {
    const length = event === null ? 0 : Buffer.byteLength(event) + 1;
    if (events.length > 0 && (events.length >= size || bytes + length > batchBytesMax)) yield take();
    throughRow = row;
    if (event === null) {
      onProblem(problem);
    } else {
      rows.push(row);
      events.push(event);
      bytes += length;
    }
  }
  if (throughRow > 0) yield take();
}
