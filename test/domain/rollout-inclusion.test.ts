/** Whom a rollout includes: its laws, over stages and customers that nobody chose. */
import fc from 'fast-check';
import { bucketOf } from '../../src/billing/price-rollouts.js';
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import { priceSegments, versionInForce } from '../../src/domain/rating/segments.js';
import { membershipOf } from '../../src/domain/rollout/inclusion.js';
import type { Membership, RolloutCustomer } from '../../src/domain/rollout/inclusion.js';
import type { RolloutStage } from '../../src/domain/rollout/rollout.js';
import { requireStage } from '../../src/domain/rollout/transitions.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { instant, january, version } from '../support/rating-input.js';
import { stage, stages } from '../support/rollout-stages.js';

const at = (day: string, hour = '00'): Instant => instant(`2024-01-${day}T${hour}:00:00.000000Z`);
/** A zone five hours east of UTC: its days begin at 19:00 of the day before. */
const startOfDay = (date: LocalDate): Instant =>
  instant(`${new Date(Date.parse(`${date}T00:00:00Z`) - 5 * 3_600_000).toISOString().slice(0, -1)}000Z`);

const customer = (more: Partial<RolloutCustomer> = {}): RolloutCustomer => ({
  customerId: 'canary',
  bucket: 5_000,
  assignedFrom: null,
  knownSince: instant('2023-01-01T00:00:00.000000Z'),
  startOfDay,
  ...more,
});
const other = customer({ customerId: 'other' });
const membership = (some: readonly RolloutStage[], of: RolloutCustomer | null = customer()): Membership =>
  membershipOf({ stages: some }, of, startOfDay);

describe('by stage', () => {
  test.each<[string, readonly RolloutStage[], RolloutCustomer, string | null]>([
    ['a canary from the stage on', stages(stage('canary', '05')), customer(), '05T00 canary'],
    ['nobody else', stages(stage('canary', '05')), other, null],
    ['a local date, in the zone', stages(stage('canary', '2024-01-05')), customer(), '04T19 canary'],
    [
      'below the percentage',
      stages(stage('canary', '05'), stage('percentage', '10', { percentage: 5_001 })),
      other,
      '10T00 percentage',
    ],
    ['not at it', stages(stage('canary', '05'), stage('percentage', '10', { percentage: 5_000 })), other, null],
    ['all', stages(stage('canary', '05'), stage('all', '10')), other, '10T00 all'],
    ['a canary keeps its beginning', stages(stage('canary', '05'), stage('all', '10')), customer(), '05T00 canary'],
    [
      'not before the price book is assigned',
      stages(stage('canary', '05'), stage('all', '10')),
      customer({ assignedFrom: at('20') }),
      '20T00 canary',
    ],
  ])('%s', (_name, some, of, expected) => {
    const { included } = membership(some, of);
    expect(included === null ? null : `${included.from.slice(8, 13)} ${included.kind}`).toBe(expected);
  });

  test('nobody in particular: only what is for all', () => {
    expect(membership(stages(stage('canary', '05')), null).included).toBeNull();
    const { included, everybody } = membership(stages(stage('canary', '05'), stage('all', '10')), null);
    expect([included?.from, everybody?.from]).toEqual([at('10'), at('10')]);
  });
});

