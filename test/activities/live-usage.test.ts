/** What live usage says of itself: as of when, how far the watermark is, where each window is. On real Postgres. */
import { usageOf, type PeriodUsage } from '../../src/api/services/usage.js';
import { addMs, instantToMs, msPerHour } from '../../src/domain/time/instant.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { freshState, mergeLedgerWindows } from '../../src/workflows/billing-period/accumulation.js';
import { wakeUpAt } from '../../src/workflows/billing-period/deadlines.js';
import { createActivityFixture, january, seatsMeter, settings as workers } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

let fixture: ActivityFixture;
beforeEach(async () => {
  fixture = await createActivityFixture();
  await fixture.addCustomer('acme');
});
afterEach(() => fixture.close());

async function periodNamed(name: LocalDate = january): Promise<BillingPeriod> {
  const period = await fixture.storage.periods.periodNamed('acme', name);
  if (period === null) throw new Error(`no period ${name}`);
  return period;
}

const clock = async (): Promise<Instant> => (await fixture.storage.ledger.horizon()).at;
const append = (eventId: string, eventTime: string, metadataJson = '{}', eventType = 'api_call') =>
  fixture.storage.ledger.append([usageEvent({ customerId: 'acme', eventId, eventTime, metadataJson, eventType })], []);

/** By meter and start of window. */
const statesOf = ({ meters }: PeriodUsage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    meters.flatMap(({ total, windows }) =>
      windows.map(({ windowStart, state }) => [`${total.meter} ${windowStart.slice(5, 13)}`, state]),
    ),
  );

test('an event that is answered after the ledger was read, and before the answer is made, is later than as_of', async () => {
  const { storage } = fixture;
  await fixture.addCalls('acme', 3);
  const period = await periodNamed();
  let answeredAfter: Instant | null = null;
  const racing = {
    ...storage,
    usage: {
      ...storage.usage,
      liveUsage: async (...asked: Parameters<typeof storage.usage.liveUsage>) => {
        answeredAfter = await clock();
        await append('between', '2024-01-12T10:00:00Z');
        return storage.usage.liveUsage(...asked);
      },
    },
  };
  const usage = await usageOf(racing, period);
  expect(usage.meters).toMatchObject([{ total: { quantity: '3' } }]);
  expect(usage.asOf < String(answeredAfter)).toBe(true);
  expect((await usageOf(storage, period)).meters).toMatchObject([{ total: { quantity: '4' } }]);
});

test('an event a little ahead of the clock is in a window, as it is in the total; its window is open', async () => {
  const { storage } = fixture;
  const ahead = addMs(await clock(), 1.5 * msPerHour);
  await append('ahead', ahead);
  const period = await storage.periods.periodAt('acme', ahead);
  const { meters, watermark, asOf } = await usageOf(storage, period);
  expect(meters).toMatchObject([{ total: { quantity: '1' }, windows: [{ quantity: '1', state: 'open' }] }]);
  // Never beyond now, whatever an event says.
  expect(watermark).toBe(asOf.replace(/\d{3}Z$/, '000Z'));
});

test('a window is closing until a final revision says what is in it, and again when more has come', async () => {
  const { storage, run, activities } = fixture;
  await fixture.addCalls('acme', 90);
  const period = await periodNamed();
  const first = await usageOf(storage, period);
  expect(statesOf(first)).toEqual({ 'api_calls 01-10T00': 'closing', 'api_calls 01-10T01': 'closing' });
  const behind = instantToMs(first.asOf) - instantToMs(first.watermark);
  expect(behind).toBe(300_000);

  const nowMs = instantToMs(first.asOf);
  const all = { customerId: 'acme', period: january, nowMs, scope: 'all' as const, windows: [], rate: true };
  await run(activities.closeWindows, { ...all, accumulatedThrough: null });
  const closed = { 'api_calls 01-10T00': 'closed', 'api_calls 01-10T01': 'closed' };
  expect(statesOf(await usageOf(storage, period))).toEqual(closed);

  await append('late', '2024-01-10T01:59:59Z');
  const again = { ...closed, 'api_calls 01-10T01': 'closing' };
  expect(statesOf(await usageOf(storage, period))).toEqual(again);
  const late = { customerId: 'acme', source: '', eventId: 'late' };
  await storage.adjustments.adjust({ ...late, type: 'void', replacement: null, reason: null });
  expect(statesOf(await usageOf(storage, period))).toEqual(closed);
});

