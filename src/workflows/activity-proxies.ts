/** The activities with their time limits: every one has a start-to-close timeout and says what is retried. */
import { proxyActivities } from '@temporalio/workflow';
import type { ActivityInterfaceFor } from '@temporalio/workflow';
import type { Activities } from '../contracts/activities.js';
import { relayTaskQueue } from '../contracts/names.js';

/**
 * A database or network that is away comes back: retried without end, at first quickly. What can never succeed is thrown
 * by the activities as a non-retryable ApplicationFailure.
 */
const untilItAnswers = {
  initialInterval: '500 milliseconds',
  backoffCoefficient: 2,
  maximumInterval: '30 seconds',
} as const;

/** Reads and short writes of one period. */
export const periodActivities = proxyActivities<Activities>({ startToCloseTimeout: '1 minute', retry: untilItAnswers });

/** Aggregates everything that is due; a big customer's period takes a while, and a lost worker's is taken up soon. */
export const closingActivities = proxyActivities<Activities>({
  startToCloseTimeout: '15 minutes',
  heartbeatTimeout: '30 seconds',
  retry: untilItAnswers,
});

/** Heartbeats after every customer, so that a lost worker's chunk is taken up elsewhere soon. */
export const chunkActivities = proxyActivities<Activities>({
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '30 seconds',
  retry: untilItAnswers,
});

/** The relay is an activity that never ends by failing: a lost worker's is started elsewhere at once. */
export const relayActivities = (heartbeatTimeoutMs: number): ActivityInterfaceFor<Activities> =>
  proxyActivities<Activities>({
    taskQueue: relayTaskQueue,
    startToCloseTimeout: '26 hours',
    heartbeatTimeout: heartbeatTimeoutMs,
    retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
  });
