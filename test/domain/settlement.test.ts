import fc from 'fast-check';
import { addDecimals, decimal } from '../../src/domain/decimal.js';
import { stepBeforeIssue } from '../../src/domain/invoicing/before-issue.js';
import type { BeforeIssue } from '../../src/domain/invoicing/before-issue.js';
import { trippedBounds } from '../../src/domain/invoicing/safety-bounds.js';
import { canTransition, invoiceTransitions, requireTransition } from '../../src/domain/invoicing/transitions.js';
import {
  afterwards,
  carryCredit,
  coverRefund,
  refundableIn,
  released,
} from '../../src/domain/settlement/allocation.js';
import type { Allocation } from '../../src/domain/settlement/allocation.js';
import { creditableLines, creditNoteAmounts } from '../../src/domain/settlement/credit-note.js';
import type { CreditedSoFar } from '../../src/domain/settlement/credit-room.js';
import { receivableIn, standingOf } from '../../src/domain/settlement/items.js';
import type { OpenItems, ReceivableChain, ReceivableDocument } from '../../src/domain/settlement/items.js';
import { statusByMoney } from '../../src/domain/settlement/status.js';
import type { DecimalString, Instant } from '../../src/domain/values.js';
import { codeOf, failureOf } from './support/failures.js';

const money = (amount: string): DecimalString => amount as DecimalString;
const cents = (amount: number): DecimalString =>
  decimal(money(String(amount)))
    .dividedBy(100)
    .toFixed() as DecimalString;
const at = (day: string): Instant => `2024-${day}T00:00:00.000000Z` as Instant;

const document = (invoiceId: string, total: string, more: Partial<ReceivableDocument> = {}): ReceivableDocument => ({
  ...{ invoiceId, number: invoiceId, total: money(total), status: 'issued', settled: money('0') },
  ...{ issuedAt: at('02-01'), dueAt: at('02-15') },
  ...more,
});
const chainOf = (documents: readonly ReceivableDocument[], more: Partial<ReceivableChain> = {}): ReceivableChain => ({
  ...{
    originalId: documents[0]?.invoiceId ?? '',
    currency: 'USD',
    documents,
    credited: money('0'),
    carried: money('0'),
    writtenOff: money('0'),
  },
  ...more,
});
const openOf = (chain: ReceivableChain): readonly string[] =>
  [...standingOf(chain).documents.values()].map(({ open }) => open);

describe('how a chain stands', () => {
  test('credit lowers its own documents first, the oldest first; the rest is over', () => {
    const documents = [document('a', '100'), document('b', '20'), document('c', '-30')];
    expect(openOf(chainOf(documents))).toEqual(['70', '20', '0']);
    expect(openOf(chainOf(documents, { credited: money('80') }))).toEqual(['0', '10', '0']);
    const paid = [document('a', '100', { settled: money('100') }), ...documents.slice(1)];
    expect(openOf(chainOf(paid))).toEqual(['0', '0', '0']);
    expect(standingOf(chainOf(paid)).surplus).toBe('10');
    // Carried away, it lowers nothing here any more.
    expect(openOf(chainOf(documents, { carried: money('10') }))).toEqual(['80', '20', '0']);
  });

  test('money settles a document, credit only lowers what is due', () => {
    const now = at('02-10');
    const status = (settled: string, open: string, on = now): string =>
      statusByMoney({ status: 'issued', settled: money(settled), dueAt: at('02-15') }, { open: money(open) }, on);
    expect([status('0', '5'), status('1', '4'), status('5', '0'), status('0', '0')]).toEqual([
      'issued',
      'partly_paid',
      'paid',
      'issued',
    ]);
    const late = at('02-16');
    expect([status('0', '5', late), status('1', '4', late), status('5', '0', late)]).toEqual([
      'overdue',
      'overdue',
      'paid',
    ]);
  });
});

