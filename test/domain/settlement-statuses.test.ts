/** Statuses after settling, and credit beside write-offs. */
import fc from 'fast-check';
import { decimal } from '../../src/domain/decimal.js';
import { coverRefund, creditsIn, refundableIn } from '../../src/domain/settlement/allocation.js';
import type { Allocation } from '../../src/domain/settlement/allocation.js';
import { receivableIn, standingOf, toGive } from '../../src/domain/settlement/items.js';
import type { OpenItems, ReceivableChain, ReceivableDocument } from '../../src/domain/settlement/items.js';
import { settled } from '../../src/domain/settlement/settle.js';
import { statusByMoney } from '../../src/domain/settlement/status.js';
import { requireBesideWriteOff } from '../../src/domain/settlement/written-off.js';
import type { DecimalString, Instant } from '../../src/domain/values.js';
import { failureOf } from './support/failures.js';

const money = (amount: string | number): DecimalString => String(amount) as DecimalString;
const at = (day: string): Instant => `2024-${day}T00:00:00.000000Z` as Instant;
const now = at('02-10');

const document = (invoiceId: string, total: number, more: Partial<ReceivableDocument> = {}): ReceivableDocument => ({
  ...{ invoiceId, number: invoiceId, total: money(total), status: 'issued', settled: money(0) },
  ...{ issuedAt: at('02-01'), dueAt: at('02-15') },
  ...more,
});
const chainOf = (documents: readonly ReceivableDocument[], more: Partial<ReceivableChain> = {}): ReceivableChain => ({
  ...{ originalId: documents[0]?.invoiceId ?? '', currency: 'USD', documents },
  ...{ credited: money(0), carried: money(0), writtenOff: money(0) },
  ...more,
});
const itemsOf = (...chains: readonly ReceivableChain[]): OpenItems => ({ chains, payments: [], refunds: [] });
const paying = (invoiceId: string, amount: number): Allocation => ({
  source: { kind: 'payment', id: 'p' },
  target: { kind: 'invoice', id: invoiceId },
  amount: money(amount),
});
const becomes = (...of: Parameters<typeof settled>): readonly string[] =>
  settled(...of).changes.map(({ invoiceId, from, to }) => `${invoiceId} ${from} → ${to}`);

