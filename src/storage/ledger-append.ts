/** How a batch of events becomes rows: its order, its SQL, and what became of each event. */
import { parse } from 'lossless-json';
import type pg from 'pg';
import { type EventContent, sameContent } from '../domain/metering/canonical-content.js';
import type { UsageEvent } from '../domain/metering/event.js';
import type { Metadata } from '../domain/metering/metadata.js';
import type { Instant } from '../domain/values.js';
import { copyText } from './copy-in.js';
import type { Database } from './database.js';
import { sqlState } from './errors.js';
import { partitionOf } from './partition.js';
import { beginSql } from './backfills-append.js';
import type { AppendOutcome } from './types.js';

/**
 * The events of a batch in the order of their key, so that concurrent batches with overlapping keys lock them in the same
 * order and cannot deadlock; of equal keys the lower index comes first and wins.
 */
export interface SortedBatch {
  readonly events: readonly UsageEvent[];
  /** One index an identity, in the order of the key. */
  readonly winners: readonly number[];
  /** Index of a repeated identity to the index that wins. */
  readonly repeats: ReadonlyMap<number, number>;
  /** The backfills that events of the batch come with. */
  readonly backfillIds: readonly string[];
  /** What only some batches have: a row of another one is not made longer by it. */
  readonly extras: readonly ExtraColumn[];
}

/** A column that most batches leave empty. */
interface ExtraColumn {
  readonly name: 'backfill_id' | 'schema_version';
  readonly type: 'uuid' | 'integer';
  /** As text without characters that COPY or JSON would escape. */
  readonly valueOf: (event: UsageEvent) => string | null;
}

const backfillColumn: ExtraColumn = {
  name: 'backfill_id',
  type: 'uuid',
  valueOf: ({ backfillId }) => backfillId ?? null,
};
const schemaColumn: ExtraColumn = {
  name: 'schema_version',
  type: 'integer',
  valueOf: ({ schemaVersion }) => (schemaVersion === undefined ? null : String(schemaVersion)),
};

/** @param backfillIds those of the events, which are known to be backfills */
export function sortBatch(events: readonly UsageEvent[], backfillIds: readonly string[] = []): SortedBatch {
  const order = events.map((event, index) => ({ event, index }));
  order.sort((a, b) => compareKeys(a.event, b.event)); // stable
  const winners: number[] = [];
  const repeats = new Map<number, number>();
  let last: { readonly event: UsageEvent; readonly index: number } | undefined;
  for (const item of order) {
    if (last !== undefined && compareKeys(last.event, item.event) === 0) {
      repeats.set(item.index, last.index);
    } else {
      winners.push(item.index);
      last = item;
    }
  }
  const extras = [
    ...(backfillIds.length === 0 ? [] : [backfillColumn]),
    ...(events.some(({ schemaVersion }) => schemaVersion !== undefined) ? [schemaColumn] : []),
  ];
  return { events, winners, repeats, backfillIds, extras };
}

function compareKeys(a: UsageEvent, b: UsageEvent): number {
  if (a.customerId !== b.customerId) return a.customerId < b.customerId ? -1 : 1;
  if (a.source !== b.source) return a.source < b.source ? -1 : 1;
  if (a.eventId !== b.eventId) return a.eventId < b.eventId ? -1 : 1;
  return 0;
}

/** Distribution keys of a batch's customers, each computed once. */
function partitions(): (customerId: string) => number {
  const known = new Map<string, number>();
  return (customerId) => {
    const partition = known.get(customerId) ?? partitionOf(customerId);
    known.set(customerId, partition);
    return partition;
  };
}

const columns =
  'customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata, request_id, user_id, trace_id';
const columnsOf = ({ extras }: SortedBatch): string => [columns, ...extras.map(({ name }) => name)].join(', ');

/**
 * Stores one row an identity, in key order, if every one of them is new; else nothing, and answers false. COPY fills pages
 * instead of placing rows, writes the log by the page, and needs no preparations for conflicts: two thirds of the work of
 * `insertEvents`, and it is one statement. For that it cannot pass over a row that is there.
 *
 * It does not look for keys in key order but partition by partition, so two that overlap may deadlock: that counts as
 * "not every one is new", too.
 * @throws StorageUnavailable
 */
