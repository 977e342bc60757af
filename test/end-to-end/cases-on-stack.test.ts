/** The billing cases that finance reads, on the real API, Temporal and Postgres: the same files, the same expectations. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startTestStack } from '../support/stack.js';
import type { TestStack } from '../support/stack.js';

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack();
}, 180_000);
afterAll(() => stack.stop(), 60_000);

const caseFiles = readdirSync(join(process.cwd(), 'test', 'cases'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.json') && !name.endsWith('case.schema.json'))
  .map((name) => join('test', 'cases', name))
  .sort();

test('every case holds on the stack', async () => {
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
}, 600_000);
