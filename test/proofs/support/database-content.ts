/** Everything that a database holds, for comparing two of them. */
import pg from 'pg';

/** When something was written, not what: two runs never agree on it. What a caller's clock gave (`issued_at`) stays. */
const clock =
  /^(at|(created|learned|planned|delivered|updated|ingestion|requested|rated|compared|decided|resolved|reconciled|evaluated|received|found|started|finished)_(at|time))$/;
/** Identity columns: an insert that finds its row there uses a number up all the same. */
const order = /_order$/;
/** Ids that somebody made up for want of a name. */
const randomId = /\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b/g;

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
      content[name] = rows.map(({ row }) => textOf(row, columns)).sort();
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
