import type { Activities } from '../contracts/activities.js';
import type { ActivityDependencies } from './dependencies.js';

/** Stores the report of the whole run; doing it again changes nothing. */
export function finishEvaluation({ storage }: ActivityDependencies): Activities['finishEvaluation'] {
  return ({ evaluationId }) => storage.evaluations.finish(evaluationId);
}
