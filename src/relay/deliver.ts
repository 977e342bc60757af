import type { Client } from '@temporalio/client';
import type { UsageRecorded } from '../contracts/billing-period.js';
import { usageRecordedSignal } from '../contracts/billing-period.js';
import { workflowTypes } from '../contracts/names.js';
import { billingPeriodStart } from '../contracts/start-options.js';
import type { UsageRange } from '../storage/types.js';

/** A signal stays below 64 KB; a longer one would only say what the ledger says better (DESIGN 1). */
export const signalBytesMax = 64_000;

/** Delivers a range by signalWithStart: atomic, and it works while every worker is down. */
export function deliverTo(client: Client): (range: UsageRange) => Promise<void> {
  return async (range) => {
    await client.workflow.signalWithStart(workflowTypes.billingPeriod, {
      ...billingPeriodStart(range.customerId, range.period),
      signal: usageRecordedSignal,
      signalArgs: [messageOf(range)],
    });
  };
}

export function messageOf({ from, to, eventCount, maxEventTime, sums }: UsageRange): UsageRecorded {
  const fits = sums === null || Buffer.byteLength(JSON.stringify(sums)) <= signalBytesMax;
  return { from, to, eventCount, maxEventTime, sums: fits ? sums : null };
}
