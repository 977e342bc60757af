/** From usage in the ledger to an issued invoice, its journal entry and the requests' outcomes, on real Postgres. */
import { randomUUID } from 'node:crypto';
import { documentHash } from '../../src/billing/document-hash.js';
import { groupsOf } from '../../src/activities/issue-chunk.js';
import { issueInvoice } from '../../src/activities/issue-invoice.js';
import type { Client } from '@temporalio/client';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { LocalDate } from '../../src/domain/values.js';
import type { GateTransaction, InvoicingRequest, Storage } from '../../src/storage/types.js';
import { createActivityFixture, issuedAt, january, settings } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const billingDay = '2024-02-01' as LocalDate;

let fixture: ActivityFixture;
beforeEach(async () => {
  fixture = await createActivityFixture();
});
afterEach(() => fixture.close());

async function invoicesOf(customerId: string): Promise<readonly Invoice[]> {
  return (await fixture.storage.billing.listInvoices({ customerId }, { limit: 10 })).data;
}

const issueChunk = (limit = 200) => fixture.run(fixture.activities.issueChunk, { billingDay, limit });

test('1,234 calls on the tiered price become an invoice of 118.72 that explains itself, with its journal entry', async () => {
  await fixture.addCustomer('acme');
  await fixture.addCalls('acme', 1_234);
  await fixture.request('acme', randomUUID());
  expect(await issueChunk()).toEqual({
    issued: 1,
    held: 0,
    skipped: 0,
    alreadyInvoiced: 0,
    lastInvoiceNumber: 'INV-000001',
    more: false,
  });

  const [invoice] = await invoicesOf('acme');
  expect(invoice).toMatchObject({
    number: 'INV-000001',
    type: 'invoice',
    period: january,
    total: '118.72',
    currency: 'USD',
    status: 'issued',
    seller: settings.seller,
    buyer: { name: 'Acme', address: 'Road 2' },
    issuedAt,
    dueAt: '2024-02-15T01:00:00.000000Z',
    lines: [
      {
        meter: 'api_calls',
        quantity: '1234',
        amount: '118.72',
        calculation: { formula: expect.stringContaining('1000 × 0.10') },
      },
    ],
  });
  expect(invoice?.documentHash).toBe(documentHash(invoice as Invoice));
  expect(invoice?.pinnedVersions.price_segments).toHaveLength(1);
  const charge = await fixture.storage.billing.findCharge(invoice?.lines[0]?.chargeIds[0] ?? '');
  expect(charge).toMatchObject({ quantity: '1234', eventCount: 1_234, cutoff: invoice?.cutoffPosition });
  const { data: entries } = await fixture.storage.journal.entries({ customerId: 'acme' }, { limit: 10 });
  expect(entries).toMatchObject([
    { postingDate: '2024-01-31', postings: [{ amount: '118.72' }, { amount: '-118.72' }] },
  ]);
  expect(await fixture.storage.periods.status('acme', january)).toMatchObject({ stage: 'invoiced' });
});

test('a period is issued once: a second request, and a repeated chunk, find it invoiced', async () => {
  await fixture.addCustomer('acme');
  await fixture.addCalls('acme', 5);
  await fixture.request('acme', randomUUID());
  await issueChunk();
  await fixture.request('acme', randomUUID());
  expect(await issueChunk()).toMatchObject({ issued: 0, alreadyInvoiced: 1 });
  expect(await issueChunk()).toMatchObject({ issued: 0, alreadyInvoiced: 0, more: false });
  expect(await invoicesOf('acme')).toHaveLength(1);
});

test('a period without usage gets an invoice of 0, or none where the customer skips empty ones', async () => {
  await fixture.addCustomer('zero');
  await fixture.addCustomer('none', { skipEmptyInvoices: true });
  await fixture.request('zero', randomUUID());
  await fixture.request('none', randomUUID());
  expect(await issueChunk()).toMatchObject({ issued: 1, skipped: 1 });
  expect(await invoicesOf('zero')).toMatchObject([{ total: '0', lines: [] }]);
  expect(await invoicesOf('none')).toEqual([]);
  expect(await fixture.storage.periods.status('none', january)).toMatchObject({ stage: 'skipped' });
});