test('a longer window is closed when all in it is; one that a level is only carried through, when its lateness is over', async () => {
  const { storage, run, activities } = fixture;
  const base = {
    groupBy: [],
    filters: {},
    allowedLateness: 'PT1H',
    allowNegative: false,
    maxGroups: 1000,
    effectiveFrom: null,
  };
  await storage.reference.createMeter({
    ...{ ...base, code: 'daily', eventType: 'ping', aggregation: 'count', valueProperty: null, windowSize: 'day' },
  });
  await storage.reference.createMeter({
    ...{
      ...base,
      code: 'seats',
      eventType: 'seat',
      aggregation: 'weighted_sum',
      valueProperty: 'n',
      windowSize: 'day',
    },
  });
  await append('a', '2024-01-10T01:00:00Z', '{}', 'ping');
  await append('b', '2024-01-30T01:00:00Z', '{}', 'ping');
  await append('s', '2024-01-29T12:00:00Z', '{"n":3}', 'seat');
  const period = await periodNamed();
  const nowMs = instantToMs(await clock());
  const window = { m: 'daily', w: '2024-01-10T01:00:00.000000Z', e: '2024-01-10T02:00:00.000000Z', since: null };
  const input = {
    customerId: 'acme',
    period: january,
    nowMs,
    scope: 'listed' as const,
    rate: false,
    accumulatedThrough: null,
  };
  await run(activities.closeWindows, { ...input, windows: [window] } as never);
  expect(statesOf(await usageOf(storage, period))).toEqual({
    ...{ 'daily 01-10T00': 'closed', 'daily 01-30T00': 'closing' },
    ...{ 'seats 01-29T00': 'closing', 'seats 01-30T00': 'closed', 'seats 01-31T00': 'closed' },
  });
  await append('c', '2024-01-10T23:00:00Z', '{}', 'ping');
  expect(statesOf(await usageOf(storage, period))).toMatchObject({ 'daily 01-10T00': 'closing' });
});

test('the next window to close is that which the workflow waits for', async () => {
  const { storage, run, activities } = fixture;
  const counting = { code: 'prompt', eventType: 'ping', aggregation: 'count', valueProperty: null } as const;
  await storage.reference.createMeter({ ...seatsMeter, ...counting, allowedLateness: 'PT15M' });
  const ahead = addMs(await clock(), msPerHour);
  const hourEnd = Math.floor(instantToMs(ahead) / msPerHour) + 1;
  await append('slow', ahead);
  const period = await storage.periods.periodAt('acme', ahead);
  const due = async (): Promise<number> => {
    const { nextCloseAt, asOf } = await usageOf(storage, period, { watermark: workers });
    const nowMs = instantToMs(asOf);
    const reading = await run(activities.readPeriod, { customerId: 'acme', period: period.period, nowMs });
    const { settings, to } = reading;
    const state = mergeLedgerWindows(freshState, reading, { settings, nowMs });
    expect(nextCloseAt === null ? null : instantToMs(nextCloseAt)).toBe(wakeUpAt(state, { settings, to }));
    return wakeUpAt(state, { settings, to });
  };
  const [idleMs, quarterMs] = [workers.idleTimeoutMs, msPerHour / 4];
  expect(await due()).toBe(hourEnd * msPerHour + msPerHour + idleMs);
  await append('prompt', ahead, '{}', 'ping');
  expect(await due()).toBe(hourEnd * msPerHour + quarterMs + idleMs);
});

test('no window closes next where all are closed, or were past when their usage came', async () => {
  const { storage, run, activities } = fixture;
  await fixture.addCalls('acme', 3);
  const period = await periodNamed();
  expect(await usageOf(storage, period)).toMatchObject({
    meters: [{ windows: [{ state: 'closing' }] }],
    nextCloseAt: null,
  });
  const nowMs = instantToMs(await clock());
  const all = { customerId: 'acme', period: january, nowMs, scope: 'all' as const, windows: [], rate: true };
  await run(activities.closeWindows, { ...all, accumulatedThrough: null });
  expect(await usageOf(storage, period)).toMatchObject({
    meters: [{ windows: [{ state: 'closed' }] }],
    nextCloseAt: null,
  });
});
