import { readySignal } from '../contracts/invoicing.js';
import { workflowTypes } from '../contracts/names.js';
import { invoicingStart } from '../contracts/start-options.js';
import type { LocalDate } from '../domain/values.js';
import type { ActivityDependencies } from './dependencies.js';

/**
 * Tells the invoicing of a billing day, started if it is not running, that it has work. A hint: the requests themselves are rows.
 * @param waiting who is ready
 */
export async function wakeInvoicing(
  { client }: Pick<ActivityDependencies, 'client'>,
  billingDay: LocalDate,
  waiting: { readonly customerId: string; readonly period: LocalDate },
): Promise<void> {
  await client.workflow.signalWithStart(workflowTypes.invoicing, {
    ...invoicingStart(billingDay),
    signal: readySignal,
    signalArgs: [waiting],
  });
}

/**
 * Wakes invoicing of every day with requests that nobody has decided about: whoever asked may have been lost before it told, and a run
 * that was told may be gone (terminated, its Temporal lost, or ahead of a database that was restored).
 */
export async function wakeWaitingInvoicing(dependencies: ActivityDependencies): Promise<void> {
  for (const { billingDay, ...waiting } of await dependencies.storage.periods.waitingInvoicing()) {
    await wakeInvoicing(dependencies, billingDay, waiting);
  }
}
