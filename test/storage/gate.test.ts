/** The gate: one cutoff, one invoice, one number, and nothing of it when anything fails. */
import fc from 'fast-check';
import { aggregate, usageBySegment } from '../../src/domain/metering/fold.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { JournalEntry } from '../../src/domain/ledger/journal.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import type { PriceSegment, RatedCharge, SegmentUsage } from '../../src/domain/rating/rating.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';
import { createBillingStore } from '../../src/storage/billing.js';
import { uuidOf } from '../../src/storage/identifiers.js';
import { createJournalStore } from '../../src/storage/journal.js';
import type { BillingPeriod, BillingStore, GateTransaction } from '../../src/storage/types.js';
import { createUsageStore } from '../../src/storage/usage.js';
import { createFixture, type Fixture, instant, metadataOf, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
let billing: BillingStore;
let meters: readonly Meter[];
let v1: PriceBookVersion;
let v2: PriceBookVersion;

beforeAll(async () => {
  fixture = await createFixture();
  billing = createBillingStore(fixture.db);
  meters = [
    await fixture.addMeter({ code: 'calls' }),
    await fixture.addMeter({ code: 'bytes', valueProperty: 'bytes', groupBy: ['region'], eventType: 'transfer' }),
  ];
  [v1, v2] = [await addPriceBook('v1'), await addPriceBook('v2')];
});
afterAll(() => fixture.close());

let customerId: string;
let period: BillingPeriod;
beforeEach(async () => {
  customerId = await fixture.addCustomer();
  period = await fixture.addPeriod(customerId);
});

async function addPriceBook(version: string, { db }: Fixture = fixture): Promise<PriceBookVersion> {
  const priceBookId = uuidOf('test-price-book', version);
  await db.pool.query(
    `INSERT INTO price_books (price_book_id, code, version, currency, effective_from, rounding, prices, content_hash)
     VALUES ($1, 'standard', $2, 'USD', '2024-01-01', 'half_even', '[]', '')`,
    [priceBookId, version],
  );
  const effectiveFrom = instant('2024-01-01T00:00:00Z');
  return { priceBookId, code: 'standard', version, currency: 'USD', effectiveFrom, effectiveUntil: null, rounding: 'half_even', prices: [], learnedOrder: 1 };
}

const middle = instant('2024-01-15T00:00:00Z');
const segmentsOf = ({ from, to }: BillingPeriod): readonly PriceSegment[] => [
  { from, to: middle, priceBook: v1 },
  { from: middle, to, priceBook: v2 },
];

const event = (eventId: string, time: string, more: Partial<UsageEvent> = {}): UsageEvent =>
  usageEvent({ customerId, eventId, ...more, eventTime: time });
const transfer = (eventId: string, time: string, bytes: unknown, region = 'eu'): UsageEvent =>
  event(eventId, time, { eventType: 'transfer', metadataJson: JSON.stringify({ bytes, region }) });

/** One unit costs 1: the rating itself is tested elsewhere. */
function chargeOf(used: SegmentUsage, segments: readonly PriceSegment[]): RatedCharge {
  const segment = segments[used.segment];
  if (segment?.priceBook == null) throw new Error('no price book in force');
  return {
    meter: used.meter,
    group: used.group,
    priceBookId: segment.priceBook.priceBookId,
    currency: 'USD',
    quantity: used.quantity,
    amount: used.quantity,
    eventCount: used.eventCount,
    digest: used.digest,
    calculation: {
      model: 'flat',
      formula: `${used.quantity} × 1`,
      quantity: used.quantity,
      unit_price: '1' as DecimalString,
      tiers: [],
      quantity_before: '0' as DecimalString,
      period_quantity: used.quantity,
      price_book: 'standard',
      price_book_version: segment.priceBook.version,
      effective_date: period.from,
      in_force: [{ from: segment.from, to: segment.to }],
    },
  };
}

interface Refusal {
  readonly unbalanced?: boolean;
  readonly afterWrites?: () => void;
}

async function issue(gate: GateTransaction, of: BillingPeriod, refusal: Refusal = {}): Promise<Invoice | null> {
  if (gate.chainTip !== null) return null;
  await gate.bringWindowsToCutoff();
  const segments = segmentsOf(of);
  const charges = (await gate.segmentUsage(segments)).map((used) => chargeOf(used, segments));
  const chargeIds = await gate.storeCharges(charges);
  const number = `INV-${await gate.drawNumber('invoice')}`;
  const invoice = invoiceOf(of, { gate, number, charges, chargeIds });
  await gate.insertInvoice(invoice, 'test');
  await gate.postEntry(entryOf(invoice, refusal.unbalanced === true ? '1' : '0'));
  refusal.afterWrites?.();
  return invoice;
}

function invoiceOf(
  of: BillingPeriod,
  { gate, number, charges, chargeIds }: { gate: GateTransaction; number: string; charges: readonly RatedCharge[]; chargeIds: readonly string[] },
): Invoice {
  const invoiceId = uuidOf('invoice', of.customerId, of.period, 1);
  const total = charges.reduce((sum, charge) => sum + Number(charge.amount), 0).toFixed(2) as DecimalString;
  return {
    invoiceId,
    number,
    type: 'invoice',
    customerId: of.customerId,
    period: of.period,
    periodStart: of.from,
    periodEnd: of.to,
    timeZone: of.timeZone,
    chainPlace: 1,
    correctsInvoiceId: null,
    replacesInvoiceId: null,
    currency: 'USD',
    status: 'issued',
    subtotal: total,
    credits: '0.00' as DecimalString,
    tax: '0.00' as DecimalString,
    total,
    seller: { name: 'Seller' },
    buyer: { name: 'Buyer', address: 'Street 1' },
    paymentTerms: '14 days net',
    cutoffPosition: gate.cutoff,
    pinnedVersions: { customer_version_id: of.customerVersionId, meter_ids: [], price_segments: [] },
    documentHash: 'hash',
    issuedAt: '2024-02-01T01:00:00.000000Z' as Instant,
    dueAt: '2024-02-15T01:00:00.000000Z' as Instant,
    lines: charges.map((charge, i) => ({
      lineItemId: uuidOf('line', invoiceId, i),
      lineNumber: i + 1,
      lineKey: `${charge.meter}/${JSON.stringify(charge.group)}/${charge.priceBookId}`,
      description: charge.meter,
      meter: charge.meter,
      group: charge.group,
      serviceFrom: of.from,
      serviceTo: of.to,
      quantity: charge.quantity,
      amount: charge.amount,
      currency: 'USD',
      originalAmount: null,
      correctedAmount: null,
      reason: null,
      correctsLineItemId: null,
      chargeIds: chargeIds.slice(i, i + 1),
      calculation: { formula: charge.calculation.formula, charges: [charge.calculation] },
    })),
  };
}

function entryOf(invoice: Invoice, error: string): JournalEntry {
  return {
    sourceDocument: `invoice/${invoice.invoiceId}`,
    customerId: invoice.customerId,
    invoiceId: invoice.invoiceId,
    postingDate: '2024-02-01' as LocalDate,
    serviceFrom: invoice.periodStart,
    serviceTo: invoice.periodEnd,
    description: `Invoice ${invoice.number}`,
    postings: [
      { account: 'accounts_receivable', lineItemId: null, currency: 'USD', amount: (Number(invoice.total) + Number(error)).toFixed(2) as DecimalString },
      ...invoice.lines.map((line) => ({ account: 'revenue' as const, lineItemId: line.lineItemId, currency: 'USD', amount: `-${line.amount}` as DecimalString })),
    ],
  };
}

const lastNumber = async (series = 'invoice'): Promise<number> => {
  const { rows } = await fixture.db.pool.query<{ last_number: string }>('SELECT last_number FROM number_sequences WHERE series = $1', [series]);
  return Number(rows[0]?.last_number ?? 0);
};
const countOf = async (table: string): Promise<number> => {
  const { rows } = await fixture.db.pool.query<{ n: string }>(`SELECT count(*) AS n FROM ${table} WHERE customer_id = $1`, [customerId]);
  return Number(rows[0]?.n);
};

describe('issuing', () => {
  test('the invoice is read back as it was written, with its charges, lines and journal entry', async () => {
    await fixture.append([event('a', '2024-01-10T10:00:00Z'), event('b', '2024-01-20T10:00:00Z'), transfer('t', '2024-01-20T10:00:00Z', '2.50')]);
    const issued = await billing.atGate(period, (gate) => issue(gate, period));
    expect(issued?.total).toBe('4.50');
    const invoice = await billing.findInvoice(issued?.invoiceId ?? '');
    expect(invoice).toEqual(issued);
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
    expect((await billing.linesOfCharge(chargeId)).map((line) => [line.invoiceId, line.lineNumber])).toEqual([[invoice?.invoiceId, 1]]);
    const journal = createJournalStore(fixture.db);
    const { data } = await journal.entries({ customerId }, { limit: 10 });
    expect(data.map((entry) => [entry.sourceDocument, entry.postings.map((posting) => posting.amount)])).toEqual([
      [`invoice/${invoice?.invoiceId ?? ''}`, ['4.50', '-2.5', '-1', '-1']],
    ]);
  });

  test('unknown ids, and what is no id, are not found', async () => {
    const nobody = uuidOf('nobody');
    for (const id of [nobody, 'INV-1', '']) {
      expect(await billing.findInvoice(id)).toBeNull();
      expect(await billing.findCharge(id)).toBeNull();
      expect(await billing.linesOfCharge(id)).toEqual([]);
      expect(await billing.chargeEvents(id, { limit: 10 })).toEqual({ data: [], nextCursor: null });
    }
  });

  test('two gates at once: one invoice, and the second sees it', async () => {
    await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
    const before = await lastNumber();
    const issued = await Promise.all(Array.from({ length: 6 }, () => billing.atGate(period, (gate) => issue(gate, period))));
    expect(issued.filter((invoice) => invoice !== null)).toHaveLength(1);
    expect(await lastNumber()).toBe(before + 1);
    expect(await countOf('invoices')).toBe(1);
  });

  test('a second document at the same place of the chain is refused by the database', async () => {
    await billing.atGate(period, (gate) => issue(gate, period));
    const again = billing.atGate(period, async (gate) => {
      const invoice = invoiceOf(period, { gate, number: 'INV-second', charges: [], chargeIds: [] });
      await gate.insertInvoice({ ...invoice, invoiceId: uuidOf('another') }, 'test');
    });
    await expect(again).rejects.toThrow(/invoices_customer_id_period_chain_place_key/);
  });

  test.each<[string, Refusal, RegExp]>([
    ['an error after everything was written', { afterWrites: () => { throw new Error('crash'); } }, /crash/],
    ['an entry that does not balance', { unbalanced: true }, /does not sum to zero/],
  ])('%s: nothing stays, and the number is given back', async (_name, refusal, message) => {
    await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
    const before = await lastNumber();
    await expect(billing.atGate(period, (gate) => issue(gate, period, refusal))).rejects.toThrow(message);
    expect(await lastNumber()).toBe(before);
    for (const table of ['invoices', 'rated_charges', 'aggregated_usage', 'journal_entries']) expect(await countOf(table)).toBe(0);
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
    const numbers = drawn.flatMap((result) => (result.status === 'fulfilled' && result.value !== null ? [Number(result.value.number.slice(4))] : []));
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 18 }, (_, i) => before + 1 + i));
  });

  test('an outcome and findings are part of the transaction; the first outcome of a request stands', async () => {
    const requestId = uuidOf('request', customerId);
    await fixture.db.pool.query(
      `INSERT INTO invoicing_requests (request_id, customer_id, period, billing_day, forced) VALUES ($1, $2, $3, '2024-02-01', false)`,
      [requestId, customerId, period.period],
    );
    const finding = { code: 'TEST', customerId, period: period.period, subject: { customer_id: customerId, b: 1, a: [2] }, detail: 'first' };
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
    const { rows } = await fixture.db.pool.query('SELECT outcome FROM invoicing_outcomes WHERE request_id = $1', [requestId]);
    expect(rows).toEqual([{ outcome: 'held' }]);
  });
});

