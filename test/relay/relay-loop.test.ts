import { deliverTo, messageOf, signalBytesMax } from '../../src/relay/deliver.js';
import { inParallel } from '../../src/relay/in-parallel.js';
import { runRelayLoop } from '../../src/relay/relay-loop.js';
import type { RelayDependencies, RelayEnd } from '../../src/relay/relay-loop.js';
import type { UsageRange } from '../../src/storage/types.js';
import type { DecimalString, Digest, Instant, LocalDate, Position } from '../../src/domain/values.js';

const silent = { info: () => undefined, warn: () => undefined };

const range = (customerId: string, from: number, to: number): UsageRange => ({
  customerId,
  period: '2024-01-01' as LocalDate,
  from: String(from) as Position,
  to: String(to) as Position,
  eventCount: to - from,
  maxEventTime: null,
  sums: [],
});

/** A relay store in memory: what `feed` puts in is planned by the next tick. */
class FakeRelay {
  readonly calls = { acquire: 0, plan: 0, due: 0 };
  readonly delivered: string[] = [];
  readonly marked: string[] = [];
  epoch = 0;
  fresh: UsageRange[] = [];
  planned: UsageRange[] = [];
  failNext: Error[] = [];
  refuse = new Set<string>();
  private readonly stop = new AbortController();

  run(options: { readonly until: () => boolean }): Promise<RelayEnd> {
    const check = setInterval(() => options.until() && this.stop.abort(), 1);
    const loop = runRelayLoop(this.dependencies, {
      group: 'all',
      tickMs: 2,
      signalIntervalMs: 20,
      stop: this.stop.signal,
    });
    return loop.finally(() => clearInterval(check));
  }

  private get dependencies(): RelayDependencies {
    return {
      relay: {
        acquire: () => Promise.resolve({ epoch: (this.calls.acquire += 1), position: '0' as Position }),
        plan: () => this.plan(),
        due: () => {
          this.calls.due += 1;
          return Promise.resolve(this.planned.slice(0, 500));
        },
        markDelivered: (ranges) => {
          const keys = ranges.map(({ customerId, to }) => `${customerId}@${to}`);
          this.marked.push(...keys);
          this.planned = this.planned.filter(({ customerId, to }) => !keys.includes(`${customerId}@${to}`));
          return Promise.resolve();
        },
      },
      deliver: ({ customerId, to }) => {
        if (this.refuse.has(customerId)) return Promise.reject(new Error('signals are refused'));
        this.delivered.push(`${customerId}@${to}`);
        return Promise.resolve();
      },
      log: silent,
      nowMs: () => performance.now(),
    };
  }

  private plan(): Promise<{ position: Position; facts: number }> {
    this.calls.plan += 1;
    const failure = this.failNext.shift();
    if (failure !== undefined) return Promise.reject(failure);
    const facts = this.fresh.length;
    this.planned.push(...this.fresh.splice(0));
    return Promise.resolve({ position: '9' as Position, facts });
  }
}

const fenced = (): Error => Object.assign(new Error('a newer epoch'), { name: 'RelayFenced' });

test('what is planned is delivered, then marked', async () => {
  const relay = new FakeRelay();
  relay.fresh = [range('a', 0, 5), range('b', 0, 7)];
  expect(await relay.run({ until: () => relay.marked.length === 2 })).toBe('stopped');
  expect(relay.delivered.sort()).toEqual(['a@5', 'b@7']);
  expect(relay.marked.sort()).toEqual(['a@5', 'b@7']);
});

test('idle ticks ask for a plan only, once every range has had its signal interval', async () => {
  const relay = new FakeRelay();
  let atQuiet = 0;
  await relay.run({
    until: () => {
      if (relay.calls.plan === 60) atQuiet = relay.calls.due;
      return relay.calls.plan >= 120;
    },
  });
  expect(relay.calls.due).toBeLessThan(relay.calls.plan);
  expect(relay.calls.due).toBe(atQuiet);
});

test('a relay that is fenced stops, without touching anything more', async () => {
  const relay = new FakeRelay();
  relay.failNext = [fenced()];
  relay.planned = [range('a', 0, 5)];
  expect(await relay.run({ until: () => false })).toBe('fenced');
  expect(relay.delivered).toEqual([]);
});

test('a database that is away makes it wait and go on, in the same epoch', async () => {
  const relay = new FakeRelay();
  relay.failNext = [new Error('connection refused')];
  relay.fresh = [range('a', 0, 5)];
  await relay.run({ until: () => relay.marked.length === 1 });
  expect(relay.calls.acquire).toBe(1);
});

test('one range that Temporal refuses does not hold up the others, and comes again', async () => {
  const relay = new FakeRelay();
  relay.refuse.add('bad');
  relay.fresh = [range('bad', 0, 1), range('good', 0, 2)];
  setTimeout(() => relay.refuse.clear(), 100);
  await relay.run({ until: () => relay.marked.length === 2 });
  expect(relay.marked).toEqual(['good@2', 'bad@1']);
});

test('more ranges than a step takes are delivered without waiting for the next tick', async () => {
  const relay = new FakeRelay();
  relay.fresh = Array.from({ length: 1_200 }, (_, index) => range(`c${index}`, 0, 1));
  await relay.run({ until: () => relay.marked.length === 1_200 });
  expect(relay.calls.plan).toBeGreaterThanOrEqual(3);
});

test('a signal that would be longer than 64 KB says "look in the ledger"', () => {
  const at = '2024-01-01T00:00:00.000000Z' as Instant;
  const sum = { m: 'm'.repeat(100), w: at, e: at, n: 1, q: '1' as DecimalString, d: '0'.repeat(16) as Digest };
  const sums = Array.from({ length: 1_000 }, () => sum);
  expect(JSON.stringify(sums).length).toBeGreaterThan(signalBytesMax);
  expect(messageOf({ ...range('a', 0, 1), sums }).sums).toBeNull();
  expect(messageOf({ ...range('a', 0, 1), sums: [sum] }).sums).toEqual([sum]);
});

test('a delivery is a signalWithStart of the period, without the customer in its message', async () => {
  const calls: unknown[][] = [];
  const client = {
    workflow: { signalWithStart: (...parameters: unknown[]) => Promise.resolve(calls.push(parameters)) },
  };
  await deliverTo(client as unknown as Parameters<typeof deliverTo>[0])(range('a/b', 0, 3));
  expect(calls).toMatchObject([
    [
      'billingPeriod',
      {
        workflowId: 'billing-period/a%2Fb/2024-01-01',
        taskQueue: 'reckoner',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      },
    ],
  ]);
  const [, options] = calls[0] as [string, { signalArgs: unknown[] }];
  expect(options.signalArgs).toEqual([{ from: '0', to: '3', eventCount: 3, maxEventTime: null, sums: [] }]);
});

test('parallel work keeps its limit, and an error waits for what is under way', async () => {
  let active = 0;
  let most = 0;
  const done: number[] = [];
  const work = async (item: number): Promise<void> => {
    active += 1;
    most = Math.max(most, active);
    await new Promise((resolve) => setTimeout(resolve, 2));
    active -= 1;
    if (item === 3) throw new Error('three');
    done.push(item);
  };
  await expect(inParallel([1, 2, 3, 4, 5, 6], 2, work)).rejects.toThrow('three');
  expect(most).toBe(2);
  expect(active).toBe(0);
  expect(done).toEqual([1, 2, 4, 5, 6]);
});
