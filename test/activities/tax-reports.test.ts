/** What a tax provider is told after the fact, and what is held because it cannot say; on Postgres. */
import { randomUUID } from 'node:crypto';
import { reportTaxAgain } from '../../src/activities/report-taxes.js';
import { issueCreditNote } from '../../src/billing/settlement/credit-notes.js';
import { voidInvoice } from '../../src/billing/void-invoice.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import { parseTaxTable } from '../../src/domain/tax/parse-tax-table.js';
import type { DecimalString } from '../../src/domain/values.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { issuedAt } from './fixture.js';
import type { ActivityFixture } from './fixture.js';
import type { ReRatingFixture } from './re-rating-fixture.js';
import { createTaxedFixture, german, rates, type RemoteProvider } from './remote-tax.js';

let fixture: ActivityFixture;
let provider: RemoteProvider;
let re: ReRatingFixture;

beforeAll(async () => {
  ({ fixture, provider, re } = await createTaxedFixture());
});
beforeEach(() => {
  Object.assign(provider, { table: rates('19'), down: false, deaf: false });
});
afterAll(() => fixture.close());

describe('credit notes by hand', () => {
  const sweep = (documentsAtOnce?: number) =>
    fixture.run(() => reportTaxAgain({ storage: fixture.storage, tax: provider }, documentsAtOnce));
  const noteOf = async (invoice: Invoice, amount: string | null) => {
    const [line] = invoice.lines;
    const creditNoteId = randomUUID();
    const lines = [
      { lineItemId: line?.lineItemId ?? '', amount: amount as DecimalString, reasonCode: 'goodwill', reason: null },
    ] as const;
    await issueCreditNote(fixture.storage, invoice, { creditNoteId, lines, reason: null, actor: 'ann', now: issuedAt });
    return creditNoteId;
  };
  const invoiced = async (): Promise<Invoice> => {
    const [invoice] = await re.documents(await re.invoicedCustomer(1_000, german));
    if (invoice === undefined) throw new Error('no invoice');
    return invoice;
  };

  test('are told once, with the tax that they give back, and their void when the invoice is void', async () => {
    const invoice = await invoiced();
    const [part, rest] = [await noteOf(invoice, '40'), await noteOf(invoice, null)];
    await sweep();
    await sweep();
    const told = provider.documents.filter(({ correctsDocumentId }) => correctsDocumentId === invoice.invoiceId);
    expect(told.map(({ documentId, type, taxes }) => [documentId, type, taxes.lines])).toEqual(
      [
        [
          part,
          'credit_note',
          [expect.objectContaining({ jurisdiction: 'DE', rate: '19', taxableAmount: '-40', amount: '-7.6' })],
        ],
        [
          rest,
          'credit_note',
          [expect.objectContaining({ jurisdiction: 'DE', rate: '19', taxableAmount: '-60', amount: '-11.4' })],
        ],
      ].sort(),
    );
    // Together just what was committed.
    expect(invoice.taxes?.lines).toMatchObject([{ taxableAmount: '100', amount: '19' }]);
    expect([provider.told.get(`credit ${part}`), provider.told.get(`void ${part}`)]).toEqual([1, undefined]);
    await voidInvoice(fixture.storage, invoice, { actor: 'ann', reason: 'a test', now: issuedAt });
    await sweep();
    await sweep();
    for (const id of [part, rest])
      expect([provider.told.get(`credit ${id}`), provider.told.get(`void ${id}`)]).toEqual([1, 1]);
    expect(await fixture.storage.documents.unreportedNotes('remote', { after: null, limit: 10 })).toEqual([]);
  });

  test('wait until their invoice is known; one that fell before it was told is not told of at all', async () => {
    provider.deaf = true;
    const [told, fallen] = [await invoiced(), await invoiced()];
    const [note, gone] = [await noteOf(told, '1'), await noteOf(fallen, '1')];
    expect(await fixture.storage.documents.unreportedNotes('remote', { after: null, limit: 10 })).toEqual([]);
    await voidInvoice(fixture.storage, fallen, { actor: 'ann', reason: 'a test', now: issuedAt });
    provider.deaf = false;
    await sweep();
    expect([provider.told.get(`credit ${note}`), provider.told.get(`credit ${gone}`)]).toEqual([1, undefined]);
    expect(provider.told.get(`void ${gone}`)).toBeUndefined();
  });

  test('what is refused for ever keeps nothing that came later from being told', async () => {
    provider.deaf = true;
    const invoices = [await invoiced(), await invoiced(), await invoiced(), await invoiced()];
    const ids = invoices.map(({ invoiceId }) => invoiceId).sort();
    provider.deaf = false;
    ids.slice(0, 3).forEach((id) => provider.refused.add(id));
    await sweep(1);
    expect(ids.map((id) => provider.told.get(`commit ${id}`))).toEqual([undefined, undefined, undefined, 1]);
    provider.refused.clear();
    await sweep(2);
    expect(ids.map((id) => provider.told.get(`commit ${id}`))).toEqual([1, 1, 1, 1]);
  });
});

