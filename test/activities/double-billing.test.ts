/** Double billing: refused by the database, and found where it is on disk all the same. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import type { LocalDate } from '../../src/domain/values.js';
import { createChainFixture } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';
import { issuedAt } from './fixture.js';
import { customerId, SettlementScene } from './settlement-scene.js';

let chain: ChainFixture;
let scene: SettlementScene;
beforeEach(async () => {
  chain = await createChainFixture();
  scene = new SettlementScene(chain);
});
afterEach(() => chain.close());

describe('double billing that is on disk already', () => {
  const copyInvoice = `INSERT INTO invoices SELECT (jsonb_populate_record(i, jsonb_build_object('invoice_id', gen_random_uuid(),
      'number', 'INV-000777', 'chain_place', 7, 'created_at', now()))).* FROM invoices i`;
  const copyTransition = `INSERT INTO invoice_transitions (invoice_id, sequence, status, actor)
    SELECT invoice_id, 1, 'issued', 'x' FROM invoices WHERE number = 'INV-000777'`;
  const copyLines = `INSERT INTO invoice_line_items SELECT (jsonb_populate_record(l, jsonb_build_object('line_item_id',
      gen_random_uuid(), 'invoice_id', (SELECT invoice_id FROM invoices WHERE number = 'INV-000777')))).* FROM invoice_line_items l`;

  test('stops the next run of the customer, whichever period it is of, with a finding that names both rows', async () => {
    const invoice = await scene.invoiced();
    await chain.tamper('invoices', copyInvoice);
    await chain.tamper('invoice_transitions', copyTransition);
    await chain.tamper('invoice_line_items', copyLines);
    await chain.addCalls(customerId, 40, '2024-02-10T00:00:00Z');
    const billingDay = '2024-03-01' as LocalDate;
    const period = '2024-02-01' as LocalDate;
    const request = { requestId: randomUUID(), customerId, period, billingDay, forced: false, reason: null };
    await chain.storage.periods.requestInvoicing(request);
    const { held, issued } = await chain.run(chain.activities.issueChunk, { billingDay, limit: 10 });
    expect([held, issued]).toEqual([1, 0]);
    const { data } = await chain.storage.findings.list({ code: 'DOUBLE_BILLING' }, { limit: 5 });
    expect(data).toMatchObject([{ customerId, class: 'duplicate' }]);
    expect(data[0]?.detail).toContain(invoice.number);
    expect(data[0]?.detail).toContain('INV-000777');
    expect(data[0]?.subject['line_item_ids']).toContain(invoice.lines[0]?.lineItemId);
    expect(data[0]?.subject['line_item_ids']).toHaveLength(2);
    // Nobody else is stopped by it.
    await chain.addCustomer('other');
    await chain.addCalls('other', 5);
    await chain.issue('other');
    expect((await chain.storage.billing.listInvoices({ customerId: 'other' }, { limit: 5 })).data).toHaveLength(1);
  });

  /** As any client could, with the triggers on. */
  async function plant(...statements: readonly string[]): Promise<void> {
    const client = new pg.Client({ connectionString: chain.url });
    await client.connect();
    try {
      await client.query('BEGIN');
      for (const statement of statements) await client.query(statement);
      await client.query('COMMIT');
    } finally {
      await client.end();
    }
  }

  test('is refused by the database where its triggers are on', async () => {
    await scene.invoiced();
    await expect(plant(copyInvoice, copyTransition, copyLines)).rejects.toThrow(
      /was billed by invoice INV-00000[1] before|was billed by invoice INV-000777 before/,
    );
  });

  describe('a second correction is refused by the database', () => {
    const id = `(SELECT invoice_id FROM invoices WHERE number = 'INV-000777')`;
    const copy = (place: number, changes = ''): string =>
      `INSERT INTO invoices SELECT (jsonb_populate_record(i, jsonb_build_object('invoice_id', gen_random_uuid(), 'number', 'INV-000777',
        'chain_place', ${place}, 'created_at', now()${changes}))).* FROM invoices i WHERE i.type = 'correction'`;
    const lines = (changes = ''): string =>
      `INSERT INTO invoice_line_items SELECT (jsonb_populate_record(l, jsonb_build_object('line_item_id', gen_random_uuid(), 'invoice_id',
        ${id}${changes}))).* FROM invoice_line_items l JOIN invoices i USING (invoice_id) WHERE i.type = 'correction'`;

    beforeEach(async () => {
      await scene.invoiced();
      await chain.addCalls(customerId, 20, '2024-01-20T00:00:00Z');
      await chain.reRate('late_usage');
      expect((await chain.documents()).map(({ type, subtotal }) => [type, subtotal])).toEqual([
        ['invoice', '10'],
        ['correction', '2'],
      ]);
    });

    test.each([
      ['a copy', [copy(3), lines()], /goes from 10 to 12 by 2; 12 were billed before it/],
      [
        'one that does not come to what it says',
        [copy(3), lines(`, 'original_amount', 12, 'corrected_amount', 13`)],
        /12 were billed/,
      ],
      [
        'one that says nothing',
        [copy(3), lines(`, 'original_amount', NULL, 'corrected_amount', NULL`)],
        /12 were billed/,
      ],
      ['one that leaves a place before it', [copy(7), lines()], /does not go on where the chain of INV-000001 ends/],
    ])('%s', async (_, statements, message) => {
      await expect(plant(...statements)).rejects.toThrow(message);
      expect(await chain.documents()).toHaveLength(2);
    });

    test('of two at once; one that starts from what was billed is taken', async () => {
      const next = [copy(3), lines(`, 'original_amount', 12, 'corrected_amount', 14`)];
      const other = next.map((statement) =>
        statement.replaceAll('INV-000777', 'INV-000778').replace(`'chain_place', 3`, `'chain_place', 4`),
      );
      const settled = await Promise.allSettled([plant(...next), plant(...other)]);
      expect(settled.filter(({ status }) => status === 'rejected').length).toBeGreaterThanOrEqual(1);
      const documents = await chain.storage.billing.listInvoices({ customerId }, { limit: 10 });
      expect(documents.data.length).toBeLessThanOrEqual(3);
    });

    test('a correction of what is void', async () => {
      const [original] = await chain.documents();
      if (original === undefined) throw new Error('no invoice');
      await voidInvoice(chain.storage, original, { actor: 'ann', reason: 'a test', now: issuedAt });
      const start = `, 'original_amount', 0, 'corrected_amount', 2`;
      await expect(plant(copy(3), lines(start))).rejects.toThrow(
        'correction INV-000777 is of INV-000001, which is void',
      );
    });
  });

  test('a correction that is stored twice stops the next correction', async () => {
    await scene.invoiced();
    await chain.addCalls(customerId, 20, '2024-01-20T00:00:00Z');
    await chain.reRate('late_usage');
    const [, correction] = await chain.documents();
    expect(correction?.type).toBe('correction');
    await chain.tamper('invoices', `${copyInvoice} WHERE i.type = 'correction'`);
    await chain.tamper('invoice_transitions', copyTransition);
    await chain.tamper('invoice_line_items', `${copyLines} WHERE l.invoice_id = '${correction?.invoiceId ?? ''}'`);
    await chain.addCalls(customerId, 5, '2024-01-25T00:00:00Z');
    await chain.reRate('late_usage').catch(() => undefined);
    expect(await chain.documents()).toHaveLength(3);
    const { data } = await chain.storage.findings.list({ customerId }, { limit: 20 });
    expect(data.map(({ code }) => code)).toEqual(
      expect.arrayContaining([expect.stringMatching(/DOUBLE_BILLING|CHAIN_BROKEN/)]),
    );
  });
});
