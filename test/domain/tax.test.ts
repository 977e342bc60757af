import fc from 'fast-check';
import { addDecimals, decimal, toDecimalString } from '../../src/domain/decimal.js';
import { invoiceEntry } from '../../src/domain/ledger/invoice-entry.js';
import { verifyTax } from '../../src/domain/reconciliation/verify-tax.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { applyTax, rulesOfChain } from '../../src/domain/tax/apply-tax.js';
import { parseTaxTable } from '../../src/domain/tax/parse-tax-table.js';
import { tableTaxProvider } from '../../src/domain/tax/table-provider.js';
import { noTaxProvider } from '../../src/domain/tax/tax.js';
import type { TaxCategory, TaxQuestion } from '../../src/domain/tax/tax.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import { eDocument, ruleOf } from '../documents/e-invoice-shapes.js';

const amountOf = (cents: number): DecimalString =>
  toDecimalString(decimal(String(cents) as DecimalString).dividedBy(100));

describe('the tax of a chain', () => {
  const amounts = fc.array(
    fc.record({ key: fc.constantFrom('a', 'b', 'c'), cents: fc.integer({ min: -99_999, max: 99_999 }) }),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  const chain = fc.array(amounts, { minLength: 1, maxLength: 5 });

  // RULES 56: whatever the way of rounding, an original and its corrections bear what one document of their sums would have borne.
  test.each(['per document', 'per line'] as const)('never drifts, rounded %s', (tax) => {
    fc.assert(
      fc.property(chain, fc.constantFrom<TaxCategory>('standard', 'reduced', 'zero'), (drawn, category) => {
        const documents: Invoice[] = [];
        const together = new Map<string, number>();
        for (const lines of drawn) {
          const own = new Map(lines.map(({ key, cents }) => [key, cents]));
          for (const [key, cents] of own) together.set(key, (together.get(key) ?? 0) + cents);
          const shape = { lines: [...own].map(([key, cents]) => ({ key, amount: amountOf(cents), category })), tax };
          const made = eDocument({ ...shape, corrects: documents });
          expect(verifyTax({ invoice: made, earlier: documents })).toEqual({ expected: made.tax, problems: [] });
          expect(made.total).toBe(addDecimals([made.subtotal, made.tax]));
          documents.push(made);
        }
        const whole = eDocument({
          lines: [...together].map(([key, cents]) => ({ key, amount: amountOf(cents), category })),
          tax,
        });
        expect(addDecimals(documents.map((document) => document.tax))).toBe(whole.tax);
      }),
    );
  });

  test('of an original is rate × lines, rounded once a rate or once a line', () => {
    const lines = Array.from({ length: 5 }, (_, index) => ({ key: `k${index}`, amount: '0.08' }));
    expect([eDocument({ lines }).tax, eDocument({ lines, tax: 'per line' }).tax]).toEqual(['0.08', '0.1']);
    const two = eDocument({
      lines: [
        { key: 'a', amount: '100.00' },
        { key: 'b', amount: '10.00', category: 'reduced' },
      ],
    });
    expect(
      two.taxes?.lines.map(({ category, rate, taxableAmount, amount }) => [category, rate, taxableAmount, amount]),
    ).toEqual([
      ['reduced', '7', '10', '0.7'],
      ['standard', '19', '100', '19'],
    ]);
    expect(two.lines.map(({ item }) => item?.taxLines)).toEqual([[2], [1]]);
  });

  test('a line may bear several taxes', () => {
    const rules = [ruleOf('standard', '4'), { ...ruleOf('standard', '1.5'), jurisdiction: 'US-TX-Austin' }];
    const terms = { provider: 'x', date: '2024-01-31' as LocalDate, per: 'document', rounding: 'half_up' } as const;
    const applied = applyTax(
      { terms, rules: new Map([['a', rules]]), earlier: [] },
      [{ lineKey: 'a', amount: amountOf(1_000) }],
      'USD',
    );
    expect([applied.total, applied.numbers.get('a')]).toEqual(['0.55', [1, 2]]);
  });

  test('a correction takes the rates of its original; a new line those that all others have', () => {
    const original = eDocument({
      lines: [
        { key: 'a', amount: '100.00' },
        { key: 'b', amount: '10.00', category: 'reduced' },
      ],
    });
    expect(rulesOfChain([original], 'b')?.map(({ rate }) => rate)).toEqual(['7']);
    expect(rulesOfChain([original], 'new')).toBeNull();
    expect(
      rulesOfChain([eDocument({ lines: [{ key: 'a', amount: '1.00' }] })], 'new')?.map(({ rate }) => rate),
    ).toEqual(['19']);
    expect(rulesOfChain([], 'new')).toBeNull();
  });

  test('is found wrong where a figure, a rate or a line’s tax was changed', () => {
    const original = eDocument({ lines: [{ key: 'a', amount: '100.00' }] });
    const { taxes } = original;
    if (taxes === undefined) throw new Error('it is taxed');
    const withLine = (changes: object): Invoice => ({
      ...original,
      taxes: { ...taxes, lines: taxes.lines.map((line) => ({ ...line, ...changes })) },
    });
    expect(verifyTax({ invoice: withLine({ amount: '18' }), earlier: [] }).problems).toHaveLength(1);
    expect(verifyTax({ invoice: withLine({ rate: '20' }), earlier: [] })).toMatchObject({ expected: '20' });
    const moved = eDocument({ lines: [{ key: 'a', amount: '5.00', category: 'reduced' }], corrects: [original] });
    expect(verifyTax({ invoice: moved, earlier: [original] }).problems).toEqual([
      expect.stringContaining('another rate'),
    ]);
    expect(verifyTax({ invoice: eDocument({ lines: [], tax: null }), earlier: [] })).toEqual({
      expected: '0',
      problems: [],
    });
  });

  test('is posted to what is owed to the tax office, and the entry balances', () => {
    const invoice = eDocument({ lines: [{ key: 'a', amount: '100.00' }], draws: [{ grantId: 'g', amount: '40.00' }] });
    const entry = invoiceEntry(invoice, '2024-02-01' as LocalDate);
    expect(entry?.postings.map(({ account, amount }) => [account, amount])).toEqual([
      ['accounts_receivable', '79'],
      ['customer_credit', '40'],
      ['revenue', '-100'],
      ['tax_payable', '-19'],
    ]);
  });
});

describe('the table provider', () => {
  const table = parseTaxTable({
    categories: { ebooks: 'reduced', insurance: 'exempt' },
    rates: [
      { country: 'DE', category: 'standard', rate: '19', from: '2021-01-01' },
      { country: 'DE', category: 'standard', rate: '16', from: '2020-07-01', until: '2020-12-31' },
      { country: 'DE', category: 'standard', rate: '19', from: '2007-01-01' },
      { country: 'DE', category: 'reduced', rate: '7', from: '1983-07-01' },
    ],
  });
  const question = (changes: Partial<TaxQuestion> = {}): TaxQuestion => ({
    documentId: 'd',
    customerId: 'c',
    currency: 'EUR',
    date: '2024-01-31' as LocalDate,
    seller: { country: 'DE', taxId: 'DE1' },
    buyer: { country: 'DE', taxId: null },
    treatment: { treatment: 'standard', exemptionReason: null },
    lines: ['calls', 'ebooks', 'insurance'].map((chargeCode) => ({
      lineKey: chargeCode,
      chargeCode,
      amount: amountOf(100),
    })),
    ...changes,
  });
  const ask = async (changes: Partial<TaxQuestion> = {}) => {
    const quote = await tableTaxProvider(table).quote(question(changes));
    return [...(quote?.rules ?? [])].map(([key, [rule]]) => `${key} ${rule?.category} ${rule?.rate}`);
  };

  test('says the rate of the day, by country, charge code and treatment', async () => {
    expect(await ask()).toEqual(['calls standard 19', 'ebooks reduced 7', 'insurance exempt 0']);
    expect((await ask({ date: '2020-12-31' as LocalDate }))[0]).toBe('calls standard 16');
    expect((await ask({ date: '2020-06-30' as LocalDate }))[0]).toBe('calls standard 19');
    const buyer = { country: 'FR', taxId: 'FR1' };
    expect(await ask({ buyer, treatment: { treatment: 'reverse_charge', exemptionReason: null } })).toEqual(
      ['calls', 'ebooks', 'insurance'].map((code) => `${code} reverse_charge 0`),
    );
    const exempt = await tableTaxProvider(table).quote(
      question({ treatment: { treatment: 'exempt', exemptionReason: 'Article 132' } }),
    );
    expect(exempt?.rules.get('calls')).toEqual([
      expect.objectContaining({ category: 'exempt', reason: 'Article 132' }),
    ]);
  });

  test.each<[string, Partial<TaxQuestion>]>([
    ['TAX_DATA_MISSING', { buyer: { country: null, taxId: null } }],
    ['TAX_DATA_MISSING', { treatment: { treatment: 'reverse_charge', exemptionReason: null } }],
    ['TAX_RATE_MISSING', { buyer: { country: 'FR', taxId: null } }],
    ['TAX_RATE_MISSING', { date: '1980-01-01' as LocalDate }],
  ])('holds with %s', async (code, changes) => {
    await expect(ask(changes)).rejects.toMatchObject({ name: 'TaxUnavailable', code });
  });

  test.each<[object, string]>([
    [{}, '/rates'],
    [{ rates: [{ country: 'Germany', category: 'standard', rate: '19', from: '2021-01-01' }] }, '/rates/0/country'],
    [{ rates: [{ country: 'DE', category: 'zero', rate: '0', from: '2021-01-01' }] }, '/rates/0/category'],
    [{ rates: [{ country: 'DE', category: 'standard', rate: 19, from: '2021-01-01' }] }, '/rates/0/rate'],
    [{ rates: [{ country: 'DE', category: 'standard', rate: '-1', from: '2021-01-01' }] }, '/rates/0/rate'],
    [{ rates: [{ country: 'DE', category: 'standard', rate: '119', from: '2021-01-01' }] }, '/rates/0/rate'],
    [{ rates: [{ country: 'DE', category: 'standard', rate: '19', from: '2021-13-01' }] }, '/rates/0/from'],
    [
      { rates: [{ country: 'DE', category: 'standard', rate: '19', from: '2021-01-01', until: '2020-01-01' }] },
      '/rates/0/until',
    ],
    [{ rates: [], per: 'invoice' }, '/per'],
    [{ rates: [], rounding: 'bankers' }, '/rounding'],
    [{ rates: [], categories: { a: 'free' } }, '/categories/a'],
    [{ rates: [], extra: 1 }, '/extra'],
  ])('refuses %j with a pointer', (wire, pointer) => {
    expect(() => parseTaxTable(wire)).toThrow(expect.objectContaining({ pointer }) as Error);
  });

  test.each(['standard', 'reduced'])('refuses a %s rate of 0 and says what to use instead', (category) => {
    const table = { rates: [{ country: 'GB', category, rate: '0.00', from: '2021-01-01' }] };
    expect(() => parseTaxTable(table)).toThrow(
      expect.objectContaining({
        pointer: '/rates/0/rate',
        detail: expect.stringContaining('"zero" (zero rated)') as string,
      }) as Error,
    );
  });

  test('none taxes nothing', async () => {
    expect(await noTaxProvider.quote(question())).toBeNull();
  });
});
