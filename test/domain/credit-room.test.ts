/** RULES 61: a credit note gives back money at the rates of its lines; all notes together are what the documents ask for, exactly. */
import fc from 'fast-check';
import { addDecimals, D, decimal } from '../../src/domain/decimal.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { CreditedDocument } from '../../src/domain/settlement/credit-room.js';
import type { TaxCategory } from '../../src/domain/tax/tax.js';
import type { DecimalString } from '../../src/domain/values.js';
import { eDocument } from '../documents/e-invoice-shapes.js';
import type { Shape } from '../documents/e-invoice-shapes.js';
import { CreditedChain } from './support/credited.js';
import { codeOf, failureOf } from './support/failures.js';

const drawing = (amount: string): NonNullable<Shape['draws']> => [{ grantId: 'g', amount }];
const chainOf = (shape: Shape): CreditedChain => new CreditedChain([eDocument(shape)]);
const figures = ({ subtotal, tax, total }: ReturnType<CreditedChain['credit']>) => [subtotal, tax, total];

describe('beside prepaid credits', () => {
  test('a note bears the rate of its line, and all notes give back what was asked in money', () => {
    // 100.00 − 50.00 + 19.00 = 69.00 are to be paid.
    const chain = chainOf({ lines: [{ key: 'calls', amount: '100.00' }], draws: drawing('50.00') });
    expect(chain.offered()).toEqual({ calls: '57.98' });
    expect(figures(chain.credit(['calls', '25.00']))).toEqual(['25', '4.75', '29.75']);
    expect(chain.offered()).toEqual({ calls: '32.98' });
    const refused = failureOf(() => chain.credit(['calls', '32.99']));
    expect([refused.code, refused.detail]).toEqual([
      'NOT_CREDITABLE',
      expect.stringMatching(/at most 32\.98 EUR can be credited\. With its tax that is all .* not given back as money/),
    ]);
    expect(figures(chain.credit(['calls', null]))).toEqual(['32.98', '6.27', '39.25']);
    expect([chain.given, chain.offered()]).toEqual(['69', {}]);
  });

  test('where credits have paid all but the tax, what the customer paid can be given back', () => {
    const chain = chainOf({ lines: [{ key: 'calls', amount: '100.00' }], draws: drawing('100.00') });
    expect([chain.asked, chain.offered()]).toEqual(['19', { calls: '15.97' }]);
    expect(figures(chain.credit(['calls', null]))).toEqual(['15.97', '3.03', '19']);
    expect(codeOf(() => chain.credit(['calls', '0.01']))).toBe('NOT_CREDITABLE');
  });

  test('lines of several rates bear each their own', () => {
    const lines = [
      { key: 'calls', amount: '60.00' },
      { key: 'books', amount: '40.00', category: 'reduced' as const },
      { key: 'course', amount: '10.00', category: 'exempt' as const },
    ];
    // 110.00 − 50.00 + 11.40 + 2.80 = 74.20.
    const chain = chainOf({ lines, draws: drawing('50.00') });
    expect(figures(chain.credit(['books', '20.00']))).toEqual(['20', '1.4', '21.4']);
    expect(figures(chain.credit(['course', null]))).toEqual(['10', '0', '10']);
    expect(chain.offered()).toEqual({ calls: '35.97', books: '20' });
    expect(figures(chain.credit(['calls', null]))).toEqual(['35.97', '6.83', '42.8']);
    expect([chain.given, chain.asked]).toEqual(['74.2', '74.2']);
  });

  test('a cent that is no line’s net with its tax is the last note’s, within a cent of its rate', () => {
    // 0.03 with 19 % are 0.04, 0.02 are 0.02: 0.03 is between.
    const chain = chainOf({ lines: [{ key: 'calls', amount: '10.00' }], draws: drawing('11.87') });
    expect(chain.asked).toBe('1.9');
    const small = new CreditedChain([{ ...documentOf(chain), total: '0.03' as DecimalString }]);
    expect(figures(small.credit(['calls', null]))).toEqual(['0.03', '0', '0.03']);
    const smallest = new CreditedChain([{ ...documentOf(chain), total: '0.01' as DecimalString }]);
    expect(figures(smallest.credit(['calls', null]))).toEqual(['0.01', '0', '0.01']);
  });
});

