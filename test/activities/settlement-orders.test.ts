/** A customer's account under random sequences of everything that settles it. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { refundCredit, writeOff } from '../../src/billing/settlement/credit-notes.js';
import { applyCredit, reversePayment } from '../../src/billing/settlement/payments.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import { decimal } from '../../src/domain/decimal.js';
import { DomainFailure } from '../../src/domain/failure.js';
import type { LocalDate } from '../../src/domain/values.js';
import { createChainFixture } from './chain-fixture.js';
import type { ChainFixture } from './chain-fixture.js';
import { issuedAt } from './fixture.js';
import { customerId, deciding, money, SettlementScene } from './settlement-scene.js';

let chain: ChainFixture;
let scene: SettlementScene;

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
  fc.record({ kind: fc.constant('take_back' as const), calls: fc.integer({ min: 1, max: 15 }) }),
  fc.record({ kind: fc.constant('add' as const), calls: fc.integer({ min: 1, max: 15 }) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const centsOf = (cents: number): string => (cents / 100).toFixed(2);

async function take(
  each: Step,
  state: { month: number; payments: string[]; gone: number; late: number },
): Promise<void> {
  const { storage } = chain;
  const invoices = (await storage.billing.listInvoices({ customerId }, { limit: 50 })).data.filter(
    ({ status }) => status !== 'void',
  );
  const last = invoices[0];
  switch (each.kind) {
    case 'pay':
      state.payments.push(
        await scene.pay(
          centsOf(each.cents),
          last === undefined ? [] : [[last, centsOf(Math.max(1, Math.floor(each.cents * each.share)))]],
        ),
      );
      return;
    case 'credit':
      if (last !== undefined && last.lines.length > 0) await scene.credit(last, centsOf(each.cents));
      return;
    case 'reverse': {
      const payment = await storage.settlement.findPayment(state.payments[each.which] ?? '');
      if (payment !== null)
        await reversePayment(storage, payment, { ...deciding, requestId: randomUUID(), reason: 'bounced' });
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
    case 'take_back':
      await scene.takeBackCalls(state.gone, each.calls);
      state.gone += each.calls;
      return;
    case 'add':
      state.late += 1;
      await chain.addCalls(customerId, each.calls, `2024-01-${10 + state.late}T00:00:00Z`);
      await chain.reRate('late_usage');
      return;
    case 'void': {
      const invoice = invoices[each.which];
      if (invoice !== undefined) await voidInvoice(storage, invoice, { ...deciding, reason: 'a test' });
    }
  }
}

/** No chain is credited beyond what it comes to. */
async function expectWithinInvoiced(): Promise<void> {
  const { data } = await chain.storage.billing.listInvoices({ customerId }, { limit: 50 });
  const items = await chain.storage.settlement.items(
    customerId,
    data.map(({ invoiceId }) => invoiceId),
  );
  for (const { documents, credited } of items.chains) {
    const total = documents.reduce((sum, document) => sum.plus(decimal(document.total)), decimal(money('0')));
    expect(decimal(credited).greaterThan(0) && decimal(credited).greaterThan(total)).toBe(false);
  }
}

test('whatever happens, in any order: documents, settlements, open items and the journal say the same', async () => {
  const refusals = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 14 }), async (steps) => {
      chain = await createChainFixture();
      scene = new SettlementScene(chain);
      try {
        const state = { month: 0, payments: [], gone: 0, late: 0 };
        for (const each of [{ kind: 'issue', calls: 50 } as const, ...steps]) {
          try {
            await take(each, state);
          } catch (error) {
            if (!(error instanceof DomainFailure)) throw error;
            refusals.add(error.code);
          }
        }
        await scene.expectInStep();
        await expectWithinInvoiced();
      } finally {
        await chain.close();
      }
    }),
    { numRuns: 8 },
  );
  expect(refusals.size).toBeGreaterThan(0);
}, 300_000);
