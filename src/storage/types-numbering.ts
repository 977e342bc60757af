/** Legal entities and their number series. Part of types.ts. */
import type { CheckedSeries } from '../domain/invoicing/check-numbers.js';
import type { LegalEntity } from '../domain/invoicing/legal-entity.js';
import type { Instant } from '../domain/values.js';

/** A version of a legal entity, and who defined it. */
export interface StoredLegalEntity extends LegalEntity {
  /** From 1; the greatest one of a code holds. */
  readonly version: number;
  readonly definedBy: string;
  readonly definedAt: Instant;
}

export interface NumberingStore {
  /**
   * Appends a version unless the one that holds says the same. Not appended: that one.
   * @throws DomainFailure NUMBER_PREFIX_LOCKED: numbers with another prefix were drawn; NUMBER_PREFIX_TAKEN
   */
  putEntity(
    entity: LegalEntity,
    definedBy: string,
  ): Promise<{ readonly entity: StoredLegalEntity; readonly appended: boolean }>;
  /** Of each code the version that holds, by code; without the default one. */
  entities(): Promise<readonly StoredLegalEntity[]>;
  /** Of one code, oldest first; empty: there is no such entity, or it is the default one. */
  entityVersions(code: string): Promise<readonly StoredLegalEntity[]>;
  /** Every series that was drawn from or that a document's number belongs to, all as of one moment. */
  checkNumbers(): Promise<readonly CheckedSeries[]>;
}
