import { renderInvoicePdf } from '../../src/documents/invoice-pdf.js';
import { describeLine } from '../../src/domain/invoicing/build-invoice.js';
import type { Invoice, InvoiceLineItem } from '../../src/domain/invoicing/invoice.js';
import { decimal, instant, sampleInvoice, sampleLine } from './invoices.js';
import { pageText, readPdf } from './pdf-text.js';
import type { TextItem } from './pdf-text.js';

type Options = Parameters<typeof renderInvoicePdf>[1];

async function pagesOf(invoice: Invoice, options?: Options): Promise<readonly (readonly TextItem[])[]> {
  return readPdf(await renderInvoicePdf(invoice, options)).pages;
}
async function textOf(invoice: Invoice, options?: Options): Promise<string> {
  return (await pagesOf(invoice, options)).map(pageText).join('\n');
}

describe('an invoice as a PDF', () => {
  it('says what a customer needs to pay it', async () => {
    const text = (await textOf(sampleInvoice())).split('\n');
    expect(text).toEqual(
      expect.arrayContaining([
        'Invoice',
        'Reckoner Services Ltd',
        '20457 Hamburg',
        'Tax ID DE123456789',
        'billing@reckoner.example',
        'Bill to',
        'Acme GmbH',
        'Torstraße 140',
        'INV-000123',
        '1 February 2024',
        '15 February 2024',
        'Payment within 14 days',
        'Amount due: USD 118.72 by 15 February 2024',
        'api_calls',
        '1000 × 0.10 + 234 × 0.08 = 118.72',
        '1,234',
        '118.72',
        'Total USD',
        'Page 1 of 1',
      ]),
    );
  });

  it('shows the last day of the service period, in the zone of the customer', async () => {
    // 31 December 23:00 UTC is 1 January in Berlin; the exclusive end, 1 February there, is not part of the period.
    expect((await textOf(sampleInvoice())).split('\n')).toContain('1 January 2024 – 31 January 2024');
    const inUtc = sampleInvoice({ timeZone: 'UTC' });
    expect((await textOf(inUtc)).replaceAll('\n', ' ')).toContain('31 December 2023 – 31 January 2024');
  });

  it('gives the same bytes for the same invoice, and the issue instant as its date', async () => {
    const first = await renderInvoicePdf(sampleInvoice());
    jest.useFakeTimers({
      now: new Date('2031-05-06T07:08:09Z'),
      doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'],
    });
    const yearsLater = await renderInvoicePdf(sampleInvoice()).finally(() => jest.useRealTimers());
    expect(yearsLater.equals(first)).toBe(true);
    expect(readPdf(first).info).toMatchObject({ CreationDate: 'D:20240201010000Z', ModDate: 'D:20240201010000Z' });
    expect((await renderInvoicePdf(sampleInvoice({ number: 'INV-000124' }))).equals(first)).toBe(false);
  });

  it('carries sixty lines over pages: every figure, the column heads and the page number on each', async () => {
    const lines = Array.from({ length: 60 }, (_, index) => {
      const group = { region: `eu-${index}`, tier: null };
      return sampleLine({
        lineItemId: `line-${index}`,
        description: describeLine(`m${index}`, group),
        group,
        quantity: decimal(`${(index + 1) * 1_234_567}.25`),
        amount: decimal(`${(index + 1) * 12_345}.67`),
      });
    });
    const pages = await pagesOf(sampleInvoice({ lines }));
    expect(pages.length).toBeGreaterThan(2);
    const texts = pages.map(pageText);
    texts.forEach((text, index) => {
      expect(text).toContain(`Page ${index + 1} of ${pages.length}`);
      if (text.includes('region: eu-')) expect(text.match(/^Calculation$/gm)).toHaveLength(1);
    });
    const all = texts.join('\n').split('\n');
    const words = all.join(' ');
    for (let index = 0; index < 60; index += 1) {
      expect(words).toContain(`m${index} (region: eu-${index}, tier: –)`);
      expect(all).toContain(`${((index + 1) * 12_345).toLocaleString('en-US')}.67`);
      expect(all).toContain(`${((index + 1) * 1_234_567).toLocaleString('en-US')}.25`);
    }
  });

  it('shows the rate, its day and source under a line whose prices are in another currency', async () => {
    const applied = { from: 'EUR', to: 'USD', rate: '1.0837', rate_date: '2024-01-31', source: 'ecb', inputs: [] };
    const charge = { formula: '1000 × 0.10', in_force: [], conversion: { ...applied, amount: '108.37' } };
    const line = sampleLine({
      amount: decimal('108.37'),
      calculation: {
        formula: '[1000 × 0.10] × 1.0837',
        charges: [charge] as unknown as InvoiceLineItem['calculation']['charges'],
      },
    });
    const text = (await pagesOf(sampleInvoice({ lines: [line, sampleLine({ lineItemId: 'other' })] })))
      .map(pageText)
      .join(' ');
    const words = text.replace(/\s+/g, ' ');
    expect(words).toContain('in EUR: 1000 × 0.10 1 EUR = 1.0837 USD (ECB, 31 January 2024)');
    expect(words).toContain(
      'Prices in another currency are converted to USD at the exchange rate shown with the line.',
    );
    const plain = (await pagesOf(sampleInvoice())).map(pageText).join(' ').replace(/\s+/g, ' ');
    expect(plain).not.toContain('exchange rate');
  });

  it('keeps everything on the paper, however long the words', async () => {
    const long = sampleLine({
      description: 'x'.repeat(300),
      quantity: decimal('12345678901234567890123456789012345678'),
      calculation: {
        formula: Array.from({ length: 400 }, (_, i) => `${i + 1} × 0.0${i + 1}`).join(' + '),
        charges: [],
      },
    });
    const pages = await pagesOf(sampleInvoice({ lines: [long], buyer: { name: 'y'.repeat(200) } }));
    for (const item of pages.flat()) {
      expect(item.x).toBeGreaterThanOrEqual(48);
      expect(item.x).toBeLessThan(548);
      expect(item.y).toBeGreaterThan(20);
      expect(item.y).toBeLessThan(800);
    }
    const all = pages.map(pageText).join('\n');
    expect(all.replaceAll('\n', '')).toContain('x'.repeat(300));
    expect(all.replaceAll('\n', '')).toContain('12,345,678,901,234,567,890,123,456,789,012,345,678');
    for (let i = 1; i <= 400; i += 1) expect(all).toContain(`${i} × 0.0${i}`);
  });

  it('aligns figures at their right edge', async () => {
    const lines = ['1.00', '1234567.00', '-20.50'].map((amount, index) =>
      sampleLine({ lineItemId: `line-${index}`, amount: decimal(amount) }),
    );
    const [page = []] = await pagesOf(sampleInvoice({ lines }));
    const figures = ['1.00', '1,234,567.00'].map((text) => page.find((item) => item.text === text));
    // Digits are equally wide, so the longer figure starts further left.
    expect(figures[0]?.x).toBeGreaterThan((figures[1]?.x ?? 0) + 30);
  });

  it('prints tiny quantities and an amount of zero in full', async () => {
    const formula = '0.000000000000000001 × 0.5';
    const line = sampleLine({
      quantity: decimal('0.000000000000000001'),
      amount: decimal('0'),
      calculation: { formula, charges: [] },
    });
    const text = await textOf(sampleInvoice({ lines: [line], subtotal: decimal('0'), total: decimal('0') }));
    expect(text.replaceAll('\n', '')).toContain('0.000000000000000001');
    expect(text).toContain('Nothing to pay');
    expect(text).not.toContain('Due date');
  });

  it('uses the minor digits of the currency', async () => {
    const yen = sampleInvoice({
      currency: 'JPY',
      lines: [sampleLine({ amount: decimal('118720') })],
      total: decimal('118720'),
    });
    expect(await textOf(yen)).toContain('Amount due: JPY 118,720 by');
    const dinar = sampleInvoice({ currency: 'KWD', total: decimal('5') });
    expect(await textOf(dinar)).toContain('Amount due: KWD 5.000 by');
  });

  it('shows each price of a period in which the price changed', async () => {
    type Charge = Invoice['lines'][0]['calculation']['charges'][0];
    const charge = (version: string, formula: string, days: { from: string; to: string }): Charge => ({
      model: 'flat',
      formula,
      quantity: decimal('1'),
      unit_price: null,
      tiers: [],
      quantity_before: decimal('0'),
      period_quantity: decimal('1234'),
      price_book: 'standard',
      price_book_version: version,
      effective_date: instant(days.from),
      in_force: [{ from: instant(days.from), to: instant(days.to) }],
    });
    const change = '2024-01-14T23:00:00.000000Z';
    const charges = [
      charge('v1', '600 × 0.10', { from: '2023-12-31T23:00:00.000000Z', to: change }),
      charge('v2', '634 × 0.08', { from: change, to: '2024-01-31T23:00:00.000000Z' }),
    ];
    const line = sampleLine({ calculation: { formula: '600 × 0.10 + 634 × 0.08', charges } });
    const text = (await textOf(sampleInvoice({ lines: [line] }))).replaceAll('\n', ' ');
    expect(text).toContain('1 January 2024 – 14 January 2024: 600 × 0.10');
    expect(text).toContain('15 January 2024 – 31 January 2024: 634 × 0.08');
  });

  it('is a document of its own without any line', async () => {
    const text = await textOf(sampleInvoice({ lines: [], subtotal: decimal('0'), total: decimal('0') }));
    expect(text).toContain('No usage in this period.');
  });
});

