/** The typed keys of the search attributes. Values are stored unencrypted: ids only, never personal data. */
import { defineSearchAttributeKey } from '@temporalio/common';

export const customerIdKey = defineSearchAttributeKey('CustomerId', 'KEYWORD');
export const billingPeriodKey = defineSearchAttributeKey('BillingPeriod', 'KEYWORD');
export const billingStageKey = defineSearchAttributeKey('BillingStage', 'KEYWORD');
export const invoiceNumberKey = defineSearchAttributeKey('InvoiceNumber', 'KEYWORD');
export const needsAttentionKey = defineSearchAttributeKey('NeedsAttention', 'BOOL');

/** What a worker registers with the namespace at start-up. */
export const searchAttributeKeys = [
  customerIdKey,
  billingPeriodKey,
  billingStageKey,
  invoiceNumberKey,
  needsAttentionKey,
] as const;
