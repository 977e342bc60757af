/**
 * Finds, gets and starts a Temporal development server. Looked for in this order: `temporal` on PATH, the copy in the user's
 * cache folder, the Temporal SDK's own download, `go install`. (A server that already runs is named by TEMPORAL_ADDRESS:
 * the caller looks at that first.)
 */
import { copyFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { done, note, progressLine, say, seconds, Stop } from './console.mjs';
import { cacheDir, onPath, root } from './paths.mjs';
import { freePort, waitFor } from './ports.mjs';
import { logTail, run, startPart } from './processes.mjs';

/** Built from source when nothing else works; its server is 1.29, as the one tested with. */
export const cliModule = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
const downloadTimeoutMs = 120_000;
const buildTimeoutMs = 30 * 60_000;

const cacheFolder = () => join(cacheDir, 'temporal');
const cached = () => join(cacheFolder(), 'temporal');

/** Whether the file runs: a copy cut short by a full disk, or made for another platform, does not. */
async function works(executable) {
  const { code } = await run(executable, ['--version'], { timeoutMs: 20_000 });
  return code === 0;
}

/** Puts an executable into the cache in one step, so that nobody ever sees half of it. */
function keep(file) {
  const part = `${cached()}.${process.pid}.part`;
  copyFileSync(file, part);
  chmodSync(part, 0o755);
  renameSync(part, cached());
}

/** A folder beside the final place, removed whatever happens. */
async function inWorkFolder(work) {
  mkdirSync(cacheFolder(), { recursive: true });
  const folder = mkdtempSync(join(cacheFolder(), 'getting-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The SDK downloads a server when a test environment starts; in a process of its own, because the download cannot be
 * cancelled from outside.
 */
async function download() {
  say("Getting Temporal's development server through the SDK's download …");
  const start = Date.now();
  return inWorkFolder(async (folder) => {
    const script = join(root, 'scripts', 'lib', 'download-temporal.mjs');
    const { code, output } = await run(process.execPath, [script, folder], { cwd: root, timeoutMs: downloadTimeoutMs });
    const file = readdirSync(folder).find((name) => name.startsWith('temporal'));
    if (code !== 0 || file === undefined) {
      const reason = /timed out|denied|error sending request|status[^\n]*\d{3}|ended by SIGKILL/i.exec(output)?.[0];
      note(`the download did not work (${reason ?? 'no reason given'}, ${seconds(start)})`);
      return false;
    }
    keep(join(folder, file));
    done(`Temporal downloaded (${seconds(start)})`);
    return true;
  });
}

/** Builds the CLI with Go; some ten minutes on two cores, once for this user. */
export async function goInstall() {
  const go = onPath('go');
  if (go === null) return false;
  say(`Building Temporal's development server with go install ${cliModule} (some ten minutes, once) …`);
  const start = Date.now();
  return inWorkFolder(async (folder) => {
    const line = progressLine();
    let modules = 0;
    let packages = 0;
    const onLine = (text) => {
      if (text.startsWith('go: downloading')) modules += 1;
      else if (/^[\w.-]+(\/[\w.~-]+)*$/.test(text)) packages += 1;
      line.update(`${modules} modules downloaded, ${packages} packages compiled, ${seconds(start)}`);
    };
    const env = { ...process.env, GOBIN: folder, CGO_ENABLED: '0' };
    const { code, output } = await run(go, ['install', '-v', cliModule], {
      cwd: folder,
      env,
      onLine,
      timeoutMs: buildTimeoutMs,
    });
    line.end();
    if (code !== 0) {
      note(`go install did not work:\n${output.trimEnd().split('\n').slice(-8).join('\n')}`);
      return false;
    }
    keep(join(folder, 'temporal'));
    done(`Temporal built (${seconds(start)})`);
    return true;
  });
}

/** Ways to get a copy into the cache, in order; each resolves to false where it does not work on this machine. */
const defaultWays = [
  { source: 'downloaded', get: download },
  { source: 'built with Go', get: goInstall },
];

/**
 * An executable Temporal CLI.
 * @returns {Promise<{ executable: string, source: string }>}
 * @throws Stop when none can be had, saying what to install.
 */
export async function ensureTemporalCli(ways = defaultWays) {
  const found = onPath('temporal');
  if (found !== null && (await works(found))) return { executable: found, source: 'on PATH' };
  if (existsSync(cached()) && (await works(cached()))) return { executable: cached(), source: 'from the cache' };
  for (const { source, get } of ways) {
    if ((await get()) && (await works(cached()))) return { executable: cached(), source };
  }
  throw new Stop(
    'No Temporal server found. Do one of these and start again:\n' +
      '  - install the Temporal CLI (docs.temporal.io/cli), so that `temporal` is on PATH\n' +
      '  - install Go 1.24 or later: the CLI is then built from source\n' +
      '  - set TEMPORAL_ADDRESS=host:port to a server that runs already',
  );
}

/**
 * Starts `temporal server start-dev`.
 * @param {{ executable: string, port: number, uiPort: number | null, dbFile: string, logFile: string, searchAttributes: Record<string, string>, dynamicConfig?: Record<string, string>, onSpawn: (part: import('./processes.mjs').Part) => void }} options
 */
export async function startTemporal(options) {
  const { executable, port, uiPort, dbFile, logFile, searchAttributes, dynamicConfig = {}, onSpawn } = options;
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--db-filename', dbFile];
  // Left to itself the server picks free ports when it has started most of its parts: chosen here they cannot collide.
  args.push('--http-port', String(await freePort()), '--metrics-port', String(await freePort()));
  args.push(...(uiPort === null ? ['--headless'] : ['--ui-port', String(uiPort)]));
  for (const [name, type] of Object.entries(searchAttributes)) args.push('--search-attribute', `${name}=${type}`);
  for (const [name, value] of Object.entries(dynamicConfig)) args.push('--dynamic-config-value', `${name}=${value}`);
  const part = startPart({ name: 'temporal', command: executable, args, logFile });
  onSpawn(part);
  await waitForTemporal(`127.0.0.1:${port}`, 'default', () =>
    part.alive() ? null : new Stop(`The Temporal server ended at once:\n${logTail(logFile)}`),
  );
  return part;
}

/** Waits until the server answers and knows the namespace. */
export async function waitForTemporal(address, namespace, aborted = () => null) {
  const { Connection } = await import('@temporalio/client');
  const ask = async () => {
    const connection = await Connection.connect({ address, connectTimeout: 2_000 });
    try {
      await connection.workflowService.describeNamespace({ namespace });
      return true;
    } finally {
      await connection.close();
    }
  };
  await waitFor(`Temporal at ${address}`, ask, { timeoutMs: 60_000, everyMs: 200, aborted });
}

const workflowTasks = 1;
const activityTasks = 2;

/**
 * Waits until the worker of this pid polls each of the task queues. (The server lists pollers for minutes after they have
 * gone, so one of an earlier worker proves nothing.)
 */
export async function waitForPollers({ address, namespace, taskQueues, pid, aborted }) {
  const { Connection } = await import('@temporalio/client');
  const connection = await Connection.connect({ address });
  const polls = async (name, taskQueueType) => {
    const request = { namespace, taskQueue: { name }, taskQueueType };
    const { pollers } = await connection.workflowService.describeTaskQueue(request);
    return (pollers ?? []).some(({ identity }) => identity?.split('@')[0] === String(pid));
  };
  try {
    for (const name of taskQueues) {
      const ask = async () => (await polls(name, workflowTasks)) || (await polls(name, activityTasks));
      await waitFor(`the worker on task queue ${name}`, ask, { timeoutMs: 60_000, everyMs: 200, aborted });
    }
  } finally {
    await connection.close();
  }
}
