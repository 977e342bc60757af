/** Why a period is rated again. */
export const reRatingReasons = [
  'late_usage',
  'usage_correction',
  'price_correction',
  'rating_defect',
  'dispute',
  'manual',
] as const;

export type ReRatingReason = (typeof reRatingReasons)[number];

/** As GET /re-ratings tells it; a re-rating ends with one of the last three. */
export const reRatingStatuses = [
  'comparing',
  'awaiting_approval',
  'correcting',
  'reconciling',
  'completed',
  'no_difference',
  'rejected',
] as const;

export type ReRatingStatus = (typeof reRatingStatuses)[number];

const finalStatuses: readonly ReRatingStatus[] = ['completed', 'no_difference', 'rejected'];

export const hasEnded = (status: ReRatingStatus): boolean => finalStatuses.includes(status);

/**
 * Whether the versions of the period's last rating hold (RULES 21): what is learned about usage never changes prices, meters
 * or customer facts by the side door; every other reason may move them.
 */
export const keepsPins = (reason: ReRatingReason): boolean => reason === 'late_usage' || reason === 'usage_correction';
