/**
 * The rules of a time zone change after a period was invoiced, and the local date on which a version of a meter begins is another
 * instant: what is counted of the invoiced period stays where it was (RULES 31); and where midnights move off the hour, live usage of
 * days goes on.
 */
import { randomUUID } from 'node:crypto';
import { usageOf } from '../../src/api/services/usage.js';
import type * as TimeZones from '../../src/calendar/time-zones.js';
import { documentsOfPeriod } from '../../src/billing/documents-of-period.js';
import { reconcilePeriod } from '../../src/billing/reconcile-period.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { addMs } from '../../src/domain/time/instant.js';
import type { LocalDate } from '../../src/domain/values.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { createActivityFixture, january } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { usageEvent } from '../storage/usage-fixture.js';

/** How much later (ms) local days begin than the running rules say. */
let moved = 0;
jest.mock('../../src/calendar/time-zones.js', () => {
  const actual = jest.requireActual<typeof TimeZones>('../../src/calendar/time-zones.js');
  return {
    ...actual,
    startOfLocalDay: (...day: Parameters<typeof actual.startOfLocalDay>) =>
      addMs(actual.startOfLocalDay(...day), moved),
    windowBoundsOf: ((period, timeZone, size) =>
      moved === 0 || size === 'hour'
        ? actual.windowBoundsOf(period, timeZone, size)
        : actual.windowBoundsOf(period, movedZone, size)) satisfies typeof actual.windowBoundsOf,
  };
});
/** Half an hour off the customer's hours. */
const movedZone = 'Asia/Kolkata';

let fixture: ActivityFixture;
beforeEach(async () => {
  moved = 0;
  fixture = await createActivityFixture();
  await fixture.addCustomer('acme');
});
afterEach(() => fixture.close());

const send = (...times: readonly string[]): Promise<unknown> =>
  fixture.storage.ledger.append(
    times.map((eventTime) => usageEvent({ customerId: 'acme', eventId: randomUUID(), eventTime })),
    [],
  );
const billingDay = '2024-02-01' as LocalDate;

async function periodOf(): Promise<BillingPeriod> {
  const period = await fixture.storage.periods.periodNamed('acme', january);
  if (period === null) throw new Error('no January');
  return period;
}

test.each([
  ['an hour earlier', -3_600_000],
  ['an hour and a half later', 5_400_000],
])(
  'a version of a meter that begins on a local date begins %s now: an invoiced period is corrected as it was counted',
  async (_name, ms) => {
    const { activities, run, storage } = fixture;
    const [calls] = await storage.reference.meters();
    if (calls === undefined) throw new Error('the fixture has a meter');
    const { meterId: _id, version: _version, ...content } = calls;
    await storage.reference.createMeter({
      ...content,
      filters: { tier: ['a'] },
      effectiveFrom: '2024-01-16' as LocalDate,
    });
    // The first version takes all before the 16th, the second none of these.
    await send('2024-01-15T23:30:00Z', '2024-01-16T00:10:00Z');
    const period = await periodOf();
    await fixture.request('acme', randomUUID());
    expect(await run(activities.issueChunk, { billingDay, limit: 10 })).toMatchObject({ issued: 1 });

    moved = ms;
    await send('2024-01-15T23:10:00Z', '2024-01-16T00:20:00Z');
    const { reRatingId } = await run(activities.startCorrection, { customerId: 'acme', period: january });
    const step = { reRatingId: reRatingId ?? '', attempt: 1, limit: 10 };
    await run(activities.compareReRating, step);
    await run(activities.correctReRating, step);
    await run(activities.endReRating, { ...step, rejected: false });
    const documents = await documentsOfPeriod(storage, period);
    expect(documents.map(({ type, total }) => [type, total])).toEqual([
      ['invoice', '0.1'],
      ['correction', '0.1'],
    ]);
    for (const document of documents) expect(await verifyInvoice(storage, document)).toMatchObject({ verified: true });
    expect((await reconcilePeriod(storage, period)).report.differences).toEqual([]);
    expect(await usageOf(storage, period)).toMatchObject({ meters: [{ total: { quantity: '2' } }], finality: 'final' });
  },
);

test('a zone moved by half an hour: days are made of the windows that there are', async () => {
  const { storage } = fixture;
  const [calls] = await storage.reference.meters();
  if (calls === undefined) throw new Error('the fixture has a meter');
  const { meterId: _id, version: _version, ...content } = calls;
  await storage.reference.createMeter({ ...content, code: 'daily', windowSize: 'day' });
  await storage.reference.createMeter({
    ...content,
    code: 'peak',
    aggregation: 'max',
    valueProperty: 'n',
    windowSize: 'day',
  });
  await send('2024-01-15T18:10:00Z', '2024-01-15T18:40:00Z', '2024-01-16T18:10:00Z');
  const period = await periodOf();
  moved = 1;
  const { meters } = await usageOf(storage, period);
  const daily = meters.find(({ total }) => total.meter === 'daily');
  // The hour of the new midnight, 18:30, is the new day's.
  expect(
    daily?.windows.map(({ windowStart, windowEnd, quantity }) => [
      windowStart.slice(8, 16),
      windowEnd.slice(8, 16),
      quantity,
    ]),
  ).toEqual([
    ['15T18:00', '16T18:00', '2'],
    ['16T18:00', '17T18:00', '1'],
  ]);
});
