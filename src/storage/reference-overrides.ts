/** Negotiated prices: a price book of one customer's own, version after version. */
import type { PriceBook as PriceBookRow, PriceOverride as OverrideRow } from '@prisma/client';
import { DomainFailure } from '../domain/failure.js';
import type { PriceBookContent } from '../domain/rating/parse-price-book.js';
import { overrideCode } from '../domain/rating/overrides.js';
import type { Database } from './database.js';
import { lockCustomer } from './reference-customers.js';
import { priceBookOf, priceBookRow } from './reference-prices.js';
import { instantOf } from './row-types.js';
import type { OverrideDecision, PriceOverride, ReferenceStore } from './types.js';

type OverrideStore = Pick<ReferenceStore, 'putPriceOverride' | 'priceOverrides'>;

export function createOverrideStore(db: Database): OverrideStore {
  return {
    putPriceOverride: (customerId, content, decision) => put(db, { customerId, content, decision }),
    priceOverrides: async (customerId) => {
      const rows = await db.prisma.priceOverride.findMany({
        where: { customerId },
        orderBy: { version: 'asc' },
        include: { priceBook: true },
      });
      return rows.map(overrideOf);
    },
  };
}

interface PutOverride {
  readonly customerId: string;
  readonly content: Omit<PriceBookContent, 'code' | 'version'>;
  readonly decision: OverrideDecision;
}

/** Under the customer's lock, so that versions are numbered one after the other. */
function put(
  db: Database,
  { customerId, content, decision }: PutOverride,
): Promise<{ readonly override: PriceOverride; readonly created: boolean }> {
  return db.prisma.$transaction(async (tx) => {
    if (!(await lockCustomer(tx, customerId))) {
      throw new DomainFailure('UNKNOWN_CUSTOMER', `There is no customer "${customerId}"; create it first.`);
    }
    const latest = await tx.priceOverride.findFirst({
      where: { customerId },
      orderBy: { version: 'desc' },
      include: { priceBook: true },
    });
    const rowOf = (version: number) =>
      priceBookRow({ ...content, code: overrideCode(customerId), version: String(version) });
    if (latest !== null && rowOf(latest.version).contentHash === latest.priceBook.contentHash) {
      return { override: overrideOf(latest), created: false };
    }
    const version = (latest?.version ?? 0) + 1;
    const priceBook = await tx.priceBook.create({ data: rowOf(version) });
    const { priceBookId } = priceBook;
    const row = await tx.priceOverride.create({ data: { priceBookId, customerId, version, ...decision } });
    return { override: overrideOf({ ...row, priceBook }), created: true };
  });
}

function overrideOf(row: OverrideRow & { readonly priceBook: PriceBookRow }): PriceOverride {
  return {
    customerId: row.customerId,
    priceBook: priceBookOf(row.priceBook),
    reason: row.reason,
    decidedBy: row.decidedBy,
    decidedAt: instantOf(row.decidedAt),
  };
}
