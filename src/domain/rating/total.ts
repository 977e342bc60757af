import { addDecimals } from '../decimal.js';
import type { DecimalString } from '../values.js';
import type { RatingResult } from './rating.js';

/** What rated lines come to: they are rounded, and their sum is not rounded again (RULES 24). */
export const totalOf = ({ lines }: Pick<RatingResult, 'lines'>): DecimalString =>
  addDecimals(lines.map(({ amount }) => amount));
