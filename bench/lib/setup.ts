/** Customers, meters and prices of the rows, written through storage as the API would. */
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { PriceBookContent } from '../../src/domain/rating/parse-price-book.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import type { LocalDate } from '../../src/domain/values.js';
import { inParallel } from '../../src/relay/in-parallel.js';
import type { BillingPeriod, CustomerFacts, Storage } from '../../src/storage/types.js';
import { ingestCustomerOf, ingestCustomers } from './events.js';

export const meterOf = (meter: Partial<Meter> & Pick<Meter, 'code'>): Omit<Meter, 'meterId' | 'version'> => ({
  eventType: 'call',
  aggregation: 'count',
  valueProperty: null,
  groupBy: [],
  filters: {},
  windowSize: 'hour',
  allowedLateness: 'PT1H',
  allowNegative: false,
  maxGroups: 1000,
  effectiveFrom: null,
  ...meter,
});

export const callsMeter = meterOf({ code: 'calls' });
export const bytesMeter = meterOf({ code: 'bytes', aggregation: 'sum', valueProperty: 'bytes' });

export const priceBookCode = 'bench';

const customerFacts: CustomerFacts = {
  name: 'Bench',
  currency: 'USD',
  timeZone: 'UTC',
  billingAnchorDay: 1,
  billingFrom: '2024-01-01' as LocalDate,
  priceBook: priceBookCode,
  invoiceDelay: 'PT1H',
  lateUsageQuietTime: 'PT1H',
  skipEmptyInvoices: false,
  approvalThreshold: null,
  currencyConversion: null,
  tags: {},
  buyer: { address: '1 Bench Street' },
};

export async function createCustomer({ reference }: Storage, customerId: string): Promise<void> {
  await reference.putCustomer(customerId, customerFacts, null);
  await reference.assignPriceBook(customerId, priceBookCode, null, { effectiveUntil: null, decidedBy: 'bench' });
}

/** January 2024 of a customer, made where it is not there yet. */
export async function januaryOf({ periods }: Storage, customerId: string): Promise<BillingPeriod> {
  const period = await periods.periodNamed(customerId, '2024-01-01' as LocalDate);
  if (period === null) throw new Error('the customer has no period 2024-01-01');
  return period;
}

/** Customers, one meter that counts and one that adds up: what the ingest rows need. */
export async function setUpIngest(storage: Storage, customers = ingestCustomers): Promise<void> {
  await setUpPrices(storage, [callsMeter, bytesMeter]);
  const ids = Array.from({ length: customers }, (_, index) => ingestCustomerOf(index, customers));
  await inParallel(ids, 4, (customerId) => createCustomer(storage, customerId));
}

/** Four tiers, as both sides of the rating row price them. */
export const benchTiers = [
  { up_to: '1000', unit_price: '0.10' },
  { up_to: '10000', unit_price: '0.08' },
  { up_to: '100000', unit_price: '0.05' },
  { up_to: null, unit_price: '0.02' },
] as const;

export function tieredPriceBook(meters: readonly string[]): PriceBookContent {
  return parsePriceBook({
    code: priceBookCode,
    version: 'v1',
    currency: 'USD',
    effective_from: '2024-01-01T00:00:00Z',
    prices: meters.map((meter) => ({ meter, model: 'tiered', tiers: benchTiers })),
  });
}

/** The meters, and a price book with four tiers for each. */
export async function setUpPrices(
  { reference }: Storage,
  meters: readonly Omit<Meter, 'meterId' | 'version'>[],
): Promise<void> {
  for (const meter of meters) await reference.createMeter(meter);
  await reference.createPriceBook(tieredPriceBook(meters.map(({ code }) => code)));
}
