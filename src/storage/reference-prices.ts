/** Meters and price book versions: created once, never changed. */
import { createHash } from 'node:crypto';
import type {
  Meter as MeterRow,
  PriceBook as PriceBookRow,
  PriceRolloutStage as StageRow,
  Prisma,
} from '@prisma/client';
import { DomainFailure, invariant } from '../domain/failure.js';
import type { Aggregation, Meter, WindowSize } from '../domain/metering/meter.js';
import { requireSameReading } from '../domain/metering/meter-versions.js';
import { parsePrices } from '../domain/rating/parse-price-book.js';
import type { PriceBookContent } from '../domain/rating/parse-price-book.js';
import type { PriceBookVersion, RoundingMode } from '../domain/rating/price-book.js';
import { overrideCode } from '../domain/rating/overrides.js';
import { priceBookToWire } from '../domain/rating/price-book-to-wire.js';
import type { RolloutStage, StageKind } from '../domain/rollout/rollout.js';
import { requireNoRollout } from '../domain/rollout/start.js';
import type { RolloutOf } from '../domain/rollout/start.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import { canonicalJson } from './canonical-json.js';
import type { Database } from './database.js';
import { priceBookLockOf } from './gate-lock.js';
import { uuidOf } from './identifiers.js';
import { dateOf, effectiveColumns, instantOf, localDateOf } from './row-types.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import type { ListedPriceBook, Page, PageRequest, PriceBookCorrection, ReferenceStore } from './types.js';

type PriceStore = Pick<
  ReferenceStore,
  | 'createMeter'
  | 'meters'
  | 'meterVersions'
  | 'createPriceBook'
  | 'priceBookVersions'
  | 'listPriceBooks'
  | 'priceBooksById'
  | 'priceBookVersionIds'
>;

export function createPriceStore(db: Database): PriceStore {
  return {
    createMeter: (meter, requireNew) => createMeter(db, meter, requireNew),
    meters: async () => {
      // In order of version, so that the last one of a code stays.
      const rows = await db.prisma.meter.findMany({ orderBy: [{ code: 'asc' }, { version: 'asc' }] });
      return [...new Map(rows.map((row) => [row.code, meterOf(row)])).values()];
    },
    meterVersions: async () => {
      const rows = await db.prisma.meter.findMany({ orderBy: [{ code: 'asc' }, { version: 'asc' }] });
      return rows.map(meterOf);
    },
    createPriceBook: (content, correction = null) => createPriceBook(db, content, correction),
    priceBookVersions: async (code) => {
      const rows = await db.prisma.priceBook.findMany({ where: { code }, orderBy: { learnedOrder: 'asc' } });
      return rows.map(priceBookOf);
    },
    listPriceBooks: (filter, page) => listPriceBooks(db, filter, page),
    priceBooksById: async (ids) => {
      const rows = await db.prisma.priceBook.findMany({
        where: { priceBookId: { in: [...ids] } },
        orderBy: { learnedOrder: 'asc' },
      });
      return rows.map(priceBookOf);
    },
    priceBookVersionIds: async (codes) => {
      const { rows } = await db.pool.query<{ price_book_id: string }>({
        name: 'price-book-version-ids',
        text: 'SELECT price_book_id FROM price_books WHERE code = ANY ($1)',
        values: [codes],
      });
      return rows.map((row) => row.price_book_id);
    },
  };
}

const priceBookList = 'price-books';

async function listPriceBooks(
  db: Database,
  { code }: Parameters<PriceStore['listPriceBooks']>[0],
  page: PageRequest,
): Promise<Page<ListedPriceBook>> {
  const [after] = decodeCursor(page, priceBookList, [cursorPart.position]) ?? [];
  const rows = await db.prisma.priceBook.findMany({
    where: {
      code: code === undefined ? { not: { startsWith: overrideCode('') } } : code,
      ...(after !== undefined && { learnedOrder: { gt: BigInt(after) } }),
    },
    orderBy: { learnedOrder: 'asc' },
    take: page.limit + 1,
    include: {
      corrects: { select: { supersedes: { select: { version: true } } } },
      supersededBy: { select: { priceBook: { select: { version: true } } } },
    },
  });
  return mapPage(
    pageOf(rows, { ...page, list: priceBookList }, (row) => [String(row.learnedOrder)]),
    ({ corrects, supersededBy, ...row }) => ({
      priceBook: priceBookOf(row),
      supersedes: corrects?.supersedes.version ?? null,
      supersededBy: supersededBy?.priceBook.version ?? null,
    }),
  );
}

