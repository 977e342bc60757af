/** What a skip does not settle: a forced close's before the period's end, one after a void, and what prices learned since make due (RULES 64). */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { resolveReRating } from '../../src/api/services/re-rating-scope.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import { addMs, msToInstant } from '../../src/domain/time/instant.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';
import type { CustomerFacts } from '../../src/storage/types.js';
import type { ActivityFixture } from './fixture.js';
import { issuedAt } from './fixture.js';
import { SkippedScene, today, uploads } from './skipped-scene.js';

const [january, february] = ['2024-01-01', '2024-02-01'] as [LocalDate, LocalDate];
const [beginOfJanuary, endOfJanuary] = [`${january}T00:00:00.000000Z`, `${february}T00:00:00.000000Z`] as Instant[];
const msPerDay = 86_400_000;

let scene: SkippedScene;
let fixture: ActivityFixture;
let storage: ActivityFixture['storage'];
async function begin(more?: Partial<CustomerFacts>): Promise<void> {
  scene = await SkippedScene.create(more);
  ({ fixture, storage } = scene);
}
afterEach(() => fixture.close());

describe('a forced close before the end', () => {
  test('of a period that runs: a new meter has it asked about at its end, not before', async () => {
    const now = (): Instant => msToInstant(Date.now());
    // It began some two weeks ago and ends in about as many, whenever this runs.
    const begun = addMs(now(), -14 * msPerDay);
    const [billingFrom, billingAnchorDay] = [begun.slice(0, 10) as LocalDate, Number(begun.slice(8, 10))];
    await begin({ billingFrom, billingAnchorDay });
    const { period } = await storage.periods.periodAt('acme', now());
    await scene.send('upload', addMs(now(), -msPerDay));
    await scene.ask(period, { forced: true, reason: 'they leave' });
    await scene.issuePending();
    expect(await scene.stages(period)).toEqual(['skipped']);
    await storage.reference.createMeter(uploads);
    expect(await scene.swept(now)).toContain(`billing-period/acme/${period}`);
    expect(await storage.periods.waitingInvoicing()).toEqual([]);
    expect(await scene.stages(period)).toEqual(['skipped']);
    expect(await scene.totals()).toEqual([]);
    // Its workflow meters on, and asks when the period is over.
    const reading = await fixture.run(fixture.activities.readPeriod, { customerId: 'acme', period, nowMs: Date.now() });
    expect(reading.stage).toBe('metering');
    expect(reading.to > now()).toBe(true);
    expect(await scene.closeMany(period)).toEqual([['not_ready', 'not_ended']]);
  });

  test('once the period is over it is to be billed, until it was asked about since', async () => {
    await begin();
    const { credits } = storage;
    await credits.grant(
      {
        ...{
          grantId: randomUUID(),
          customerId: 'acme',
          currency: 'USD',
          type: 'promotional',
          amount: '5' as DecimalString,
        },
        ...{
          priority: 0,
          effectiveFrom: beginOfJanuary as Instant,
          expiresAt: endOfJanuary as Instant,
          rollOver: null,
        },
        ...{ name: 'welcome', reason: null, rolledOverFrom: null, grantedBy: 'ann' },
      },
      january,
    );
    const endable = async (): Promise<number> => {
      const page = { after: '00000000-0000-0000-0000-000000000000', limit: 10 };
      return (await credits.endable(issuedAt, page)).length;
    };
    const requestId = await scene.ask(january, { forced: true, reason: 'they leave' });
    const database = new pg.Client({ connectionString: fixture.url });
    await database.connect();
    await database.query(
      `INSERT INTO invoicing_outcomes (request_id, outcome, cutoff_position, decided_at) VALUES ($1, 'skipped', 0, '2024-01-15')`,
      [requestId],
    );
    await database.end();
    expect(await scene.stages(january)).toEqual(['skipped']);
    expect(await endable()).toBe(0);
    expect(await scene.unbilled(january)).toEqual([[january, 'skipped']]);
    expect(await scene.swept(() => beginOfJanuary as Instant)).toEqual([`billing-period/acme/${january}`]);
    expect(await scene.closeMany(january)).toEqual([['requested', null]]);
    await scene.issuePending();
    expect(await scene.stages(january)).toEqual(['skipped']);
    expect(await endable()).toBe(1);
    expect(await scene.unbilled(january)).toEqual([]);
    expect(await scene.swept(() => beginOfJanuary as Instant)).toEqual([]);
    expect(await scene.closeMany(january)).toEqual([['not_ready', 'skipped']]);
  });
});

