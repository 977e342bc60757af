/** `npm start` as a user meets it: first start, restart, Ctrl-C, a part that dies, a start that was killed, a taken port. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluate } from '../support/evaluate.js';

const dataDir = mkdtempSync(join(tmpdir(), 'reckoner-start-'));
// Every account may enter: as root, Postgres runs as another one.
chmodSync(dataDir, 0o755);

interface State {
  readonly parts: readonly { readonly name: string; readonly pid: number }[];
}
interface Started {
  readonly child: ChildProcess;
  output(): string;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
}

let ports: readonly number[];
let running: Started | null = null;

beforeAll(async () => {
  ports = await evaluate(
    "const { freePort } = await load('scripts/lib/ports.mjs'); return Promise.all([1, 2, 3, 4].map(freePort))",
  );
});

afterAll(async () => {
  running?.child.kill('SIGTERM');
  await running?.ended;
  await evaluate("(await load('scripts/lib/stack.mjs')).removeStackData(input)", dataDir);
  rmSync(dataDir, { recursive: true, force: true });
});

function start(...args: readonly string[]): Started {
  const [postgres, temporal, ui, api] = ports.map(String);
  const child = spawn(process.execPath, ['scripts/start.mjs', ...args], {
    env: {
      ...process.env,
      DATABASE_URL: '',
      TEMPORAL_ADDRESS: '',
      RECKONER_DATA_DIR: dataDir,
      RECKONER_PG_PORT: postgres,
      RECKONER_TEMPORAL_PORT: temporal,
      RECKONER_TEMPORAL_UI_PORT: ui,
      RECKONER_HTTP_PORT: api,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const take = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  running = { child, output: () => output, ended };
  return running;
}

/** Waits for `Ready after`; fails with what was said when the script ends instead. */
async function ready(started: Started): Promise<string> {
  let over = false;
  void started.ended.then(() => {
    over = true;
  });
  while (!started.output().includes('Ready after')) {
    if (over) throw new Error(`the start ended:\n${started.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return started.output();
}

const state = (): State => JSON.parse(readFileSync(join(dataDir, 'stack.json'), 'utf8')) as State;

/** Parts of this state that still run. */
async function alive({ parts }: State): Promise<readonly string[]> {
  const body = `
    const { identityOf } = await load('scripts/lib/processes.mjs');
    return input.filter(({ pid }) => identityOf(pid) !== null).map(({ name }) => name);`;
  return evaluate(body, parts);
}

const numberIn = (output: string): string => /INV-\d+/.exec(output)?.[0] ?? 'no number';

describe('npm start', () => {
  let number: string;

  /** The correction of the late call, the reconciliation, and both documents verified. */
  function expectProofs(output: string): void {
    expect(output).toMatch(/COR-000001\S*  corrects INV-000001/);
    expect(output).toMatch(/1000 × 0\.10 \+ 235 × 0\.08.*118\.72.*118\.80.*0\.08/);
    expect(output).toMatch(/1 billing period, 0 different/);
    expect(output).toMatch(/api_calls.*1235.*1235.*118\.80.*118\.80.*118\.80.*equal/);
    expect(output).toMatch(/Verify INV-000001 +from raw events: 118\.72 computed again/);
    expect(output).toMatch(/Verify COR-000001 +from raw events: 0\.08 computed again/);
  }

  test('shows the invoice of 118.72, its correction of 0.08 and the proofs on empty data', async () => {
    const output = await ready(start());
    number = numberIn(output);
    expect(output).toContain('2468 events sent, 1234 accepted, 1234 duplicates');
    expect(output).toMatch(/1000 × 0\.10 \+ 234 × 0\.08.*118\.72/);
    expect(number).toBe('INV-000001');
    expectProofs(output);
    const addresses = [...output.matchAll(/http:\/\/127\.0\.0\.1:\d+\/\S+/g)].map(([address]) => address);
    expect(addresses).toHaveLength(4);
    for (const address of addresses)
      expect({ address, status: (await fetch(address)).status }).toMatchObject({ status: 200 });
  }, 180_000);

  test('refuses a second one on the same data', async () => {
    const first = running;
    const second = start();
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(/runs already on these data \(pid \d+\), at http/);
    running = first;
  });

  test('stops everything on Ctrl-C', async () => {
    const before = state();
    expect(await alive(before)).toEqual(['postgres', 'temporal', 'api', 'worker']);
    running?.child.kill('SIGINT');
    expect(await running?.ended).toBe(0);
    expect(await alive(before)).toEqual([]);
  });

  test('finds its data again, and changes nothing', async () => {
    const output = await ready(start());
    expect(output).toContain('2468 events sent, 0 accepted, 2468 duplicates');
    expect(output).toMatch(/1000 × 0\.10 \+ 234 × 0\.08.*118\.72/);
    expect(numberIn(output)).toBe(number);
    expectProofs(output);
  }, 180_000);

  test('says which part has died, and stops the others', async () => {
    const before = state();
    const api = before.parts.find(({ name }) => name === 'api');
    process.kill(api?.pid ?? 0, 'SIGKILL');
    expect(await running?.ended).toBe(1);
    expect(running?.output()).toMatch(/api has ended unexpectedly \(SIGKILL\)/);
    expect(await alive(before)).toEqual([]);
  });

  test('clears up after a start that was killed', async () => {
    const killed = start('--no-example');
    expect(await ready(killed)).not.toContain('118.72');
    const before = state();
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(await alive(before)).toEqual(['postgres', 'temporal', 'api', 'worker']);
    const output = await ready(start('--no-example'));
    for (const { name, pid } of before.parts)
      expect(output).toContain(`stopped the ${name} of an interrupted start (pid ${pid})`);
    running?.child.kill('SIGTERM');
    expect(await running?.ended).toBe(0);
  }, 180_000);

  test('says which port is taken, before anything starts', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(ports[3], '127.0.0.1', resolve));
    const refused = start();
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toContain(
      `Port ${ports[3]}, wanted for the API, is taken by another program. Set RECKONER_HTTP_PORT to another port.`,
    );
    expect(refused.output()).not.toContain('✓ Postgres');
    await new Promise((resolve) => server.close(resolve));
  });

  test('--fresh forgets, and a wrong option is refused', async () => {
    const wrong = start('--frehs');
    expect(await wrong.ended).toBe(1);
    expect(wrong.output()).toContain('Usage: npm start');
    const output = await ready(start('--fresh'));
    expect(output).toContain('1234 accepted, 1234 duplicates');
    running?.child.kill('SIGTERM');
    expect(await running?.ended).toBe(0);
  }, 180_000);
});
