/** Legal entities: versions are appended, the greatest of a code holds; a prefix belongs to one entity for ever. */
import type pg from 'pg';
import { DomainFailure, invariant } from '../domain/failure.js';
import { defaultLegalEntity, numberedTypes, numberSeries } from '../domain/invoicing/invoice-number.js';
import type { Party } from '../domain/invoicing/invoice.js';
import type { IssuingEntity, LegalEntity } from '../domain/invoicing/legal-entity.js';
import { sellerOfConfiguration } from '../domain/invoicing/legal-entity.js';
import type { Instant } from '../domain/values.js';
import { canonicalJson } from './canonical-json.js';
import type { Database } from './database.js';
import type { NumberingStore, StoredLegalEntity } from './types-numbering.js';

type EntityStore = Pick<NumberingStore, 'putEntity' | 'entities' | 'entityVersions'>;

interface EntityRow {
  readonly code: string;
  readonly version: number;
  readonly number_prefix: string;
  readonly seller: Party;
  readonly defined_by: string;
  readonly defined_at: Instant;
}

export function createLegalEntityStore(db: Database): EntityStore {
  return {
    putEntity: (entity, definedBy) => db.transaction((client) => put(client, entity, definedBy)),
    entities: async () => {
      const { rows } = await db.pool.query<EntityRow>({
        name: 'legal-entities',
        text: 'SELECT DISTINCT ON (code) * FROM legal_entity_versions ORDER BY code, version DESC',
      });
      return rows.map(entityFromDb);
    },
    entityVersions: (code) => versionsOf(db.pool, code),
  };
}

/**
 * The entity as its documents are issued now. Locked against changes to the end of the transaction, so that no number is drawn
 * under a prefix that is being replaced.
 */
export async function issuingEntity(client: pg.PoolClient, code: string): Promise<IssuingEntity> {
  if (code === defaultLegalEntity) return sellerOfConfiguration;
  await client.query({ name: 'share-legal-entity', text: `SELECT ${lockSql('_shared')}`, values: [code] });
  const entity = (await versionsOf(client, code)).at(-1);
  invariant(entity !== undefined, `the legal entity "${code}" is registered`);
  return entity;
}

const lockSql = (mode: '' | '_shared'): string =>
  `pg_advisory_xact_lock${mode}(hashtextextended('legal-entity/' || $1, 0))`;

async function versionsOf(db: pg.Pool | pg.PoolClient, code: string): Promise<readonly StoredLegalEntity[]> {
  const { rows } = await db.query<EntityRow>({
    name: 'legal-entity-versions',
    text: 'SELECT * FROM legal_entity_versions WHERE code = $1 ORDER BY version',
    values: [code],
  });
  return rows.map(entityFromDb);
}

async function put(
  client: pg.PoolClient,
  entity: LegalEntity,
  definedBy: string,
): ReturnType<NumberingStore['putEntity']> {
  const { code, numberPrefix, seller } = entity;
  await client.query(`SELECT ${lockSql('')}`, [code]);
  const last = (await versionsOf(client, code)).at(-1);
  if (last?.numberPrefix === numberPrefix && canonicalJson(last.seller) === canonicalJson(seller))
    return { entity: last, appended: false };
  await client.query('INSERT INTO legal_entities (code) VALUES ($1) ON CONFLICT DO NOTHING', [code]);
  if (last?.numberPrefix !== numberPrefix) await takePrefix(client, entity, last?.numberPrefix ?? null);
  const { rows } = await client.query<EntityRow>(
    `INSERT INTO legal_entity_versions (code, version, number_prefix, seller, defined_by) VALUES ($1, $2, $3, $4, $5)
     RETURNING *`,
    [code, (last?.version ?? 0) + 1, numberPrefix, JSON.stringify(seller), definedBy],
  );
  const [row] = rows;
  invariant(row !== undefined, 'an INSERT returns its row');
  return { entity: entityFromDb(row), appended: true };
}

async function takePrefix(client: pg.PoolClient, entity: LegalEntity, before: string | null): Promise<void> {
  const { code, numberPrefix } = entity;
  const series = numberedTypes.map((type) => numberSeries(entity, type).series);
  const drawn = await client.query('SELECT FROM number_sequences WHERE series = ANY ($1)', [series]);
  if (before !== null && drawn.rowCount !== 0) {
    const detail = `"${code}" has issued documents as ${before}; a series keeps its prefix. Register another legal entity for another one.`;
    throw new DomainFailure('NUMBER_PREFIX_LOCKED', detail, '/number_prefix');
  }
  await client.query('INSERT INTO number_prefixes (number_prefix, code) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    numberPrefix,
    code,
  ]);
  const { rows } = await client.query<{ readonly code: string }>(
    'SELECT code FROM number_prefixes WHERE number_prefix = $1',
    [numberPrefix],
  );
  if (rows[0]?.code === code) return;
  const detail = `The prefix "${numberPrefix}" belongs to the legal entity "${rows[0]?.code ?? ''}", or did once. Choose another one.`;
  throw new DomainFailure('NUMBER_PREFIX_TAKEN', detail, '/number_prefix');
}

function entityFromDb(row: EntityRow): StoredLegalEntity {
  return {
    code: row.code,
    version: row.version,
    numberPrefix: row.number_prefix,
    seller: row.seller,
    definedBy: row.defined_by,
    definedAt: row.defined_at,
  };
}
