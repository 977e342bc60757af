import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { CompareReRatingOutput, ReRatingStepInput } from '../../contracts/activities.js';
import type { ReRatingInput, ReRatingProgress } from '../../contracts/re-rating.js';
import { billingStageKey, invoiceNumberKey, needsAttentionKey } from '../../contracts/search-attributes.js';
import { chunkActivities, periodActivities } from '../activity-proxies.js';

/** Periods an activity. */
const chunkSize = 200;

/** One run of `reRating`: what operators see of it, and the steps it can take. The workflow function decides which comes next. */
export class ReRatingRun {
  progress: ReRatingProgress;
  private isDecided = false;
  private lastNumber: string | null = null;
  private doesNotReconcile = false;

  constructor(private readonly input: ReRatingInput) {
    this.progress = { status: 'comparing', attempt: input.attempt ?? 1, compared: 0, corrected: 0, held: 0 };
  }

  /** A hint: the decision itself is read from its row. */
  noteDecision(): void {
    this.isDecided = true;
  }

  nextAttempt(): void {
    this.show({ status: 'comparing', attempt: this.progress.attempt + 1 });
  }

  /** All targets of the attempt that have no outcome yet. */
  async compare(): Promise<CompareReRatingOutput> {
    for (;;) {
      const summary = `Compare up to ${chunkSize} periods, attempt ${this.progress.attempt}`;
      const compared = await chunkActivities.compareReRating.executeWithOptions({ summary }, [this.step]);
      const { attempt, status, held } = compared;
      this.show({ attempt, status, held, compared: this.progress.compared + compared.compared });
      if (!compared.more) return compared;
      await this.continueAsNewWhenLong();
    }
  }

  /** Waits for it without end: a person decides. */
  async decision(): Promise<'approved' | 'rejected'> {
    const { reRatingId, attempt } = this.step;
    for (;;) {
      this.isDecided = false;
      const decided = await periodActivities.readDecision.executeWithOptions({ summary: 'Read the decision' }, [
        { reRatingId, attempt },
      ]);
      if (decided !== null) return decided;
      await condition(() => this.isDecided);
    }
  }

  /** How many chains had moved: they were compared again, under the next attempt. */
  async correct(): Promise<number> {
    let moved = 0;
    for (;;) {
      const summary = `Correct up to ${chunkSize} periods, attempt ${this.progress.attempt}`;
      const chunk = await chunkActivities.correctReRating.executeWithOptions({ summary }, [this.step]);
      moved += chunk.moved;
      this.lastNumber = chunk.lastInvoiceNumber ?? this.lastNumber;
      const { corrected, held } = this.progress;
      this.show({ status: 'correcting', corrected: corrected + chunk.corrected, held: held + chunk.held });
      if (!chunk.more) return moved;
      await this.continueAsNewWhenLong();
    }
  }

  /** A run that continues does not know what an earlier one has corrected; the rows do, and nothing to look at costs little. */
  async reconcile(): Promise<void> {
    const { reRatingId, attempt } = this.step;
    const { different } = await chunkActivities.reconcileReRating.executeWithOptions(
      { summary: 'Reconcile what was corrected' },
      [{ reRatingId, attempt }],
    );
    this.doesNotReconcile = different > 0;
  }

  async end({ rejected }: { readonly rejected: boolean }): Promise<ReRatingProgress> {
    const { reRatingId, attempt } = this.step;
    const { status } = await chunkActivities.endReRating.executeWithOptions({ summary: 'Store how it ended' }, [
      { reRatingId, attempt, rejected },
    ]);
    if (this.lastNumber !== null) upsertSearchAttributes([{ key: invoiceNumberKey, value: this.lastNumber }]);
    this.show({ status });
    return this.progress;
  }

  private get step(): ReRatingStepInput {
    return { reRatingId: this.input.reRatingId, attempt: this.progress.attempt, limit: chunkSize };
  }

  private async continueAsNewWhenLong(): Promise<void> {
    if (!workflowInfo().continueAsNewSuggested) return;
    await condition(allHandlersFinished);
    const { reRatingId, attempt } = this.step;
    await continueAsNew<(input: ReRatingInput) => Promise<unknown>>({ reRatingId, attempt });
  }

  /** Each change of a search attribute is an action: only a status that differs is written. */
  private show(changes: Partial<ReRatingProgress>): void {
    const before = this.progress;
    this.progress = { ...before, ...changes };
    const { status, held } = this.progress;
    if (status !== before.status) {
      const needsAttention = status === 'awaiting_approval' || held > 0 || this.doesNotReconcile;
      upsertSearchAttributes([
        { key: billingStageKey, value: status },
        { key: needsAttentionKey, value: needsAttention },
      ]);
    }
    setCurrentDetails(markdownOf(this.progress, this.lastNumber));
  }
}

function markdownOf(
  { status, attempt, compared, corrected, held }: ReRatingProgress,
  lastNumber: string | null,
): string {
  return [
    `| Status | ${status} |`,
    '| --- | --- |',
    `| Attempt | ${attempt} |`,
    `| Compared | ${compared} |`,
    `| Corrected | ${corrected} |`,
    `| Held (findings say why) | ${held} |`,
    `| Last document | ${lastNumber ?? '–'} |`,
    ...(status === 'awaiting_approval' ? ['', 'Waits for `POST /re-ratings/{id}/approve` or `reject`.'] : []),
  ].join('\n');
}
