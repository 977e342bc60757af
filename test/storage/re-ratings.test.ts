/** Re-ratings as they go: targets, comparisons, decisions, transitions. */
import { randomUUID } from 'node:crypto';
import type { ReRatingStatus } from '../../src/domain/correction/reasons.js';
import type { DecimalString, Position } from '../../src/domain/values.js';
import { createReRatingStore } from '../../src/storage/re-ratings.js';
import { automaticActor } from '../../src/storage/types.js';
import type {
  BillingPeriod,
  Comparison,
  NewReRating,
  ReRatingOutcome,
  ReRatingStore,
  ReRatingSummary,
} from '../../src/storage/types.js';
import { correct, createGateFixture, type GateFixture, issue } from './gate-fixture.js';
import { instant } from './usage-fixture.js';

let fixture: GateFixture;
let reRatings: ReRatingStore;
beforeAll(async () => {
  fixture = await createGateFixture();
  reRatings = createReRatingStore(fixture.db);
});
afterAll(() => fixture.close());

let targets: readonly BillingPeriod[];
let reRating: NewReRating;
beforeEach(async () => {
  const made: BillingPeriod[] = [];
  for (let i = 0; i < 4; i += 1) made.push(await fixture.addPeriod(await fixture.addCustomer()));
  targets = made;
  reRating = requested();
});

function requested(more: Partial<NewReRating> = {}): NewReRating {
  const reRatingId = randomUUID();
  return {
    reRatingId,
    workflowId: `re-rating/${reRatingId}`,
    reason: 'price_correction',
    scope: { customerIds: ['a'], meters: ['calls'], from: instant('2024-01-01T00:00:00Z'), to: null },
    priceBookId: null,
    dryRun: false,
    requestedBy: 'alice',
    ...more,
  };
}

const target = (index: number): BillingPeriod => {
  const found = targets[index];
  if (found === undefined) throw new Error(`no target ${index}`);
  return found;
};
const keysOf = (periods: readonly { readonly customerId: string; readonly period: string }[]) =>
  periods.map(({ customerId, period }) => ({ customerId, period }));

/** A comparison of one target; `difference` null: none. */
async function compare(
  index: number,
  attempt: number,
  {
    difference = '1',
    needsApproval = false,
    held = false,
  }: { difference?: string | null; needsApproval?: boolean; held?: boolean } = {},
): Promise<Comparison> {
  const { customerId, period } = target(index);
  const amount = (difference ?? '0') as DecimalString;
  const comparison: Comparison = {
    reRatingId: reRating.reRatingId,
    attempt,
    customerId,
    period,
    result: held ? 'held' : difference === null ? 'no_difference' : 'difference',
    ratingSequence: attempt,
    cutoff: String(attempt) as Position,
    pinnedVersions: { customer_version_id: 'v', meter_ids: [], price_segments: [] },
    currency: 'USD',
    difference: amount,
    needsApproval,
    differences:
      difference === null
        ? []
        : [
            {
              lineKey: 'k',
              meter: 'calls',
              group: {},
              originalAmount: '0' as DecimalString,
              correctedAmount: amount,
              difference: amount,
            },
          ],
    detail: held ? 'a meter has no price' : null,
  };
  await fixture.billing.atGate(target(index), (gate) => gate.recordComparison(comparison));
  return comparison;
}

async function settle(index: number, outcome: ReRatingOutcome['outcome']): Promise<ReRatingOutcome> {
  const of = target(index);
  return fixture.billing.atGate(of, async (gate) => {
    const invoiceId = outcome === 'corrected' ? (await correctAnew(index)).invoiceId : null;
    const settled = {
      reRatingId: reRating.reRatingId,
      customerId: of.customerId,
      period: of.period,
      outcome,
      invoiceId,
    };
    await gate.recordReRatingOutcome(settled);
    return settled;
  });
}

