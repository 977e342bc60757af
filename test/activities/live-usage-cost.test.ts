/** What live usage costs with many groups and with prices of the customer's own: counted, not timed. On real Postgres. */
import { usageOf } from '../../src/api/services/usage.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { WindowUsage } from '../../src/domain/metering/meter.js';
import { addMs, msPerHour } from '../../src/domain/time/instant.js';
import type { DecimalString, Digest, GroupKey } from '../../src/domain/values.js';
import type { BillingPeriod } from '../../src/storage/types.js';
import { createActivityFixture, january } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const codes = ['a', 'b', 'c'];

let fixture: ActivityFixture;
beforeEach(async () => {
  fixture = await createActivityFixture();
  for (const code of codes) {
    await fixture.storage.reference.createMeter({
      ...{ code, eventType: 'api_call', aggregation: 'count', valueProperty: null, groupBy: ['region'], filters: {} },
      ...{ windowSize: 'hour', allowedLateness: 'PT1H', allowNegative: false, maxGroups: 1000, effectiveFrom: null },
    });
  }
  await fixture.addCustomer('acme');
  await fixture.addCalls('acme', 1);
});
afterEach(() => fixture.close());

interface Size {
  readonly groups: number;
  readonly hours: number;
}

/** Every meter has usage of every group in every hour. */
function windowsOf(
  period: BillingPeriod,
  { groups, hours }: Size,
  groupOf: (index: number) => GroupKey,
): WindowUsage[] {
  return codes.flatMap((meter) =>
    Array.from({ length: groups * hours }, (_, index) => {
      const windowStart = addMs(period.from, Math.floor(index / groups) * msPerHour);
      const figures = { quantity: '1' as DecimalString, eventCount: 1, digest: '00000000000000ff' as Digest };
      return {
        meter,
        windowStart,
        windowEnd: addMs(windowStart, msPerHour),
        group: groupOf(index % groups),
        ...figures,
      };
    }),
  );
}

/** How often a text was made of a group while the usage was read. */
async function groupTextsOf(size: Size): Promise<number> {
  const { storage } = fixture;
  const period = await storage.periods.periodNamed('acme', january);
  if (period === null) throw new Error('no period');
  let texts = 0;
  const ownKeys = (target: GroupKey): ArrayLike<string | symbol> => {
    texts += 1;
    return Reflect.ownKeys(target);
  };
  const windows = windowsOf(period, size, (index) => new Proxy<GroupKey>({ region: `r${index}` }, { ownKeys }));
  const usage: typeof storage.usage = {
    ...storage.usage,
    liveUsage: async (...asked) => ({ ...(await storage.usage.liveUsage(...asked)), windows }),
  };
  const { meters } = await usageOf({ ...storage, usage }, period);
  expect(meters.map((of) => of.windows.length)).toEqual(Array(codes.length * size.groups).fill(size.hours));
  return texts;
}

test('four times as many groups are about four times the work, not sixteen times', async () => {
  const few = await groupTextsOf({ groups: 20, hours: 5 });
  const many = await groupTextsOf({ groups: 80, hours: 5 });
  // Sorting costs a little more than its size.
  expect(many / few).toBeLessThan(6);
});

test('prices of the customer for some meters do not have the usage of all meters added up again', async () => {
  const size = { groups: 10, hours: 5 };
  const before = await groupTextsOf(size);
  const prices = codes.map((meter) => ({ meter, model: 'flat', unit_price: '1' }));
  const {
    code: _code,
    version: _version,
    ...own
  } = parsePriceBook({
    ...{ code: 'own', version: '1', currency: 'USD', effective_from: '2024-01-01T00:00:00Z', prices },
  });
  await fixture.storage.reference.putPriceOverride('acme', own, { reason: 'a test', decidedBy: 'ann' });
  expect(await groupTextsOf(size)).toBeLessThanOrEqual(before);
});
