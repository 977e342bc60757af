/** Schemas of event types. Part of types.ts. */
import type { CompatibilityMode } from '../domain/metering/schema-compatibility.js';
import type { JsonSchemaObject } from '../domain/metering/json-schema.js';
import type { Instant } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';

/** A version of what the metadata of an event type must be. It never changes. */
export interface EventSchemaVersion {
  readonly eventType: string;
  /** 1, 2, 3 … */
  readonly version: number;
  readonly schema: JsonSchemaObject;
  /** The mode under which it was compared with all earlier versions. */
  readonly compatibility: CompatibilityMode;
  readonly createdBy: string;
  readonly createdAt: Instant;
}

export interface EventSchemaStore {
  /**
   * Appends a version; null when the number is taken, or the event type has other meters: somebody else was first, and what was
   * checked no longer holds. The number must follow the latest, so that there are no gaps.
   * @param meters how many versions of meters of the event type it was held against; null: none were looked at
   */
  append(version: Omit<EventSchemaVersion, 'createdAt'>, meters?: number | null): Promise<EventSchemaVersion | null>;
  /** All versions of a type, oldest first. */
  versions(eventType: string): Promise<readonly EventSchemaVersion[]>;
  /** All versions of this type, or of all types; by type, oldest first. */
  list(filter: { readonly eventType?: string }, page: PageRequest): Promise<Page<EventSchemaVersion>>;
  find(eventType: string, version: number): Promise<EventSchemaVersion | null>;
  /** Of each event type that has schemas the greatest version. */
  latestVersions(): Promise<ReadonlyMap<string, number>>;
}
