/** The state at every cutoff, over random events, amendments and backfills that add and replace, against a naive model. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { msToInstant } from '../../src/domain/time/instant.js';
import type { Instant, Interval, Position } from '../../src/domain/values.js';
import { readMeteringContext } from '../../src/storage/aggregation-meters.js';
import { effectiveEvents, withSql } from '../../src/storage/aggregation-sql.js';
import { SqlParameters } from '../../src/storage/aggregation-sql-fragments.js';
import { createBackfillStore } from '../../src/storage/backfills.js';
import { createUsageLedger } from '../../src/storage/ledger.js';
import { touchedWindows } from '../../src/storage/touched-windows.js';
import type { BackfillMode, BillingPeriod } from '../../src/storage/types.js';
import { createFixture, type Fixture, january, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture.close());

/** Few places for events, so that ranges, amendments and decisions meet. */
const slots = 6;
const timeOf = (slot: number): Instant => msToInstant(Date.parse('2024-01-10T00:30:00Z') + slot * 3_600_000);
const slotOf = (time: string): number => (Date.parse(time) - Date.parse(timeOf(0))) / 3_600_000;

interface Range {
  readonly first: number;
  readonly last: number;
}
const rangeOf = ({ first, last }: Range): Interval => ({ from: timeOf(first), to: timeOf(last + 1) });

interface BackfillPlan extends Range {
  readonly mode: BackfillMode;
}

type Step =
  | { readonly kind: 'event'; readonly slot: number }
  /** Sent at the first place of its backfill. */
  | { readonly kind: 'filled'; readonly backfill: number; readonly slot: number }
  | { readonly kind: 'adjust'; readonly event: number; readonly to: number | null }
  | { readonly kind: 'decide'; readonly backfill: number; readonly decision: 'closed' | 'reverted' };

const slot = fc.nat({ max: slots - 1 });
const backfillPlan: fc.Arbitrary<BackfillPlan> = fc
  .record({ a: slot, b: slot, mode: fc.constantFrom<BackfillMode>('replace', 'add') })
  .map(({ a, b, mode }) => ({ first: Math.min(a, b), last: Math.max(a, b), mode }));
const count = 3;
const which = fc.nat({ max: count - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('event' as const), slot }),
  fc.record({ kind: fc.constant('filled' as const), backfill: which, slot }),
  fc.record({ kind: fc.constant('adjust' as const), event: fc.nat({ max: 11 }), to: fc.option(slot) }),
  fc.record({
    kind: fc.constant('decide' as const),
    backfill: which,
    decision: fc.constantFrom('closed' as const, 'closed' as const, 'reverted' as const),
  }),
);

/** Everything that happened, in order: what the model decides by is its place in it. */
interface History {
  readonly events: {
    readonly id: string;
    readonly slot: number;
    readonly backfill: number | null;
    readonly at: number;
  }[];
  readonly adjustments: { readonly id: string; readonly to: number | null; readonly at: number }[];
  readonly decisions: { readonly backfill: number; readonly decision: string; readonly at: number }[];
}

/** By place: which events count there, sorted. */
function modelAt(history: History, plans: readonly BackfillPlan[], at: number): readonly string[] {
  const placeOf = (backfill: number, decision: string): number | null =>
    history.decisions.find((each) => each.backfill === backfill && each.decision === decision && each.at <= at)?.at ??
    null;
  const closedAt = (backfill: number): number | null =>
    placeOf(backfill, 'reverted') === null ? placeOf(backfill, 'closed') : null;
  return history.events
    .flatMap(({ id, slot: stored, backfill, at: sent }) => {
      const last = history.adjustments.findLast((each) => each.id === id && each.at <= at);
      const time = last === undefined ? stored : last.to;
      if (sent > at || time === null) return [];
      const own = backfill === null ? -1 : closedAt(backfill);
      if (own === null) return [];
      const isReplaced = plans.some(({ mode, first, last: end }, index) => {
        const closed = closedAt(index);
        return (
          mode === 'replace' && closed !== null && closed > own && index !== backfill && first <= time && time <= end
        );
      });
      return isReplaced ? [] : [`${time} ${id}`];
    })
    .sort();
}

async function stateAt(period: BillingPeriod, cutoff: Position | null, adjusted: boolean): Promise<readonly string[]> {
  const params = new SqlParameters();
  const { ctes, from } = effectiveEvents(params, { customerId: period.customerId, ranges: [period], cutoff, adjusted });
  const { rows } = await fixture.db.pool.query<{ event_id: string; event_time: Instant }>(
    `${withSql(ctes)} SELECT e.event_id, e.event_time FROM ${from}`,
    [...params.values],
  );
  return rows.map((row) => `${slotOf(row.event_time)} ${row.event_id}`).sort();
}

