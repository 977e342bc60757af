/**
 * What meters need of events, remembered for a moment. A meter that another process created is missed for that long:
 * its events are stored all the same, and a value it cannot read holds the invoice (RULES 10).
 */
import type { ReferenceStore } from '../../storage/types.js';
import type { Awaitable } from './awaitable.js';
import { Remembered } from './remembered.js';
import { compileValueNeeds, type ValueNeeds } from './value-needs.js';

export class KnownMeters {
  private readonly needs: Remembered<ReadonlyMap<string, readonly ValueNeeds[]>>;

  constructor(reference: Pick<ReferenceStore, 'meterVersions'>) {
    this.needs = new Remembered(async () => compileValueNeeds(await reference.meterVersions()));
  }

  /** @throws StorageUnavailable */
  valueNeeds(): Awaitable<ReadonlyMap<string, readonly ValueNeeds[]>> {
    return this.needs.get();
  }

  /** To be called after this process created a meter. */
  forget(): void {
    this.needs.forget();
  }
}
