/** Workflows changed as a careless commit would change them. Replay must refuse each: see replay.test.ts. */
import { sleep } from '@temporalio/workflow';
import type { BillingPeriodInput, BillingPeriodOutcome } from '../../src/contracts/billing-period.js';
import type { InvoicingInput, InvoicingProgress } from '../../src/contracts/invoicing.js';
import * as real from '../../src/workflows/index.js';
import { relayActivities } from '../../src/workflows/activity-proxies.js';
import type { UsageRelayInput } from '../../src/contracts/usage-relay.js';

/** A timer that old runs did not have. */
export async function billingPeriod(input: BillingPeriodInput): Promise<BillingPeriodOutcome> {
  await sleep(1);
  return real.billingPeriod(input);
}

/** An activity that old runs ran is left out. */
export function invoicing(_input: InvoicingInput): Promise<InvoicingProgress> {
  return Promise.resolve({ issued: 0, held: 0, skipped: 0, alreadyInvoiced: 0 });
}

/** Another activity in the place of the old one. */
export async function usageRelay(input: UsageRelayInput): Promise<void> {
  await relayActivities(input.heartbeatTimeoutMs).sweepPeriods();
}

export { periodSweep } from '../../src/workflows/index.js';