const item = fc.record({ total: fc.integer({ min: -5000, max: 9000 }), share: fc.integer({ min: 0, max: 100 }) });
const items: fc.Arbitrary<OpenItems> = fc
  .record({
    chains: fc.array(fc.record({ documents: fc.array(item, { minLength: 1, maxLength: 4 }), credited: fc.nat(3000) }), {
      maxLength: 4,
    }),
    payments: fc.array(fc.integer({ min: 1, max: 9000 }), { maxLength: 4 }),
    refunds: fc.array(fc.integer({ min: 1, max: 2000 }), { maxLength: 2 }),
  })
  .map(({ chains, payments, refunds }) => ({
    chains: chains.map(({ documents, credited }, i) =>
      chainOf(
        documents.map(({ total, share }, j) =>
          document(`${i}-${j}`, cents(total), {
            settled: total > 0 ? cents(Math.floor((total * share) / 100)) : money('0'),
            issuedAt: at(`02-${String((i * 4 + j) % 28 || 1).padStart(2, '0')}`),
          }),
        ),
        { credited: cents(credited) },
      ),
    ),
    payments: payments.map((amount, i) => ({
      ...{ paymentId: `p${i}`, currency: 'USD', receivedAt: at(`03-0${i + 1}`) },
      ...{ amount: cents(amount), allocated: money('0') },
    })),
    refunds: refunds.map((amount, i) => ({
      ...{
        refundId: `r${i}`,
        currency: 'USD',
        refundedAt: at(`03-1${i + 1}`),
        amount: cents(amount),
        covered: money('0'),
      },
    })),
  }));

describe('carrying credit', () => {
  test('moves nothing but what settles what: the balance stays, and no side is left with something for the other', () => {
    fc.assert(
      fc.property(items, (given) => {
        const before = receivableIn(given, 'USD');
        const allocations = carryCredit(given, 'USD');
        const after = receivableIn(afterwards(given, allocations), 'USD');
        expect(after.balance).toBe(before.balance);
        expect([after.open, after.unapplied]).toContain('0');
        expect(carryCredit(afterwards(given, allocations), 'USD')).toEqual([]);
        // Taken back, everything is as it was.
        expect(receivableIn(afterwards(afterwards(given, allocations), released(allocations)), 'USD')).toEqual(before);
      }),
    );
  });

  test('the oldest credit settles the oldest debt', () => {
    const given: OpenItems = {
      chains: [
        chainOf([document('b', '5', { issuedAt: at('03-01') })]),
        chainOf([document('a', '7', { issuedAt: at('02-01') })]),
      ],
      payments: ['2', '1'].map((day) => ({
        ...{
          paymentId: `p${day}`,
          currency: 'USD',
          receivedAt: at(`04-0${day}`),
          amount: money('6'),
          allocated: money('0'),
        },
      })),
      refunds: [],
    };
    expect(carryCredit(given, 'USD').map(({ source, target, amount }) => [source.id, target.id, amount])).toEqual([
      ['p1', 'a', '6'],
      ['p2', 'a', '1'],
      ['p2', 'b', '5'],
    ]);
    expect(carryCredit(given, 'EUR')).toEqual([]);
    expect(coverRefund(given, { refundId: 'r', currency: 'USD', amount: money('12.01') })).toBeNull();
    expect(coverRefund(given, { refundId: 'r', currency: 'USD', amount: money('12') })).toHaveLength(2);
  });

  test('a refund that is owed, its payment has bounced, is covered before documents and before another refund', () => {
    const payment = { paymentId: 'p', currency: 'USD', receivedAt: at('04-02'), allocated: money('0') };
    const given: OpenItems = {
      chains: [chainOf([document('a', '7', { issuedAt: at('02-01') })])],
      payments: [{ ...payment, amount: money('10') }],
      refunds: [
        { refundId: 'owed', currency: 'USD', refundedAt: at('03-01'), amount: money('6'), covered: money('0') },
      ],
    };
    const told = ({ source, target, amount }: Allocation) => [source.id, target.id, amount];
    expect(carryCredit(given, 'USD').map(told)).toEqual([
      ['p', 'owed', '6'],
      ['p', 'a', '4'],
    ]);
    expect(refundableIn(given, 'USD')).toBe('4');
    expect(coverRefund(given, { refundId: 'r', currency: 'USD', amount: money('4.01') })).toBeNull();
    expect(coverRefund(given, { refundId: 'r', currency: 'USD', amount: money('4') })?.map(told)).toEqual([
      ['p', 'owed', '6'],
      ['p', 'r', '4'],
    ]);
    expect(refundableIn({ ...given, payments: [] }, 'USD')).toBe('0');
  });
});

