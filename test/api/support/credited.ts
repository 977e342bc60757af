/** Invoices of the example customer, and credit notes by hand on them. */
import { exampleCalls } from './test-api.js';
import type { TestApi } from './test-api.js';

type Json = Readonly<Record<string, unknown>>;

/** January's invoice of 100 calls: 10.00. */
export async function invoiced(api: TestApi, count = 100, period = '2024-01'): Promise<Json> {
  const events = exampleCalls(count).map((event) => ({
    ...event,
    event_id: `${period}/${String(event['event_id'])}`,
    event_time: String(event['event_time']).replace('2024-01', period),
  }));
  await api.expect(202, 'POST', '/events', events);
  await api.expect(202, 'POST', `/billing-periods/cust_1/${period}/close`);
  const [invoice] = await api.all(`/invoices?customer_id=cust_1&period=${period}`);
  return invoice ?? {};
}

export const lineOf = ({ lines }: Json): string => String((lines as Json[])[0]?.['line_item_id']);
export const credit = (api: TestApi, invoice: Json, amount: string | null, more: Json = {}): Promise<Json> =>
  api.expect(201, 'POST', `/invoices/${String(invoice['invoice_id'])}/credit-notes`, {
    lines: [{ line_item_id: lineOf(invoice), ...(amount !== null && { amount }), reason_code: 'goodwill', ...more }],
  });
