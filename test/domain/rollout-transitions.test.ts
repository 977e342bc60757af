import fc from 'fast-check';
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import { stageKinds } from '../../src/domain/rollout/rollout.js';
import type { RolloutStage, StageKind } from '../../src/domain/rollout/rollout.js';
import { requireNoRollout, requireStart } from '../../src/domain/rollout/start.js';
import {
  isOpen,
  percentText,
  requireStage,
  rolloutStates,
  rolloutTransitions,
  stateOf,
} from '../../src/domain/rollout/transitions.js';
import type { RolloutState } from '../../src/domain/rollout/transitions.js';
import { instant, version } from '../support/rating-input.js';
import { stage, stages } from '../support/rollout-stages.js';
import { failureOf } from './support/failures.js';

const now = instant('2024-01-20T12:00:00.000000Z');
const canary = stage('canary', '05');
const ten = stage('percentage', '10', { percentage: 1_000 });

/** Stages that lead to each state. */
const to: Readonly<Record<RolloutState, readonly RolloutStage[]>> = {
  canary: stages(canary),
  percentage: stages(canary, ten),
  halted: stages(canary, ten, stage('halt', '11')),
  completed: stages(canary, ten, stage('all', '12')),
  rolled_back: stages(canary, stage('rollback', '12')),
};

/** A decision that is wide enough and begins late enough for each of them. */
const next: Readonly<Record<StageKind, Omit<RolloutStage, 'sequence'>>> = {
  canary: stage('canary', '21', { customers: ['another'] }),
  percentage: stage('percentage', '21', { percentage: 2_000 }),
  all: stage('all', '21'),
  halt: stage('halt', '21'),
  resume: stage('resume', '21'),
  rollback: stage('rollback', '21'),
};
const pairs = rolloutStates.flatMap((state) => stageKinds.map((kind) => [state, kind] as const));

test.each(rolloutStates)('the state %s is what its stages come to', (state) => {
  expect(stateOf(to[state])).toBe(state);
  expect(isOpen(state)).toBe(!['completed', 'rolled_back'].includes(state));
});

test('a resumption goes back to the state before the halt', () => {
  expect(stateOf(stages(canary, stage('halt', '06'), stage('resume', '07')))).toBe('canary');
  expect(stateOf(stages(canary, ten, stage('halt', '11'), stage('resume', '12')))).toBe('percentage');
});

test.each(pairs)('%s → %s is possible exactly where the table says so', (state, kind) => {
  const decide = (): void => {
    requireStage(to[state], next[kind], now);
  };
  if (rolloutTransitions[state].includes(kind)) expect(decide).not.toThrow();
  else expect(failureOf(decide)).toMatchObject({ code: 'ROLLOUT_TRANSITION_REFUSED' });
});

test('what is rolled back stays so, and the sentence says what to do', () => {
  expect(rolloutTransitions.rolled_back).toEqual([]);
  expect(failureOf(() => requireStage(to.rolled_back, next.resume, now)).detail).toContain('create another version');
});

describe('a stage includes more than the one before', () => {
  test.each<[string, Omit<RolloutStage, 'sequence'>, string | null]>([
    ['the same percentage', stage('percentage', '21', { percentage: 1_000 }), '/percentage'],
    ['a smaller one', stage('percentage', '21', { percentage: 999 }), '/percentage'],
    ['a greater one', stage('percentage', '21', { percentage: 1_001 }), null],
  ])('%s', (_name, planned, pointer) => {
    const decide = (): void => {
      requireStage(to.percentage, planned, now);
    };
    if (pointer === null) expect(decide).not.toThrow();
    else expect(failureOf(decide)).toMatchObject({ code: 'ROLLOUT_NOT_WIDER', pointer });
  });

  test('canaries that are canaries already', () => {
    const again = stage('canary', '21', { customers: ['canary'] });
    expect(failureOf(() => requireStage(to.canary, again, now))).toMatchObject({ code: 'ROLLOUT_NOT_WIDER' });
    const oneMore = stage('canary', '21', { customers: ['canary', 'another'] });
    expect(() => {
      requireStage(to.canary, oneMore, now);
    }).not.toThrow();
  });
});

describe('the order of beginnings', () => {
  const refused = (known: readonly RolloutStage[], planned: Omit<RolloutStage, 'sequence'>): string | null => {
    try {
      requireStage(known, planned, now);
      return null;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  test.each<[string, readonly RolloutStage[], Omit<RolloutStage, 'sequence'>, boolean]>([
    ['a widening with the one before', to.canary, stage('all', '05'), true],
    ['a widening before the one before', to.canary, stage('all', '04'), false],
    ['a local date counts by its midnight in UTC', to.canary, stage('all', '2024-01-05'), true],
    ['an earlier local date', to.canary, stage('all', '2024-01-04'), false],
    ['a halt before what has begun', to.percentage, stage('halt', '09'), false],
    ['a halt with what has begun would take customers out', to.percentage, stage('halt', '10'), false],
    ['a halt after what has begun', to.percentage, stage('halt', '10T01'), true],
    ['a halt before what has not begun', stages(canary, stage('all', '25')).slice(0, 1), stage('halt', '21'), true],
    ['a resumption before the halt', to.halted, stage('resume', '10'), false],
    ['a resumption with the halt', to.halted, stage('resume', '11'), true],
    ['a rollback at any time', to.completed, stage('rollback', '01'), true],
  ])('%s', (_name, known, planned, isPossible) => {
    expect(refused(known, planned)).toBe(isPossible ? null : 'VALIDATION_FAILED');
  });

  test('a stage that is planned for later can still be halted before it begins', () => {
    const planned = stages(canary, stage('percentage', '25', { percentage: 5_000 }));
    expect(refused(planned, stage('halt', '21'))).toBeNull();
  });
});

test('whatever is decided, a rollout is open until all of its stages say otherwise', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...stageKinds), { maxLength: 12 }), (kinds) => {
      let known = stages(canary);
      for (const [index, kind] of kinds.entries()) {
        const more = kind === 'percentage' ? { percentage: 100 * (index + 1) } : { customers: [`c${index}`] };
        const planned = stage(kind, '21', kind === 'percentage' || kind === 'canary' ? more : {});
        try {
          requireStage(known, planned, now);
        } catch {
          continue;
        }
        const before = stateOf(known);
        known = stages(...known, planned);
        expect(rolloutTransitions[before]).toContain(kind);
      }
      const kindsDecided = known.map(({ kind }) => kind);
      expect(isOpen(stateOf(known))).toBe(!kindsDecided.includes('all') && !kindsDecided.includes('rollback'));
      expect(kindsDecided.filter((kind) => kind === 'rollback').length).toBeLessThanOrEqual(1);
    }),
  );
});

