/** Credit notes, write-offs, payments and corrections of one chain, on real Postgres (RULES 48-51). */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { createChainFixture } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';
import { SettlementScene } from './settlement-scene.js';

let chain: ChainFixture;
let scene: SettlementScene;
beforeEach(async () => {
  chain = await createChainFixture();
  scene = new SettlementScene(chain);
});
afterEach(() => chain.close());

const statuses = async (): Promise<readonly (readonly string[])[]> =>
  (await chain.documents()).map(({ total, status }) => [total, status]);
const cash = async (): Promise<string> =>
  (await chain.storage.journal.accounts()).find(({ account }) => account === 'cash')?.balances[0]?.amount ?? '0';
const findings = async (code: string) => (await chain.storage.findings.list({ code }, { limit: 10 })).data;
const addLate = async (calls: number, day = '25'): Promise<void> => {
  await chain.addCalls('acme', calls, `2024-01-${day}T00:00:00Z`);
  await chain.reRate('late_usage');
};
const correctionOf = async (): Promise<Invoice> => {
  const [, correction] = await chain.documents();
  if (correction === undefined) throw new Error('no correction');
  return correction;
};

describe('what is written off', () => {
  test('is neither credited nor refunded', async () => {
    const invoice = await scene.invoiced();
    await scene.writeOff(invoice, null);
    await expect(scene.credit(invoice, null)).rejects.toMatchObject({
      code: 'CREDITS_WRITE_OFF',
      detail: expect.stringContaining('10.00 USD are written off and 0.00 USD are open') as string,
    });
    await expect(scene.refund('0.01')).rejects.toMatchObject({ code: 'REFUND_EXCEEDS_CREDIT' });
    await scene.expectInStep();
  });

  test('leaves what is open to be credited, and no more', async () => {
    const invoice = await scene.invoiced();
    await scene.pay('3.00', [[invoice, '3.00']]);
    await scene.writeOff(invoice, '4.00');
    await expect(scene.credit(invoice, '3.01')).rejects.toMatchObject({ code: 'CREDITS_WRITE_OFF' });
    await scene.credit(invoice, '3.00');
    expect(await scene.balanceOf()).toEqual({ open: '0', unapplied: '0', balance: '0' });
    expect(await statuses()).toEqual([['10', 'paid']]);
    await scene.expectInStep();
  });

  test('holds a correction that would pay it out', async () => {
    const invoice = await scene.invoiced();
    await scene.pay('3.00', [[invoice, '3.00']]);
    await scene.writeOff(invoice, '6.00');
    await scene.takeBackCalls(0, 11);
    expect(await statuses()).toEqual([['10', 'partly_paid']]);
    expect(await findings('CORRECTS_WRITE_OFF')).toMatchObject([
      { customerId: 'acme', subject: { written_off: '6', open: '1', correction: '-1.1' } },
    ]);
    await addLate(1);
    expect(await statuses()).toEqual([
      ['10', 'paid'],
      ['-1', 'issued'],
    ]);
    await expect(scene.refund('0.01')).rejects.toMatchObject({ code: 'REFUND_EXCEEDS_CREDIT' });
    await scene.expectInStep();
  });

  test('stays written off once, whichever answer was lost', async () => {
    const invoice = await scene.invoiced();
    const id = await scene.writeOff(invoice, '4.00');
    await scene.writeOff(invoice, '4.00', id);
    expect(await scene.balanceOf()).toEqual({ open: '6', unapplied: '0', balance: '6' });
    await scene.expectInStep();
  });
});

