/** The checks of `npm test` and `npm run check`; each returns how many passed and failed. Imports no package. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { done, red, say, seconds } from './console.mjs';
import { root } from './paths.mjs';
import { run } from './processes.mjs';

/** @typedef {{ passed: number, failed: number }} Count */

const bin = (...path) => join(root, 'node_modules', ...path);
const tsc = bin('typescript', 'bin', 'tsc');
const eslint = bin('eslint', 'bin', 'eslint.js');
const prettier = bin('prettier', 'bin', 'prettier.cjs');
const jest = bin('jest', 'bin', 'jest.js');

const eslintCache = join(root, 'node_modules', '.cache', 'eslint', 'cache');

const prettierCache = [
  '--cache',
  '--cache-strategy',
  'content',
  '--cache-location',
  bin('.cache', 'prettier', 'cache'),
];

const endingSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'];

const staticChecks = [
  { name: 'types', args: [tsc, '--noEmit', '-p', 'tsconfig.json'] },
  {
    name: 'lint',
    args: [
      eslint,
      '.',
      '--max-warnings',
      '0',
      '--cache',
      '--cache-strategy',
      'content',
      '--cache-location',
      eslintCache,
    ],
  },
  { name: 'format', args: [prettier, '--check', '--log-level', 'warn', ...prettierCache, '.'] },
];

/** Types, lint and format: each counts as one. */
export async function checkStatically() {
  const results = [];
  // Two at a time would be slower than one after the other: each of the first two uses more than one core.
  for (const { name, args } of staticChecks) {
    const start = Date.now();
    const { code, output } = await run(process.execPath, args, { cwd: root });
    if (code === 0) done(`${name} (${seconds(start)})`);
    else say(`${red('✗')} ${name}\n${output.trimEnd()}`);
    results.push(code === 0);
  }
  return { passed: results.filter((ok) => ok).length, failed: results.filter((ok) => !ok).length };
}

/** Runs Jest and counts tests; a suite that does not load and a test that is skipped count as failed. */
export async function runJest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'reckoner-jest-'));
  const outputFile = join(folder, 'result.json');
  try {
    const code = await inherit([jest, '--json', '--outputFile', outputFile, ...args]);
    return countJest(readFileSync(outputFile, 'utf8'), code);
  } catch (error) {
    say(`${red('✗')} Jest left no result: ${error.message}`);
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} json what Jest wrote
 * @param {number} code its exit code: non-zero without a counted failure (a set-up that failed) is a failure all the same
 * @returns {Count}
 */
export function countJest(json, code) {
  const result = JSON.parse(json);
  const skipped = result.numPendingTests + result.numTodoTests;
  if (skipped > 0) say(`${red('✗')} ${skipped} tests were skipped: a test runs or it goes`);
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites + skipped;
  return { passed: result.numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed };
}

/**
 * Runs a program on our own output to its end. A signal to us alone (a CI that gives up, `kill`) would leave it running: it is handed
 * on, and we end as it does.
 * @param {readonly string[]} args
 * @returns {Promise<number>} its exit code
 */
export function inherit(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    let told = null;
    const handOn = (signal) => {
      told = signal;
      child.kill(signal);
    };
    for (const signal of endingSignals) process.on(signal, handOn);
    child.once('error', reject);
    child.once('close', (code) => {
      for (const signal of endingSignals) process.off(signal, handOn);
      // Without our handler the signal ends us as it would have.
      if (told === null) resolve(code ?? 1);
      else process.kill(process.pid, told);
    });
  });
}

/**
 * The last line, and the exit code. Does not return.
 * @param {readonly Count[]} counts
 */
export function conclude(counts) {
  const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
  const failed = sum('failed');
  say(`${sum('passed')} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
