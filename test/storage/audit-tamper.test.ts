/**
 * The tamper drill: every audited table and every table of the log, each with a byte changed in every column, a row deleted in the
 * middle and at the tail, two rows swapped, a row inserted; as a superuser who has disabled the triggers. The verification names
 * the first bad row.
 */
import type { ActivityFixture } from '../activities/fixture.js';
import { connect, createAuditedBooks, Tamperer, verify } from './audit-fixture.js';
import type { Verification } from './audit-fixture.js';

let fixture: ActivityFixture;
let tamperer: Tamperer;
let tables: readonly string[];

beforeAll(async () => {
  fixture = await createAuditedBooks();
  tamperer = new Tamperer(await connect(fixture.url));
  tables = await tamperer.tables();
}, 120_000);

afterAll(async () => {
  await tamperer.client.end();
  await fixture.close();
});

test('untouched, everything verifies; no table is without a row', async () => {
  const result = await verify(fixture.storage.audit);
  expect(result).toMatchObject({ verified: true, problem: null, notYet: { facts: 0, entries: 0 } });
  const empty: string[] = [];
  for (const table of tables) if ((await tamperer.keys(table)).length === 0) empty.push(table);
  expect(empty).toEqual([]);
});

/** Tables of the log itself, and which of them may be the one that is named: they speak of each other. */
const ofLog = /^audit_/;

/** What a verification must say: at that table and key. */
function names(result: Verification, table: string, keys: readonly string[]): string | null {
  const { problem } = result;
  if (result.verified || problem === null) return 'nothing found';
  if (ofLog.test(table)) return ofLog.test(problem.table) || problem.detail !== '' ? null : 'no detail';
  // Of a fact the log keeps position and digest: one that is gone, or has another key now, is named by its position.
  const isFact = table === 'telemetry_events' && /position \d+/.test(problem.detail);
  const isNamed = problem.table === table && (isFact || keys.includes(problem.key ?? ''));
  return isNamed ? null : JSON.stringify(problem);
}

/** Facts of the ledger are in order of position, others in order of key: any row but the last one, and the last one. */
async function places(
  table: string,
): Promise<{ readonly all: readonly string[]; readonly middle: string; readonly tail: string }> {
  const all = await tamperer.keys(table);
  return { all, middle: all[Math.floor((all.length - 1) / 2)] ?? '', tail: all.at(-1) ?? '' };
}

test('a byte changed in any column of any table is found, and the row is named', async () => {
  const missed: string[] = [];
  for (const table of tables) {
    const { middle } = await places(table);
    for (const column of await tamperer.columns(table)) {
      const result = await tamperer.verified(table, () => tamperer.change(table, column, middle));
      const wrong = names(result, table, [middle]);
      if (wrong !== null) missed.push(`${table}.${column.column}: ${wrong}`);
    }
  }
  expect(missed).toEqual([]);
}, 300_000);

test('a row deleted in the middle or at the tail of any table is found and named', async () => {
  const missed: string[] = [];
  for (const table of tables) {
    const { middle, tail } = await places(table);
    for (const key of [middle, tail]) {
      if (table === 'audit_checkpoints' && key === tail) continue; // nothing inside the database speaks of the last one: see below
      const result = await tamperer.verified(table, () => tamperer.remove(table, key));
      const wrong = names(result, table, [key]);
      if (wrong !== null) missed.push(`${table} ${key}: ${wrong}`);
    }
  }
  expect(missed).toEqual([]);
}, 120_000);

test('the last checkpoint is missed by whoever has it outside the database', async () => {
  const anchored = (await fixture.storage.audit.checkpoints(0, 100)).at(-1);
  if (anchored === undefined) throw new Error('there are checkpoints');
  const { tail } = await places('audit_checkpoints');
  expect(
    await tamperer.anchored('audit_checkpoints', anchored, () => tamperer.remove('audit_checkpoints', tail)),
  ).toMatchObject({
    what: 'checkpoint_missing',
    sequence: anchored.checkpoint,
  });
  expect(await tamperer.anchored('audit_checkpoints', anchored, () => Promise.resolve())).toBeNull();
});

test('a row inserted into any table is found and named', async () => {
  const missed: string[] = [];
  for (const table of tables) {
    let key = '';
    const { middle } = await places(table);
    const result = await tamperer.verified(table, async () => {
      key = await tamperer.insert(table, middle);
    });
    const wrong = names(result, table, [key]);
    if (wrong !== null) missed.push(`${table}: ${wrong}`);
  }
  expect(missed).toEqual([]);
}, 120_000);

test('two rows of any table that change places are found, and one of them is named', async () => {
  const missed: string[] = [];
  for (const table of tables) {
    const { all } = await places(table);
    const pair = [all[0] ?? '', all.at(-1) ?? ''] as const;
    if (all.length < 2) {
      missed.push(`${table} has one row`);
      continue;
    }
    const result = await tamperer.verified(table, () => tamperer.swap(table, pair));
    const wrong = names(result, table, pair);
    if (wrong !== null) missed.push(`${table}: ${wrong}`);
  }
  expect(missed).toEqual([]);
}, 120_000);
