import type { RatingProblem } from './rating.js';

/** Usage that no price is for: never zero in silence (RULES 17, 20). */
export const unpricedCodes: ReadonlySet<RatingProblem['code']> = new Set([
  'UNPRICED_METER',
  'METER_DROPPED_FROM_PRICE_BOOK',
]);
