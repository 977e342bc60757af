/** Rollouts in Postgres: each decision has one place, and what is stored never contradicts itself. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import { createStorage } from '../../src/storage/index.js';
import type { NewRolloutStage, Storage, StoredRollout } from '../../src/storage/types.js';
import type { Instant } from '../../src/domain/values.js';
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

const book = (version: string) =>
  parsePriceBook({
    ...{ code: 'standard', version, currency: 'USD', effective_from: '2024-01-01' },
    prices: [{ meter: 'calls', model: 'flat', unit_price: '1' }],
  });
const stage = (more: Partial<NewRolloutStage> = {}): NewRolloutStage => ({
  stageId: randomUUID(),
  kind: 'canary',
  effectiveFrom: '2024-01-05T00:00:00.000000Z' as Instant,
  customerIds: ['acme'],
  percentage: null,
  evaluationId: null,
  override: false,
  reason: 'r',
  decidedBy: 'ann',
  ...more,
});
const percentage = (of: number): NewRolloutStage =>
  stage({ kind: 'percentage', customerIds: [], percentage: of, override: true });

async function begun(version = 'v2', first = stage()): Promise<StoredRollout> {
  await storage.reference.createPriceBook(book('v1'));
  const { priceBook } = await storage.reference.createPriceBook({ ...book(version), isCandidate: true });
  const { priceBookId } = priceBook;
  const started = { rolloutId: randomUUID(), priceBookId, code: 'standard', startedBy: 'ann' };
  return (await storage.rollouts.start(started, first)).rollout;
}
const outcomes = async (work: readonly Promise<unknown>[]): Promise<readonly string[]> =>
  (await Promise.allSettled(work)).map((each) =>
    each.status === 'fulfilled' ? 'done' : String((each.reason as { code?: unknown }).code),
  );

test('is read as it was stored, by date or by hour', async () => {
  const first = stage({ effectiveFrom: '2024-01-05' as Instant });
  const rollout = await begun('v2', first);
  expect(rollout).toEqual({
    rolloutId: rollout.rolloutId,
    priceBookId: rollout.priceBookId,
    ...{ code: 'standard', version: 'v2', startedBy: 'ann', startedAt: expect.any(String) },
    stages: [{ ...first, sequence: 1, decidedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/) }],
  });
  const second = percentage(1_250);
  const decided = await storage.rollouts.decide(rollout.rolloutId, 2, second);
  expect(decided.stages[1]).toMatchObject(second);
  expect(await storage.rollouts.find(rollout.rolloutId)).toEqual(decided);
  expect(await storage.rollouts.ofCandidates([rollout.priceBookId])).toEqual([decided]);
  expect(await storage.rollouts.ofPriceBook('standard')).toEqual([decided]);
  expect(await storage.rollouts.find('none')).toBeNull();
});

test('of many decisions at once for one place exactly one is stored; repeating that one changes nothing', async () => {
  const { rolloutId } = await begun();
  const wanted = [1_000, 2_000, 3_000, 4_000, 5_000].map(percentage);
  const done = await outcomes(wanted.map((each) => storage.rollouts.decide(rolloutId, 2, each)));
  expect([...done].sort()).toEqual([...Array<string>(4).fill('ROLLOUT_CHANGED'), 'done']);
  const winner = wanted[done.indexOf('done')] ?? percentage(1);
  const stored = await storage.rollouts.decide(rolloutId, 2, winner);
  expect(stored.stages.map(({ stageId }) => stageId).slice(1)).toEqual([winner.stageId]);
});

test('a version for everybody and a rollout that begins before it, at once: one of them is refused', async () => {
  await storage.reference.createPriceBook(book('v1'));
  for (let round = 1; round <= 5; round += 1) {
    const { priceBook } = await storage.reference.createPriceBook({ ...book(`c${round}`), isCandidate: true });
    const rolloutId = randomUUID();
    const started = { rolloutId, priceBookId: priceBook.priceBookId, code: 'standard', startedBy: 'ann' };
    const day = `2024-02-${String(10 + round)}T00:00:00.000000Z` as Instant;
    const [began, learned] = await outcomes([
      storage.rollouts.start(
        started,
        stage({ effectiveFrom: `2024-02-${String(9 + round)}T12:00:00.000000Z` as Instant }),
      ),
      storage.reference.createPriceBook({ ...book(`n${round}`), effectiveFrom: day }),
    ]);
    expect([
      ['done', 'ROLLOUT_OPEN'],
      ['ROLLOUT_CONFLICT', 'done'],
    ]).toContainEqual([began, learned]);
    if (began === 'done') await storage.rollouts.decide(rolloutId, 2, stage({ kind: 'rollback', customerIds: [] }));
  }
});

test('open ones are those that are neither at everybody nor taken back', async () => {
  const { rolloutId } = await begun();
  const open = async (): Promise<number> => (await storage.rollouts.open()).length;
  expect(await open()).toBe(1);
  await storage.rollouts.decide(rolloutId, 2, stage({ kind: 'halt', customerIds: [] }));
  expect(await open()).toBe(1);
  await storage.rollouts.decide(rolloutId, 3, stage({ kind: 'rollback', customerIds: [] }));
  expect(await open()).toBe(0);
});

test('customers of a price book are those who were assigned it last, page by page', async () => {
  await begun();
  for (const id of ['a', 'b', 'c', 'd']) {
    await storage.reference.putCustomer(id, { ...acme, priceBook: 'standard' }, null);
    await storage.reference.assignPriceBook(
      id,
      'standard',
      id === 'b' ? ('2024-01-10T00:00:00.000000Z' as Instant) : null,
      { effectiveUntil: null, decidedBy: 'a test' },
    );
  }
  await storage.reference.assignPriceBook('c', 'other', null, { effectiveUntil: null, decidedBy: 'a test' });
  const first = await storage.rollouts.customersOf('standard', { after: null, limit: 2 });
  expect(first).toMatchObject([
    { customerId: 'a', assignedFrom: null, timeZone: acme.timeZone },
    { customerId: 'b', assignedFrom: '2024-01-10T00:00:00.000000Z' },
  ]);
  expect(await storage.rollouts.knownSince('a')).toBe(first[0]?.knownSince);
  expect(await storage.rollouts.knownSince('nobody')).toBeNull();
  const rest = await storage.rollouts.customersOf('standard', { after: 'b', limit: 2 });
  expect(rest.map(({ customerId }) => customerId)).toEqual(['d']);
});

test.each([
  ['a place that is taken', `1, gen_random_uuid(), 'all', now(), '{}', NULL, true`, '23505'],
  ['a widening without a comparison or an override', `2, gen_random_uuid(), 'all', now(), '{}', NULL, false`, '23514'],
  ['more than all', `2, gen_random_uuid(), 'percentage', now(), '{}', 10000, true`, '23514'],
  ['canaries that nobody names', `2, gen_random_uuid(), 'canary', now(), '{}', NULL, false`, '23514'],
])('the tables refuse %s', async (_name, values, code) => {
  const { rolloutId } = await begun();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const insert = client.query(
    `INSERT INTO price_rollout_stages (rollout_id, sequence, stage_id, kind, effective_from, customer_ids, percentage,
       override, reason, decided_by) VALUES ('${rolloutId}', ${values}, 'r', 'd')`,
  );
  await expect(insert).rejects.toMatchObject({ code });
  await client.end();
});