class Scene {
  readonly history: History = { events: [], adjustments: [], decisions: [] };
  readonly positions: Position[] = [];
  private readonly sent = new Map<string, UsageEvent>();
  private readonly ids: string[] = [];

  constructor(
    readonly period: BillingPeriod,
    readonly plans: readonly BackfillPlan[],
  ) {}

  async open(): Promise<void> {
    for (const plan of this.plans) {
      const backfillId = randomUUID();
      this.ids.push(backfillId);
      await createBackfillStore(fixture.db).create({
        backfillId,
        customerIds: [this.period.customerId],
        range: rangeOf(plan),
        mode: plan.mode,
        reason: null,
        createdBy: 'ann',
      });
    }
  }

  /** Whether it was possible. */
  async take(next: Step): Promise<boolean> {
    const at = this.positions.length;
    switch (next.kind) {
      case 'event':
        return this.append({ slot: next.slot, backfill: null, at });
      case 'filled': {
        const plan = this.plans[next.backfill];
        if (plan === undefined || this.history.decisions.some(({ backfill }) => backfill === next.backfill))
          return false;
        return this.append({
          slot: plan.first + (next.slot % (plan.last - plan.first + 1)),
          backfill: next.backfill,
          at,
        });
      }
      case 'adjust': {
        const { id } = this.history.events[next.event] ?? {};
        const event = id === undefined ? undefined : this.sent.get(id);
        if (id === undefined || event === undefined) return false;
        const moved = next.to === null ? null : { ...event, eventTime: timeOf(next.to) };
        await fixture.adjust(event, moved);
        this.history.adjustments.push({ id, to: next.to, at });
        return true;
      }
      case 'decide': {
        const earlier = this.history.decisions.filter(({ backfill }) => backfill === next.backfill);
        if (earlier.some(({ decision }) => decision === next.decision || decision === 'reverted')) return false;
        await createBackfillStore(fixture.db).decide(this.ids[next.backfill] ?? '', {
          decision: next.decision,
          decidedBy: 'ann',
          reason: null,
        });
        this.history.decisions.push({ backfill: next.backfill, decision: next.decision, at });
        return true;
      }
    }
  }

  private async append(row: { slot: number; backfill: number | null; at: number }): Promise<boolean> {
    const id = `e${this.history.events.length}`;
    const { customerId } = this.period;
    const event = usageEvent({ customerId, eventId: id, eventTime: timeOf(row.slot) });
    const backfillId = row.backfill === null ? undefined : this.ids[row.backfill];
    const sent = backfillId === undefined ? event : { ...event, backfillId };
    const outcomes = await createUsageLedger(fixture.db, () => Promise.resolve([])).append([sent], []);
    expect(outcomes).toEqual(['accepted']);
    this.history.events.push({ id, ...row });
    this.sent.set(id, event);
    return true;
  }
}

test('every state equals the model, and what a step changes lies in the windows that it touches', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(backfillPlan, { minLength: count, maxLength: count }),
      fc.array(step, { minLength: 4, maxLength: 24 }),
      async (plans, steps) => {
        const period = await fixture.addPeriod(await fixture.addCustomer(), january);
        const scene = new Scene(period, plans);
        await scene.open();
        for (const next of steps) if (await scene.take(next)) scene.positions.push(await fixture.horizon());
        const states: (readonly string[])[] = [];
        const { adjusted } = await readMeteringContext(fixture.db.pool, period);
        expect(adjusted).toBe(scene.history.adjustments.length > 0 || plans.some(({ mode }) => mode === 'replace'));
        for (const [at, position] of scene.positions.entries()) {
          const expected = modelAt(scene.history, plans, at);
          expect(await stateAt(period, position, true)).toEqual(expected);
          if (!adjusted) expect(await stateAt(period, position, false)).toEqual(expected);
          states.push(expected);
        }
        expect(await stateAt(period, null, true)).toEqual(states.at(-1) ?? []);
        await expectTouched(scene, states);
      },
    ),
    { numRuns: 60 },
  );
}, 300_000);

/** Whatever differs between two states must lie in windows that the facts between touch, or it would never be corrected. */
async function expectTouched(scene: Scene, states: readonly (readonly string[])[]): Promise<void> {
  for (const [at, position] of scene.positions.entries()) {
    const since = scene.positions[at - 1];
    if (since === undefined) continue;
    const [before, after] = [states[at - 1] ?? [], states[at] ?? []];
    const changed = [
      ...after.filter((each) => !before.includes(each)),
      ...before.filter((each) => !after.includes(each)),
    ].map((each) => Number(each.split(' ')[0]));
    const client = await fixture.db.pool.connect();
    try {
      const touched = await touchedWindows(client, { period: scene.period, since, through: position });
      const starts = new Set(touched.map(({ windowStart }) => slotOf(windowStart) + 0.5));
      expect(changed.filter((place) => !starts.has(place))).toEqual([]);
    } finally {
      client.release();
    }
  }
}
