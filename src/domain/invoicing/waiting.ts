/** What keeps a billing period from being invoiced. */

/** Stages of a period that has still to be invoiced, and waits for something or somebody. */
export const waitingStages = ['closing', 'ready', 'held', 'void'] as const;
export type WaitingStage = (typeof waitingStages)[number];

/** Codes of findings that hold the invoice of their period; docs/guides/OPERATE.md says what to do about each. */
export const holdingCodes: readonly string[] = [
  'UNPRICED_METER',
  'METER_DROPPED_FROM_PRICE_BOOK',
  'TOO_MANY_GROUPS',
  'NEGATIVE_TOTAL',
  'CURRENCY_MISMATCH',
  'EXCHANGE_RATE_MISSING',
  'UNREADABLE_VALUE',
  'INVOICING_FAILED',
  'INVOICE_HELD',
  'DOUBLE_BILLING',
  'TAX_DATA_MISSING',
  'TAX_RATE_MISSING',
  'TAX_UNAVAILABLE',
  'CHAIN_BROKEN',
];
