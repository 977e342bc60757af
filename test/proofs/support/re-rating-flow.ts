/**
 * How a re-rating goes, for subjects that keep everything in memory: compare every period → ask, where a difference is beyond the
 * threshold → correct → compare again what has moved. Told from the contract, not from the workflow's code.
 */
import type { Answer, PeriodIndex, ReRate } from './history.js';

export interface Compared {
  /** Changed amounts by line, as one text. */
  readonly differences: string;
  readonly needsApproval: boolean;
}

export interface Comparing<C extends Compared> {
  /** null: held, and done with. */
  compare(period: PeriodIndex, reRate: Omit<ReRate, 'named'>, named: number | null): Promise<C | null> | C | null;
  /** false: the chain ends elsewhere than when it was compared. */
  settle(period: PeriodIndex, compared: C): Promise<boolean> | boolean;
}

interface Waiting<C> {
  readonly reRate: Omit<ReRate, 'named'>;
  readonly named: number | null;
  /** Of the periods that have no outcome yet. */
  readonly compared: ReadonlyMap<PeriodIndex, C>;
  /** By period, what an approval was given to. */
  readonly approved: readonly string[];
}

export class ReRatingFlow<C extends Compared> {
  private queue: readonly Waiting<C>[] = [];

  constructor(private readonly comparing: Comparing<C>) {}

  waiting(): number {
    return this.queue.length;
  }

  async start(reRate: Omit<ReRate, 'named'>, named: number | null): Promise<void> {
    const compared = await this.compareAll(reRate.periods, reRate, named);
    if (!reRate.dryRun) await this.proceed({ reRate, named, compared, approved: [] }, reRate.answer);
  }

  async answer(index: number, answer: Answer): Promise<void> {
    const waiting = this.queue[index];
    if (waiting === undefined || answer === 'nothing') return;
    this.queue = this.queue.filter((other) => other !== waiting);
    await this.proceed(waiting, answer);
  }

  private async proceed(from: Waiting<C>, answer: Answer): Promise<void> {
    let at = from;
    for (;;) {
      const { reRate, named, compared, approved } = at;
      if (asks(at)) {
        if (answer === 'nothing') this.queue = [...this.queue, at];
        if (answer !== 'approve') return;
        at = { ...at, approved: [...approved, ...[...compared].map(shown)] };
      }
      const moved: PeriodIndex[] = [];
      for (const [period, its] of compared) if (!(await this.comparing.settle(period, its))) moved.push(period);
      const again = await this.compareAll(moved, reRate, named);
      if (again.size === 0) return;
      at = { ...at, compared: again };
    }
  }

  private async compareAll(
    periods: readonly PeriodIndex[],
    reRate: Omit<ReRate, 'named'>,
    named: number | null,
  ): Promise<ReadonlyMap<PeriodIndex, C>> {
    const compared = new Map<PeriodIndex, C>();
    for (const period of periods) {
      const its = await this.comparing.compare(period, reRate, named);
      if (its !== null) compared.set(period, its);
    }
    return compared;
  }
}

const shown = ([period, { differences }]: readonly [PeriodIndex, Compared]): string => `${period} ${differences}`;

function asks({ compared, approved }: Waiting<Compared>): boolean {
  return [...compared].some((its) => its[1].needsApproval && !approved.includes(shown(its)));
}
