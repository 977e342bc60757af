/** Gapless numbers of documents. */
import type pg from 'pg';
import { invariant } from '../domain/failure.js';

/**
 * The next number of a series (`numberSeries`): given back when the transaction fails. To be drawn last, because from here to the
 * commit every other document of the series waits.
 */
export async function drawNumber(client: pg.PoolClient, series: string): Promise<number> {
  const { rows } = await client.query<{ readonly last_number: string }>({
    name: 'draw-number',
    text: `INSERT INTO number_sequences AS s (series, last_number) VALUES ($1, 1)
      ON CONFLICT (series) DO UPDATE SET last_number = s.last_number + 1 RETURNING last_number`,
    values: [series],
  });
  const number = Number(rows[0]?.last_number);
  invariant(Number.isSafeInteger(number), `series "${series}" gives a number`);
  return number;
}
