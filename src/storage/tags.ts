/** The tag registry: definitions are appended, the greatest version of a key holds. */
import { invariant } from '../domain/failure.js';
import { normalizedTag, sameTag, type TagDefinition } from '../domain/metering/tags.js';
import type { Instant } from '../domain/values.js';
import type { Database } from './database.js';
import type { StoredTagDefinition, TagStore } from './types.js';

export function createTagStore(db: Database): TagStore {
  return {
    put: (definition, definedBy) => put(db, normalizedTag(definition), definedBy),
    inForce: async () => {
      const { rows } = await db.pool.query<TagRow>({
        name: 'tags-in-force',
        text: 'SELECT DISTINCT ON (key) * FROM tag_definitions ORDER BY key, version DESC',
      });
      return rows.map(tagFromDb);
    },
    versions: (key) => versionsOf(db, key),
  };
}

interface TagRow {
  readonly key: string;
  readonly version: number;
  readonly description: string | null;
  /** Empty: any text. */
  readonly allowed_values: readonly string[];
  readonly required_for: readonly string[];
  readonly retired: boolean;
  readonly defined_by: string;
  readonly defined_at: Instant;
}

async function versionsOf(db: Database, key: string): Promise<readonly StoredTagDefinition[]> {
  const { rows } = await db.pool.query<TagRow>({
    name: 'tag-versions',
    text: 'SELECT * FROM tag_definitions WHERE key = $1 ORDER BY version',
    values: [key],
  });
  return rows.map(tagFromDb);
}

/** Somebody else drew the same version number at the same time; each attempt sees one more version. */
const versionAttempts = 20;

async function put(db: Database, definition: TagDefinition, definedBy: string): ReturnType<TagStore['put']> {
  for (let attempt = 1; ; attempt += 1) {
    const last = (await versionsOf(db, definition.key)).at(-1);
    if (last !== undefined && sameTag(last, definition)) return { tag: last, appended: false };
    const { key, description, values, requiredFor, retired } = definition;
    const { rows } = await db.pool.query<TagRow>({
      name: 'put-tag',
      text: `INSERT INTO tag_definitions (key, version, description, allowed_values, required_for, retired, defined_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING *`,
      values: [key, (last?.version ?? 0) + 1, description, values ?? [], requiredFor, retired, definedBy],
    });
    const [row] = rows;
    if (row !== undefined) return { tag: tagFromDb(row), appended: true };
    invariant(attempt < versionAttempts, `the tag "${key}" gets a version number`);
  }
}

function tagFromDb(row: TagRow): StoredTagDefinition {
  return {
    key: row.key,
    version: row.version,
    description: row.description,
    values: row.allowed_values.length === 0 ? null : row.allowed_values,
    requiredFor: row.required_for,
    retired: row.retired,
    definedBy: row.defined_by,
    definedAt: row.defined_at,
  };
}
