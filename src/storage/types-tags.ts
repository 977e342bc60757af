/** The tag registry. Part of types.ts. */
import type { TagDefinition } from '../domain/metering/tags.js';
import type { Instant } from '../domain/values.js';

/** A version of a tag's definition, and who defined it. */
export interface StoredTagDefinition extends TagDefinition {
  /** From 1; the greatest one of a key holds. */
  readonly version: number;
  readonly definedBy: string;
  readonly definedAt: Instant;
}

export interface TagStore {
  /** Appends a version unless the one that holds says the same. Not appended: that one. */
  put(
    definition: TagDefinition,
    definedBy: string,
  ): Promise<{ readonly tag: StoredTagDefinition; readonly appended: boolean }>;
  /** Of each key the definition that holds, retired ones too, by key. */
  inForce(): Promise<readonly StoredTagDefinition[]>;
  /** Of one key, oldest first; empty: it was never registered. */
  versions(key: string): Promise<readonly StoredTagDefinition[]>;
}