type Documents = Parameters<typeof creditNoteAmounts>[0];
/** Lines of these amounts in cents; tax and prepaid credits of the document. */
function invoiceOf(amounts: readonly number[], { tax = 0, credits = 0 } = {}): Documents {
  const lines = amounts.map((amount, index) => ({
    ...{
      lineItemId: `l${index}`,
      lineKey: `k${index}`,
      lineNumber: index + 1,
      description: `line ${index}`,
      amount: cents(amount),
    },
    ...{ meter: null, group: {}, serviceFrom: at('01-01'), serviceTo: at('02-01'), currency: 'USD' },
  }));
  const subtotal = amounts.reduce((sum, amount) => sum + amount, 0);
  const invoice = {
    lines,
    currency: 'USD',
    number: 'INV-1',
    subtotal: cents(subtotal),
    credits: cents(credits),
    tax: cents(tax),
  };
  return [{ ...invoice, total: cents(subtotal - credits + tax) }] as unknown as Documents;
}
const nothingCredited: CreditedSoFar = { byLine: new Map(), subtotal: money('0'), tax: money('0') };
const line = (index: number, amount: string | null) =>
  ({
    lineItemId: `l${index}`,
    amount: amount === null ? null : money(amount),
    reasonCode: 'goodwill',
    reason: null,
  }) as const;

