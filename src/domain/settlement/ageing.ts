import { D, decimal, toDecimalString, zero } from '../decimal.js';
import { instantToMs, msPerDay } from '../time/instant.js';
import type { DecimalString, Instant } from '../values.js';
import { currenciesOf, receivableIn, standingOf, uncovered } from './items.js';
import type { OpenItems, Receivable } from './items.js';

/** How long it is overdue, in whole days since the due date. */
export const ageBuckets = ['days_0_30', 'days_31_60', 'days_61_90', 'days_over_90'] as const;
export type AgeBucket = (typeof ageBuckets)[number];

/** What a customer owes in one currency, by how long it is overdue; not due and all buckets come to what is open. */
export interface Ageing extends Receivable {
  readonly currency: string;
  readonly notDue: DecimalString;
  readonly overdue: Readonly<Record<AgeBucket, DecimalString>>;
}

const bucketOf = (days: number): AgeBucket =>
  days <= 30 ? 'days_0_30' : days <= 60 ? 'days_31_60' : days <= 90 ? 'days_61_90' : 'days_over_90';

/** Open documents count from their due date; a refund that nothing covers any more from the day it was paid out. */
export function ageingOf(items: OpenItems, now: Instant): readonly Ageing[] {
  const { chains, refunds } = items;
  return currenciesOf(items).map((currency): Ageing => {
    let notDue = new D(0);
    const overdue = { days_0_30: new D(0), days_31_60: new D(0), days_61_90: new D(0), days_over_90: new D(0) };
    const add = (open: D, dueAt: Instant): void => {
      const lateMs = instantToMs(now) - instantToMs(dueAt);
      if (dueAt >= now) notDue = notDue.plus(open);
      else {
        const bucket = bucketOf(Math.floor(lateMs / msPerDay));
        overdue[bucket] = overdue[bucket].plus(open);
      }
    };
    for (const chain of chains.filter((each) => each.currency === currency)) {
      const { documents } = standingOf(chain);
      for (const { invoiceId, dueAt } of chain.documents) add(decimal(documents.get(invoiceId)?.open ?? zero), dueAt);
    }
    for (const refund of refunds.filter((each) => each.currency === currency))
      add(uncovered(refund), refund.refundedAt);
    return {
      currency,
      ...receivableIn(items, currency),
      notDue: toDecimalString(notDue),
      overdue: {
        days_0_30: toDecimalString(overdue.days_0_30),
        days_31_60: toDecimalString(overdue.days_31_60),
        days_61_90: toDecimalString(overdue.days_61_90),
        days_over_90: toDecimalString(overdue.days_over_90),
      },
    };
  });
}

export const isOverdue = ({ overdue }: Ageing): boolean =>
  ageBuckets.some((bucket) => !decimal(overdue[bucket]).isZero());
