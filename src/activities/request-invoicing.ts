import type { RequestInvoicingInput, RequestInvoicingOutput } from '../contracts/activities.js';
import { workflowTypes } from '../contracts/names.js';
import { billingPeriodStart } from '../contracts/start-options.js';
import { instantToMs } from '../domain/time/instant.js';
import { customerOf } from '../billing/price-facts.js';
import type { BillingPeriod } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { periodOf } from './period-facts.js';
import { wakeInvoicing } from './wake-invoicing.js';

/** Hands a period over: a row that `invoicing` works off, a signal that wakes it, and the next period's workflow. */
export function requestInvoicing(dependencies: ActivityDependencies) {
  const { storage } = dependencies;
  return async (input: RequestInvoicingInput): Promise<RequestInvoicingOutput> => {
    const { customerId, period: name, requestId, billingDay, forced, reason } = input;
    const period = await periodOf(storage, input);
    const status = await storage.periods.status(customerId, name);
    const alreadyInvoiced = status?.stage === 'invoiced';
    if (!alreadyInvoiced && input.onDemand !== true) {
      const backfills = await storage.backfills.openIn(customerId, period);
      // The next period's workflow does not wait for it.
      if (backfills.length > 0) {
        await startNextPeriod(dependencies, period, input.nowMs);
        return { alreadyInvoiced, held: true };
      }
    }
    if (!alreadyInvoiced) {
      await storage.periods.requestInvoicing({ requestId, customerId, period: name, billingDay, forced, reason });
      await wakeInvoicing(dependencies, billingDay, { customerId, period: name });
    }
    await startNextPeriod(dependencies, period, input.nowMs);
    return { alreadyInvoiced };
  };
}

/**
 * The next period has a workflow from its beginning on, so that it closes without usage too. Before `billing_from` only
 * usage makes periods, and their workflows; a period that has not begun is started by its first usage or by the sweep.
 */
async function startNextPeriod(
  { storage, client }: ActivityDependencies,
  period: BillingPeriod,
  nowMs: number,
): Promise<void> {
  const customer = await customerOf(storage, period.customerId);
  if (period.period < customer.billingFrom || instantToMs(period.to) > nowMs) return;
  const next = await storage.periods.periodAt(period.customerId, period.to);
  const status = await storage.periods.status(next.customerId, next.period);
  if (status !== null && status.stage !== 'open' && status.stage !== 'closing') return;
  await client.workflow.start(workflowTypes.billingPeriod, billingPeriodStart(next.customerId, next.period));
}
