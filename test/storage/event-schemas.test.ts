/** Schemas of event types: numbers without gaps, whoever writes; and the version that rows of events carry. */
import { setImmediate as turn } from 'node:timers/promises';
import pg from 'pg';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import type { Instant } from '../../src/domain/values.js';
import { contentHashOf } from '../../src/storage/content-hash.js';
import { eventTypeLockOf } from '../../src/storage/gate-lock.js';
import { createStorage } from '../../src/storage/index.js';
import type { Storage } from '../../src/storage/types.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

let database: TestDatabase;
let storage: Storage;
beforeAll(async () => {
  database = await createTestDatabase();
  storage = createStorage(database.url);
});
afterAll(async () => {
  await storage.close();
  await database.drop();
});

const versionOf = (eventType: string, version: number) =>
  ({
    eventType,
    version,
    schema: { title: `v${version}`, maximum: 0.1 },
    compatibility: 'full',
    createdBy: 'ada',
  }) as const;

const meterOf = (eventType: string) =>
  ({
    ...{ code: eventType, eventType, aggregation: 'sum', valueProperty: 'n', groupBy: [], filters: {} },
    ...{ windowSize: 'hour', allowedLateness: 'PT1H', allowNegative: false, maxGroups: 1_000, effectiveFrom: null },
  }) satisfies Omit<Meter, 'meterId' | 'version'>;

test('a version is kept as it is, and the number once', async () => {
  const { eventSchemas } = storage;
  const stored = await eventSchemas.append(versionOf('kept', 1));
  expect(stored).toEqual({ ...versionOf('kept', 1), createdAt: expect.stringMatching(/\.\d{6}Z$/) });
  expect(await eventSchemas.append({ ...versionOf('kept', 1), createdBy: 'bob' })).toBeNull();
  expect(await eventSchemas.find('kept', 1)).toEqual(stored);
  expect(await eventSchemas.find('kept', 2)).toBeNull();
  expect(await eventSchemas.versions('nothing')).toEqual([]);
});

test('numbers have no gaps: only the one after the latest is taken, and of many at once one', async () => {
  const { eventSchemas } = storage;
  expect(await eventSchemas.append(versionOf('gaps', 2))).toBeNull();
  await eventSchemas.append(versionOf('gaps', 1));
  expect(await eventSchemas.append(versionOf('gaps', 3))).toBeNull();
  const written = await Promise.all(Array.from({ length: 8 }, () => eventSchemas.append(versionOf('gaps', 2))));
  expect(written.filter((each) => each !== null)).toHaveLength(1);
  expect((await eventSchemas.versions('gaps')).map(({ version }) => version)).toEqual([1, 2]);
  expect((await eventSchemas.latestVersions()).get('gaps')).toBe(2);
});

test('of a meter and a schema that saw nothing of each other only one is stored', async () => {
  const { eventSchemas, reference } = storage;
  const holder = new pg.Client(database.url);
  await holder.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT pg_advisory_xact_lock($1)', [eventTypeLockOf('race').toString()]);
    const heldAgainst = jest.fn<Promise<number>, []>().mockResolvedValueOnce(0).mockResolvedValueOnce(1);
    const adding = eventSchemas.append(versionOf('race', 1), 0);
    const creating = reference.createMeter(meterOf('race'), heldAgainst);
    const waiting = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    while ((await holder.query(waiting)).rowCount !== 2) await turn();
    await holder.query('COMMIT');
    const [schema, meter] = await Promise.all([adding, creating]);
    expect(meter.created).toBe(true);
    // The meter was first, or was held against the schema before it was stored.
    expect(heldAgainst).toHaveBeenCalledTimes(schema === null ? 1 : 2);
  } finally {
    await holder.end();
  }
});

test('a schema is stored only beside as many meters as it was held against', async () => {
  const { eventSchemas, reference } = storage;
  await reference.createMeter(meterOf('counted'));
  expect(await eventSchemas.append(versionOf('counted', 1), 0)).toBeNull();
  expect(await eventSchemas.append(versionOf('counted', 1), 1)).toMatchObject({ version: 1 });
  expect(await eventSchemas.append(versionOf('counted', 2))).toMatchObject({ version: 2 });
});

test('lists all versions page by page, or those of one type', async () => {
  const { eventSchemas } = storage;
  for (let version = 1; version <= 11; version += 1) await eventSchemas.append(versionOf('paged', version));
  const read = async (filter: { readonly eventType?: string }): Promise<readonly string[]> => {
    const found: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await eventSchemas.list(filter, { limit: 4, ...(cursor !== '' && { cursor }) });
      found.push(...page.data.map(({ eventType, version }) => `${eventType} ${version}`));
      cursor = page.nextCursor;
    }
    return found;
  };
  const paged = Array.from({ length: 11 }, (_, index) => `paged ${index + 1}`);
  expect(await read({ eventType: 'paged' })).toEqual(paged);
  const others = ['counted 1', 'counted 2', 'gaps 1', 'gaps 2', 'kept 1'];
  expect((await read({})).filter((each) => !each.startsWith('race'))).toEqual([...others, ...paged]);
});

describe('rows of events carry the version', () => {
  const event = (eventId: string, more: Partial<UsageEvent> = {}): UsageEvent => {
    const content = { eventType: 't', eventTime: '2024-01-15T10:00:00.000000Z' as Instant };
    const identity = { customerId: 'c', source: '', eventId };
    const contentHash = contentHashOf({ ...identity, ...content, metadata: {} });
    const provenance = { requestId: null, userId: null, traceId: null };
    return { ...identity, ...content, metadataJson: '{}', contentHash, provenance, ...more };
  };
  const stored = async (eventId: string) => (await storage.ledger.findEvent('c', '', eventId))?.schemaVersion;

  test('by copy and by insert, beside events that have none, alone and with a backfill', async () => {
    const { ledger, backfills } = storage;
    const backfillId = '00000000-0000-4000-8000-000000000001';
    const range = { from: '2024-01-01T00:00:00.000000Z' as Instant, to: '2024-02-01T00:00:00.000000Z' as Instant };
    await backfills.create({ backfillId, customerIds: ['c'], range, mode: 'add', reason: null, createdBy: 'ada' });
    await ledger.append([event('1', { schemaVersion: 3 }), event('2')], []);
    await ledger.append([event('3', { schemaVersion: 3, backfillId }), event('4', { backfillId }), event('5')], []);
    // What is there already is inserted past.
    const again = [event('1', { schemaVersion: 4 }), event('6', { schemaVersion: 7 }), event('7')];
    expect(await ledger.append(again, [])).toEqual(['duplicate', 'accepted', 'accepted']);
    const filled = [event('3', { backfillId }), event('8', { schemaVersion: 2_147_483_647, backfillId }), event('9')];
    expect(await ledger.append(filled, [])).toEqual(['duplicate', 'accepted', 'accepted']);
    const ids = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];
    expect(await Promise.all(ids.map(stored))).toEqual([3, null, 3, null, null, 7, null, 2_147_483_647, null]);
    const rows = await ledger.listEvents({ customerId: 'c' }, { limit: 10 });
    expect(rows.data.map(({ backfillId: id }) => id !== null)).toEqual(ids.map((id) => ['3', '4', '8'].includes(id)));
  });
});
