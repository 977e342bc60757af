/** The usage ledger: appending events, finding them again, and the safe horizon. */
import { invariant } from '../domain/failure.js';
import type { UsageEvent } from '../domain/metering/event.js';
import type { Meter } from '../domain/metering/meter.js';
import { valueProperties } from '../domain/metering/reading.js';
import type { Instant, Position } from '../domain/values.js';
import { appendToBackfills, backfillIdsOf, openAmong, type OpenBackfills } from './backfills-append.js';
import type { Database } from './database.js';
import { EventsInFlight } from './events-in-flight.js';
import { horizonOf } from './gate-lock.js';
import {
  type EarlierEvents,
  needsComparison,
  outcomesInLedger,
  outcomesOf,
  sortBatch,
  type SortedBatch,
} from './ledger-append.js';
import { BatchStore } from './ledger-store.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import type { AppendOutcome, Page, PageRequest, StoredEvent, UsageLedger } from './types.js';

/** @param meters asked only when contents must be compared by value: which properties are values of meters (RULES 6). */
export function createUsageLedger(db: Database, meters: () => Promise<readonly Meter[]>): UsageLedger {
  return {
    append: appender(db, meters),
    repeatsAmong: (events) => repeatsAmong(db, events, meters),
    findEvent: (customerId, source, eventId) => findEvent(db, [customerId, source, eventId]),
    listEvents: (filter, page) => listEvents(db, filter, page),
    safeHorizon: async () => (await horizonOf(db)).position,
    horizon: () => horizonOf(db),
  };
}

type Meters = () => Promise<readonly Meter[]>;

/** What is sent again while it is stored is a duplicate of what is stored, unless a backfill decides about it. */
function repeated(first: UsageEvent, became: AppendOutcome, again: UsageEvent): AppendOutcome | null {
  if (first.backfillId !== undefined || again.backfillId !== undefined) return null;
  return became === 'accepted' || became === 'duplicate' ? 'duplicate' : null;
}

function appender(db: Database, meters: Meters): UsageLedger['append'] {
  const inFlight = new EventsInFlight<AppendOutcome>(repeated);
  const batches = new BatchStore(db);
  const lookUp = (
    events: readonly UsageEvent[],
    { replacing }: OpenBackfills,
  ): Promise<ReadonlyMap<UsageEvent, AppendOutcome>> =>
    outcomesInLedger(db.pool, events, (sorted, earlier) => outcomes(sorted, earlier, { meters, replacing }));
  return (events, deadLetters, committed = new Map<UsageEvent, AppendOutcome>()) => {
    let letters = deadLetters;
    const append = (
      open: readonly UsageEvent[],
      { ids, replacing }: OpenBackfills,
    ): Promise<readonly AppendOutcome[]> =>
      inFlight.each(open, async (part, call) => {
        const batch = { sorted: sortBatch(part, ids), deadLetters: call === 0 ? letters : [] };
        if (part.length === 0 && batch.deadLetters.length === 0) return [];
        const stored = new Set<number>();
        try {
          const earlier = await batches.store(batch, stored);
          letters = [];
          const became = await outcomes(batch.sorted, earlier, { meters, replacing });
          // What is stored as a whole is told as a whole.
          if (part.length < open.length)
            part.forEach((event, index) => committed.set(event, became[index] ?? 'accepted'));
          return became;
        } catch (error) {
          part.forEach((event, index) => stored.has(index) && committed.set(event, 'accepted'));
          throw error;
        }
      });
    // Storing the rest adds to `committed`; these have their outcome already.
    const before = new Map(committed);
    const left = before.size === 0 ? events : events.filter((event) => !before.has(event));
    const backfillIds = backfillIdsOf(left);
    if (backfillIds.length > 0) return appendToBackfills(db, { events, backfillIds, committed }, { append, lookUp });
    const appended = append(left, { ids: [], replacing: noBackfills });
    return left === events ? appended : appended.then((became) => allOutcomes(events, before, became));
  };
}

/** Those of the events that were committed before, and those that became something now, in the order of the events. */
function allOutcomes(
  events: readonly UsageEvent[],
  before: ReadonlyMap<UsageEvent, AppendOutcome>,
  became: readonly AppendOutcome[],
): readonly AppendOutcome[] {
  let next = 0;
  return events.map((event) => {
    const outcome = before.get(event) ?? became[next++];
    invariant(outcome !== undefined, 'every event that is appended has an outcome');
    return outcome;
  });
}

const noBackfills: ReadonlySet<string> = new Set();

/** Asks for the meters after the commit: that may take a connection, and the one of the commit should not be held meanwhile. */
async function outcomes(
  sorted: SortedBatch,
  earlier: EarlierEvents,
  { meters, replacing }: { readonly meters: Meters; readonly replacing: ReadonlySet<string> },
): Promise<readonly AppendOutcome[]> {
  const known = needsComparison(sorted, earlier) ? await meters() : [];
  return outcomesOf(sorted, earlier, {
    valuePropertiesOf: (eventType) => valueProperties(known, eventType),
    replacing,
  });
}

async function repeatsAmong(
  db: Database,
  events: readonly UsageEvent[],
  meters: Meters,
): Promise<ReadonlyMap<UsageEvent, AppendOutcome>> {
  const ids = backfillIdsOf(events);
  const { replacing } = ids.length === 0 ? { replacing: noBackfills } : await openAmong(db, ids);
  const found = await outcomesInLedger(db.pool, events, (sorted, earlier) =>
    outcomes(sorted, earlier, { meters, replacing }),
  );
  return new Map([...found].filter(([, outcome]) => outcome !== 'conflict'));
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
  readonly backfill_id: string | null;
  readonly schema_version: number | null;
}

/** Columns of `storedEvent`, for tables or subqueries with the columns of telemetry_events. */
export const storedEventColumns = `customer_id, source, event_id, event_type, event_time, ingestion_time, position,
  content_hash, metadata::text AS metadata, request_id, user_id, trace_id, backfill_id, schema_version`;

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
    backfillId: row.backfill_id,
    schemaVersion: row.schema_version,
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
