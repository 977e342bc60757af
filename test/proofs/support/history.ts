/**
 * Random histories of one customer: what is sent, adjusted, learned, closed, re-rated, approved and voided, in any order. Plain
 * data; the oracle and what is put to the proof each read it in their own way.
 */
import fc from 'fast-check';
import type { OraclePrice } from '../../support/rational-rating.js';

/** What an event says. Times are UTC with 6 fraction digits, so that text order is time order. */
export type Content =
  | { readonly type: 'call'; readonly time: string; readonly status: 'ok' | 'slow' | 'failed' }
  | {
      readonly type: 'transfer';
      readonly time: string;
      readonly bytes: string;
      /** Sent as a JSON number, or else as a text. */
      readonly asNumber: boolean;
      readonly region: 'eu' | 'us' | null;
    };

export const meterCodes = ['bytes', 'calls'] as const;
export type MeterCode = (typeof meterCodes)[number];

/** `pooled`: one line for all groups. */
export type HistoryPrice = OraclePrice & { readonly pooled: boolean };

export interface HistoryVersion {
  /** An instant, or a local date. */
  readonly start: string;
  readonly until: string | null;
  readonly prices: Readonly<Record<MeterCode, HistoryPrice>>;
}

export const periods = [
  { name: '2024-01-01', from: '2024-01-01T00:00:00.000000Z', to: '2024-02-01T00:00:00.000000Z' },
  { name: '2024-02-01', from: '2024-02-01T00:00:00.000000Z', to: '2024-03-01T00:00:00.000000Z' },
] as const;
export type PeriodIndex = 0 | 1;

export const reasons = [
  'late_usage',
  'usage_correction',
  'price_correction',
  'rating_defect',
  'dispute',
  'manual',
] as const;

export interface ReRate {
  readonly periods: readonly PeriodIndex[];
  readonly reason: (typeof reasons)[number];
  /** Which of the versions known then, counted round; null: the newest. Only where the reason may move prices. */
  readonly named: number | null;
  readonly meters: readonly MeterCode[] | null;
  readonly dryRun: boolean;
  /** What is said when it asks: nothing leaves it waiting. */
  readonly answer: Answer;
}
export type Answer = 'approve' | 'reject' | 'nothing';

/** `which` counts round what there is at that moment: events in order of sending, re-ratings that wait. */
export type Step =
  | { readonly do: 'send'; readonly contents: readonly Content[] }
  | { readonly do: 'send again'; readonly which: number }
  | { readonly do: 'send with other content'; readonly which: number; readonly content: Content }
  | { readonly do: 'void event'; readonly which: number }
  | { readonly do: 'amend'; readonly which: number; readonly content: Content }
  | { readonly do: 'amend back'; readonly which: number }
  | { readonly do: 'learn'; readonly version: HistoryVersion }
  | { readonly do: 'close windows'; readonly period: PeriodIndex }
  | { readonly do: 'close'; readonly period: PeriodIndex }
  | { readonly do: 're-rate'; readonly reRate: ReRate }
  | { readonly do: 'answer'; readonly which: number; readonly answer: Answer }
  | { readonly do: 'void invoice'; readonly period: PeriodIndex };

export interface History {
  readonly currency: 'USD' | 'JPY' | 'KWD';
  readonly approvalThreshold: string | null;
  /** Known from the beginning; the first is in force before everything and has no end. */
  readonly versions: readonly [HistoryVersion, ...HistoryVersion[]];
  readonly steps: readonly Step[];
}

/** Every period is closed and, late facts and all, re-rated once; whoever is asked agrees. */
export const ending: readonly Step[] = ([0, 1] as const).flatMap((period): Step[] => [
  { do: 'close', period },
  {
    do: 're-rate',
    reRate: {
      periods: [period],
      reason: 'usage_correction',
      named: null,
      meters: null,
      dryRun: false,
      answer: 'approve',
    },
  },
]);

// Arbitraries ---------------------------------------------------------------------------------------------------------

/** Bounds of periods, of hours and of prices, a microsecond before them, and a time outside both periods. */
const times = [
  '2024-01-01T00:00:00.000000Z',
  '2024-01-10T23:59:59.999999Z',
  '2024-01-11T00:00:00.000000Z',
  '2024-01-15T12:34:56.789012Z',
  '2024-01-20T11:59:59.999999Z',
  '2024-01-20T12:00:00.000000Z',
  '2024-01-31T23:59:59.999999Z',
  '2024-02-01T00:00:00.000000Z',
  '2024-02-10T00:00:00.000000Z',
  '2024-02-15T05:59:59.999999Z',
  '2024-02-15T06:00:00.000000Z',
  '2024-02-29T23:59:59.999999Z',
  '2024-03-01T00:00:00.000000Z',
] as const;

