/** Credit notes by hand as documents: PDF and e-invoice of a note say what the note says, not its invoice. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addDecimals, decimal as toDecimal } from '../../src/domain/decimal.js';
import { eInvoiceXml } from '../../src/documents/e-invoice/e-invoice.js';
import { renderInvoicePdf } from '../../src/documents/invoice-pdf.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { creditNoteAmounts } from '../../src/domain/settlement/credit-note.js';
import type { CreditNote, CreditRequestLine } from '../../src/domain/settlement/credit-note.js';
import { printedNote } from '../../src/domain/settlement/printed-note.js';
import type { DecimalString } from '../../src/domain/values.js';
import { eDocument } from './e-invoice-shapes.js';
import type { Shape } from './e-invoice-shapes.js';
import { decimal, instant } from './invoices.js';
import { pageText, readPdf } from './pdf-text.js';

const nothing = { byLine: new Map<string, DecimalString>(), subtotal: decimal('0'), tax: decimal('0') };
type Asked = readonly (readonly [key: string, amount: string, more?: Partial<CreditRequestLine>])[];

/** A note on lines of an invoice, by key, as it would be issued. */
function noteOn(invoice: Invoice, asked: Asked, before = nothing): CreditNote {
  const lines = asked.map(([key, amount, more]) => ({
    lineItemId: invoice.lines.find(({ lineKey }) => lineKey === key)?.lineItemId ?? '',
    amount: decimal(amount),
    reasonCode: 'goodwill' as const,
    reason: null,
    ...more,
  }));
  const { customerId, invoiceId, seller, buyer } = invoice;
  return {
    ...creditNoteAmounts([invoice], { credited: before, lines }),
    ...{ customerId, invoiceId, seller, buyer, creditNoteId: 'a0000000-0000-5000-8000-000000000001' },
    ...{ number: 'CN-000001', reason: 'Outage of 3 March', documentHash: 'f'.repeat(64), issuedBy: 'ada' },
    issuedAt: instant('2024-03-05T09:00:00.000000Z'),
  };
}

const twoRates: Shape = {
  lines: [
    { key: 'calls', amount: '60.00' },
    { key: 'books', amount: '40.00', category: 'reduced' },
  ],
};

async function textOf(invoice: Invoice, note: CreditNote, locale = 'en'): Promise<string> {
  const document = { ...printedNote(note, [invoice], false) };
  const shown = { ...document, presentation: { itemisation: 'group', locale } as const };
  const pdf = await renderInvoicePdf(shown, { correctedInvoice: invoice, creditNote: note });
  return readPdf(pdf).pages.map(pageText).join('\n').replaceAll('\u00A0', ' ');
}

test('the PDF has the note’s own tax, its reason and those of its lines', async () => {
  const invoice = eDocument({ lines: [{ key: 'calls', amount: '60.00' }] });
  const note = noteOn(invoice, [['calls', '10.00', { reasonCode: 'service_not_provided', reason: 'gateway down' }]]);
  const text = await textOf(invoice, note);
  expect(text).toContain('Tax DE 19 % of −10.00\n−1.90');
  expect(text).toContain('Total EUR\n−11.90');
  expect(text).not.toContain('11.40');
  for (const said of ['service not provided', 'gateway down', 'Outage of 3 March', 'Before this note', 'Credited'])
    expect(text).toContain(said);
  expect(text).toContain('60.00\n50.00\n−10.00');
});

test('the tax in the PDF is its rate of the net, whatever credits have paid', async () => {
  const draws = [{ grantId: 'g', amount: '50.00' }];
  const invoice = eDocument({ lines: [{ key: 'calls', amount: '100.00' }], draws });
  const text = await textOf(invoice, noteOn(invoice, [['calls', '25.00']]));
  expect(text).toContain('Tax DE 19 % of −25.00\n−4.75');
  expect(text).toContain('Total EUR\n−29.75');
});