test('skipped after its invoice was voided: a new meter that looks back while a backfill is open is not lost', async () => {
  await begin();
  const { billing, relay, reference } = storage;
  await reference.createMeter(uploads);
  const eventId = await scene.send('upload', '2024-01-10T00:00:00Z');
  await scene.send('export', '2024-01-11T00:00:00Z');
  await scene.invoice(january);
  const { data } = await billing.listInvoices({ customerId: 'acme' }, { limit: 10 });
  if (data[0] === undefined) throw new Error('January is invoiced');
  await voidInvoice(storage, data[0], { actor: 'ann', reason: 'a test', now: issuedAt });
  await scene.voidEvent(eventId);
  await scene.invoice(january);
  await scene.swept();
  await scene.issuePending();
  expect(await scene.stages(january)).toEqual(['skipped']);

  const backfillId = await scene.openBackfill();
  await reference.createMeter({ ...uploads, code: 'seats', eventType: 'export' });
  await scene.swept();
  expect(await scene.stages(january)).toEqual(['skipped']);
  await relay.markDelivered(await relay.due('all', 0, 100));
  await scene.closeBackfill(backfillId);
  const told = await relay.due('all', 0, 100);
  expect(told.map(({ customerId, period }) => [customerId, period])).toEqual([['acme', january]]);
  await scene.invoice(january);
  expect(await scene.totals()).toEqual(['2024-01-01 1', '2024-01-01 1']);
});

