import { DomainFailure } from '../../domain/failure.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';
import type { Storage } from '../../storage/types.js';

/**
 * The version that the body of a request names as its `price_book`.
 * @throws DomainFailure UNKNOWN_PRICE_BOOK
 */
export async function requireVersion(
  { reference }: Pick<Storage, 'reference'>,
  { code, version }: { readonly code: string; readonly version: string },
): Promise<PriceBookVersion> {
  const versions = await reference.priceBookVersions(code);
  const found = versions.find((each) => each.version === version);
  if (found !== undefined) return found;
  const [detail, pointer] =
    versions.length === 0
      ? [`There is no price book "${code}".`, '/price_book/code']
      : [`The price book "${code}" has no version "${version}".`, '/price_book/version'];
  throw new DomainFailure('UNKNOWN_PRICE_BOOK', detail, pointer);
}
