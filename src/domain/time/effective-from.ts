import { DomainFailure } from '../failure.js';
import type { Instant, LocalDate } from '../values.js';
import { isHourAligned, parseInstant } from './instant.js';
import { parseLocalDate } from './local-date.js';

/** A date has no time; what has neither shape is refused as an instant. */
export const isLocalDate = (value: string): value is LocalDate => /^\d{4}-\d{2}-\d{2}$/.test(value);

/**
 * When a version of a price book or meter begins: a full hour of UTC, because usage is summed by such hours, or a local date,
 * which means midnight in each customer's zone (RULES 19, 31).
 *
 * @throws DomainFailure EFFECTIVE_FROM_NOT_ALIGNED, INVALID_INSTANT, INSTANT_WITHOUT_OFFSET, INVALID_DATE
 */
export function parseEffectiveFrom(text: string, pointer: string): Instant | LocalDate {
  if (isLocalDate(text)) return parseLocalDate(text, pointer);
  if (/^\d{4}-\d{2}$/.test(text)) {
    const detail = `"${text}" is a month: give a full hour of UTC ("${text}-01T00:00:00Z"), or a local date ("${text}-01", midnight in each customer's zone).`;
    throw new DomainFailure('INVALID_INSTANT', detail, pointer);
  }
  return parseAlignedInstant(text, pointer);
}

/** @throws DomainFailure EFFECTIVE_FROM_NOT_ALIGNED, INVALID_INSTANT, INSTANT_WITHOUT_OFFSET */
export function parseAlignedInstant(text: string, pointer: string): Instant {
  const instant = parseInstant(text, pointer);
  if (isHourAligned(instant)) return instant;
  const detail =
    'A version begins on a full hour of UTC, or on a local date ("2024-01-15", midnight in each customer\'s zone).';
  throw new DomainFailure('EFFECTIVE_FROM_NOT_ALIGNED', detail, pointer);
}
