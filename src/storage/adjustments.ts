/** Voids and amendments of events: facts of the usage ledger with positions of their own (RULES 7). */
import type pg from 'pg';
import { parse } from 'lossless-json';
import { DomainFailure, invariant } from '../domain/failure.js';
import { sameContent } from '../domain/metering/canonical-content.js';
import type { EventContent } from '../domain/metering/canonical-content.js';
import type { Metadata } from '../domain/metering/metadata.js';
import type { Meter } from '../domain/metering/meter.js';
import { valueProperties } from '../domain/metering/reading.js';
import type { Instant, Position } from '../domain/values.js';
import { contentHashOf } from './content-hash.js';
import type { Database } from './database.js';
import { uuidOf } from './identifiers.js';
import { partitionOf } from './partition.js';
import { openLedgerTransaction } from './safe-horizon.js';
import type { Adjusted, AdjustmentStore, EventAdjustment, NewEventAdjustment, Replacement } from './types.js';

type EventKey = Pick<NewEventAdjustment, 'customerId' | 'source' | 'eventId'>;

/** @param meters which properties are values of meters: two replacements are compared as two events are (RULES 6) */
export function createAdjustmentStore(db: Database, meters: () => Promise<readonly Meter[]>): AdjustmentStore {
  return {
    adjust: (adjustment, requestId) => adjust(db, meters, { adjustment, requestId }),
    ofRequest: (requestId) => readOfRequest(db.pool, requestId),
    ofEvent: (customerId, source, eventId) => readAdjustments(db.pool, { customerId, source, eventId }),
  };
}

async function adjust(
  db: Database,
  meters: () => Promise<readonly Meter[]>,
  { adjustment, requestId }: { readonly adjustment: NewEventAdjustment; readonly requestId: string | undefined },
): Promise<Adjusted> {
  const { replacement } = adjustment;
  invariant(
    (adjustment.type === 'amend') === (replacement !== null),
    'an amendment has a replacement, a void has none',
  );
  if (replacement !== null) requireOwnHash(adjustment, replacement);
  // Before the transaction: asking may take a connection, and the ledger's lock should not be held meanwhile.
  const known = replacement === null ? [] : await meters();
  return db.transaction(async (client) => {
    await lockEvent(client, adjustment);
    const told = requestId === undefined ? null : await readOfRequest(client, requestId);
    if (told !== null) return { outcome: 'duplicate', adjustment: told };
    const adjusted = await adjustLocked(client, adjustment, known);
    if (requestId !== undefined) await keepRequest(client, requestId, adjusted.adjustment);
    return adjusted;
  }, openLedgerTransaction);
}

async function adjustLocked(
  client: pg.PoolClient,
  adjustment: NewEventAdjustment,
  meters: readonly Meter[],
): Promise<Adjusted> {
  const earlier = await readAdjustments(client, adjustment);
  const last = earlier.at(-1);
  if (last !== undefined && saysTheSame(last, adjustment, meters)) return { outcome: 'duplicate', adjustment: last };
  return { outcome: 'accepted', adjustment: await append(client, adjustment, earlier.length + 1) };
}

/** Also where it changed nothing: what others decide later is not to be undone by its repetition. */
async function keepRequest(client: pg.PoolClient, requestId: string, { adjustmentId }: EventAdjustment): Promise<void> {
  await client.query({
    name: 'adjustment-request',
    text: 'INSERT INTO event_adjustment_requests (request_id, adjustment_id) VALUES ($1, $2)',
    values: [requestId, adjustmentId],
  });
}

async function readOfRequest(db: pg.Pool | pg.PoolClient, requestId: string): Promise<EventAdjustment | null> {
  const { rows } = await db.query<AdjustmentRow>({
    name: 'adjustment-of-request',
    text: `SELECT ${adjustmentColumns} FROM event_adjustments
      WHERE adjustment_id = (SELECT r.adjustment_id FROM event_adjustment_requests r WHERE r.request_id = $1)`,
    values: [requestId],
  });
  return rows[0] === undefined ? null : adjustmentFromDb(rows[0]);
}

/** The digest of every window that counts the event is made of it. */
function requireOwnHash({ customerId, source, eventId }: EventKey, replacement: Replacement): void {
  const { eventType, eventTime, metadataJson, contentHash } = replacement;
  const metadata = parse(metadataJson) as Metadata;
  const own = contentHashOf({ customerId, source, eventId, eventType, eventTime, metadata });
  invariant(own === contentHash, `the replacement of event "${eventId}" comes with its own content hash`);
}

