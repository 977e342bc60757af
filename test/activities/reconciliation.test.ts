/** The chain on real Postgres: honest histories hold, verify and stay silent; what is tampered with is found. */
import { reconcileAndStore, reconcilePeriod } from '../../src/billing/reconcile-period.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { Finding } from '../../src/storage/types.js';
import { bound, createChainFixture, insertEvent } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';
import { issuedAt, january } from './fixture.js';

let chain: ChainFixture;
beforeEach(async () => {
  chain = await createChainFixture();
});
afterEach(() => chain.close());

const findings = async (): Promise<readonly Finding[]> =>
  (await chain.storage.findings.list({ code: 'RECONCILIATION_DIFFERENCE' }, { limit: 100 })).data;

async function expectProven(...totals: readonly string[]): Promise<void> {
  const { result, report } = await chain.reconcile();
  expect(report.differences).toEqual([]);
  expect(result).toBe('equal');
  const all = await chain.documents();
  expect(all.map(({ total }) => total)).toEqual(totals);
  for (const document of all) {
    const verification = await verifyInvoice(chain.storage, document);
    expect(verification).toMatchObject({ number: document.number, verified: true, problems: [] });
    expect(verification.lines.every(({ difference }) => difference === '0')).toBe(true);
    expect(verification.charges.every(({ verified }) => verified)).toBe(true);
  }
}

describe('honest histories', () => {
  test('late usage, a void, a corrected price, a voided invoice and its replacement: every document verifies', async () => {
    await chain.addCalls('acme', 1_234);
    await chain.issue();
    await expectProven('118.72');

    await chain.addCalls('acme', 1, '2024-01-20T00:00:00Z');
    // Beyond the cutoff: very late, and no difference.
    await expectProven('118.72');
    await chain.reRate('late_usage');
    await expectProven('118.72', '0.08');

    const gone = { customerId: 'acme', source: '', eventId: '2024-01-20T00:00:00Z/0' };
    await chain.storage.adjustments.adjust({ ...gone, type: 'void', replacement: null, reason: null });
    await chain.reRate('usage_correction');
    await expectProven('118.72', '0.08', '-0.08');

    const { priceBook } = await chain.storage.reference.createPriceBook(
      parsePriceBook({
        code: 'standard',
        version: 'v2',
        currency: 'USD',
        effective_from: '2024-01-01T00:00:00Z',
        prices: [{ meter: 'api_calls', model: 'flat', unit_price: '0.055' }],
      }),
    );
    await chain.reRate('price_correction', { priceBookId: priceBook.priceBookId });
    await expectProven('118.72', '0.08', '-0.08', '-50.85');

    const [original] = await chain.documents();
    if (original === undefined) throw new Error('nothing was issued');
    await voidInvoice(chain.storage, original, { actor: 'ann', reason: 'test', now: issuedAt });
    const { report } = await chain.reconcile();
    expect(report).toMatchObject({ state: 'void', differences: [] });
    expect(report.journal.map(({ receivable, revenue }) => [receivable, revenue])).toEqual(
      Array.from({ length: 4 }, () => ['0', '0']),
    );
    await chain.issue();
    await expectProven('118.72', '0.08', '-0.08', '-50.85', '67.87');
    expect((await chain.reconcile()).report.state).toBe('invoiced');
    expect(await findings()).toEqual([]);
  });

  test('the report shows all stages of the example side by side', async () => {
    await chain.addCalls('acme', 1_234);
    await chain.issue();
    await chain.addCalls('acme', 1, '2024-01-20T00:00:00Z');
    await chain.reRate('late_usage');
    const { report } = await chain.reconcile();
    const [stages] = report.stages;
    const usage = { count: 1_235, quantity: '1235', digest: stages?.events.digest };
    expect(report.stages).toEqual([
      {
        meter: 'api_calls',
        events: { stored: 1_235, voided: 0, filtered: 0, ...usage },
        aggregates: usage,
        charges: { ...usage, amount: '118.8' },
        lines: { amount: '118.8' },
        journal: { amount: '118.8' },
      },
    ]);
  });

  test('an open period: live usage, and windows that got late facts since they were closed', async () => {
    const { storage } = chain;
    await chain.addCalls('acme', 90);
    const period = await chain.periodOf();
    await storage.usage.closeWindows(period, null, [], null);
    await chain.addCalls('acme', 3, '2024-01-10T00:00:30Z');
    await chain.addCalls('acme', 2, '2024-01-25T00:00:00Z');
    const { result, report } = await reconcilePeriod(storage, period);
    expect(result).toBe('equal');
    expect(report).toMatchObject({ state: 'open', stages: [{ events: { count: 95 }, aggregates: null }], journal: [] });
  });

  test('a correction that comes between two reads is no difference', async () => {
    await chain.addCalls('acme', 10);
    await chain.issue();
    await chain.addCalls('acme', 5, '2024-01-20T00:00:00Z');
    const { storage } = chain;
    let corrected = 0;
    const meanwhile = {
      ...storage,
      proof: {
        ...bound(storage.proof),
        rawUsage: async (...parameters: Parameters<typeof storage.proof.rawUsage>) => {
          // Documents were read; the journal, as it is held against them, was not.
          if (corrected === 0) await chain.reRate('late_usage');
          corrected += 1;
          return storage.proof.rawUsage(...parameters);
        },
        charges: async (...parameters: Parameters<typeof storage.proof.charges>) =>
          corrected === 1 ? [] : storage.proof.charges(...parameters),
      },
    };
    expect((await reconcilePeriod(meanwhile, await chain.periodOf())).report).toMatchObject({
      differences: [],
      stages: [{ lines: { amount: '1.5' } }],
    });
    expect(corrected).toBe(2);
  });
});