describe('credit notes', () => {
  test('several partial ones come to the invoice and its tax to the last cent, and never more', () => {
    const parts = fc.array(fc.integer({ min: 1, max: 999 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(parts, { minLength: 1, maxLength: 4 }), fc.nat(2500), (byLine, tax) => {
        const documents = invoiceOf(
          byLine.map((of) => of.reduce((a, b) => a + b, 0)),
          { tax },
        );
        let credited = nothingCredited;
        const totals: DecimalString[] = [];
        byLine.forEach((of, index) => {
          for (const part of of) {
            const note = creditNoteAmounts(documents, { credited, lines: [line(index, cents(part))] });
            totals.push(note.total);
            const before = credited.byLine.get(`k${index}`) ?? money('0');
            credited = {
              byLine: new Map([...credited.byLine, [`k${index}`, addDecimals([before, note.subtotal])]]),
              subtotal: addDecimals([credited.subtotal, note.subtotal]),
              tax: addDecimals([credited.tax, note.tax]),
            };
          }
        });
        expect(addDecimals(totals)).toBe(decimal(documents[0]?.total ?? money('0')).toFixed());
        expect(creditableLines(documents, credited).every(({ creditable }) => creditable === '0')).toBe(true);
        expect(codeOf(() => creditNoteAmounts(documents, { credited, lines: [line(0, '0.01')] }))).toBe(
          'NOT_CREDITABLE',
        );
      }),
    );
  });

  test('what prepaid credits have paid is not credited as money', () => {
    const documents = invoiceOf([1000], { credits: 600 });
    const failure = failureOf(() =>
      creditNoteAmounts(documents, { credited: nothingCredited, lines: [line(0, '4.01')] }),
    );
    expect([failure.code, failure.detail]).toEqual(['NOT_CREDITABLE', expect.stringContaining('at most 4.00 USD')]);
    expect(creditNoteAmounts(documents, { credited: nothingCredited, lines: [line(0, null)] }).total).toBe('4');
  });

  test('a line below zero cannot be credited, nor an invoice of nothing', () => {
    const documents = invoiceOf([-500, 300]);
    expect(codeOf(() => creditNoteAmounts(documents, { credited: nothingCredited, lines: [line(0, null)] }))).toBe(
      'NOT_CREDITABLE',
    );
    expect(codeOf(() => creditNoteAmounts(documents, { credited: nothingCredited, lines: [line(1, '0.01')] }))).toBe(
      'NOT_CREDITABLE',
    );
  });
});

describe('the life of an invoice', () => {
  test('nothing leaves void; paid and partly paid are never voided; a refusal says what is allowed', () => {
    expect(invoiceTransitions.void).toEqual([]);
    expect([canTransition('paid', 'void'), canTransition('partly_paid', 'void')]).toEqual([false, false]);
    const failure = failureOf(() => requireTransition({ number: 'INV-1', status: 'paid' }, 'void'));
    expect(failure.code).toBe('INVOICE_TRANSITION_REFUSED');
    expect(failure.detail).toContain(
      'INV-1 is paid and cannot become void; from there it can become issued, partly paid, overdue',
    );
    expect(codeOf(() => requireTransition({ number: 'INV-1', status: 'void' }, 'paid'))).toBe('INVOICE_VOID');
  });

  const before: BeforeIssue = {
    ...{ contentHash: 'a', tripped: [], decisions: [], approval: 'none', graceUntil: null, now: at('02-10') },
  };
  const bound = { bound: 'jump', detail: 'It jumps.' } as const;
  const decided = (decision: 'approved' | 'released' | 'rejected', contentHash = 'a') => ({ decision, contentHash });
  test.each<[string, Partial<BeforeIssue>, string]>([
    ['nothing keeps it', {}, 'issue'],
    ['its grace', { graceUntil: at('02-11') }, 'draft'],
    ['its grace has passed', { graceUntil: at('02-10') }, 'issue'],
    ['approval', { approval: 'required' }, 'draft'],
    ['approved', { approval: 'required', graceUntil: at('02-11'), decisions: [decided('approved')] }, 'issue'],
    ['approved as something else', { approval: 'required', decisions: [decided('approved', 'b')] }, 'draft'],
    ['a bound', { tripped: [bound] }, 'held'],
    ['a bound, approved', { tripped: [bound], decisions: [decided('approved')] }, 'held'],
    ['a bound, released', { tripped: [bound], approval: 'required', decisions: [decided('released')] }, 'issue'],
    ['a bound, released as something else', { tripped: [bound], decisions: [decided('released', 'b')] }, 'held'],
    ['rejected', { decisions: [decided('released'), decided('rejected')] }, 'held'],
    ['rejected, then released', { tripped: [bound], decisions: [decided('rejected'), decided('released')] }, 'issue'],
    ['rejected as something else', { decisions: [decided('rejected', 'b')] }, 'held'],
    [
      'rejected as something else, in its grace',
      { graceUntil: at('02-11'), decisions: [decided('rejected', 'b')] },
      'held',
    ],
    ['that, and approval', { approval: 'required', decisions: [decided('rejected', 'b')] }, 'held'],
    [
      'rejected as something else, released as this',
      { decisions: [decided('rejected', 'b'), decided('released')] },
      'issue',
    ],
    [
      'rejected, then something else was released',
      { decisions: [decided('rejected', 'b'), decided('released', 'c')] },
      'held',
    ],
    [
      'approved, then rejected as something else',
      { decisions: [decided('approved'), decided('rejected', 'b')] },
      'held',
    ],
    [
      'that, and approved again',
      { decisions: [decided('approved'), decided('rejected', 'b'), decided('approved')] },
      'issue',
    ],
  ])('%s', (_what, more, step) => {
    expect(stepBeforeIssue({ ...before, ...more }).step).toBe(step);
  });

  test('what was rejected, and what was rejected as something else, say so; a bound as well', () => {
    const reasonOf = (more: Partial<BeforeIssue>): unknown => stepBeforeIssue({ ...before, ...more });
    expect(reasonOf({ decisions: [decided('rejected')] })).toEqual({ step: 'held', reason: 'rejected by a person' });
    expect(reasonOf({ decisions: [decided('rejected', 'b')], tripped: [bound] })).toEqual({
      step: 'held',
      reason: expect.stringMatching(/^It was rejected before, and says something else now.* It jumps\.$/),
    });
  });
});

describe('safety bounds', () => {
  const bounds = { linesMax: 2, holdNegative: true, jumpFactor: 3, holdZero: true, trailing: 2 };
  const tripped = (subtotal: string, trailing: readonly string[], lines = 1): readonly string[] =>
    trippedBounds(
      { lines: Array.from({ length: lines }), subtotal: money(subtotal), total: money(subtotal), currency: 'USD' },
      { bounds, trailing: trailing.map(money) },
    ).map(({ bound }) => bound);
  test.each<[string, readonly string[], readonly string[], number?]>([
    ['30.00', ['10', '10'], []],
    ['30.01', ['10', '10'], ['jump']],
    ['30.01', ['10'], []],
    ['100', ['10', '10', '9999'], ['jump']],
    ['0', ['10', '10'], ['zero_after_nonzero']],
    ['0', ['10', '0'], []],
    ['5', ['0', '0'], []],
    ['-0.01', ['10', '10'], ['negative_total']],
    ['1', [], ['lines'], 3],
  ])('%s after %j', (subtotal, trailing, expected, lines = 1) => {
    expect(tripped(subtotal, trailing, lines)).toEqual(expected);
  });
});
