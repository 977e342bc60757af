/** The whole way on the real stack: events over HTTP, relay, workflows, gate, journal, PDF; and with every part killed. */
import { call, startTestStack, until } from '../support/stack.js';
import type { TestStack } from '../support/stack.js';

interface InvoiceWire {
  readonly invoice_id: string;
  readonly number: string;
  readonly status: string;
  readonly total: string;
  readonly document_hash?: string;
  readonly lines: readonly {
    readonly meter: string;
    readonly quantity: string;
    readonly amount: string;
    readonly charge_ids: readonly string[];
  }[];
}
interface PeriodWire {
  readonly stage: string;
  readonly invoice_id: string | null;
}

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack();
  await call(`${stack.apiUrl}/meters`, {
    body: { code: 'api_calls', event_type: 'api_call', aggregation: 'count', window: 'hour' },
  });
  await call(`${stack.apiUrl}/price-books`, {
    body: {
      code: 'standard',
      version: 'v1',
      currency: 'USD',
      effective_from: '2024-01-01T00:00:00Z',
      prices: [
        {
          meter: 'api_calls',
          model: 'tiered',
          tiers: [
            { up_to: '1000', unit_price: '0.10' },
            { up_to: null, unit_price: '0.08' },
          ],
        },
      ],
    },
  });
}, 180_000);

afterAll(() => stack.stop(), 60_000);

const customer = async (id: string): Promise<void> => {
  const body = { name: id, currency: 'USD', price_book: 'standard' };
  await until(
    () => call(`${stack.apiUrl}/customers/${id}`, { method: 'PUT', body }),
    () => true,
  );
};

/** January calls, one every half hour or so; the same for every customer. */
const januaryCalls = (customerId: string, count: number): readonly Record<string, string>[] =>
  Array.from({ length: count }, (_, index) => ({
    event_id: `call-${index}`,
    customer_id: customerId,
    event_type: 'api_call',
    event_time: new Date(Date.UTC(2024, 0, 1) + index * 2_000_000).toISOString(),
  }));

/** Sends until acknowledged: what was not answered is sent again, as a service would. */
async function send(events: readonly Record<string, string>[]): Promise<void> {
  await until(
    () => call<{ rejected: number }>(`${stack.apiUrl}/events`, { body: events }),
    (answer) => answer.rejected === 0,
  );
}

async function closed(customerId: string): Promise<InvoiceWire> {
  const url = `${stack.apiUrl}/billing-periods/${customerId}/2024-01`;
  const { invoice_id: id } = await until(
    async () => {
      const period = await call<PeriodWire>(url);
      if (period.invoice_id === null) await call(`${url}/close`, { body: {} });
      return call<PeriodWire>(url);
    },
    (period) => period.invoice_id !== null,
  );
  return until(
    () => call<InvoiceWire>(`${stack.apiUrl}/invoices/${String(id)}`),
    () => true,
  );
}

test('1,234 calls, twice and out of order, become 118.72, explained, posted and printed', async () => {
  await customer('acme');
  const events = januaryCalls('acme', 1234);
  await send([...events].reverse());
  await send(events);
  const invoice = await closed('acme');
  expect(invoice).toMatchObject({
    status: 'issued',
    total: '118.72',
    lines: [{ meter: 'api_calls', quantity: '1234', amount: '118.72' }],
  });

  const chargeId = invoice.lines[0]?.charge_ids[0] ?? '';
  const charge = await call<{
    calculation: { formula: string; windows: readonly { event_count: number }[]; source_events: { count: number } };
  }>(`${stack.apiUrl}/charges/${chargeId}`);
  expect(charge.calculation.formula).toBe('1000 × 0.10 + 234 × 0.08');
  expect(charge.calculation.source_events.count).toBe(1234);
  expect(charge.calculation.windows.reduce((sum, window) => sum + window.event_count, 0)).toBe(1234);

  const balance = await call<{ data: readonly { balance: string }[] }>(`${stack.apiUrl}/ledger/trial-balance`);
  expect(balance.data.length).toBeGreaterThanOrEqual(2);
  const cents = balance.data.reduce((sum, { balance: amount }) => sum + Math.round(Number(amount) * 100), 0);
  expect(cents).toBe(0);

  const pdf = await fetch(`${stack.apiUrl}/invoices/${invoice.invoice_id}/pdf`);
  expect(pdf.headers.get('content-type')).toBe('application/pdf');
  expect(
    Buffer.from(await pdf.arrayBuffer())
      .subarray(0, 5)
      .toString('latin1'),
  ).toBe('%PDF-');
}, 180_000);

test('a closed period is not closed twice, and a running one not by accident', async () => {
  await customer('twice');
  await send(januaryCalls('twice', 3));
  const first = await closed('twice');
  await expect(call(`${stack.apiUrl}/billing-periods/twice/2024-01/close`, { body: {} })).rejects.toThrow(
    'PERIOD_ALREADY_INVOICED',
  );
  expect(await closed('twice')).toEqual(first);
  const now = new Date().toISOString();
  await send([{ event_id: 'now', customer_id: 'twice', event_type: 'api_call', event_time: now }]);
  await expect(call(`${stack.apiUrl}/billing-periods/twice/${now.slice(0, 7)}/close`, { body: {} })).rejects.toThrow(
    'PERIOD_NOT_ENDED',
  );
}, 180_000);

test.each(['worker', 'api', 'temporal', 'postgres'] as const)(
  'kill -9 of %s in the middle of ingest and of closing changes nothing of the invoice',
  async (part) => {
    const id = `killed-${part}`;
    await customer(id);
    const events = januaryCalls(id, 1234);
    await send(events.slice(0, 600));
    await stack.kill(part);
    const rest = send(events.slice(500));
    await stack.start(part);
    await rest;

    const closing = closed(id);
    // Awaited below, after what may fail before it.
    closing.catch(() => undefined);
    await stack.kill(part);
    await stack.start(part);
    const invoice = await closing;
    expect(invoice).toMatchObject({ total: '118.72', lines: [{ quantity: '1234', amount: '118.72' }] });
    const all = await call<{ data: readonly InvoiceWire[] }>(`${stack.apiUrl}/invoices?customer_id=${id}`);
    expect(all.data).toHaveLength(1);
  },
  300_000,
);
