/** How documents are shown: sections, locales, pages, and bytes that stay the same. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { addDecimals, decimal as toDecimal } from '../../src/domain/decimal.js';
import { writingOf } from '../../src/documents/locale.js';
import { eInvoiceXml } from '../../src/documents/e-invoice/e-invoice.js';
import { invoiceContent } from '../../src/documents/invoice-content.js';
import { renderInvoicePdf } from '../../src/documents/invoice-pdf.js';
import { rendererName } from '../../src/documents/renderer.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { itemisations } from '../../src/domain/invoicing/presentation.js';
import type { Itemisation } from '../../src/domain/invoicing/presentation.js';
import { sectionsOf } from '../../src/domain/invoicing/sections.js';
import { sectionToWire } from '../../src/domain/invoicing/sections-to-wire.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import { eDocument, shapes } from './e-invoice-shapes.js';
import { decimal, instant, sampleInvoice, sampleLine } from './invoices.js';
import { pageText, readPdf } from './pdf-text.js';

const grouped = (count: number): Invoice =>
  eDocument({
    lines: Array.from({ length: count }, (_, index) => ({
      key: `["calls",${index}]`,
      amount: `${index + 1}.25`,
      group: { region: index % 2 === 0 ? 'eu' : 'us', tier: index % 3 === 0 ? null : 'premium' },
    })),
    draws: [{ grantId: 'g', amount: '3.00' }],
  });
const ofOneMeter = (invoice: Invoice): Invoice => ({
  ...invoice,
  lines: invoice.lines.map((line) => ({
    ...line,
    meter: 'calls',
    description: `calls (region: ${line.group['region']})`,
  })),
});
const shown = (invoice: Invoice, itemisation: Itemisation, locale = 'en'): Invoice => ({
  ...invoice,
  presentation: { itemisation, locale },
});
const textOf = async (invoice: Invoice): Promise<string> =>
  readPdf(await renderInvoicePdf(invoice))
    .pages.map(pageText)
    .join('\n')
    .replaceAll('\u00A0', ' ');

describe('sections', () => {
  const figures = fc.integer({ min: -100_000, max: 100_000 }).map(
    (cents) =>
      `${toDecimal(String(cents) as DecimalString)
        .dividedBy(100)
        .toFixed(2)}`,
  );
  const lines = fc.array(
    fc.record({
      meter: fc.constantFrom('calls', 'storage', null),
      amount: figures,
      region: fc.constantFrom('eu', 'us', null, undefined),
    }),
    { maxLength: 12 },
  );

  test.each(itemisations)('at the level %s sum to subtotal and total, and have each line once', (itemisation) => {
    fc.assert(
      fc.property(lines, fc.constantFrom('per document', 'per line', null), (drawn, tax) => {
        const made = eDocument({ lines: drawn.map(({ amount }, index) => ({ key: `k${index}`, amount })), tax });
        const invoice = {
          ...made,
          lines: made.lines.map((line, index) => ({
            ...line,
            meter: drawn[index]?.meter ?? null,
            group: drawn[index]?.region === undefined ? {} : { region: drawn[index].region },
          })),
        };
        const sections = sectionsOf(invoice, itemisation);
        const charges = sections.filter(({ kind }) => kind !== 'tax' && kind !== 'prepaid_draw');
        expect(addDecimals(sections.map(({ amount }) => amount))).toBe(toDecimal(invoice.total).toFixed());
        expect(addDecimals(charges.map(({ amount }) => amount))).toBe(toDecimal(invoice.subtotal).toFixed());
        for (const section of sections) {
          expect(addDecimals(section.rows.map(({ amount }) => amount))).toBe(toDecimal(section.amount).toFixed());
          expect(sectionToWire(section, 'EUR').amount).toMatch(/^-?\d+\.\d\d$/);
        }
        const ids = charges.flatMap(({ rows }) => rows.flatMap(({ lineItemIds }) => lineItemIds));
        expect([...ids].sort()).toEqual(invoice.lines.map(({ lineItemId }) => lineItemId).sort());
        for (const section of charges) {
          const dimensions = new Set(section.byDimension.map(({ dimension }) => dimension));
          for (const own of dimensions) {
            const sum = addDecimals(
              section.byDimension.filter(({ dimension }) => dimension === own).map(({ amount }) => amount),
            );
            const having = invoice.lines.filter(
              ({ meter, group }) => meter === section.meter && Object.hasOwn(group, own),
            );
            expect(sum).toBe(addDecimals(having.map(({ amount }) => amount)));
          }
        }
      }),
    );
  });

  test('are those of the customer, unless another level is asked for', () => {
    const invoice = shown(ofOneMeter(grouped(4)), 'summary');
    expect(sectionsOf(invoice).map(({ kind, title }) => [kind, title])).toEqual([
      ['usage', 'Usage'],
      ['prepaid_draw', 'Credits'],
      ['tax', 'Tax'],
    ]);
    expect(sectionsOf(invoice, 'group')[0]).toMatchObject({
      title: 'calls',
      byDimension: [
        { dimension: 'region', value: 'eu', amount: '4.5' },
        { dimension: 'region', value: 'us', amount: '6.5' },
        { dimension: 'tier', value: null, amount: '5.5' },
        { dimension: 'tier', value: 'premium', amount: '5.5' },
      ],
    });
  });

  test('say how much a discount took, and in detail which tier made what', () => {
    const charge = {
      ...{ model: 'tiered', formula: 'f', quantity: '1234', unit_price: null, quantity_before: '0', in_force: [] },
      tiers: [
        { up_to: '1000', quantity: '1000', unit_price: '0.10', amount: '100.00' },
        { up_to: null, quantity: '234', unit_price: '0.08', amount: '18.72' },
      ],
      discount: { percent: '10', of: '118.72' },
      limit: { kind: 'maximum', limit: '100', line_amount: '106.848', adjustment: '-6.848' },
    };
    const calculation = { formula: 'f', charges: [charge] } as unknown as Invoice['lines'][number]['calculation'];
    const invoice = sampleInvoice({ lines: [sampleLine({ calculation })] });
    const details = (level: Itemisation) =>
      sectionsOf(invoice, level)[0]?.rows[0]?.details.map(({ kind, amount }) => [kind, amount]);
    expect(details('group')).toEqual([['discount', '-11.872']]);
    expect(details('detailed')).toEqual([
      ['tier', '100.00'],
      ['tier', '18.72'],
      ['discount', '-11.872'],
      ['maximum', '-6.848'],
    ]);
    expect(details('summary')).toEqual([]);
  });
});

describe('a document over pages', () => {
  test('carries the sum of its lines from page to page', async () => {
    const invoice = ofOneMeter(grouped(60));
    const read = readPdf(await renderInvoicePdf(invoice)).pages;
    const pages = read.map((page) => pageText(page).split('\n'));
    expect(pages.length).toBeGreaterThan(2);
    let sum = toDecimal('0' as DecimalString);
    pages.slice(0, -1).forEach((page, index) => {
      // The last column: a formula may end in the same figure.
      const items = read[index] ?? [];
      const amounts = items
        .slice(page.indexOf('Brought forward') + (index === 0 ? 1 : 2), page.indexOf('Carried forward'))
        .filter(({ text, x }) => x > 480 && /^\d+\.25$/.test(text))
        .map(({ text }) => text);
      for (const amount of amounts) sum = sum.plus(amount);
      const carried = sum.toFixed(2).replace(/\B(?=(\d{3})+\.)/, ',');
      const next = pages[index + 1] ?? [];
      // After the table's end only totals follow.
      if (index > 0 && !next.includes('Calculation')) return;
      expect(page[page.indexOf('Carried forward') + 1]).toBe(carried);
      expect(next[next.indexOf('Brought forward') + 1]).toBe(carried);
      expect(next).toContain('Calculation');
    });
    expect(pages.flat()).toEqual(expect.arrayContaining(['region: eu', 'Sum of calls']));
    expect(pages.at(-1)).not.toContain('Carried forward');
  });

  test('sets figures with their points below each other', async () => {
    const quantities = ['1234.5', '7', '0.125'];
    const lines = quantities.map((quantity, index) =>
      sampleLine({ lineItemId: `l${index}`, meter: `m${index}`, quantity: decimal(quantity) }),
    );
    const [page = []] = readPdf(await renderInvoicePdf(sampleInvoice({ lines }))).pages;
    const place = (text: string): number => page.find((item) => item.text === text)?.x ?? Number.NaN;
    // Digits are equally wide: units stand below each other, so one place more to the left is one digit more.
    const digit = (place('7') - place('1,234.5')) / 3.4;
    expect(place('0.125')).toBeCloseTo(place('7'), 1);
    expect(digit).toBeGreaterThan(4);
    expect(digit).toBeLessThan(6.5);
  });
});

describe('locales', () => {
  test('a German document has German words and points in its calculations, and says once which number a party has', async () => {
    const charge = {
      ...{ model: 'tiered', formula: 'f', quantity: '1234', unit_price: null, quantity_before: '0', in_force: [] },
      included: { units: '100.5', quantity: '1133.5' },
      tiers: [
        { up_to: '1000.5', quantity: '1000.5', unit_price: '0.10', amount: '100.05' },
        { up_to: null, quantity: '133', unit_price: '0.08', amount: '10.64' },
      ],
      discount: { percent: '12.5', of: '110.69' },
      limit: { kind: 'maximum', limit: '90.00', line_amount: '96.85', adjustment: '-6.85' },
    };
    const formula = '1000.5 × 0.10 + 133 × 0.08 (100.5 included) − 12.5 % × 110.69 − 6.85 (maximum 90.00)';
    const calculation = { formula, charges: [charge] } as unknown as Invoice['lines'][number]['calculation'];
    const party = { name: 'Acme', vat_id: 'DE811111111', tax_id: 'DE811111111', reference: 'PO-4711' };
    const invoice = shown(sampleInvoice({ lines: [sampleLine({ calculation })], buyer: party }), 'detailed', 'de');
    const text = (await textOf(invoice)).replaceAll('\n', ' ');
    const said = [
      '1000,5 × 0,10 + 133 × 0,08 (100,5 enthalten)',
      '12,5 % × 110,69',
      '(Höchstbetrag 90,00)',
      '100,5 enthalten',
      'bis 1000,5: 1000,5 × 0,10 = 100,05',
      'darüber: 133 × 0,08 = 10,64',
      'Rabatt von 12,5 % = −13,83625',
      'Begrenzt auf den Höchstbetrag 90,00 = −6,85',
      'USt-IdNr. DE811111111',
      'Ihre Referenz PO-4711',
    ];
    expect(said.filter((each) => !text.includes(each))).toEqual([]);
    expect(text).not.toMatch(/Steuernummer DE811111111|\d\.\d\d(?!\d)|Discount|included|maximum/);
  });

  test('no figure is broken over lines, however long it is', async () => {
    const figures = ['395.704697986577', '35.828192900863125', '12345678901.123456789012'];
    const lines = figures.map((figure, index) =>
      sampleLine({
        ...{ lineItemId: `l${index}`, meter: `m${index}`, quantity: decimal(figure) },
        calculation: { formula: `${figure} × 0.123456789012 − 12.5 % × ${figure}`, charges: [] },
      }),
    );
    const invoice = shown(sampleInvoice({ lines }), 'group', 'de');
    const printed = (await textOf(invoice)).split(/[\n ]/);
    for (const figure of figures) {
      const [whole = '', fraction] = figure.split('.');
      expect(printed).toContain(`${whole},${fraction}`);
      expect(printed).toContain(`${whole.replace(/\B(?=(\d{3})+$)/g, '.')},${fraction}`);
    }
  });

  test('what a sum is made of stands below it, and is no further line', () => {
    const { rows } = invoiceContent(shown(ofOneMeter(grouped(4)), 'group', 'de'));
    const printed = rows.map(({ kind, cells }) => [kind, cells[0]?.[0]?.text, cells.at(-1)?.[0]?.tone]);
    expect(printed.slice(-4)).toEqual([
      ['subtotal', 'Summe calls', 'strong'],
      ['part', 'davon nach region', 'muted'],
      ['part', 'region: eu', 'muted'],
      ['part', 'region: us', 'muted'],
    ]);
  });

  test.each<[string, readonly string[]]>([
    ['en', ['1,234,567.5', '−1,234.50', 'EUR 1,234.50', '29 February 2024', 'JPY 1,234']],
    ['de', ['1.234.567,5', '−1.234,50', '1.234,50 EUR', '29. Februar 2024', '1.234 JPY']],
    ['fr', ['1 234 567,5', '−1 234,50', '1 234,50 EUR', '29 février 2024', '1 234 JPY']],
    ['en-IN', ['12,34,567.5', '−1,234.50', 'EUR 1,234.50', '29 February 2024', 'JPY 1,234']],
    ['ar-EG', ['1,234,567.5', '−1,234.50', '1,234.50 EUR', '2024-02-29', '1,234 JPY']],
    ['ja', ['1,234,567.5', '−1,234.50', 'EUR 1,234.50', '2024-02-29', 'JPY 1,234']],
  ])('%s', (locale, expected) => {
    const writing = writingOf(locale);
    const plain = [
      writing.quantity(decimal('1234567.5')),
      writing.amount(decimal('-1234.5'), 'EUR'),
      writing.money(decimal('1234.5'), 'EUR'),
      writing.day('2024-02-29' as LocalDate),
      writing.money(decimal('1234'), 'JPY'),
    ].map((text) => text.replaceAll('\u00A0', ' '));
    expect(plain).toEqual(expected);
  });

  test('change no digit, however long the number', () => {
    const digits = fc.stringMatching(/^[1-9][0-9]{0,30}(\.[0-9]{0,17}[1-9])?$/);
    fc.assert(
      fc.property(digits, fc.constantFrom('de', 'fr-CH', 'hi-IN', 'fa', 'sv'), (text, locale) => {
        const writing = writingOf(locale);
        const back = writing
          .quantity(decimal(text))
          .replaceAll(writing.point, '#')
          .replace(/[^\d#]/g, '')
          .replace('#', '.');
        expect(back).toBe(text);
      }),
    );
  });

  test('an unknown one is written as English is', () => {
    expect(writingOf('zz-not-a-locale-at-all').quantity(decimal('1234.5'))).toBe('1,234.5');
  });

  test.each(['ja', 'zh-Hans', 'ko', 'ar-EG', 'he', 'th', 'fa', 'hi-IN', 'el', 'ru', 'hy'])(
    'the packaged font writes a document in %s',
    async (locale) => {
      expect(await textOf(shown(grouped(2), 'group', locale))).toContain('2024');
    },
  );

  test('reach amounts and days of the document', async () => {
    const text = await textOf(shown(grouped(2), 'group', 'de'));
    expect(text).toContain('1. Februar 2024');
    expect(text).toContain('\n1,25\n');
    expect(text).not.toContain('\n1.25\n');
  });
});

test('taxes, credits by name and reasons stand on the document', async () => {
  const invoice = eDocument({
    lines: [
      { key: 'a', amount: '100.00' },
      { key: 'b', amount: '50.00', category: 'exempt' },
    ],
    draws: [{ grantId: 'g', amount: '40.00' }],
  });
  const pdf = await renderInvoicePdf(invoice, { creditGrants: new Map([['g', 'Package']]) });
  const text = readPdf(pdf).pages.map(pageText).join('\n');
  for (const part of [
    'Tax DE 19 % of 100.00',
    '19.00',
    'Tax-exempt DE 0 % of 50.00',
    'Exempt as education.',
    'Credit “Package”',
    '−40.00',
    '129.00',
  ])
    expect(text).toContain(part);
});

test('a correction shows what was billed, what is right and the difference, at every level', async () => {
  const { invoice, corrected } = shapes['a correction'] ?? {};
  if (invoice === undefined || corrected === undefined) throw new Error('there is such a shape');
  for (const itemisation of itemisations) {
    const pdf = await renderInvoicePdf(shown(invoice, itemisation), { correctedInvoice: corrected });
    const text = readPdf(pdf).pages.map(pageText).join('\n');
    expect(text).toContain('Billed so far');
    expect(text).toContain(`${corrected.number} of 1 February 2024`);
    expect(text).toContain(itemisation === 'summary' ? '216.98' : '120.01');
  }
});

describe('the bytes', () => {
  const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

  /** Layout and words are part of what was given out: whoever changes these counts `layoutVersion` up. */
  test('of a document are those of its layout version', async () => {
    const content = await Promise.all(
      [
        shown(ofOneMeter(grouped(30)), 'group'),
        shown(sampleInvoice(), 'detailed'),
        shapes['a credit note']?.invoice ?? sampleInvoice(),
      ].map(async (invoice) => readPdf(await renderInvoicePdf(invoice)).pages),
    );
    expect(sha256(Buffer.from(JSON.stringify(content)))).toMatchInlineSnapshot(
      `"a3e5f798f40ba6e950cca504fe38372c92d2e3b428f1e5f2bd17d9b8ac116ada"`,
    );
    expect(rendererName([])).toMatch(/^layout 6, zlib \S+, cldr \S+$/);
  });

  test('are the same in another process, zone and locale, Factur-X too', async () => {
    const xml = await eInvoiceXml(shapes['an invoice']?.invoice ?? sampleInvoice(), { syntax: 'cii' });
    const invoice = shapes['an invoice']?.invoice ?? sampleInvoice();
    const here = [await renderInvoicePdf(invoice), await renderInvoicePdf(invoice, { facturX: xml })].map(sha256);
    const code = `
      import { createHash } from 'node:crypto';
      import { eInvoiceXml } from './src/documents/e-invoice/e-invoice.ts';
      import { renderInvoicePdf } from './src/documents/invoice-pdf.ts';
      import { shapes } from './test/documents/e-invoice-shapes.ts';
      const { invoice } = shapes['an invoice'];
      const xml = await eInvoiceXml(invoice, { syntax: 'cii' });
      for (const bytes of [await renderInvoicePdf(invoice), await renderInvoicePdf(invoice, { facturX: xml })])
        console.log(createHash('sha256').update(bytes).digest('hex'));`;
    const env = { ...process.env, TZ: 'Pacific/Kiritimati', LANG: 'ar_EG.UTF-8' };
    const { stdout } = await promisify(execFile)('node', ['--import', 'tsx', '--input-type=module', '-e', code], {
      env,
    });
    expect(stdout.trim().split('\n')).toEqual(here);
  }, 60_000);

  test('of Factur-X have the XML in them, and say so', async () => {
    const invoice = {
      ...(shapes['an invoice']?.invoice ?? sampleInvoice()),
      issuedAt: instant('2024-02-01T01:00:00.000000Z'),
    };
    const xml = await eInvoiceXml(invoice, { syntax: 'cii' });
    const text = (await renderInvoicePdf(invoice, { facturX: xml })).toString('latin1');
    for (const part of [
      'factur-x.xml',
      '<pdfaid:part>3</pdfaid:part>',
      '<fx:ConformanceLevel>EN 16931<',
      '/AFRelationship /Alternative',
      '/StructTreeRoot',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('Acme & S');
  });
});
