/** The tag registry, remembered for a moment. What another process registered or retired holds that much later. */
import { compileTagRules, type TagRules } from '../../domain/metering/tags.js';
import type { TagStore } from '../../storage/types.js';
import type { Awaitable } from './awaitable.js';
import { Remembered } from './remembered.js';

export class KnownTags {
  private readonly known: Remembered<TagRules | null>;

  constructor(tags: Pick<TagStore, 'inForce'>) {
    this.known = new Remembered(async () => compileTagRules(await tags.inForce()));
  }

  /** null while no tag is registered. @throws StorageUnavailable */
  rules(): Awaitable<TagRules | null> {
    return this.known.get();
  }

  /** To be called after this process changed the registry. */
  forget(): void {
    this.known.forget();
  }
}
