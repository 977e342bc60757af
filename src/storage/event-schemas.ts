/** Schemas of event types: appended, never changed. */
import type { JsonSchemaObject } from '../domain/metering/json-schema.js';
import type { CompatibilityMode } from '../domain/metering/schema-compatibility.js';
import type { Instant } from '../domain/values.js';
import type { Database } from './database.js';
import { eventTypeLockOf } from './gate-lock.js';
import { cursorPart, decodeCursor, pageOf } from './paging.js';
import type { EventSchemaStore, EventSchemaVersion } from './types.js';

export function createEventSchemaStore(db: Database): EventSchemaStore {
  const { pool } = db;
  const read = async (name: string, text: string, values: readonly unknown[]): Promise<EventSchemaVersion[]> => {
    const { rows } = await pool.query<EventSchemaRow>({ name, text, values: [...values] });
    return rows.map(schemaFromDb);
  };
  return {
    append: async ({ eventType, version, schema, compatibility, createdBy }, meters = null) => {
      const values = [eventType, version, JSON.stringify(schema), compatibility, createdBy, meters];
      // Whoever adds a meter looks at the schemas under the same lock: of the two, one comes first and is seen by the other.
      const { rows } = await db.transaction(
        (client) => client.query<EventSchemaRow>({ name: 'event-schema-append', text: appendSql, values }),
        `SELECT pg_advisory_xact_lock(${eventTypeLockOf(eventType)})`,
      );
      return rows[0] === undefined ? null : schemaFromDb(rows[0]);
    },
    versions: (eventType) =>
      read('event-schema-versions', 'SELECT * FROM event_schemas WHERE event_type = $1 ORDER BY version', [eventType]),
    find: async (eventType, version) => {
      const text = 'SELECT * FROM event_schemas WHERE event_type = $1 AND version = $2';
      const [row] = await read('event-schema-find', text, [eventType, version]);
      return row ?? null;
    },
    list: async (filter, page) => {
      const [eventType, version] = decodeCursor(page, list, [cursorPart.text, cursorPart.position]) ?? [];
      const rows = await read(
        'event-schemas-list',
        `SELECT * FROM event_schemas
          WHERE ($1::text IS NULL OR event_type = $1) AND ($2::text IS NULL OR (event_type, version) > ($2, $3::bigint))
          ORDER BY event_type, version LIMIT $4`,
        [filter.eventType ?? null, eventType ?? null, version ?? null, page.limit + 1],
      );
      return pageOf(rows, { ...page, list }, (row) => [row.eventType, String(row.version)]);
    },
    latestVersions: async () => {
      const { rows } = await pool.query<{ readonly event_type: string; readonly version: number }>({
        name: 'event-schemas-latest',
        text: 'SELECT event_type, max(version) AS version FROM event_schemas GROUP BY event_type',
      });
      return new Map(rows.map((row) => [row.event_type, row.version]));
    },
  };
}

const list = 'event-schemas';

/**
 * The version before must be there: then numbers have no gaps, whoever writes. Versions of meters are only ever added: as many as
 * were looked at are the same ones.
 */
const appendSql = `
  INSERT INTO event_schemas (event_type, version, schema, compatibility, created_by)
  SELECT $1::text, $2::integer, $3::jsonb, $4::text, $5::text
   WHERE ($2::integer = 1 OR EXISTS (SELECT FROM event_schemas WHERE event_type = $1::text AND version = $2::integer - 1))
     AND ($6::bigint IS NULL OR $6::bigint = (SELECT count(*) FROM meters WHERE event_type = $1::text))
  ON CONFLICT DO NOTHING RETURNING *`;

interface EventSchemaRow {
  readonly event_type: string;
  readonly version: number;
  readonly schema: JsonSchemaObject;
  readonly compatibility: CompatibilityMode;
  readonly created_by: string;
  readonly created_at: Instant;
}

function schemaFromDb(row: EventSchemaRow): EventSchemaVersion {
  return {
    eventType: row.event_type,
    version: row.version,
    schema: row.schema,
    compatibility: row.compatibility,
    createdBy: row.created_by,
    createdAt: row.created_at,
  };
}
