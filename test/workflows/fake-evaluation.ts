/** A run in memory: so many pending periods, some of which do not compare. */
import type { Activities, EvaluateOutput } from '../../src/contracts/activities.js';

export class FakeEvaluation {
  /** Of the pending periods, in order: whether they compare. */
  pending: boolean[] = [];
  readonly chunks: number[] = [];
  readonly finished: string[] = [];
  /** Called before each chunk. */
  before: () => void = () => undefined;

  get activities(): Pick<Activities, 'evaluateChunk' | 'finishEvaluation'> {
    return {
      evaluateChunk: ({ limit }): Promise<EvaluateOutput> => {
        this.before();
        const chunk = this.pending.splice(0, limit);
        this.chunks.push(chunk.length);
        const notComparable = chunk.filter((compares) => !compares).length;
        return Promise.resolve({ periods: chunk.length, notComparable, more: chunk.length === limit });
      },
      finishEvaluation: ({ evaluationId }) => {
        this.finished.push(evaluationId);
        return Promise.resolve();
      },
    };
  }
}

export const periods = (count: number, notComparable = 0): boolean[] =>
  Array.from({ length: count }, (_, index) => index >= notComparable);