describe('every document of every chain that is touched', () => {
  test('credit that moves to another document of the chain changes both', () => {
    // 100 paid, 20 of which 10 are paid and 10 credited.
    const items = itemsOf(
      chainOf(
        [
          document('a', 100, { settled: money(100), status: 'paid' }),
          document('b', 20, { settled: money(10), status: 'paid' }),
        ],
        { credited: money(10) },
      ),
    );
    expect(becomes(items, [paying('a', -100)], { now })).toEqual(['a paid → issued', 'b paid → partly_paid']);
  });

  test('what is issued changes its chain without any allocation', () => {
    const items = itemsOf(
      chainOf([document('a', 100, { settled: money(60), status: 'partly_paid' }), document('b', -70)]),
    );
    expect(becomes(items, [], { now, touched: ['a'] })).toEqual(['a partly_paid → paid']);
    expect(becomes(items, [], { now })).toEqual([]);
  });

  test('a chain whose surplus is carried back is touched, though it is no target', () => {
    const items = itemsOf(
      chainOf([document('a', 100, { status: 'issued' })], { credited: money(100), carried: money(100) }),
      chainOf([document('b', 100, { settled: money(100), status: 'paid' })]),
    );
    const late = at('03-01');
    const back: Allocation = {
      source: { kind: 'chain', id: 'a' },
      target: { kind: 'invoice', id: 'b' },
      amount: money(-100),
    };
    expect(becomes(items, [back], { now: late })).toEqual(['b paid → overdue']);
    const overdue = itemsOf(
      ...items.chains.map((chain) =>
        chain.originalId === 'a' ? { ...chain, documents: [document('a', 100, { status: 'overdue' })] } : chain,
      ),
    );
    expect(becomes(overdue, [back], { now: late })).toEqual(['a overdue → issued', 'b paid → overdue']);
  });

  test('after any sequence of settlements each stored status is the one that open amounts say', () => {
    const step = fc.record({
      chain: fc.nat(1),
      document: fc.nat(2),
      source: fc.constantFrom('payment' as const, 'write_off' as const),
      amount: fc.integer({ min: -60, max: 60 }),
      credited: fc.integer({ min: 0, max: 30 }),
      correction: fc.integer({ min: -30, max: 30 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let items = itemsOf(
          chainOf([document('0-0', 100), document('0-1', 20)]),
          chainOf([document('1-0', 50), document('1-1', 10)]),
        );
        for (const [number, each] of steps.entries()) {
          const originalId = `${each.chain}-0`;
          const target = items.chains[each.chain]?.documents[each.document]?.invoiceId ?? originalId;
          const own = items.chains.flatMap(({ documents }) => documents).find(({ invoiceId }) => invoiceId === target);
          const room = decimal(own?.total ?? money(0)).minus(decimal(own?.settled ?? money(0)));
          const amount = Math.max(Math.min(each.amount, room.toNumber()), -Number(own?.settled ?? 0));
          const chains = items.chains.map((chain) =>
            chain.originalId === originalId
              ? {
                  ...chain,
                  credited: money(Number(chain.credited) + each.credited),
                  documents:
                    each.correction === 0
                      ? chain.documents
                      : [...chain.documents, document(`${each.chain}/${number}`, each.correction)],
                }
              : chain,
          );
          const allocation = {
            source: { kind: each.source, id: `s${number}` },
            target: { kind: 'invoice', id: target },
            amount: money(amount),
          } as const;
          const { after, changes } = settled({ ...items, chains }, [allocation], { now, touched: [originalId] });
          const to = new Map(changes.map((change) => [change.invoiceId, change.to]));
          items = {
            ...after,
            chains: after.chains.map((chain) => ({
              ...chain,
              documents: chain.documents.map((own) => ({ ...own, status: to.get(own.invoiceId) ?? own.status })),
            })),
          };
        }
        for (const chain of items.chains) {
          const standing = standingOf(chain).documents;
          for (const own of chain.documents)
            expect(own.status).toBe(statusByMoney(own, standing.get(own.invoiceId) ?? { open: money(0) }, now));
        }
      }),
    );
  });
});

describe('credit beside a write-off', () => {
  const writtenOff = (settledBy: number, off: number, credited: number): ReceivableChain =>
    chainOf([document('a', 100, { settled: money(settledBy), status: 'paid' })], {
      writtenOff: money(off),
      credited: money(credited),
    });

  test('goes against what was given up first: only the rest is the customer’s', () => {
    expect(toGive(writtenOff(100, 100, 100)).toFixed()).toBe('0');
    expect(toGive(writtenOff(100, 60, 100)).toFixed()).toBe('40');
    expect(toGive(writtenOff(100, 0, 100)).toFixed()).toBe('100');
    const items = itemsOf(writtenOff(100, 60, 100));
    expect(creditsIn(items, 'USD')).toHaveLength(1);
    expect(refundableIn(items, 'USD')).toBe('40');
    expect(coverRefund(items, { refundId: 'r', currency: 'USD', amount: money('40.01') })).toBeNull();
    expect(coverRefund(items, { refundId: 'r', currency: 'USD', amount: money('40') })).toHaveLength(1);
  });

  test('is no unapplied credit, which is what there is to carry and to refund; the balance has it all the same', () => {
    expect(receivableIn(itemsOf(writtenOff(100, 100, 40)), 'USD')).toEqual({
      ...{ open: '0', unapplied: '0', besideWriteOffs: '40', balance: '-40' },
    });
    const cents = fc.integer({ min: 0, max: 200 });
    fc.assert(
      fc.property(cents, cents, cents, (paid, off, credited) => {
        const chain = writtenOff(paid + off, off, credited);
        const items = itemsOf(chain);
        const { open, unapplied, besideWriteOffs, balance } = receivableIn(items, 'USD');
        const credits = creditsIn(items, 'USD').map(({ amount }) => amount.toNumber());
        expect(Number(unapplied)).toBe(credits.reduce((sum, amount) => sum + amount, 0));
        expect(refundableIn(items, 'USD')).toBe(unapplied);
        expect(Number(unapplied) + Number(besideWriteOffs)).toBe(Number(standingOf(chain).surplus));
        expect(Number(besideWriteOffs)).toBeLessThanOrEqual(off);
        expect(Number(balance)).toBe(Number(open) - Number(standingOf(chain).surplus));
      }),
    );
  });

  test('a credit note takes at most what is open', () => {
    const chain = writtenOff(70, 60, 0);
    expect(() => requireBesideWriteOff(chain, { total: money('30'), number: 'INV-1' })).not.toThrow();
    const failure = failureOf(() => requireBesideWriteOff(chain, { total: money('30.01'), number: 'INV-1' }));
    expect([failure.code, failure.detail]).toEqual([
      'CREDITS_WRITE_OFF',
      expect.stringContaining('60.00 USD are written off and 30.00 USD are open'),
    ]);
    expect(() =>
      requireBesideWriteOff({ ...chain, writtenOff: money('0') }, { total: money('99'), number: '' }),
    ).not.toThrow();
  });
});