describe('what the gate reads', () => {
  test('usage by price segment equals the fold, for any facts and however much was closed before', async () => {
    const time = fc.constantFrom('2024-01-01T00:00:00Z', '2024-01-14T23:59:59.999999Z', '2024-01-15T00:00:00Z', '2024-01-31T23:59:59Z', '2024-02-01T00:00:00Z');
    const bytes = fc.constantFrom<unknown>('0.1', '-2', 3, 1.5, 'many', null);
    const content = fc.record({ type: fc.constantFrom('api_call', 'transfer'), time, bytes, region: fc.constantFrom('eu', 'us') });
    const usage = createUsageStore(fixture.db);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(content, fc.option(content), fc.boolean()), { maxLength: 12 }), async (facts) => {
        customerId = await fixture.addCustomer();
        const of = await fixture.addPeriod(customerId);
        const left: UsageEvent[] = [];
        for (const [i, [stored, amended, close]] of facts.entries()) {
          const made = event(`e${i}`, stored.time, { eventType: stored.type, metadataJson: JSON.stringify({ bytes: stored.bytes, region: stored.region }) });
          await fixture.append([made]);
          if (close) await usage.closeWindows(of, null, [], null);
          if (amended !== null) {
            const eventTime = instant(amended.time);
            const metadataJson = JSON.stringify({ bytes: amended.bytes, region: amended.region });
            await fixture.adjust(made, { eventType: amended.type, eventTime, metadataJson });
            left.push(event(`e${i}`, amended.time, { eventType: amended.type, metadataJson }));
          } else left.push(made);
        }
        const segments = segmentsOf(of);
        const expected = aggregate(left.map((item) => ({ ...item, metadata: metadataOf(item.metadataJson) })), meters, of);
        const [found, unreadable] = await billing.atGate(of, async (gate) => [await gate.segmentUsage(segments), await gate.unreadableValues()] as const);
        expect(found).toEqual(usageBySegment(expected.windows, segments));
        expect(unreadable.reduce((sum, row) => sum + row.count, 0)).toBe(expected.unreadable.length);
      }),
      { numRuns: 40, seed: 31 },
    );
  });

  test('unreadable values are named with an example', async () => {
    await fixture.append([transfer('good', '2024-01-10T10:00:00Z', '1'), transfer('bad', '2024-01-10T10:00:00Z', 'many'), transfer('none', '2024-01-11T10:00:00Z', null)]);
    expect(await billing.atGate(period, (gate) => gate.unreadableValues())).toEqual([{ meter: 'bytes', count: 2, example: 'bad' }]);
  });

  test('a price segment that cuts a window in two is a defect', async () => {
    await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
    const cut = instant('2024-01-10T10:30:00Z');
    const segments = [{ from: period.from, to: cut, priceBook: v1 }, { from: cut, to: period.to, priceBook: v2 }];
    await expect(billing.atGate(period, (gate) => gate.segmentUsage(segments))).rejects.toThrow(/does not lie in price segment/);
  });
});

