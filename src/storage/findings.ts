/** What needs a person. */
import type { Finding as FindingRow } from '@prisma/client';
import type { Database } from './database.js';
import { insertFinding } from './gate-findings.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { dateOfLocal, instantOf, localDateOf } from './row-types.js';
import type { Finding, FindingStore, NewFinding } from './types.js';

const list = 'findings';

export function createFindingStore(db: Database): FindingStore {
  return {
    store: (finding) => insertFinding(db.pool, finding),
    /** Newest first. */
    list: async ({ customerId, code, period }, page) => {
      const [before] = decodeCursor(page, list, [cursorPart.position]) ?? [];
      const rows = await db.prisma.finding.findMany({
        where: {
          ...(customerId === undefined ? {} : { customerId }),
          ...(code === undefined ? {} : { code }),
          ...(period === undefined ? {} : { period: dateOfLocal(period) }),
          ...(before === undefined ? {} : { foundOrder: { lt: BigInt(before) } }),
        },
        orderBy: { foundOrder: 'desc' },
        take: page.limit + 1,
      });
      return mapPage(
        pageOf(rows, { ...page, list }, (row) => [row.foundOrder.toString()]),
        findingOf,
      );
    },
  };
}

function findingOf(row: FindingRow): Finding {
  return {
    findingId: row.findingId,
    code: row.code,
    customerId: row.customerId,
    period: row.period === null ? null : localDateOf(row.period),
    subject: row.subject as NewFinding['subject'],
    detail: row.detail,
    foundAt: instantOf(row.foundAt),
  };
}