describe('halted', () => {
  const planned = [stage('canary', '05'), stage('percentage', '15', { percentage: 9_999 })] as const;
  const from = (of: RolloutCustomer, ...more: readonly Omit<RolloutStage, 'sequence'>[]): Instant | null =>
    membership(stages(...planned, ...more), of).included?.from ?? null;

  test('who is in stays in; who would have come waits until it goes on', () => {
    expect(from(customer(), stage('halt', '12'))).toBe(at('05'));
    expect(from(other, stage('halt', '12'))).toBeNull();
    expect(from(other, stage('halt', '12'), stage('resume', '20'))).toBe(at('20'));
    expect(from(other, stage('halt', '12'), stage('resume', '14'))).toBe(at('15'));
    expect(from(other, stage('halt', '16'))).toBe(at('15'));
    expect(from(other, stage('halt', '12'), stage('resume', '20'), stage('halt', '20'), stage('resume', '21'))).toBe(
      at('21'),
    );
  });

  test('a customer who comes to the price book, or becomes known, meanwhile is new', () => {
    const halts = [stage('halt', '16', { decidedAt: '16' })] as const;
    const resumed = [...halts, stage('resume', '20', { decidedAt: '19' })] as const;
    const assigned = customer({ customerId: 'assigned', assignedFrom: at('17') });
    expect(from(assigned, ...halts)).toBeNull();
    expect(from(assigned, ...resumed)).toBe(at('20'));
    const learned = customer({ customerId: 'learned', knownSince: at('17') });
    expect(from(learned, ...halts)).toBeNull();
    expect(from(learned, ...resumed)).toBe(at('20'));
    expect(from({ ...learned, knownSince: at('19') }, ...resumed)).toBe(at('15'));
  });
});

// Laws ----------------------------------------------------------------------------------------------------------------

const now = at('28');
const ids = fc.constantFrom('canary', 'a', 'b', 'c');
const planned = fc.record({
  kind: fc.constantFrom('canary', 'percentage', 'all', 'halt', 'resume', 'rollback'),
  day: fc.integer({ min: 1, max: 28 }),
  isDate: fc.boolean(),
  percentage: fc.integer({ min: 1, max: 9_999 }),
  customer: ids,
});
const someCustomer = fc.record({
  customerId: ids,
  bucket: fc.integer({ min: 0, max: 9_999 }),
  assignedFrom: fc.option(fc.integer({ min: 1, max: 28 }).map((day) => at(String(day).padStart(2, '0')))),
  knownSince: fc.integer({ min: 1, max: 28 }).map((day) => at(String(day).padStart(2, '0'))),
  startOfDay: fc.constant(startOfDay),
});

/** Every history that the state machine lets happen, with what it was after each decision. */
function histories(plans: readonly (typeof planned extends fc.Arbitrary<infer P> ? P : never)[]) {
  const known: (readonly RolloutStage[])[] = [stages(stage('canary', '01'))];
  for (const { kind, day, isDate, percentage, customer: id } of plans) {
    const text = String(day).padStart(2, '0');
    const next = stage(kind, isDate ? `2024-01-${text}` : text, {
      ...(kind === 'percentage' && { percentage }),
      ...(kind === 'canary' && { customers: [id] }),
      decidedAt: '29',
    });
    const last = known.at(-1) ?? [];
    try {
      requireStage(last, next, now);
    } catch {
      continue;
    }
    known.push(stages(...last, next));
  }
  return known;
}
const hours = Array.from({ length: 31 }, (_, index) => at(String(index + 1).padStart(2, '0')));
const isIn = ({ included, until }: Membership, instantOf: Instant): boolean =>
  included !== null && included.from <= instantOf && (until === null || instantOf < until);

test('once included, always included, until it is rolled back; and that ends it for everybody', () => {
  fc.assert(
    fc.property(fc.array(planned, { maxLength: 8 }), someCustomer, (plans, of) => {
      for (const some of histories(plans)) {
        const member = membership(some, of);
        const during = hours.map((hour) => isIn(member, hour));
        const until = member.until;
        // False sorts before true: nobody leaves again.
        if (until === null) expect(during).toEqual([...during].sort());
        else expect(hours.filter((hour) => hour >= until).some((hour) => isIn(member, hour))).toBe(false);
      }
    }),
  );
});

test('a widening or a resumption takes nobody out and begins for nobody earlier than it says', () => {
  fc.assert(
    fc.property(fc.array(planned, { maxLength: 8 }), someCustomer, (plans, of) => {
      const known = histories(plans);
      for (const [index, after] of known.entries()) {
        const before = known[index - 1];
        const last = after.at(-1);
        if (before === undefined || last === undefined || last.kind === 'rollback' || last.kind === 'halt') continue;
        const [was, is] = [membership(before, of).included, membership(after, of).included];
        if (was !== null) expect(is?.from).toBe(was.from);
      }
    }),
  );
});

