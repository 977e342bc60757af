/** Which periods a re-rating's scope means. */
import type { PinnedSegment, PinnedVersions } from '../../src/domain/invoicing/invoice.js';
import { createReRatingStore } from '../../src/storage/re-ratings.js';
import type { BillingPeriod, ReRatingScope, ReRatingStore, ResolvedScope } from '../../src/storage/types.js';
import { correct, createGateFixture, eventsOf, type GateFixture, issue, v1, v2, voidChain } from './gate-fixture.js';
import { instant } from './usage-fixture.js';

let fixture: GateFixture;
let reRatings: ReRatingStore;
beforeAll(async () => {
  fixture = await createGateFixture();
  reRatings = createReRatingStore(fixture.db);
});
afterAll(() => fixture.close());

let acme: string;
let zoo: string;
let january: BillingPeriod;
let february: BillingPeriod;
let elsewhere: BillingPeriod;
/** January of acme billed calls and bytes, its February calls; January of zoo calls. */
beforeEach(async () => {
  acme = await fixture.addCustomer();
  zoo = await fixture.addCustomer();
  january = await fixture.addPeriod(acme);
  february = await fixture.addPeriod(acme, months[1]);
  elsewhere = await fixture.addPeriod(zoo);
  const [ofAcme, ofZoo] = [eventsOf(acme), eventsOf(zoo)];
  await fixture.append([
    ofAcme.event('a', '2024-01-10T10:00:00Z'),
    ofAcme.transfer('t', '2024-01-10T10:00:00Z', '1'),
    ofAcme.event('b', '2024-02-10T10:00:00Z'),
    ofZoo.event('z', '2024-01-10T10:00:00Z'),
  ]);
  for (const period of [february, elsewhere, january])
    await fixture.billing.atGate(period, (gate) => issue(gate, period));
});

const months = [
  { period: '2024-01-01', from: '2024-01-01T00:00:00.000000Z', to: '2024-02-01T00:00:00.000000Z' },
  { period: '2024-02-01', from: '2024-02-01T00:00:00.000000Z', to: '2024-03-01T00:00:00.000000Z' },
  { period: '2024-03-01', from: '2024-03-01T00:00:00.000000Z', to: '2024-04-01T00:00:00.000000Z' },
];

const resolve = (scope: Partial<ReRatingScope>, pinnedTo: string | null = null): Promise<ResolvedScope> =>
  reRatings.resolveScope({ customerIds: [acme, zoo], meters: null, from: null, to: null, ...scope }, pinnedTo);
const keyOf = ({ customerId, period }: BillingPeriod) => ({ customerId, period });
const byCustomer = (...periods: readonly BillingPeriod[]) =>
  periods.map(keyOf).sort((a, b) => (a.customerId + a.period < b.customerId + b.period ? -1 : 1));
const nothing: ResolvedScope = { targets: [], notInvoiced: [], voided: [] };

async function pin(period: BillingPeriod, pins: Partial<PinnedVersions>, sequence = 2): Promise<void> {
  const pinned = { customer_version_id: 'v', meter_ids: [], price_segments: [], ...pins };
  await fixture.db.pool.query(`INSERT INTO period_ratings VALUES ($1, $2, $3, 0, $4, '{}', NULL, NULL)`, [
    period.customerId,
    period.period,
    sequence,
    JSON.stringify(pinned),
  ]);
}

describe('invoiced periods', () => {
  test('of the customers, in order of customer and time; everybody without a list', async () => {
    expect(await resolve({})).toEqual({ ...nothing, targets: byCustomer(january, february, elsewhere) });
    expect(await resolve({ customerIds: [acme] })).toEqual({ ...nothing, targets: [keyOf(january), keyOf(february)] });
    const { targets } = await resolve({ customerIds: null });
    expect(targets).toEqual(expect.arrayContaining(byCustomer(january, february, elsewhere)));
    expect(await resolve({ customerIds: ['nobody'] })).toEqual(nothing);
  });

  test.each([
    ['2024-01-31T23:59:59.999999Z', null, ['2024-01-01', '2024-02-01']],
    ['2024-02-01T00:00:00Z', null, ['2024-02-01']],
    [null, '2024-02-01T00:00:00Z', ['2024-01-01']],
    [null, '2024-02-01T00:00:00.000001Z', ['2024-01-01', '2024-02-01']],
    ['2024-01-10T00:00:00Z', '2024-01-11T00:00:00Z', ['2024-01-01']],
    ['2024-03-01T00:00:00Z', null, []],
  ])('that overlap [%s, %s)', async (from, to, expected) => {
    const at = (text: string | null) => (text === null ? null : instant(text));
    const { targets } = await resolve({ customerIds: [acme], from: at(from), to: at(to) });
    expect(targets.map(({ period }) => period)).toEqual(expected);
  });

  test('that bill one of the meters, on any document that counts', async () => {
    expect((await resolve({ meters: ['bytes'] })).targets).toEqual([keyOf(january)]);
    expect((await resolve({ meters: ['bytes', 'calls'] })).targets).toEqual(byCustomer(january, february, elsewhere));
    expect(await resolve({ meters: ['unknown'] })).toEqual(nothing);
    await fixture.billing.atGate(february, (gate) => correct(gate, february, 'seats'));
    expect((await resolve({ meters: ['seats'] })).targets).toEqual([keyOf(february)]);
    await fixture.billing.atGate(february, voidChain);
    await fixture.billing.atGate(february, (gate) => issue(gate, february));
    expect(await resolve({ meters: ['seats'] })).toEqual(nothing); // the replacement has no such line
  });

  test('whose last rating is pinned to a version of the price book, for the period or for one meter', async () => {
    const segment = (priceBookId: string | null): PinnedSegment => ({
      from: january.from,
      to: january.to,
      price_book_id: priceBookId,
    });
    await pin(january, { price_segments: [segment(null), segment(v2.priceBookId)] });
    await pin(february, { meter_price_segments: { calls: [segment(v1.priceBookId)] } });
    await pin(elsewhere, { price_segments: [segment('00000000-0000-4000-8000-000000000000')] });
    expect((await resolve({}, 'standard')).targets).toEqual([keyOf(january), keyOf(february)]);
    expect(await resolve({}, 'unknown')).toEqual(nothing);
    await pin(january, { price_segments: [segment(null)] }, 3);
    expect((await resolve({}, 'standard')).targets).toEqual([keyOf(february)]);
  });
});