test('lines of several rates bear each their own', async () => {
  const invoice = eDocument(twoRates);
  const note = noteOn(invoice, [['books', '40.00']]);
  expect(note.tax).toBe('2.8');
  expect(await textOf(invoice, note)).toContain('Tax (reduced) DE 7 % of −40.00\n−2.80');
  const both = noteOn(invoice, [
    ['calls', '10.00'],
    ['books', '10.00'],
  ]);
  expect(printedNote(both, [invoice], false).taxes?.lines).toMatchObject([
    { category: 'reduced', taxableAmount: '-10', amount: '-0.7', taxLineNumber: 1 },
    { category: 'standard', taxableAmount: '-10', amount: '-1.9', taxLineNumber: 2 },
  ]);
});

test('notes on lines of several rates exhaust the tax to the last cent', () => {
  const invoice = eDocument({
    lines: [
      { key: 'a', amount: '33.33' },
      { key: 'b', amount: '66.67', category: 'reduced' },
      { key: 'c', amount: '5.00', category: 'exempt' },
    ],
  });
  let before = nothing;
  for (const [key, amount] of [
    ['a', '11.11'],
    ['c', '5.00'],
    ['b', '0.03'],
    ['a', '22.22'],
    ['b', '66.64'],
  ] as const) {
    const note = noteOn(invoice, [[key, amount]], before);
    before = {
      byLine: new Map(before.byLine).set(key, addDecimals([before.byLine.get(key) ?? decimal('0'), decimal(amount)])),
      subtotal: addDecimals([before.subtotal, note.subtotal]),
      tax: addDecimals([before.tax, note.tax]),
    };
    if (key === 'c') expect(note.tax).toBe('0');
  }
  expect(toDecimal(before.tax).toFixed(2)).toBe(toDecimal(invoice.tax).toFixed(2));
});

test('what nothing was taxed with has no tax line', async () => {
  const invoice = eDocument({ lines: [{ key: 'calls', amount: '60.00' }], tax: null });
  const note = noteOn(invoice, [['calls', '10.00']]);
  expect(printedNote(note, [invoice], false).taxes).toBeUndefined();
  expect(await textOf(invoice, note)).toContain('Tax\n0.00');
});

test('a line of a correction is taxed as the correction says', () => {
  const invoice = eDocument({ lines: [{ key: 'calls', amount: '60.00' }] });
  const correction = eDocument({
    lines: [{ key: 'books', amount: '10.00', category: 'reduced' }],
    corrects: [invoice],
  });
  const [line] = correction.lines;
  const own = line === undefined ? [] : [{ ...line, lineItemId: 'of-the-correction' }];
  const chain = [invoice, { ...correction, lines: own }];
  const asked = { lineItemId: 'of-the-correction', amount: null, reasonCode: 'goodwill', reason: null } as const;
  const note = {
    ...noteOn(invoice, [['calls', '1']]),
    ...creditNoteAmounts(chain, { credited: nothing, lines: [asked] }),
  };
  expect(note.tax).toBe('0.7');
  expect(printedNote(note, chain, false)).toMatchObject({
    taxes: { lines: [{ category: 'reduced', amount: '-0.7' }] },
    lines: [{ meter: 'books', item: { taxLines: [1], chargeCode: 'BOOKS' } }],
  });
});

test('labels are those of the customer’s language', async () => {
  const invoice = eDocument(twoRates);
  const text = await textOf(invoice, noteOn(invoice, [['calls', '10.00']]), 'de');
  expect(text).toContain('Rechnungskorrektur');
  expect(text).toContain('Steuer DE 19 % auf −10,00\n−1,90');
  expect(text).toContain('Kulanz');
});

