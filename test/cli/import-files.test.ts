/** What is read from the files of `reckoner import`. */
import { cli, ledger, stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { file } = api;

test('numbers of NDJSON are sent as the API would read them, texts and ids as they are', async () => {
  const events = ledger();
  api.answer(events.take);
  const path = file(
    'n.jsonl',
    '{"at":"2024-01-01T00:00:00Z","id":1E2,"v":1E2,"w":1.50}\n{"at":"2024-01-01T00:00:00Z","id":2,"v":-15e-1,"w":"1E2"}\n',
  );
  const args = ['--customer', '=c', '--event-type', 't', '--time', 'at', '--event-id', '{id}', '--url', api.url];
  const result = await cli(['import', path, ...args, '--no-state', '--value', 'v=v', '--value', 'w=w']);
  expect(result).toMatchObject({ code: 0 });
  expect([...events.stored].map(([id, { metadata }]) => [id, metadata])).toEqual([
    ['1E2', { v: '100', w: '1.50' }],
    ['2', { v: '-1.5', w: '1E2' }],
  ]);
});

test.each(['e.csv', 'e.jsonl'])('an empty file is said to be empty: %s', async (name) => {
  const result = await cli([
    'import',
    file(name, ''),
    '--customer',
    '=c',
    '--event-type',
    't',
    '--time',
    'at',
    '--url',
    api.url,
  ]);
  expect(result.code).not.toBe(0);
  expect(result.err).toContain('the file is empty');
  expect(api.requests).toHaveLength(0);
});