describe('what cannot be corrected is named', () => {
  test('voided chains, until they are replaced', async () => {
    await fixture.billing.atGate(january, voidChain);
    expect(await resolve({ customerIds: [acme] })).toEqual({
      ...nothing,
      targets: [keyOf(february)],
      voided: [keyOf(january)],
    });
    expect(await resolve({ customerIds: [acme], from: february.from })).toMatchObject({ voided: [] });
    expect((await resolve({ meters: ['bytes'] })).voided).toEqual([keyOf(january)]);
    await fixture.billing.atGate(january, (gate) => issue(gate, january));
    expect(await resolve({ customerIds: [acme] })).toEqual({ ...nothing, targets: [keyOf(january), keyOf(february)] });
  });

  test('begun periods without an invoice, from billing_from on, and before it where there is usage', async () => {
    const open = await fixture.addPeriod(acme, months[2]);
    const [used, unused] = [
      await fixture.addPeriod(acme, { period: '2023-11-01', from: '2023-11-01T00:00:00Z', to: '2023-12-01T00:00:00Z' }),
      await fixture.addPeriod(acme, { period: '2023-12-01', from: '2023-12-01T00:00:00Z', to: '2024-01-01T00:00:00Z' }),
    ];
    const future = { period: '2998-01-01', from: '2998-01-01T00:00:00Z', to: '2998-02-01T00:00:00Z' };
    await fixture.addPeriod(acme, future);
    await fixture.append([eventsOf(acme).event('old', '2023-11-10T10:00:00Z')]);
    const { notInvoiced } = await resolve({ customerIds: [acme] });
    expect(notInvoiced).toEqual([keyOf(used), keyOf(open)]);
    expect(notInvoiced).not.toContainEqual(keyOf(unused));
    const later = await resolve({ customerIds: [acme], from: open.from });
    expect(later).toEqual({ ...nothing, notInvoiced: [keyOf(open)] });
  });

  test.each([
    ['UTC', '2024-02-29T00:00:00Z', '2024-03-31T00:00:00Z', []],
    ['west of it', '2024-03-01T05:00:00Z', '2024-04-01T04:00:00Z', []],
    ['far east of it', '2024-02-29T10:00:00Z', '2024-03-31T11:00:00Z', []],
    ['a day more', '2024-03-01T00:00:00Z', '2024-04-02T00:00:00Z', ['2024-03-01']],
  ])('a period before billing_from is told by local days: %s', async (_zone, from, to, expected) => {
    const late = await fixture.addCustomer();
    await fixture.db.pool.query(
      `INSERT INTO customer_versions SELECT gen_random_uuid(), customer_id, 2, name, currency, time_zone, billing_anchor_day,
         calendar_from, '2024-04-01', price_book, invoice_delay, late_usage_quiet_time, skip_empty_invoices, approval_threshold,
         tags, buyer FROM customer_versions WHERE customer_id = $1`,
      [late],
    );
    await fixture.addPeriod(late, { period: '2024-03-01', from, to });
    const { notInvoiced } = await resolve({ customerIds: [late] });
    expect(notInvoiced.map(({ period }) => period)).toEqual(expected);
  });

  test('at most five of each', async () => {
    const many: string[] = [];
    for (let i = 0; i < 6; i += 1) {
      const customerId = await fixture.addCustomer();
      many.push(customerId);
      await fixture.addPeriod(customerId);
      const voided = await fixture.addPeriod(customerId, months[1]);
      await fixture.billing.atGate(voided, (gate) => issue(gate, voided));
      await fixture.billing.atGate(voided, voidChain);
    }
    const { targets, notInvoiced, voided } = await resolve({ customerIds: many });
    expect([targets.length, notInvoiced.length, voided.length]).toEqual([0, 5, 5]);
  });
});
