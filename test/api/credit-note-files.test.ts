/** Credit notes by hand as files: PDF and e-invoice. */
import { pageText, readPdf } from '../documents/pdf-text.js';
import * as support from './support/credited.js';
import { exampleCustomer, exampleOfEachTest } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const invoiced = (count?: number, period?: string): Promise<Json> => support.invoiced(api, count, period);
const credit = (...of: [Json, string | null, Json?]): Promise<Json> => support.credit(api, ...of);

test('a credit note is a PDF and, where its parties say enough, an e-invoice; each resource names the other', async () => {
  const customer = {
    ...exampleCustomer,
    buyer: { country_code: 'DE', email: 'a@acme.example' },
    legal_entity: 'acme-de',
  };
  const entity = { number_prefix: 'ACME-DE', name: 'Acme GmbH', tax_id: 'DE 1' };
  await api.expect(201, 'PUT', '/legal-entities/acme-de', entity);
  await api.expect(200, 'PUT', '/customers/cust_1', customer);
  const bare = await invoiced();
  const early = await credit(bare, '1.00', { reason: 'an outage' });
  const pdf = await api.send('GET', '/credit-notes/ACME-DE-CN-000001/pdf');
  expect([pdf.statusCode, pdf.headers['content-type']]).toEqual([200, 'application/pdf']);
  expect(readPdf(pdf.rawPayload).pages.map(pageText).join('\n')).toContain('an outage');
  const url = `/credit-notes/${String(early['number'])}/e-invoice`;
  const missing = await api.refused('E_INVOICE_NOT_POSSIBLE', 422, 'GET', url);
  expect(missing['detail']).toContain('"country_code" of PUT /legal-entities/acme-de');
  expect(missing['detail']).not.toContain('RECKONER_SELLER');

  const whole = {
    country_code: 'DE',
    email: 'billing@acme.example',
    vat_id: 'DE123456789',
    iban: 'DE02120300000000202051',
  };
  await api.expect(200, 'PUT', '/legal-entities/acme-de', { ...entity, ...whole });
  const invoice = await invoiced(50, '2024-02');
  expect(invoice['seller']).toMatchObject(whole);
  const note = await credit(invoice, null);
  const xml = await api.send('GET', `/credit-notes/${String(note['credit_note_id'])}/e-invoice`);
  expect(xml.body).toContain('<cbc:CreditNoteTypeCode>381</cbc:CreditNoteTypeCode>');
  expect(xml.body).toContain(`<cbc:ID>${String(invoice['number'])}</cbc:ID>`);
  expect(xml.headers['content-disposition']).toBe('attachment; filename="ACME-DE-CN-000002.ubl.xml"');
  const facturX = await api.send('GET', '/credit-notes/ACME-DE-CN-000002/e-invoice?format=factur-x');
  expect(facturX.headers['content-type']).toBe('application/pdf');
  const invoiceXml = await api.send('GET', `/invoices/${String(invoice['number'])}/e-invoice`);
  expect(invoiceXml.body).toContain('DE02120300000000202051');

  const asInvoice = await api.refused('INVOICE_NOT_FOUND', 404, 'GET', '/invoices/ACME-DE-CN-000001');
  expect(asInvoice['detail']).toContain('GET /credit-notes/ACME-DE-CN-000001');
  const asNote = await api.refused('CREDIT_NOTE_NOT_FOUND', 404, 'GET', `/credit-notes/${String(invoice['number'])}`);
  expect(asNote['detail']).toContain(`is an invoice: GET /invoices/${String(invoice['number'])}`);
});
