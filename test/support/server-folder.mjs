/**
 * Where tests keep the data of their servers: in memory where there is room, because most of a test of an empty database is
 * making its files. Tests kill processes, never the machine, and what a killed process has written is there on either.
 * `bench/` measures on the disk.
 */
import { existsSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandOf } from '../../scripts/lib/processes.mjs';

const inMemory = '/dev/shm';
/** The fullest test leaves a few GiB; the same memory runs the tests. */
const bytesMin = 8 * 2 ** 30;

/** Of the test servers; global-setup.mjs removes those that an interrupted run left in memory. */
export const testServerPrefix = 'reckoner-test-pg-';

/** @returns {string} a folder for temporary folders */
export function serverFolder() {
  try {
    const { bavail, bsize } = statfsSync(inMemory);
    return bavail * bsize >= bytesMin && freemem() >= bytesMin ? inMemory : tmpdir();
  } catch {
    return tmpdir();
  }
}

/** Memory is not given back when a run is killed: folders of servers that do not run any more. */
export function removeLeftServers() {
  if (!existsSync(inMemory)) return;
  for (const name of readdirSync(inMemory).filter((entry) => entry.startsWith(testServerPrefix))) {
    const folder = join(inMemory, name);
    const lock = join(folder, 'postgres', 'postmaster.pid');
    // One that is just starting has no lock yet.
    if (!existsSync(lock)) continue;
    const [pid] = readFileSync(lock, 'utf8').split('\n');
    if (!commandOf(Number(pid)).includes(folder)) rmSync(folder, { recursive: true, force: true });
  }
}