describe('as an e-invoice', () => {
  const xsd = join('test', 'documents', 'xsd');
  const main = 'Factur-X_EN16931.xsd';
  const fileOf = (fileName: string) => ({ fileName, contents: readFileSync(join(xsd, fileName), 'utf8') });
  const xmlOf = (invoice: Invoice, note: CreditNote, syntax: 'ubl' | 'cii') =>
    eInvoiceXml(printedNote(note, [invoice], false), { syntax, correctedInvoice: invoice, creditNote: note });

  test.each([
    ['one rate', { lines: [{ key: 'calls', amount: '60.00' }] }, [['calls', '10.00']], ['10.00', '1.90', '11.90']],
    [
      'two rates',
      twoRates,
      [
        ['calls', '10.00'],
        ['books', '10.00'],
      ],
      ['20.00', '2.60', '22.60'],
    ],
    [
      'where credits have paid a half',
      { lines: [{ key: 'calls', amount: '60.00' }], draws: [{ grantId: 'g', amount: '30.00' }] },
      [['calls', '25.00']],
      ['25.00', '4.75', '29.75'],
    ],
    [
      'where credits have paid all but the tax',
      { lines: [{ key: 'calls', amount: '60.00' }], draws: [{ grantId: 'g', amount: '60.00' }] },
      [['calls', '9.58']],
      ['9.58', '1.82', '11.40'],
    ],
    ['no tax', { lines: [{ key: 'calls', amount: '60.00' }], tax: null }, [['calls', '1']], ['1.00', '0.00', '1.00']],
  ] satisfies [string, Shape, Asked, string[]][])('%s: type 381 and valid', async (_name, shape, asked, amounts) => {
    const invoice = eDocument(shape);
    const note = noteOn(invoice, asked);
    const xml = await xmlOf(invoice, note, 'ubl');
    const texts = (name: string) =>
      [...xml.matchAll(new RegExp(`<${name}[^>]*>([^<]*)<`, 'g'))].map(([, text]) => text);
    expect(texts('cbc:CreditNoteTypeCode')).toEqual(['381']);
    expect([texts('cbc:TaxExclusiveAmount')[0], texts('cbc:TaxAmount')[0], texts('cbc:PayableAmount')[0]]).toEqual(
      amounts,
    );
    expect(xml).toContain(`<cbc:ID>${invoice.number}</cbc:ID>`);
    expect(texts('cbc:Note')).toContain('Outage of 3 March');
    expect(texts('cbc:Note').join()).toContain('goodwill. Before this note EUR 60.00, after it');
    const cii = await xmlOf(invoice, note, 'cii');
    const { validateXML } = await import('xmllint-wasm');
    const result = await validateXML({
      xml: { fileName: 'note.xml', contents: cii },
      schema: fileOf(main),
      preload: readdirSync(xsd)
        .filter((name) => name.endsWith('.xsd') && name !== main)
        .map(fileOf),
    });
    expect(result.errors.map(({ message }) => message)).toEqual([]);
    expect(cii).toContain('>381<');
  });

  test('what is missing of a legal entity is said of that entity', async () => {
    const made = eDocument(twoRates);
    const invoice = { ...made, legalEntity: 'acme-de', seller: { name: 'Acme' } };
    const failure = xmlOf(invoice, noteOn(invoice, [['calls', '10.00']]), 'ubl');
    await expect(failure).rejects.toThrow('seller.vat_id (BT-31; "vat_id" of PUT /legal-entities/acme-de)');
    await expect(xmlOf(invoice, noteOn(invoice, [['calls', '10.00']]), 'ubl')).rejects.not.toThrow('RECKONER_SELLER');
  });
});

test('an invoice names the account that it is paid to, and speaks German where its customer does', async () => {
  const invoice = { ...eDocument(twoRates), paymentTerms: 'Due within 14 days' };
  const text = async (locale: string): Promise<string> => {
    const pdf = await renderInvoicePdf({ ...invoice, presentation: { itemisation: 'group', locale } });
    return readPdf(pdf).pages.map(pageText).join('\n').replaceAll('\u00A0', ' ');
  };
  expect(await text('en')).toContain('IBAN DE02 1203 0000 0000 2020 51, account holder Reckoner Services Ltd');
  const german = await text('de-AT');
  for (const said of ['Rechnung', 'IBAN DE02 1203 0000 0000 2020 51, Kontoinhaber', 'Zahlbar innerhalb von 14 Tagen'])
    expect(german).toContain(said);
  for (const english of ['Invoice', 'Due', 'Subtotal', 'Page', 'Payment', 'Amount', 'Bill to'])
    expect(german).not.toContain(english);
  expect(await text('fi')).toContain('Invoice number');
});
