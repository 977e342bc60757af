/** The chain of a period at the gate: documents, voids, ratings, and what re-ratings write there. */
import { randomUUID } from 'node:crypto';
import type { DecimalString } from '../../src/domain/values.js';
import { readChain } from '../../src/storage/chain.js';
import { createReRatingStore } from '../../src/storage/re-ratings.js';
import type {
  BillingPeriod,
  BillingStore,
  Comparison,
  GateTransaction,
  PeriodChain,
  ReRatingStore,
} from '../../src/storage/types.js';
import {
  chargeOf,
  correct,
  createGateFixture,
  eventsOf,
  type GateFixture,
  issue,
  segmentsOf,
  voidChain,
} from './gate-fixture.js';

let fixture: GateFixture;
let billing: BillingStore;
let reRatings: ReRatingStore;
beforeAll(async () => {
  fixture = await createGateFixture();
  ({ billing } = fixture);
  reRatings = createReRatingStore(fixture.db);
});
afterAll(() => fixture.close());

let customerId: string;
let period: BillingPeriod;
beforeEach(async () => {
  customerId = await fixture.addCustomer();
  period = await fixture.addPeriod(customerId);
});

/** As the gate sees it, which is what everybody else reads. */
async function chainOf(of = period): Promise<PeriodChain> {
  const chain = await billing.atGate(of, (gate) => Promise.resolve(gate.chain));
  expect(await readChain(fixture.db.pool, of)).toEqual(chain);
  return chain;
}

describe('the chain', () => {
  test('grows by corrections, ends with a void, and goes on with the replacement', async () => {
    await fixture.append([eventsOf(customerId).event('a', '2024-01-10T10:00:00Z')]);
    expect(await chainOf()).toEqual({ documents: [], voided: null, nextPlace: 1, rating: null });

    const original = await billing.atGate(period, (gate) => issue(gate, period));
    const rated = {
      sequence: 1,
      cutoff: original?.cutoffPosition,
      pinnedVersions: original?.pinnedVersions,
      chargeIds: original?.lines.flatMap(({ chargeIds }) => chargeIds),
      invoiceId: original?.invoiceId,
      reRatingId: null,
    };
    expect(rated.chargeIds).toHaveLength(1);
    expect(await chainOf()).toEqual({ documents: [original], voided: null, nextPlace: 2, rating: rated });

    const correction = await billing.atGate(period, (gate) => correct(gate, period));
    const corrected = { sequence: 2, cutoff: correction.cutoffPosition, invoiceId: correction.invoiceId };
    expect(await chainOf()).toMatchObject({ documents: [original, correction], nextPlace: 3, rating: corrected });

    await billing.atGate(period, voidChain);
    const voided = { ...original, status: 'void' };
    expect(await chainOf()).toMatchObject({ documents: [], voided, nextPlace: 3, rating: corrected });
    expect((await billing.findInvoice(correction.invoiceId))?.status).toBe('void');

    const replacement = await billing.atGate(period, (gate) => issue(gate, period));
    expect(replacement).toMatchObject({ chainPlace: 3, replacesInvoiceId: original?.invoiceId });
    const rating = { sequence: 3, invoiceId: replacement?.invoiceId };
    expect(await chainOf()).toMatchObject({ documents: [replacement], voided: null, nextPlace: 4, rating });
  });

  test('a rating without a document moves the cutoff and nothing else', async () => {
    const original = await billing.atGate(period, (gate) => issue(gate, period));
    const reRatingId = await startReRating(period);
    const settled = await billing.atGate(period, async (gate) => {
      const pinnedVersions = { customer_version_id: 'other', meter_ids: [], price_segments: [] };
      const rating = { cutoff: gate.cutoff, pinnedVersions, chargeIds: [], invoiceId: null, reRatingId };
      await gate.insertRating(rating);
      return rating;
    });
    expect(await chainOf()).toEqual({
      documents: [original],
      voided: null,
      nextPlace: 2,
      rating: { sequence: 2, ...settled },
    });
  });

  test('the chain of another period is another chain', async () => {
    await billing.atGate(period, (gate) => issue(gate, period));
    const february = { period: '2024-02-01', from: period.to, to: '2024-03-01T00:00:00.000000Z' };
    expect((await chainOf(await fixture.addPeriod(customerId, february))).documents).toEqual([]);
  });
});

describe('voiding', () => {
  test('is a transition of its own, with actor and reason; the document stays as it was', async () => {
    const original = await billing.atGate(period, (gate) => issue(gate, period));
    await billing.atGate(period, voidChain);
    expect(await billing.findInvoice(original?.invoiceId ?? '')).toEqual({ ...original, status: 'void' });
    const { rows } = await fixture.db.pool.query(
      'SELECT sequence, status, actor, reason FROM invoice_transitions WHERE invoice_id = $1 ORDER BY sequence',
      [original?.invoiceId],
    );
    expect(rows).toEqual([
      { sequence: 1, status: 'issued', actor: 'test', reason: null },
      { sequence: 2, status: 'void', actor: 'finance', reason: 'wrong customer' },
    ]);
  });

  test('twice, or of a document of another period, is a defect', async () => {
    const original = await billing.atGate(period, (gate) => issue(gate, period));
    const again = async (gate: GateTransaction): Promise<void> =>
      gate.voidInvoice(original?.invoiceId ?? '', 'finance', 'again');
    const other = await fixture.addPeriod(await fixture.addCustomer());
    await expect(billing.atGate(other, again)).rejects.toThrow(/another period, or was voided/);
    await billing.atGate(period, again);
    await expect(billing.atGate(period, again)).rejects.toThrow(/another period, or was voided/);
  });
});

