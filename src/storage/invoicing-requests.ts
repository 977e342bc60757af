/** Who asked for which period to be invoiced, and what became of it. */
import { msToInstant } from '../domain/time/instant.js';
import type { LocalDate } from '../domain/values.js';
import type { Database } from './database.js';
import { requestDue } from './drafts.js';
import { dateOfLocal, localDateOf } from './row-types.js';
import type { BillingPeriodStore } from './types.js';

type InvoicingRequestStore = Pick<
  BillingPeriodStore,
  'requestInvoicing' | 'pendingInvoicing' | 'pendingDays' | 'recordOutcome'
>;

/** A request has one id and one outcome: a repeated step finds what it wrote and changes nothing. */
export function createInvoicingRequestStore({ prisma, pool }: Database): InvoicingRequestStore {
  return {
    requestInvoicing: async (request) => {
      await prisma.invoicingRequest.createMany({
        data: [{ ...request, period: dateOfLocal(request.period), billingDay: dateOfLocal(request.billingDay) }],
        skipDuplicates: true,
      });
    },
    pendingInvoicing: async (billingDay, limit) => {
      // Drafts whose grace has passed are asked for by nobody else.
      const now = msToInstant(Date.now());
      if (now.startsWith(billingDay)) await requestDue({ pool }, now, limit);
      const rows = await prisma.invoicingRequest.findMany({
        where: { billingDay: dateOfLocal(billingDay), outcome: null },
        orderBy: { requestOrder: 'asc' },
        take: limit,
      });
      return rows.map((row) => ({
        requestId: row.requestId,
        customerId: row.customerId,
        period: localDateOf(row.period),
        billingDay: localDateOf(row.billingDay),
        forced: row.forced,
        reason: row.reason,
      }));
    },
    pendingDays: async () => {
      const { rows } = await pool.query<{ readonly billing_day: LocalDate }>(
        `SELECT DISTINCT billing_day FROM invoicing_requests r
         WHERE NOT EXISTS (SELECT FROM invoicing_outcomes o WHERE o.request_id = r.request_id) ORDER BY billing_day`,
      );
      return rows.map((row) => row.billing_day);
    },
    recordOutcome: async (requestId, outcome, invoiceId) => {
      await prisma.invoicingOutcome.createMany({ data: [{ requestId, outcome, invoiceId }], skipDuplicates: true });
    },
  };
}
