import pg from 'pg';
import type { ExchangeRate } from '../../src/domain/money/conversion.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import { createStorage } from '../../src/storage/index.js';
import type { ExchangeRateFilter, Storage } from '../../src/storage/types.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { acme } from './usage-fixture.js';

let database: TestDatabase;
let storage: Storage;

beforeEach(async () => {
  database = await createTestDatabase();
  storage = createStorage(database.url);
});
afterEach(async () => {
  await storage.close();
  await database.drop();
});

const day = (text: string): LocalDate => text as LocalDate;
const rate = (quote: string, date: string, text: string, source = 'ecb'): ExchangeRate => ({
  ...{ source, base: 'EUR', quote },
  date: day(date),
  rate: text as DecimalString,
});
const add = (...rates: readonly ExchangeRate[]) => storage.reference.addExchangeRates(rates, 'ann');
const inShort = ({ base, quote, date, rate: text }: ExchangeRate): string => `${date} ${base}/${quote} ${text}`;
const holding = async (source = 'ecb', from = '2024-01-24', to = '2024-01-31'): Promise<readonly string[]> =>
  (await storage.reference.exchangeRates(source, ['USD'], { from: day(from), to: day(to) })).map(inShort);
async function listed(filter: ExchangeRateFilter = {}, limit = 2): Promise<readonly string[]> {
  const found: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await storage.reference.listExchangeRates(filter, cursor === '' ? { limit } : { limit, cursor });
    found.push(...page.data.map((each) => `${inShort(each)} ${each.source} ${each.importedBy}`));
    cursor = page.nextCursor;
  }
  return found;
}

test('the same again changes nothing, by value; another rate holds from then on, and so back again', async () => {
  expect(await add(rate('USD', '2024-01-31', '1.0837'), rate('USD', '2024-01-30', '1.0846'))).toEqual({
    ...{ added: 2, changed: 0, unchanged: 0 },
  });
  expect(await add(rate('USD', '2024-01-31', '1.08370'), rate('GBP', '2024-01-31', '0.85435'))).toEqual({
    ...{ added: 1, changed: 0, unchanged: 1 },
  });
  expect(await add(rate('USD', '2024-01-31', '1.2'))).toEqual({ added: 0, changed: 1, unchanged: 0 });
  expect(await holding()).toEqual(['2024-01-30 EUR/USD 1.0846', '2024-01-31 EUR/USD 1.2']);
  expect(await add(rate('USD', '2024-01-31', '1.0837'))).toEqual({ added: 0, changed: 1, unchanged: 0 });
  expect(await holding()).toEqual(['2024-01-30 EUR/USD 1.0846', '2024-01-31 EUR/USD 1.0837']);
});

test('of the days that are asked for, of one source, with the currency on either side', async () => {
  await add(rate('USD', '2024-01-23', '1'), rate('USD', '2024-01-24', '2'), rate('USD', '2024-02-01', '3'));
  await add(rate('USD', '2024-01-31', '4', 'treasury'), rate('GBP', '2024-01-31', '5'));
  await add({ ...rate('CHF', '2024-01-31', '6'), base: 'USD' });
  expect(await holding()).toEqual(['2024-01-24 EUR/USD 2', '2024-01-31 USD/CHF 6']);
  expect(await holding('treasury')).toEqual(['2024-01-31 EUR/USD 4']);
  const pairs = await storage.reference.quotedPairs('ecb');
  expect(pairs.map(({ base, quote }) => base + quote).sort()).toEqual(['EURGBP', 'EURUSD', 'USDCHF']);
  expect(await storage.reference.quotedPairs('nobody')).toEqual([]);
});

test('is listed by day, the newest first, page by page; on a day the one that was published last', async () => {
  await add(rate('USD', '2024-01-30', '1'), rate('GBP', '2024-01-31', '2'), rate('USD', '2024-01-31', '3'));
  await add(rate('USD', '2024-01-31', '4'), rate('USD', '2024-01-31', '5', 'treasury'));
  const all = [
    '2024-01-31 EUR/GBP 2 ecb ann',
    '2024-01-31 EUR/USD 4 ecb ann',
    '2024-01-31 EUR/USD 5 treasury ann',
    '2024-01-30 EUR/USD 1 ecb ann',
  ];
  expect(await listed()).toEqual(all);
  expect(await listed({}, 1)).toEqual(all);
  expect(await listed({ on: day('2024-02-05') }, 1)).toEqual(all.slice(0, 3));
  expect(await listed({ on: day('2024-01-30') })).toEqual(all.slice(3));
  expect(await listed({ source: 'treasury' })).toEqual([all[2]]);
  expect(await listed({ quote: 'GBP', base: 'EUR' })).toEqual([all[0]]);
  expect(await listed({ base: 'USD' })).toEqual([]);
});

test('two imports at once append each rate once; of two that disagree one holds', async () => {
  const file = Array.from({ length: 200 }, (_, index) =>
    rate(index % 2 === 0 ? 'USD' : 'GBP', `2024-01-${String((index % 28) + 1).padStart(2, '0')}`, `1.${index % 28}1`),
  );
  const unique = [...new Map(file.map((each) => [inShort(each), each])).values()];
  const imports = await Promise.all([add(...unique), add(...[...unique].reverse()), add(...unique)]);
  expect(imports.map(({ added }) => added).sort((a, b) => a - b)).toEqual([0, 0, unique.length]);
  expect(imports.every(({ changed }) => changed === 0)).toBe(true);

  const disagreeing = await Promise.all(
    ['2.1', '2.2', '2.1', '2.2'].map((text) => add(rate('USD', '2024-03-01', text))),
  );
  const appended = disagreeing.reduce((sum, { added, changed }) => sum + added + changed, 0);
  const client = new pg.Client(database.url);
  await client.connect();
  const { rows } = await client.query<{ rate: string }>(
    `SELECT rate::text FROM exchange_rates WHERE rate_date = '2024-03-01' ORDER BY learned_order`,
  );
  await client.end();
  expect(rows).toHaveLength(appended);
  // Neighbours differ: what was known already was not appended again.
  expect(rows.every(({ rate: text }, index) => text !== rows[index + 1]?.rate)).toBe(true);
  expect(await holding('ecb', '2024-03-01', '2024-03-01')).toEqual([`2024-03-01 EUR/USD ${rows.at(-1)?.rate ?? ''}`]);
});

test('one row that Postgres refuses, and nothing is imported', async () => {
  await expect(add(rate('USD', '2024-01-31', '1.0837'), rate('GBP', '2024-01-31', '0'))).rejects.toThrow();
  expect(await listed()).toEqual([]);
});

test('how a customer has prices converted is a fact, version after version', async () => {
  const put = (currencyConversion: typeof acme.currencyConversion) =>
    storage.reference.putCustomer('converting', { ...acme, currencyConversion }, null);
  expect((await put(null)).customer).toMatchObject({ version: 1, currencyConversion: null });
  const ecb = { source: 'ecb', maxAgeDays: 7 };
  expect((await put(ecb)).customer).toMatchObject({ version: 2, currencyConversion: ecb });
  expect((await put(ecb)).customer.version).toBe(2);
  expect((await put({ ...ecb, maxAgeDays: 0 })).customer.version).toBe(3);
  expect((await storage.reference.findCustomer('converting'))?.currencyConversion).toEqual({ ...ecb, maxAgeDays: 0 });
});
