/**
 * What meters need of events, remembered for a moment. A meter that another process created is missed for that long:
 * its events are stored all the same, and a value it cannot read holds the invoice (RULES 10).
 */
import type { ReferenceStore } from '../../storage/types.js';
import { compileValueNeeds, type ValueNeeds } from './value-needs.js';

const rememberedMs = 1_000;

export class KnownMeters {
  private cached: { readonly at: number; readonly needs: Promise<ReadonlyMap<string, readonly ValueNeeds[]>> } | null =
    null;

  constructor(private readonly reference: Pick<ReferenceStore, 'meterVersions'>) {}

  /** @throws StorageUnavailable */
  valueNeeds(): Promise<ReadonlyMap<string, readonly ValueNeeds[]>> {
    const now = performance.now();
    if (this.cached !== null && now - this.cached.at < rememberedMs) return this.cached.needs;
    const needs = this.reference.meterVersions().then(compileValueNeeds);
    const entry = { at: now, needs };
    this.cached = entry;
    needs.catch(() => {
      if (this.cached === entry) this.cached = null;
    });
    return needs;
  }

  /** To be called after this process created a meter. */
  forget(): void {
    this.cached = null;
  }
}
