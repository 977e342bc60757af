import { DomainFailure } from '../failure.js';
import { defaultLegalEntity } from './invoice-number.js';
import type { NumberedEntity } from './invoice-number.js';
import type { Party } from './invoice.js';

export const legalEntityCodePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
export const numberPrefixPattern = /^(?=.{1,32}$)[A-Z0-9]+(-[A-Z0-9]+)*$/;

/** A company that issues documents. */
export interface LegalEntity extends NumberedEntity {
  readonly numberPrefix: string;
  /** Printed on its documents, as a snapshot taken at issue. */
  readonly seller: Party;
}

/** As it issues: `seller` null is the one of the configuration. */
export interface IssuingEntity extends NumberedEntity {
  readonly seller: Party | null;
}

export const sellerOfConfiguration: IssuingEntity = { code: defaultLegalEntity, numberPrefix: null, seller: null };

/** @throws DomainFailure VALIDATION_FAILED: the default one is not registered, it is configured */
export function requireRegistrable(code: string): void {
  if (code !== defaultLegalEntity) return;
  throw new DomainFailure(
    'VALIDATION_FAILED',
    'The legal entity "default" is the seller of the configuration (RECKONER_SELLER_NAME and so on); change it there.',
  );
}

/** @throws DomainFailure UNKNOWN_LEGAL_ENTITY */
export function unknownLegalEntity(code: string, pointer?: string): DomainFailure {
  const detail = `There is no legal entity "${code}". PUT /legal-entities/{code} registers one; "default" is the seller of the configuration.`;
  return new DomainFailure('UNKNOWN_LEGAL_ENTITY', detail, pointer);
}