/** A correction of a period that is not the target, because the gate of the target is held by the caller. */
async function correctAnew(index: number): Promise<{ readonly invoiceId: string }> {
  const of = await fixture.addPeriod(target(index).customerId, {
    period: '2024-02-01',
    from: '2024-02-01T00:00:00.000000Z',
    to: '2024-03-01T00:00:00.000000Z',
  });
  await fixture.billing.atGate(of, (gate) => issue(gate, of));
  return fixture.billing.atGate(of, (gate) => correct(gate, of));
}

const enter = (status: ReRatingStatus, attempt = 1, reRatingId = reRating.reRatingId): Promise<void> =>
  reRatings.enter(reRatingId, { status, attempt, actor: 'worker', reason: null });

describe('creation', () => {
  test('is read back with its targets and its first status', async () => {
    expect(await reRatings.create(reRating, targets)).toEqual({ created: true });
    const found = await reRatings.find(reRating.reRatingId);
    expect(found).toEqual({
      ...reRating,
      requestedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      status: 'comparing',
      attempt: 1,
      targets: 4,
    });
    expect(await reRatings.pendingComparison(reRating.reRatingId, 1, 10)).toEqual(keysOf(targets));
    for (const id of [randomUUID(), 'no id']) expect(await reRatings.find(id)).toBeNull();
  });

  test('the same id again changes nothing, also at once', async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => reRatings.create(reRating, targets)));
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    expect(await reRatings.create({ ...reRating, reason: 'manual' }, targets.slice(0, 1))).toEqual({ created: false });
    expect(await reRatings.find(reRating.reRatingId)).toMatchObject({ reason: 'price_correction', targets: 4 });
  });

  test('all or nothing', async () => {
    const nowhere = { customerId: target(0).customerId, period: '1999-01-01' as BillingPeriod['period'] };
    await expect(reRatings.create(reRating, [nowhere])).rejects.toThrow(/foreign key/);
    expect(await reRatings.find(reRating.reRatingId)).toBeNull();
  });
});

describe('status', () => {
  test('is the last transition; repeating it adds none, and nothing follows an end', async () => {
    await reRatings.create(reRating, targets);
    const path = [
      ['comparing', 1],
      ['awaiting_approval', 1],
      ['awaiting_approval', 1],
      ['correcting', 1],
      ['comparing', 2],
      ['correcting', 2],
      ['reconciling', 2],
      ['completed', 2],
      ['completed', 2],
      ['comparing', 3],
    ] as const;
    for (const [status, attempt] of path) await enter(status, attempt);
    expect(await reRatings.find(reRating.reRatingId)).toMatchObject({ status: 'completed', attempt: 2 });
    const { rows } = await fixture.db.pool.query<{ status: string; attempt: number; actor: string }>(
      'SELECT status, attempt, actor FROM re_rating_transitions WHERE re_rating_id = $1 ORDER BY sequence',
      [reRating.reRatingId],
    );
    expect(rows.map(({ status, attempt }) => `${status} ${attempt}`)).toEqual([
      'comparing 1',
      'awaiting_approval 1',
      'correcting 1',
      'comparing 2',
      'correcting 2',
      'reconciling 2',
      'completed 2',
    ]);
    expect(rows[0]?.actor).toBe('alice');
  });

  test('many at once are stored one after the other', async () => {
    await reRatings.create(reRating, targets);
    await Promise.all(Array.from({ length: 12 }, (_, i) => enter('comparing', 1 + (i % 3))));
    const { rows } = await fixture.db.pool.query<{ sequence: number }>(
      'SELECT sequence FROM re_rating_transitions WHERE re_rating_id = $1 ORDER BY sequence',
      [reRating.reRatingId],
    );
    expect(rows.map(({ sequence }) => sequence)).toEqual(rows.map((_, i) => i + 1));
    expect(rows.length).toBeGreaterThan(2);
  });
});

