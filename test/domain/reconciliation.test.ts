/** The chain of a period held against itself: an honest one has no difference, and every tampering shows where it is. */
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { invoiceEntry } from '../../src/domain/ledger/invoice-entry.js';
import type { JournalEntry } from '../../src/domain/ledger/journal.js';
import { voidEntry } from '../../src/domain/ledger/void-entry.js';
import { classOfGap } from '../../src/domain/reconciliation/difference.js';
import { failedReport, reconcileInvoiced, reconcileOpen } from '../../src/domain/reconciliation/reconcile.js';
import type { InvoicedStages } from '../../src/domain/reconciliation/reconcile.js';
import type { MeterUsage } from '../../src/domain/reconciliation/usage.js';
import type { Instant } from '../../src/domain/values.js';
import {
  money,
  digest,
  usage,
  charges,
  cutoff,
  invoice,
  day,
  present,
  entry,
  eu,
  us,
  total,
  honest,
  withPostings,
  posted,
  changed,
} from './support/reconciled-chain.js';

describe('an invoiced period', () => {
  test('that is honest has no difference, and shows what rounding did', () => {
    const report = reconcileInvoiced(honest);
    expect(report.differences).toEqual([]);
    expect(report).toMatchObject({ state: 'invoiced', cutoff: '1000', currency: 'USD' });
    const figures = { count: 103, quantity: '103', digest: digest('153') };
    expect(report.stages).toEqual([
      {
        meter: 'calls',
        events: { stored: 110, voided: 2, filtered: 5, ...figures },
        aggregates: figures,
        charges: { ...figures, amount: '1.545' },
        lines: { amount: '1.54' },
        journal: { amount: '1.54' },
      },
    ]);
    expect(report.lines.map(({ charged, invoiced, rounding }) => [charged, invoiced, rounding])).toEqual([
      ['1.5', '1.5', '0'],
      ['0.045', '0.04', '-0.005'],
    ]);
    expect(report.journal).toMatchObject([
      { number: 'INV-000001', total: '1.54', receivable: '1.54', revenue: '1.54' },
    ]);
  });

  test('corrections count with their original', () => {
    const correction = {
      ...invoice,
      invoiceId: 'invoice-2',
      number: 'INV-000002',
      subtotal: money('-0.5'),
      total: money('-0.5'),
      lines: [{ ...eu, lineItemId: 'line 2', amount: money('-0.5') }],
    };
    const first = { ...changed('2'), subtotal: money('2.04'), total: money('2.04') };
    const report = reconcileInvoiced({
      ...honest,
      documents: [first, correction],
      posted: [first, correction].map((document) => ({ document, entries: [present(invoiceEntry(document, day))] })),
    });
    expect(report.differences).toEqual([]);
    expect(report.stages[0]?.journal).toEqual({ amount: '1.54' });
  });

  test('a void document that is reversed nets to zero, one that is not is a difference', () => {
    const document: Invoice = { ...invoice, invoiceId: 'invoice-0', number: 'INV-000000', status: 'void' };
    const entries = [entry, present(voidEntry(document, day, invoiceEntry(document, day)))];
    const withVoid = (own: readonly JournalEntry[]): InvoicedStages => ({
      ...honest,
      posted: [{ document, entries: own }, ...honest.posted],
    });
    expect(reconcileInvoiced(withVoid(entries)).differences).toEqual([]);
    const open = reconcileInvoiced(withVoid(entries.slice(0, 1))).differences;
    expect(open.map(({ class: its, document: number }) => [its, number])).toEqual([
      ['missing', 'INV-000000'],
      ['missing', 'INV-000000'],
      ['missing', 'INV-000000'],
    ]);
  });

  const [euCharge, usCharge] = [present(charges[0]), present(charges[1])];
  const one = (row: MeterUsage, change: Partial<MeterUsage>): readonly MeterUsage[] => [{ ...row, ...change }];
  const tamperings: readonly (readonly [
    what: string,
    stages: Partial<InvoicedStages>,
    found: readonly (readonly [stage: string, its: string, difference: object])[],
  ])[] = [
    [
      'an event that nothing counts',
      { stored: [{ meter: 'calls', stored: 111, voided: 2, filtered: 5 }] },
      [['stored→events', 'missing', { count: -1 }]],
    ],
    [
      'a voided event that is counted',
      { stored: [{ meter: 'calls', stored: 110, voided: 3, filtered: 5 }] },
      [['stored→events', 'duplicate', { count: 1 }]],
    ],
    [
      'an event that no aggregate has',
      {
        events: one(total, { eventCount: 104, quantity: money('104') }),
        stored: [{ meter: 'calls', stored: 104, voided: 0, filtered: 0 }],
      },
      [['events→aggregates', 'missing', { count: -1, quantity: '-1' }]],
    ],
    [
      'an event that is aggregated twice, and rated',
      {
        aggregates: one(total, { eventCount: 104, quantity: money('104') }),
        charges: [{ ...euCharge, eventCount: 101, quantity: money('101') }, usCharge],
      },
      [['events→aggregates', 'duplicate', { count: 1, quantity: '1' }]],
    ],
    [
      'another quantity of the same events',
      { events: one(total, { quantity: money('103.5') }) },
      [['events→aggregates', 'disagreement', { count: 0, quantity: '-0.5' }]],
    ],
    [
      'other contents of the same quantity',
      { events: one(total, { digest: digest('1') }) },
      [['events→aggregates', 'disagreement', { count: 0, quantity: '0' }]],
    ],
    [
      'aggregates of a meter without events',
      { aggregates: [...usage, { ...total, meter: 'bytes' }] },
      [
        ['events→aggregates', 'duplicate', { count: 103, quantity: '103' }],
        ['aggregates→charges', 'missing', { count: -103, quantity: '-103' }],
      ],
    ],
    [
      'a charge that was lost, though its line is billed',
      { charges: [euCharge] },
      [
        ['aggregates→charges', 'missing', { count: -3, quantity: '-3' }],
        ['charges→lines', 'duplicate', { amount: '0.04' }],
      ],
    ],
    [
      'a line that was never billed',
      { documents: [{ ...invoice, lines: [us] }] },
      [['charges→lines', 'missing', { amount: '-1.5' }]],
    ],
    ['a line rounded the other way', { roundingOf: () => 'up' }, [['charges→lines', 'rounding', { amount: '-0.01' }]]],
    [
      'a line that is off by a cent of a big amount',
      {
        charges: [{ ...euCharge, amount: money('150.00') }, usCharge],
        documents: [changed('150.01')],
      },
      [['charges→lines', 'disagreement', { amount: '0.01' }]],
    ],
    [
      'a line that is off by 1.00',
      { charges: [{ ...euCharge, amount: money('2.50') }, usCharge] },
      [['charges→lines', 'large_gap', { amount: '-1' }]],
    ],
    [
      'a line that is off by 1 %',
      { charges: [{ ...euCharge, amount: money('0.515') }, usCharge], documents: [changed('0.54')] },
      [['charges→lines', 'large_gap', { amount: '0.02' }]],
    ],
    [
      'a document that was not posted',
      { posted: posted(invoice) },
      [
        ['lines→journal', 'missing', { amount: '-1.54' }],
        ['lines→journal', 'missing', { amount: '-1.5' }],
        ['lines→journal', 'missing', { amount: '-0.04' }],
      ],
    ],
    [
      'a line that was posted twice',
      {
        posted: posted(
          invoice,
          withPostings((posting) => (posting.lineItemId === us.lineItemId ? [posting, posting] : [posting])),
        ),
      },
      [['lines→journal', 'duplicate', { amount: '0.04' }]],
    ],
    [
      'a line of another document',
      {
        posted: posted(
          invoice,
          withPostings((posting) =>
            posting.lineItemId === us.lineItemId ? [posting, { ...posting, lineItemId: 'strange' }] : [posting],
          ),
        ),
      },
      [['lines→journal', 'duplicate', { amount: '-0.04' }]],
    ],
    [
      'revenue of another amount',
      {
        posted: posted(
          invoice,
          withPostings((posting) => [
            posting.lineItemId === eu.lineItemId ? { ...posting, amount: money('-9') } : posting,
          ]),
        ),
      },
      [['lines→journal', 'large_gap', { amount: '7.5' }]],
    ],
    [
      'a receivable in another currency',
      {
        posted: posted(
          invoice,
          withPostings((posting) => [
            posting.account === 'accounts_receivable' ? { ...posting, currency: 'EUR' } : posting,
          ]),
        ),
      },
      [
        ['lines→journal', 'missing', { amount: '-1.54' }],
        ['lines→journal', 'duplicate', { amount: '1.54' }],
      ],
    ],
  ];
  test.each(tamperings)('%s', (_, stages, found) => {
    const { differences } = reconcileInvoiced({ ...honest, ...stages });
    expect(differences.map(({ stage, class: its, difference }) => [stage, its, difference])).toEqual(found);
    for (const { detail } of differences) expect(detail).toMatch(/\.$/);
  });

  test('one minor unit of a currency without fractions is a large gap, never rounding', () => {
    const stages = { ...honest, currency: 'JPY', charges: [{ ...euCharge, amount: money('1000') }, usCharge] };
    const documents = [{ ...invoice, lines: [{ ...eu, amount: money('1001') }] }];
    const classes = reconcileInvoiced({ ...stages, documents }).differences.map(({ class: its }) => its);
    expect(classes.filter((its) => its === 'large_gap')).toHaveLength(1);
    expect(classes).not.toContain('rounding');
  });
});

