/**
 * The whole program on this machine, each part a child process with a known pid: Postgres, Temporal, API, worker. Used by
 * `npm start`, by the end-to-end tests (which kill parts and start them again) and by the bench.
 */
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { note, Stop } from './console.mjs';
import { root } from './paths.mjs';
import { answers, freePort, waitFor } from './ports.mjs';
import { removeData, startPostgres, stopPostgres } from './postgres.mjs';
import { identityOf, killPart, logTail, run, startPart, stopPart, stopRecorded } from './processes.mjs';
import { ensureTemporalCli, startTemporal, waitForPollers, waitForTemporal } from './temporal-server.mjs';

export const partNames = /** @type {const} */ (['postgres', 'temporal', 'api', 'worker']);

/** Quick to react, as somebody who watches wants it; production has the defaults of src/config.ts. */
export const localSettings = {
  RECKONER_SIGNAL_INTERVAL: 'PT1S',
  RECKONER_RELAY_TICK: 'PT0.25S',
  RECKONER_RATING_CADENCE: 'every_close',
  RECKONER_CLOSE_JITTER: 'PT0S',
  // Made-up usage jumps, and stops, without anybody having erred.
  RECKONER_HOLD_TRAILING_PERIODS: '0',
  RECKONER_SELLER_NAME: 'Reckoner Local Ltd',
  RECKONER_SELLER_ADDRESS: '1 Example Street, Example City',
};

/** The settings of a local stack under those that are given: the example's address is not another seller's. */
export function settingsUnder(given) {
  const { RECKONER_SELLER_ADDRESS: address, ...others } = localSettings;
  return { ...others, ...(!given.RECKONER_SELLER_NAME && { RECKONER_SELLER_ADDRESS: address }), ...given };
}

/** What the command line has to be told when the API is not where it looks by itself; else null. */
export const urlToExport = (apiUrl) => (apiUrl === 'http://127.0.0.1:8080' ? null : `export RECKONER_URL=${apiUrl}`);

const program = join(root, 'dist', 'main.js');
/**
 * Events live for the length of a commit. With V8's 16 MiB for young objects many are moved to the old ones before they die;
 * with 64 the API takes a tenth more of them a second (docs/PERFORMANCE.md).
 */
const nodeFlags = ['--max-semi-space-size=64'];
const stateName = 'stack.json';

/** The environment without settings of the program: a stack has only those it is given. */
function bareEnvironment() {
  const setting = /^(RECKONER_|DATABASE_URL$|TEMPORAL_|LOG_LEVEL$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !setting.test(name)));
}

/**
 * The parts, not started yet. DATABASE_URL and TEMPORAL_ADDRESS in `env` name servers of your own, which are then used
 * instead of started. (In `env` only: a test must never run on the database that somebody's shell happens to name.)
 *
 * @param {object} [options]
 * @param {string} [options.dataDir] holds data and logs; left out: a temporary one that `stop()` removes
 * @param {{ postgres?: number, temporal?: number, temporalUi?: number | null, api?: number }} [options.ports] left out: free
 *   ones; `temporalUi: null` starts no UI
 * @param {Record<string, string>} [options.env] settings on top of `localSettings`
 * @param {readonly ('postgres' | 'temporal' | 'api' | 'worker')[]} [options.parts] which `startAll` starts; default all
 * @param {Record<string, string>} [options.dynamicConfig] of the Temporal server
 * @param {(death: { name: string, how: string, tail: string }) => void} [options.onDeath] a part ended that nobody
 *   stopped; with its last log lines
 * @param {(part: string) => void} [options.onStarted]
 */
export async function createStack(options = {}) {
  const temporary = options.dataDir === undefined;
  const dataDir = options.dataDir ?? temporaryFolder();
  mkdirSync(join(dataDir, 'logs'), { recursive: true });
  const stack = new Stack(dataDir, await choosePorts(options), options);
  const uiPort = stack.isExternal('temporal') ? null : stack.ports.temporalUi;
  return {
    apiUrl: stack.apiUrl,
    uiUrl: uiPort === null ? null : `http://127.0.0.1:${uiPort}`,
    temporalAddress: stack.temporalAddress,
    namespace: stack.namespace,
    dataDir,
    get databaseUrl() {
      return stack.databaseUrl;
    },
    /** Pids of the parts that run now, by name. */
    get pids() {
      return stack.pids();
    },
    startAll: () => stack.startAll(),
    /** Starts a part (again) and waits until it is ready. */
    start: (name) => stack.start(name),
    /** kill -9. */
    kill: (name) => stack.kill(name),
    /** Stops one part in an orderly way. */
    stopPart: (name) => stack.stopOne(name),
    logFile: (name) => stack.logFile(name),
    /** Stops everything; nothing starts afterwards. */
    async stop() {
      await stack.stop();
      if (temporary) removeStackData(dataDir);
    },
  };
}

