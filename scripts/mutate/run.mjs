/**
 * Mutation testing of the rating engine (src/domain/rating): `npm run mutate [-- --mutate src/domain/rating/match.ts]`. Ends with
 * the score of every file, and fails below 90 %. The tests of the engine and its callers first; then, of what survived
 * them, what every billing case comes to as well (test/golden/cases.test.ts). Three quarters of an hour on two quiet cores.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from '../lib/paths.mjs';

const stryker = createRequire(import.meta.url).resolve('@stryker-mutator/core/package.json');
const program = join(stryker, '..', 'bin', 'stryker.js');
const args = process.argv.slice(2);

function mutate(more, env) {
  const options = { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } };
  return spawnSync(process.execPath, [program, 'run', ...more, ...args], options).status ?? 1;
}

rmSync(join(root, '.stryker', 'incremental.json'), { force: true });
mutate(['--reporters', 'progress-append-only'], { MUTATE_WITH_CASES: 'no' });
process.exit(mutate([], { MUTATE_WITH_CASES: 'yes' }));
