import { type Database, openDatabase } from '../../src/storage/database.js';
import { createIdempotencyStore } from '../../src/storage/idempotency.js';
import type { IdempotencyStore } from '../../src/storage/types.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

const scope = 'anonymous POST /meters';

let database: TestDatabase;
let db: Database;
let store: IdempotencyStore;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase(database.url);
  store = createIdempotencyStore(db);
});

afterAll(async () => {
  await db.close();
  await database.drop();
});

test('the first answer is given again; other content and a request in flight are told apart', async () => {
  expect(await store.start(scope, 'k', 'f')).toEqual({ kind: 'started' });
  expect(await store.start(scope, 'k', 'f')).toEqual({ kind: 'in_flight' });
  expect(await store.start(scope, 'k', 'other')).toEqual({ kind: 'reused' });
  await store.finish(scope, 'k', 201, '{"a": 1}');
  expect(await store.start(scope, 'k', 'f')).toEqual({ kind: 'replay', status: 201, body: '{"a": 1}' });
  expect(await store.start(scope, 'k', 'other')).toEqual({ kind: 'reused' });
  await store.finish(scope, 'k', 500, 'a second answer');
  await store.release(scope, 'k');
  expect(await store.start(scope, 'k', 'f')).toEqual({ kind: 'replay', status: 201, body: '{"a": 1}' });
});

test('a key belongs to its scope', async () => {
  await store.start(scope, 'scoped', 'f');
  expect(await store.start('another scope', 'scoped', 'g')).toEqual({ kind: 'started' });
});

test('a released key is free, also for other content', async () => {
  await store.start(scope, 'released', 'f');
  await store.release(scope, 'released');
  expect(await store.start(scope, 'released', 'g')).toEqual({ kind: 'started' });
});

test('of many requests at once one is started', async () => {
  const kinds = await Promise.all(Array.from({ length: 10 }, async () => (await store.start(scope, 'race', 'f')).kind));
  expect(kinds.sort()).toEqual([...Array<string>(9).fill('in_flight'), 'started']);
});

test('while keys are taken and released all the time, at most one request holds a key', async () => {
  let holders = 0;
  let turns = 0;
  const work = async (): Promise<void> => {
    for (let i = 0; i < 30; i += 1) {
      if ((await store.start(scope, 'churn', 'f')).kind !== 'started') continue;
      holders += 1;
      turns += 1;
      expect(holders).toBe(1);
      await db.pool.query('SELECT 1');
      holders -= 1;
      await store.release(scope, 'churn');
    }
  };
  await Promise.all([1, 2, 3, 4, 5, 6].map(work));
  expect(turns).toBeGreaterThan(0);
});

test('a request that died without an answer frees its key when its lock runs out, for the same content only', async () => {
  await store.start(scope, 'dead', 'f');
  await db.pool.query(`UPDATE idempotency_keys SET locked_until = now() - interval '1 second' WHERE key = 'dead'`);
  expect(await store.start(scope, 'dead', 'other')).toEqual({ kind: 'reused' });
  const kinds = await Promise.all([1, 2, 3, 4].map(async () => (await store.start(scope, 'dead', 'f')).kind));
  expect(kinds.sort()).toEqual(['in_flight', 'in_flight', 'in_flight', 'started']);
});
