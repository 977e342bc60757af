import { DomainFailure } from '../failure.js';
import { typeName } from '../type-name.js';
import { msPerDay } from './instant.js';

/** About ten years: longer waits are mistakes, and sums with an instant stay far below 2^53 ms. */
const durationMsMax = 3660 * msPerDay;

const durationText =
  /^P(?=[0-9T])(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?=[0-9])(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:\.(\d{1,3}))?S)?)?$/;

/**
 * An ISO 8601 duration of fixed units in milliseconds: weeks, days (24 h), hours, minutes, seconds with up to three
 * decimals, such as `P1D`, `PT1H30M`, `PT0.25S`. Years and months have no fixed length and are refused; so is a sign.
 *
 * @throws DomainFailure INVALID_DURATION
 */
export function parseDuration(text: unknown, pointer?: string): number {
  const match = typeof text === 'string' ? durationText.exec(text) : null;
  if (match === null) throw invalid(text, pointer);
  const [weeks, days, hours, minutes, seconds] = match.slice(1, 6).map((part: string | undefined) => Number(part ?? 0));
  const milliseconds = Number((match[6] ?? '').padEnd(3, '0'));
  const allDays = (weeks ?? 0) * 7 + (days ?? 0);
  const ms = ((allDays * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60_000 + (seconds ?? 0) * 1000 + milliseconds;
  if (ms > durationMsMax) throw invalid(text, pointer);
  return ms;
}

function invalid(text: unknown, pointer: string | undefined): DomainFailure {
  const shown = typeof text === 'string' ? `"${text.slice(0, 40)}"` : typeName(text);
  const detail = `Expected an ISO 8601 duration in weeks, days, hours, minutes or seconds, up to ten years, such as "PT1H" or "P1D", and got ${shown}.`;
  return new DomainFailure('INVALID_DURATION', detail, pointer);
}
