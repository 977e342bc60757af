/** Meters and price book versions: created once, never changed. */
import { createHash } from 'node:crypto';
import type { Meter as MeterRow, PriceBook as PriceBookRow, Prisma } from '@prisma/client';
import { DomainFailure, invariant } from '../domain/failure.js';
import type { Aggregation, Meter, WindowSize } from '../domain/metering/meter.js';
import type { PriceBookContent } from '../domain/rating/parse-price-book.js';
import { parsePrice } from '../domain/rating/parse-price.js';
import type { PriceBookVersion, RoundingMode } from '../domain/rating/price-book.js';
import { priceBookToWire } from '../domain/rating/price-book-to-wire.js';
import type { Instant, LocalDate } from '../domain/values.js';
import { canonicalJson } from './canonical-json.js';
import type { Database } from './database.js';
import { uuidOf } from './identifiers.js';
import { dateOf, dateOfLocal, instantOf, localDateOf } from './row-types.js';
import type { ReferenceStore } from './types.js';

type PriceStore = Pick<
  ReferenceStore,
  'createMeter' | 'meters' | 'createPriceBook' | 'priceBookVersions' | 'priceBooksById'
>;

export function createPriceStore(db: Database): PriceStore {
  return {
    createMeter: (meter) => createMeter(db, meter),
    meters: async () => {
      // In order of version, so that the last one of a code stays.
      const rows = await db.prisma.meter.findMany({ orderBy: [{ code: 'asc' }, { version: 'asc' }] });
      return [...new Map(rows.map((row) => [row.code, meterOf(row)])).values()];
    },
    createPriceBook: (content) => createPriceBook(db, content),
    priceBookVersions: async (code) => {
      const rows = await db.prisma.priceBook.findMany({ where: { code }, orderBy: { learnedOrder: 'asc' } });
      return rows.map(priceBookOf);
    },
    priceBooksById: async (ids) => {
      const rows = await db.prisma.priceBook.findMany({
        where: { priceBookId: { in: [...ids] } },
        orderBy: { learnedOrder: 'asc' },
      });
      return rows.map(priceBookOf);
    },
  };
}

type MeterContent = Omit<Meter, 'meterId' | 'version'>;

/** A meter has one version so far; the column is there for those that later versions of this program allow. */
const firstVersion = 1;

async function createMeter(
  db: Database,
  meter: MeterContent,
): Promise<{ readonly meter: Meter; readonly created: boolean }> {
  const meterId = uuidOf('meter', meter.code, firstVersion);
  const { count } = await db.prisma.meter.createMany({
    data: [{ ...meter, meterId, version: firstVersion, groupBy: [...meter.groupBy], filters: meter.filters }],
    skipDuplicates: true,
  });
  const row = await db.prisma.meter.findUnique({ where: { meterId } });
  invariant(row !== null, 'a meter that was inserted, or was there, is there');
  const stored = meterOf(row);
  if (meterText(stored) !== meterText(meter)) {
    throw new DomainFailure(
      'METER_IMMUTABLE',
      `The meter "${meter.code}" exists with another definition, and what is counted never changes afterwards. Create a meter with a new code.`,
    );
  }
  return { meter: stored, created: count > 0 };
}

/** The definition; the order of groups, filters and allowed texts means nothing. */
function meterText(meter: MeterContent): string {
  const filters = Object.entries(meter.filters).map(([property, allowed]) => [property, [...allowed].sort()] as const);
  return canonicalJson({
    code: meter.code,
    eventType: meter.eventType,
    aggregation: meter.aggregation,
    valueProperty: meter.valueProperty,
    groupBy: [...meter.groupBy].sort(),
    filters: Object.fromEntries(filters),
    windowSize: meter.windowSize,
    allowedLateness: meter.allowedLateness,
    allowNegative: meter.allowNegative,
  });
}

function meterOf(row: MeterRow): Meter {
  return {
    meterId: row.meterId,
    code: row.code,
    version: row.version,
    eventType: row.eventType,
    aggregation: row.aggregation as Aggregation,
    valueProperty: row.valueProperty,
    groupBy: row.groupBy,
    filters: row.filters as Readonly<Record<string, readonly string[]>>,
    windowSize: row.windowSize as WindowSize,
    allowedLateness: row.allowedLateness,
    allowNegative: row.allowNegative,
  };
}

async function createPriceBook(
  db: Database,
  content: PriceBookContent,
): Promise<{ readonly priceBook: PriceBookVersion; readonly created: boolean }> {
  const row = priceBookRow(content);
  const { count } = await db.prisma.priceBook.createMany({ data: [row], skipDuplicates: true });
  const stored = await db.prisma.priceBook.findUnique({ where: { priceBookId: row.priceBookId } });
  invariant(stored !== null, 'a price book version that was inserted, or was there, is there');
  if (stored.contentHash !== row.contentHash) {
    throw new DomainFailure(
      'PRICE_BOOK_VERSION_IMMUTABLE',
      `Version "${content.version}" of the price book "${content.code}" exists with other content. Create a new version instead.`,
    );
  }
  return { priceBook: priceBookOf(stored), created: count > 0 };
}

/** Prices are kept in the names of the HTTP contract, which outlive those of this program's types. */
function priceBookRow(content: PriceBookContent): Prisma.PriceBookCreateManyInput {
  const wire = priceBookToWire(content);
  const { effectiveFrom, effectiveUntil } = content;
  return {
    priceBookId: uuidOf('price-book', content.code, content.version),
    code: content.code,
    version: content.version,
    currency: content.currency,
    effectiveFrom: isLocalDate(effectiveFrom) ? null : dateOf(effectiveFrom),
    effectiveFromDate: isLocalDate(effectiveFrom) ? dateOfLocal(effectiveFrom) : null,
    effectiveUntil: effectiveUntil === null ? null : dateOf(effectiveUntil),
    rounding: content.rounding,
    prices: wire.prices as unknown as Prisma.InputJsonArray,
    contentHash: createHash('sha256').update(canonicalJson(wire)).digest('hex'),
  };
}

function isLocalDate(from: Instant | LocalDate): from is LocalDate {
  return from.length === 'YYYY-MM-DD'.length;
}

function priceBookOf(row: PriceBookRow): PriceBookVersion {
  return {
    priceBookId: row.priceBookId,
    code: row.code,
    version: row.version,
    currency: row.currency,
    effectiveFrom: effectiveFromOf(row),
    effectiveUntil: row.effectiveUntil === null ? null : instantOf(row.effectiveUntil),
    rounding: row.rounding as RoundingMode,
    prices: (row.prices as readonly unknown[]).map((price, index) => parsePrice(price, `/prices/${index}`)),
    learnedOrder: Number(row.learnedOrder),
  };
}

function effectiveFromOf(row: PriceBookRow): Instant | LocalDate {
  if (row.effectiveFrom !== null) return instantOf(row.effectiveFrom);
  invariant(row.effectiveFromDate !== null, 'a price book version has a start');
  return localDateOf(row.effectiveFromDate);
}
