/** Settlement on real Postgres: who is first, any order of events, what was tampered with. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import pg from 'pg';
import { sweepReceivables } from '../../src/activities/sweep-receivables.js';
import { issueCreditNote, refundCredit, writeOff } from '../../src/billing/settlement/credit-notes.js';
import { applyCredit, recordPayment, reversePayment } from '../../src/billing/settlement/payments.js';
import { verifyInvoice } from '../../src/billing/verify-invoice.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import { decimal } from '../../src/domain/decimal.js';
import { DomainFailure } from '../../src/domain/failure.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { receivableIn } from '../../src/domain/settlement/items.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';
import { createChainFixture } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';
import { issuedAt } from './fixture.js';

let chain: ChainFixture;
beforeEach(async () => {
  chain = await createChainFixture();
});
afterEach(() => chain.close());

const customerId = 'acme';
const deciding = { actor: 'ann', now: issuedAt };
const money = (amount: string): DecimalString => amount as DecimalString;

async function invoiced(calls = 100): Promise<Invoice> {
  await chain.addCalls(customerId, calls);
  await chain.issue();
  const [invoice] = await chain.documents();
  if (invoice === undefined) throw new Error('no invoice');
  return invoice;
}

async function pay(amount: string, to: readonly (readonly [Invoice, string])[] = []): Promise<string> {
  const paymentId = randomUUID();
  const payment = {
    ...{ paymentId, customerId, currency: 'USD', amount: money(amount), receivedAt: issuedAt },
    ...{ method: 'card', reference: null, recordedBy: 'ann' },
  };
  const parts = to.map(([{ invoiceId, number }, part]) => ({ invoiceId, number, amount: money(part) }));
  await recordPayment(chain.storage, { payment, parts, now: issuedAt });
  return paymentId;
}

function credit(invoice: Invoice, amount: string | null): Promise<void> {
  const lines = invoice.lines.slice(0, 1).map(({ lineItemId }) => ({
    ...{ lineItemId, amount: amount === null ? null : money(amount) },
    ...{ reasonCode: 'goodwill', reason: null },
  })) as Parameters<typeof issueCreditNote>[2]['lines'];
  return issueCreditNote(chain.storage, invoice, { ...deciding, creditNoteId: randomUUID(), lines, reason: null });
}

const codesOf = (settled: readonly PromiseSettledResult<unknown>[]): readonly string[] =>
  settled.map((each) =>
    each.status === 'fulfilled'
      ? 'done'
      : each.reason instanceof DomainFailure
        ? each.reason.code
        : String(each.reason),
  );
const balanceOf = async (): Promise<ReturnType<typeof receivableIn>> =>
  receivableIn(await chain.storage.settlement.items(customerId), 'USD');
const account = async (): Promise<string> => {
  const accounts = await chain.storage.journal.accounts();
  const own = accounts.find((each) => each.account === 'accounts_receivable');
  return decimal(own?.balances[0]?.amount ?? money('0')).toFixed();
};

/** Documents, settlements, open items and the journal say the same. */
async function expectInStep(): Promise<void> {
  expect(await chain.storage.settlement.mismatches()).toEqual([]);
  expect((await balanceOf()).balance).toBe(await account());
}

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
    const refund = (amount: string): Promise<void> =>
      refundCredit(
        chain.storage,
        {
          ...{ refundId: randomUUID(), customerId, currency: 'USD', amount: money(amount), method: 'card' },
          ...{ reference: null, reason: 'asked', refundedBy: 'ann' },
        },
        { now: issuedAt },
      );
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
    await reversePayment(chain.storage, await one(paymentId), { ...deciding, reason: 'bounced' });
    expect(await refused(allocation, randomUUID(), customerId, paymentId, invoiceId, '1')).toMatch(/to 1(\.00)? of 0/);
    expect(await refused('UPDATE allocations SET amount = 1')).toContain('append-only');
    await expectInStep();
  });

  const one = async (paymentId: string) => {
    const found = await chain.storage.settlement.findPayment(paymentId);
    if (found === null) throw new Error('no payment');
    return found;
  };
});