function documentOf({ documents }: CreditedChain): CreditedDocument {
  const [document] = documents;
  if (document === undefined) throw new Error('a chain has a document');
  return document;
}

describe('beside lines below zero', () => {
  test('a tax that is given back lowers what can be credited: no note comes to more than the invoice', () => {
    const lines = [
      { key: 'fee', amount: '100.00', category: 'exempt' as const },
      { key: 'usage', amount: '-20.00' },
    ];
    const chain = chainOf({ lines });
    expect([chain.asked, chain.offered()]).toEqual(['76.2', { fee: '76.2' }]);
    expect(codeOf(() => chain.credit(['fee', '80.00']))).toBe('NOT_CREDITABLE');
    expect(figures(chain.credit(['fee', null]))).toEqual(['76.2', '0', '76.2']);
  });

  test('what bears one tax is credited at most by what it comes to together', () => {
    const lines = [
      { key: 'calls', amount: '100.00' },
      { key: 'back', amount: '-20.00' },
      { key: 'fee', amount: '50.00', category: 'exempt' as const },
    ];
    const chain = chainOf({ lines });
    expect(chain.offered()).toEqual({ calls: '80', fee: '50' });
    expect(failureOf(() => chain.credit(['calls', '80.01'])).detail).toContain('Other lines that bear the same tax');
    expect(figures(chain.credit(['calls', null], ['fee', null]))).toEqual(['130', '15.2', '145.2']);
    expect(chain.given).toBe(chain.asked);
  });
});

test('corrections raise and lower what is left, at the rates of their chain', () => {
  const original = eDocument({ lines: [{ key: 'calls', amount: '100.00' }], draws: drawing('50.00') });
  const raised = eDocument({ lines: [{ key: 'calls', amount: '10.00' }], corrects: [original] });
  const chain = new CreditedChain([original, raised]);
  expect([chain.asked, chain.offered()]).toEqual(['80.9', { calls: '67.98' }]);
  chain.credit(['calls', '67.00']);
  chain.credit(['calls', null]);
  expect(chain.given).toBe('80.9');
});

const cents = (amount: number): DecimalString => new D(amount).dividedBy(100).toFixed() as DecimalString;
const categories: readonly TaxCategory[] = ['standard', 'reduced', 'zero'];
const lineShape = (min: number) =>
  fc.record({ amount: fc.integer({ min, max: 9_999 }), category: fc.constantFrom(...categories) });
/** Parts are thousandths of what is offered of the line. */
const noteShape = fc.array(
  fc.record({ line: fc.nat(3), part: fc.option(fc.integer({ min: 1, max: 1_000 }), { freq: 3 }) }),
  { minLength: 1, maxLength: 3 },
);
const shapes = (min: number) =>
  fc.record({
    lines: fc.array(lineShape(min), { minLength: 1, maxLength: 4 }),
    // Of the subtotal, in per cent.
    drawn: fc.oneof(fc.constant(0), fc.constant(100), fc.nat(100)),
    correction: fc.option(fc.record({ line: fc.nat(3), amount: fc.integer({ min: -500, max: 900 }) })),
    notes: fc.array(noteShape, { maxLength: 8 }),
    tax: fc.constantFrom('per document' as const, 'per line' as const),
  });
type Drawn = typeof shapes extends (min: number) => fc.Arbitrary<infer T> ? T : never;

/** @param isLowered whether the correction may take more from a line than it has */
function chainOfShape({ lines, drawn, correction, tax }: Drawn, isLowered: boolean): CreditedChain {
  const shaped = lines.map(({ amount, category }, index) => ({ key: `k${index}`, amount: cents(amount), category }));
  const subtotal = lines.reduce((sum, { amount }) => sum + amount, 0);
  const credits = Math.max(0, Math.floor((subtotal * drawn) / 100));
  const draws = credits === 0 ? {} : { draws: drawing(cents(credits)) };
  const original = eDocument({ lines: shaped, tax, ...draws });
  const documents: Invoice[] = [original];
  const corrected = correction === null ? undefined : shaped[correction.line];
  const before = lines[correction?.line ?? 0]?.amount ?? 0;
  const change = Math.max(correction?.amount ?? 0, isLowered ? -9_999 : -before);
  if (corrected !== undefined && change !== 0) {
    const correcting = eDocument({ lines: [{ ...corrected, amount: cents(change) }], tax, corrects: [original] });
    const items = correcting.lines.map((line) => ({ ...line, lineItemId: `corrects ${line.lineKey}` }));
    documents.push({ ...correcting, lines: items });
  }
  return new CreditedChain(documents);
}

