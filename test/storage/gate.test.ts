/** The gate: one cutoff, one invoice, one number, and nothing of it when anything fails. */
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { Position } from '../../src/domain/values.js';
import { uuidOf } from '../../src/storage/identifiers.js';
import { sharedHorizon } from '../../src/storage/gate-lock.js';
import { createJournalStore } from '../../src/storage/journal.js';
import type { BillingPeriod, BillingStore } from '../../src/storage/types.js';
import { createUsageStore } from '../../src/storage/usage.js';
import {
  createGateFixture,
  eventsOf,
  type GateFixture,
  invoiceOf,
  issue,
  middle,
  type Refusal,
} from './gate-fixture.js';

let fixture: GateFixture;
let billing: BillingStore;
beforeAll(async () => {
  fixture = await createGateFixture();
  ({ billing } = fixture);
});
afterAll(() => fixture.close());

let customerId: string;
let period: BillingPeriod;
let event: ReturnType<typeof eventsOf>['event'];
let transfer: ReturnType<typeof eventsOf>['transfer'];
beforeEach(async () => {
  customerId = await fixture.addCustomer();
  period = await fixture.addPeriod(customerId);
  ({ event, transfer } = eventsOf(customerId));
});

const lastNumber = async (series = 'invoice'): Promise<number> => {
  const { rows } = await fixture.db.pool.query<{ last_number: string }>(
    'SELECT last_number FROM number_sequences WHERE series = $1',
    [series],
  );
  return Number(rows[0]?.last_number ?? 0);
};
const countOf = async (table: string): Promise<number> => {
  const { rows } = await fixture.db.pool.query<{ n: string }>(
    `SELECT count(*) AS n FROM ${table} WHERE customer_id = $1`,
    [customerId],
  );
  return Number(rows[0]?.n);
};

describe('issuing', () => {
  test('the invoice is read back as it was written, with its charges, lines and journal entry', async () => {
    await fixture.append([
      event('a', '2024-01-10T10:00:00Z'),
      event('b', '2024-01-20T10:00:00Z'),
      transfer('t', '2024-01-20T10:00:00Z', '2.50'),
    ]);
    const issued = await billing.atGate(period, (gate) => issue(gate, period));
    expect(issued?.total).toBe('4.50');
    const invoice = await billing.findInvoice(issued?.invoiceId ?? '');
    expect(invoice).toEqual(issued);
    expect(await billing.findInvoice(issued?.number ?? '')).toEqual(issued);
    const [chargeId = ''] = invoice?.lines[0]?.chargeIds ?? [];
    expect(await billing.findCharge(chargeId)).toMatchObject({
      chargeId,
      revision: 1,
      supersedesChargeId: null,
      customerId,
      meter: 'bytes',
      group: { region: 'eu' },
      quantity: '2.5',
      segment: { from: middle, to: period.to },
      cutoff: invoice?.cutoffPosition,
    });
    expect((await billing.linesOfCharge(chargeId)).map((line) => [line.invoiceId, line.lineNumber])).toEqual([
      [invoice?.invoiceId, 1],
    ]);
    const journal = createJournalStore(fixture.db);
    const { data } = await journal.entries({ customerId }, { limit: 10 });
    expect(data.map((entry) => [entry.sourceDocument, entry.postings.map((posting) => posting.amount)])).toEqual([
      [`invoice/${invoice?.invoiceId ?? ''}`, ['4.50', '-2.5', '-1', '-1']],
    ]);
  });

  test('unknown ids, and what is no id, are not found', async () => {
    const nobody = uuidOf('nobody');
    for (const id of [nobody, 'INV-unknown', '']) {
      expect(await billing.findInvoice(id)).toBeNull();
      expect(await billing.findCharge(id)).toBeNull();
      expect(await billing.linesOfCharge(id)).toEqual([]);
      expect(await billing.chargeEvents(id, { limit: 10 })).toEqual({ data: [], nextCursor: null });
    }
  });

  test('two gates at once: one invoice, and the second sees it', async () => {
    await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
    const before = await lastNumber();
    const issued = await Promise.all(
      Array.from({ length: 6 }, () => billing.atGate(period, (gate) => issue(gate, period))),
    );
    expect(issued.filter((invoice) => invoice !== null)).toHaveLength(1);
    expect(await lastNumber()).toBe(before + 1);
    expect(await countOf('invoices')).toBe(1);
  });

  test('a second document at the same place of the chain is refused by the database', async () => {
    await billing.atGate(period, (gate) => issue(gate, period));
    const again = billing.atGate(period, async (gate) => {
      const invoice = invoiceOf(period, { gate, number: 'INV-second', charges: [], chargeIds: [] });
      await gate.insertInvoice({ ...invoice, invoiceId: uuidOf('another'), chainPlace: 1 }, 'test');
    });
    await expect(again).rejects.toThrow(/invoices_customer_id_period_chain_place_key/);
  });

  test.each<[string, Refusal, RegExp]>([
    [
      'an error after everything was written',
      {
        afterWrites: () => {
          throw new Error('crash');
        },
      },
      /crash/,
    ],
    ['an entry that does not balance', { unbalanced: true }, /does not sum to zero/],
  ])('%s: nothing stays, and the number is given back', async (_name, refusal, message) => {
    await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
    const before = await lastNumber();
    await expect(billing.atGate(period, (gate) => issue(gate, period, refusal))).rejects.toThrow(message);
    expect(await lastNumber()).toBe(before);
    for (const table of ['invoices', 'rated_charges', 'aggregated_usage', 'journal_entries'])
      expect(await countOf(table)).toBe(0);
    const issued = await billing.atGate(period, (gate) => issue(gate, period));
    expect(issued?.number).toBe(`INV-${before + 1}`);
  });

  test('concurrent gates draw numbers without a gap', async () => {
    const before = await lastNumber();
    const periods: BillingPeriod[] = [];
    for (let i = 0; i < 24; i += 1) periods.push(await fixture.addPeriod(await fixture.addCustomer()));
    const drawn = await Promise.allSettled(
      periods.map((of, i) => billing.atGate(of, (gate) => issue(gate, of, { unbalanced: i % 4 === 0 }))),
    );
    const numbers = drawn.flatMap((result) =>
      result.status === 'fulfilled' && result.value !== null ? [Number(result.value.number.slice(4))] : [],
    );
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 18 }, (_, i) => before + 1 + i));
  });

  test('an outcome and findings are part of the transaction; the first outcome of a request stands', async () => {
    const requestId = uuidOf('request', customerId);
    await fixture.db.pool.query(
      `INSERT INTO invoicing_requests (request_id, customer_id, period, billing_day, forced) VALUES ($1, $2, $3, '2024-02-01', false)`,
      [requestId, customerId, period.period],
    );
    const finding = {
      code: 'TEST',
      customerId,
      period: period.period,
      subject: { customer_id: customerId, b: 1, a: [2] },
      detail: 'first',
    };
    const hold = billing.atGate(period, async (gate) => {
      await gate.storeFinding(finding);
      await gate.recordOutcome(requestId, 'held', null);
      throw new Error('crash');
    });
    await expect(hold).rejects.toThrow('crash');
    expect(await countOf('findings')).toBe(0);
    for (const outcome of ['held', 'skipped'] as const) {
      await billing.atGate(period, async (gate) => {
        await gate.storeFinding({ ...finding, subject: { a: [2], b: 1, customer_id: customerId } });
        await gate.recordOutcome(requestId, outcome, null);
      });
    }
    expect(await countOf('findings')).toBe(1);
    const { rows } = await fixture.db.pool.query('SELECT outcome FROM invoicing_outcomes WHERE request_id = $1', [
      requestId,
    ]);
    expect(rows).toEqual([{ outcome: 'held' }]);
  });
});

