/** Everything that a database holds, for comparing two of them. */
import pg from 'pg';

/** When something was written, not what: two runs never agree on it. What a caller's clock gave (`issued_at`) stays. */
const clock =
  /^(at|(created|defined|learned|planned|delivered|updated|ingestion|requested|rated|compared|decided|resolved|reconciled|evaluated|received|found|started|finished|granted|drawn|expired|voided|taken|closed|recorded|reversed|refunded|allocated|written_off|cancelled|attempted|tried|reported|looked)_(at|time)|through_instant)$/;
/** Identity columns: an insert that finds its row there uses a number up all the same. */
const order = /_order$/;
/** Ids that somebody made up for want of a name. */
const randomId = /\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b/g;

/** Of the audit log: what hangs on when, in which order and with which salts and keys rows were written. */
const ofAudit = new Set(
  [
    'change_id',
    'change_ids',
    'batch',
    'sequence',
    'row_digests',
    'digest',
    'commitment',
    'salt',
    'content',
    'fact_index',
    'hash',
  ].concat([
    'previous_hash',
    'block_hash',
    'sealed_at',
    'from_position',
    'to_position',
    'key_id',
    'public_key',
    'signature',
  ]),
);

export interface Leaving {
  /** Tables to leave out. */
  readonly tables?: readonly string[];
  /** Columns to leave out beside clocks and identities. */
  readonly columns?: readonly string[];
}

/** By table, its rows as sorted text. Of clocks is left whether they are set. */
export async function contentOf(
  url: string,
  { tables = [], columns = [] }: Leaving = {},
): Promise<Readonly<Record<string, readonly string[]>>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: found } = await client.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class
       WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname`,
    );
    const content: Record<string, readonly string[]> = {};
    for (const { name } of found) {
      if (tables.includes(name) || name === '_prisma_migrations') continue;
      const { rows } = await client.query<{ row: Readonly<Record<string, unknown>> }>(
        `SELECT to_jsonb(t) AS row FROM "${name}" t`,
      );
      content[name] = rows
        .map(({ row }) => textOf(row, name.startsWith('audit_') ? [...columns, ...ofAudit] : columns))
        .sort();
    }
    return content;
  } finally {
    await client.end();
  }
}

function textOf(row: Readonly<Record<string, unknown>>, leftOut: readonly string[]): string {
  const kept = Object.entries(row)
    .filter(([column]) => !order.test(column) && !leftOut.includes(column))
    .map(([column, value]) => [column, clock.test(column) && value !== null ? 'set' : value] as const);
  return JSON.stringify(Object.fromEntries(kept)).replaceAll(randomId, 'random');
}

/**
 * A database as it lies there, for comparing it with its restored copy: by table a hash of all rows to the last digit, with their
 * number; by sequence its state; by name what stands guard over the tables.
 */
export async function imageOf(url: string): Promise<Readonly<Record<string, string>>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    const image: Record<string, string> = {};
    const { rows: relations } = await client.query<{ name: string; isTable: boolean }>(
      `SELECT relname AS name, relkind = 'r' AS "isTable" FROM pg_class
       WHERE relkind IN ('r', 'S') AND relnamespace = 'public'::regnamespace ORDER BY relname`,
    );
    for (const { name, isTable } of relations) {
      const { rows } = await client.query<{ text: string }>(
        isTable
          ? `SELECT count(*) || ' rows, ' || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') AS text FROM "${name}" t`
          : `SELECT last_value || ' ' || is_called AS text FROM "${name}"`,
      );
      image[name] = rows[0]?.text ?? '';
    }
    const { rows: guards } = await client.query<{ name: string; text: string }>(guardsSql);
    for (const { name, text } of guards) image[name] = text;
    await client.query('COMMIT');
    return image;
  } finally {
    await client.end();
  }
}

const guardsSql = `
  SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname AS name, tgenabled::text AS text FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL
  SELECT 'constraint ' || conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
  WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
  UNION ALL
  SELECT 'index ' || indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON oid = indrelid
  WHERE relnamespace = 'public'::regnamespace
  UNION ALL
  SELECT 'function ' || oid::regprocedure, md5(prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  ORDER BY 1`;

/** The tables without any row; of a partitioned table only all its partitions together count. */
export async function emptyTables(url: string): Promise<readonly string[]> {
  const content = await contentOf(url);
  return Object.keys(content).filter((name) => content[name]?.length === 0);
}
