import { workflowTypes } from '../contracts/names.js';
import { billingPeriodStart } from '../contracts/start-options.js';
import { leavesLevel } from '../billing/closing-level.js';
import { customerOf } from '../billing/price-facts.js';
import { everyPage } from '../storage/every-page.js';
import type { Position } from '../domain/values.js';
import type { BillingPeriod } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { lateReRatingIdOf } from './re-rating/late-facts.js';

/** Findings of a period that are looked through for one. */
const findingsAtOnce = 200;

/**
 * What settles a period may have changed the level that the next ones begin with (RULES 3). Starts the workflow of the first
 * one that this concerns, which may exist only because of it (RULES 65); when that one has been decided, it is the turn of the
 * next: so they are corrected in order.
 */
export async function startFirstLateAfter(
  { storage, client, now }: ActivityDependencies,
  period: BillingPeriod,
): Promise<boolean> {
  const made =
    period.to <= now() ? await storage.periods.carryOn(period, (before) => leavesLevel(storage, before)) : null;
  const later = made ?? (await storage.periods.firstLateAfter(period));
  if (later === null) return false;
  await client.workflow.start(workflowTypes.billingPeriod, billingPeriodStart(later.customerId, later.period));
  return true;
}

/**
 * The safety net behind it, for what a lost process or a terminated workflow has left: starts the workflow of every invoiced
 * period with very late facts that nobody has been told of and nobody has decided about, and of every skipped one with facts since
 * (RULES 64), in order of customer and time.
 * @returns how many
 */
export async function startLatePeriods(dependencies: ActivityDependencies, pageSize: number): Promise<number> {
  const { storage, client } = dependencies;
  let started = 0;
  let inOrder: string | null = null;
  for await (const page of everyPage((request) => storage.periods.perhapsLatePeriods(request), pageSize)) {
    for (const period of page) {
      if (period.customerId === inOrder) continue;
      if (!(await isWaiting(dependencies, period))) continue;
      await client.workflow.start(workflowTypes.billingPeriod, billingPeriodStart(period.customerId, period.period));
      started += 1;
      // Where a level is carried on, the next one's turn comes when this one is settled.
      if ((await storage.periods.firstLateAfter(period)) !== null) inOrder = period.customerId;
    }
  }
  return started;
}

/** It has facts that its invoice, or its skip, has not seen, and nobody looks at. */
async function isWaiting(dependencies: ActivityDependencies, period: BillingPeriod): Promise<boolean> {
  const { periods } = dependencies.storage;
  const { to } = await periods.veryLateFacts(period);
  return to === null ? (await periods.factsSinceSkip(period)).count > 0 : !(await isKnown(dependencies, period, to));
}

/** A correction of these very facts was begun (which goes on by itself, or has ended), or they were noted for a person. */
async function isKnown({ storage }: ActivityDependencies, period: BillingPeriod, to: Position): Promise<boolean> {
  const { customerId } = period;
  if ((await customerOf(storage, customerId)).lateUsageQuietTime !== 'manual') {
    return (await storage.reRatings.find(lateReRatingIdOf(period, to))) !== null;
  }
  const { data } = await storage.findings.list(
    { customerId, period: period.period, code: 'LATE_USAGE' },
    { limit: findingsAtOnce },
  );
  return data.some(({ subject }) => subject.to_position === to);
}
