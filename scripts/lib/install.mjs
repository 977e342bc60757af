/**
 * Installs packages when they are missing or differ from the lockfile. Install scripts never run (.npmrc and the flag): the
 * one thing they would do for us, the symbolic links of the embedded Postgres, postgres.mjs does itself. Dependency-free.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { done, say, seconds, Stop } from './console.mjs';
import { root } from './paths.mjs';
import { linkLibraries } from './postgres.mjs';
import { run } from './processes.mjs';

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

/**
 * Why the packages must be installed; null when node_modules is what the lockfile says. npm keeps a lockfile of what it
 * installed inside node_modules: the two are compared, so an install by hand counts as well.
 * @param {string} [folder] the project
 */
export function installReason(folder = root) {
  const installedFile = join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return 'packages are missing';
  const wanted = readJson(join(folder, 'package-lock.json')).packages;
  const installed = readJson(installedFile).packages;
  const differs = Object.entries(wanted).some(([path, entry]) => {
    if (path === '') return false;
    const found = installed[path];
    // Packages for other platforms are optional and not installed.
    return found === undefined ? entry.optional !== true : found.version !== entry.version;
  });
  return differs ? 'the lockfile has changed' : null;
}

/** Refuses a Node that is too old, in a sentence instead of a syntax error somewhere later. */
export function requireNode(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Stop(`Reckoner needs Node 20.19 or later; this is ${version}.`);
  }
}

/** Makes node_modules what the lockfile says. */
export async function ensureInstalled() {
  requireNode();
  const reason = installReason();
  if (reason === null) return;
  say(`Installing packages with npm ci (${reason}) …`);
  const start = Date.now();
  const args = ['ci', '--ignore-scripts', '--prefer-offline', '--include=dev', '--no-audit', '--no-fund'];
  const { code, output } = await run('npm', args, { cwd: root });
  if (code !== 0) throw new Stop(`npm ci failed:\n${reasonOf(output)}`);
  linkLibraries();
  done(`packages installed (${seconds(start)})`);
}

/** What npm says went wrong, without the warnings before it and the manual page behind it. */
function reasonOf(output) {
  const errors = output.split('\n').filter((line) => line.startsWith('npm error'));
  const usage = errors.findIndex((line) => line.startsWith('npm error Clean install a project'));
  return (usage === -1 ? errors : errors.slice(0, usage)).join('\n').trimEnd() || output.trimEnd();
}
