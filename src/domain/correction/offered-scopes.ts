import type { Instant, Interval } from '../values.js';

interface OfferedPeriod extends Interval {
  readonly customerId: string;
}

/** Customers of one scope at most; a re-rating takes no more. */
const customersMax = 1_000;

export interface OfferedScope extends Interval {
  readonly customerIds: readonly string[];
}

/**
 * Scopes of re-ratings that together meet exactly these periods: a scope means every period of its customers that overlaps its
 * time, so periods of a customer share one only while they follow each other without a gap.
 * @param periods in order of time within each customer
 */
export function offeredScopes(periods: readonly OfferedPeriod[]): readonly OfferedScope[] {
  const byTime = new Map<string, Interval & { readonly customerIds: string[] }>();
  for (const { customerId, from, to } of runsOf(periods)) {
    const key = `${from} ${to}`;
    const known = byTime.get(key);
    if (known === undefined) byTime.set(key, { from, to, customerIds: [customerId] });
    else known.customerIds.push(customerId);
  }
  return [...byTime.values()].flatMap(({ from, to, customerIds }) =>
    chunks(customerIds).map((some) => ({ from, to, customerIds: some })),
  );
}

function runsOf(periods: readonly OfferedPeriod[]): readonly OfferedPeriod[] {
  const runs: OfferedPeriod[] = [];
  const open = new Map<string, { readonly index: number; readonly to: Instant }>();
  for (const { customerId, from, to } of periods) {
    const known = open.get(customerId);
    const run = known === undefined ? undefined : runs[known.index];
    if (known === undefined || run === undefined || known.to !== from) {
      open.set(customerId, { index: runs.push({ customerId, from, to }) - 1, to });
      continue;
    }
    runs[known.index] = { ...run, to };
    open.set(customerId, { index: known.index, to });
  }
  return runs;
}

function chunks(customerIds: readonly string[]): readonly (readonly string[])[] {
  const count = Math.ceil(customerIds.length / customersMax);
  return Array.from({ length: count }, (_, index) =>
    customerIds.slice(index * customersMax, (index + 1) * customersMax),
  );
}