describe('charge revisions', () => {
  const rate = (of: BillingPeriod, store = billing): Promise<readonly string[]> =>
    store.atGate(of, async (gate) => {
      const segments = segmentsOf(of);
      return gate.storeCharges((await gate.segmentUsage(segments)).map((used) => chargeOf(used, segments)));
    });

  test('the same content is not repeated; another one supersedes it; one that comes back is a revision of its own', async () => {
    const first = event('a', '2024-01-10T10:00:00Z');
    await fixture.append([first]);
    const [one] = await rate(period);
    await fixture.append([event('b', '2024-01-20T10:00:00Z')]);
    const again = await rate(period);
    expect(again[0]).toBe(one);
    const extra = event('c', '2024-01-10T11:00:00Z');
    await fixture.append([extra]);
    const [two] = await rate(period);
    await fixture.adjust(extra, null);
    const [three] = await rate(period);
    expect(new Set([one, two, three]).size).toBe(3);
    const stored = await Promise.all([one, two, three].map((id) => billing.findCharge(id ?? '')));
    expect(stored.map((charge) => [charge?.revision, charge?.supersedesChargeId, charge?.quantity])).toEqual([
      [1, null, '1'],
      [2, one, '2'],
      [3, two, '1'],
    ]);
    expect(await rate(period)).toEqual([three, again[1]]);
  });

  test('the same facts give the same ids in another database, however often they were rated on the way', async () => {
    const other = await createFixture();
    try {
      await other.addMeter({ code: 'calls' });
      await addPriceBook('v1', other);
      await other.addCustomer(customerId);
      const twin = await other.addPeriod(customerId);
      for (const i of [1, 2, 3]) {
        for (const { append } of [fixture, other]) await append([event(`e${i}`, '2024-01-10T10:00:00Z')]);
        await rate(period);
      }
      const here = await rate(period);
      const there = await rate(twin, createBillingStore(other.db));
      expect(there).toEqual(here);
      expect((await billing.findCharge(here[0] ?? ''))?.revision).toBe(3);
    } finally {
      await other.close();
    }
  });

  test('two charges with the same key are a defect', async () => {
    await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
    const doubled = billing.atGate(period, async (gate) => {
      const [used] = await gate.segmentUsage(segmentsOf(period));
      if (used === undefined) throw new Error('usage expected');
      const charge = chargeOf(used, segmentsOf(period));
      await gate.storeCharges([charge, charge]);
    });
    await expect(doubled).rejects.toThrow(/same key/);
  });
});

