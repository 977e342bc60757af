/** Legal entities and number series over HTTP. */
import { exampleCustomer, exampleOfEachTest } from './support/test-api.js';

const api = exampleOfEachTest();

const acme = { number_prefix: 'ACME-DE', name: 'Acme GmbH', tax_id: 'DE1' };

test('PUT registers, another one is another version, GET tells of all of them', async () => {
  const first = await api.expect(201, 'PUT', '/legal-entities/acme-de', acme, { 'x-reckoner-actor': 'ada' });
  expect(first).toEqual({
    ...{ code: 'acme-de', version: 1, ...acme },
    ...{ defined_by: 'ada', defined_at: expect.stringMatching(/Z$/) },
  });
  expect(await api.expect(200, 'PUT', '/legal-entities/acme-de', acme)).toEqual(first);
  const second = await api.expect(200, 'PUT', '/legal-entities/acme-de', { ...acme, address: 'Road 2' });
  expect(second).toMatchObject({ version: 2, address: 'Road 2', tax_id: 'DE1' });
  expect(await api.expect(200, 'GET', '/legal-entities')).toEqual({ data: [second] });
  expect(await api.expect(200, 'GET', '/legal-entities/acme-de')).toEqual({ ...second, versions: [first, second] });
});

test('an entity has what e-invoices and tax need of a seller', async () => {
  const whole = {
    ...{ ...acme, email: 'a@acme.example', street: 'Road 1', city: 'Hamburg', postal_code: '20457', region: 'HH' },
    ...{ country_code: 'DE', vat_id: 'DE123456789', iban: 'DE02 1203 0000 0000 2020 51' },
  };
  expect(await api.expect(201, 'PUT', '/legal-entities/acme-de', whole)).toMatchObject(whole);
  expect(await api.expect(200, 'PUT', '/legal-entities/acme-de', whole)).toMatchObject({ version: 1 });
  await api.refused('VALIDATION_FAILED', 422, 'PUT', '/legal-entities/acme-de', { ...whole, country_code: 'Germany' });
  await api.refused('VALIDATION_FAILED', 422, 'PUT', '/legal-entities/acme-de', { ...whole, iban: '12' });
});

test('what is wrong is refused with what to do', async () => {
  await api.refused('VALIDATION_FAILED', 422, 'PUT', '/legal-entities/default', acme);
  await api.refused('VALIDATION_FAILED', 422, 'PUT', '/legal-entities/x', { ...acme, number_prefix: 'acme' });
  await api.refused('VALIDATION_FAILED', 422, 'PUT', '/legal-entities/-x', acme);
  await api.refused('UNKNOWN_LEGAL_ENTITY', 404, 'GET', '/legal-entities/default');
  await api.expect(201, 'PUT', '/legal-entities/acme-de', acme);
  await api.refused('NUMBER_PREFIX_TAKEN', 409, 'PUT', '/legal-entities/other', acme);
  await api.refused('UNKNOWN_LEGAL_ENTITY', 422, 'PUT', '/customers/c', { ...exampleCustomer, legal_entity: 'other' });
});

test('a customer has a legal entity, whose series its documents are numbered in', async () => {
  await api.expect(201, 'PUT', '/legal-entities/acme-de', acme);
  expect(await api.expect(200, 'GET', '/customers/cust_1')).toMatchObject({ legal_entity: 'default', version: 1 });
  const theirs = { ...exampleCustomer, legal_entity: 'acme-de' };
  expect(await api.expect(201, 'PUT', '/customers/cust_2', theirs)).toMatchObject({ legal_entity: 'acme-de' });
  for (const customer of ['cust_1', 'cust_2']) {
    await api.expect(202, 'POST', `/billing-periods/${customer}/2024-02/close`, {});
  }
  expect(await api.expect(200, 'GET', '/invoices/ACME-DE-INV-000001')).toMatchObject({
    ...{ customer_id: 'cust_2', legal_entity: 'acme-de' },
    seller: { name: 'Acme GmbH', tax_id: 'DE1' },
  });
  expect(await api.expect(200, 'GET', '/invoices/INV-000001')).toMatchObject({ legal_entity: 'default' });
  await api.refused('NUMBER_PREFIX_LOCKED', 409, 'PUT', '/legal-entities/acme-de', { ...acme, number_prefix: 'A' });
  const pdf = await api.send('GET', '/invoices/ACME-DE-INV-000001/pdf');
  expect(pdf.headers['content-disposition']).toContain('ACME-DE-INV-000001.pdf');

  const whole = { last_number: 1, documents: 1, missing: 0, gaps: [], duplicates: [], beyond: null, holds: true };
  expect(await api.expect(200, 'GET', '/number-series')).toEqual({
    holds: true,
    series: [
      { series: 'invoice', legal_entity: 'default', type: 'invoice', numbers: 'INV', ...whole },
      { series: 'acme-de/invoice', legal_entity: 'acme-de', type: 'invoice', numbers: 'ACME-DE-INV', ...whole },
    ],
  });
});
