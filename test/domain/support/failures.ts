import { DomainFailure, type FailureCode } from '../../../src/domain/failure.js';

/** The refusal; fails the test when there is none, or another kind of error. */
export function failureOf(action: () => unknown): DomainFailure {
  try {
    action();
  } catch (error) {
    if (error instanceof DomainFailure) return error;
    throw error;
  }
  throw new Error('expected a refusal');
}

/** The place that the refusal names. */
export function pointerOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof DomainFailure) return error.pointer;
    throw error;
  }
  throw new Error('expected a refusal');
}
/** The code of the refusal; fails the test when there is none, or another kind of error. */
export const codeOf = (action: () => unknown): FailureCode => failureOf(action).code;
