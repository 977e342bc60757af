/** The tag registry in Postgres. */
import type { TagDefinition } from '../../src/domain/metering/tags.js';
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

const tag = (key: string, fields: Partial<TagDefinition> = {}): TagDefinition => ({
  key,
  description: null,
  values: null,
  requiredFor: [],
  retired: false,
  ...fields,
});

test('every other definition is a version; the same again appends nothing and keeps who defined it', async () => {
  const first = tag('team', { description: 'whose it is', values: ['search', 'ads'], requiredFor: ['b', 'a'] });
  const stored = { ...first, values: ['ads', 'search'], requiredFor: ['a', 'b'], definedAt: expect.any(String) };
  expect(await storage.tags.put(first, 'ada')).toEqual({
    appended: true,
    tag: { ...stored, version: 1, definedBy: 'ada' },
  });
  const again = await storage.tags.put({ ...first, values: ['ads', 'search', 'ads'] }, 'bob');
  expect(again).toEqual({ appended: false, tag: { ...stored, version: 1, definedBy: 'ada' } });
  expect(await storage.tags.put({ ...first, retired: true }, 'bob')).toMatchObject({ tag: { version: 2 } });
  // Back to what it was: another version, so that the order of decisions is kept.
  expect(await storage.tags.put(first, 'ada')).toMatchObject({ appended: true, tag: { version: 3, retired: false } });
  const versions = await storage.tags.versions('team');
  expect(versions.map(({ version, retired, definedBy }) => [version, retired, definedBy])).toEqual([
    [1, false, 'ada'],
    [2, true, 'bob'],
    [3, false, 'ada'],
  ]);
});

test('in force is the last version of each key, retired ones too', async () => {
  await storage.tags.put(tag('env'), 'ada');
  await storage.tags.put(tag('env', { retired: true }), 'ada');
  await storage.tags.put(tag('cost/centre:1.a_b-c'), 'ada');
  const inForce = await storage.tags.inForce();
  expect(
    inForce.filter(({ key }) => key !== 'team').map(({ key, version, retired }) => [key, version, retired]),
  ).toEqual([
    ['cost/centre:1.a_b-c', 1, false],
    ['env', 2, true],
  ]);
  expect(await storage.tags.versions('nobody')).toEqual([]);
});

test('any number at once: each definition gets a version of its own, the same one only one', async () => {
  const different = Array.from({ length: 8 }, (_, index) => tag('busy', { description: `number ${index}` }));
  const answers = await Promise.all(different.map((each) => storage.tags.put(each, 'ada')));
  expect(answers.map(({ tag: { version } }) => version).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  const same = await Promise.all(Array.from({ length: 8 }, () => storage.tags.put(tag('quiet'), 'ada')));
  expect(same.filter(({ appended }) => appended)).toHaveLength(1);
  expect(await storage.tags.versions('quiet')).toHaveLength(1);
});

test.each(['', 'x'.repeat(65), 'a b', 'ü', "team'"])('the database takes no key %j', async (key) => {
  await expect(storage.tags.put(tag(key), 'ada')).rejects.toThrow(/tag_definitions_key_check/);
});
