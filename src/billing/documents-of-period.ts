import type { Invoice } from '../domain/invoicing/invoice.js';
import type { PeriodKeyOf, Storage } from '../storage/types.js';

const pageSize = 100;

/** Every document of a period, voided ones too, in the order of the chain. */
export async function documentsOfPeriod(
  { billing }: Pick<Storage, 'billing'>,
  { customerId, period }: PeriodKeyOf,
): Promise<readonly Invoice[]> {
  const documents: Invoice[] = [];
  let cursor: string | null = null;
  do {
    const page = await billing.listInvoices(
      { customerId, period },
      { limit: pageSize, ...(cursor !== null && { cursor }) },
    );
    documents.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return documents.sort((a, b) => a.chainPlace - b.chainPlace);
}
