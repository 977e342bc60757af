import type { Instant } from '../values.js';
import { afterwards } from './allocation.js';
import type { Allocation } from './allocation.js';
import type { OpenItems } from './items.js';
import { statusChanges } from './status.js';
import type { StatusChange } from './status.js';

export interface Settled {
  /** The items once the allocations stand. */
  readonly after: OpenItems;
  readonly changes: readonly StatusChange[];
}

/**
 * What allocations do to statuses (RULES 51). Credit of a chain lowers the next document as soon as it no longer lowers the last
 * one, so every document of every chain that they touch is looked at, whether a source of them or a target.
 * @param touched documents whose chains change besides: one that is issued now, one that is credited
 */
export function settled(
  items: OpenItems,
  allocations: readonly Allocation[],
  { now, touched = [] }: { readonly now: Instant; readonly touched?: readonly string[] },
): Settled {
  const after = afterwards(items, allocations);
  const named = new Set([...touched, ...allocations.flatMap(({ source, target }) => [source.id, target.id])]);
  const chains = after.chains.filter(
    ({ originalId, documents }) => named.has(originalId) || documents.some(({ invoiceId }) => named.has(invoiceId)),
  );
  const of = new Set(chains.flatMap(({ documents }) => documents.map(({ invoiceId }) => invoiceId)));
  return { after, changes: statusChanges(after, { of, now }) };
}
