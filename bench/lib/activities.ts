/** The activities as a worker would run them, without Temporal. */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createActivities } from '../../src/activities/index.js';
import type { Activities } from '../../src/activities/index.js';
import type { ActivityDependencies } from '../../src/activities/dependencies.js';
import { msToInstant } from '../../src/domain/time/instant.js';
import type { ReRatingReason } from '../../src/domain/correction/reasons.js';
import { inParallel } from '../../src/relay/in-parallel.js';
import type { InvoicingRequest, PeriodKeyOf, Storage } from '../../src/storage/types.js';

/** Gates open at a time, as in the activities. */
export const gatesAtATime = 4;
/** Periods an activity, as the workflows ask. */
const chunk = 200;

export function dependenciesOn(storage: Storage): ActivityDependencies {
  return {
    storage,
    client: new Client(), // connects on first use, and nothing here uses it
    now: () => msToInstant(Date.now()),
    settings: {
      outOfOrdernessMs: 60_000,
      idleTimeoutMs: 300_000,
      signalIntervalMs: 300_000,
      relayTickMs: 5_000,
      ratingCadence: 'every_close',
      seller: { name: 'Bench Ltd' },
      paymentTermsDays: 14,
      priceFallbackMaxAgeMs: 3_600_000,
      closeJitterMs: 0,
    },
  };
}

export interface BenchActivities {
  readonly activities: Activities;
  run<P extends unknown[], R>(activity: (...parameters: P) => Promise<R>, ...parameters: P): Promise<R>;
}

export function activitiesOn(storage: Storage): BenchActivities {
  return {
    activities: createActivities(dependenciesOn(storage)),
    run: <P extends unknown[], R>(activity: (...parameters: P) => Promise<R>, ...parameters: P) =>
      new MockActivityEnvironment().run<P, R, typeof activity>(activity, ...parameters),
  };
}

export const billingDay = '2024-02-01' as InvoicingRequest['billingDay'];

/** Closes and invoices these periods. */
export async function invoiceAll(
  storage: Storage,
  { activities, run }: BenchActivities,
  periods: readonly PeriodKeyOf[],
): Promise<void> {
  await inParallel(periods, gatesAtATime, async ({ customerId, period }) => {
    const request = { requestId: randomUUID(), customerId, period, billingDay, forced: false, reason: null };
    await storage.periods.requestInvoicing(request);
  });
  let issued = 0;
  for (let more = true; more;) {
    const done = await run(activities.issueChunk, { billingDay, limit: chunk });
    issued += done.issued;
    ({ more } = done);
  }
  if (issued !== periods.length) throw new Error(`${issued} of ${periods.length} periods were invoiced`);
}

/** Asks for a re-rating of these periods. */
export async function askForReRating(
  storage: Storage,
  targets: readonly PeriodKeyOf[],
  reason: ReRatingReason,
): Promise<string> {
  const reRatingId = randomUUID();
  await storage.reRatings.create(
    {
      reRatingId,
      workflowId: `re-rating/${reRatingId}`,
      reason,
      scope: { customerIds: targets.map(({ customerId }) => customerId), meters: null, from: null, to: null },
      priceBookId: null,
      dryRun: false,
      requestedBy: 'bench',
    },
    targets,
  );
  return reRatingId;
}

/** Compares and corrects, as the workflow does; answers how many periods were corrected. */
export async function reRate({ activities, run }: BenchActivities, reRatingId: string): Promise<number> {
  const step = { reRatingId, attempt: 1, limit: chunk };
  let corrected = 0;
  for (let more = true; more;) ({ more } = await run(activities.compareReRating, step));
  for (let more = true; more;) {
    const done = await run(activities.correctReRating, step);
    corrected += done.corrected;
    ({ more } = done);
  }
  return corrected;
}