describe('a correction whose tax nobody can say', () => {
  /** Two rates on the chain, and a line that it does not know. */
  async function newLine(): Promise<readonly [customerId: string, priceBook: string]> {
    const code = `rates-${randomUUID()}`;
    const meter = {
      code,
      eventType: code,
      aggregation: 'count',
      valueProperty: null,
      groupBy: [],
      filters: {},
    } as const;
    const window = {
      windowSize: 'hour',
      allowedLateness: 'PT1H',
      allowNegative: false,
      maxGroups: 10,
      effectiveFrom: null,
    } as const;
    await fixture.storage.reference.createMeter({ ...meter, ...window });
    const fee = (name: string) => ({ model: 'fixed', name, amount: '5.00', billed: 'in_arrears' });
    const prices = [
      { meter: 'api_calls', model: 'flat', unit_price: '0.10' },
      { meter: code, model: 'flat', unit_price: '1' },
      fee('ebooks'),
    ];
    const book = { code, version: 'v1', currency: 'USD', effective_from: '2024-01-01T00:00:00Z', prices };
    await fixture.storage.reference.createPriceBook(parsePriceBook(book));
    provider.table = parseTaxTable({
      categories: { ebooks: 'reduced' },
      rates: [
        { country: 'DE', category: 'standard', rate: '19', from: '2020-01-01' },
        { country: 'DE', category: 'reduced', rate: '7', from: '2020-01-01' },
      ],
    });
    const customerId = await re.invoicedCustomer(10, { ...german, priceBook: code });
    await fixture.storage.ledger.append(
      [usageEvent({ customerId, eventId: 'late', eventTime: '2024-01-20T00:00:00Z', eventType: code })],
      [],
    );
    return [customerId, code];
  }

  test.each([
    ['TAX_DATA_MISSING', 'the buyer’s country is gone', { buyer: {} }, false],
    ['TAX_UNAVAILABLE', 'the provider is away', german, true],
  ] as const)('is held with a finding (%s): %s', async (code, _, facts, down) => {
    const [customerId, priceBook] = await newLine();
    await fixture.addCustomer(customerId, { ...facts, priceBook });
    provider.down = down;
    const before = await re.documents(customerId);
    expect(await re.reRate(customerId)).toBe('completed');
    expect(await re.documents(customerId)).toEqual(before);
    const { data } = await fixture.storage.findings.list({ customerId }, { limit: 10 });
    expect(data).toMatchObject([{ code, detail: expect.stringContaining('The correction is not issued') }]);
    // Once it can be said, the next re-rating corrects.
    provider.down = false;
    await fixture.addCustomer(customerId, { ...german, priceBook });
    expect(await re.reRate(customerId)).toBe('completed');
    const [, correction] = await re.documents(customerId);
    expect([correction?.type, correction?.subtotal, correction?.tax]).toEqual(['correction', '1', '0.19']);
  });
});
