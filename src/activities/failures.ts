import { ApplicationFailure } from '@temporalio/common';
import type { Activities } from '../contracts/activities.js';
import { DomainFailure } from '../domain/failure.js';

/**
 * A refusal stays a refusal however often it is tried: it ends the retries and carries its code to the workflow.
 * Everything else (a lost connection, a broken invariant) is retried by the activity's policy, visibly.
 */
export function refusalsEndRetries(activities: Activities): Activities {
  const functions = Object.entries(activities) as [string, (...parameters: never[]) => Promise<unknown>][];
  const translated = functions.map(([name, run]) => [
    name,
    async (...parameters: never[]): Promise<unknown> => {
      try {
        return await run(...parameters);
      } catch (error) {
        if (error instanceof DomainFailure) throw ApplicationFailure.nonRetryable(error.detail, error.code);
        throw error;
      }
    },
  ]);
  return Object.fromEntries(translated) as Activities;
}