test('a halt leaves in whoever has come in by then', () => {
  fc.assert(
    fc.property(fc.array(planned, { maxLength: 8 }), someCustomer, (plans, of) => {
      const known = histories(plans);
      for (const [index, after] of known.entries()) {
        const before = known[index - 1];
        const last = after.at(-1);
        if (before === undefined || last?.kind !== 'halt') continue;
        // Whoever becomes known after the halt is new. A halt is decided by what has begun by now.
        const halted =
          last.effectiveFrom.length === 10 ? startOfDay(last.effectiveFrom as LocalDate) : last.effectiveFrom;
        const was = membership(before, of).included;
        if (was !== null && was.from < halted && of.knownSince < last.decidedAt)
          expect(membership(after, of).included?.from).toBe(was.from);
      }
    }),
  );
});

test('a greater percentage includes everybody that a smaller one does', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9_999 }),
      fc.integer({ min: 1, max: 9_999 }),
      someCustomer,
      (one, two, of) => {
        const included = (percentage: number): boolean =>
          membership(stages(stage('canary', '01'), stage('percentage', '02', { percentage })), of).included !== null;
        const [less, more] = one < two ? [one, two] : [two, one];
        if (included(less)) expect(included(more)).toBe(true);
      },
    ),
  );
});

describe('buckets', () => {
  const customers = Array.from({ length: 10_000 }, (_, index) => `customer-${index}`);
  const rolloutId = '6a5f1f0e-1111-5222-8333-444455556666';

  test('are the ones they always were', () => {
    // python3: int.from_bytes(hashlib.sha256(b"<rollout>|<customer>").digest()[:8], "big") % 10000
    expect(['customer-0', 'customer-1', 'Ünïcode'].map((id) => bucketOf(rolloutId, id))).toEqual([6342, 8842, 1813]);
  });

  test.each([100, 1_000, 2_500, 5_000, 9_000])('%d hundredths are about as many of 10,000 customers', (hundredths) => {
    const count = customers.filter((id) => bucketOf(rolloutId, id) < hundredths).length;
    // Four standard deviations of a fair draw, and these ids never change: it holds or it does not.
    const share = hundredths / 10_000;
    const deviation = Math.sqrt(10_000 * share * (1 - share));
    expect(Math.abs(count - hundredths)).toBeLessThan(4 * deviation);
  });

  test('another rollout draws other customers', () => {
    const first = (id: string): boolean => bucketOf(rolloutId, id) < 1_000;
    const second = (id: string): boolean => bucketOf('00000000-0000-5000-8000-000000000000', id) < 1_000;
    const both = customers.filter((id) => first(id) && second(id)).length;
    expect(both).toBeGreaterThan(50);
    expect(both).toBeLessThan(200);
  });
});

// Prices --------------------------------------------------------------------------------------------------------------

const v1: PriceBookVersion = { ...version('v1', []), priceBookId: 'v1', effectiveFrom: at('01'), learnedOrder: 1 };
const v2: PriceBookVersion = {
  ...version('v2', []),
  priceBookId: 'v2',
  effectiveFrom: at('03'),
  learnedOrder: 2,
  isCandidate: true,
};
const assignments = [{ priceBook: 'standard', effectiveFrom: null, learnedOrder: 1 }];
const segments = (
  some: readonly RolloutStage[],
  of: RolloutCustomer,
  versions: readonly PriceBookVersion[] = [v1, v2],
): readonly string[] =>
  priceSegments(january, {
    assignments,
    versions,
    startOfDay,
    memberships: new Map([['v2', membership(some, of)]]),
  }).map(({ from, priceBook }) => `${priceBook?.version ?? 'none'} ${from.slice(8, 10)}`);

