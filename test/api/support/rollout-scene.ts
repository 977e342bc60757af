import { exampleCalls, exampleCustomer, examplePriceBook, TestApi } from './test-api.js';

type Json = Readonly<Record<string, unknown>>;

export const book = (price: string, more: Json = {}): Json => ({
  ...examplePriceBook,
  version: 'v2',
  // The model of the version before: a change of model would be the last version's for the whole period (RULES 20).
  prices: [{ meter: 'api_calls', model: 'tiered', tiers: [{ up_to: null, unit_price: price }] }],
  ...more,
});
export const candidate = (more: Json = {}): Json => book('0.20', { rollout: true, ...more });
export const named = { code: 'standard', version: 'v2' };
export const january = '2024-01-01T00:00:00Z';
export const reason = 'a test';
export const start = (more: Json = {}): Json => ({
  price_book: named,
  customers: ['cust_1'],
  effective_from: january,
  reason,
  ...more,
});
export const offerOf = (answer: Json): { periods: number; examples: Json[]; re_ratings: Json[] } =>
  answer['re_rating_offer'] as ReturnType<typeof offerOf>;

/** Two customers of the price book "standard", ten calls of whom cost 1.00, and a candidate under which they cost 2.00. */
export class RolloutScene {
  private constructor(readonly api: TestApi) {}

  static async start(): Promise<RolloutScene> {
    const api = await TestApi.start();
    await api.setUpExample();
    await api.expect(201, 'PUT', '/customers/cust_2', exampleCustomer);
    await api.expect(201, 'POST', '/price-books', candidate());
    return new RolloutScene(api);
  }

  /** The id of a rollout with cust_1 as canary from January on. */
  async begun(more: Json = {}): Promise<string> {
    return String((await this.api.expect(201, 'POST', '/price-rollouts', start(more)))['rollout_id']);
  }

  compare(id: string, body: Json = {}): Promise<Json> {
    return this.api.expect(202, 'POST', `/price-rollouts/${id}/comparison`, body);
  }

  stage(id: string, body: Json): Promise<Json> {
    return this.api.expect(200, 'POST', `/price-rollouts/${id}/stages`, { reason, effective_from: january, ...body });
  }

  rollBack(id: string, from: string): Promise<Json> {
    return this.api.expect(200, 'POST', `/price-rollouts/${id}/rollback`, { reason, effective_from: from });
  }

  async use(customerId: string, count = 10, month = '2024-01'): Promise<void> {
    const calls = exampleCalls(count).map((event) => ({
      ...event,
      event_id: `${month}/${String(event['event_id'])}`,
      customer_id: customerId,
      event_time: String(event['event_time']).replace('2024-01', month),
    }));
    if (count > 0) await this.api.expect(202, 'POST', '/events', calls);
    // Periods exist from the first look on.
    await this.api.expect(200, 'GET', `/customers/${customerId}/usage?period=${month}`);
  }

  close(customerId: string, month = '2024-01'): Promise<Json> {
    return this.api.expect(202, 'POST', `/billing-periods/${customerId}/${month}/close`);
  }

  async costOf(customerId: string, month = '2024-01'): Promise<unknown> {
    const usage = await this.api.expect(200, 'GET', `/customers/${customerId}/usage?period=${month}`);
    return (usage['cost'] as Json)['total'];
  }

  /** Of the price book, in force for the customer at the instant. */
  async versionOf(customerId: string, at: string): Promise<unknown> {
    const found = await this.api.expect(200, 'GET', `/customers/${customerId}/price-books?at=${at}`);
    return (found['in_force'] as Json | null)?.['version'];
  }
}
