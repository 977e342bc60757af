import { DomainFailure } from '../failure.js';
import { groupBy } from '../group-by.js';
import type { LocalDate } from '../values.js';

/** Which account of another system an account is, for one product or for all that have no mapping of their own. */
export interface AccountMapping {
  readonly account: string;
  /** null: the default of the account. */
  readonly product: string | null;
  readonly externalAccount: string;
  /** By posting date; null: from the beginning. */
  readonly effectiveFrom: LocalDate | null;
}

/** What is looked up. */
export interface MappedPosting {
  readonly account: string;
  readonly product: string | null;
  readonly postingDate: LocalDate;
}

export type ExternalAccountOf = (posting: MappedPosting) => string | null;

/**
 * The mapping as a function: that of the product, else the default of the account; the latest that is in force on the posting
 * date, of two with the same date the one learned last. null: nothing is mapped.
 * @param learned in the order of learning
 */
export function mappingOf(learned: readonly AccountMapping[]): ExternalAccountOf {
  const keyOf = (account: string, product: string | null): string => JSON.stringify([account, product]);
  const byKey = groupBy(learned, ({ account, product }) => keyOf(account, product));
  const inForce = (key: string, day: LocalDate): AccountMapping | undefined =>
    (byKey.get(key) ?? [])
      .filter(({ effectiveFrom }) => effectiveFrom === null || effectiveFrom <= day)
      .reduce<AccountMapping | undefined>(
        (best, row) => (best === undefined || startOf(row) >= startOf(best) ? row : best),
        undefined,
      );
  return ({ account, product, postingDate }) => {
    const own = product === null ? undefined : inForce(keyOf(account, product), postingDate);
    return (own ?? inForce(keyOf(account, null), postingDate))?.externalAccount ?? null;
  };
}

const startOf = ({ effectiveFrom }: AccountMapping): string => effectiveFrom ?? '';

const namedMax = 5;

/** @throws DomainFailure LEDGER_MAPPING_MISSING, naming what has no account */
export function requireMapped(name: string, mapped: ExternalAccountOf, postings: readonly MappedPosting[]): void {
  const missing = [
    ...new Set(
      postings
        .filter((posting) => mapped(posting) === null)
        .map(({ account, product, postingDate }) => {
          const of = product === null ? '' : `, product "${product}",`;
          return `account ${account}${of} on ${postingDate}`;
        }),
    ),
  ];
  if (missing.length === 0) return;
  const more = missing.length > namedMax ? ` and ${missing.length - namedMax} more` : '';
  throw new DomainFailure(
    'LEDGER_MAPPING_MISSING',
    `Mapping "${name}" has nothing for ${missing.slice(0, namedMax).join('; ')}${more}. Add it: POST /ledger/account-mappings, or \`reckoner ledger map\`.`,
  );
}