test('a payment that has bounced after a part of it was refunded leaves the refund owed, and the next credit covers it first', async () => {
  const invoice = await invoiced();
  const paymentId = await pay('15.00', [[invoice, '10.00']]);
  await refundCredit(
    chain.storage,
    {
      ...{ refundId: randomUUID(), customerId, currency: 'USD', amount: money('5.00'), method: 'card' },
      ...{ reference: null, reason: 'overpaid', refundedBy: 'ann' },
    },
    { now: issuedAt },
  );
  const payment = await chain.storage.settlement.findPayment(paymentId);
  if (payment === null) throw new Error('no payment');
  await reversePayment(chain.storage, payment, { ...deciding, reason: 'no funds' });
  expect(await balanceOf()).toEqual({ open: '15', unapplied: '0', balance: '15' });
  await pay('15.00');
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

describe('double billing that is on disk already', () => {
  const copyInvoice = `INSERT INTO invoices SELECT (jsonb_populate_record(i, jsonb_build_object('invoice_id', gen_random_uuid(),
      'number', 'INV-000777', 'chain_place', 7))).* FROM invoices i`;
  const copyTransition = `INSERT INTO invoice_transitions (invoice_id, sequence, status, actor)
    SELECT invoice_id, 1, 'issued', 'x' FROM invoices WHERE number = 'INV-000777'`;
  const copyLines = `INSERT INTO invoice_line_items SELECT (jsonb_populate_record(l, jsonb_build_object('line_item_id',
      gen_random_uuid(), 'invoice_id', (SELECT invoice_id FROM invoices WHERE number = 'INV-000777')))).* FROM invoice_line_items l`;

  test('stops the next run of the customer, whichever period it is of, with a finding that names both rows', async () => {
    const invoice = await invoiced();
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

  test('is refused by the database where its triggers are on', async () => {
    await invoiced();
    const client = new pg.Client({ connectionString: chain.url });
    await client.connect();
    const plant = async (): Promise<void> => {
      await client.query('BEGIN');
      await client.query(copyInvoice);
      await client.query(copyTransition);
      await client.query(copyLines);
      await client.query('COMMIT');
    };
    await expect(plant()).rejects.toThrow(
      /was billed by invoice INV-00000[1] before|was billed by invoice INV-000777 before/,
    );
    await client.end();
  });

  test('a correction that is stored twice stops the next correction', async () => {
    await invoiced();
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

/** What may happen to a customer's account, in any order. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant('pay' as const),
    cents: fc.integer({ min: 1, max: 1500 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ kind: fc.constant('credit' as const), cents: fc.integer({ min: 1, max: 700 }) }),
  fc.record({ kind: fc.constant('reverse' as const), which: fc.nat(5) }),
  fc.record({ kind: fc.constant('refund' as const), cents: fc.integer({ min: 1, max: 900 }) }),
  fc.record({ kind: fc.constant('write_off' as const), cents: fc.integer({ min: 1, max: 500 }) }),
  fc.record({ kind: fc.constant('apply' as const) }),
  fc.record({ kind: fc.constant('issue' as const), calls: fc.integer({ min: 0, max: 60 }) }),
  fc.record({ kind: fc.constant('void' as const), which: fc.nat(5) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const centsOf = (cents: number): string => (cents / 100).toFixed(2);

async function take(each: Step, state: { month: number; payments: string[] }): Promise<void> {
  const { storage } = chain;
  const invoices = (await storage.billing.listInvoices({ customerId }, { limit: 50 })).data.filter(
    ({ status }) => status !== 'void',
  );
  const last = invoices[0];
  switch (each.kind) {
    case 'pay':
      state.payments.push(
        await pay(
          centsOf(each.cents),
          last === undefined ? [] : [[last, centsOf(Math.max(1, Math.floor(each.cents * each.share)))]],
        ),
      );
      return;
    case 'credit':
      if (last !== undefined && last.lines.length > 0) await credit(last, centsOf(each.cents));
      return;
    case 'reverse': {
      const payment = await storage.settlement.findPayment(state.payments[each.which] ?? '');
      if (payment !== null) await reversePayment(storage, payment, { ...deciding, reason: 'bounced' });
      return;
    }
    case 'refund':
      await refundCredit(
        storage,
        {
          ...{
            refundId: randomUUID(),
            customerId,
            currency: 'USD',
            amount: money(centsOf(each.cents)),
            method: 'card',
          },
          ...{ reference: null, reason: 'asked', refundedBy: 'ann' },
        },
        { now: issuedAt },
      );
      return;
    case 'write_off':
      if (last !== undefined)
        await writeOff(storage, last, {
          ...deciding,
          writeOffId: randomUUID(),
          amount: money(centsOf(each.cents)),
          reason: 'x',
        });
      return;
    case 'apply':
      await applyCredit(storage, { ...deciding, customerId, requestId: randomUUID() });
      return;
    case 'issue': {
      state.month += 1;
      const month = `2024-${String(state.month).padStart(2, '0')}`;
      if (each.calls > 0) await chain.addCalls(customerId, each.calls, `${month}-10T00:00:00Z`);
      const period = `${month}-01` as LocalDate;
      await storage.periods.periodNamed(customerId, period);
      const request = { requestId: randomUUID(), customerId, period, billingDay: period, forced: false, reason: null };
      await storage.periods.requestInvoicing(request);
      await chain.run(chain.activities.issueChunk, { billingDay: period, limit: 10 });
      return;
    }
    case 'void': {
      const invoice = invoices[each.which];
      if (invoice !== undefined) await voidInvoice(storage, invoice, { ...deciding, reason: 'a test' });
    }
  }
}

test('whatever happens, in any order: documents, settlements, open items and the journal say the same', async () => {
  const refusals = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 14 }), async (steps) => {
      await chain.close();
      chain = await createChainFixture();
      const state = { month: 0, payments: [] };
      for (const each of [{ kind: 'issue', calls: 50 } as const, ...steps]) {
        try {
          await take(each, state);
        } catch (error) {
          if (!(error instanceof DomainFailure)) throw error;
          refusals.add(error.code);
        }
      }
      await expectInStep();
    }),
    { numRuns: 12 },
  );
  expect(refusals.size).toBeGreaterThan(0);
});
