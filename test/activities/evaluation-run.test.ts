/** A run of an evaluation on Postgres: chunks, going on after a stop, what cannot be evaluated, and that nothing of it is a charge. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { evaluateChunk } from '../../src/activities/evaluate-chunk.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import { priceBookToWire } from '../../src/domain/rating/price-book-to-wire.js';
import type { PeriodKeyOf } from '../../src/storage/types.js';
import { bound, createChainFixture } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';

let chain: ChainFixture;
beforeEach(async () => {
  chain = await createChainFixture();
});
afterEach(() => chain.close());

const priceBook = priceBookToWire(
  parsePriceBook({
    code: 'idea',
    version: 'draft',
    currency: 'USD',
    effective_from: '2030-01-01T00:00:00Z',
    prices: [{ meter: 'api_calls', model: 'flat', unit_price: '0.05' }],
  }),
);

async function request(customerIds: readonly string[] | null = null): Promise<string> {
  const evaluationId = randomUUID();
  await chain.storage.evaluations.request({
    evaluationId,
    workflowId: `evaluation/${evaluationId}`,
    priceBook,
    scope: { customerIds, from: null, to: null },
    cutoff: await chain.storage.ledger.safeHorizon(),
    requestedBy: 'ada',
  });
  return evaluationId;
}
const chunk = (evaluationId: string, limit: number) =>
  chain.run(chain.activities.evaluateChunk, { evaluationId, limit });
const resultsOf = async (evaluationId: string) =>
  (await chain.storage.evaluations.results(evaluationId, {}, { limit: 100 })).data;

/** Rows of every table that what-if must not touch. */
async function counts(): Promise<unknown> {
  const client = new pg.Client({ connectionString: chain.url });
  await client.connect();
  const tables = [
    'rated_charges',
    'aggregated_usage',
    'invoices',
    'journal_entries',
    'period_ratings',
    'price_books',
    'findings',
  ];
  const { rows } = await client.query(
    tables.map((table) => `SELECT '${table}' AS t, count(*) FROM ${table}`).join(' UNION ALL '),
  );
  await client.end();
  return rows;
}

test('works off periods in chunks, goes on where it stopped, and leaves no charge, usage or document', async () => {
  for (const customer of ['b', 'c']) await chain.addCustomer(customer);
  for (const customer of ['acme', 'b', 'c']) await chain.addCalls(customer, 3);
  await chain.addCalls('b', 3, '2024-02-10T00:00:00Z');
  await chain.issue('b');
  const before = await counts();
  const id = await request();
  expect(await chunk(id, 3)).toEqual({ periods: 3, notComparable: 0, more: true });
  const { storage } = chain;
  expect(await storage.evaluations.find(id)).toMatchObject({ targets: 4, periods: 3, finishedAt: null });
  expect(await chunk(id, 3)).toEqual({ periods: 1, notComparable: 0, more: false });
  expect(await chunk(id, 3)).toEqual({ periods: 0, notComparable: 0, more: false });
  await chain.run(chain.activities.finishEvaluation, { evaluationId: id });
  await chain.run(chain.activities.finishEvaluation, { evaluationId: id });
  expect(await storage.evaluations.find(id)).toMatchObject({ periods: 4, finishedAt: expect.any(String) });
  expect(
    (await resultsOf(id)).map((each) => [each.customerId, each.period, each.current, each.evaluated, each.invoiced]),
  ).toEqual([
    ['acme', '2024-01-01', '0.3', '0.15', null],
    ['b', '2024-01-01', '0.3', '0.15', '0.3'],
    ['b', '2024-02-01', '0.3', '0.15', null],
    ['c', '2024-01-01', '0.3', '0.15', null],
  ]);
  expect(await storage.evaluations.totals(id)).toMatchObject([
    {
      currency: 'USD',
      customers: 3,
      current: '1.2',
      evaluated: '0.6',
      winners: 3,
      difference: { min: '-0.3', median: '-0.15' },
    },
  ]);
  expect(await counts()).toEqual(before);
});

test('an invoiced period stands by what its documents pin, whatever was learned since', async () => {
  await chain.addCalls('acme', 10);
  await chain.issue();
  await chain.storage.reference.createPriceBook(
    parsePriceBook({
      code: 'standard',
      version: 'v1-later',
      currency: 'USD',
      effective_from: '2024-01-01T00:00:00Z',
      prices: [{ meter: 'api_calls', model: 'flat', unit_price: '7' }],
    }),
  );
  const id = await request();
  await chunk(id, 10);
  expect(await resultsOf(id)).toMatchObject([{ current: '1', evaluated: '0.5', invoiced: '1' }]);
});

test('asked for twice it is stored once; two runs go on side by side', async () => {
  await chain.addCalls('acme', 10);
  const [one, two] = [await request(), await request(['acme'])];
  const found = await chain.storage.evaluations.find(one);
  if (found === null) throw new Error('not stored');
  await chain.storage.evaluations.request({ ...found, requestedBy: 'bob' });
  expect(await chain.storage.evaluations.find(one)).toEqual(found);
  await Promise.all([chunk(one, 10), chunk(two, 10), chunk(one, 10)]);
  for (const id of [one, two]) expect(await resultsOf(id)).toHaveLength(1);
  expect(
    (await chain.storage.evaluations.list({ limit: 10 })).data.map(({ evaluationId }) => evaluationId).sort(),
  ).toEqual([one, two].sort());
});

test('what cannot be evaluated is told, and the others go on; a database that is away stops all', async () => {
  const { storage } = chain;
  await chain.addCustomer('b');
  for (const customer of ['acme', 'b']) await chain.addCalls(customer, 3);
  const id = await request();
  let error = Object.assign(new Error('terminated'), { code: '57P01' });
  const broken = {
    ...storage,
    proof: {
      ...bound(storage.proof),
      chain: (key: PeriodKeyOf) => (key.customerId === 'acme' ? Promise.reject(error) : storage.proof.chain(key)),
    },
  };
  const work = evaluateChunk({ storage: broken });
  await expect(chain.run(work, { evaluationId: id, limit: 10 })).rejects.toThrow('terminated');
  error = Object.assign(new Error('a charge is lost'), { code: 'NONE' });
  expect(await chain.run(work, { evaluationId: id, limit: 10 })).toMatchObject({ notComparable: 1, more: false });
  expect(await resultsOf(id)).toMatchObject([
    {
      customerId: 'acme',
      result: 'not_comparable',
      problems: [{ code: 'EVALUATION_FAILED', detail: 'a charge is lost' }],
    },
    { customerId: 'b', result: 'compared' },
  ]);
  expect(await storage.evaluations.totals(id)).toMatchObject([{ customers: 1, notComparable: 1, current: '0.3' }]);
});

test('one that does not exist ends the activity for good', async () => {
  await expect(chunk(randomUUID(), 10)).rejects.toMatchObject({
    type: 'PRICE_EVALUATION_NOT_FOUND',
    nonRetryable: true,
  });
  await expect(request(['nobody'])).rejects.toMatchObject({ code: 'NOTHING_TO_EVALUATE' });
  expect((await chain.storage.evaluations.list({ limit: 10 })).data).toEqual([]);
});
