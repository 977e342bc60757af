import type { Invoice } from '../domain/invoicing/invoice.js';
import { everyPage } from '../storage/every-page.js';
import type { PageRequest, PeriodKeyOf, Storage } from '../storage/types.js';

const pageSize = 100;

/** Every document of a period, voided ones too, in the order of the chain. */
export async function documentsOfPeriod(
  { billing }: Pick<Storage, 'billing'>,
  { customerId, period }: PeriodKeyOf,
): Promise<readonly Invoice[]> {
  const documents: Invoice[] = [];
  const list = (page: PageRequest) => billing.listInvoices({ customerId, period }, page);
  for await (const page of everyPage(list, pageSize)) documents.push(...page);
  return documents.sort((a, b) => a.chainPlace - b.chainPlace);
}