describe('lists', () => {
  test('the newest first, by customer, status and reason, to the end', async () => {
    const ids: string[] = [];
    for (const reason of ['manual', 'dispute', 'manual'] as const) {
      const each = requested({ reason });
      await reRatings.create(each, targets.slice(0, 2));
      ids.unshift(each.reRatingId);
    }
    await enter('completed', 1, ids[0]);
    const customerId = target(1).customerId;
    const list = async (filter: Parameters<ReRatingStore['list']>[0]): Promise<readonly string[]> => {
      const found: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<ReRatingStore['list']>> = await reRatings.list(filter, {
          limit: 2,
          ...(cursor === null ? {} : { cursor }),
        });
        found.push(...page.data.map(({ reRatingId }) => reRatingId));
        cursor = page.nextCursor;
      } while (cursor !== null);
      return found;
    };
    expect(await list({ customerId })).toEqual(ids);
    expect(await list({ customerId, reason: 'manual' })).toEqual([ids[0], ids[2]]);
    expect(await list({ customerId, status: 'comparing' })).toEqual([ids[1], ids[2]]);
    expect(await list({ customerId: target(2).customerId })).toEqual([]);
    expect((await list({})).slice(0, 3)).toEqual(ids);
  });

  test('automatic ones of a period, as long as they have not ended', async () => {
    const automatic = requested({ requestedBy: automaticActor, reason: 'late_usage' });
    await reRatings.create(automatic, targets.slice(0, 1));
    await reRatings.create(reRating, targets);
    const unfinished = async (index: number): Promise<readonly string[]> =>
      (await reRatings.unfinishedAutomatic(target(index))).map(({ reRatingId }) => reRatingId);
    expect(await unfinished(0)).toEqual([automatic.reRatingId]);
    expect(await unfinished(1)).toEqual([]);
    await enter('awaiting_approval', 1, automatic.reRatingId);
    expect(await unfinished(0)).toEqual([automatic.reRatingId]);
    await enter('rejected', 1, automatic.reRatingId);
    expect(await unfinished(0)).toEqual([]);
  });
});

