/**
 * Runs one of the project's programs after making it ready; all that is printed on standard output is the program's own.
 *
 *     node scripts/run.mjs cases test/cases      dist/cases/main.js with these arguments
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt, ensurePrismaClient } from './lib/build.mjs';
import { main, Stop, toStandardError } from './lib/console.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { root } from './lib/paths.mjs';

const tsx = join('node_modules', 'tsx', 'dist', 'cli.mjs');

const programs = {
  bench: [tsx, join(root, 'bench', 'run.ts')],
  build: null,
  cases: [join('dist', 'cases', 'main.js')],
  generate: null,
  mutate: [join('scripts', 'mutate', 'run.mjs')],
  migrate: [join('dist', 'main.js'), 'migrate'],
  reckoner: [join('bin', 'reckoner.js')],
};

main(async () => {
  const [name = '', ...args] = process.argv.slice(2);
  const program = programs[name];
  if (program === undefined) throw new Stop(`Expected one of ${Object.keys(programs).join(', ')}.`);
  toStandardError();
  await ensureInstalled();
  await (name === 'generate' ? ensurePrismaClient() : ensureBuilt());
  if (program === null) return;
  // In the caller's folder: paths among the arguments are relative to it. (npm itself runs scripts in the project's.)
  const [file, ...first] = program;
  const cwd = process.env.INIT_CWD ?? process.cwd();
  const { status, signal } = spawnSync(process.execPath, [join(root, file), ...first, ...args], {
    stdio: 'inherit',
    cwd,
  });
  process.exit(status ?? (signal === null ? 1 : 130));
});
