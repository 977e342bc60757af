/** What is read at the gate and afterwards: usage by segment, charges and their events, invoices. */
import fc from 'fast-check';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { aggregate, usageBySegment } from '../../src/domain/metering/fold.js';
import type { BillingPeriod, BillingStore } from '../../src/storage/types.js';
import { createUsageStore } from '../../src/storage/usage.js';
import { chargeOf, createGateFixture, eventsOf, type GateFixture, issue, segmentsOf, v1, v2 } from './gate-fixture.js';
import { instant, metadataOf } from './usage-fixture.js';

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

describe('what the gate reads', () => {
  test('a provisional gate makes no window final; closing one does, though nothing in it changed', async () => {
    const revisions = async (): Promise<readonly boolean[]> => {
      const { rows } = await fixture.db.pool.query<{ is_final: boolean }>(
        'SELECT is_final FROM aggregated_usage WHERE customer_id = $1 ORDER BY revision',
        [customerId],
      );
      return rows.map((row) => row.is_final);
    };
    await fixture.append([event('e1', '2024-01-10T00:00:00Z')]);
    await billing.atGate(period, (gate) => gate.bringWindowsToCutoff(), 'provisional');
    const provisional = await revisions();
    expect(provisional.length).toBeGreaterThan(0);
    expect(provisional).not.toContain(true);
    await createUsageStore(fixture.db).closeWindows(period, null, [], null);
    const closed = await revisions();
    expect(closed.filter((isFinal) => isFinal)).toHaveLength(provisional.length);
    await billing.atGate(period, (gate) => gate.bringWindowsToCutoff());
    expect(await revisions()).toEqual(closed);
  });

  test('usage by price segment equals the fold, for any facts and however much was closed before', async () => {
    const time = fc.constantFrom(
      '2024-01-01T00:00:00Z',
      '2024-01-14T23:59:59.999999Z',
      '2024-01-15T00:00:00Z',
      '2024-01-31T23:59:59Z',
      '2024-02-01T00:00:00Z',
    );
    const bytes = fc.constantFrom<unknown>('0.1', '-2', 3, 1.5, 'many', null);
    const content = fc.record({
      type: fc.constantFrom('api_call', 'transfer'),
      time,
      bytes,
      region: fc.constantFrom('eu', 'us'),
    });
    const usage = createUsageStore(fixture.db);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(content, fc.option(content), fc.boolean()), { maxLength: 12 }),
        async (facts) => {
          const customer = await fixture.addCustomer();
          const of = await fixture.addPeriod(customer);
          const make = eventsOf(customer).event;
          const left: UsageEvent[] = [];
          for (const [i, [stored, amended, close]] of facts.entries()) {
            const made = make(`e${i}`, stored.time, {
              eventType: stored.type,
              metadataJson: JSON.stringify({ bytes: stored.bytes, region: stored.region }),
            });
            await fixture.append([made]);
            if (close) await usage.closeWindows(of, null, [], null);
            if (amended !== null) {
              const eventTime = instant(amended.time);
              const metadataJson = JSON.stringify({ bytes: amended.bytes, region: amended.region });
              await fixture.adjust(made, { eventType: amended.type, eventTime, metadataJson });
              left.push(make(`e${i}`, amended.time, { eventType: amended.type, metadataJson }));
            } else left.push(made);
          }
          const segments = segmentsOf(of);
          const expected = aggregate(
            left.map((item) => ({ ...item, metadata: metadataOf(item.metadataJson) })),
            fixture.meters,
            of,
          );
          const [found, unreadable] = await billing.atGate(
            of,
            async (gate) => [await gate.segmentUsage(segments), await gate.unreadableValues()] as const,
          );
          expect(found).toEqual(usageBySegment(expected.windows, segments));
          expect(unreadable.reduce((sum, row) => sum + row.count, 0)).toBe(expected.unreadable.length);
        },
      ),
      { numRuns: 40, seed: 31 },
    );
  });

  test('unreadable values are named with an example', async () => {
    await fixture.append([
      transfer('good', '2024-01-10T10:00:00Z', '1'),
      transfer('bad', '2024-01-10T10:00:00Z', 'many'),
      transfer('none', '2024-01-11T10:00:00Z', null),
    ]);
    expect(await billing.atGate(period, (gate) => gate.unreadableValues())).toEqual([
      { meter: 'bytes', count: 2, example: 'bad' },
    ]);
    await fixture.append([{ ...transfer('a', '2024-01-10T10:00:00Z', null), source: 'billing-x' }]);
    expect(await billing.atGate(period, (gate) => gate.unreadableValues())).toEqual([
      { meter: 'bytes', count: 3, example: 'a of the source "billing-x"' },
    ]);
  });

  test('a price segment that cuts a window in two is a defect', async () => {
    await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
    const cut = instant('2024-01-10T10:30:00Z');
    const segments = [
      { from: period.from, to: cut, priceBook: v1 },
      { from: cut, to: period.to, priceBook: v2 },
    ];
    await expect(billing.atGate(period, (gate) => gate.segmentUsage(segments))).rejects.toThrow(
      /does not lie in price segment/,
    );
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
    const other = await createGateFixture();
    try {
      await other.addCustomer(customerId);
      const twin = await other.addPeriod(customerId);
      for (const i of [1, 2, 3]) {
        for (const { append } of [fixture, other]) await append([event(`e${i}`, '2024-01-10T10:00:00Z')]);
        await rate(period);
      }
      const here = await rate(period);
      const there = await rate(twin, other.billing);
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
    await fixture.append([
      amended,
      transfer('kept', '2024-01-10T09:00:00Z', '1'),
      transfer('us', '2024-01-10T09:00:00Z', '1', 'us'),
      transfer('moves in', '2024-03-01T00:00:00Z', '7'),
    ]);
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
      const windows = await usage.windowsAt(period, charge.meter ?? '', charge.group, charge.segment, charge.cutoff);
      return {
        charge,
        windows,
        events: await billing.chargeEvents(chargeId, { limit: 100 }),
        invoice: await billing.findInvoice(invoice?.invoiceId ?? ''),
      };
    };
    const before = await read();
    expect(before).toMatchObject({
      charge: { quantity: '14', eventCount: 3 },
      events: {
        data: [
          { eventId: 'moves in', metadataJson: '{"bytes": "8", "region": "eu"}' },
          { eventId: 'kept' },
          { eventId: 'amended later' },
        ],
      },
    });
    await fixture.append([transfer('late', '2024-01-10T10:30:00Z', '100')]);
    await fixture.adjust(amended, null);
    await usage.closeWindows(period, null, [], null);
    expect(await read()).toEqual(before);
    const { windows } = await usage.liveUsage(period);
    expect(windows.find((w) => w.windowStart === instant('2024-01-10T10:00:00Z'))?.quantity).toBe('100');
  });

  test('source events are paged in order, to the end', async () => {
    await fixture.append(
      Array.from({ length: 25 }, (_, i) => event(`e${String(i).padStart(2, '0')}`, `2024-01-10T10:00:0${i % 5}Z`)),
    );
    const invoice = await billing.atGate(period, (gate) => issue(gate, period));
    const chargeId = invoice?.lines[0]?.chargeIds[0] ?? '';
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<BillingStore['chargeEvents']>> = await billing.chargeEvents(chargeId, {
        limit: 10,
        ...(cursor === null ? {} : { cursor }),
      });
      seen.push(...page.data.map((item) => `${item.eventTime} ${item.eventId}`));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(25);
    expect(seen).toEqual([...seen].sort());
    await expect(billing.chargeEvents(chargeId, { limit: 10, cursor: 'x' })).rejects.toMatchObject({
      code: 'INVALID_CURSOR',
    });
  });

  test('invoices are listed newest first, by customer, period, type and status', async () => {
    const february = await fixture.addPeriod(customerId, {
      period: '2024-02-01',
      from: '2024-02-01T00:00:00.000000Z',
      to: '2024-03-01T00:00:00.000000Z',
    });
    const january = await billing.atGate(period, (gate) => issue(gate, period));
    const next = await billing.atGate(february, (gate) => issue(gate, february));
    const list = async (filter: Parameters<BillingStore['listInvoices']>[0]): Promise<unknown> =>
      (await billing.listInvoices({ customerId, ...filter }, { limit: 10 })).data
        .map((invoice) => invoice.invoiceId)
        .sort();
    const both = [january?.invoiceId, next?.invoiceId].sort();
    expect(await list({})).toEqual(both);
    expect(await list({ status: 'issued', type: 'invoice' })).toEqual(both);
    expect(await list({ period: february.period })).toEqual([next?.invoiceId]);
    expect(await list({ status: 'void' })).toEqual([]);
    const first = await billing.listInvoices({ customerId }, { limit: 1 });
    const second = await billing.listInvoices({ customerId }, { limit: 1, cursor: first.nextCursor ?? '' });
    expect([...first.data, ...second.data].map((invoice) => invoice.invoiceId).sort()).toEqual(both);
    expect(second.nextCursor).toBeNull();
    await fixture.db.pool.query(`INSERT INTO invoice_transitions VALUES ($1, 2, 'paid', 'test', NULL)`, [
      january?.invoiceId,
    ]);
    expect((await billing.findInvoice(january?.invoiceId ?? ''))?.status).toBe('paid');
  });
});