test('usage without a price is held with a finding that names the meter, and the others go on', async () => {
  await fixture.addCustomer('unpriced', { priceBook: 'nothing' });
  await fixture.addCustomer('priced');
  for (const customer of ['unpriced', 'priced']) {
    await fixture.addCalls(customer, 10);
    await fixture.request(customer, randomUUID());
  }
  expect(await issueChunk()).toMatchObject({ issued: 1, held: 1, lastInvoiceNumber: 'INV-000001' });
  const { data: findings } = await fixture.storage.findings.list({ customerId: 'unpriced' }, { limit: 10 });
  expect(findings).toMatchObject([{ code: 'UNPRICED_METER', subject: { meter: 'api_calls' } }]);
  expect(await fixture.storage.periods.status('unpriced', january)).toMatchObject({ stage: 'held' });
});

test('a period whose usage, charges and lines do not agree is held, never invoiced', async () => {
  await fixture.addCustomer('broken');
  await fixture.addCalls('broken', 10);
  await fixture.request('broken', randomUUID());
  // What a defect between aggregation and rating would look like: usage that claims an event more than it priced.
  let asked = 0;
  const attempts = failAtGate(fixture.storage, 'broken', (gate) =>
    gateWith(gate, {
      segmentUsage: async (segments) => {
        asked += 1;
        const usage = await gate.segmentUsage(segments);
        return usage.map((row) => Object.defineProperty({ ...row }, 'digest', { get: disagreeing(row.digest) }));
      },
    }),
  );
  expect(await issueChunk()).toMatchObject({ issued: 0, held: 1 });
  attempts.stop();
  expect(asked).toBe(1);
  const { data } = await fixture.storage.findings.list({ customerId: 'broken' }, { limit: 10 });
  expect(data).toMatchObject([{ code: 'CHAIN_BROKEN', class: 'disagreement' }]);
  expect(await invoicesOf('broken')).toEqual([]);
});

/** Another digest at every look. */
function disagreeing(digest: string): () => string {
  let looks = 0;
  return () => {
    looks += 1;
    return looks % 2 === 1 ? digest : digest.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  };
}

test('an unexpected error of one customer is tried again, then held; numbers stay without gaps', async () => {
  for (const customer of ['a', 'bad', 'c']) {
    await fixture.addCustomer(customer);
    await fixture.addCalls(customer, 10);
    await fixture.request(customer, randomUUID());
  }
  const attempts = failAtGate(fixture.storage, 'bad', (gate) =>
    gateWith(gate, { postEntry: () => Promise.reject(new Error('the printer is on fire')) }),
  );
  expect(await issueChunk()).toMatchObject({ issued: 2, held: 1 });
  expect(attempts.count).toBe(3);
  const { data: findings } = await fixture.storage.findings.list({ customerId: 'bad' }, { limit: 10 });
  expect(findings).toMatchObject([
    { code: 'INVOICING_FAILED', detail: expect.stringContaining('the printer is on fire') },
  ]);
  const numbers = [...(await invoicesOf('a')), ...(await invoicesOf('c'))].map(({ number }) => number);
  expect(numbers.sort()).toEqual(['INV-000001', 'INV-000002']);
});

test('an unexpected error of one customer takes nobody along who shares its transaction', async () => {
  const ids = ['bad', ...Array.from({ length: 11 }, (_, index) => `c-${index}`)];
  for (const id of ids) {
    await fixture.addCustomer(id);
    await fixture.request(id, randomUUID());
  }
  const attempts = failAtGate(fixture.storage, 'bad', (gate) =>
    gateWith(gate, { insertRating: () => Promise.reject(new Error('the printer is on fire')) }),
  );
  expect(await issueChunk()).toMatchObject({ issued: 11, held: 1, more: false });
  attempts.stop();
  expect(attempts.count).toBe(1 + 3); // with the others, then alone
  const documents = (await Promise.all(ids.map(invoicesOf))).flat();
  const numbers = Array.from({ length: 11 }, (_, index) => `INV-${String(index + 1).padStart(6, '0')}`);
  expect(documents.map(({ number }) => number).sort()).toEqual(numbers);
});

