/** Who asked for which period to be invoiced, and what became of it. */
import type { Database } from './database.js';
import { dateOfLocal, localDateOf } from './row-types.js';
import type { BillingPeriodStore } from './types.js';

type InvoicingRequestStore = Pick<BillingPeriodStore, 'requestInvoicing' | 'pendingInvoicing' | 'recordOutcome'>;

/** A request has one id and one outcome: a repeated step finds what it wrote and changes nothing. */
export function createInvoicingRequestStore({ prisma }: Database): InvoicingRequestStore {
  return {
    requestInvoicing: async (request) => {
      await prisma.invoicingRequest.createMany({
        data: [{ ...request, period: dateOfLocal(request.period), billingDay: dateOfLocal(request.billingDay) }],
        skipDuplicates: true,
      });
    },
    pendingInvoicing: async (billingDay, limit) => {
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
    recordOutcome: async (requestId, outcome, invoiceId) => {
      await prisma.invoicingOutcome.createMany({ data: [{ requestId, outcome, invoiceId }], skipDuplicates: true });
    },
  };
}