export async function copyEvents(db: Pick<Database, 'copyIn'>, batch: SortedBatch): Promise<boolean> {
  const { events, winners, backfillIds, extras } = batch;
  const partition = partitions();
  let rows = '';
  for (const index of winners) {
    const event = events[index];
    if (event !== undefined) rows += copyRowOf(event, partition(event.customerId), extras);
  }
  try {
    const begin = beginSql(backfillIds);
    await db.copyIn(`${begin}; COPY telemetry_events (${columnsOf(batch)}) FROM STDIN`, Buffer.from(rows));
    return true;
  } catch (error) {
    const state = sqlState(error);
    if (state === uniqueViolation || state === deadlockDetected) return false;
    throw error;
  }
}

const uniqueViolation = '23505';
export const deadlockDetected = '40P01';

function copyRowOf(event: UsageEvent, partition: number, extras: readonly ExtraColumn[]): string {
  const { requestId, userId, traceId } = event.provenance;
  const key = `${copyText(event.customerId)}\t${copyText(event.source)}\t${copyText(event.eventId)}\t${partition}`;
  const content = `${copyText(event.eventType)}\t${event.eventTime}\t${event.contentHash}\t${copyText(event.metadataJson)}`;
  let more = '';
  for (const { valueOf } of extras) more += `\t${valueOf(event) ?? '\\N'}`;
  return `${key}\t${content}\t${copyText(requestId)}\t${copyText(userId)}\t${copyText(traceId)}${more}\n`;
}

/**
 * One JSON parameter for all rows, as arrays. Measured on this schema (8 partitions, two further indexes), 4 connections,
 * client and server on the same 2 cores, K rows/s as minimum / median / maximum of 12 rounds:
 *
 *                                                           batches of 1,000    batches of 5,000
 *   JSON array of arrays, jsonb_array_elements                85 / 128 / 144      53 / 112 / 133
 *   array literals through unnest, metadata as one JSON       81 / 122 / 135      51 /  98 / 129
 *   JSON array of objects, jsonb_to_recordset                 99 / 119 / 131      56 /  90 / 128
 *   array literals as text through unnest                     73 / 115 / 130      44 /  93 / 117
 */
const insertSql = (batch: SortedBatch): string => `
  INSERT INTO telemetry_events (${columnsOf(batch)})
  SELECT r->>0, r->>1, r->>2, (r->>3)::smallint, r->>4, (r->>5)::timestamptz, (r->>6)::bigint, r->7, r->>8, r->>9, r->>10
    ${batch.extras.map(({ type }, at) => `, (r->>${11 + at})::${type}`).join('')}
    FROM jsonb_array_elements($1::jsonb) AS r
  ON CONFLICT DO NOTHING`;

/** Inserts one row an identity, in key order, passing over those that are there. Returns how many were new. */
export async function insertEvents(client: pg.ClientBase, batch: SortedBatch): Promise<number> {
  const { events, winners, extras } = batch;
  const partition = partitions();
  let rows = '';
  for (const index of winners) {
    const event = events[index];
    if (event === undefined) continue;
    rows += `${rows === '' ? '[' : ','}${rowOf(event, partition(event.customerId), extras)}`;
  }
  const name = ['ledger-insert', ...extras.map((column) => column.name)].join('-');
  const result = await client.query({ name, text: insertSql(batch), values: [`${rows}]`] });
  return result.rowCount ?? 0;
}

function rowOf(event: UsageEvent, partition: number, extras: readonly ExtraColumn[]): string {
  const { requestId, userId, traceId } = event.provenance;
  const provenance = `${jsonText(requestId)},${jsonText(userId)},${jsonText(traceId)}`;
  let more = '';
  for (const { valueOf } of extras) more += `,${jsonText(valueOf(event))}`;
  return `[${keyOf(event)},${partition},${JSON.stringify(event.eventType)},"${event.eventTime}",${event.contentHash},${event.metadataJson},${provenance}${more}]`;
}