describe('corrections', () => {
  const line = sampleLine({
    quantity: decimal('1235'),
    originalAmount: decimal('118.72'),
    correctedAmount: decimal('118.80'),
    amount: decimal('0.08'),
    reason: 'late_usage',
  });
  const correction = sampleInvoice({
    type: 'correction',
    number: 'INV-000124',
    correctsInvoiceId: '9d8fdd4c-0000-5000-8000-000000000001',
    lines: [line],
    total: decimal('0.08'),
  });

  it('show original, corrected and difference, and what they correct', async () => {
    const text = await textOf(correction, {
      correctedInvoice: { number: 'INV-000123', issuedAt: instant('2024-02-01T01:00:00.000000Z') },
    });
    for (const said of [
      'Correction invoice',
      'INV-000123 of 1 February 2024',
      'Billed so far',
      'Corrected',
      'Difference',
    ]) {
      expect(text.split('\n')).toContain(said);
    }
    for (const figure of ['118.72', '118.80', '0.08', 'Corrected quantity 1,235', 'Reason: late usage']) {
      expect(text.split('\n')).toContain(figure);
    }
    expect(text).toContain('Additional amount due: USD 0.08');
  });

  it('say what their figures mean, and that what they correct stays', async () => {
    const correctedInvoice = { number: 'INV-000123', issuedAt: instant('2024-02-01T01:00:00.000000Z') };
    const text = (await textOf(correction, { correctedInvoice })).replaceAll('\n', ' ');
    expect(text).toContain('what INV-000123 and its earlier corrections have billed together');
    expect(text).toContain('INV-000123 itself does not change');
    expect((await textOf(sampleInvoice())).replaceAll('\n', ' ')).not.toContain('About this correction');
  });

  it('show no price for a line of which nothing is left', async () => {
    const gone = sampleLine({
      quantity: decimal('0'),
      amount: decimal('-118.72'),
      originalAmount: decimal('118.72'),
      correctedAmount: decimal('0'),
      reason: 'usage_correction',
      calculation: { formula: '0', charges: [] },
    });
    const text = await textOf({ ...correction, type: 'credit_note', lines: [gone], total: decimal('-118.72') });
    expect(text.replaceAll('\n', ' ')).toContain('Nothing is left of this line');
    expect(text.split('\n')).not.toContain('0');
    expect(await textOf(correction)).not.toContain('Nothing is left');
  });

  it('keep the digits of a quantity together', async () => {
    const wide = sampleLine({ ...line, quantity: decimal('123456789.5') });
    const text = await textOf({ ...correction, lines: [wide] });
    expect(text.split('\n')).toContain('123,456,789.5');
  });

  it('name the id of the corrected invoice when its number is not at hand', async () => {
    expect((await textOf(correction)).replaceAll('\n', '')).toContain('9d8fdd4c-0000-5000-8000-000000000001');
  });

  it('show credits with the sign that they have in the total', async () => {
    const drawn = { subtotal: decimal('118.72'), credits: decimal('18.70'), total: decimal('100.02') };
    expect(await textOf(sampleInvoice(drawn))).toMatch(/Credits\s+−18\.70[\s\S]*100\.02/);
    const restored = { subtotal: decimal('-50.00'), credits: decimal('-50.00'), total: decimal('0') };
    const text = await textOf({ ...correction, ...restored });
    expect(text).toMatch(/Subtotal\s+−50\.00\s+Credits\s+50\.00/);
    expect(text).toContain('No payment is needed for this document.');
    expect(await textOf(sampleInvoice())).toMatch(/Credits\s+0\.00/);
  });

  it('below zero are credit notes, and ask for no payment', async () => {
    const text = await textOf({ ...correction, type: 'credit_note', total: decimal('-20.00') });
    expect(text).toContain('Credit note');
    expect(text).toContain('Credit in your favour: USD 20.00');
    expect(text).toContain('−20.00');
    expect(text).not.toContain('Please pay');
    expect(text).not.toContain('Payment terms');
  });

  it('say so when they are void, together with their invoice', async () => {
    const text = (await textOf({ ...correction, status: 'void' })).replaceAll('\n', ' ');
    expect(text).toContain('VOID');
    expect(text).toContain('taken back together with the invoice that it corrects');
    expect((await textOf(sampleInvoice({ status: 'void' }))).replaceAll('\n', ' ')).toContain(
      'together with all its corrections',
    );
  });
});

