/** Settlement on real Postgres: who is first, any order of events, what was tampered with. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { sweepReceivables } from '../../src/activities/sweep-receivables.js';
import { refundCredit } from '../../src/billing/settlement/credit-notes.js';
import { applyCredit, reversePayment } from '../../src/billing/settlement/payments.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import { canTransition } from '../../src/domain/invoicing/transitions.js';
import { DomainFailure } from '../../src/domain/failure.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { createChainFixture } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';
import { issuedAt } from './fixture.js';
import { customerId, deciding, money, SettlementScene } from './settlement-scene.js';

let chain: ChainFixture;
let scene: SettlementScene;
beforeEach(async () => {
  chain = await createChainFixture();
  scene = new SettlementScene(chain);
});
afterEach(() => chain.close());

const invoiced = (...of: Parameters<SettlementScene['invoiced']>) => scene.invoiced(...of);
const pay = (...of: Parameters<SettlementScene['pay']>) => scene.pay(...of);
const credit = (...of: Parameters<SettlementScene['credit']>) => scene.credit(...of);
const balanceOf = () => scene.balanceOf();
const expectInStep = () => scene.expectInStep();
const refund = (amount: string): Promise<void> =>
  refundCredit(
    chain.storage,
    {
      ...{ refundId: randomUUID(), customerId, currency: 'USD', amount: money(amount), method: 'card' },
      ...{ reference: null, reason: 'asked', refundedBy: 'ann' },
    },
    { now: issuedAt },
  );
async function bounce(paymentId: string): Promise<void> {
  const payment = await chain.storage.settlement.findPayment(paymentId);
  if (payment === null) throw new Error('no payment');
  await reversePayment(chain.storage, payment, { ...deciding, requestId: randomUUID(), reason: 'no funds' });
}
const codesOf = (settled: readonly PromiseSettledResult<unknown>[]): readonly string[] =>
  settled.map((each) =>
    each.status === 'fulfilled'
      ? 'done'
      : each.reason instanceof DomainFailure
        ? each.reason.code
        : String(each.reason),
  );
describe('at once', () => {
  test('credit notes never credit more than there is, to the exact cent', async () => {
    const invoice = await invoiced();
    const settled = await Promise.allSettled(Array.from({ length: 6 }, () => credit(invoice, '3.00')));
    expect([...codesOf(settled)].sort()).toEqual([
      'NOT_CREDITABLE',
      'NOT_CREDITABLE',
      'NOT_CREDITABLE',
      'done',
      'done',
      'done',
    ]);
    await credit(invoice, null);
    const { data } = await chain.storage.settlement.listCreditNotes({}, { limit: 10 });
    expect(data.map(({ number, total }) => [number, total]).sort()).toEqual([
      ['CN-000001', '3'],
      ['CN-000002', '3'],
      ['CN-000003', '3'],
      ['CN-000004', '1'],
    ]);
    expect(await balanceOf()).toEqual({ open: '0', unapplied: '0', balance: '0' });
    await expectInStep();
  });

  test('payments never settle more of an invoice than is open', async () => {
    const invoice = await invoiced();
    const settled = await Promise.allSettled(Array.from({ length: 4 }, () => pay('4.00', [[invoice, '4.00']])));
    expect([...codesOf(settled)].sort()).toEqual([
      'ALLOCATION_EXCEEDS_OPEN',
      'ALLOCATION_EXCEEDS_OPEN',
      'done',
      'done',
    ]);
    const { transitions } = await chain.storage.billing.lifeOf(invoice.invoiceId);
    expect(transitions.map(({ status }) => status)).toEqual(['issued', 'partly_paid']);
    await expectInStep();
  });

  test('a void and a payment: one of the two is refused', async () => {
    const invoice = await invoiced();
    const settled = await Promise.allSettled([
      pay('4.00', [[invoice, '4.00']]),
      voidInvoice(chain.storage, invoice, { ...deciding, reason: 'a mistake' }),
    ]);
    expect([...codesOf(settled)].filter((code) => code === 'done')).toHaveLength(1);
    expect(codesOf(settled).some((code) => ['INVOICE_VOID', 'INVOICE_TRANSITION_REFUSED'].includes(code))).toBe(true);
    await expectInStep();
  });

  test('refunds never pay out the same credit, nor does the next invoice take it too', async () => {
    await pay('10.00');
    await chain.addCalls(customerId, 100);
    const settled = await Promise.allSettled([refund('6.00'), refund('6.00'), chain.issue()]);
    expect(codesOf(settled)[2]).toBe('done');
    expect(
      codesOf(settled)
        .slice(0, 2)
        .filter((code) => code === 'done').length,
    ).toBeLessThanOrEqual(1);
    await expectInStep();
    const { open, unapplied } = await balanceOf();
    // Whoever came first took it: nothing of it is left beside something open.
    expect([open, unapplied]).toContain('0');
  });

  test('a payment that comes while an invoice is issued is carried to it, now or on demand', async () => {
    await chain.addCalls(customerId, 100);
    await Promise.all([chain.issue(), pay('10.00')]);
    await applyCredit(chain.storage, { ...deciding, customerId, requestId: 'a request' });
    await applyCredit(chain.storage, { ...deciding, customerId, requestId: 'a request' });
    expect(await balanceOf()).toEqual({ open: '0', unapplied: '0', balance: '0' });
    const [invoice] = await chain.documents();
    expect(invoice?.status).toBe('paid');
    await expectInStep();
  });
});

describe('the database, whoever writes', () => {
  const refused = async (sql: string, ...values: readonly unknown[]): Promise<string> => {
    const client = new pg.Client({ connectionString: chain.url });
    await client.connect();
    try {
      await client.query(sql, [...values]);
      return 'done';
    } catch (error) {
      return (error as Error).message;
    } finally {
      await client.end();
    }
  };
  const allocation = `INSERT INTO allocations (allocation_id, customer_id, currency, payment_id, invoice_id, amount, actor, reason)
    VALUES ($1, $2, 'USD', $3, $4, $5, 'x', 'y')`;

  test('refuses what is more than there is, of somebody else, or not allowed from a status', async () => {
    const invoice = await invoiced();
    const paymentId = await pay('20.00', [[invoice, '4.00']]);
    const { invoiceId } = invoice;
    expect(await refused(allocation, randomUUID(), customerId, paymentId, invoiceId, '6.01')).toContain(
      'to 10.01 of 10',
    );
    expect(await refused(allocation, randomUUID(), customerId, paymentId, invoiceId, '-4.01')).toContain('-0.01');
    await chain.addCustomer('stranger');
    expect(await refused(allocation, randomUUID(), 'stranger', paymentId, invoiceId, '1')).toContain('allocation');
    const transition = `INSERT INTO invoice_transitions (invoice_id, sequence, status, actor) VALUES ($1, $2, $3, 'x')`;
    expect(await refused(transition, invoiceId, 3, 'void')).toContain('cannot become void after partly_paid');
    expect(await refused(transition, invoiceId, 3, 'partly_paid')).toContain('cannot become');
    expect(await refused(transition, invoiceId, 4, 'paid')).toContain('cannot become');
    expect(await refused(`INSERT INTO payment_reversals VALUES ($1, 'x', 'y')`, paymentId)).toContain(
      'still settles something',
    );
    await bounce(paymentId);
    expect(await refused(allocation, randomUUID(), customerId, paymentId, invoiceId, '1')).toMatch(/to 1(\.00)? of 0/);
    expect(await refused('UPDATE allocations SET amount = 1')).toContain('append-only');
    await expectInStep();
  });

  test('knows the same life of an issued invoice as the domain', async () => {
    const client = new pg.Client({ connectionString: chain.url });
    await client.connect();
    const statuses = ['issued', 'partly_paid', 'overdue', 'paid', 'void'] as const;
    for (const from of statuses) {
      for (const to of statuses) {
        const { rows } = await client.query<{ may: boolean }>('SELECT invoice_may_become($1, $2) AS may', [from, to]);
        expect([from, to, rows[0]?.may]).toEqual([from, to, canTransition(from, to)]);
      }
    }
    await client.end();
  });
});

test('a payment that has bounced after a part of it was refunded leaves the refund owed, and the next credit covers it first', async () => {
  const invoice = await invoiced();
  const paymentId = await pay('15.00', [[invoice, '10.00']]);
  await refund('5.00');
  await bounce(paymentId);
  expect(await balanceOf()).toEqual({ open: '15', unapplied: '0', balance: '15' });
  await pay('15.00');
  await applyCredit(chain.storage, { ...deciding, customerId, requestId: randomUUID() });
  expect(await balanceOf()).toEqual({ open: '0', unapplied: '0', balance: '0' });
  await expectInStep();
});

test('what was refunded of a payment that bounced is not refunded again, although nothing is invoiced', async () => {
  const paymentId = await pay('100.00');
  await refund('100.00');
  await bounce(paymentId);
  await pay('130.00');
  await expect(refund('30.01')).rejects.toMatchObject({ code: 'REFUND_EXCEEDS_CREDIT' });
  await refund('30.00');
  expect(await balanceOf()).toEqual({ open: '0', unapplied: '0', balance: '0' });
  await expectInStep();
});

test('credit is applied to a refund that is owed where nothing is invoiced', async () => {
  const paymentId = await pay('100.00');
  await refund('100.00');
  await bounce(paymentId);
  await pay('100.00');
  await applyCredit(chain.storage, { ...deciding, customerId, requestId: randomUUID() });
  expect(await balanceOf()).toEqual({ open: '0', unapplied: '0', balance: '0' });
  await expectInStep();
});

test('a correction to the customer’s favour lowers what is due first; what was paid beyond it is carried', async () => {
  const invoice = await invoiced();
  await pay('8.00', [[invoice, '8.00']]);
  const gone = Array.from({ length: 50 }, (_, index) => ({
    ...{ customerId, source: '', eventId: `2024-01-10T00:00:00Z/${index}` },
    ...{ type: 'void', replacement: null, reason: null },
  })) as readonly Parameters<typeof chain.storage.adjustments.adjust>[0][];
  for (const event of gone) await chain.storage.adjustments.adjust(event);
  await chain.reRate('usage_correction');
  // 10.00 invoiced, 5.00 corrected away, 8.00 paid.
  expect(await balanceOf()).toEqual({ open: '0', unapplied: '3', balance: '-3' });
  await chain.addCalls(customerId, 40, '2024-02-10T00:00:00Z');
  const request = { requestId: randomUUID(), customerId, billingDay: '2024-03-01' as LocalDate };
  await chain.storage.periods.requestInvoicing({
    ...{ ...request, period: '2024-02-01' as LocalDate, forced: false, reason: null },
  });
  await chain.run(chain.activities.issueChunk, { billingDay: request.billingDay, limit: 10 });
  expect(await balanceOf()).toEqual({ open: '1', unapplied: '0', balance: '1' });
  const { data } = await chain.storage.billing.listInvoices(
    { customerId, period: '2024-02-01' as LocalDate },
    { limit: 5 },
  );
  expect(data).toMatchObject([{ status: 'partly_paid', total: '4' }]);
  for (const document of await chain.documents())
    expect(await verifyInvoice(chain.storage, document)).toMatchObject({ verified: true });
  await expectInStep();
});

test('the sweep appends overdue once, and says when the journal disagrees', async () => {
  const invoice = await invoiced();
  const at = (now: string): Promise<number> => sweepReceivables({ storage: chain.storage, now: () => now as Instant });
  expect(await at('2024-02-15T01:00:00.000000Z')).toBe(0);
  expect(await Promise.all([1, 2].map(() => at('2024-02-15T01:00:00.000001Z')))).toEqual(expect.arrayContaining([1]));
  expect(await at('2024-03-01T00:00:00.000000Z')).toBe(0);
  const { transitions } = await chain.storage.billing.lifeOf(invoice.invoiceId);
  expect(transitions.map(({ status, actor, reason }) => [status, actor, reason])).toEqual([
    ['issued', 'invoicing', null],
    ['overdue', 'reckoner', 'the due date has passed'],
  ]);
  const { data } = await chain.storage.billing.listInvoices({ status: 'overdue' }, { limit: 5 });
  expect(data).toHaveLength(1);
  const found = { code: 'RECEIVABLES_DIFFER_FROM_JOURNAL' };
  expect((await chain.storage.findings.list(found, { limit: 5 })).data).toEqual([]);
  await pay('10.00', [[invoice, '10.00']]);
  await chain.tamper(
    'postings',
    `UPDATE postings SET amount = amount + 1 WHERE account = 'accounts_receivable' AND amount < 0`,
  );
  await at('2024-03-01T00:00:00.000000Z');
  expect((await chain.storage.findings.list(found, { limit: 5 })).data).toMatchObject([
    { customerId, subject: { expected: '0', account: '1' } },
  ]);
});

test('a correction of an invoice with a credit note says so, with the amounts', async () => {
  const invoice = await invoiced();
  await chain.addCalls(customerId, 50, '2024-01-20T00:00:00Z');
  await chain.reRate('late_usage');
  const found = async () =>
    (await chain.storage.findings.list({ code: 'CREDIT_NOTE_BESIDE_CORRECTION' }, { limit: 10 })).data;
  expect(await found()).toEqual([]);
  await credit(invoice, '3.00');
  await chain.addCalls(customerId, 50, '2024-01-25T00:00:00Z');
  await chain.reRate('late_usage');
  const corrections = (await chain.documents()).filter(({ type }) => type === 'correction');
  expect(await found()).toMatchObject([
    {
      customerId,
      period: invoice.period,
      subject: { invoice_id: corrections[1]?.invoiceId, credit_notes: [{ number: 'CN-000001', total: '3' }] },
      detail: expect.stringMatching(
        /COR-000002 changes INV-000001 by 5\.00 USD .*CN-000001 \(3\.00 USD, without tax 3\.00 USD\) stands/,
      ),
    },
  ]);
});
