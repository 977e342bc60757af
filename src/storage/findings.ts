/** What needs a person. */
import type { Prisma } from '@prisma/client';
import { DomainFailure } from '../domain/failure.js';
import type { Database } from './database.js';
import { insertFinding } from './gate-findings.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { dateOfLocal, instantOf, localDateOf } from './row-types.js';
import type { Finding, FindingClass, FindingResolution, FindingStore, NewFinding } from './types.js';

const list = 'findings';
const withResolution = { include: { resolution: true } } as const;
type FindingRow = Prisma.FindingGetPayload<typeof withResolution>;

export function createFindingStore(db: Database): FindingStore {
  return {
    store: (finding) => insertFinding(db.pool, finding),
    /** Newest first. */
    list: async ({ customerId, code, period, class: findingClass, resolved }, page) => {
      const [before] = decodeCursor(page, list, [cursorPart.position]) ?? [];
      const rows = await db.prisma.finding.findMany({
        where: {
          ...(customerId === undefined ? {} : { customerId }),
          ...(code === undefined ? {} : { code }),
          ...(period === undefined ? {} : { period: dateOfLocal(period) }),
          ...(findingClass === undefined ? {} : { class: findingClass }),
          ...(resolved === undefined ? {} : { resolution: resolved ? { isNot: null } : { is: null } }),
          ...(before === undefined ? {} : { foundOrder: { lt: BigInt(before) } }),
        },
        orderBy: { foundOrder: 'desc' },
        take: page.limit + 1,
        ...withResolution,
      });
      return mapPage(
        pageOf(rows, { ...page, list }, (row) => [row.foundOrder.toString()]),
        findingOf,
      );
    },
    find: async (findingId) => {
      if (!cursorPart.uuid(findingId)) return null;
      const row = await db.prisma.finding.findUnique({ where: { findingId }, ...withResolution });
      return row === null ? null : findingOf(row);
    },
    openMeters: async (codes) => {
      const { rows } = await db.pool.query<{ meters: string }>({
        name: 'findings-open-meters',
        text: `SELECT count(DISTINCT (customer_id, period, subject->>'meter')) AS meters FROM findings f
          WHERE code = ANY ($1) AND NOT EXISTS (SELECT FROM finding_resolutions r WHERE r.finding_id = f.finding_id)`,
        values: [codes],
      });
      return Number(rows[0]?.meters ?? 0);
    },
    openByCode: async () => {
      const { rows } = await db.pool.query<{ code: string; open: string }>({
        name: 'findings-open-by-code',
        text: `SELECT code, count(*) AS open FROM findings f
          WHERE NOT EXISTS (SELECT FROM finding_resolutions r WHERE r.finding_id = f.finding_id) GROUP BY code`,
      });
      return new Map(rows.map(({ code, open }) => [code, Number(open)]));
    },
    resolve: (findingId, resolution) => resolve(db, findingId, resolution),
  };
}

/** @throws DomainFailure FINDING_NOT_FOUND */
async function resolve(
  db: Database,
  findingId: string,
  { resolution, reason, resolvedBy }: FindingResolution,
): Promise<{ stored: boolean }> {
  const found = cursorPart.uuid(findingId) ? await db.prisma.finding.count({ where: { findingId } }) : 0;
  if (found === 0) throw new DomainFailure('FINDING_NOT_FOUND', `There is no finding ${findingId}.`);
  const { rowCount } = await db.pool.query({
    name: 'finding-resolve',
    text: `INSERT INTO finding_resolutions (finding_id, resolution, reason, resolved_by) VALUES ($1, $2, $3, $4)
      ON CONFLICT (finding_id) DO NOTHING`,
    values: [findingId, resolution, reason, resolvedBy],
  });
  return { stored: rowCount === 1 };
}

function findingOf(row: FindingRow): Finding {
  return {
    findingId: row.findingId,
    code: row.code,
    customerId: row.customerId,
    period: row.period === null ? null : localDateOf(row.period),
    subject: row.subject as NewFinding['subject'],
    detail: row.detail,
    class: row.class as FindingClass | null,
    foundAt: instantOf(row.foundAt),
    resolution:
      row.resolution === null
        ? null
        : {
            resolution: row.resolution.resolution as FindingResolution['resolution'],
            reason: row.resolution.reason,
            resolvedBy: row.resolution.resolvedBy,
            resolvedAt: instantOf(row.resolution.resolvedAt),
          },
  };
}
