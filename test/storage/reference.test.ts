import type { Meter } from '../../src/domain/metering/meter.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';
import { createStorage } from '../../src/storage/index.js';
import { partitionOf } from '../../src/storage/partition.js';
import type { Customer, CustomerFacts, Storage } from '../../src/storage/types.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

let database: TestDatabase;
let storage: Storage;

beforeAll(async () => {
  database = await createTestDatabase();
  storage = createStorage(database.url);
});

afterAll(async () => {
  await storage.close();
  await database.drop();
});

const acme: CustomerFacts = {
  name: 'Acme',
  currency: 'USD',
  timeZone: 'Europe/Berlin',
  billingAnchorDay: 1,
  billingFrom: '2024-01-01' as LocalDate,
  priceBook: 'standard',
  invoiceDelay: 'PT1H',
  lateUsageQuietTime: 'PT1H',
  skipEmptyInvoices: false,
  approvalThreshold: '1000.50' as DecimalString,
  currencyConversion: null,
  tags: { tier: 'gold', region: 'eu' },
  buyer: { address: '1 Main St', tax_id: 'DE1' },
};

const instant = (text: string): Instant => text.replace('Z', '.000000Z') as Instant;

async function numbered(prefix: string, count: number): Promise<void> {
  for (let i = 1; i <= count; i += 1) await storage.reference.putCustomer(`${prefix}-${i}`, acme, null);
}

