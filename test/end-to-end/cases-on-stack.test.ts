/** The billing cases that finance reads, on the real API, Temporal and Postgres: the same files, the same expectations. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { startTestStack } from '../support/stack.js';
import type { TestStack } from '../support/stack.js';

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack();
}, 180_000);
afterAll(() => stack.stop(), 60_000);

/** Cases of prices, which test/activities/price-cases.test.ts runs all on Postgres: of these every fourth. */
const ofPrices = new Set([
  'commitment',
  'credits',
  'currencies',
  'fees',
  'match',
  'package',
  'percentage',
  'rollout',
  'terms',
]);

const allFiles = readdirSync(join(process.cwd(), 'test', 'cases'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.json') && !name.endsWith('case.schema.json'))
  .sort();
const caseFiles = allFiles
  .filter((name, index) => !ofPrices.has(dirname(name)) || index % 4 === 0)
  .map((name) => join('test', 'cases', name));

test('the cases hold on the stack', async () => {
  expect(caseFiles.length).toBeGreaterThan(100);
  const { code, output } = await new Promise<{ code: number | null; output: string }>((resolve, reject) => {
    const child = spawn(process.execPath, ['dist/cases/main.js', '--stack', '--url', stack.apiUrl, ...caseFiles]);
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    child.once('error', reject);
    child.once('close', (exit) => resolve({ code: exit, output: text }));
  });
  const failed = output.split('\n').filter((line) => !line.startsWith('ok'));
  expect({ code, failed: failed.join('\n') }).toEqual({
    code: 0,
    failed: expect.stringContaining(`${caseFiles.length} cases, all passed`) as string,
  });
}, 900_000);
