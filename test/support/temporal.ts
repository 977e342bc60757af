/** Temporal for tests: the dev server, the time-skipping server, and the workflow bundle. Missing tools fail, never skip. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import type { WorkerOptions } from '@temporalio/worker';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { relayTaskQueue, taskQueue } from '../../src/contracts/names.js';
import { searchAttributeKeys } from '../../src/contracts/search-attributes.js';

const run = promisify(execFile);

/** Jest runs from the project's root. */
const root = process.cwd();

/** Once a process, before anything else makes a runtime: tests fail on purpose, their warnings are noise. */
export function quietRuntime(): void {
  if (Runtime._instance !== undefined) return;
  const logging = { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) };
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [], telemetryOptions: { logging } });
}

/** Order: RECKONER_TEMPORAL_CLI, `temporal` on PATH, the cache folder that `npm start` fills. */
export function findTemporalCli(): string {
  const named = process.env['RECKONER_TEMPORAL_CLI'];
  if (named !== undefined && named !== '') {
    if (isExecutable(named)) return named;
    throw new Error(`RECKONER_TEMPORAL_CLI names ${named}, which is not an executable file.`);
  }
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'temporal'));
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'reckoner', 'temporal', 'temporal');
  const found = [...onPath, cache].find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    `No Temporal CLI: tests need its dev server. Run "npm start" once (it fetches one into ${cache}), install ` +
      '"temporal" on PATH, or set RECKONER_TEMPORAL_CLI.',
  );
}

export interface DevServerOptions {
  /** Continue-as-new is suggested from this many history events on; the server's default is 4,096. */
  readonly suggestContinueAsNewAt?: number;
  /** Of the client, in recorded histories; the default names the machine. */
  readonly identity?: string;
  /** False: as a server is before the first worker has registered them. */
  readonly searchAttributes?: boolean;
}

/** A real server, with our search attributes; time is real. */
export async function startDevServer(options: DevServerOptions = {}): Promise<TestWorkflowEnvironment> {
  const { suggestContinueAsNewAt, identity, searchAttributes = true } = options;
  quietRuntime();
  const dynamic =
    suggestContinueAsNewAt === undefined
      ? []
      : ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${suggestContinueAsNewAt}`];
  return patiently(() =>
    TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'existing-path', path: findTemporalCli() },
        searchAttributes: searchAttributes ? [...searchAttributeKeys] : [],
        extraArgs: dynamic,
        log: { format: 'json', level: 'error' },
      },
      ...(identity !== undefined && { client: { identity } }),
    }),
  );
}

/** The SDK gives a server five seconds to start, which a machine that is busy with other tests may not keep. */
async function patiently<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (attempt === 10) throw error;
    }
  }
}

/** The Java test server: a month passes in seconds. One test at a time: its time is global. */
export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  quietRuntime();
  const path = await findTimeSkippingServer();
  const executable = { type: 'existing-path', path } as const;
  const env = await patiently(() => TestWorkflowEnvironment.createTimeSkipping({ server: { executable } }));
  // The numbers of temporal.api.enums.v1.IndexedValueType; this server cannot list what it has.
  const types = { KEYWORD: 2, BOOL: 5 } as const;
  const searchAttributes = Object.fromEntries(searchAttributeKeys.map(({ name, type }) => [name, types[type]]));
  await env.connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes });
  return env;
}

/** The script is an ES module of its own, for `npm test`; Jest runs this file as CommonJS. */
async function findTimeSkippingServer(): Promise<string> {
  const script = join(root, 'scripts', 'lib', 'time-skipping-server.mjs');
  const program = `import(${JSON.stringify(script)}).then((lib) => lib.findTimeSkippingServer()).then(console.log)`;
  const { stdout } = await run(process.execPath, ['--eval', program], { timeout: 600_000 });
  return stdout.trim();
}

/**
 * Path of the bundle of `workflowsPath` (default: the program's workflows), built when a source differs from the last
 * time: once for all test files.
 */
export async function workflowBundle(workflowsPath = join(root, 'src', 'workflows', 'index.ts')): Promise<string> {
  const folder = join(root, 'node_modules', '.cache', 'reckoner');
  mkdirSync(folder, { recursive: true });
  const codePath = join(folder, `workflow-bundle-${checksum(workflowsPath)}.js`);
  if (!existsSync(codePath)) {
    await run(process.execPath, [join(root, 'test', 'support', 'build-workflow-bundle.mjs'), workflowsPath, codePath], {
      timeout: 120_000,
    });
  }
  return codePath;
}

function checksum(workflowsPath: string): string {
  const hash = createHash('sha256').update(workflowsPath).update(readFileSync(workflowsPath));
  for (const folder of ['workflows', 'contracts', 'domain']) {
    for (const entry of readdirSync(join(root, 'src', folder), { withFileTypes: true, recursive: true })) {
      if (entry.isFile() && entry.name.endsWith('.ts')) hash.update(readFileSync(join(entry.parentPath, entry.name)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

export type TestWorkerOptions = Pick<WorkerOptions, 'activities' | 'maxCachedWorkflows'> & {
  /** For workflows other than the program's. */
  readonly codePath?: string;
};

/** Asks until `holds` is true; fails with the last answer after 45 s. For what happens soon, but not at a known moment. */
export async function eventually<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + 45_000;
  for (;;) {
    // A server that is busy may fail to answer once.
    const answer = await ask().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    if ('value' in answer && holds(answer.value)) return answer.value;
    if (Date.now() > deadline) {
      if ('error' in answer) throw answer.error;
      throw new Error(`It did not come to that: ${JSON.stringify(answer.value)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Runs `test` beside workers for both task queues, and stops them afterwards. */
export async function withWorker<T>(
  env: TestWorkflowEnvironment,
  options: TestWorkerOptions,
  test: () => Promise<T>,
): Promise<T> {
  const { codePath = await workflowBundle(), ...rest } = options;
  const shared = {
    connection: env.nativeConnection,
    namespace: env.namespace ?? 'default',
    identity: 'test worker',
    ...rest,
  };
  const workers = await Promise.all([
    Worker.create({
      ...shared,
      taskQueue,
      workflowBundle: { codePath },
      stickyQueueScheduleToStartTimeout: '1 second',
    }),
    Worker.create({ ...shared, taskQueue: relayTaskQueue }),
  ]);
  const [main, relay] = workers;
  return main.runUntil(relay.runUntil(test()));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
