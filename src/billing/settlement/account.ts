/** What every change of a customer's account does alike: allocations stand, and statuses follow. */
import type { Allocation } from '../../domain/settlement/allocation.js';
import type { OpenItems } from '../../domain/settlement/items.js';
import { settled } from '../../domain/settlement/settle.js';
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
    ...when
  }: {
    readonly items: OpenItems;
    readonly currency: string;
    readonly cause: SettlementCause;
    readonly now: Instant;
    /** Documents whose chains change besides. */
    readonly touched?: readonly string[];
  },
): OpenItems {
  const { after, changes } = settled(items, allocations, when);
  tx.allocate(allocations, { ...cause, currency });
  tx.change(changes, cause);
  return after;
}