describe('after the gate', () => {
  test('late events and adjustments do not change what was stored at the cutoff', async () => {
    const usage = createUsageStore(fixture.db);
    const amended = transfer('amended later', '2024-01-10T10:00:00Z', '5');
    await fixture.append([amended, transfer('kept', '2024-01-10T09:00:00Z', '1'), transfer('us', '2024-01-10T09:00:00Z', '1', 'us'), transfer('moves in', '2024-03-01T00:00:00Z', '7')]);
    await fixture.adjust(transfer('moves in', '2024-03-01T00:00:00Z', '7'), {
      eventType: 'transfer',
      eventTime: instant('2024-01-10T08:00:00Z'),
      metadataJson: '{"bytes":"8","region":"eu"}',
    });
    const invoice = await billing.atGate(period, (gate) => issue(gate, period));
    const chargeId = invoice?.lines.find((line) => line.group['region'] === 'eu')?.chargeIds[0] ?? '';
    const read = async (): Promise<unknown> => {
      const charge = await billing.findCharge(chargeId);
      if (charge === null) throw new Error('charge expected');
      const windows = await usage.windowsAt(period, charge.meter, charge.group, charge.segment, charge.cutoff);
      return { charge, windows, events: await billing.chargeEvents(chargeId, { limit: 100 }), invoice: await billing.findInvoice(invoice?.invoiceId ?? '') };
    };
    const before = await read();
    expect(before).toMatchObject({
      charge: { quantity: '14', eventCount: 3 },
      events: { data: [{ eventId: 'moves in', metadataJson: '{"bytes": "8", "region": "eu"}' }, { eventId: 'kept' }, { eventId: 'amended later' }] },
    });
    await fixture.append([transfer('late', '2024-01-10T10:30:00Z', '100')]);
    await fixture.adjust(amended, null);
    await usage.closeWindows(period, null, [], null);
    expect(await read()).toEqual(before);
    const { windows } = await usage.liveUsage(period);
    expect(windows.find((w) => w.windowStart === instant('2024-01-10T10:00:00Z'))?.quantity).toBe('100');
  });

  test('source events are paged in order, to the end', async () => {
    await fixture.append(Array.from({ length: 25 }, (_, i) => event(`e${String(i).padStart(2, '0')}`, `2024-01-10T10:00:0${i % 5}Z`)));
    const invoice = await billing.atGate(period, (gate) => issue(gate, period));
    const chargeId = invoice?.lines[0]?.chargeIds[0] ?? '';
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<BillingStore['chargeEvents']>> = await billing.chargeEvents(chargeId, { limit: 10, ...(cursor === null ? {} : { cursor }) });
      seen.push(...page.data.map((item) => `${item.eventTime} ${item.eventId}`));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(25);
    expect(seen).toEqual([...seen].sort());
    await expect(billing.chargeEvents(chargeId, { limit: 10, cursor: 'x' })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });

  test('invoices are listed newest first, by customer, period, type and status', async () => {
    const february = await fixture.addPeriod(customerId, { period: '2024-02-01', from: '2024-02-01T00:00:00.000000Z', to: '2024-03-01T00:00:00.000000Z' });
    const january = await billing.atGate(period, (gate) => issue(gate, period));
    const next = await billing.atGate(february, (gate) => issue(gate, february));
    const list = async (filter: Parameters<BillingStore['listInvoices']>[0]): Promise<unknown> =>
      (await billing.listInvoices({ customerId, ...filter }, { limit: 10 })).data.map((invoice) => invoice.invoiceId).sort();
    const both = [january?.invoiceId, next?.invoiceId].sort();
    expect(await list({})).toEqual(both);
    expect(await list({ status: 'issued', type: 'invoice' })).toEqual(both);
    expect(await list({ period: february.period })).toEqual([next?.invoiceId]);
    expect(await list({ status: 'void' })).toEqual([]);
    const first = await billing.listInvoices({ customerId }, { limit: 1 });
    const second = await billing.listInvoices({ customerId }, { limit: 1, cursor: first.nextCursor ?? '' });
    expect([...first.data, ...second.data].map((invoice) => invoice.invoiceId).sort()).toEqual(both);
    expect(second.nextCursor).toBeNull();
    await fixture.db.pool.query(`INSERT INTO invoice_transitions VALUES ($1, 2, 'paid', 'test', NULL)`, [january?.invoiceId]);
    expect((await billing.findInvoice(january?.invoiceId ?? ''))?.status).toBe('paid');
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
  const { rows } = await fixture.db.pool.query<{ n: string }>('SELECT count(*) AS n FROM telemetry_events WHERE customer_id = $1 AND position <= $2', [
    customerId,
    invoice?.cutoffPosition,
  ]);
  expect(invoice?.total).toBe(Number(rows[0]?.n).toFixed(2));
  const counted = await Promise.all((invoice?.lines ?? []).map(async (line) => (await billing.chargeEvents(line.chargeIds[0] ?? '', { limit: 500 })).data.length));
  expect(counted.reduce((sum, n) => sum + n, 0)).toBe(Number(rows[0]?.n));
});

test('more gates at once than connections: all pass', async () => {
  const periods: BillingPeriod[] = [];
  for (let i = 0; i < 30; i += 1) periods.push(await fixture.addPeriod(await fixture.addCustomer()));
  const issued = await Promise.all(periods.map((of) => billing.atGate(of, (gate) => issue(gate, of))));
  expect(issued.every((invoice) => invoice !== null)).toBe(true);
});