/**
 * One adjustment of an event at a time: the next one sees it, and gets the greater position. The row is locked, not changed.
 * @throws DomainFailure EVENT_NOT_FOUND
 */
async function lockEvent(client: pg.PoolClient, { customerId, source, eventId }: EventKey): Promise<void> {
  const { rowCount } = await client.query({
    name: 'adjustment-lock',
    text: `SELECT FROM telemetry_events WHERE customer_id = $1 AND source = $2 AND event_id = $3 FOR NO KEY UPDATE`,
    values: [customerId, source, eventId],
  });
  if (rowCount === 1) return;
  throw new DomainFailure(
    'EVENT_NOT_FOUND',
    `Customer "${customerId}" has no event "${eventId}" from source "${source}".`,
  );
}

function saysTheSame(last: EventAdjustment, next: NewEventAdjustment, meters: readonly Meter[]): boolean {
  if (last.replacement === null || next.replacement === null) return last.type === next.type;
  if (last.replacement.contentHash === next.replacement.contentHash) return true;
  const { eventType } = next.replacement;
  return sameContent(contentOf(last.replacement), contentOf(next.replacement), valueProperties(meters, eventType));
}

const contentOf = ({ eventType, eventTime, metadataJson }: Replacement): EventContent => ({
  eventType,
  eventTime,
  metadata: parse(metadataJson) as Metadata,
});

async function append(client: pg.PoolClient, adjustment: NewEventAdjustment, place: number): Promise<EventAdjustment> {
  const { customerId, source, eventId, type, replacement, reason } = adjustment;
  const { rows } = await client.query<AdjustmentRow>({
    name: 'adjustment-append',
    text: `INSERT INTO event_adjustments (adjustment_id, customer_id, source, event_id, partition, type, replacement_event_type,
        replacement_event_time, replacement_metadata, replacement_content_hash, reason)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING ${adjustmentColumns}`,
    values: [
      uuidOf('event-adjustment', customerId, source, eventId, place),
      customerId,
      source,
      eventId,
      partitionOf(customerId),
      type,
      replacement?.eventType ?? null,
      replacement?.eventTime ?? null,
      replacement?.metadataJson ?? null,
      replacement?.contentHash ?? null,
      reason,
    ],
  });
  const [row] = rows;
  invariant(row !== undefined, 'an insert that is not refused returns its row');
  return adjustmentFromDb(row);
}

interface AdjustmentRow {
  readonly adjustment_id: string;
  readonly customer_id: string;
  readonly source: string;
  readonly event_id: string;
  readonly position: Position;
  readonly type: EventAdjustment['type'];
  readonly event_type: string | null;
  readonly event_time: Instant | null;
  readonly metadata: string | null;
  readonly content_hash: string | null;
  readonly reason: string | null;
  readonly created_at: Instant;
}

const adjustmentColumns = `adjustment_id, customer_id, source, event_id, position, type, reason, created_at,
  replacement_event_type AS event_type, replacement_event_time AS event_time, replacement_metadata::text AS metadata,
  replacement_content_hash AS content_hash`;

/** Oldest first. */
async function readAdjustments(
  db: pg.Pool | pg.PoolClient,
  { customerId, source, eventId }: EventKey,
): Promise<readonly EventAdjustment[]> {
  const { rows } = await db.query<AdjustmentRow>({
    name: 'adjustments-of-event',
    text: `SELECT ${adjustmentColumns} FROM event_adjustments
      WHERE customer_id = $1 AND source = $2 AND event_id = $3 ORDER BY position`,
    values: [customerId, source, eventId],
  });
  return rows.map(adjustmentFromDb);
}

function adjustmentFromDb(row: AdjustmentRow): EventAdjustment {
  const { event_type: eventType, event_time: eventTime, metadata: metadataJson, content_hash: contentHash } = row;
  const isComplete = eventType !== null && eventTime !== null && metadataJson !== null && contentHash !== null;
  return {
    adjustmentId: row.adjustment_id,
    customerId: row.customer_id,
    source: row.source,
    eventId: row.event_id,
    type: row.type,
    replacement: isComplete ? { eventType, eventTime, metadataJson, contentHash } : null,
    reason: row.reason,
    position: row.position,
    createdAt: row.created_at,
  };
}
