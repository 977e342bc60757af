/** A re-rating in memory, with the activities of `reRating` on it. */
import type {
  CompareReRatingOutput,
  CorrectReRatingOutput,
  EndReRatingOutput,
  ReconcileOutput,
  ReRatingStepInput,
} from '../../src/contracts/activities.js';

export interface FakeTarget {
  /** What the comparison of each attempt finds; the last one holds for later attempts. */
  readonly differs: readonly boolean[];
  /** At the first correction its chain has moved. */
  readonly movesOnce?: boolean;
}

interface TargetState extends FakeTarget {
  compared: number;
  settled: boolean;
  hasMoved: boolean;
}

export class FakeReRating {
  readonly calls: string[] = [];
  dryRun = false;
  /** Attempts whose differences need a person. */
  needsApproval: readonly number[] = [];
  readonly decisions = new Map<number, 'approved' | 'rejected'>();
  /** Of the periods that were corrected: how many do not reconcile. */
  different = 0;
  issued = 0;
  private readonly targets: TargetState[];

  constructor(targets: readonly FakeTarget[]) {
    this.targets = targets.map((target) => ({ ...target, compared: 0, settled: false, hasMoved: false }));
  }

  get activities() {
    return {
      compareReRating: (input: ReRatingStepInput) => this.compare(input),
      readDecision: ({ attempt }: { attempt: number }) => {
        this.calls.push(`decision ${attempt}`);
        return Promise.resolve(this.decisions.get(attempt) ?? null);
      },
      correctReRating: (input: ReRatingStepInput) => this.correct(input),
      reconcileReRating: () => {
        this.calls.push('reconcile');
        const output: ReconcileOutput = { periods: this.issued, different: this.different, more: false };
        return Promise.resolve(output);
      },
      endReRating: ({ rejected }: { rejected: boolean }) => {
        this.calls.push(rejected ? 'end rejected' : 'end');
        const settled = this.issued > 0 ? 'completed' : 'no_difference';
        const output: EndReRatingOutput = { status: rejected ? 'rejected' : settled, restarted: 0 };
        return Promise.resolve(output);
      },
    };
  }

  private compare(input: ReRatingStepInput): Promise<CompareReRatingOutput> {
    const attempt = Math.max(input.attempt, ...this.targets.map(({ compared }) => compared));
    const pending = this.targets.filter((target) => !target.settled && target.compared === 0).slice(0, input.limit);
    for (const target of pending) target.compared = attempt;
    this.calls.push(`compare ${attempt}: ${pending.length}`);
    const done = { attempt, compared: pending.length, held: 0 };
    if (pending.length === input.limit)
      return Promise.resolve({ ...done, more: true, next: null, status: 'comparing' });
    const open = this.targets.filter(({ settled }) => !settled);
    const differing = open.filter(
      (target) => target.differs[Math.min(target.compared, target.differs.length) - 1],
    ).length;
    if (this.dryRun) {
      const status = differing > 0 ? 'completed' : 'no_difference';
      return Promise.resolve({ ...done, more: false, next: 'ended', status });
    }
    const next = differing > 0 && this.needsApproval.includes(attempt) ? 'awaiting_approval' : 'correcting';
    return Promise.resolve({ ...done, more: false, next, status: next });
  }

  private correct({ attempt, limit }: ReRatingStepInput): Promise<CorrectReRatingOutput> {
    const pending = this.targets.filter(({ settled, compared }) => !settled && compared <= attempt).slice(0, limit);
    const done = { corrected: 0, unchanged: 0, held: 0, moved: 0 };
    for (const target of pending) {
      if (target.movesOnce === true && !target.hasMoved) {
        target.hasMoved = true;
        target.compared = attempt + 1;
        done.moved += 1;
        continue;
      }
      target.settled = true;
      const differs = target.differs[Math.min(target.compared, target.differs.length) - 1] === true;
      done[differs ? 'corrected' : 'unchanged'] += 1;
    }
    this.issued += done.corrected;
    this.calls.push(`correct ${attempt}: ${pending.length}`);
    const lastInvoiceNumber = this.issued === 0 ? null : `INV-${String(this.issued).padStart(6, '0')}`;
    return Promise.resolve({ ...done, more: pending.length === limit, lastInvoiceNumber });
  }
}