type MeterContent = Omit<Meter, 'meterId' | 'version'>;

/** Somebody else drew the same version number at the same time; each attempt sees one more version. */
const versionAttempts = 20;

/**
 * Versions are numbered from 1 as they are learned; that number is part of the id, so whoever comes second finds the row
 * there, and looks again.
 */
async function createMeter(
  db: Database,
  meter: MeterContent,
  requireNew: () => Promise<void> = () => Promise.resolve(),
): Promise<{ readonly meter: Meter; readonly created: boolean }> {
  for (let attempt = 1; ; attempt += 1) {
    const rows = await db.prisma.meter.findMany({ where: { code: meter.code }, orderBy: { version: 'asc' } });
    const versions = rows.map(meterOf);
    const stored = existing(meter, versions);
    if (stored !== null) return { meter: stored, created: false };
    if (attempt === 1) await requireNew();
    const row = meterRow(meter, versions.length + 1);
    const { count } = await db.prisma.meter.createMany({ data: [row], skipDuplicates: true });
    if (count > 0) return { meter: { ...meter, meterId: row.meterId, version: row.version }, created: true };
    invariant(attempt < versionAttempts, `the meter "${meter.code}" gets a version number`);
  }
}

/**
 * The version that begins at the same time and says the same; null where the next one may be created.
 * @throws DomainFailure METER_IMMUTABLE, VALIDATION_FAILED, INCOMPATIBLE_METER_VERSION
 */
function existing(meter: MeterContent, versions: readonly Meter[]): Meter | null {
  // Of versions that begin together the one learned last holds: going back to an earlier one makes a new one.
  const last = versions.findLast((version) => version.effectiveFrom === meter.effectiveFrom);
  if (last !== undefined && meterText(last) === meterText(meter)) return last;
  const [first] = versions;
  if (first === undefined) return null;
  if (meter.effectiveFrom === null) {
    throw new DomainFailure(
      'METER_IMMUTABLE',
      `The meter "${meter.code}" exists with another definition, and what was counted never changes afterwards. Say with "effective_from" from when on a new version holds, or create a meter with a new code.`,
    );
  }
  if (first.aggregation !== meter.aggregation) {
    throw new DomainFailure(
      'VALIDATION_FAILED',
      `The meter "${meter.code}" aggregates by "${first.aggregation}" and goes on to do so; create a meter with a new code for "${meter.aggregation}".`,
      '/aggregation',
    );
  }
  requireSameReading(meter, versions);
  return null;
}

function meterRow(
  meter: MeterContent,
  version: number,
): Prisma.MeterCreateManyInput & { meterId: string; version: number } {
  const { effectiveFrom, groupBy, filters, ...content } = meter;
  return {
    ...content,
    meterId: uuidOf('meter', meter.code, version),
    version,
    groupBy: [...groupBy],
    filters,
    ...effectiveColumns(effectiveFrom),
  };
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
    maxGroups: meter.maxGroups,
    effectiveFrom: meter.effectiveFrom,
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
    maxGroups: row.maxGroups,
    effectiveFrom: row.effectiveFrom === null ? dateOrNull(row.effectiveFromDate) : instantOf(row.effectiveFrom),
  };
}

const dateOrNull = (date: Date | null): LocalDate | null => (date === null ? null : localDateOf(date));

async function createPriceBook(
  db: Database,
  content: PriceBookContent,
  correction: PriceBookCorrection | null,
): Promise<{ readonly priceBook: PriceBookVersion; readonly created: boolean }> {
  const row = priceBookRow(content);
  const { priceBookId } = row;
  return db.prisma.$transaction(async (tx) => {
    await lockPriceBook(tx, content.code);
    const { count } = await tx.priceBook.createMany({ data: [row], skipDuplicates: true });
    const stored = await tx.priceBook.findUnique({ where: { priceBookId }, include: { corrects: true } });
    invariant(stored !== null, 'a price book version that was inserted, or was there, is there');
    const isSame =
      stored.contentHash === row.contentHash &&
      stored.rollout === row.rollout &&
      (count > 0 || (stored.corrects?.supersedesId ?? null) === (correction?.supersedesId ?? null));
    if (!isSame) {
      throw new DomainFailure(
        'PRICE_BOOK_VERSION_IMMUTABLE',
        `Version "${content.version}" of the price book "${content.code}" exists with other content. Create a new version instead.`,
      );
    }
    if (count > 0 && !row.rollout) requireNoRollout(priceBookOf(stored), await rolloutsBeside(tx, content.code));
    if (count > 0 && correction !== null) await correct(tx, { ...correction, priceBookId });
    return { priceBook: priceBookOf(stored), created: count > 0 };
  });
}

