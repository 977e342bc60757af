/** The numbers on documents, held against those that were drawn. */
import { checkNumbers } from '../domain/invoicing/check-numbers.js';
import type { DrawnNumbers, NumberGap, NumbersInUse } from '../domain/invoicing/check-numbers.js';
import { sellerOfConfiguration } from '../domain/invoicing/legal-entity.js';
import type { Database } from './database.js';
import { createLegalEntityStore } from './legal-entities.js';
import type { NumberingStore } from './types-numbering.js';

/** Every table whose rows are numbered documents, by its column `number`. */
const numberedTables: readonly string[] = ['invoices', 'credit_notes'];

/** Gaps and duplicates that are named of a series; they are counted all. */
const namedMax = 100;

/**
 * One statement, so one moment: a number and its document become visible together. What a number begins with is all before its
 * last hyphen; the number 0 stands for one that cannot be read.
 */
const numbersSql = `
  WITH numbers AS (
    SELECT left(number, -strpos(reverse(number), '-')) AS printed, coalesce(substring(number FROM '-([0-9]{1,15})$')::bigint, 0) AS n
      FROM (${numberedTables.map((table) => `SELECT number FROM ${table}`).join(' UNION ALL ')}) AS documents),
  counted AS (SELECT printed, n, count(*) AS documents, lag(n, 1, 0::bigint) OVER (PARTITION BY printed ORDER BY n) AS before
    FROM numbers GROUP BY printed, n),
  in_use AS (
    SELECT printed, sum(documents)::bigint AS documents, max(n) AS highest, sum(greatest(n - before - 1, 0))::bigint AS missing,
           coalesce((array_agg(jsonb_build_object('from', before + 1, 'to', n - 1) ORDER BY n) FILTER (WHERE n > before + 1))[1:${namedMax}], '{}') AS gaps,
           coalesce((array_agg(n ORDER BY n) FILTER (WHERE documents > 1 OR n = 0))[1:${namedMax}], '{}') AS duplicates
      FROM counted GROUP BY printed)
  SELECT (SELECT coalesce(jsonb_agg(jsonb_build_object('series', series, 'lastNumber', last_number) ORDER BY series), '[]')
            FROM number_sequences) AS drawn,
         (SELECT coalesce(jsonb_agg(jsonb_build_object('printed', printed, 'documents', documents, 'highest', highest,
                   'missing', missing, 'gaps', to_jsonb(gaps), 'duplicates', to_jsonb(duplicates)) ORDER BY printed), '[]')
            FROM in_use) AS in_use`;

interface NumbersRow {
  readonly drawn: readonly DrawnNumbers[];
  readonly in_use: readonly (NumbersInUse & { readonly gaps: readonly NumberGap[] })[];
}

export function createNumberingStore(db: Database): NumberingStore {
  const entities = createLegalEntityStore(db);
  return {
    ...entities,
    checkNumbers: async () => {
      const { rows } = await db.pool.query<NumbersRow>({ name: 'numbers-in-use', text: numbersSql });
      const { drawn = [], in_use: inUse = [] } = rows[0] ?? {};
      return checkNumbers([sellerOfConfiguration, ...(await entities.entities())], drawn, inUse);
    },
  };
}
