import { DomainFailure } from '../../domain/failure.js';
import { quotesBoth } from '../../domain/money/conversion.js';
import type { Customer, Storage } from '../../storage/types.js';

type Converting = Pick<Customer, 'currency' | 'currencyConversion'>;

/** Prices in another currency than the customer's, and where in the body that is said. */
interface OtherPrices {
  readonly currency: string;
  /** `The price book "x"`. */
  readonly what: string;
  readonly who: string;
  readonly pointer: string;
}

/**
 * Prices in another currency need a conversion that is set up, by a source that quotes both currencies (RULES 23, 39).
 * @throws DomainFailure CURRENCY_MISMATCH, EXCHANGE_RATE_MISSING
 */
export async function requireConvertible(
  { reference }: Pick<Storage, 'reference'>,
  { currency, currencyConversion }: Converting,
  { currency: other, what, who, pointer }: OtherPrices,
): Promise<void> {
  if (other === currency) return;
  if (currencyConversion === null) {
    const detail = `${what} is in ${other}, ${who} is billed in ${currency}. To have its prices converted, give the customer a "currency_conversion" such as { "source": "ecb" }.`;
    throw new DomainFailure('CURRENCY_MISMATCH', detail, pointer);
  }
  const { source } = currencyConversion;
  if (quotesBoth(await reference.quotedPairs(source), other, currency)) return;
  const detail = `${what} is in ${other}, ${who} is billed in ${currency}, and "${source}" has no exchange rate between them. Import its rates first (reckoner rates import, POST /exchange-rates).`;
  throw new DomainFailure('EXCHANGE_RATE_MISSING', detail, pointer);
}
