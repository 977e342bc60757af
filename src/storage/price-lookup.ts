/**
 * Prices from memory, never older than the database: rows of reference facts are only ever added, so as long as there are as
 * many of them as before, they are the same. One statement counts; what has grown is read anew. Price book versions are
 * kept by id, whatever has grown.
 */
import { invariant } from '../domain/failure.js';
import { Lru } from '../domain/lru.js';
import type { Meter } from '../domain/metering/meter.js';
import { overrideCode } from '../domain/rating/overrides.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import { msToInstant } from '../domain/time/instant.js';
import type { Instant } from '../domain/values.js';
import type { Database } from './database.js';
import { mapStorageError } from './errors.js';
import type { KnownPrices, PriceLookup, PriceLookupResult, ReferenceStore } from './types.js';

/** A version with hundreds of prices takes some hundred kilobytes. */
const versionsKept = 1_000;
const customersKept = 10_000;

interface Counts {
  readonly facts: string;
  readonly assignments: string;
  readonly versions: string;
  readonly meters: string;
}

interface Remembered {
  readonly counts: Counts;
  readonly prices: KnownPrices;
  /** When the counts were last asked for. */
  known: Moment;
}

interface Moment {
  readonly asOf: Instant;
  /** Of a clock that nobody sets, in ms: ages are measured by it. */
  readonly tick: number;
}

type Reading = Pick<
  ReferenceStore,
  'findCustomer' | 'assignments' | 'meterVersions' | 'priceBookVersionIds' | 'priceBooksById'
>;

/** `priceBooksById` of a store, with what was read once kept for ever: a version never changes. */
export function withVersionsKept<S extends Pick<ReferenceStore, 'priceBooksById'>>(store: S): S {
  const kept = new Lru<string, PriceBookVersion>(versionsKept);
  const priceBooksById: ReferenceStore['priceBooksById'] = async (ids) => {
    const missing = [...new Set(ids)].filter((id) => kept.get(id) === undefined);
    const read = missing.length === 0 ? [] : await store.priceBooksById(missing);
    const fresh = new Map(read.map((version) => [version.priceBookId, version]));
    for (const [id, version] of fresh) kept.set(id, version);
    // From `fresh` too: more versions than are kept may be asked for at once.
    const found = [...new Set(ids)].flatMap((id) => fresh.get(id) ?? kept.get(id) ?? []);
    return found.sort((a, b) => a.learnedOrder - b.learnedOrder);
  };
  return { ...store, priceBooksById };
}

export function createPriceLookup(db: Database, reference: Reading): PriceLookup {
  const customers = new Lru<string, Remembered>(customersKept);
  const listeners: ((result: PriceLookupResult) => void)[] = [];
  const note = (result: PriceLookupResult): void => {
    for (const listener of listeners) listener(result);
  };
  let meters: { readonly count: string; readonly versions: readonly Meter[] } | null = null;

  const readMeters = async (count: string): Promise<readonly Meter[]> => {
    if (meters?.count !== count) meters = { count, versions: await reference.meterVersions() };
    return meters.versions;
  };

  const read = async (
    customerId: string,
    { counts, known }: Omit<Remembered, 'prices'>,
  ): Promise<KnownPrices | null> => {
    const [customer, assignments] = await Promise.all([
      reference.findCustomer(customerId),
      reference.assignments(customerId),
    ]);
    if (customer === null) return null;
    const own = overrideCode(customerId);
    const codes = [...new Set([...assignments.map(({ priceBook }) => priceBook), own])];
    const all = await reference.priceBooksById(await reference.priceBookVersionIds(codes));
    const prices = {
      customer,
      assignments,
      meterVersions: await readMeters(counts.meters),
      versions: all.filter(({ code }) => code !== own),
      overrides: all.filter(({ code }) => code === own),
    };
    // Counted before it was read: what was learned in between makes the next count another one.
    customers.set(customerId, { counts, prices, known });
    return prices;
  };

  return {
    pricesOf: async (customerId, maxWaitMs) => {
      try {
        const known = { asOf: msToInstant(Date.now()), tick: performance.now() };
        const counts = await countRows(db, customerId, maxWaitMs);
        const remembered = customers.get(customerId);
        if (remembered !== undefined && isSame(remembered.counts, counts)) {
          remembered.known = known;
          note('hit');
          return remembered.prices;
        }
        const prices = await read(customerId, { counts, known });
        note('miss');
        return prices;
      } catch (error) {
        note('failure');
        throw mapStorageError(error);
      }
    },
    lastKnownPrices: (customerId) => {
      const remembered = customers.get(customerId);
      if (remembered === undefined) return null;
      const { asOf, tick } = remembered.known;
      return { prices: remembered.prices, asOf, ageMs: performance.now() - tick };
    },
    onLookup: (listener) => void listeners.push(listener),
    noteFallback: () => {
      note('fallback');
    },
  };
}

function isSame(a: Counts, b: Counts): boolean {
  return a.facts === b.facts && a.assignments === b.assignments && a.versions === b.versions && a.meters === b.meters;
}

const countSql = `SELECT (SELECT count(*) FROM customer_versions WHERE customer_id = $1) AS facts,
  (SELECT count(*) FROM price_book_assignments WHERE customer_id = $1) AS assignments,
  (SELECT count(*) FROM price_books WHERE code = $2
    OR code IN (SELECT price_book FROM price_book_assignments WHERE customer_id = $1)) AS versions,
  (SELECT count(*) FROM meters) AS meters`;

async function countRows(db: Database, customerId: string, maxWaitMs: number | undefined): Promise<Counts> {
  const query = { name: 'price-counts', text: countSql, values: [customerId, overrideCode(customerId)] };
  const { rows } =
    maxWaitMs === undefined
      ? await db.pool.query<Counts>(query)
      : await db.transaction(
          (client) => client.query<Counts>(query),
          `SET LOCAL statement_timeout = ${Math.max(1, Math.round(maxWaitMs))}`,
        );
  const [counts] = rows;
  invariant(counts !== undefined, 'a SELECT without FROM has one row');
  return counts;
}
