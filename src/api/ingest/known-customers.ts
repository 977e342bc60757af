/** Which customers exist, remembered: customers are never deleted, so a yes stays true. A no is asked again. */
import type { ReferenceStore } from '../../storage/types.js';
import type { Awaitable } from './awaitable.js';

const rememberedMax = 1_000_000;

export type IsKnown = (customerId: string) => boolean;

export class KnownCustomers {
  private known = new Set<string>();

  constructor(private readonly reference: Pick<ReferenceStore, 'knownCustomers'>) {}

  /**
   * Asks storage about those of the customers that are not remembered, and answers for all of them.
   * @throws StorageUnavailable
   */
  among(customerIds: Iterable<string>): Awaitable<IsKnown> {
    const { known } = this;
    const missing = new Set<string>();
    for (const id of customerIds) if (!known.has(id)) missing.add(id);
    if (missing.size === 0) return (id) => known.has(id);
    return this.ask(known, [...missing]);
  }

  private async ask(known: ReadonlySet<string>, missing: readonly string[]): Promise<IsKnown> {
    const found = await this.reference.knownCustomers(missing);
    this.remember(found);
    return (id) => known.has(id) || found.has(id);
  }

  private remember(customerIds: Iterable<string>): void {
    // A request under way keeps the set it began with.
    if (this.known.size > rememberedMax) this.known = new Set();
    for (const id of customerIds) this.known.add(id);
  }
}