/** Notes on what is offered, then all that is left of each line, until nothing is offered any more. */
function exhaust(chain: CreditedChain, notes: Drawn['notes']): void {
  for (const asked of notes) {
    const offered = chain.offered();
    const byLine = new Map(asked.map(({ line, part }) => [`k${line}`, part]));
    const lines = [...byLine].flatMap(([key, part]): readonly (readonly [string, string | null])[] => {
      const most = offered[key];
      if (most === undefined) return [];
      if (part === null) return [[key, null]];
      return [[key, decimal(most).times(part).dividedBy(1_000).toDecimalPlaces(2, D.ROUND_UP).toFixed()]];
    });
    const [first, ...others] = lines;
    if (first === undefined) continue;
    // Of several lines each is offered by itself; together they may be more than the money that is left.
    const isRefused = others.length > 0 && codeOrNull(() => chain.credit(...lines)) === 'NOT_CREDITABLE';
    if (others.length === 0 || isRefused) chain.credit(first);
  }
  for (let rounds = 0; Object.keys(chain.offered()).length > 0; rounds += 1) {
    expect(rounds).toBeLessThan(20);
    for (const key of Object.keys(chain.offered())) if (chain.offered()[key] !== undefined) chain.credit([key, null]);
  }
}

function codeOrNull(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error);
  }
}

const rateOf = (chain: CreditedChain, lineKey: string): string => {
  const { lines, taxes } = documentOf(chain);
  const numbers = lines.find((line) => line.lineKey === lineKey)?.item?.taxLines ?? [];
  return taxes?.lines.find(({ taxLineNumber }) => numbers.includes(taxLineNumber))?.rate ?? '0';
};

/** A note bears each rate on what it credits with it, within a cent; of documents that round line by line, a cent a line of theirs. */
function expectRates(chain: CreditedChain, isPerLine: boolean): void {
  const cents = new D('0.01').times(isPerLine ? documentOf(chain).lines.length : 1);
  for (const note of chain.notes) {
    const byRate = new Map<string, D>();
    for (const { lineKey, amount, tax } of note.lines) {
      const rate = rateOf(chain, lineKey);
      const off = decimal(tax).minus(decimal(amount).times(rate).dividedBy(100));
      byRate.set(rate, (byRate.get(rate) ?? new D(0)).plus(off));
    }
    for (const off of byRate.values()) expect([note, off.abs().lessThanOrEqualTo(cents)]).toEqual([note, true]);
  }
}

describe('any notes, whatever was drawn, of lines of any rates', () => {
  test('come to what the documents ask for, to the last cent, and to no more tax than theirs', () => {
    fc.assert(
      fc.property(shapes(1), (shape) => {
        const chain = chainOfShape(shape, false);
        exhaust(chain, shape.notes);
        expect(chain.given).toBe(chain.asked);
        const tax = addDecimals(chain.documents.map((document) => document.tax));
        expect(decimal(chain.credited.tax).lessThanOrEqualTo(decimal(tax))).toBe(true);
        if (shape.drawn === 0 && shape.correction === null) expect(chain.credited.tax).toBe(tax);
        expectRates(chain, shape.tax === 'per line');
      }),
      { numRuns: 400 },
    );
  });

  test('come to it beside lines below zero too', () => {
    fc.assert(
      fc.property(shapes(-4_000), (shape) => {
        const chain = chainOfShape(shape, true);
        exhaust(chain, shape.notes);
        expect(chain.given).toBe(decimal(chain.asked).isNegative() ? '0' : chain.asked);
        expectRates(chain, shape.tax === 'per line');
      }),
      { numRuns: 400 },
    );
  });
});
