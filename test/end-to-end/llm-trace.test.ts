/**
 * Imported usage to invoices, held against an oracle in exact integers that shares no code with the project. Runs on a
 * generated file always, and on the real trace where it lies beside the project.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestStack } from '../support/stack.js';
import type { TestStack } from '../support/stack.js';

const root = process.cwd();
const realTrace = join(root, '..', 'shared', 'data', 'llm-inference-conversation.csv');

let stack: TestStack;
const folder = mkdtempSync(join(tmpdir(), 'reckoner-trace-'));

beforeEach(async () => {
  stack = await startTestStack();
}, 180_000);
afterEach(() => stack.stop(), 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, script), ...args], { env: { ...process.env, ...env } });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

const traces = ['generated', ...(existsSync(realTrace) ? ['real'] : [])];

test.each(traces)(
  'the %s trace: 20 customers agree with the oracle to the cent',
  async (name) => {
    let file = realTrace;
    if (name === 'generated') {
      file = join(folder, 'trace.csv');
      const made = await run('test/oracle/generate-llm-trace.mjs', ['--rows', '3000', '--out', file]);
      expect(made).toMatchObject({ code: 0 });
    }
    const { code, output } = await run('examples/llm-trace/run.mjs', [file], { RECKONER_URL: stack.apiUrl });
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(output).toContain('20');
  },
  300_000,
);