describe('what stands beside the figures', () => {
  it.each([
    ['void', 'VOID'],
    ['draft', 'DRAFT'],
    ['held', 'DRAFT'],
  ] as const)('marks a document that is %s, and asks for no payment', async (status, mark) => {
    const text = await textOf(sampleInvoice({ status }));
    expect(text.split('\n')).toContain(mark);
    expect(text).not.toMatch(/Amount due|Due date|Please pay/);
  });

  it('looks the same whether it was paid or not', async () => {
    const issued = await renderInvoicePdf(sampleInvoice());
    expect((await renderInvoicePdf(sampleInvoice({ status: 'paid' }))).equals(issued)).toBe(true);
  });

  it('prints payment information and the legal note', async () => {
    const text = await textOf(sampleInvoice(), {
      paymentInformation: 'IBAN DE02 1203 0000 0000 2020 51',
      legalNote: 'Reverse charge applies.',
    });
    expect(text).toContain('IBAN DE02 1203 0000 0000 2020 51');
    expect(text).toContain('Please pay USD 118.72 by 15 February 2024 and quote INV-000123.');
    expect(text).toContain('Reverse charge applies.');
  });

  it('survives a party that has only a name', async () => {
    const text = await textOf(sampleInvoice({ seller: { name: 'S' }, buyer: { name: 'B' } }));
    expect(text.split('\n')).toEqual(expect.arrayContaining(['S', 'B']));
  });
});

