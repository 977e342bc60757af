/** Accounting months (RULES 46): calendar months, cut in the zone of the document that something was billed by. */
import { DomainFailure } from '../domain/failure.js';
import { addDays } from '../domain/time/local-date.js';
import { addMs } from '../domain/time/instant.js';
import type { MonthPart } from '../domain/ledger/recognition.js';
import type { Instant, Interval, LocalDate } from '../domain/values.js';
import { localDateAt, startOfLocalDay } from './time-zones.js';

const firstOfMonth = (date: LocalDate): LocalDate => `${date.slice(0, 7)}-01` as LocalDate;
/** 31 days after the first of a month is in the next one, but for months of 31 days; 32 always are. */
export const nextMonth = (month: LocalDate): LocalDate => firstOfMonth(addDays(firstOfMonth(month), 32));
/** The instant at which the last place on earth has finished the month: noon of UTC on the first day of the next one. */
export const monthIsOverAt = (month: LocalDate): Instant => `${nextMonth(month)}T12:00:00.000000Z` as Instant;
/** What a closing before then is refused with. */
export const monthNotOver = (month: LocalDate): DomainFailure => {
  const detail = `${month.slice(0, 7)} is over everywhere at ${monthIsOverAt(month)}; it can be closed then.`;
  return new DomainFailure('ACCOUNTING_MONTH_NOT_OVER', detail);
};

/**
 * The interval cut at the beginnings of local months.
 * @throws DomainFailure UNKNOWN_TIME_ZONE
 */
export function partsByMonth(interval: Interval, timeZone: string): readonly [MonthPart, ...MonthPart[]] {
  const cut = (from: Instant): MonthPart => {
    const month = firstOfMonth(localDateAt(from, timeZone));
    const next = startOfLocalDay(nextMonth(month), timeZone);
    const to = next < interval.to ? next : interval.to;
    return { month, lastDay: localDateAt(addMs(to, -1), timeZone), from, to };
  };
  const parts: [MonthPart, ...MonthPart[]] = [cut(interval.from)];
  for (let last = parts[0]; last.to < interval.to;) {
    last = cut(last.to);
    parts.push(last);
  }
  return parts;
}

/**
 * The accounting day of a document: the last local day of its period, so that what a month has used is posted in it; not
 * after the day on which it was issued, which only a period that was closed before its end could be.
 */
export function postingDayOf(
  document: { readonly periodEnd: Instant; readonly timeZone: string },
  issuedAt: Instant,
): LocalDate {
  const served = localDateAt(addMs(document.periodEnd, -1), document.timeZone);
  const issued = localDateAt(issuedAt, document.timeZone);
  return served < issued ? served : issued;
}
