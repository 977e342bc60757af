/** How documents are made for a customer: facts of PUT /customers. */
import { exampleCustomer, exampleOfAllTests } from './support/test-api.js';

const api = exampleOfAllTests();

const customer = (more: object): object => ({ ...exampleCustomer, ...more });

describe('PUT /customers', () => {
  test('keeps how documents are made for the customer, and refuses what no document can be made with', async () => {
    const documents = {
      locale: 'de',
      itemisation: 'detailed',
      tax: { treatment: 'exempt', exemption_reason: 'Article 132' },
      buyer: { country_code: 'DE', vat_id: 'DE1', city: 'Berlin' },
    };
    expect(await api.expect(201, 'PUT', '/customers/documents', customer(documents))).toMatchObject(documents);
    expect(await api.expect(200, 'GET', '/customers/documents')).toMatchObject({ ...documents, version: 1 });
    expect(await api.expect(200, 'PUT', '/customers/documents', customer(documents))).toMatchObject({ version: 1 });
    for (const wrong of [
      { locale: 'zz-ZZ-nonsense!' },
      { itemisation: 'all' },
      { tax: { treatment: 'none' } },
      { buyer: { country_code: 'Germany' } },
    ])
      await api.refused('VALIDATION_FAILED', 422, 'PUT', '/customers/documents', customer(wrong));
  });
});