/** Until the transaction ends: a version that is learned and a rollout that begins see each other. */
export async function lockPriceBook(tx: Prisma.TransactionClient, code: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(${priceBookLockOf(code)}::bigint)`;
}

/** Almost always there is none. */
export async function rolloutsBeside(tx: Prisma.TransactionClient, code: string): Promise<readonly RolloutOf[]> {
  const rows = await tx.priceRollout.findMany({
    where: { priceBook: { code } },
    include: { priceBook: true, stages: { orderBy: { sequence: 'asc' } } },
  });
  return rows.map(({ rolloutId, priceBookId, priceBook, stages }) => ({
    rollout: { rolloutId, priceBookId, stages: stages.map(stageOf) },
    candidate: priceBookOf(priceBook),
  }));
}

function stageOf(row: StageRow): RolloutStage {
  return {
    sequence: row.sequence,
    kind: row.kind as StageKind,
    effectiveFrom: effectiveFromOf(row),
    customerIds: row.customerIds,
    percentage: row.percentage,
    decidedAt: instantOf(row.decidedAt),
  };
}

/** @throws DomainFailure PRICE_BOOK_VERSION_SUPERSEDED */
async function correct(
  tx: Prisma.TransactionClient,
  correction: PriceBookCorrection & { readonly priceBookId: string },
): Promise<void> {
  const { count } = await tx.priceBookCorrection.createMany({ data: [correction], skipDuplicates: true });
  if (count > 0) return;
  const other = await tx.priceBookCorrection.findUnique({
    where: { supersedesId: correction.supersedesId },
    include: { priceBook: true, supersedes: true },
  });
  const { supersedes, priceBook } = other ?? {};
  const detail = `Version "${supersedes?.version ?? ''}" is superseded by "${priceBook?.version ?? ''}" already; supersede that one.`;
  throw new DomainFailure('PRICE_BOOK_VERSION_SUPERSEDED', detail, '/supersedes');
}

/** Prices are kept in the names of the HTTP contract, which outlive those of this program's types. */
export function priceBookRow(content: PriceBookContent): Prisma.PriceBookCreateManyInput & { rollout: boolean } {
  const wire = priceBookToWire(content);
  const { effectiveFrom, effectiveUntil } = content;
  return {
    priceBookId: uuidOf('price-book', content.code, content.version),
    code: content.code,
    version: content.version,
    currency: content.currency,
    ...effectiveColumns(effectiveFrom),
    effectiveUntil: effectiveUntil === null ? null : dateOf(effectiveUntil),
    rounding: content.rounding,
    prices: wire.prices as unknown as Prisma.InputJsonArray,
    minimumCommitment: content.minimumCommitment,
    contentHash: createHash('sha256').update(canonicalJson(wire)).digest('hex'),
    rollout: content.isCandidate === true,
  };
}

export function priceBookOf(row: PriceBookRow): PriceBookVersion {
  return {
    priceBookId: row.priceBookId,
    code: row.code,
    version: row.version,
    currency: row.currency,
    effectiveFrom: effectiveFromOf(row),
    effectiveUntil: row.effectiveUntil === null ? null : instantOf(row.effectiveUntil),
    rounding: row.rounding as RoundingMode,
    ...parsePrices(row.prices),
    minimumCommitment: row.minimumCommitment as DecimalString | null,
    learnedOrder: Number(row.learnedOrder),
    ...(row.rollout && { isCandidate: true }),
  };
}

function effectiveFromOf(row: Pick<PriceBookRow, 'effectiveFrom' | 'effectiveFromDate'>): Instant | LocalDate {
  if (row.effectiveFrom !== null) return instantOf(row.effectiveFrom);
  invariant(row.effectiveFromDate !== null, 'a price book version, or a stage of its rollout, has a start');
  return localDateOf(row.effectiveFromDate);
}