test('closers and ingest race with the gate: the invoice is the ledger at its cutoff', async () => {
  const usage = createUsageStore(fixture.db);
  const events = Array.from({ length: 200 }, (_, i) => event(`e${i}`, `2024-01-1${i % 9}T10:00:00Z`));
  const ingest = async (): Promise<void> => {
    for (let i = 0; i < events.length; i += 5) await fixture.append(events.slice(i, i + 5));
  };
  const closer = async (): Promise<void> => {
    for (let i = 0; i < 10; i += 1) await usage.closeWindows(period, null, [], null);
  };
  const gate = async (): Promise<Invoice | null> => {
    await fixture.append([event('before the gate', '2024-01-31T10:00:00Z')]);
    return billing.atGate(period, (open) => issue(open, period));
  };
  const [, , , invoice] = await Promise.all([ingest(), closer(), closer(), gate()]);
  const { rows } = await fixture.db.pool.query<{ n: string }>(
    'SELECT count(*) AS n FROM telemetry_events WHERE customer_id = $1 AND position <= $2',
    [customerId, invoice?.cutoffPosition],
  );
  expect(invoice?.total).toBe(Number(rows[0]?.n).toFixed(2));
  const counted = await Promise.all(
    (invoice?.lines ?? []).map(
      async (line) => (await billing.chargeEvents(line.chargeIds[0] ?? '', { limit: 500 })).data.length,
    ),
  );
  expect(counted.reduce((sum, n) => sum + n, 0)).toBe(Number(rows[0]?.n));
});

test('more gates at once than connections: all pass', async () => {
  const periods: BillingPeriod[] = [];
  for (let i = 0; i < 30; i += 1) periods.push(await fixture.addPeriod(await fixture.addCustomer()));
  const issued = await Promise.all(periods.map((of) => billing.atGate(of, (gate) => issue(gate, of))));
  expect(issued.every((invoice) => invoice !== null)).toBe(true);
});

test('a shared horizon is one that was read after its caller asked', async () => {
  const reads: ((position: Position) => void)[] = [];
  const horizon = sharedHorizon(() => new Promise((resolve) => reads.push(resolve)));
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const first = horizon();
  await settle();
  const [second, third] = [horizon(), horizon()];
  await settle();
  expect(reads).toHaveLength(1); // the two wait for a read of their own
  reads[0]?.('10' as Position);
  expect(await first).toBe('10');
  await settle();
  expect(reads).toHaveLength(2);
  reads[1]?.('20' as Position);
  expect(await Promise.all([second, third])).toEqual(['20', '20']);

  const failing = sharedHorizon(() => Promise.reject(new Error('away')));
  await expect(failing()).rejects.toThrow('away');
  await expect(failing()).rejects.toThrow('away');
});
