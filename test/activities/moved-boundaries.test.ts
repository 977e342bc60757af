import { movedBounds, noteMovedBoundaries } from '../../src/activities/moved-boundaries.js';
import { cutsOf, tzdataVersion } from '../../src/calendar/time-zones.js';
import { createStorage } from '../../src/storage/index.js';
import type { Storage } from '../../src/storage/types.js';
import { createFixture, type Fixture, instant } from '../storage/usage-fixture.js';

let fixture: Fixture;
let storage: Storage;
beforeAll(async () => {
  fixture = await createFixture();
  storage = createStorage(fixture.url);
});
afterAll(async () => {
  await storage.close();
  await fixture.close();
});

const kolkata = {
  from: instant('2024-01-31T18:30:00Z'),
  to: instant('2024-02-29T18:30:00Z'),
  timeZone: 'Asia/Kolkata',
  timeZoneOfStart: 'Asia/Kolkata',
  tzdataVersion: '1999a',
  customers: 1,
  customerId: 'c',
};
const cuts = cutsOf(kolkata, 'Asia/Kolkata');

test.each([
  ['nothing', { ...kolkata, cuts }, []],
  [
    'the end',
    { ...kolkata, to: instant('2024-02-29T19:00:00Z'), cuts: [...cuts, instant('2024-02-29T18:30:00Z')] },
    ['end'],
  ],
  ['the start', { ...kolkata, from: instant('2024-01-31T19:00:00Z'), cuts }, ['start']],
  ['a cut', { ...kolkata, cuts: cuts.slice(1) }, ['cuts']],
  [
    'nothing, where the zone before decided the start',
    { ...kolkata, from: instant('2024-02-01T00:00:00Z'), timeZoneOfStart: 'UTC', cuts },
    [],
  ],
])('%s has moved', (_name, bounds, moved) => {
  expect(movedBounds(bounds)).toEqual(moved);
});

test('a finding for all customers with the same bounds, once; the periods stay', async () => {
  const moved = { period: '2024-03-01', from: '2024-03-01T01:00:00Z', to: '2024-04-01T00:00:00Z' };
  const [a, b] = [await fixture.addCustomer('a'), await fixture.addCustomer('b')];
  for (const customer of [a, b]) {
    await fixture.addPeriod(customer);
    await fixture.addPeriod(customer, moved);
  }
  await noteMovedBoundaries({ storage });
  await noteMovedBoundaries({ storage });
  const { data } = await storage.findings.list({ code: 'TIME_ZONE_RULES_CHANGED' }, { limit: 10 });
  expect(
    data.map(({ subject, detail }) => [
      subject,
      /start would lie elsewhere.*2 customer\(s\), for example "a"/s.test(detail),
    ]),
  ).toEqual([
    [
      {
        time_zone: 'UTC',
        from: instant(moved.from),
        to: instant(moved.to),
        tzdata_version: 'test',
        running_tzdata_version: tzdataVersion(),
      },
      true,
    ],
  ]);
  expect((await storage.periods.periodNamed(a, moved.period as never))?.from).toBe(instant(moved.from));
});

test('bounds by the running rules are not looked at', async () => {
  expect(await storage.periods.boundsByOtherTimeZoneData('test')).toEqual([]);
});
