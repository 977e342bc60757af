/**
 * `node scripts/complete-lock.mjs`: completes package-lock.json for all platforms.
 *
 * npm leaves a platform's optional package out of the lockfile when the registry in use does not have it, and `npm ci`
 * then refuses the lockfile, on every platform. The missing entries follow from the packages that name them: an exact version,
 * and a platform in the name. They carry no integrity hash; `npm install` on that platform adds it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './lib/paths.mjs';

const platform =
  /-(darwin|linux|win32|android|freebsd|openharmony)-([a-z0-9]+)(?:-(gnu|musl|gnueabihf|musleabihf|eabi|msvc))?$/;
const exact = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

/** Folders in which Node would look for a package that this one needs, nearest first. */
function places(path, name) {
  const parts = path.split('/node_modules/');
  return parts
    .map((_, index) => `${parts.slice(0, parts.length - index).join('/node_modules/')}/node_modules/${name}`)
    .concat(`node_modules/${name}`);
}

/**
 * Entries that the lockfile lacks, by path.
 * @param {Record<string, object>} packages of package-lock.json
 */
export function missingEntries(packages) {
  const missing = {};
  for (const [path, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (places(path, name).some((place) => packages[place] !== undefined)) continue;
      const [, os, cpu, abi = ''] = platform.exec(name) ?? [];
      if (os === undefined || !exact.test(version))
        throw new Error(`${path} needs ${name}@${version}, and the name tells no platform`);
      const libc =
        os === 'linux' && abi.startsWith('musl')
          ? ['musl']
          : os === 'linux' && abi.startsWith('gnu')
            ? ['glibc']
            : undefined;
      missing[`node_modules/${name}`] = {
        version,
        cpu: [cpu],
        ...(entry.dev === true && { dev: true }),
        ...(libc !== undefined && { libc }),
        optional: true,
        os: [os],
      };
    }
  }
  return missing;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const file = join(root, 'package-lock.json');
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  const missing = missingEntries(lock.packages);
  const { '': project, ...others } = lock.packages;
  const sorted = Object.entries({ ...others, ...missing }).sort(([a], [b]) => a.localeCompare(b, 'en'));
  lock.packages = { '': project, ...Object.fromEntries(sorted) };
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${Object.keys(missing).length} entries added`);
}
