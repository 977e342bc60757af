/**
 * Child processes that a script starts, watches and stops. Each is the leader of a process group of its own, so that Ctrl-C
 * in a terminal reaches only the script, which then stops its parts in order. Dependency-free.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** @typedef {{ name: string, pid: number, logFile: string, exited: Promise<{ code: number | null, signal: string | null }>, alive(): boolean }} Part */

/**
 * Starts a program with its output appended to a log file.
 * @param {{ name: string, command: string, args: readonly string[], logFile: string, env?: NodeJS.ProcessEnv, cwd?: string, uid?: number, gid?: number }} options
 * @returns {Part}
 */
export function startPart({ name, command, args, logFile, ...options }) {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, { ...options, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  let ended = false;
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      ended = true;
      resolve({ code, signal });
    });
    child.once('error', (error) => {
      ended = true;
      resolve({ code: null, signal: null, error });
    });
  });
  return { name, pid: child.pid ?? 0, logFile, exited, alive: () => !ended };
}

/** Sends `signal`, waits `graceMs`, then SIGKILL. Resolves when the process is gone. */
export async function stopPart(part, signal = 'SIGTERM', graceMs = 10_000) {
  if (!part.alive()) return;
  send(part.pid, signal);
  const ended = await Promise.race([part.exited.then(() => true), sleep(graceMs, false, { ref: false })]);
  if (!ended) {
    send(part.pid, 'SIGKILL');
    await part.exited;
  }
}

/** kill -9, as a crash would; resolves when the process is gone. */
export async function killPart(part) {
  if (part.alive()) send(part.pid, 'SIGKILL');
  await part.exited;
}

function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** The last lines of a log, for showing why a part died. */
export function logTail(logFile, lines = 12) {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/**
 * Text that tells this process from a later one with the same pid (its start time); null when no such process runs.
 * @param {number} pid
 */
export function identityOf(pid) {
  try {
    // Field 22 counts after the command, which is in parentheses and may contain spaces.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : `ticks ${fields[19]}`;
  } catch {
    if (process.platform === 'linux') return null;
  }
  const answer = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  const text = answer.stdout?.trim() ?? '';
  return text === '' ? null : text;
}

/** The command line of a process; empty when it cannot be read. */
export function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    if (process.platform === 'linux') return '';
  }
  return spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? '';
}

/** Stops a process that is not our child, by pid, if it is still the one that was recorded. */
export async function stopRecorded({ pid, identity }, signal = 'SIGTERM', graceMs = 10_000) {
  const same = () => identityOf(pid) === identity;
  if (!same()) return false;
  send(pid, signal);
  for (const until = Date.now() + graceMs; same() && Date.now() < until;) await sleep(50);
  if (same()) send(pid, 'SIGKILL');
  for (const until = Date.now() + 5_000; same() && Date.now() < until;) await sleep(50);
  return true;
}

/**
 * Runs a program to its end; its output is returned, and shown by the caller only when it failed.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, onLine?: (line: string) => void, timeoutMs?: number }} [options]
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, args, { cwd, env, onLine, timeoutMs } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    let rest = '';
    const take = (chunk) => {
      output += chunk;
      rest += chunk;
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      if (onLine !== undefined) lines.forEach((line) => onLine(line));
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.once('error', (error) => resolve({ code: 127, output: `${output}${error.message}` }));
    child.once('close', (code, signal) =>
      resolve({ code: code ?? 1, output: signal === null ? output : `${output}\nended by ${signal}` }),
    );
  });
}
