/** Credits: order, eligibility, what rolls over, journal entries, documents. */
import { compareGrants, isEligible } from '../../src/domain/credits/eligible.js';
import { expire } from '../../src/domain/credits/expire.js';
import type { CreditTerms, DrawableGrant } from '../../src/domain/credits/grant.js';
import { settleCredits } from '../../src/domain/credits/settle.js';
import { documentOf } from '../../src/domain/invoicing/document.js';
import type { DocumentFacts } from '../../src/domain/invoicing/document.js';
import { invoiceHashInput } from '../../src/domain/invoicing/hash-input.js';
import { creditVoidEntry, expiryEntry, grantEntry } from '../../src/domain/ledger/credit-entries.js';
import { invoiceEntry } from '../../src/domain/ledger/invoice-entry.js';
import type { JournalEntry } from '../../src/domain/ledger/journal.js';
import type { DecimalString, Instant, LocalDate, Position } from '../../src/domain/values.js';

const money = (text: string): DecimalString => text as DecimalString;
const day = (date: string): Instant => `${date}T00:00:00.000000Z` as Instant;
const january = { from: day('2024-01-01'), to: day('2024-02-01') };
const postingDate = '2024-02-01' as LocalDate;

const grant = (grantId: string, more: Partial<DrawableGrant> = {}): DrawableGrant => ({
  ...{ grantId, currency: 'USD', type: 'prepaid', priority: 50, isVoid: false },
  ...{ effectiveFrom: day('2023-01-01'), expiresAt: null, balance: money('10') },
  ...more,
});
const terms = (more: Partial<CreditTerms> = {}): CreditTerms => ({
  ...{ grantId: 'g1', customerId: 'cust_1', currency: 'USD', type: 'prepaid', amount: money('100'), priority: 7 },
  ...{ effectiveFrom: day('2023-02-01'), expiresAt: day('2024-02-01'), rollOver: null },
  ...{ name: 'Spring', reason: 'sold', rolledOverFrom: null, grantedBy: 'ada' },
  ...more,
});
const document = { subtotal: money('1000'), currency: 'USD', periodEnd: january.to };

test('grants are drawn by priority, expiry, type, beginning, id', () => {
  const inOrder = [
    grant('z', { priority: 1 }),
    grant('y', { expiresAt: day('2024-03-01'), type: 'promotional' }),
    grant('x', { expiresAt: day('2024-03-01') }),
    grant('w', { expiresAt: day('2024-04-01'), type: 'promotional' }),
    grant('v', { type: 'promotional' }),
    grant('u', { effectiveFrom: day('2022-01-01') }),
    grant('a'),
    grant('b'),
  ];
  const ids = inOrder.map(({ grantId }) => grantId);
  expect(
    [...inOrder]
      .reverse()
      .sort(compareGrants)
      .map(({ grantId }) => grantId),
  ).toEqual(ids);
  const drawn = settleCredits({ grants: [...inOrder].reverse(), earlier: [] }, document);
  expect(drawn.map(({ grantId }) => grantId)).toEqual(ids);
});

test.each<[string, Partial<DrawableGrant>, boolean]>([
  ['for ever', {}, true],
  ['of another currency', { currency: 'EUR' }, false],
  ['void', { isVoid: true }, false],
  ['that expires as the period ends', { expiresAt: january.to }, true],
  ['that expires a moment before', { expiresAt: '2024-01-31T23:59:59.999999Z' as Instant }, false],
  ['that begins as the period ends', { effectiveFrom: january.to }, false],
  ['that begins a moment before', { effectiveFrom: '2024-01-31T23:59:59.999999Z' as Instant }, true],
])('a grant %s', (_, more, expected) => {
  expect(isEligible(grant('g', more), document)).toBe(expected);
});

describe('an expiry', () => {
  const rollOver = { cap: money('30'), validity: 'P10D' };
  const of = (remainder: string, before: string, more: Partial<CreditTerms> = { rollOver }) =>
    expire(terms(more), { remainder: money(remainder), rolledOverBefore: money(before) });

  test.each([
    ['less than the cap', '20', '0', '20'],
    ['as much as the cap', '30', '0', '30'],
    ['more than the cap', '50.01', '0', '30'],
    ['more than what is left of the cap', '20', '15.5', '14.5'],
    ['the cap is used up', '20', '30', null],
  ])('%s', (_, remainder, before, rolled) => {
    const { amount, rolledOver } = of(remainder, before);
    expect([amount, rolledOver?.amount ?? null]).toEqual([remainder, rolled]);
  });

  test('what rolls over begins where the grant ends, is drawn like it, and does not roll over again', () => {
    expect(of('50', '0').rolledOver).toEqual({
      ...{ customerId: 'cust_1', currency: 'USD', type: 'prepaid', priority: 7, name: 'Spring', reason: 'sold' },
      ...{ amount: '30', effectiveFrom: day('2024-02-01'), expiresAt: day('2024-02-11') },
      ...{ rollOver: null, rolledOverFrom: 'g1' },
    });
    expect(of('50', '0', {}).rolledOver).toBeNull();
  });

  test('of a grant that never expires, or that has nothing left, is a defect', () => {
    expect(() => of('1', '0', { expiresAt: null })).toThrow('invariant');
    expect(() => of('0', '0')).toThrow('invariant');
  });
});

