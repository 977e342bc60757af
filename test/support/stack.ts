/** The real stack for a test: Postgres, Temporal, API and worker, each a process that can be killed and started again. */
import { fork } from 'node:child_process';
import { join } from 'node:path';

export type Part = 'postgres' | 'temporal' | 'api' | 'worker';

export interface StackOptions {
  /** Settings on top of those of the local stack. */
  readonly env?: Readonly<Record<string, string>>;
  readonly parts?: readonly Part[];
}

export interface TestStack {
  readonly apiUrl: string;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  /** kill -9. */
  kill(part: Part): Promise<void>;
  /** Starts a part again and waits until it is ready. */
  start(part: Part): Promise<void>;
  /** Pids of the parts that run. */
  pids(): Promise<Readonly<Partial<Record<Part, number>>>>;
  /** One more worker beside the stack's own; it ends with the stack. Resolves with its pid once it polls. */
  startWorker(): Promise<number>;
  stop(): Promise<void>;
}

/** Stacks of this test file that were stopped: whoever still waits for something of them gives up. */
let stops = 0;

type Addresses = Pick<TestStack, 'apiUrl' | 'databaseUrl' | 'temporalAddress'>;

export async function startTestStack(options: StackOptions = {}): Promise<TestStack> {
  const child = fork(join(process.cwd(), 'test', 'support', 'stack-process.mjs'), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  let lastId = 0;
  child.on('message', (message: { id: number; answer?: unknown; error?: string }) => {
    const order = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) order?.resolve(message.answer);
    else order?.reject(new Error(message.error));
  });
  child.on('exit', () => {
    for (const order of waiting.values()) order.reject(new Error('the stack process ended'));
  });
  const order = (name: string, argument?: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      child.send({ id: lastId, order: name, argument });
    });
  const { apiUrl, databaseUrl, temporalAddress } = (await order('startAll', options)) as Addresses;
  return {
    apiUrl,
    databaseUrl,
    temporalAddress,
    kill: async (part) => void (await order('kill', part)),
    start: async (part) => void (await order('start', part)),
    pids: async () => (await order('pids')) as Partial<Record<Part, number>>,
    startWorker: async () => (await order('startWorker')) as number,
    async stop() {
      stops += 1;
      await order('stop');
      child.disconnect();
    },
  };
}

/** One request to the stack; an answer that is no success is an error with the server's own words. */
export async function call<T>(url: string, init: { method?: string; body?: unknown } = {}): Promise<T> {
  const { method = init.body === undefined ? 'GET' : 'POST', body } = init;
  const response = await fetch(url, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

/** Asks again until the answer satisfies; the bound only ends a test that would never end. */
export async function until<T>(
  ask: () => Promise<T>,
  satisfied: (answer: T) => boolean,
  boundMs = 240_000,
): Promise<T> {
  const end = Date.now() + boundMs;
  const stopsBefore = stops;
  for (;;) {
    if (stops > stopsBefore) throw new Error('the stack was stopped');
    let answer: T | undefined;
    let failure: unknown;
    try {
      answer = await ask();
      if (satisfied(answer)) return answer;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > end)
      throw new Error(`not reached: last answer ${JSON.stringify(answer)} ${String(failure ?? '')}`);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}