test.each([
  [1, '0.01'],
  [50, '0.5'],
  [500, '5'],
  [1_250, '12.5'],
  [9_999, '99.99'],
  [1_000, '10'],
])('%d hundredths are %s %%', (hundredths, text) => {
  expect(percentText(hundredths)).toBe(text);
});

describe('versions beside a rollout', () => {
  const v1: PriceBookVersion = { ...version('v1', []), effectiveFrom: instant('2023-06-01T00:00:00.000000Z') };
  const v2: PriceBookVersion = {
    ...version('v2', []),
    priceBookId: 'v2',
    effectiveFrom: instant('2024-01-01T00:00:00.000000Z'),
    isCandidate: true,
  };
  const begins = (from: string): PriceBookVersion => ({
    ...version('v3', []),
    priceBookId: 'v3',
    effectiveFrom: from as PriceBookVersion['effectiveFrom'],
  });
  const rollout = (some: readonly RolloutStage[]) => [
    { rollout: { rolloutId: 'r', priceBookId: 'v2', stages: some }, candidate: v2 },
  ];

  test('only a candidate is rolled out, with a version before it, and none that begins later', () => {
    const start = (candidate: PriceBookVersion, versions: readonly PriceBookVersion[]) => () => {
      requireStart(candidate, canary, { versions, others: [] });
    };
    expect(start(v2, [v1, v2])).not.toThrow();
    expect(failureOf(start(v1, [v1, v2]))).toMatchObject({ code: 'NOT_A_CANDIDATE' });
    expect(failureOf(start(v2, [v2]))).toMatchObject({ code: 'ROLLOUT_CONFLICT', pointer: '/price_book/version' });
    const later = begins('2024-01-06');
    expect(failureOf(start(v2, [v1, v2, later]))).toMatchObject({ code: 'ROLLOUT_CONFLICT' });
    expect(start(v2, [v1, v2, begins('2024-01-05')])).not.toThrow();
  });

  test('one rollout of a price book at a time; one that is at everybody is a version like any other', () => {
    const v4: PriceBookVersion = { ...v2, priceBookId: 'v4', version: 'v4' };
    const start = (others: readonly RolloutStage[], from: string) => () => {
      requireStart(v4, stage('canary', from), { versions: [v1, v2, v4], others: rollout(others) });
    };
    for (const state of ['canary', 'percentage', 'halted'] as const) {
      expect(failureOf(start(to[state], '21'))).toMatchObject({ code: 'ROLLOUT_OPEN' });
    }
    expect(start(to.completed, '21')).not.toThrow();
    expect(start(to.completed, '12')).not.toThrow();
    expect(failureOf(start(to.completed, '11'))).toMatchObject({ code: 'ROLLOUT_CONFLICT' });
    expect(start(to.rolled_back, '06')).not.toThrow();
  });

  test('a version for everybody that begins during a rollout is refused; one that begins before it is not', () => {
    const learn = (from: string, some: readonly RolloutStage[]) => () => {
      requireNoRollout(begins(from), rollout(some));
    };
    expect(failureOf(learn('2024-02-01', to.halted))).toMatchObject({
      code: 'ROLLOUT_OPEN',
      pointer: '/effective_from',
    });
    expect(failureOf(learn('2024-01-05', to.canary))).toMatchObject({ code: 'ROLLOUT_OPEN' });
    expect(learn('2024-01-04', to.canary)).not.toThrow();
    expect(learn('2024-02-01', to.completed)).not.toThrow();
    expect(learn('2024-02-01', to.rolled_back)).not.toThrow();
  });

  test.each(['all', 'rollback'] as const)('so is one that begins before a stage "%s" that is dated ahead', (kind) => {
    const learn = (from: string) => () => {
      requireNoRollout(begins(from), rollout(stages(stage('canary', '05'), stage(kind, '20'))));
    };
    const refused = failureOf(learn('2024-01-12'));
    expect(refused).toMatchObject({ code: 'ROLLOUT_OPEN', pointer: '/effective_from' });
    expect(refused.message).toContain('2024-01-20T00:00:00.000000Z. Begin then or later.');
    expect(learn('2024-01-20')).not.toThrow();
    expect(learn('2024-01-04')).not.toThrow();
  });
});
