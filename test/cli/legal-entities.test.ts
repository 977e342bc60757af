import { stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { run, paths } = api;

const acme = {
  ...{ code: 'acme-de', version: 2, number_prefix: 'ACME-DE', name: 'Acme GmbH', tax_id: 'DE1' },
  ...{ defined_by: 'ada', defined_at: '2024-03-01T00:00:00Z' },
};

it('lists and shows legal entities, with what they were before', async () => {
  api.answer(({ path }) => ({
    body:
      path === '/legal-entities'
        ? { data: [acme] }
        : { ...acme, versions: [{ ...acme, name: 'Old', version: 1 }, acme] },
  }));
  expect((await run('legal-entities')).out).toMatch(/acme-de.*ACME-DE.*Acme GmbH.*DE1.*2.*ada/);
  expect((await run('legal-entities', 'show', 'acme-de')).out).toMatch(/Numbers begin with +ACME-DE[\s\S]*Old/);
  expect(paths()).toEqual(['GET /legal-entities', 'GET /legal-entities/acme-de']);
});

it('sets all of one; what is not given is not said', async () => {
  api.answer(() => ({ body: acme }));
  const { code } = await run('legal-entities', 'set', 'acme-de', '--number-prefix', 'ACME-DE', '--name', 'Acme GmbH');
  expect(code).toBe(0);
  expect(paths()).toEqual(['PUT /legal-entities/acme-de']);
  expect(JSON.parse(api.requests[0]?.body ?? '')).toEqual({ number_prefix: 'ACME-DE', name: 'Acme GmbH' });
});

it('says what e-invoices need of it', async () => {
  api.answer(() => ({ body: { ...acme, city: 'Hamburg', country_code: 'DE', vat_id: 'DE9', iban: 'DE02' } }));
  const facts = ['--country', 'DE', '--vat-id', 'DE9', '--iban', 'DE02', '--city', 'Hamburg', '--postal-code', '20457'];
  const said = ['set', 'acme-de', '--number-prefix', 'ACME-DE', '--name', 'Acme GmbH', '--tax-id', 'DE1', ...facts];
  const { out } = await run('legal-entities', ...said);
  expect(JSON.parse(api.requests[0]?.body ?? '')).toEqual({
    ...{ number_prefix: 'ACME-DE', name: 'Acme GmbH', tax_id: 'DE1' },
    ...{ country_code: 'DE', vat_id: 'DE9', iban: 'DE02', city: 'Hamburg', postal_code: '20457' },
  });
  expect(out).toMatch(/VAT id +DE9[\s\S]*Place +Hamburg, DE[\s\S]*IBAN +DE02/);
});

it('a customer is put with its legal entity', async () => {
  api.answer(() => ({ body: {} }));
  await run(
    'customers',
    'put',
    'c',
    ...['--name', 'C', '--currency', 'USD', '--price-book', 'p'],
    '--legal-entity',
    'acme-de',
  );
  expect(JSON.parse(api.requests[0]?.body ?? '')).toMatchObject({ legal_entity: 'acme-de' });
});

const series = {
  ...{ series: 'invoice', legal_entity: 'default', type: 'invoice', numbers: 'INV', last_number: 3, documents: 3 },
  ...{ missing: 0, gaps: [], duplicates: [], beyond: null, holds: true },
};

it('numbers check ends well where every series holds', async () => {
  api.answer(() => ({ body: { holds: true, series: [series] } }));
  const { code, out } = await run('invoices', 'numbers', 'check');
  expect({ code, path: paths() }).toEqual({ code: 0, path: ['GET /number-series'] });
  expect(out).toMatch(/invoice.*INV-000003.*3.*0.*holds/);
});

it('numbers check names gaps and duplicates by series, and fails', async () => {
  const gaps = [
    { from: 2, to: 2 },
    { from: 5, to: 7 },
  ];
  const broken = {
    ...series,
    series: 'acme/correction',
    numbers: 'ACME-COR',
    missing: 4,
    gaps,
    duplicates: [1],
    holds: false,
  };
  const nobody = { ...series, series: 'X', legal_entity: null, beyond: 9, holds: false };
  api.answer(() => ({ body: { holds: false, series: [series, broken, nobody] } }));
  const { code, out, err } = await run('invoices', 'numbers', 'check');
  expect(code).not.toBe(0);
  expect(out).toMatch(/acme\/correction.*ACME-COR-000003.*3.*4.*2, 5–7.*1.*BROKEN/);
  expect(out).toMatch(/X \(unknown\).* 9 .*BROKEN/);
  expect(err).toContain('the numbers of acme/correction, X do not hold');
});
