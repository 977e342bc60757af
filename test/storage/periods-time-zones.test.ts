/** Periods that other time-zone rules have cut stay as they are, and the ones beside them fit: no gap, no overlap (RULES 22). */
import { addMs, msPerHour } from '../../src/domain/time/instant.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { createBillingPeriodStore } from '../../src/storage/periods.js';
import { createReferenceStore } from '../../src/storage/reference.js';
import type { BillingPeriodStore } from '../../src/storage/types.js';
import { acme, createFixture, type Fixture, instant } from './usage-fixture.js';

let fixture: Fixture;
let periods: BillingPeriodStore;
beforeAll(async () => {
  fixture = await createFixture();
  periods = createBillingPeriodStore(fixture.db);
});
afterAll(() => fixture.close());

const timeZone = 'Asia/Kolkata';
const bound = {
  january: instant('2023-12-31T18:30:00Z'),
  february: instant('2024-01-31T18:30:00Z'),
  march: instant('2024-02-29T18:30:00Z'),
  april: instant('2024-03-31T18:30:00Z'),
};

let customers = 0;

/** A customer with a stored February that other rules have cut so many hours later, at its start and its end. */
async function withFebruary(startHours: number, endHours: number): Promise<string> {
  const customerId = `moved-${(customers += 1)}`;
  const reference = createReferenceStore(fixture.db);
  const { customer } = await reference.putCustomer(customerId, { ...acme, timeZone }, null);
  await fixture.db.pool.query(
    `INSERT INTO billing_periods (customer_id, period, period_start, period_end, customer_version_id, time_zone, tzdata_version, cuts)
     VALUES ($1, '2024-02-01', $2, $3, $4, $5, '1999a', '{}')`,
    [
      customerId,
      addMs(bound.february, startHours * msPerHour),
      addMs(bound.march, endHours * msPerHour),
      customer.customerVersionId,
      timeZone,
    ],
  );
  return customerId;
}

const shifts = [
  [0, 0],
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, -1],
  [-1, 1],
] as const;

/** Around every bound, wherever it lies. */
const instants = [bound.february, bound.march].flatMap((at) =>
  [-30, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 30].map((hours) => addMs(at, hours * msPerHour)),
);

async function expectTiled(customerId: string, shift: readonly [number, number]): Promise<void> {
  const { rows } = await fixture.db.pool.query<{ name: LocalDate; from: Instant; to: Instant }>(
    `SELECT period AS name, period_start AS "from", period_end AS "to" FROM billing_periods WHERE customer_id = $1 ORDER BY period_start`,
    [customerId],
  );
  const [start, end] = [addMs(bound.february, shift[0] * msPerHour), addMs(bound.march, shift[1] * msPerHour)];
  expect(rows).toEqual([
    { name: '2024-01-01', from: bound.january, to: start },
    { name: '2024-02-01', from: start, to: end },
    { name: '2024-03-01', from: end, to: bound.april },
  ]);
}

describe.each(shifts)('February begins %i h and ends %i h later', (...shift) => {
  test.each(instants)('whoever asks first, here for %s', async (first) => {
    const customerId = await withFebruary(...shift);
    for (const at of [first, ...instants]) {
      const period = await periods.periodAt(customerId, at);
      expect(period.from <= at && at < period.to).toBe(true);
    }
    await expectTiled(customerId, shift);
  });

  test.each(['2024-01-01', '2024-03-01'])('by the name of %s', async (name) => {
    const customerId = await withFebruary(...shift);
    for (const asked of [name, '2024-01-01', '2024-02-01', '2024-03-01'])
      expect((await periods.periodNamed(customerId, asked as LocalDate))?.period).toBe(asked);
    await expectTiled(customerId, shift);
  });

  test('by several at once', async () => {
    const customerId = await withFebruary(...shift);
    const asking = instants.map(async (at) => periods.periodAt(customerId, at));
    for (const [index, period] of (await Promise.all(asking)).entries())
      expect(period.from <= (instants[index] ?? '') && (instants[index] ?? '') < period.to).toBe(true);
    await expectTiled(customerId, shift);
  });
});