/** `createStack`, with its parts running and ready. */
export async function startStack(options = {}) {
  const stack = await createStack(options);
  try {
    await stack.startAll();
    return stack;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

class Stack {
  #running = new Map();
  #stopping = new Set();
  #closed = false;

  constructor(
    dataDir,
    ports,
    { env = {}, parts = partNames, dynamicConfig = {}, onDeath = () => {}, onStarted = () => {} },
  ) {
    this.dataDir = dataDir;
    this.ports = ports;
    this.parts = parts;
    this.dynamicConfig = dynamicConfig;
    this.onDeath = onDeath;
    this.onStarted = onStarted;
    this.env = { ...bareEnvironment(), ...settingsUnder(env) };
    this.databaseUrl = this.env.DATABASE_URL || '';
    this.external = { postgres: Boolean(this.env.DATABASE_URL), temporal: Boolean(this.env.TEMPORAL_ADDRESS) };
    this.temporalAddress = this.env.TEMPORAL_ADDRESS || `127.0.0.1:${ports.temporal}`;
    this.namespace = this.env.TEMPORAL_NAMESPACE || 'default';
    this.apiUrl = `http://127.0.0.1:${ports.api}`;
  }

  isExternal(name) {
    return this.external[name] === true;
  }

  logFile(name) {
    return join(this.dataDir, 'logs', `${name}.log`);
  }

  async startAll() {
    for (const name of this.parts.filter((part) => !this.isExternal(part))) {
      // The program needs both servers and its migrations; before it, because they need only the servers.
      if (name === 'api' || name === 'worker') await this.#migrateOnce();
      await this.start(name);
      this.onStarted(name);
    }
  }

  async start(name) {
    if (this.#running.get(name)?.alive()) throw new Error(`${name} runs already`);
    if (this.#closed) throw new Stop('stopped');
    this.#stopping.delete(name);
    const part = await this.#launch(name);
    void part.exited.then(({ code, signal }) => {
      if (!this.#stopping.has(name))
        this.onDeath({ name, how: signal ?? `exit code ${code}`, tail: logTail(part.logFile) });
    });
  }

  #launch(name) {
    const logFile = this.logFile(name);
    truncateLarge(logFile);
    const onSpawn = (part) => this.#record(part);
    switch (name) {
      case 'postgres':
        return this.#startPostgres({ logFile, onSpawn });
      case 'temporal':
        return this.#startTemporal({ logFile, onSpawn });
      case 'api':
        return this.#startProgram(name, (part) => this.#apiReady(part));
      case 'worker':
        return this.#startProgram(name, (part) => this.#workerReady(part));
      default:
        throw new Error(`there is no part ${name}`);
    }
  }

  async #startPostgres(options) {
    const dataFolder = join(this.dataDir, 'postgres');
    const { part, url } = await startPostgres({ ...options, dataFolder, port: this.ports.postgres });
    this.databaseUrl = url;
    return part;
  }

  async #startTemporal(options) {
    const { executable } = await ensureTemporalCli();
    const { temporal: port, temporalUi: uiPort } = this.ports;
    const dbFile = join(this.dataDir, 'temporal.db');
    return startTemporal({
      ...options,
      executable,
      port,
      uiPort,
      dbFile,
      searchAttributes: await searchAttributes(),
      dynamicConfig: this.dynamicConfig,
    });
  }

  /** Pids are written down as soon as a process exists: a script that is killed can be cleaned up after by the next one. */
  #record(part) {
    this.#running.set(part.name, part);
    this.#writeState();
    return part;
  }

  async #startProgram(name, ready) {
    const logFile = this.logFile(name);
    const env = this.#programEnv();
    const part = this.#record(
      startPart({ name, command: process.execPath, args: [...nodeFlags, program, name], cwd: root, logFile, env }),
    );
    await ready(part);
    return part;
  }

  #programEnv() {
    return {
      ...this.#auditSettings(),
      ...this.env,
      DATABASE_URL: this.databaseUrl,
      TEMPORAL_ADDRESS: this.temporalAddress,
      RECKONER_HTTP_PORT: String(this.ports.api),
      NODE_ENV: 'production',
    };
  }

  /** A key of its own, made once, and an anchor file beside it: for a stack that is told neither. */
  #auditSettings() {
    if (this.env.RECKONER_AUDIT_KEY || this.env.RECKONER_AUDIT_KEY_FILE) return {};
    const file = join(this.dataDir, 'audit-key.pem');
    if (!existsSync(file)) {
      const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
      writeFileSync(file, key, { mode: 0o600 });
    }
    return { RECKONER_AUDIT_KEY_FILE: file, RECKONER_AUDIT_ANCHOR_FILE: join(this.dataDir, 'audit-anchors.jsonl') };
  }

  async #apiReady(part) {
    const ask = async () => {
      const response = await fetch(`${this.apiUrl}/health/ready`, { signal: AbortSignal.timeout(5_000) });
      if (!response.ok) throw new Error(await response.text());
      return true;
    };
    await waitFor('the API', ask, { timeoutMs: 60_000, aborted: endedEarly(part) });
  }

  async #workerReady(part) {
    const { taskQueue, relayTaskQueue } = await contracts();
    const { temporalAddress: address, namespace } = this;
    const taskQueues = [taskQueue, relayTaskQueue];
    await waitForPollers({ address, namespace, taskQueues, pid: part.pid, aborted: endedEarly(part) });
  }

  #migrated = null;

  /** Migrations of the database, and our search attributes in Temporal. */
  #migrateOnce() {
    this.#migrated ??= run(process.execPath, [program, 'migrate'], { cwd: root, env: this.#programEnv() });
    return this.#migrated.then(({ code, output }) => {
      if (code !== 0) throw new Stop(`The database could not be migrated:\n${output.trimEnd()}`);
    });
  }

  pids() {
    return Object.fromEntries(
      [...this.#running].filter(([, part]) => part.alive()).map(([name, part]) => [name, part.pid]),
    );
  }

  async kill(name) {
    this.#stopping.add(name);
    const part = this.#running.get(name);
    if (part !== undefined) await killPart(part);
    this.#writeState();
  }

  async stopOne(name) {
    this.#stopping.add(name);
    const part = this.#running.get(name);
    if (part === undefined) return;
    await (name === 'postgres' ? stopPostgres(part) : stopPart(part));
    this.#running.delete(name);
    this.#writeState();
  }

  /** In the order of dependence: first those that use the others. */
  async stop() {
    this.#closed = true;
    for (const name of partNames) this.#stopping.add(name);
    if (this.#running.size > 0) this.#writeState();
    await Promise.all([this.stopOne('api'), this.stopOne('worker')]);
    await this.stopOne('temporal');
    await this.stopOne('postgres');
    rmSync(join(this.dataDir, stateName), { force: true });
  }

  #writeState() {
    const parts = [...this.#running.values()].filter((part) => part.alive());
    const state = {
      script: { pid: process.pid, identity: identityOf(process.pid) },
      apiUrl: this.apiUrl,
      stopping: this.#closed,
      parts: parts.map(({ name, pid }) => ({ name, pid, identity: identityOf(pid) })),
    };
    writeFileSync(join(this.dataDir, stateName), `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  }
}

/**
 * Looks for a stack on this data folder: refuses when one runs, and stops what one that was killed has left behind.
 * @param {string} dataDir
 */
export async function clearLeftOvers(dataDir) {
  let state;
  try {
    state = JSON.parse(readFileSync(join(dataDir, stateName), 'utf8'));
  } catch {
    return;
  }
  if (identityOf(state.script.pid) === state.script.identity) {
    if (state.stopping === true) {
      throw new Stop(
        `Reckoner is stopping on these data (pid ${state.script.pid}). Start it again when that has ended.`,
      );
    }
    throw new Stop(`Reckoner runs already on these data (pid ${state.script.pid}), at ${state.apiUrl}.`);
  }
  const order = ['api', 'worker', 'temporal', 'postgres'];
  for (const recorded of state.parts.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))) {
    const signal = recorded.name === 'postgres' ? 'SIGINT' : 'SIGTERM';
    if (await stopRecorded(recorded, signal))
      note(`stopped the ${recorded.name} of an interrupted start (pid ${recorded.pid})`);
  }
  rmSync(join(dataDir, stateName), { force: true });
}

/** Forgets data and logs. */
export function removeStackData(dataDir) {
  removeData(join(dataDir, 'postgres'));
  rmSync(dataDir, { recursive: true, force: true });
}

/** Every account may enter it: Postgres may run as another one. */
function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'reckoner-stack-'));
  chmodSync(folder, 0o755);
  return folder;
}

async function choosePorts({ ports = {} }) {
  return {
    postgres: ports.postgres ?? (await freePort()),
    temporal: ports.temporal ?? (await freePort()),
    temporalUi: ports.temporalUi === undefined ? await freePort() : ports.temporalUi,
    api: ports.api ?? (await freePort()),
  };
}

/** Names come from the program itself, so that they are said once. */
const contracts = () => import('../../dist/contracts/names.js');

/** As the Temporal CLI writes the types. */
const attributeTypes = { KEYWORD: 'Keyword', BOOL: 'Bool' };

async function searchAttributes() {
  const { searchAttributeKeys } = await import('../../dist/contracts/search-attributes.js');
  return Object.fromEntries(searchAttributeKeys.map(({ name, type }) => [name, attributeTypes[type]]));
}

const endedEarly = (part) => () =>
  part.alive() ? null : new Stop(`The ${part.name} ended at once:\n${logTail(part.logFile)}`);

const logBytesMax = 5_000_000;

function truncateLarge(logFile) {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > logBytesMax) rmSync(logFile);
}

/** Refuses in a sentence when TEMPORAL_ADDRESS names a server that does not answer. */
export async function requireTemporal(address, namespace) {
  const [host = '', port = ''] = address.split(/:(?=\d+$)/);
  if (!(await answers(host, Number(port), 5_000)))
    throw new Stop(`TEMPORAL_ADDRESS=${address}: nothing answers there.`);
  await waitForTemporal(address, namespace);
}
