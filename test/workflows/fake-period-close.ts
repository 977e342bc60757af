/** A close in memory: so many targets, and invoicing that decides some of them whenever it is looked at. */
import type { Activities } from '../../src/contracts/activities.js';
import type { PeriodCloseProgress } from '../../src/contracts/period-close.js';

type Counts = { -readonly [K in keyof PeriodCloseProgress]: PeriodCloseProgress[K] };

export class FakePeriodClose {
  readonly chunks: number[] = [];
  follows = 0;
  /** Called before each activity. */
  before: (activity: keyof FakePeriodClose['activities']) => void = () => undefined;
  readonly counts: Counts = {
    ...{ planned: 0, notReady: 0, requested: 0, left: 0, issued: 0, held: 0, skipped: 0, alreadyInvoiced: 0 },
    ...{ remaining: 0, cancelled: false },
  };

  /** @param decidedAtOnce how many invoicing decides each time it is looked at */
  constructor(
    private readonly targets: number,
    private readonly decidedAtOnce = Number.POSITIVE_INFINITY,
  ) {}

  get activities(): Pick<Activities, 'planPeriodClose' | 'handOverPeriods' | 'followPeriodClose'> {
    return {
      planPeriodClose: () => {
        this.before('planPeriodClose');
        Object.assign(this.counts, { planned: this.targets, remaining: this.targets, notReady: 1 });
        return Promise.resolve({ ...this.counts });
      },
      handOverPeriods: ({ limit }) => {
        this.before('handOverPeriods');
        const { counts } = this;
        const chunk = counts.cancelled ? 0 : Math.min(limit, counts.planned - counts.requested);
        counts.requested += chunk;
        this.chunks.push(chunk);
        return Promise.resolve({
          progress: { ...counts },
          more: !counts.cancelled && counts.requested < counts.planned,
        });
      },
      followPeriodClose: () => {
        this.before('followPeriodClose');
        this.follows += 1;
        const { counts } = this;
        const decided = Math.min(this.decidedAtOnce, counts.requested - counts.issued - counts.held);
        const held = this.follows === 1 && decided > 0 ? 1 : 0;
        counts.held += held;
        counts.issued += decided - held;
        counts.remaining -= decided;
        return Promise.resolve({ ...counts });
      },
    };
  }
}