describe('names in other scripts', () => {
  it('prints Latin with all its accents, Greek and Cyrillic', async () => {
    const names = ['Łódź Żółć Ğüş Őrség Nguyễn Þór', 'Παράδειγμα Α.Ε.', 'ООО «Пример»'];
    for (const name of names) {
      expect((await textOf(sampleInvoice({ buyer: { name } }))).split('\n')).toContain(name);
    }
  });

  it('composes accents that came apart', async () => {
    const text = await textOf(sampleInvoice({ buyer: { name: 'Cafe\u0301' } }));
    expect(text).toContain('Caf\u00E9');
  });

  it('is refused with the characters that no font has: nobody gets a document with empty boxes', async () => {
    const made = renderInvoicePdf(sampleInvoice({ buyer: { name: '株式 (Sample)' } }));
    await expect(made).rejects.toMatchObject({
      code: 'TEXT_NOT_PRINTABLE',
      detail: expect.stringContaining('株 (U+682A), 式 (U+5F0F)') as string,
    });
    await expect(made).rejects.toThrow('RECKONER_PDF_FONTS');
  });

  it('drops characters that could hide or reorder what is printed', async () => {
    const text = await textOf(sampleInvoice({ buyer: { name: 'Acme\u202E 00.1\u200B\u0007' } }));
    expect(text.split('\n')).toContain('Acme 00.1');
  });

  it('refuses a font that cannot be read', async () => {
    await expect(renderInvoicePdf(sampleInvoice(), { extraFonts: ['/nowhere/font.ttf'] })).rejects.toThrow('ENOENT');
  });
});
