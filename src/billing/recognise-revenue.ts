import type { Instant } from '../domain/values.js';
import type { PeriodKeyOf, Storage } from '../storage/types.js';

const pageSize = 500;

/**
 * Posts what of deferred revenue has become revenue by now (RULES 45), period by period, each in a transaction of its own that looks
 * again: repeating it, or two at once, changes nothing.
 * @returns how many entries were posted
 */
export async function recogniseRevenue({ journal }: Pick<Storage, 'journal'>, now: Instant): Promise<number> {
  let entries = 0;
  for (let after: PeriodKeyOf | null = null; ;) {
    const periods: readonly PeriodKeyOf[] = await journal.deferringPeriods({ after, limit: pageSize }, now);
    for (const period of periods) {
      entries += await journal.recognise(period, now);
      after = period;
    }
    if (periods.length < pageSize) return entries;
  }
}
