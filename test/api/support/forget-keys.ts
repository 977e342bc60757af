import pg from 'pg';

/** As two days after the request: what was answered under idempotency keys is forgotten. */
export async function forgetKeys(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('DELETE FROM idempotency_keys');
  await client.end();
}