test('requests are grouped for one transaction each: of a customer each, by customer, never many', () => {
  const request = (customerId: string, period: string): InvoicingRequest => ({
    ...{ requestId: randomUUID(), customerId, period: period as LocalDate },
    ...{ billingDay: january, forced: false, reason: null },
  });
  const ids = Array.from({ length: 30 }, (_, index) => `c-${String(29 - index).padStart(2, '0')}`);
  const requests = ['2024-01-01', '2024-02-01'].flatMap((period) => ids.map((id) => request(id, period)));
  const groups = groupsOf(requests);
  expect(groups.flat()).toHaveLength(60);
  expect(new Set(groups.flat())).toEqual(new Set(requests));
  for (const group of groups) {
    const customers = group.map(({ customerId }) => customerId);
    expect(group.length).toBeLessThanOrEqual(8);
    expect(customers).toEqual([...new Set(customers)].sort());
  }
  // A few are spread over the transactions that go on at a time.
  expect(groupsOf(requests.slice(0, 8)).map((group) => group.length)).toEqual([2, 2, 2, 2]);
  expect(groupsOf([])).toEqual([]);
});

test('a database that goes away holds nobody: the chunk fails and is taken up where it stopped', async () => {
  for (const customer of ['a', 'b']) {
    await fixture.addCustomer(customer);
    await fixture.request(customer, randomUUID());
  }
  const attempts = failAtGate(fixture.storage, 'b', (gate) =>
    gateWith(gate, { drawNumber: () => Promise.reject(Object.assign(new Error('terminated'), { code: '57P01' })) }),
  );
  await expect(issueChunk()).rejects.toThrow('terminated');
  expect(attempts.count).toBe(1);
  attempts.stop();
  expect(await issueChunk()).toMatchObject({ issued: 1, held: 0 });
  expect(await invoicesOf('a')).toHaveLength(1);
  expect(await invoicesOf('b')).toHaveLength(1);
});

test('the same facts give the same document, whenever and in whatever order they are billed', async () => {
  const hashes: string[] = [];
  for (const now of ['2024-02-01T01:00:00.000000Z', '2024-03-09T12:34:56.000000Z']) {
    const own = await createActivityFixture();
    try {
      if (hashes.length === 1) {
        await own.addCustomer('other');
        await own.request('other', randomUUID());
        await own.run(own.activities.issueChunk, { billingDay, limit: 10 });
      }
      await own.addCustomer('acme');
      const batches = [
        ['2024-01-10T00:00:00Z', 700],
        ['2024-01-20T00:00:00Z', 534],
      ] as const;
      for (const [from, count] of hashes.length === 0 ? batches : [...batches].reverse())
        await own.addCalls('acme', count, from);
      const request = await own.request('acme', randomUUID());
      const dependencies = { storage: own.storage, client: {} as Client, settings, now: () => now as typeof issuedAt };
      await issueInvoice(dependencies, request);
      const { data } = await own.storage.billing.listInvoices({ customerId: 'acme' }, { limit: 1 });
      // What differs between two databases by chance (ids of versions) is pinned content, and left out here.
      hashes.push(
        documentHash({
          ...(data[0] as Invoice),
          pinnedVersions: { customer_version_id: '', meter_ids: [], price_segments: [] },
        }),
      );
    } finally {
      await own.close();
    }
  }
  expect(hashes[0]).toBe(hashes[1]);
});

/** Replaces the gate of one customer until it is stopped. */
function failAtGate(
  storage: Storage,
  customerId: string,
  broken: (gate: GateTransaction) => GateTransaction,
): { count: number; stop(): void } {
  const { atGates } = storage.billing;
  const attempts = { count: 0, stop: () => void (billing.atGates = atGates) };
  const billing = storage.billing as { atGates: Storage['billing']['atGates'] };
  billing.atGates = (periods, work, mayGoOn) =>
    atGates(
      periods,
      (gate, period) => {
        if (period.customerId !== customerId) return work(gate, period);
        attempts.count += 1;
        return work(broken(gate), period);
      },
      mayGoOn,
    );
  return attempts;
}

/** The gate with some of its methods replaced. */
function gateWith(gate: GateTransaction, replaced: Partial<GateTransaction>): GateTransaction {
  return new Proxy(gate, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in replaced ? replaced : target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
