import { continueAsNew } from '@temporalio/workflow';
import type { UsageRelayInput } from '../contracts/usage-relay.js';
import { msPerDay } from '../domain/time/instant.js';
import { relayActivities } from './activity-proxies.js';

/**
 * Keeps the relay running: one long activity that holds a fencing epoch. When its worker dies, heartbeats stop and the
 * activity starts elsewhere. Once a day it returns, and the workflow begins a new history.
 */
export async function usageRelay(input: UsageRelayInput): Promise<void> {
  const { runRelay } = relayActivities(input.heartbeatTimeoutMs);
  await runRelay.executeWithOptions({ summary: `Tail the usage ledger, partitions: ${input.group}` }, [
    { group: input.group, runForMs: msPerDay },
  ]);
  await continueAsNew<typeof usageRelay>(input);
}
