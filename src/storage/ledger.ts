/** The usage ledger: appending events, finding them again, and the safe horizon. */
import type { Meter } from '../domain/metering/meter.js';
import type { Instant, Position } from '../domain/values.js';
import type { Database } from './database.js';
import { insertDeadLetters, listDeadLetters, type NewDeadLetter } from './dead-letters.js';
import { findEarlier, insertEvents, needsComparison, outcomesOf, sortBatch } from './ledger-append.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { openLedgerTransaction, safeHorizon } from './safe-horizon.js';
import type { AppendOutcome, Page, PageRequest, StoredEvent, UsageLedger } from './types.js';
import type { UsageEvent } from '../domain/metering/event.js';

/** @param meters asked only when contents must be compared by value: which properties are values of meters (RULES 6). */
export function createUsageLedger(db: Database, meters: () => Promise<readonly Meter[]>): UsageLedger {
  return {
    append: (events, deadLetters) => append(db, meters, { events, deadLetters }),
    findEvent: (customerId, source, eventId) => findEvent(db, [customerId, source, eventId]),
    listEvents: (filter, page) => listEvents(db, filter, page),
    safeHorizon: () => safeHorizon(db),
    listDeadLetters: (page) => listDeadLetters(db, page),
  };
}

async function append(
  db: Database,
  meters: () => Promise<readonly Meter[]>,
  { events, deadLetters }: { readonly events: readonly UsageEvent[]; readonly deadLetters: readonly NewDeadLetter[] },
): Promise<readonly AppendOutcome[]> {
  if (events.length === 0 && deadLetters.length === 0) return [];
  const batch = sortBatch(events);
  const earlier = await db.transaction(
    async (client) => {
      const inserted = events.length === 0 ? 0 : await insertEvents(client, batch);
      const found = inserted === batch.winners.length ? new Map<number, never>() : await findEarlier(client, batch);
      if (deadLetters.length > 0) await insertDeadLetters(client, deadLetters);
      return found;
    },
    events.length === 0 ? '' : openLedgerTransaction,
  );
  // After the commit: asking for meters may take a connection, and this one should not be held meanwhile.
  const known = needsComparison(batch, earlier) ? await meters() : [];
  return outcomesOf(batch, earlier, (eventType) => valueProperties(known, eventType));
}

function valueProperties(meters: readonly Meter[], eventType: string): ReadonlySet<string> {
  const own = meters.filter((meter) => meter.eventType === eventType);
  return new Set(own.flatMap((meter) => (meter.valueProperty === null ? [] : [meter.valueProperty])));
}

interface EventRow {
  readonly customer_id: string;
  readonly source: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly event_time: Instant;
  readonly ingestion_time: Instant;
  readonly position: Position;
  readonly content_hash: string;
  readonly metadata: string;
  readonly request_id: string | null;
  readonly user_id: string | null;
  readonly trace_id: string | null;
}

/** Columns of `storedEvent`, for tables or subqueries with the columns of telemetry_events. */
export const storedEventColumns = `customer_id, source, event_id, event_type, event_time, ingestion_time, position,
  content_hash, metadata::text AS metadata, request_id, user_id, trace_id`;

/** A row of `storedEventColumns` as the event it holds. */
export function storedEvent(row: EventRow): StoredEvent {
  return {
    customerId: row.customer_id,
    source: row.source,
    eventId: row.event_id,
    eventType: row.event_type,
    eventTime: row.event_time,
    metadataJson: row.metadata,
    contentHash: row.content_hash,
    provenance: { requestId: row.request_id, userId: row.user_id, traceId: row.trace_id },
    position: row.position,
    ingestionTime: row.ingestion_time,
  };
}

async function findEvent(db: Database, key: readonly [string, string, string]): Promise<StoredEvent | null> {
  const { rows } = await db.pool.query<EventRow>({
    name: 'ledger-find',
    text: `SELECT ${storedEventColumns} FROM telemetry_events WHERE customer_id = $1 AND source = $2 AND event_id = $3`,
    values: [...key],
  });
  return rows[0] === undefined ? null : storedEvent(rows[0]);
}

const list = 'events';
const cursorShape = [cursorPart.instant, cursorPart.text, cursorPart.text];

/** In order of event time, then source and event_id. */
async function listEvents(
  db: Database,
  filter: { readonly customerId: string; readonly eventType?: string; readonly from?: Instant; readonly to?: Instant },
  page: PageRequest,
): Promise<Page<StoredEvent>> {
  const [time, source, eventId] = decodeCursor(page, list, cursorShape) ?? [];
  const { rows } = await db.pool.query<EventRow>(
    `SELECT ${storedEventColumns} FROM telemetry_events
      WHERE customer_id = $1
        AND ($2::text IS NULL OR event_type = $2)
        AND ($3::timestamptz IS NULL OR event_time >= $3)
        AND ($4::timestamptz IS NULL OR event_time < $4)
        AND ($5::timestamptz IS NULL OR (event_time, source, event_id) > ($5, $6, $7))
      ORDER BY event_time, source, event_id LIMIT $8`,
    [
      filter.customerId,
      filter.eventType ?? null,
      filter.from ?? null,
      filter.to ?? null,
      time ?? null,
      source ?? null,
      eventId ?? null,
      page.limit + 1,
    ],
  );
  const rowsPage = pageOf(rows, { ...page, list }, (row) => [row.event_time, row.source, row.event_id]);
  return mapPage(rowsPage, storedEvent);
}