describe('price segments', () => {
  test('a candidate holds for nobody without a rollout, nor where nobody says whose segments they are', () => {
    expect(priceSegments(january, { assignments, versions: [v1, v2], startOfDay })).toHaveLength(1);
    expect(versionInForce([v1, v2], at('20'), { startOfDay })?.version).toBe('v1');
  });

  test.each<[string, readonly RolloutStage[], RolloutCustomer, readonly string[]]>([
    ['a canary', stages(stage('canary', '10')), customer(), ['v1 01', 'v2 10']],
    ['not before its own date', stages(stage('canary', '02')), customer(), ['v1 01', 'v2 03']],
    ['another customer', stages(stage('canary', '10')), other, ['v1 01']],
    ['rolled back', stages(stage('canary', '10'), stage('rollback', '20')), customer(), ['v1 01', 'v2 10', 'v1 20']],
    ['rolled back from before it began', stages(stage('canary', '10'), stage('rollback', '05')), customer(), ['v1 01']],
    [
      'for all, and taken back',
      stages(stage('canary', '10'), stage('all', '15'), stage('rollback', '20')),
      other,
      ['v1 01', 'v2 15', 'v1 20'],
    ],
  ])('%s', (_name, some, of, expected) => {
    expect(segments(some, of)).toEqual(expected);
  });

  test('a later version holds from its own date for everybody, members or not, once the rollout is at all', () => {
    const v3: PriceBookVersion = { ...v1, priceBookId: 'v3', version: 'v3', effectiveFrom: at('20'), learnedOrder: 3 };
    const done = stages(stage('canary', '05'), stage('all', '10'));
    expect(segments(done, customer(), [v1, v2, v3])).toEqual(['v1 01', 'v2 05', 'v3 20']);
    expect(segments(done, other, [v1, v2, v3])).toEqual(['v1 01', 'v2 10', 'v3 20']);
  });

  test('a version learned later for a time within the rollout ends where everybody has the candidate', () => {
    const v3: PriceBookVersion = { ...v1, priceBookId: 'v3', version: 'v3', effectiveFrom: at('08'), learnedOrder: 3 };
    const done = stages(stage('canary', '05'), stage('all', '10'));
    expect(segments(done, customer(), [v1, v2, v3]).at(-1)).toBe('v2 10');
    expect(segments(done, other, [v1, v2, v3]).at(-1)).toBe('v2 10');
  });

  test('with equal dates the chosen one holds for a member; a correction of the other one does not undo that', () => {
    const same: PriceBookVersion = { ...v2, effectiveFrom: at('01') };
    const corrected: PriceBookVersion = { ...v1, priceBookId: 'v1b', version: 'v1b', learnedOrder: 9 };
    const some = stages(stage('canary', '01'));
    expect(segments(some, customer(), [v1, same, corrected])).toEqual(['v2 01']);
    expect(segments(some, other, [v1, same, corrected])).toEqual(['v1b 01']);
    const back = stages(stage('canary', '01'), stage('rollback', '10'));
    expect(segments(back, customer(), [v1, same, corrected])).toEqual(['v2 01', 'v1b 10']);
  });

  test('a candidate with an end gives way to the version before it', () => {
    const ending: PriceBookVersion = { ...v2, effectiveUntil: at('20') };
    expect(segments(stages(stage('canary', '10')), customer(), [v1, ending])).toEqual(['v1 01', 'v2 10', 'v1 20']);
  });

  test('a rollback restores what would hold without the rollout, from then on, for everybody', () => {
    fc.assert(
      fc.property(
        fc.array(planned, { maxLength: 6 }),
        someCustomer,
        fc.integer({ min: 1, max: 28 }),
        (plans, of, day) => {
          const before = histories(plans.filter(({ kind }) => kind !== 'rollback')).at(-1) ?? [];
          const from = String(day).padStart(2, '0');
          const memberships = new Map([['v2', membership(stages(...before, stage('rollback', from)), of)]]);
          for (const hour of hours.filter((each) => each >= at(from))) {
            expect(versionInForce([v1, v2], hour, { startOfDay, memberships })).toBe(
              versionInForce([v1], hour, { startOfDay }),
            );
          }
        },
      ),
    );
  });
});