function keyOf({ customerId, source, eventId }: UsageEvent): string {
  return `${JSON.stringify(customerId)},${JSON.stringify(source)},${JSON.stringify(eventId)}`;
}

function jsonText(text: string | null): string {
  return text === null ? 'null' : JSON.stringify(text);
}

/** An event that was there before the batch; its content only where the hash is another one. */
interface EarlierEvent {
  readonly index: number;
  readonly same: boolean;
  readonly backfill_id: string | null;
  /** As far as its backfill decides. */
  readonly counts: boolean;
  readonly event_type: string | null;
  readonly event_time: Instant | null;
  readonly metadata: string | null;
}

/** Events of a batch that were there before it, by index. */
export type EarlierEvents = ReadonlyMap<number, EarlierEvent>;

/**
 * LIMIT keeps it a look-up by key for each row, whatever the planner believes about the sizes of the table and of the JSON.
 * (All event ids of a producer in one `= ANY` take half the time, until the planner prefers another index for them.)
 */
const earlierSql = `
  SELECT (r->>3)::int AS index, e.same, e.backfill_id,
         e.backfill_id IS NULL OR (
           EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = e.backfill_id AND d.decision = 'closed')
           AND NOT EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = e.backfill_id AND d.decision = 'reverted'))
           AS counts,
         CASE WHEN NOT e.same THEN e.event_type END AS event_type,
         CASE WHEN NOT e.same THEN e.event_time END AS event_time,
         CASE WHEN NOT e.same THEN e.metadata::text END AS metadata
    FROM jsonb_array_elements($1::jsonb) AS r
   CROSS JOIN LATERAL (
     SELECT t.content_hash = (r->>4)::bigint AS same, t.event_type, t.event_time, t.metadata, t.backfill_id,
            t.xmin, t.ingestion_time
       FROM telemetry_events t
      WHERE t.customer_id = r->>0 AND t.source = r->>1 AND t.event_id = r->>2 LIMIT 1) AS e`;

/**
 * Rows of this transaction are told by xmin and, because a row of four billion transactions ago may show the same xmin,
 * by ingestion_time, which is the start of the transaction.
 */
const earlierThanThisSql = `${earlierSql}
   WHERE e.xmin <> pg_current_xact_id()::xid OR e.ingestion_time <> now()`;

/**
 * Which events of the batch, repeats included, were in the ledger before the transaction, which has inserted the others. By
 * index. A statement of its own, so that its snapshot has the rows of those whose commit the insert waited for.
 */
function findEarlier(client: pg.ClientBase, { events }: SortedBatch): Promise<EarlierEvents> {
  return earlierOf(client, events.map(keyedBy), { name: 'ledger-earlier-than-this', text: earlierThanThisSql });
}

/** Which events of the batch, repeats included, are in the ledger now, as far as `which` says to ask. By index. */
export async function lookUpEarlier(
  pool: pg.Pool | pg.ClientBase,
  { events }: SortedBatch,
  which: (event: UsageEvent) => boolean,
): Promise<EarlierEvents> {
  const keys: string[] = [];
  for (const [index, event] of events.entries()) if (which(event)) keys.push(keyedBy(event, index));
  if (keys.length === 0) return new Map();
  return earlierOf(pool, keys, { name: 'ledger-earlier', text: earlierSql });
}

/**
 * Of each of the events that is in the ledger now what it is beside that; the others are not named.
 * @param judge `outcomesOf`, by what it hangs on
 */
export async function outcomesInLedger(
  client: pg.Pool | pg.ClientBase,
  events: readonly UsageEvent[],
  judge: (batch: SortedBatch, earlier: EarlierEvents) => readonly AppendOutcome[] | Promise<readonly AppendOutcome[]>,
): Promise<ReadonlyMap<UsageEvent, AppendOutcome>> {
  const sorted = sortBatch(events);
  const earlier = await lookUpEarlier(client, sorted, () => true);
  const became = await judge(sorted, earlier);
  const found = new Map<UsageEvent, AppendOutcome>();
  for (const [index, outcome] of became.entries()) {
    const event = events[index];
    if (event !== undefined && earlier.has(index)) found.set(event, outcome);
  }
  return found;
}

