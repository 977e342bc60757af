import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addDecimals, decimal as toDecimal } from '../../src/domain/decimal.js';
import { brokenRules } from '../../src/documents/e-invoice/check.js';
import { eInvoiceXml } from '../../src/documents/e-invoice/e-invoice.js';
import { pricedQuantity } from '../../src/documents/e-invoice/lines.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { DecimalString } from '../../src/domain/values.js';
import { eDocument, eLine, shapes } from './e-invoice-shapes.js';
import { decimal, sampleInvoice } from './invoices.js';

const xsd = join('test', 'documents', 'xsd');
const main = 'Factur-X_EN16931.xsd';
const fileOf = (fileName: string) => ({ fileName, contents: readFileSync(join(xsd, fileName), 'utf8') });
const imported = readdirSync(xsd).filter((name) => name.endsWith('.xsd') && name !== main);

async function problemsOf(xml: string): Promise<readonly string[]> {
  const { validateXML } = await import('xmllint-wasm');
  const result = await validateXML({
    xml: { fileName: 'invoice.xml', contents: xml },
    schema: fileOf(main),
    preload: imported.map(fileOf),
  });
  return result.errors.map(({ message }) => message);
}

const optionsOf = ({ corrected }: { readonly corrected?: Invoice }) =>
  corrected === undefined ? {} : { correctedInvoice: corrected };