describe('prices that are learned after the skip', () => {
  const fee = { model: 'fixed', name: 'Support', amount: '12.00', billed: 'in_arrears' };
  const zeroTier = {
    model: 'tiered',
    tiers: [{ up_to: null, unit_price: '1', flat_fee: '3.00' }],
    charge_when_zero: true,
  };
  const minimum = { model: 'flat', unit_price: '1.00', minimum: '5.00' };

  beforeEach(async () => {
    await begin();
    await scene.invoice(january, february);
    expect(await scene.stages(january, february)).toEqual(['skipped', 'skipped']);
  });

  /** Of January and February what the checklist of the month says. */
  const open = async (): Promise<unknown> => [await scene.unbilled(january), await scene.unbilled(february)];
  const onlyFebruary = [[], [[february, 'skipped']]];

  async function expectBilled(total: string): Promise<void> {
    expect(await open()).toEqual(onlyFebruary);
    expect(await scene.closeMany(january)).toEqual([['not_ready', 'skipped']]);
    expect(await scene.closeMany(february)).toEqual([['requested', null]]);
    await scene.issuePending();
    expect(await scene.totals()).toEqual([`${february} ${total}`]);
    expect(await open()).toEqual([[], []]);
  }

  test('wake nobody; a close of many finds what is due since', async () => {
    await scene.publish('v2', endOfJanuary ?? '', [fee]);
    expect(await scene.swept()).not.toContain(`billing-period/acme/${february}`);
    expect(await scene.stages(february)).toEqual(['skipped']);
    await expectBilled('12');
  });

  test.each([
    ['a minimum', [{ meter: 'more', ...minimum }], '5'],
    ['an empty tier', [{ meter: 'more', ...zeroTier }], '3'],
    ['a fee in advance', [{ ...fee, billed: 'in_advance' }], '12'],
  ])('%s is due without usage', async (_what, more, total) => {
    await storage.reference.createMeter({ ...uploads, code: 'more', eventType: 'other' });
    // In advance it stands on the invoice of the period before.
    await scene.publish('v2', total === '12' ? '2024-03-01T00:00:00Z' : '2024-02-01T00:00:00Z', more);
    await expectBilled(total);
  });

  test('an assignment of a price book that was there before', async () => {
    await scene.publish('v1', '2023-01-01T00:00:00Z', [fee], 'with a fee');
    expect(await open()).toEqual([[], []]);
    await storage.reference.assignPriceBook('acme', 'with a fee', endOfJanuary ?? null);
    await expectBilled('12');
  });

  test('the customer’s own prices', async () => {
    await storage.reference.createMeter(uploads);
    const {
      code: _code,
      version: _version,
      ...own
    } = parsePriceBook({
      ...{ code: 'own', version: 'v1', currency: 'USD', effective_from: '2024-02-01' },
      prices: [{ meter: 'uploads', ...minimum }],
    });
    await storage.reference.putPriceOverride('acme', own, { reason: 'a test', decidedBy: 'ann' });
    await expectBilled('5');
  });

  test('a candidate that begins to hold', async () => {
    const { priceBook } = await storage.reference.createPriceBook({
      ...parsePriceBook({
        ...{ code: 'all', version: 'v2', currency: 'USD', effective_from: '2024-02-01' },
        prices: [{ meter: 'uploads', model: 'flat', unit_price: '1.00' }, fee],
      }),
      isCandidate: true,
    });
    await scene.closeMany(february);
    await scene.issuePending();
    expect(await open()).toEqual([[], []]);
    const rollout = { rolloutId: randomUUID(), priceBookId: priceBook.priceBookId, code: 'all', startedBy: 'ann' };
    await storage.rollouts.start(rollout, {
      ...{ stageId: randomUUID(), kind: 'canary', effectiveFrom: endOfJanuary as Instant, customerIds: ['acme'] },
      ...{ percentage: null, evaluationId: null, override: false, reason: 'a test', decidedBy: 'ann' },
    });
    await expectBilled('12');
  });

  test('what is priced by usage, or not for the period, is no news', async () => {
    await scene.publish('v2', '2024-01-01T00:00:00Z', [{ meter: 'more', model: 'flat', unit_price: '1.00' }]);
    await scene.publish('v3', '2024-03-01T00:00:00Z', [fee]);
    await scene.publish('v1', '2023-01-01T00:00:00Z', [fee], 'of others');
    await storage.reference.assignPriceBook('acme', 'of others', '2024-03-01T00:00:00.000000Z' as Instant);
    expect(await open()).toEqual([[], []]);
    expect(await scene.closeMany(february)).toEqual([['not_ready', 'skipped']]);
  });

  test('what comes to nothing is skipped once more, and then left alone', async () => {
    await scene.publish('v2', '2024-02-01T00:00:00Z', [{ ...fee, amount: '0.00' }]);
    expect(await scene.closeMany(february)).toEqual([['requested', null]]);
    await scene.issuePending();
    expect(await scene.stages(february)).toEqual(['skipped']);
    expect(await scene.closeMany(february)).toEqual([['not_ready', 'skipped']]);
  });

  test('closing the period by itself asks again whatever was learned', async () => {
    await scene.publish('v2', '2024-02-01T00:00:00Z', [fee]);
    const close = { customerId: 'acme', period: february, requestId: randomUUID(), billingDay: today };
    const asked = { ...close, nowMs: Date.parse(issuedAt), forced: false, reason: null, onDemand: true };
    expect(await fixture.run(fixture.activities.requestInvoicing, asked)).toEqual({ alreadyInvoiced: false });
    await scene.issuePending();
    expect(await scene.totals()).toEqual(['2024-02-01 12']);
  });

  test('a re-rating corrects what is invoiced, and says what to do about the rest', async () => {
    await scene.publish('v2', '2024-02-01T00:00:00Z', [fee]);
    const body = { reason: 'price_correction', price_book: null, dry_run: false, scope: { customer_ids: ['acme'] } };
    await expect(resolveReRating(storage, body as never)).rejects.toThrow(
      'skipped as empty is billed by closing it again',
    );
  });
});
