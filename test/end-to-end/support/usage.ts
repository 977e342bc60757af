/**
 * What the end-to-end proofs meter and charge: five meters over one type of event, prices in whole thousandths of a dollar, so
 * that what a period must cost is said in integers, without any of the project's code.
 */
import { call } from '../../support/stack.js';

export interface Usage {
  readonly event_id: string;
  readonly customer_id: string;
  readonly event_type: 'api_call';
  readonly event_time: string;
  readonly metadata: { readonly region: 'eu' | 'us'; readonly plan: 'basic' | 'premium'; readonly bytes: string };
}

const meter = (code: string, more: object): object => ({ code, event_type: 'api_call', window: 'hour', ...more });

const meters = [
  meter('calls', { aggregation: 'count' }),
  meter('calls_by_region', { aggregation: 'count', group_by: ['region'] }),
  meter('premium_calls', { aggregation: 'count', filters: { plan: ['premium'] } }),
  meter('bytes', { aggregation: 'sum', value_property: 'bytes' }),
  meter('bytes_by_region', { aggregation: 'sum', value_property: 'bytes', group_by: ['region'] }),
];

const tiers = (first: string, then: string): object => ({
  tiers: [
    { up_to: '1000', unit_price: first },
    { up_to: null, unit_price: then },
  ],
});

const priceBook = {
  code: 'standard',
  version: 'v1',
  currency: 'USD',
  effective_from: '2024-01-01T00:00:00Z',
  prices: [
    { meter: 'calls', model: 'tiered', ...tiers('0.10', '0.08') },
    { meter: 'calls_by_region', model: 'volume', ...tiers('0.02', '0.01') },
    { meter: 'premium_calls', model: 'flat', unit_price: '0.05' },
    { meter: 'bytes', model: 'flat', unit_price: '0.001' },
    { meter: 'bytes_by_region', model: 'tiered', ...tiers('0.004', '0.003') },
  ],
};

/** The first local day of the period that everything happens in. */
export const period = '2024-01';

export async function createFacts(apiUrl: string): Promise<void> {
  for (const body of meters) await call(`${apiUrl}/meters`, { body });
  await call(`${apiUrl}/price-books`, { body: priceBook });
}

export async function createCustomer(apiUrl: string, customerId: string, more: object = {}): Promise<void> {
  const body = {
    name: customerId,
    currency: 'USD',
    price_book: 'standard',
    late_usage_quiet_time: 'PT1S',
    ...more,
  };
  await call(`${apiUrl}/customers/${customerId}`, { method: 'PUT', body });
}

/** Numbers from 0 to 1, the same for a seed: a linear congruential generator. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

/** When events happen. */
export interface During {
  readonly startMs: number;
  readonly lengthMs: number;
}
export const january: During = { startMs: Date.UTC(2024, 0, 1), lengthMs: 31 * 86_400_000 };

/**
 * The events with the numbers from `from` on, all over January 2024 unless told otherwise; the same for a customer and number,
 * whatever the order of sending.
 */
export function usageOf(customerId: string, from: number, count: number, during = january): readonly Usage[] {
  return Array.from({ length: count }, (_, index) => {
    const number = from + index;
    const spread = Math.imul(number, 0x9e3779b1) >>> 0;
    return {
      event_id: `event-${number}`,
      customer_id: customerId,
      event_type: 'api_call',
      event_time: new Date(during.startMs + (spread % during.lengthMs)).toISOString(),
      metadata: {
        region: number % 3 === 0 ? 'us' : 'eu',
        plan: number % 5 === 0 ? 'premium' : 'basic',
        bytes: String(spread % 2_000),
      },
    };
  });
}

const thousandths = (units: bigint, prices: { readonly first: bigint; readonly then: bigint }): bigint => {
  const inFirst = units < 1_000n ? units : 1_000n;
  return inFirst * prices.first + (units - inFirst) * prices.then;
};

/** Half to even, from thousandths to cents. */
function cents(amount: bigint): bigint {
  const [whole, rest] = [amount / 10n, amount % 10n];
  return whole + (rest > 5n || (rest === 5n && whole % 2n === 1n) ? 1n : 0n);
}

/** What the period costs with these events, in cents. */
export function costInCents(events: Iterable<Usage>): bigint {
  const sums = new Map<string, bigint>();
  const add = (key: string, units: bigint): void => void sums.set(key, (sums.get(key) ?? 0n) + units);
  for (const { metadata } of events) {
    add('calls', 1n);
    add(`calls ${metadata.region}`, 1n);
    if (metadata.plan === 'premium') add('premium', 1n);
    add('bytes', BigInt(metadata.bytes));
    add(`bytes ${metadata.region}`, BigInt(metadata.bytes));
  }
  const of = (key: string): bigint => sums.get(key) ?? 0n;
  const volume = (units: bigint): bigint => units * (units <= 1_000n ? 20n : 10n);
  const lines = [
    thousandths(of('calls'), { first: 100n, then: 80n }),
    ...['eu', 'us'].map((region) => volume(of(`calls ${region}`))),
    of('premium') * 50n,
    of('bytes'),
    ...['eu', 'us'].map((region) => thousandths(of(`bytes ${region}`), { first: 4n, then: 3n })),
  ];
  return lines.reduce((sum, line) => sum + cents(line), 0n);
}