const textsOf = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}(?: [^>]*)?>([^<]*)</${name}>`, 'g'))].map(([, text = '']) => text);
const [codes, roots] = [
  { invoice: '380', correction: '384', credit_note: '381' },
  { invoice: '<Invoice ', correction: '<Invoice ', credit_note: '<CreditNote ' },
];

describe.each(Object.entries(shapes))('%s', (_name, shape) => {
  const { invoice, type } = shape;

  test('is valid CII after the schema of Factur-X, profile EN 16931', async () => {
    expect(await problemsOf(await eInvoiceXml(invoice, { syntax: 'cii', ...optionsOf(shape) }))).toEqual([]);
  });

  test('is UBL with its type, its totals to the cent and what it corrects', async () => {
    const xml = await eInvoiceXml(invoice, { syntax: 'ubl', ...optionsOf(shape) });
    expect(invoice.type).toBe(type);
    expect(xml).toContain(roots[type]);
    expect(textsOf(xml, type === 'credit_note' ? 'cbc:CreditNoteTypeCode' : 'cbc:InvoiceTypeCode')).toEqual([
      codes[type],
    ]);
    const sign = type === 'credit_note' ? -1 : 1;
    const said = (amount: DecimalString): string => toDecimal(amount).times(sign).plus(0).toFixed(2);
    expect(textsOf(xml, 'cbc:PayableAmount')).toEqual([said(invoice.total)]);
    expect(textsOf(xml, 'cbc:TaxExclusiveAmount')).toEqual([said(invoice.subtotal)]);
    expect(textsOf(xml, 'cbc:TaxAmount')[0]).toBe(said(invoice.tax));
    // What stands in the file adds up by itself: lines, taxes and prepayment make the amount due.
    const numbers = (name: string) => textsOf(xml, name) as DecimalString[];
    const [total = '', ...ofLines] = [...numbers('cbc:LineExtensionAmount')].reverse();
    expect([total, ...ofLines]).toHaveLength(invoice.lines.length + 1);
    const [, ...taxes] = numbers('cbc:TaxAmount');
    const [prepaid = '0' as DecimalString] = numbers('cbc:PrepaidAmount');
    const payable = toDecimal(addDecimals([said(invoice.subtotal) as DecimalString, ...taxes])).minus(
      toDecimal(prepaid),
    );
    expect(payable.toFixed(2)).toBe(said(invoice.total));
    if (shape.corrected !== undefined) expect(xml).toContain(`<cbc:ID>${shape.corrected.number}</cbc:ID>`);
  });

  test('is the same text every time', async () => {
    const [first, second] = await Promise.all(
      [1, 2].map(() => eInvoiceXml(invoice, { syntax: 'ubl', ...optionsOf(shape) })),
    );
    expect(second).toBe(first);
  });
});

test('a property of a group that has no value is no property of the item', async () => {
  const group = { region: 'eu', tier: null, zone: '' };
  const xml = await eInvoiceXml(eDocument({ lines: [{ key: 'a', amount: '1.00', group }] }), { syntax: 'ubl' });
  const properties = [...xml.matchAll(/<cac:AdditionalItemProperty>(.*?)<\/cac:AdditionalItemProperty>/gs)];
  expect(properties.map(([, own = '']) => own.replace(/\s/g, ''))).toEqual([
    '<cbc:Name>region</cbc:Name><cbc:Value>eu</cbc:Value>',
  ]);
});

describe('what cannot be an e-invoice', () => {
  const refusal = (invoice: Invoice, syntax: 'ubl' | 'cii' = 'ubl') => eInvoiceXml(invoice, { syntax });

  test('says everything that is missing, and where it is set', async () => {
    const bare = sampleInvoice({ currency: 'EUR', seller: { name: 'Seller' }, buyer: { name: 'Buyer' } });
    const failure = refusal(bare);
    await expect(failure).rejects.toMatchObject({ code: 'E_INVOICE_NOT_POSSIBLE' });
    for (const fact of [
      'seller.country_code (BT-40; RECKONER_SELLER_COUNTRY)',
      'seller.email (BT-34; RECKONER_SELLER_EMAIL)',
      'seller.tax_id (BT-29; RECKONER_SELLER_TAX_ID)',
      'buyer.country_code (BT-55; "buyer": {"country_code": …} of the customer)',
      'buyer.email',
    ])
      await expect(refusal(bare)).rejects.toThrow(fact);
    await expect(refusal(bare, 'cii')).rejects.not.toThrow('buyer.email');
  });

  test('reverse charge without the buyer’s VAT id', async () => {
    const invoice = eDocument({ lines: [{ key: 'a', amount: '1.00', category: 'reverse_charge' }] });
    const { vat_id: _vatId, ...buyer } = invoice.buyer;
    await expect(refusal({ ...invoice, buyer })).rejects.toThrow('buyer.vat_id (BT-48');
  });

  test.each<[string, Partial<Invoice>]>([
    ['is void', { status: 'void' }],
    ['is not issued', { status: 'draft' }],
    ['has no lines (BR-16)', { lines: [], subtotal: decimal('0'), total: decimal('0') }],
    ['What it corrects is not known (BG-3)', { type: 'correction' }],
    ['BR-CO-10', { subtotal: decimal('1.00') }],
    ['BR-CO-16', { total: decimal('1.00') }],
    ['BR-CO-14', { tax: decimal('1.00') }],
  ])('a document that %s', async (problem, changes) => {
    await expect(refusal({ ...eDocument({ lines: [{ key: 'a', amount: '10.00' }] }), ...changes })).rejects.toThrow(
      problem,
    );
  });

  test('tax that was rounded line by line and does not make the sum’s', async () => {
    const lines = Array.from({ length: 5 }, (_, index) => ({ key: `k${index}`, amount: '0.08' }));
    const invoice = eDocument({ lines, tax: 'per line' });
    expect(invoice.tax).toBe('0.1');
    await expect(refusal(invoice)).rejects.toThrow('BR-CO-17');
    expect(eDocument({ lines }).tax).toBe('0.08');
  });

  test('an amount with more digits than two', () => {
    const totals = { linesTotal: decimal('1.234'), taxExclusive: decimal('1.234'), taxInclusive: decimal('1.234') };
    const zero = decimal('0');
    const rest = {
      taxTotal: zero,
      prepaid: zero,
      payable: decimal('1.234'),
      currency: 'EUR',
      isCorrection: false,
    };
    const breakdown = {
      code: 'Z',
      rate: zero,
      reasonCode: null,
      reason: null,
      taxableAmount: decimal('1.234'),
    } as const;
    const problems = brokenRules({
      ...{ ...totals, ...rest },
      lineAmounts: [decimal('1.234')],
      breakdowns: [{ ...breakdown, taxAmount: zero }],
    });
    expect(problems).toEqual([expect.stringContaining('BR-DEC')]);
  });

  test.each([
    ['S', '0', ['BR-S-05']],
    ['S', '0.1', []],
    ['Z', '0', []],
  ] as const)('a tax of category %s at %s %%', (code, rate, rules) => {
    const taxAmount = decimal(rate === '0' ? '0' : '0.01');
    const taxInclusive = addDecimals([decimal('10'), taxAmount]);
    const breakdown = { code, rate: decimal(rate), reasonCode: null, reason: null, taxableAmount: decimal('10') };
    const problems = brokenRules({
      ...{ lineAmounts: [decimal('10')], linesTotal: decimal('10'), taxExclusive: decimal('10'), taxTotal: taxAmount },
      ...{ taxInclusive, prepaid: decimal('0'), payable: taxInclusive, currency: 'EUR', isCorrection: false },
      breakdowns: [{ ...breakdown, taxAmount }],
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(rules);
  });

  test.each([
    ['JPY', '11', false, 'taken'],
    ['JPY', '10', false, 'taken'],
    ['JPY', '12', false, 'refused'],
    ['JPY', '11.4', true, 'taken'],
    ['JPY', '11.5', true, 'refused'],
    ['EUR', '10.5', false, 'taken'],
    ['EUR', '11', false, 'refused'],
  ])('10 %% of 105 in %s: %s (correction: %j) is %s', (currency, tax, isCorrection, expected) => {
    const taxInclusive = addDecimals([decimal('105'), decimal(tax)]);
    const breakdown = { code: 'S', rate: decimal('10'), reasonCode: null, reason: null } as const;
    const problems = brokenRules({
      lineAmounts: [decimal('105')],
      linesTotal: decimal('105'),
      taxExclusive: decimal('105'),
      taxTotal: decimal(tax),
      taxInclusive,
      prepaid: decimal('0'),
      payable: taxInclusive,
      breakdowns: [{ ...breakdown, taxableAmount: decimal('105'), taxAmount: decimal(tax) }],
      currency,
      isCorrection,
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(expected === 'taken' ? [] : ['BR-CO-17']);
  });
});

test.each([
  [{ key: 'a', amount: '1.23', quantity: '1234', unitPrice: '0.001' }, ['1234', '1', '1000']],
  [{ key: 'a', amount: '0.62', quantity: '1234', unitPrice: '0.0005' }, ['1234', '5', '100', '0.05']],
  [{ key: 'a', amount: '25.00', quantity: '2.5', unitPrice: '10' }, ['2.5', '10', '1']],
  [{ key: 'a', amount: '25.01', quantity: '2.5', unitPrice: '10' }, ['1', '25.01', '1']],
  [{ key: 'a', amount: '-25.01' }, ['-1', '25.01', '1']],
])('%j is a quantity times a price', (line, expected) => {
  const made = pricedQuantity(eLine(line, 0), 1);
  const product = toDecimal(made.quantity)
    .times(toDecimal(made.price as DecimalString))
    .dividedBy(made.base);
  expect(product.toDecimalPlaces(2).toFixed(2)).toBe(line.amount);
  expect(made.price).not.toContain('-');
  expect(toDecimal(made.price as DecimalString).decimalPlaces()).toBeLessThanOrEqual(2);
  expect(expected).toContain(made.quantity);
});
