/** Customers with an invoice, and what corrects it. */
import { callEvent, exampleCalls, exampleCustomer } from './test-api.js';
import type { TestApi } from './test-api.js';

type Json = Readonly<Record<string, unknown>>;

/** Headers of a request in somebody's name. */
export const as = (actor: string, key?: string): Record<string, string> => ({
  'x-reckoner-actor': actor,
  ...(key !== undefined && { 'idempotency-key': key }),
});

export const scopeOf = (customerId: string): Json => ({ customer_ids: [customerId] });

export class Corrections {
  constructor(private readonly api: TestApi) {}

  /** A customer with an invoice of January: ten calls, 1.00. Its id. */
  async invoiced(customerId: string, facts: Json = {}): Promise<string> {
    const { api } = this;
    await api.expect(201, 'PUT', `/customers/${customerId}`, { ...exampleCustomer, ...facts });
    const events = exampleCalls(10).map((event) => ({ ...event, customer_id: customerId }));
    await api.expect(202, 'POST', '/events', events);
    const closed = await api.expect(202, 'POST', `/billing-periods/${customerId}/2024-01/close`);
    expect(closed).toMatchObject({ stage: 'invoiced', corrections: [] });
    return String(closed['invoice_id']);
  }

  /** A call of January that comes now: 0.10. */
  async late(customerId: string, eventId: string): Promise<void> {
    await this.api.expect(202, 'POST', '/events', callEvent(eventId, { customer_id: customerId }));
  }

  reRate(body: Json, headers: Record<string, string> = as('ada')): Promise<Json> {
    return this.api.expect(202, 'POST', '/re-ratings', body, headers);
  }

  get(reRating: Json): Promise<Json> {
    return this.api.expect(200, 'GET', `/re-ratings/${String(reRating['re_rating_id'])}`);
  }
}