describe('customers', () => {
  test('the first put creates, the same facts change nothing, other facts make a version', async () => {
    const { reference } = storage;
    const first = await reference.putCustomer('versions', acme, null);
    expect(first).toEqual({
      created: true,
      customer: {
        ...acme,
        ...{ gracePeriod: 'PT0S', invoiceApproval: 'none', legalEntity: 'default' },
        approvalThreshold: '1000.5',
        customerId: 'versions',
        customerVersionId: expect.any(String),
        version: 1,
        calendarFrom: null,
        learnedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      },
    });
    // The same by value: another order of tags, another notation of the threshold.
    const same = { ...acme, tags: { region: 'eu', tier: 'gold' }, approvalThreshold: '1000.5' as DecimalString };
    expect(await reference.putCustomer('versions', same, null)).toEqual({ created: false, customer: first.customer });

    const renamed = await reference.putCustomer('versions', { ...acme, name: 'Acme Ltd' }, null);
    expect(renamed).toMatchObject({ created: false, customer: { name: 'Acme Ltd', version: 2 } });
    expect(await reference.findCustomer('versions')).toEqual(renamed.customer);
    expect(await reference.customerVersions('versions')).toEqual([first.customer, renamed.customer]);
    expect(await reference.findCustomer('nobody')).toBeNull();
  });

  test('concurrent puts of the same facts make one version, of different facts one each', async () => {
    const same = await Promise.all(Array.from({ length: 8 }, () => storage.reference.putCustomer('race', acme, null)));
    expect(same.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(same.map(({ customer }) => customer.customerVersionId)).size).toBe(1);

    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(names.map((name) => storage.reference.putCustomer('race', { ...acme, name }, null)));
    const versions = await storage.reference.customerVersions('race');
    expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
    expect(
      versions
        .slice(1)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(names);
  });

  test('the stored partition is FNV-1a modulo 64, for ever', async () => {
    // Test vectors of FNV-1a 32: "" 811c9dc5, "a" e40c292c, "foobar" bf9cf968.
    expect(['', 'a', 'foobar'].map(partitionOf)).toEqual([0x811c9dc5 % 64, 0xe40c292c % 64, 0xbf9cf968 % 64]);
  });

  test('known customers, and pages of them in order', async () => {
    await numbered('paged', 5);
    const known = await storage.reference.knownCustomers(['paged-1', 'paged-5', 'paged-6']);
    expect([...known].sort()).toEqual(['paged-1', 'paged-5']);

    const seen: Customer[] = [];
    let cursor: string | null = null;
    do {
      const page = await storage.reference.listCustomers({ limit: 2, ...(cursor === null ? {} : { cursor }) });
      expect(page.data.length).toBeLessThanOrEqual(2);
      seen.push(...page.data);
      cursor = page.nextCursor;
    } while (cursor !== null);
    const ids = seen.map(({ customerId }) => customerId);
    expect(ids).toEqual([...ids].sort());
    expect(ids.filter((id) => id.startsWith('paged-'))).toHaveLength(5);
    expect(seen.find(({ customerId }) => customerId === 'versions')).toMatchObject({ version: 2 });
  });

  test('a cursor that is not of this list is refused', async () => {
    await numbered('cursor', 2);
    const { nextCursor } = await storage.reference.listCustomers({ limit: 1 });
    const forged = [
      'x',
      '',
      Buffer.from('["customers",1]').toString('base64url'),
      Buffer.from('["customers","a\\u0000b"]').toString('base64url'),
      Buffer.from('["customers","a","b"]').toString('base64url'),
    ];
    for (const cursor of forged) {
      await expect(storage.reference.listCustomers({ limit: 1, cursor })).rejects.toMatchObject({
        code: 'INVALID_CURSOR',
      });
    }
    await expect(storage.findings.list({}, { limit: 1, cursor: nextCursor ?? '' })).rejects.toMatchObject({
      code: 'INVALID_CURSOR',
    });
  });
});

describe('price book assignments', () => {
  test('are appended in order; a repeat of the last one is not', async () => {
    await storage.reference.putCustomer('assigned', acme, null);
    const from = instant('2024-02-01T00:00:00Z');
    for (const [book, start] of [
      ['standard', null],
      ['standard', null],
      ['premium', from],
      ['premium', from],
      ['standard', null],
    ] as const) {
      await storage.reference.assignPriceBook('assigned', book, start, { effectiveUntil: null, decidedBy: 'a test' });
    }
    const assignments = await storage.reference.assignments('assigned');
    expect(assignments.map(({ priceBook, effectiveFrom }) => [priceBook, effectiveFrom])).toEqual([
      ['standard', null],
      ['premium', from],
      ['standard', null],
    ]);
    const orders = assignments.map(({ learnedOrder }) => learnedOrder);
    expect(orders).toEqual([...orders].sort((a, b) => a - b));
  });

  test('an unknown customer is refused', async () => {
    await expect(
      storage.reference.assignPriceBook('nobody', 'standard', null, { effectiveUntil: null, decidedBy: 'a test' }),
    ).rejects.toMatchObject({
      code: 'UNKNOWN_CUSTOMER',
    });
  });
});

describe('meters', () => {
  const bytesOut: Omit<Meter, 'meterId' | 'version'> = {
    code: 'bytes_out',
    eventType: 'api_call',
    aggregation: 'sum',
    valueProperty: 'bytes',
    groupBy: ['region', 'tier'],
    filters: { tier: ['gold', 'silver'] },
    windowSize: 'hour',
    allowedLateness: 'PT1H',
    allowNegative: false,
    maxGroups: 1000,
    effectiveFrom: null,
  };

  test('are created once, also by many at a time, and never change', async () => {
    const results = await Promise.all(Array.from({ length: 8 }, () => storage.reference.createMeter(bytesOut)));
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    const [first] = results;
    expect(first?.meter).toEqual({ ...bytesOut, meterId: expect.any(String), version: 1 });

    const reordered = { ...bytesOut, groupBy: ['tier', 'region'], filters: { tier: ['silver', 'gold'] } };
    expect(await storage.reference.createMeter(reordered)).toEqual({ meter: first?.meter, created: false });
    await expect(storage.reference.createMeter({ ...bytesOut, valueProperty: 'octets' })).rejects.toMatchObject({
      code: 'METER_IMMUTABLE',
    });
    expect(await storage.reference.meters()).toEqual([first?.meter]);
  });
});

describe('price books', () => {
  const book = (
    version: string,
    from: string,
    unitPrice = '0.10',
  ): Parameters<typeof storage.reference.createPriceBook>[0] =>
    parsePriceBook({
      code: 'standard',
      version,
      currency: 'USD',
      effective_from: from,
      prices: [
        {
          meter: 'api_calls',
          model: 'tiered',
          tiers: [
            { up_to: '1000', unit_price: unitPrice, flat_fee: '1' },
            { up_to: null, unit_price: '0.08' },
          ],
        },
        { meter: 'bytes_out', model: 'flat', unit_price: '0.000000000000000001', price_by: ['region'] },
        { meter: 'seats', model: 'volume', tiers: [{ up_to: null, unit_price: '5' }], charge_when_zero: true },
      ],
    });

  test('versions come back as they were given, in the order they were learned', async () => {
    const v2 = book('v2', '2024-02-01T00:00:00Z');
    const v1 = book('v1', '2024-01-01');
    const second = await storage.reference.createPriceBook(v2);
    const first = await storage.reference.createPriceBook(v1);
    expect(second).toEqual({
      created: true,
      priceBook: { ...v2, priceBookId: expect.any(String), learnedOrder: expect.any(Number) },
    });
    expect(first.priceBook.effectiveFrom).toBe('2024-01-01');
    expect(await storage.reference.priceBookVersions('standard')).toEqual([second.priceBook, first.priceBook]);
    expect(await storage.reference.priceBooksById([first.priceBook.priceBookId])).toEqual([first.priceBook]);
    expect(await storage.reference.priceBookVersions('unknown')).toEqual([]);
  });

  test('a version never changes', async () => {
    const { priceBook } = await storage.reference.createPriceBook(book('v3', '2024-03-01T00:00:00Z'));
    expect(await storage.reference.createPriceBook(book('v3', '2024-03-01T00:00:00Z'))).toEqual({
      priceBook,
      created: false,
    });
    for (const other of [book('v3', '2024-03-01T00:00:00Z', '0.11'), book('v3', '2024-03-01')]) {
      await expect(storage.reference.createPriceBook(other)).rejects.toMatchObject({
        code: 'PRICE_BOOK_VERSION_IMMUTABLE',
      });
    }
  });
});

describe('findings', () => {
  const finding = {
    code: 'UNPRICED_METER',
    customerId: 'c',
    period: '2024-01-01' as LocalDate,
    subject: { meter: 'm', customer: 'c' },
    detail: 'The meter has no price.',
  };

  test('one about the same subject is stored once; the newest comes first', async () => {
    const id = await storage.findings.store(finding);
    expect(await storage.findings.store({ ...finding, subject: { customer: 'c', meter: 'm' } })).toBe(id);
    const other = await storage.findings.store({ ...finding, subject: { meter: 'n' }, period: null, customerId: null });
    const all = await storage.findings.list({}, { limit: 10 });
    expect(all.data.map(({ findingId }) => findingId)).toEqual([other, id]);
    expect((await storage.findings.list({ customerId: 'c', period: finding.period }, { limit: 10 })).data).toEqual([
      { ...finding, findingId: id, foundAt: expect.any(String), class: null, resolution: null },
    ]);
    expect((await storage.findings.list({ code: 'OTHER' }, { limit: 10 })).data).toEqual([]);

    const first = await storage.findings.list({}, { limit: 1 });
    const second = await storage.findings.list({}, { limit: 1, cursor: first.nextCursor ?? '' });
    expect([...first.data, ...second.data]).toEqual(all.data);
    expect(second.nextCursor).toBeNull();
  });
});

describe('readiness', () => {
  test('a migrated database is ready', async () => {
    await expect(storage.ready()).resolves.toBeUndefined();
  });

  test('a database that does not answer is StorageUnavailable, in SQL and through Prisma alike', async () => {
    const away = createStorage('postgresql://nobody@127.0.0.1:1/none', { connectTimeoutMs: 1_000 });
    for (const call of [
      away.ready(),
      away.ledger.safeHorizon(),
      away.reference.findCustomer('c'),
      away.reference.putCustomer('c', acme, null),
    ]) {
      await expect(call).rejects.toMatchObject({ name: 'StorageUnavailable' });
    }
    await away.close();
  });
});