const time = fc.constantFrom(...times);
const content: fc.Arbitrary<Content> = fc.oneof(
  fc.record({
    type: fc.constant('call' as const),
    time,
    status: fc.constantFrom('ok' as const, 'ok' as const, 'slow' as const, 'failed' as const),
  }),
  fc.record({
    type: fc.constant('transfer' as const),
    time,
    bytes: fc.constantFrom('0', '1', '2.5', '4', '7.125', '10', '33.3', '-1', '-6.5'),
    asNumber: fc.boolean(),
    region: fc.constantFrom('eu' as const, 'us' as const, null),
  }),
);

const unitPrice = fc.constantFrom('0', '0.005', '0.0125', '0.1', '0.333', '1', '2.675');
const flatFee = fc.constantFrom('0', '0', '0.005', '1', '12.5');
const tiers = fc
  .tuple(
    fc.subarray(['1', '3', '4.5', '10', '20']),
    fc.array(fc.tuple(unitPrice, flatFee), { minLength: 6, maxLength: 6 }),
  )
  .map(([bounds, prices]) =>
    [...bounds, null].map((upTo, index) => {
      const [price, fee] = prices[index] ?? ['1', '0'];
      return { upTo, unitPrice: price, flatFee: fee };
    }),
  );
const price: fc.Arbitrary<HistoryPrice> = fc.oneof(
  fc.record({ model: fc.constant('flat' as const), unitPrice, pooled: fc.boolean() }),
  fc.record({
    model: fc.constantFrom('tiered' as const, 'volume' as const),
    tiers,
    chargeWhenZero: fc.boolean(),
    pooled: fc.boolean(),
  }),
);
const prices = fc.record({ bytes: price, calls: price });
const first: fc.Arbitrary<HistoryVersion> = prices.map((its) => ({
  start: '2023-01-01T00:00:00.000000Z',
  until: null,
  prices: its,
}));
/** Some begin together, some on a local date, some have an end; one is never in force in either period. */
const version: fc.Arbitrary<HistoryVersion> = fc
  .record({
    start: fc.constantFrom(
      '2023-01-01T00:00:00.000000Z',
      '2024-01-11',
      '2024-01-20T12:00:00.000000Z',
      '2024-02-10',
      '2025-01-01',
    ),
    until: fc.option(fc.constantFrom('2024-01-25T00:00:00.000000Z', '2024-02-15T06:00:00.000000Z'), { nil: null }),
    prices,
  })
  .map((its) => (its.start.startsWith('2023') || (its.until ?? '9') <= its.start ? { ...its, until: null } : its));

const which = fc.nat({ max: 50 });
const period = fc.constantFrom<PeriodIndex>(0, 1);
const answer = fc.constantFrom<Answer>('approve', 'approve', 'approve', 'reject', 'nothing', 'nothing');
const reRate: fc.Arbitrary<ReRate> = fc
  .record({
    periods: fc.constantFrom<readonly PeriodIndex[]>([0], [1], [0, 1]),
    reason: fc.constantFrom(...reasons, 'late_usage' as const, 'price_correction' as const),
    named: fc.option(which, { nil: null, freq: 2 }),
    meters: fc.constantFrom<readonly MeterCode[] | null>(
      null,
      null,
      null,
      null,
      ['bytes'],
      ['calls'],
      ['bytes', 'calls'],
    ),
    dryRun: fc.nat({ max: 5 }).map((n) => n === 0),
    answer,
  })
  .map((its) => (its.reason === 'late_usage' || its.reason === 'usage_correction' ? { ...its, named: null } : its));

const stepOf = (reRate: ReRate): Step => ({ do: 're-rate', reRate });
const send = fc.array(content, { minLength: 1, maxLength: 6 }).map((contents): Step => ({ do: 'send', contents }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: send },
  { weight: 1, arbitrary: which.map((n): Step => ({ do: 'send again', which: n })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(which, content)
      .map(([n, other]): Step => ({ do: 'send with other content', which: n, content: other })),
  },
  { weight: 2, arbitrary: which.map((n): Step => ({ do: 'void event', which: n })) },
  {
    weight: 3,
    arbitrary: fc.tuple(which, content).map(([n, other]): Step => ({ do: 'amend', which: n, content: other })),
  },
  { weight: 1, arbitrary: which.map((n): Step => ({ do: 'amend back', which: n })) },
  { weight: 2, arbitrary: version.map((its): Step => ({ do: 'learn', version: its })) },
  { weight: 1, arbitrary: period.map((its): Step => ({ do: 'close windows', period: its })) },
  { weight: 2, arbitrary: period.map((its): Step => ({ do: 'close', period: its })) },
  { weight: 6, arbitrary: reRate.map(stepOf) },
  { weight: 3, arbitrary: fc.tuple(which, answer).map(([n, its]): Step => ({ do: 'answer', which: n, answer: its })) },
);

/** What follows on each other; the rest of a history comes in between often enough. */
const scene: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 24, arbitrary: step.map((its) => [its]) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(period, fc.array(step, { maxLength: 1 }))
      .map(([its, between]): Step[] => [{ do: 'void invoice', period: its }, ...between, { do: 'close', period: its }]),
  },
  { weight: 1, arbitrary: period.map((its): Step[] => [{ do: 'void invoice', period: its }]) },
  // One that waits while others go on.
  {
    weight: 4,
    arbitrary: fc
      .tuple(reRate, send, reRate, which)
      .map(([first, late, second, n]): Step[] => [
        stepOf({ ...first, answer: 'nothing' }),
        late,
        stepOf({ ...second, dryRun: false }),
        { do: 'answer', which: n, answer: 'approve' },
      ]),
  },
);