/** Inserts those of the batch that are new. By index, repeats included, those that were there before. */
export async function insertNew(client: pg.ClientBase, batch: SortedBatch): Promise<EarlierEvents> {
  const inserted = await insertEvents(client, batch);
  return inserted === batch.winners.length ? new Map() : findEarlier(client, batch);
}

const keyedBy = (event: UsageEvent, index: number): string => `[${keyOf(event)},${index},${event.contentHash}]`;

async function earlierOf(
  client: pg.ClientBase | pg.Pool,
  keys: readonly string[],
  sql: { readonly name: string; readonly text: string },
): Promise<EarlierEvents> {
  const { rows } = await client.query<EarlierEvent>({ ...sql, values: [`[${keys.join(',')}]`] });
  return new Map(rows.map((row) => [row.index, row]));
}

/** What outcomes hang on besides the events. */
export interface OutcomeContext {
  /** An event type's meters decide which properties are compared by value (RULES 6). */
  readonly valuePropertiesOf: (eventType: string) => ReadonlySet<string>;
  /** Of the batch's backfills, those that replace. */
  readonly replacing: ReadonlySet<string>;
}

/** What each event of the batch became. */
export function outcomesOf(
  batch: SortedBatch,
  earlier: EarlierEvents,
  { valuePropertiesOf, replacing }: OutcomeContext,
): readonly AppendOutcome[] {
  const same = (a: EventContent, b: EventContent): boolean => sameContent(a, b, valuePropertiesOf(a.eventType));
  const sameEvents = (a: UsageEvent, b: UsageEvent): boolean =>
    a.contentHash === b.contentHash || same(contentOf(a), contentOf(b));
  return batch.events.map((event, index) => {
    const winnerIndex = batch.repeats.get(index) ?? index;
    const winner = batch.events[winnerIndex];
    // Of what is in the ledger already nothing in the batch is the first, so all of it is compared with that.
    const stored = earlier.get(index) ?? (winnerIndex === index ? undefined : earlier.get(winnerIndex));
    if (stored !== undefined) {
      const asked = batch.events[stored.index] ?? event;
      if (stored.same ? !sameEvents(event, asked) : !same(contentOf(event), contentOfRow(stored))) return 'conflict';
      return repeatOf({ backfillId: stored.backfill_id, counts: stored.counts }, event, replacing);
    }
    if (winner === undefined || winnerIndex === index) return 'accepted';
    if (!sameEvents(event, winner)) return 'conflict';
    const { backfillId = null } = winner;
    // Its backfill is open: it takes events.
    return repeatOf({ backfillId, counts: backfillId === null }, event, replacing);
  });
}

/** The same content under the same identity is a duplicate, unless that would say that an event counts which will not. */
function repeatOf(
  earlier: { readonly backfillId: string | null; readonly counts: boolean },
  event: UsageEvent,
  replacing: ReadonlySet<string>,
): AppendOutcome {
  const backfillId = event.backfillId ?? null;
  if (earlier.backfillId === backfillId) return 'duplicate';
  if (!earlier.counts) return 'in_backfill';
  return backfillId !== null && replacing.has(backfillId) ? 'to_be_replaced' : 'duplicate';
}

/** Whether some outcome hangs on comparing contents by value, for which the meters must be known. */
export function needsComparison({ events, repeats }: SortedBatch, earlier: EarlierEvents): boolean {
  for (const { same } of earlier.values()) if (!same) return true;
  for (const [index, winner] of repeats) if (events[index]?.contentHash !== events[winner]?.contentHash) return true;
  return false;
}

function contentOf({ eventType, eventTime, metadataJson }: UsageEvent): EventContent {
  return { eventType, eventTime, metadata: parse(metadataJson) as Metadata };
}

function contentOfRow({ event_type, event_time, metadata }: EarlierEvent): EventContent {
  return {
    eventType: event_type ?? '',
    eventTime: event_time ?? ('' as Instant),
    metadata: parse(metadata ?? '{}') as Metadata,
  };
}
