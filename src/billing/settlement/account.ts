/** What every change of a customer's account does alike: allocations stand, and statuses follow. */
import { afterwards } from '../../domain/settlement/allocation.js';
import type { Allocation } from '../../domain/settlement/allocation.js';
import type { OpenItems } from '../../domain/settlement/items.js';
import { statusChanges } from '../../domain/settlement/status.js';
import type { Instant } from '../../domain/values.js';
import type { SettlementCause, SettlementTransaction } from '../../storage/types.js';

export interface Deciding {
  readonly actor: string;
  readonly now: Instant;
}

/** Writes allocations, and a transition of each document whose status they change; answers the items as they are then. */
export function settle(
  tx: SettlementTransaction,
  allocations: readonly Allocation[],
  {
    items,
    currency,
    cause,
    now,
  }: {
    readonly items: OpenItems;
    readonly currency: string;
    readonly cause: SettlementCause;
    readonly now: Instant;
  },
): OpenItems {
  const after = afterwards(items, allocations);
  tx.allocate(allocations, { ...cause, currency });
  const of = new Set(allocations.flatMap(({ target }) => (target.kind === 'invoice' ? [target.id] : [])));
  tx.change(statusChanges(after, { of, now }), cause);
  return after;
}
