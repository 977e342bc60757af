/** Gapless numbers of documents. */
import type pg from 'pg';
import { invariant } from '../domain/failure.js';

/**
 * The next numbers of series (`numberSeries`), in the order asked: given back when the transaction fails. To be drawn last,
 * because from here to the commit every other document of a series waits.
 */
export async function drawNumbers(client: pg.PoolClient, asked: readonly string[]): Promise<readonly number[]> {
  const counts = new Map<string, number>();
  for (const series of asked) counts.set(series, (counts.get(series) ?? 0) + 1);
  const { rows } = await client.query<{ readonly series: string; readonly last_number: string }>({
    name: 'draw-numbers',
    // In order of the series, so that nobody waits in a circle.
    text: `INSERT INTO number_sequences AS s (series, last_number)
      SELECT a.series, a.count FROM unnest($1::text[], $2::bigint[]) AS a (series, count) ORDER BY a.series COLLATE "C"
      ON CONFLICT (series) DO UPDATE SET last_number = s.last_number + excluded.last_number RETURNING series, last_number`,
    values: [[...counts.keys()], [...counts.values()]],
  });
  const next = new Map(rows.map((row) => [row.series, Number(row.last_number) - (counts.get(row.series) ?? 0)]));
  return asked.map((series) => {
    const number = (next.get(series) ?? NaN) + 1;
    invariant(Number.isSafeInteger(number), `series "${series}" gives a number`);
    next.set(series, number);
    return number;
  });
}

/** One number, as `drawNumbers` draws it. */
export async function drawNumber(client: pg.PoolClient, series: string): Promise<number> {
  const [number] = await drawNumbers(client, [series]);
  invariant(number !== undefined, `series "${series}" gives a number`);
  return number;
}