const few = fc.array(step, { maxLength: 5 });
/** Without a size most of them would be short. */
const many = fc.array(scene, { minLength: 6, maxLength: 16, size: 'max' }).map((scenes) => scenes.flat());
const closings: Step[] = [
  { do: 'close', period: 0 },
  { do: 'close', period: 1 },
];

export const history: fc.Arbitrary<History> = fc.record({
  currency: fc.constantFrom('USD' as const, 'USD' as const, 'JPY' as const, 'KWD' as const),
  approvalThreshold: fc.constantFrom(null, '0', '3.5'),
  versions: fc
    .tuple(first, fc.array(version, { maxLength: 3 }))
    .map(([its, more]): [HistoryVersion, ...HistoryVersion[]] => [its, ...more]),
  steps: fc
    .tuple(send, few, fc.subarray(closings), many)
    .map(([its, before, closed, after]): readonly Step[] => [its, ...before, ...closed, ...after]),
});

// What both sides of a proof do with a history ------------------------------------------------------------------------

/** What a history is told to; positions in lists are resolved before. */
export interface Subject {
  send(events: readonly { readonly id: string; readonly content: Content }[]): Promise<void> | void;
  adjust(id: string, replacement: Content | null): Promise<void> | void;
  learn(version: HistoryVersion, number: number): Promise<void> | void;
  closeWindows(period: PeriodIndex): Promise<void> | void;
  close(period: PeriodIndex): Promise<void> | void;
  /** @param named number of the version */
  reRate(reRate: Omit<ReRate, 'named'>, named: number | null): Promise<void> | void;
  /** How many re-ratings wait for an answer. */
  waiting(): number;
  answer(index: number, answer: Answer): Promise<void> | void;
  voidInvoice(period: PeriodIndex): Promise<void> | void;
}

/** Tells a history to one subject, step by step; a step about nothing that exists is passed over. */
export class Telling {
  private readonly sent: Content[] = [];
  private versions = 0;

  constructor(private readonly subject: Subject) {}

  async begin({ versions }: History): Promise<void> {
    for (const its of versions) await this.learn(its);
  }

  async tell(its: Step): Promise<void> {
    const { subject } = this;
    switch (its.do) {
      case 'send': {
        const events = its.contents.map((told, index) => ({ id: idOf(this.sent.length + index), content: told }));
        this.sent.push(...its.contents);
        return subject.send(events);
      }
      case 'send again':
        return this.withEvent(its.which, (id, original) => subject.send([{ id, content: original }]));
      case 'send with other content':
        return this.withEvent(its.which, (id) => subject.send([{ id, content: its.content }]));
      case 'void event':
        return this.withEvent(its.which, (id) => subject.adjust(id, null));
      case 'amend':
        return this.withEvent(its.which, (id) => subject.adjust(id, its.content));
      case 'amend back':
        return this.withEvent(its.which, (id, original) => subject.adjust(id, original));
      case 'learn':
        return this.learn(its.version);
      case 'close windows':
        return subject.closeWindows(its.period);
      case 'close':
        return subject.close(its.period);
      case 're-rate': {
        const { named, ...rest } = its.reRate;
        return subject.reRate(rest, named === null ? null : named % this.versions);
      }
      case 'answer':
        return subject.waiting() === 0 ? undefined : subject.answer(its.which % subject.waiting(), its.answer);
      case 'void invoice':
        return subject.voidInvoice(its.period);
    }
  }

  private async learn(its: HistoryVersion): Promise<void> {
    this.versions += 1;
    await this.subject.learn(its, this.versions - 1);
  }

  private withEvent<T>(which: number, work: (id: string, original: Content) => T): T | undefined {
    const index = which % Math.max(this.sent.length, 1);
    const original = this.sent[index];
    return original === undefined ? undefined : work(idOf(index), original);
  }
}

const idOf = (index: number): string => `event-${index + 1}`;
