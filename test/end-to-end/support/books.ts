/** What the stack says of a customer, by its API; and the proofs that it says of itself. */
import { call, until } from '../../support/stack.js';
import { period } from './usage.js';

type Json = Readonly<Record<string, unknown>>;

export interface Document extends Json {
  readonly invoice_id: string;
  readonly number: string;
  readonly type: 'invoice' | 'correction' | 'credit_note';
  readonly total: string;
  readonly issued_at: string;
  readonly document_hash: string;
}

interface Page<T> {
  readonly data: readonly T[];
  readonly next_cursor: string | null;
}

export class Books {
  constructor(private readonly apiUrl: string) {}

  /** Asks for the period to be closed until it is invoiced; one that has not ended needs to be forced. */
  async close(customerId: string, name = period, body: object = {}): Promise<void> {
    const url = `${this.apiUrl}/billing-periods/${customerId}/${name}`;
    await until(
      async () => {
        const before = await call<{ invoice_id: string | null }>(url);
        if (before.invoice_id === null) await call(`${url}/close`, { body });
        return call<{ invoice_id: string | null }>(url);
      },
      ({ invoice_id: id }) => id !== null,
      240_000,
    );
  }

  /** The original first, then its corrections. */
  async documents(customerId: string): Promise<readonly Document[]> {
    const documents = await this.all<Document>(`/invoices?customer_id=${customerId}&limit=100`);
    return documents.toSorted((a, b) => (a.issued_at < b.issued_at ? -1 : 1));
  }

  /** Waits until the period has so many documents, and nothing is under way that would make another. */
  async settled(customerId: string, documents: number): Promise<void> {
    await until(
      async () => [(await this.documents(customerId)).length, await this.unfinished(customerId)],
      ([count, unfinished]) => count === documents && unfinished === 0,
      240_000,
    );
  }

  /** Re-ratings of the customer that have not ended. */
  async unfinished(customerId: string): Promise<number> {
    const ended = new Set(['completed', 'no_difference', 'rejected']);
    const all = await this.all<{ status: string }>(`/re-ratings?customer_id=${customerId}&limit=100`);
    return all.filter(({ status }) => !ended.has(status)).length;
  }

  async charges(ids: readonly string[]): Promise<readonly Json[]> {
    return Promise.all(ids.map((id) => call<Json>(`${this.apiUrl}/charges/${id}`)));
  }

  entries(customerId: string): Promise<readonly Json[]> {
    return this.all<Json>(`/ledger/entries?customer_id=${customerId}&limit=100`);
  }

  findings(): Promise<readonly Json[]> {
    return this.all<Json>('/findings?limit=100');
  }

  /** Every document is recomputed from its raw events; those that do not hold. */
  async unverified(customerId: string): Promise<readonly unknown[]> {
    const verifications = [];
    for (const { invoice_id: id } of await this.documents(customerId))
      verifications.push(await call<{ verified: boolean }>(`${this.apiUrl}/invoices/${id}/verify`));
    return verifications.filter(({ verified }) => !verified);
  }

  /** Events = aggregates = charges = lines = journal: the run's figures. */
  async reconciled(customerIds: readonly string[]): Promise<{ readonly periods: number; readonly different: number }> {
    const { run_id: id } = await call<{ run_id: string }>(`${this.apiUrl}/reconciliations`, {
      body: { customer_ids: customerIds },
    });
    const { periods, different } = await until(
      () => call<{ status: string; periods: number; different: number }>(`${this.apiUrl}/reconciliations/${id}`),
      ({ status }) => status === 'finished',
      240_000,
    );
    return { periods, different };
  }

  /** Sum of the documents, in cents. */
  async billedInCents(customerId: string): Promise<bigint> {
    const documents = await this.documents(customerId);
    return documents.reduce((sum, { total }) => sum + BigInt(total.replace('.', '')), 0n);
  }

  private async all<T>(path: string): Promise<readonly T[]> {
    const items: T[] = [];
    for (let cursor = ''; ;) {
      const page = await call<Page<T>>(`${this.apiUrl}${path}${cursor}`);
      items.push(...page.data);
      if (page.next_cursor === null) return items;
      cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
    }
  }
}
