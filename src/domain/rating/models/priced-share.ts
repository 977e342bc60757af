import type { D } from '../../decimal.js';
import type { DecimalString } from '../../values.js';
import type { CalculationDetails, TierCalculation } from '../rating.js';

/** What one price says about the share of a line's usage that it prices. */
export interface PricedShare {
  /** Not rounded. */
  readonly amount: D;
  /** Plain arithmetic that gives the amount, without the result: `1000 × 0.10 + 234 × 0.08`. Notes stand in brackets. */
  readonly formula: string;
  /** null where more than one price was applied. */
  readonly unitPrice: DecimalString | null;
  readonly tiers: readonly TierCalculation[];
  /** What the explanation of this model needs beside them. */
  readonly details?: CalculationDetails;
}
