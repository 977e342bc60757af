/**
 * A dump that is older than what Temporal knows: its workflows have been told of positions that the restored database gives out
 * again. What OPERATE tells an operator to do then is done here, to the letter.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { UsageRecorded } from '../../src/contracts/billing-period.js';
import type { PeriodSettings } from '../../src/contracts/activities.js';
import { createStorage } from '../../src/storage/index.js';
import type { BillingPeriod, Storage, UsageRange } from '../../src/storage/types.js';
import { applyRange, freshState } from '../../src/workflows/billing-period/accumulation.js';
import { createActivityFixture, january } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { dump } from './support/logical-dump.js';

const group = 'all';
const nowMs = Date.parse('2024-01-10T11:00:00Z');
const settings = {
  outOfOrdernessMs: 60_000,
  idleTimeoutMs: 300_000,
  allowedLatenessMs: { api_calls: 3_600_000 },
} as unknown as PeriodSettings;

let fixture: ActivityFixture;
beforeEach(async () => {
  fixture = await createActivityFixture();
  await fixture.addCustomer('acme');
});
afterEach(() => fixture.close());

const append = async ({ ledger }: Storage, ...eventIds: readonly string[]): Promise<void> => {
  const eventTime = '2024-01-10T10:00:00Z';
  await ledger.append(
    eventIds.map((eventId) => usageEvent({ customerId: 'acme', eventId, eventTime })),
    [],
  );
};

async function tell({ relay }: Storage): Promise<readonly UsageRange[]> {
  const { epoch } = await relay.acquire(group);
  const horizon = BigInt((await relay.lag(group)).facts);
  for (let planned = 0n; planned <= horizon; planned += 1_600_000n) await relay.plan(group, epoch);
  const ranges = await relay.due(0, 10);
  await relay.markDelivered(ranges);
  return ranges;
}

const applied = (state: typeof freshState, ranges: readonly UsageRecorded[]): typeof freshState =>
  ranges.reduce((known, range) => applyRange(known, range, { settings, nowMs }), state);

/** The statement under "Restore" of the guide. */
function advice(): string {
  const guide = readFileSync(join(process.cwd(), 'docs/guides/OPERATE.md'), 'utf8');
  const [statement, ...more] = guide.match(/SELECT setval\('ledger_position'[^;]*;/g) ?? [];
  if (statement === undefined || more.length > 0)
    throw new Error('the guide has one statement that moves positions on');
  return statement;
}

test('positions that were told before are not given out again; a workflow that is ahead looks in the ledger at once', async () => {
  const { storage } = fixture;
  await append(storage, 'kept');
  let state = applied(freshState, await tell(storage));
  const taken = await dump(fixture.url);
  await append(storage, ...Array.from({ length: 50 }, (_, i) => `lost ${i}`));
  state = applied(state, await tell(storage));
  const ahead = state.appliedThrough;

  const withoutAdvice = await taken.restore();
  const withAdvice = await taken.restore();
  await taken.forget();
  const client = new pg.Client({ connectionString: withAdvice.url });
  await client.connect();
  await client.query(advice());
  await client.end();

  const results = [];
  for (const { url, drop } of [withoutAdvice, withAdvice]) {
    const restored = createStorage(url);
    await append(restored, 'new');
    const found = await restored.ledger.findEvent('acme', '', 'new');
    const next = applied({ ...state, lookInLedger: false }, await tell(restored));
    const period = (await restored.periods.periodNamed('acme', january)) as BillingPeriod;
    // Whatever the workflow knows, closing counts what the ledger has, and tells of what it has not.
    const told = state.openWindows.map(({ meter, windowStart, since, count, quantity, digest }) => ({
      ...{ m: meter, w: windowStart, since: since ?? ('0' as never), n: count, q: quantity, d: digest },
    }));
    const { differences } = await restored.usage.closeWindows(period, null, told, ahead);
    const { windows } = await restored.usage.liveUsage(period);
    results.push({
      isBeyond: BigInt(found?.position ?? '0') > BigInt(ahead ?? '0'),
      looks: next.lookInLedger,
      counted: windows.map(({ quantity }) => quantity),
      missed: differences.map(({ accumulated, ledger }) => accumulated.n - ledger.n),
    });
    await restored.close();
    await drop();
  }
  expect(results).toMatchObject([
    // The new event came at a position that was told: it is passed over until the period closes.
    { isBeyond: false, looks: false, counted: ['2'] },
    // 50 events are lost: the signals told of 51, the ledger has one of them.
    { isBeyond: true, looks: true, counted: ['2'], missed: [50] },
  ]);
});
