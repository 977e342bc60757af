/** Names that API, relay, workflows, activities and operators share. Ids are business keys: no PII, below 255 characters. */
import type { LocalDate } from '../domain/values.js';

export const taskQueue = 'reckoner';
/** The relay has a queue of its own, so that long relay activities never take the slots of window closes. */
export const relayTaskQueue = 'reckoner-relay';

export const workflowTypes = {
  billingPeriod: 'billingPeriod',
  invoicing: 'invoicing',
  usageRelay: 'usageRelay',
  periodSweep: 'periodSweep',
} as const;

export const billingPeriodWorkflowId = (customerId: string, period: LocalDate): string =>
  `billing-period/${encodeURIComponent(customerId)}/${period}`;
export const invoicingWorkflowId = (billingDay: LocalDate): string => `invoicing/${billingDay}`;
export const usageRelayWorkflowId = (group: string): string => `usage-relay/${group}`;
export const periodSweepScheduleId = 'period-sweep';
export const periodSweepWorkflowId = 'period-sweep/run';

/** The only relay group of a single deployment: all 64 partitions. */
export const allPartitions = 'all';

export const searchAttributes = {
  CustomerId: 'Keyword',
  BillingPeriod: 'Keyword',
  BillingStage: 'Keyword',
  InvoiceNumber: 'Keyword',
  NeedsAttention: 'Bool',
} as const;
