import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluate } from '../support/evaluate.js';

const folder = mkdtempSync(join(tmpdir(), 'reckoner-processes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const prelude = `
  const { startPart, stopPart, killPart, stopRecorded, identityOf, commandOf, logTail } = await load('scripts/lib/processes.mjs');
  const node = (name, code) => startPart({ name, command: process.execPath, args: ['--eval', code], logFile: input + '/' + name + '.log' });
  const said = async (part, word) => {
    const { waitFor } = await load('scripts/lib/ports.mjs');
    await waitFor(word, async () => logTail(part.logFile).includes(word));
  };`;

describe('a part', () => {
  test('is told to stop, and ends by itself', async () => {
    const code = `process.on('SIGTERM', () => { console.log('bye'); process.exit(7); }); console.log('hello'); setInterval(() => {}, 1000);`;
    const result = await evaluate<{ pid: number; exit: unknown; tail: string; alive: boolean }>(
      `${prelude}
       const part = node('polite', ${JSON.stringify(code)});
       await said(part, 'hello');
       await stopPart(part, 'SIGTERM', 20_000);
       return { pid: part.pid, exit: await part.exited, tail: logTail(part.logFile, 1), alive: part.alive() };`,
      folder,
    );
    expect(result).toMatchObject({ exit: { code: 7, signal: null }, tail: 'bye', alive: false });
    expect(isAlive(result.pid)).toBe(false);
  });

  test('that does not listen is killed when its time is over', async () => {
    const code = `process.on('SIGTERM', () => {}); console.log('hello'); setInterval(() => {}, 1000);`;
    const exit = await evaluate(
      `${prelude}
       const part = node('deaf', ${JSON.stringify(code)});
       await said(part, 'hello');
       await stopPart(part, 'SIGTERM', 100);
       return part.exited;`,
      folder,
    );
    expect(exit).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  test('that cannot be started is over at once', async () => {
    const result = await evaluate<{ alive: boolean }>(
      `${prelude}
       const part = startPart({ name: 'none', command: '/does/not/exist', args: [], logFile: input + '/none.log' });
       await part.exited;
       await stopPart(part);
       return { alive: part.alive() };`,
      folder,
    );
    expect(result.alive).toBe(false);
  });

  test('outlives its script, and is recognised and stopped later', async () => {
    const left = await evaluate<{ pid: number; identity: string; command: string }>(
      `${prelude}
       const part = node('orphan', "console.log('hello'); setInterval(() => {}, 1000)");
       await said(part, 'hello');
       return { pid: part.pid, identity: identityOf(part.pid), command: commandOf(part.pid) };`,
      folder,
    );
    expect(isAlive(left.pid)).toBe(true);
    expect(left.command).toContain('setInterval');
    const stop = (identity: string): Promise<boolean> =>
      evaluate(`${prelude} return stopRecorded(input, 'SIGTERM', 5_000)`, { pid: left.pid, identity });
    // A later process with the same pid is not the one that was recorded.
    expect(await stop('another start time')).toBe(false);
    expect(isAlive(left.pid)).toBe(true);
    expect(await stop(left.identity)).toBe(true);
    // Not by kill(pid, 0): where nobody reaps orphans, a zombie keeps its pid.
    expect(await evaluate(`${prelude} return identityOf(input)`, left.pid)).toBeNull();
  });
});

describe('ports', () => {
  test('a taken one is refused in a sentence that says what to change', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const attempt = evaluate(
        "await (await load('scripts/lib/ports.mjs')).requireFree([{ port: input, what: 'the API', variable: 'RECKONER_HTTP_PORT' }])",
        port,
      );
      await expect(attempt).rejects.toThrow(
        `Port ${port}, wanted for the API, is taken by another program. Set RECKONER_HTTP_PORT to another port.`,
      );
    } finally {
      server.close();
    }
  });

  test('free ones differ, and none is one the system gives to connections', async () => {
    const ports = await evaluate<readonly number[]>(
      "const { freePort } = await load('scripts/lib/ports.mjs'); return Promise.all(Array.from({ length: 50 }, freePort))",
    );
    expect(new Set(ports).size).toBe(50);
    expect(Math.max(...ports)).toBeLessThan(32_768);
  });

  test.each([
    ['', 8080],
    ['9090', 9090],
  ])('RECKONER_HTTP_PORT=%s is %d', async (text, port) => {
    const body =
      "return (await load('scripts/lib/ports.mjs')).portFrom({ RECKONER_HTTP_PORT: input }, 'RECKONER_HTTP_PORT', 8080)";
    expect(await evaluate(body, text)).toBe(port);
  });

  test.each(['0', '70000', 'http'])('RECKONER_HTTP_PORT=%s is refused', async (text) => {
    const body =
      "return (await load('scripts/lib/ports.mjs')).portFrom({ RECKONER_HTTP_PORT: input }, 'RECKONER_HTTP_PORT', 8080)";
    await expect(evaluate(body, text)).rejects.toThrow('RECKONER_HTTP_PORT: expected a port');
  });
});

describe('the count of tests', () => {
  const clean = {
    numPassedTests: 5,
    numFailedTests: 0,
    numRuntimeErrorTestSuites: 0,
    numPendingTests: 0,
    numTodoTests: 0,
  };
  const count = (result: unknown, code: number): Promise<unknown> =>
    evaluate("return (await load('scripts/lib/checks.mjs')).countJest(input[0], input[1])", [
      JSON.stringify(result),
      code,
    ]);

  test.each([
    ['passes', clean, 0, { passed: 5, failed: 0 }],
    ['counts failures', { ...clean, numFailedTests: 2 }, 1, { passed: 5, failed: 2 }],
    ['counts a suite that does not load', { ...clean, numRuntimeErrorTestSuites: 1 }, 1, { passed: 5, failed: 1 }],
    ['counts a skipped test as failed', { ...clean, numPendingTests: 1, numTodoTests: 1 }, 0, { passed: 5, failed: 2 }],
    ['does not believe a clean result of a Jest that failed', clean, 1, { passed: 5, failed: 1 }],
  ])('%s', async (_name, result, code, expected) => {
    expect(await count(result, code)).toEqual(expected);
  });
});
