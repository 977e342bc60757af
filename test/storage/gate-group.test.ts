/** Several gates in one transaction: one cutoff, numbers without a gap, all of it or nothing. */
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { BillingPeriod, BillingStore, GateTransaction } from '../../src/storage/types.js';
import { createGateFixture, eventsOf, type GateFixture, issue } from './gate-fixture.js';

let fixture: GateFixture;
let billing: BillingStore;
beforeAll(async () => {
  fixture = await createGateFixture();
  ({ billing } = fixture);
});
afterAll(() => fixture.close());

async function threePeriods(): Promise<readonly BillingPeriod[]> {
  const periods = [];
  for (const _ of [1, 2, 3]) {
    const customerId = await fixture.addCustomer();
    await fixture.append([eventsOf(customerId).event('a', '2024-01-10T10:00:00Z')]);
    periods.push(await fixture.addPeriod(customerId));
  }
  return periods.sort((a, b) => (a.customerId < b.customerId ? -1 : 1));
}

async function documentsOf(periods: readonly BillingPeriod[]): Promise<readonly Invoice[]> {
  const pages = await Promise.all(periods.map(({ customerId }) => billing.listInvoices({ customerId }, { limit: 10 })));
  return pages.flatMap(({ data }) => data);
}

const numberOf = (invoice: Invoice | null): number => Number(invoice?.number.replace('INV-', ''));

const transactionsOf = async (issued: readonly (Invoice | null)[]): Promise<readonly string[]> => {
  const { rows } = await fixture.db.pool.query<{ xmin: string }>(
    'SELECT DISTINCT xmin::text FROM invoices WHERE invoice_id = ANY ($1)',
    [issued.map((invoice) => invoice?.invoiceId)],
  );
  return rows.map(({ xmin }) => xmin);
};

test('a group is one transaction at one cutoff, with numbers one after the other', async () => {
  const periods = await threePeriods();
  const issued = await billing.atGates(periods, (gate, period) => issue(gate, period));
  expect(issued.map((invoice) => invoice?.customerId)).toEqual(periods.map(({ customerId }) => customerId));
  const [first] = issued.map(numberOf);
  expect(issued.map(numberOf)).toEqual([0, 1, 2].map((further) => (first ?? NaN) + further));
  expect(new Set(issued.map((invoice) => invoice?.cutoffPosition)).size).toBe(1);
  expect(await transactionsOf(issued)).toHaveLength(1);
  expect(await documentsOf(periods)).toEqual(issued);
});

test('a number is drawn when all the others have asked or ended', async () => {
  const [quiet, ...drawing] = await threePeriods();
  if (quiet === undefined) throw new Error('three periods');
  const told: string[] = [];
  const draw = async (gate: GateTransaction, series: string): Promise<number> => {
    told.push(`asks ${series}`);
    const number = await gate.drawNumber(series);
    told.push(`has ${series} ${number}`);
    return number;
  };
  const numbers = await billing.atGates([...drawing, quiet], async (gate, { customerId }) => {
    if (customerId === quiet.customerId) return told.push('draws none');
    await draw(gate, 'b-series');
    return draw(gate, 'a-series');
  });
  expect(numbers).toEqual([1, 2, 3]);
  expect(told).toEqual([
    ...['asks b-series', 'asks b-series', 'draws none'],
    ...['has b-series 1', 'asks a-series', 'has b-series 2', 'asks a-series'],
    ...['has a-series 1', 'has a-series 2'],
  ]);
});

test.each(['before the number', 'after the number', 'in the database'] as const)(
  'what fails for one, %s, undoes all, and gives the numbers back',
  async (when) => {
    const periods = await threePeriods();
    const broken = periods[1]?.customerId;
    const ended: string[] = [];
    const failing = billing.atGates(periods, async (gate, period) => {
      const isBroken = period.customerId === broken;
      try {
        if (isBroken && when === 'before the number') throw new Error('broken');
        const issued = await issue(gate, period, { unbalanced: isBroken && when === 'in the database' });
        if (isBroken && when === 'after the number') throw new Error('broken');
        return issued;
      } finally {
        ended.push(period.customerId);
      }
    });
    await expect(failing).rejects.toThrow(when === 'in the database' ? /sum to zero/ : 'broken');
    const begun = when === 'before the number' ? periods.slice(0, 2) : periods;
    expect(ended.sort()).toEqual(begun.map(({ customerId }) => customerId));
    expect(await documentsOf(periods)).toEqual([]);
    const [again] = await billing.atGates(periods.slice(0, 1), (gate, period) => issue(gate, period));
    const [first] = await transactionsOf([again ?? null]);
    expect(first).toBeDefined();
    const { rows } = await fixture.db.pool.query<{ gaps: string }>(
      `SELECT s.last_number - count(i.*) AS gaps FROM number_sequences s CROSS JOIN invoices i WHERE s.series = 'invoice' GROUP BY s.last_number`,
    );
    expect(rows).toEqual([{ gaps: '0' }]);
  },
);

test('who may not go on leaves the rest alone', async () => {
  const periods = await threePeriods();
  let left = 2;
  const issued = await billing.atGates(
    periods,
    (gate, period) => issue(gate, period),
    () => (left -= 1) > 0,
  );
  expect(issued).toHaveLength(2);
  expect((await documentsOf(periods)).map(({ customerId }) => customerId)).toEqual(
    periods.slice(0, 2).map(({ customerId }) => customerId),
  );
  expect(await billing.atGates([], () => Promise.reject(new Error('never')))).toEqual([]);
});

test('a gate that draws two numbers at once is refused', async () => {
  const [period] = await threePeriods();
  if (period === undefined) throw new Error('three periods');
  const twice = billing.atGate(period, (gate) => Promise.all([gate.drawNumber('twice'), gate.drawNumber('twice')]));
  await expect(twice).rejects.toThrow(/one number after the other/);
});
