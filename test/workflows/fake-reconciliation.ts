/** A run in memory: so many pending periods, some of which differ. */
import type { Activities, ReconcileOutput } from '../../src/contracts/activities.js';

export class FakeReconciliation {
  /** Of the pending periods, in order: whether they differ. */
  pending: boolean[] = [];
  readonly begun: (string | null)[] = [];
  readonly chunks: number[] = [];
  readonly finished: string[] = [];

  get activities(): Pick<Activities, 'beginReconciliation' | 'reconcileChunk' | 'finishReconciliation'> {
    return {
      beginReconciliation: ({ runId }) => {
        this.begun.push(runId);
        return Promise.resolve({ runId: runId ?? 'daily-run' });
      },
      reconcileChunk: ({ limit }): Promise<ReconcileOutput> => {
        const chunk = this.pending.splice(0, limit);
        this.chunks.push(chunk.length);
        const different = chunk.filter((differs) => differs).length;
        return Promise.resolve({ periods: chunk.length, different, more: chunk.length === limit });
      },
      finishReconciliation: ({ runId }) => {
        this.finished.push(runId);
        return Promise.resolve();
      },
    };
  }
}

export const periods = (count: number, differing = 0): boolean[] =>
  Array.from({ length: count }, (_, index) => index < differing);