test.each([
  ['100', '100.99', 'disagreement'],
  ['100', '101', 'large_gap'],
  ['0.10', '0.099', 'large_gap'],
  ['0.10', '0.0991', 'disagreement'],
  ['-100', '-100.5', 'disagreement'],
  ['0', '0.01', 'large_gap'],
])('a gap between %s and %s is a %s', (expected, found, its) => {
  expect(classOfGap(money(expected), money(found))).toBe(its);
});

describe('a period that is not invoiced', () => {
  const window = '2024-01-10T00:00:00.000000Z' as Instant;
  const open = {
    state: 'open',
    cutoff,
    currency: null,
    stored: honest.stored,
    events: usage,
    overPeriod: { meters: new Set<string>(), usage: [] },
    finalWindows: [],
    posted: [],
  } as const;

  test('shows its live usage, and compares nothing that is still coming', () => {
    const report = reconcileOpen(open);
    expect(report.differences).toEqual([]);
    expect(report.stages).toMatchObject([
      {
        meter: 'calls',
        events: { stored: 110, count: 103 },
        aggregates: null,
        charges: null,
        lines: null,
        journal: null,
      },
    ]);
  });

  test('a final window that misses events below its own cutoff is a difference', () => {
    const stored = { ...total, eventCount: 102, quantity: money('102') };
    const finalWindows = [{ windowStart: window, stored, events: total }];
    expect(reconcileOpen({ ...open, finalWindows }).differences).toMatchObject([
      { stage: 'events→aggregates', meter: 'calls', window_start: window, class: 'missing', difference: { count: -1 } },
    ]);
    expect(
      reconcileOpen({ ...open, finalWindows: [{ windowStart: window, stored: total, events: total }] }).differences,
    ).toEqual([]);
  });

  test('one that could not be compared says why', () => {
    expect(failedReport('no charge')).toMatchObject({ state: 'failed', error: 'no charge', differences: [] });
  });
});
