/** Published exchange rates: appended, and of one source, pair and day the one learned last holds. */
import { toDecimalString, decimal } from '../domain/decimal.js';
import { compareText } from '../domain/compare-text.js';
import type { ExchangeRate, QuotedPair } from '../domain/money/conversion.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import type { Database } from './database.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import type {
  ExchangeRateFilter,
  ImportedRates,
  Page,
  PageRequest,
  ReferenceStore,
  StoredExchangeRate,
} from './types.js';

type ExchangeRateStore = Pick<
  ReferenceStore,
  'addExchangeRates' | 'exchangeRates' | 'quotedPairs' | 'listExchangeRates'
>;

export function createExchangeRateStore(db: Database): ExchangeRateStore {
  return {
    addExchangeRates: (rates, importedBy) => addRates(db, rates, importedBy),
    exchangeRates: async (source, currencies, { from, to }) => {
      const { rows } = await db.pool.query<RateRow>({
        name: 'exchange-rates',
        text: `SELECT DISTINCT ON (rate_date, base_currency, quote_currency) * FROM exchange_rates
          WHERE source = $1 AND rate_date BETWEEN $3::date AND $4::date
            AND (base_currency = ANY ($2) OR quote_currency = ANY ($2))
          ORDER BY rate_date, base_currency, quote_currency, learned_order DESC`,
        values: [source, currencies, from, to],
      });
      return rows.map(rateFromDb);
    },
    quotedPairs: async (source) => {
      const { rows } = await db.pool.query<QuotedPair>({
        name: 'quoted-pairs',
        // From one pair to the next in the index: a source has some thirty pairs and 200,000 rates.
        text: `WITH RECURSIVE pairs AS (
            (SELECT base_currency, quote_currency FROM exchange_rates WHERE source = $1 ORDER BY 1, 2 LIMIT 1)
            UNION ALL
            SELECT next.* FROM pairs, LATERAL (
              SELECT e.base_currency, e.quote_currency FROM exchange_rates e
              WHERE e.source = $1 AND (e.base_currency, e.quote_currency) > (pairs.base_currency, pairs.quote_currency)
              ORDER BY 1, 2 LIMIT 1) AS next)
          SELECT base_currency AS base, quote_currency AS quote FROM pairs`,
        values: [source],
      });
      return rows;
    },
    listExchangeRates: (filter, page) => listRates(db, filter, page),
  };
}

interface RateRow {
  readonly source: string;
  readonly base_currency: string;
  readonly quote_currency: string;
  readonly rate_date: LocalDate;
  readonly rate: DecimalString;
  readonly imported_by: string;
  readonly learned_at: Instant;
}

const rateFromDb = (row: RateRow): ExchangeRate => ({
  source: row.source,
  base: row.base_currency,
  quote: row.quote_currency,
  date: row.rate_date,
  rate: toDecimalString(decimal(row.rate)),
});

const storedFromDb = (row: RateRow): StoredExchangeRate => ({
  ...rateFromDb(row),
  importedBy: row.imported_by,
  learnedAt: row.learned_at,
});

/** One after the other, so that two imports of the same file append it once; readers do not wait. What holds is looked up by a join. */
async function addRates(db: Database, rates: readonly ExchangeRate[], importedBy: string): Promise<ImportedRates> {
  const sorted = [...rates].sort((a, b) => compareText(keyOf(a), keyOf(b)));
  return db.transaction(async (client) => {
    await client.query('LOCK TABLE exchange_rates IN SHARE ROW EXCLUSIVE MODE');
    const { rows } = await client.query<{ readonly changed: boolean }>({
      name: 'add-exchange-rates',
      text: `WITH given AS (
          SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::numeric[])
            WITH ORDINALITY AS g (source, base_currency, quote_currency, rate_date, rate, place)),
        holding AS (
          SELECT DISTINCT ON (g.place) g.place, e.rate FROM given g JOIN exchange_rates e
            USING (source, base_currency, quote_currency, rate_date)
          ORDER BY g.place, e.learned_order DESC),
        fresh AS (
          SELECT given.*, holding.rate IS NOT NULL AS changed FROM given LEFT JOIN holding USING (place)
          WHERE holding.rate IS DISTINCT FROM given.rate),
        added AS (
          INSERT INTO exchange_rates (source, base_currency, quote_currency, rate_date, rate, imported_by)
          SELECT source, base_currency, quote_currency, rate_date, rate, $6 FROM fresh ORDER BY place)
        SELECT changed FROM fresh`,
      values: [
        sorted.map(({ source }) => source),
        sorted.map(({ base }) => base),
        sorted.map(({ quote }) => quote),
        sorted.map(({ date }) => date),
        sorted.map(({ rate }) => rate),
        importedBy,
      ],
    });
    const changed = rows.filter((row) => row.changed).length;
    return { added: rows.length - changed, changed, unchanged: rates.length - rows.length };
  });
}

const keyOf = ({ source, date, base, quote }: ExchangeRate): string => `${date} ${base} ${quote} ${source}`;

const list = 'exchange-rates';

async function listRates(
  db: Database,
  { source, base, quote, on }: ExchangeRateFilter,
  page: PageRequest,
): Promise<Page<StoredExchangeRate>> {
  const after = decodeCursor(page, list, [cursorPart.date, cursorPart.text, cursorPart.text, cursorPart.text]);
  const { rows } = await db.pool.query<RateRow>({
    name: on === undefined ? 'list-exchange-rates' : 'list-exchange-rates-on',
    // On a day: of each pair the newest row alone, by day and then by order of learning.
    text: `SELECT * FROM (
        SELECT DISTINCT ON (${on === undefined ? 'rate_date, ' : ''}source, base_currency, quote_currency) * FROM exchange_rates
        WHERE ($1::text IS NULL OR source = $1) AND ($2::text IS NULL OR base_currency = $2)
          AND ($3::text IS NULL OR quote_currency = $3) AND ($4::date IS NULL OR rate_date <= $4)
        ORDER BY ${on === undefined ? 'rate_date, ' : ''}source, base_currency, quote_currency, rate_date DESC, learned_order DESC
      ) AS holding
      WHERE $5::date IS NULL OR rate_date < $5
        OR (rate_date = $5 AND (source, base_currency, quote_currency) > ($6::text, $7::text, $8::text))
      ORDER BY rate_date DESC, source, base_currency, quote_currency LIMIT $9`,
    values: [
      source ?? null,
      base ?? null,
      quote ?? null,
      on ?? null,
      ...(after ?? [null, null, null, null]),
      page.limit + 1,
    ],
  });
  const keyOfRow = (row: RateRow): readonly string[] => [
    row.rate_date,
    row.source,
    row.base_currency,
    row.quote_currency,
  ];
  return mapPage(pageOf(rows, { ...page, list }, keyOfRow), storedFromDb);
}
