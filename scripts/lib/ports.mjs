/** TCP ports on this machine. Dependency-free. */
import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Stop } from './console.mjs';

const loopback = '127.0.0.1';

function listen(port) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: loopback, exclusive: true }, () => {
      const { port: got } = server.address();
      server.close(() => resolve(got));
    });
  });
}

/**
 * Below the ports an operating system gives to outgoing connections (Linux from 32768, others from 49152): one of those
 * may be taken by any connection between choosing it and listening on it, or while the process that had it is restarted.
 */
const [lowest, highest] = [15_000, 32_000];
/** Tests that run beside each other have shares of their own: a port is not listened on yet when it is handed out. */
const shares = 4;
const share = Math.floor((highest - lowest) / shares);
const chosenFrom = lowest + (Number(process.env.JEST_WORKER_ID ?? 0) % shares) * share;
const handedOut = new Set();

/** What listening on a port fails with that is somebody else's. */
const takenCodes = ['EADDRINUSE', 'EACCES'];

/**
 * A port that was free a moment ago and no connection takes by chance; never the same one twice from this process.
 * @throws what listening fails with for another reason than a port that is taken
 */
export async function freePort() {
  for (;;) {
    const port = randomInt(chosenFrom, chosenFrom + share);
    if (handedOut.has(port)) continue;
    // Before it is looked at: others may ask meanwhile.
    handedOut.add(port);
    try {
      return await listen(port);
    } catch (error) {
      if (!takenCodes.includes(error.code)) throw error;
    }
  }
}

export async function isFree(port) {
  return listen(port).then(
    () => true,
    () => false,
  );
}

/**
 * Refuses in one sentence when a port is taken.
 * @param {readonly { port: number, what: string, variable: string }[]} wanted
 */
export async function requireFree(wanted) {
  for (const { port, what, variable } of wanted) {
    if (!(await isFree(port))) {
      throw new Stop(`Port ${port}, wanted for ${what}, is taken by another program. Set ${variable} to another port.`);
    }
  }
}

/** Whether something accepts connections there. */
export function answers(host, port, timeoutMs = 2_000) {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}

/** A port from a variable, or its default. */
export function portFrom(env, variable, byDefault) {
  const text = env[variable];
  if (text === undefined || text === '') return byDefault;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new Stop(`${variable}: expected a port from 1 to 65535, got "${text}".`);
  return port;
}

/**
 * Asks until `attempt` resolves to something true; its last error is in the message when time is over. `aborted` may
 * end the wait early by returning an error (for instance when the process that is waited for has died).
 */
export async function waitFor(what, attempt, { timeoutMs = 30_000, everyMs = 100, aborted = () => null } = {}) {
  const until = Date.now() + timeoutMs;
  let last = 'no answer';
  for (;;) {
    const early = aborted();
    if (early !== null) throw early;
    try {
      const result = await attempt();
      if (result) return result;
    } catch (error) {
      last = error instanceof Error ? error.message || error.name : String(error);
    }
    if (Date.now() > until) throw new Error(`${what} is not ready after ${timeoutMs / 1000} s: ${last}`);
    await sleep(everyMs);
  }
}
