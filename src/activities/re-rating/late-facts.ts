import { uuidOf } from '../../storage/identifiers.js';
import type { Position } from '../../domain/values.js';
import type { BillingPeriod } from '../../storage/types.js';

/** The re-rating that corrects a period for its very late facts up to a position: the same facts, the same one. */
export function lateReRatingIdOf({ customerId, period }: BillingPeriod, to: Position): string {
  return uuidOf('re-rating', 'late', customerId, period, to);
}