describe('a chain that was credited', () => {
  test('is not corrected below its credit notes: the period is held, and says why', async () => {
    const invoice = await scene.invoiced();
    await scene.pay('10.00', [[invoice, '10.00']]);
    await scene.credit(invoice, null);
    await scene.takeBackCalls(0, 70);
    expect(await statuses()).toEqual([['10', 'paid']]);
    expect(await findings('CREDITED_BEYOND_INVOICED')).toMatchObject([
      {
        customerId: 'acme',
        subject: { notes: ['CN-000001'], credited: '10', left: '3', correction: '-7' },
        detail: expect.stringContaining('CN-000001 (10.00 USD)') as string,
      },
    ]);
    const [asked] = (await chain.storage.reRatings.list({}, { limit: 1 })).data;
    const reRatingId = asked?.reRatingId ?? '';
    expect(await chain.storage.reRatings.outcomes(reRatingId)).toMatchObject([{ outcome: 'held', invoiceId: null }]);
    expect((await chain.storage.reRatings.comparisons(reRatingId, { limit: 5 })).data).toMatchObject([
      { result: 'held', attempt: 2, detail: expect.stringContaining('would come to 3.00 USD') as string },
    ]);
    await scene.refund('10.00');
    await expect(scene.refund('0.01')).rejects.toMatchObject({ code: 'REFUND_EXCEEDS_CREDIT' });
    expect(Number(await cash())).toBe(0);
    await scene.expectInStep();
  });

  test('is corrected down to its credit notes, and up again', async () => {
    const invoice = await scene.invoiced();
    await scene.pay('10.00', [[invoice, '10.00']]);
    await scene.credit(invoice, '3.00');
    await scene.takeBackCalls(0, 70);
    expect(await statuses()).toEqual([
      ['10', 'paid'],
      ['-7', 'issued'],
    ]);
    await scene.takeBackCalls(70, 1);
    expect(await statuses()).toHaveLength(2);
    await addLate(2);
    expect(await statuses()).toEqual([
      ['10', 'paid'],
      ['-7', 'issued'],
      ['0.1', 'issued'],
    ]);
    await scene.expectInStep();
  });

  test('is refused by the database too, whoever writes', async () => {
    const invoice = await scene.invoiced();
    await scene.credit(invoice, '6.00');
    const client = new pg.Client({ connectionString: chain.url });
    await client.connect();
    const copied = (table: string, changes: object): Promise<unknown> =>
      client.query(
        `INSERT INTO ${table} SELECT (jsonb_populate_record(t, $2::jsonb)).* FROM ${table} t WHERE t.invoice_id = $1`,
        [invoice.invoiceId, JSON.stringify(changes)],
      );
    const corrected = async (amount: string, place: number): Promise<void> => {
      const invoiceId = randomUUID();
      const document = {
        ...{ invoice_id: invoiceId, number: `COR-${place}`, type: 'credit_note', chain_place: place },
        ...{ corrects_invoice_id: invoice.invoiceId, subtotal: amount, total: amount },
      };
      await client.query('BEGIN');
      await copied('invoices', document);
      const line = { original_amount: '10', corrected_amount: '0', reason: 'x' };
      await copied('invoice_line_items', {
        ...{ invoice_id: invoiceId, line_item_id: randomUUID(), amount },
        ...line,
        corrects_line_item_id: invoice.lines[0]?.lineItemId,
      });
      await client.query(
        `INSERT INTO invoice_transitions (invoice_id, sequence, status, actor) VALUES ($1, 1, 'issued', 'x')`,
        [invoiceId],
      );
      await client.query('COMMIT');
    };
    try {
      await expect(corrected('-4.01', 2)).rejects.toThrow(/leaves 5.99 of a line of which 6(\.00)? are credited/);
    } finally {
      await client.end();
    }
  });
});

describe('statuses follow the money of the whole chain', () => {
  test('a correction that leaves nothing open makes its original paid', async () => {
    const invoice = await scene.invoiced();
    await scene.pay('5.00', [[invoice, '5.00']]);
    expect(await statuses()).toEqual([['10', 'partly_paid']]);
    await scene.takeBackCalls(0, 70);
    expect(await statuses()).toEqual([
      ['10', 'paid'],
      ['-7', 'issued'],
    ]);
    await scene.expectInStep();
  });

  test('credit that goes back to the original when a payment bounces opens the correction again', async () => {
    const invoice = await scene.invoiced();
    const paymentId = await scene.pay('10.00', [[invoice, '10.00']]);
    await addLate(20);
    await scene.pay('1.00', [[await correctionOf(), '1.00']]);
    await scene.credit(invoice, '1.00');
    expect(await statuses()).toEqual([
      ['10', 'paid'],
      ['2', 'paid'],
    ]);
    await scene.reverse(paymentId);
    expect(await statuses()).toEqual([
      ['10', 'issued'],
      ['2', 'partly_paid'],
    ]);
    await scene.expectInStep();
  });
});

test('a reversal that is sent again under its key is the same one; another is refused', async () => {
  const invoice = await scene.invoiced();
  const paymentId = await scene.pay('10.00', [[invoice, '10.00']]);
  const requestId = randomUUID();
  await scene.reverse(paymentId, requestId);
  await scene.reverse(paymentId, requestId);
  await expect(scene.reverse(paymentId)).rejects.toMatchObject({ code: 'PAYMENT_REVERSED' });
  expect(await scene.balanceOf()).toEqual({ open: '10', unapplied: '0', balance: '10' });
  await scene.expectInStep();
});