describe('charges of the chain', () => {
  test('are read by input order as they were rated, and stored again under the same ids', async () => {
    const { event, transfer } = eventsOf(customerId);
    await fixture.append([event('a', '2024-01-10T10:00:00Z'), transfer('t', '2024-01-20T10:00:00Z', '2.50')]);
    const segments = segmentsOf(period);
    const [charges, ids] = await billing.atGate(period, async (gate) => {
      const rated = (await gate.segmentUsage(segments)).map((used) => chargeOf(used, segments));
      return [rated, await gate.storeCharges(rated)] as const;
    });
    const reversed = [...ids].reverse();
    await billing.atGate(period, async (gate) => {
      const read = await gate.chargesOf(reversed);
      expect(read).toEqual([...charges].reverse());
      expect(await gate.storeCharges(read)).toEqual(reversed);
      expect(await gate.chargesOf([])).toEqual([]);
    });
    const { rows } = await fixture.db.pool.query('SELECT revision FROM rated_charges WHERE customer_id = $1', [
      customerId,
    ]);
    expect(rows).toEqual([{ revision: 1 }, { revision: 1 }]);
    const other = await fixture.addPeriod(await fixture.addCustomer());
    await expect(billing.atGate(other, (gate) => gate.chargesOf(ids))).rejects.toThrow(/is one of/);
  });

  test('say the cutoff of the usage they were rated on, where that is not the gate’s', async () => {
    const { event } = eventsOf(customerId);
    await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
    const segments = segmentsOf(period);
    const meterIds = fixture.meters.map(({ meterId }) => meterId);
    const cutoff = await billing.atGate(period, async (gate) => {
      await gate.bringWindowsToCutoff();
      return gate.cutoff;
    });
    await fixture.append([event('later', '2024-01-10T10:00:00Z')]);
    const [id = ''] = await billing.atGate(period, async (gate) => {
      await gate.bringWindowsToCutoff();
      const usage = await gate.segmentUsage(segments, { meterIds, cutoff });
      return gate.storeCharges(
        usage.map((used) => chargeOf(used, segments)),
        cutoff,
      );
    });
    expect(await billing.findCharge(id)).toMatchObject({ cutoff, quantity: '1' });
    expect((await billing.chargeEvents(id, { limit: 10 })).data.map(({ eventId }) => eventId)).toEqual(['a']);
  });
});

async function startReRating(...targets: readonly BillingPeriod[]): Promise<string> {
  const reRatingId = randomUUID();
  await reRatings.create(
    {
      reRatingId,
      workflowId: `re-rating/${reRatingId}`,
      reason: 'manual',
      scope: { customerIds: null, meters: null, from: null, to: null },
      priceBookId: null,
      dryRun: false,
      requestedBy: 'alice',
    },
    targets,
  );
  return reRatingId;
}

describe('what a re-rating writes', () => {
  const comparisonOf = (reRatingId: string, difference: string): Comparison => ({
    reRatingId,
    attempt: 1,
    customerId,
    period: period.period,
    result: 'difference',
    ratingSequence: 1,
    cutoff: '7' as Comparison['cutoff'],
    pinnedVersions: { customer_version_id: 'v', meter_ids: ['m'], price_segments: [] },
    currency: 'USD',
    difference: difference as DecimalString,
    needsApproval: true,
    differences: [
      {
        lineKey: '["calls",{}]',
        meter: 'calls',
        group: { region: null },
        originalAmount: '1.00' as DecimalString,
        correctedAmount: '1.25' as DecimalString,
        difference: '0.25' as DecimalString,
      },
    ],
    detail: null,
  });

  test('a comparison is read back as it was; the first one of an attempt stands', async () => {
    const reRatingId = await startReRating(period);
    for (const difference of ['0.25', '9'])
      await billing.atGate(period, (gate) => gate.recordComparison(comparisonOf(reRatingId, difference)));
    const { data } = await reRatings.comparisons(reRatingId, { limit: 10 });
    expect(data).toEqual([comparisonOf(reRatingId, '0.25')]);
  });

  test('an outcome comes with its document; settling the period once more fails as a whole', async () => {
    await billing.atGate(period, (gate) => issue(gate, period));
    const reRatingId = await startReRating(period);
    const settle = (): Promise<string> =>
      billing.atGate(period, async (gate) => {
        const { invoiceId } = await correct(gate, period);
        const outcome = { reRatingId, customerId, period: period.period, outcome: 'corrected' as const, invoiceId };
        await gate.recordReRatingOutcome(outcome);
        return invoiceId;
      });
    const invoiceId = await settle();
    const before = await chainOf();
    await expect(settle()).rejects.toThrow(/re_rating_outcomes_pkey/);
    expect(await chainOf()).toEqual(before);
    expect(await reRatings.outcomes(reRatingId)).toEqual([
      { reRatingId, customerId, period: period.period, outcome: 'corrected', invoiceId },
    ]);
  });

  test('only targets are compared and settled', async () => {
    const reRatingId = await startReRating(await fixture.addPeriod(await fixture.addCustomer()));
    const compare = billing.atGate(period, (gate) => gate.recordComparison(comparisonOf(reRatingId, '1')));
    await expect(compare).rejects.toThrow(/foreign key/);
  });
});

test('a finding keeps its class', async () => {
  const finding = {
    code: 'TEST',
    customerId,
    period: period.period,
    subject: { customer_id: customerId },
    detail: 'x',
  };
  await billing.atGate(period, (gate) => gate.storeFinding({ ...finding, class: 'missing' }));
  const { rows } = await fixture.db.pool.query('SELECT class FROM findings WHERE customer_id = $1', [customerId]);
  expect(rows).toEqual([{ class: 'missing' }]);
});
