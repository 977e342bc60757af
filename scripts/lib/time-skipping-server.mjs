/**
 * Finds Temporal's time-skipping test server, or fetches it once into the user's cache folder. No dependency, so that
 * it also runs before packages are installed.
 *
 * Order: RECKONER_TEST_SERVER (a path), the cache, the SDK's own download, Maven (needs Java 11 or newer). Once cached,
 * nothing here needs the network.
 */
import { execFile } from 'node:child_process';
import { access, chmod, constants, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The Maven artifact that holds the same server as a jar, and one that keeps its logging library from talking. */
const artifacts = [
  { group: 'io.temporal', name: 'temporal-test-server', version: '1.38.0' },
  { group: 'org.slf4j', name: 'slf4j-nop', version: '1.7.36' },
];
const mainClass = 'io.temporal.testserver.TestServer';

/** @returns {string} the folder that keeps the server between runs */
export function timeSkippingServerCache() {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'reckoner', 'temporal-test-server');
}

/**
 * @param {{ log?: (line: string) => void }} [options]
 * @returns {Promise<string>} path of an executable that takes a port as its argument
 */
export async function findTimeSkippingServer({ log = () => {} } = {}) {
  const named = process.env.RECKONER_TEST_SERVER;
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new Error(`RECKONER_TEST_SERVER names ${named}, which is not an executable file`);
  }
  const cache = timeSkippingServerCache();
  const cached = join(cache, 'temporal-test-server');
  if (await isExecutable(cached)) return cached;

  await mkdir(dirname(cache), { recursive: true });
  const failures = [];
  for (const [way, fetchInto] of [
    ["the SDK's download", downloadThroughSdk],
    ['Maven', copyThroughMaven],
  ]) {
    log(`fetching Temporal's time-skipping test server through ${way} …`);
    // Built aside and moved in one step: a run that is cut off, or another one beside it, never leaves half a server.
    const aside = await mkdtemp(`${cache}-`);
    try {
      await fetchInto(aside, cache);
      await replaceFolder(aside, cache);
      return cached;
    } catch (error) {
      failures.push(`${way}: ${firstLine(error)}`);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  }
  throw new Error(
    `No time-skipping test server. Set RECKONER_TEST_SERVER to one, or give this machine either network access to ` +
      `temporal.download or Java 11+ with Maven and a Maven repository. Tried: ${failures.join('; ')}`,
  );
}

/** The SDK downloads on first use; it is asked in a process of its own, because it may wait long for a closed network. */
async function downloadThroughSdk(folder) {
  const program = `
    const { TestWorkflowEnvironment } = await import('@temporalio/testing');
    const executable = { type: 'cached-download', downloadDir: ${JSON.stringify(folder)} };
    const env = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
    await env.teardown();`;
  await run(process.execPath, ['--input-type=module', '--eval', program], { timeout: 120_000 });
  const [downloaded] = (await readdir(folder)).filter((name) => name.startsWith('temporal-test-server'));
  if (downloaded === undefined) throw new Error('the download left no server behind');
  await rename(join(folder, downloaded), join(folder, 'temporal-test-server'));
}

async function copyThroughMaven(folder, home) {
  await run('java', ['-version'], { timeout: 30_000 });
  const pom = join(folder, 'pom.xml');
  await writeFile(
    pom,
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>reckoner</groupId><artifactId>time-skipping-server</artifactId><version>1</version>
<dependencies>${artifacts.map(dependencyOf).join('')}</dependencies>
</project>
`,
  );
  const goal = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime'];
  await run('mvn', [...goal, `-DoutputDirectory=${join(folder, 'lib')}`], { timeout: 600_000, maxBuffer: 1 << 24 });
  const wrapper = join(folder, 'temporal-test-server');
  const java = `exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '${join(home, 'lib')}/*' ${mainClass} "$@"`;
  await writeFile(wrapper, `#!/bin/sh\n${java}\n`);
  await chmod(wrapper, 0o755);
}

const dependencyOf = ({ group, name, version }) =>
  `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`;

/** Moves a finished folder to its place; where another process was faster, its copy is as good. */
async function replaceFolder(from, to) {
  if (await isExecutable(join(to, 'temporal-test-server'))) return;
  await rm(to, { recursive: true, force: true });
  await rename(from, to);
}

async function isExecutable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function firstLine(error) {
  const text = error instanceof Error ? `${error.message} ${error.stderr ?? ''}` : String(error);
  return text.trim().split('\n').slice(0, 3).join(' ').slice(0, 300);
}
