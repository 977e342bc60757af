/**
 * Generated and compiled files, made again only when what they are made of has changed (by content, so that a checkout that
 * touches every file costs nothing). Needs installed packages, imports none.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { dim, done, say, seconds, Stop } from './console.mjs';
import { root } from './paths.mjs';
import { run } from './processes.mjs';

const dist = join(root, 'dist');
/** Beside what they vouch for: whoever deletes dist or node_modules deletes the stamp with it. */
const stamps = {
  client: join(root, 'node_modules', '.cache', 'reckoner', 'prisma-client.stamp'),
  compiled: join(dist, '.compiled.stamp'),
  bundle: join(dist, '.workflow-bundle.stamp'),
};

const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const prisma = join(root, 'node_modules', 'prisma', 'build', 'index.js');
const bundler = join(dist, 'worker', 'build-bundle.js');

function filesIn(path) {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const file = join(path, entry.name);
    return entry.isDirectory() ? filesIn(file) : [file];
  });
}

/** A hash of the names and contents of files and folders (relative to the project). */
export function fingerprint(paths) {
  const hash = createHash('sha256');
  const files = paths.flatMap((path) => {
    const full = join(root, path);
    if (!existsSync(full)) return [];
    return statSync(full).isFile() ? [full] : filesIn(full);
  });
  for (const file of files.sort())
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  return hash.digest('hex');
}

function isFresh(stamp, value) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === value;
}

function writeStamp(stamp, value) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, value);
}

/** Said before it begins, too: some take most of a minute. */
async function step({ what, doing }, args, env = {}) {
  say(dim(`  ${doing} …`));
  const start = Date.now();
  const { code, output } = await run(process.execPath, args, { cwd: root, env: { ...process.env, ...env } });
  if (code !== 0) throw new Stop(`Could not ${what}:\n${output.trimEnd()}`);
  return seconds(start);
}

/**
 * The Prisma client, made from prisma/schema.prisma. The client talks through a driver adapter and needs no engine; the CLI
 * would download one all the same unless told where one is, so it is told of a file that exists.
 */
export async function ensurePrismaClient() {
  const value = fingerprint(['prisma/schema.prisma', 'prisma.config.ts', 'node_modules/prisma/package.json']);
  if (isFresh(stamps.client, value)) return;
  const env = { PRISMA_SCHEMA_ENGINE_BINARY: process.env.PRISMA_SCHEMA_ENGINE_BINARY || process.execPath };
  const time = await step(
    { what: 'generate the Prisma client', doing: 'Generating the Prisma client' },
    [prisma, 'generate', '--no-hints'],
    {
      ...env,
      CHECKPOINT_DISABLE: '1',
    },
  );
  writeStamp(stamps.client, value);
  done(`Prisma client generated (${time})`);
}

/** Removes what was compiled from sources that are gone: a stale module could still be loaded. */
function prune() {
  for (const map of filesIn(dist).filter((file) => file.endsWith('.js.map'))) {
    const source = join(root, 'src', relative(dist, map).replace(/\.js\.map$/, '.ts'));
    if (!existsSync(source)) {
      rmSync(map);
      rmSync(map.slice(0, -'.map'.length), { force: true });
    }
  }
}

/** dist/, compiled from src/, and the workflow bundle that workers load. */
export async function ensureBuilt() {
  await ensurePrismaClient();
  const compiled = fingerprint([
    'src',
    'tsconfig.json',
    'tsconfig.build.json',
    'package-lock.json',
    'prisma/schema.prisma',
  ]);
  if (!isFresh(stamps.compiled, compiled)) {
    // Without its output the compiler's memory of having emitted it would be wrong.
    if (!existsSync(join(dist, 'main.js'))) rmSync(join(dist, '.tsbuildinfo'), { force: true });
    const time = await step({ what: 'compile', doing: 'Compiling' }, [tsc, '-p', 'tsconfig.build.json']);
    prune();
    writeStamp(stamps.compiled, compiled);
    done(`compiled (${time})`);
  }
  const bundled = fingerprint(['src/workflows', 'src/domain', 'src/contracts', 'src/worker', 'package-lock.json']);
  if (!isFresh(stamps.bundle, bundled) || !existsSync(join(dist, 'workflow-bundle.js'))) {
    const time = await step({ what: 'bundle the workflows', doing: 'Bundling the workflows' }, [bundler]);
    writeStamp(stamps.bundle, bundled);
    done(`workflows bundled (${time})`);
  }
}
