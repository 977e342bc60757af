import type { PriceSegment, RatingInput } from './rating.js';

/** The segments in which something is due by itself; of an opening period none (RULES 18). */
export const dueIn = ({
  segments,
  isOpening = false,
}: Pick<RatingInput, 'segments' | 'isOpening'>): readonly PriceSegment[] => (isOpening ? [] : segments);