describe('the journal', () => {
  const inShort = (entry: JournalEntry | null): unknown =>
    entry?.postings.map(({ account, amount }) => [account, amount]);
  const expiry = { sequence: 2, amount: money('40'), rolledOver: money('15') };

  test('of what was paid for', () => {
    expect(inShort(grantEntry(terms(), postingDate))).toEqual([
      ['cash', '100'],
      ['customer_credit', '-100'],
    ]);
    expect(inShort(expiryEntry(terms(), expiry, postingDate))).toEqual([
      ['customer_credit', '40'],
      ['customer_credit', '-15'],
      ['credit_breakage', '-25'],
    ]);
    expect(inShort(creditVoidEntry(terms(), { sequence: 1, amount: money('40') }, postingDate))).toEqual([
      ['customer_credit', '40'],
      ['cash', '-40'],
    ]);
  });

  test('of what was given away', () => {
    const given = terms({ type: 'promotional' });
    expect(inShort(grantEntry(given, postingDate))).toEqual([
      ['promotional_credit', '100'],
      ['customer_credit', '-100'],
    ]);
    expect(inShort(expiryEntry(given, { ...expiry, rolledOver: money('0') }, postingDate))).toEqual([
      ['customer_credit', '40'],
      ['promotional_credit', '-40'],
    ]);
    expect(inShort(creditVoidEntry(given, { sequence: 1, amount: money('40') }, postingDate))).toEqual([
      ['customer_credit', '40'],
      ['promotional_credit', '-40'],
    ]);
    expect(creditVoidEntry(given, { sequence: 1, amount: money('0') }, postingDate)).toBeNull();
  });

  test('says what it is of, and for when', () => {
    expect(expiryEntry(terms(), expiry, postingDate)).toMatchObject({
      ...{ sourceDocument: 'credit-expiry/g1/2', customerId: 'cust_1', invoiceId: null, postingDate },
      ...{ serviceFrom: day('2023-02-01'), serviceTo: day('2024-02-01') },
    });
  });
});

describe('a document', () => {
  const facts = (more: Partial<DocumentFacts> = {}): DocumentFacts => ({
    ...{ invoiceId: 'i1', chainPlace: 1, customerId: 'cust_1', currency: 'USD' },
    period: { ...january, period: '2024-01-01' as LocalDate, timeZone: 'UTC' },
    ...{ seller: { name: 'S' }, buyer: { name: 'B' }, paymentTermsDays: 14, issuedAt: january.to },
    cutoffPosition: '1' as Position,
    pinnedVersions: { customer_version_id: 'v', meter_ids: [], price_segments: [] },
    lineItemId: (key) => key,
    ...more,
  });
  const lines = { replacesInvoiceId: null, lines: [] };
  const original = { ...lines, correctsInvoiceId: null };
  const correction = { ...lines, correctsInvoiceId: 'i1' };
  const earlier = [{ subtotal: money('30'), creditDraws: [{ grantId: 'g', amount: money('20') }] }];

  test('total = subtotal − credits, and the journal takes both', () => {
    const made = documentOf(facts({ credits: { grants: [grant('g')], earlier: [] } }), {
      ...original,
      subtotal: money('12.5'),
    });
    expect(made).toMatchObject({
      ...{ type: 'invoice', subtotal: '12.5', credits: '10', tax: '0', total: '2.5' },
      creditDraws: [{ grantId: 'g', amount: '10' }],
    });
    const line = { lineItemId: 'l', amount: money('12.5'), currency: 'USD' } as Parameters<
      typeof invoiceEntry
    >[0]['lines'][number];
    const entry = invoiceEntry({ ...made, number: 'INV-1', lines: [line] }, postingDate);
    expect(entry?.postings.map(({ account, amount }) => [account, amount])).toEqual([
      ['accounts_receivable', '2.5'],
      ['customer_credit', '10'],
      ['revenue', '-12.5'],
    ]);
  });

  test.each([
    ['-5', '0', '-5', 'credit_note'],
    ['-15', '-5', '-10', 'credit_note'],
    ['-30', '-20', '-10', 'credit_note'],
    ['-40', '-20', '-20', 'credit_note'],
    ['0', '0', '0', 'correction'],
    ['4', '4', '0', 'correction'],
    ['14', '10', '4', 'correction'],
  ])(
    'a correction of %s after 30 with 20 of credits: %s of credits, a total of %s',
    (subtotal, credits, total, type) => {
      const made = documentOf(facts({ credits: { grants: [grant('g')], earlier } }), {
        ...correction,
        subtotal: money(subtotal),
      });
      expect(made).toMatchObject({ type, credits, total });
    },
  );

  test('that only gives back credits is a correction of 0, no credit note', () => {
    const covered = [{ subtotal: money('20'), creditDraws: [{ grantId: 'g', amount: money('20') }] }];
    const made = documentOf(facts({ credits: { grants: [], earlier: covered } }), {
      ...correction,
      subtotal: money('-8'),
    });
    expect(made).toMatchObject({ type: 'correction', credits: '-8', total: '0' });
  });

  test('without draws is hashed as before there were credits', () => {
    const without = documentOf(facts(), { ...original, subtotal: money('5') });
    expect(invoiceHashInput(without)).not.toHaveProperty('credit_draws');
    const drawn = documentOf(facts({ credits: { grants: [grant('g')], earlier: [] } }), {
      ...original,
      subtotal: money('5'),
    });
    expect(invoiceHashInput(drawn)).toMatchObject({ credits: '5', credit_draws: [{ grant_id: 'g', amount: '5' }] });
  });
});