describe('tampering', () => {
  const tamperings: readonly (readonly [
    what: string,
    table: string,
    statement: string,
    found: readonly (readonly [string, string])[],
  ])[] = [
    ['an event slipped in below the cutoff', 'telemetry_events', insertEvent, [['events→aggregates', 'missing']]],
    [
      'an event taken out',
      'telemetry_events',
      `DELETE FROM telemetry_events WHERE event_id LIKE '%/7'`,
      [['events→aggregates', 'duplicate']],
    ],
    [
      'an event with other content',
      'telemetry_events',
      `UPDATE telemetry_events SET content_hash = content_hash + 1 WHERE event_id LIKE '%/7'`,
      [['events→aggregates', 'disagreement']],
    ],
    [
      'a quantity in an aggregate',
      'aggregated_usage',
      `UPDATE aggregated_usage SET quantity = quantity + 1 WHERE window_start = '2024-01-10'`,
      [
        ['events→aggregates', 'disagreement'],
        ['aggregates→charges', 'disagreement'],
      ],
    ],
    [
      'the amount of a charge',
      'rated_charges',
      'UPDATE rated_charges SET amount = amount + 5',
      [['charges→lines', 'large_gap']],
    ],
    [
      'the amount of a line and its total',
      'invoice_line_items',
      'UPDATE invoice_line_items SET amount = amount + 0.01',
      [
        ['charges→lines', 'disagreement'],
        ['lines→total', 'disagreement'],
        ['lines→journal', 'disagreement'],
      ],
    ],
    [
      'the journal entry',
      'postings',
      'DELETE FROM postings',
      [
        ['lines→journal', 'missing'],
        ['lines→journal', 'missing'],
      ],
    ],
  ];
  test.each(tamperings)('%s is found, once, and the invoice does not verify', async (_, table, statement, found) => {
    await chain.addCalls('acme', 200);
    await chain.issue();
    await chain.tamper(table, statement);
    const period = await chain.periodOf();
    const { result, report } = await reconcileAndStore(chain.storage, period);
    expect(result).toBe('different');
    expect(report.differences.map(({ stage, class: its }) => [stage, its])).toEqual(found);
    await reconcileAndStore(chain.storage, period);
    const stored = await findings();
    expect(stored.map(({ subject, class: its }) => [subject['stage'], its]).reverse()).toEqual(found);
    expect(stored[0]).toMatchObject({ customerId: 'acme', period: january, subject: { customer_id: 'acme' } });
    const [invoice] = await chain.documents();
    const isAboutAggregates = table === 'aggregated_usage';
    if (invoice === undefined) throw new Error('nothing was issued');
    // Aggregates are not believed: the document is computed from raw events.
    expect((await verifyInvoice(chain.storage, invoice)).verified).toBe(isAboutAggregates);
  });

  test('a final window of an open period that misses an event below its own cutoff', async () => {
    await chain.addCalls('acme', 90);
    const period = await chain.periodOf();
    await chain.storage.usage.closeWindows(period, null, [], null);
    await chain.tamper('telemetry_events', insertEvent);
    const { report } = await reconcilePeriod(chain.storage, period);
    expect(report.differences).toMatchObject([
      {
        stage: 'events→aggregates',
        meter: 'api_calls',
        window_start: '2024-01-10T00:00:00.000000Z',
        class: 'missing',
        difference: { count: -1, quantity: '-1' },
      },
    ]);
  });
});

test('what is not issued cannot be verified', async () => {
  await chain.addCalls('acme', 1);
  await chain.issue();
  const [invoice] = await chain.documents();
  for (const status of ['draft', 'held'] as const) {
    await expect(verifyInvoice(chain.storage, { ...(invoice as Invoice), status })).rejects.toMatchObject({
      code: 'INVOICE_NOT_ISSUED',
    });
  }
});