describe('comparisons', () => {
  beforeEach(() => reRatings.create(reRating, targets));

  const pending = async (attempt: number, limit = 10) =>
    keysOf(await reRatings.pendingComparison(reRating.reRatingId, attempt, limit));
  const correctable = async (attempt: number, limit = 10) =>
    keysOf(await reRatings.pendingCorrection(reRating.reRatingId, attempt, limit));

  test('targets are compared once an attempt, until they are settled', async () => {
    expect(await pending(1, 2)).toEqual(keysOf(targets.slice(0, 2)));
    await compare(2, 1);
    await compare(0, 1, { difference: null });
    expect(await pending(1)).toEqual(keysOf([target(1), target(3)]));
    await settle(1, 'held');
    expect(await pending(1)).toEqual(keysOf([target(3)]));
    expect(await pending(2)).toEqual(keysOf([target(0), target(2), target(3)]));
  });

  test('what is corrected is the latest comparison, and only under its own attempt', async () => {
    await compare(0, 1);
    const first = await compare(1, 1);
    await compare(2, 1, { difference: null });
    expect(await correctable(1)).toEqual(keysOf(targets.slice(0, 3)));
    expect(await correctable(1, 1)).toEqual(keysOf([target(0)]));
    const again = await compare(0, 2, { difference: '2' });
    expect(await correctable(1)).toEqual(keysOf([target(1), target(2)]));
    expect(await reRatings.pendingCorrection(reRating.reRatingId, 2, 10)).toEqual([again]);
    await settle(2, 'no_difference');
    expect(await correctable(1)).toEqual(keysOf([target(1)]));
    const page = await reRatings.comparisons(reRating.reRatingId, { limit: 2 });
    expect(page.data).toEqual([again, first]);
    const rest = await reRatings.comparisons(reRating.reRatingId, { limit: 2, cursor: page.nextCursor ?? '' });
    expect(keysOf(rest.data)).toEqual(keysOf([target(2)]));
    expect(rest.nextCursor).toBeNull();
  });

  test('outcomes come in the order of the targets', async () => {
    const settled = [await settle(3, 'held'), await settle(1, 'corrected'), await settle(0, 'no_difference')];
    expect(await reRatings.outcomes(reRating.reRatingId)).toEqual(settled.reverse());
  });

  const summary = (attempt = 1): Promise<ReRatingSummary> => reRatings.summary(reRating.reRatingId, attempt);
  const none = { targets: 4, differing: 0, unchanged: 0, held: 0, needApproval: 0, settled: 0, corrected: 0 };

  test('the summary counts what is left by its latest comparison, and what is settled', async () => {
    expect(await summary()).toEqual(none);
    await compare(0, 1, { needsApproval: true });
    await compare(1, 1, { difference: null });
    await compare(2, 1, { held: true });
    await compare(3, 1);
    expect(await summary()).toEqual({ ...none, differing: 2, unchanged: 1, needApproval: 1 });
    await settle(2, 'held');
    await settle(3, 'corrected');
    const settled = { settled: 2, corrected: 1 };
    expect(await summary()).toEqual({ ...none, differing: 1, unchanged: 1, held: 1, needApproval: 1, ...settled });
    await compare(0, 2, { difference: null });
    expect(await summary(2)).toMatchObject({ differing: 0, unchanged: 2, needApproval: 0 });
    expect(await summary(1)).toMatchObject({ differing: 1, unchanged: 1 });
    expect(await reRatings.summary(randomUUID(), 1)).toEqual({ ...none, targets: 0 });
  });

  test('an approval holds for the differences it was shown, however often the chain moves', async () => {
    await compare(0, 1, { difference: '5', needsApproval: true });
    await compare(1, 1, { difference: '6', needsApproval: true });
    const decision = { decidedBy: 'bob', reason: null };
    await reRatings.decide(reRating.reRatingId, { ...decision, attempt: 1, decision: 'approved' });
    expect(await summary()).toMatchObject({ differing: 2, needApproval: 0 });
    await compare(0, 2, { difference: '5', needsApproval: true });
    await compare(1, 2, { difference: '7', needsApproval: true });
    expect(await summary(2)).toMatchObject({ differing: 2, needApproval: 1 });
    await reRatings.decide(reRating.reRatingId, { ...decision, attempt: 2, decision: 'rejected' });
    expect(await summary(2)).toMatchObject({ needApproval: 1 });
    await compare(1, 3, { difference: '6', needsApproval: true });
    expect(await summary(3)).toMatchObject({ needApproval: 0 });
  });

  test('an approval of another target with the same differences is none', async () => {
    await compare(0, 1, { difference: '5', needsApproval: true });
    await reRatings.decide(reRating.reRatingId, { attempt: 1, decision: 'approved', decidedBy: 'bob', reason: null });
    await compare(1, 2, { difference: '5', needsApproval: true });
    expect(await summary(2)).toMatchObject({ differing: 2, needApproval: 1 });
  });
});

describe('decisions', () => {
  beforeEach(() => reRatings.create(reRating, targets));
  const approved = { attempt: 1, decision: 'approved', decidedBy: 'bob', reason: 'checked' } as const;

  test('the first one of an attempt stands', async () => {
    const { reRatingId } = reRating;
    expect(await reRatings.decision(reRatingId, 1)).toBeNull();
    expect(await reRatings.decide(reRatingId, approved)).toEqual({ stored: true, decision: approved });
    const rejected = { ...approved, decision: 'rejected', decidedBy: 'carol' } as const;
    for (const later of [approved, rejected])
      expect(await reRatings.decide(reRatingId, later)).toEqual({ stored: false, decision: approved });
    expect(await reRatings.decision(reRatingId, 1)).toEqual(approved);
    expect(await reRatings.decision(reRatingId, 2)).toBeNull();
    const next = { ...rejected, attempt: 2 };
    expect(await reRatings.decide(reRatingId, next)).toEqual({ stored: true, decision: next });
  });

  test('nobody approves what they asked for; withdrawing it is rejecting it', async () => {
    const own = { ...approved, decidedBy: 'alice' };
    await expect(reRatings.decide(reRating.reRatingId, own)).rejects.toMatchObject({ code: 'OWN_RE_RATING' });
    expect(await reRatings.decision(reRating.reRatingId, 1)).toBeNull();
    const withdrawn = { ...own, decision: 'rejected' } as const;
    expect(await reRatings.decide(reRating.reRatingId, withdrawn)).toMatchObject({ stored: true });
  });
});
