import { join } from 'node:path';
import { readRates } from '../../src/cli/rates/read-rates.js';
import { stubOfEachTest } from './support/stub-api.js';
import type { CliRun } from './support/stub-api.js';

const api = stubOfEachTest();
const { run } = api;
beforeEach(() => {
  api.answer(({ body }) => {
    const { rates } = JSON.parse(body) as { rates: readonly unknown[] };
    return { body: { source: 'ecb', added: rates.length - 1, changed: 1, unchanged: 0 } };
  });
});

interface Sent {
  readonly source: string;
  readonly rates: readonly Readonly<Record<string, string>>[];
}
const sent = (): readonly Sent[] => api.requests.map(({ body }) => JSON.parse(body) as Sent);
const file = (text: string, name = 'rates'): string => api.file(name, text);
const importing = (text: string, ...args: string[]): Promise<CliRun> => run('rates', 'import', file(text), ...args);
const euro = (quote: string, date: string, rate: string) => ({ base: 'EUR', quote, date, rate });

/** In the form of eurofxref-daily.xml and eurofxref-hist.xml. */
const xml = (days: string): string => `<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
  <Cube>${days}</Cube>
</gesmes:Envelope>`;
const daily = `<Cube time='2024-01-31'><Cube currency='USD' rate='1.0837'/><Cube currency='JPY' rate='160.190'/></Cube>`;

describe('files of the ECB', () => {
  test('XML of a day, and of many', async () => {
    const { out, code } = await importing(xml(daily));
    expect({ code, sent: sent() }).toEqual({
      code: 0,
      sent: [{ source: 'ecb', rates: [euro('USD', '2024-01-31', '1.0837'), euro('JPY', '2024-01-31', '160.190')] }],
    });
    expect(out).toMatch(/Source +ecb\nAdded +1\nChanged +1\nKnown already +0\nLeft out +none/);
    expect(api.requests[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    const history = xml(
      `${daily}<Cube time="2024-01-30"><Cube currency="USD" rate="1.0846"/></Cube><Cube time="2024-01-29"/>`,
    );
    expect(readRates(history).rates.map(({ date }) => date)).toEqual(['2024-01-31', '2024-01-31', '2024-01-30']);
  });

  test('CSV of a day, whose date is written out and whose names have spaces', () => {
    const text = 'Date, USD, JPY, \n31 January 2024, 1.0837, 160.19, \n';
    expect(readRates(text)).toEqual({
      source: 'ecb',
      rates: [euro('USD', '2024-01-31', '1.0837'), euro('JPY', '2024-01-31', '160.19')],
      leftOut: [],
    });
    expect(readRates('Date,USD,\n3 May 2024,1.07,\n').rates).toEqual([euro('USD', '2024-05-03', '1.07')]);
  });

  test('CSV of many days: trailing commas, N/A, and currencies that have gone', async () => {
    const text = '\uFEFFDate,USD,CYP,GBP,\r\n2024-01-31,1.0837,N/A,0.85435,\r\n2007-12-31,N/A,0.5842,0.73335,\r\n';
    const { out } = await importing(text, '--json');
    expect(sent()[0]?.rates).toEqual([
      euro('USD', '2024-01-31', '1.0837'),
      euro('GBP', '2024-01-31', '0.85435'),
      euro('GBP', '2007-12-31', '0.73335'),
    ]);
    expect(JSON.parse(out)).toEqual({ source: 'ecb', added: 2, changed: 1, unchanged: 0, left_out: ['CYP'] });
  });

  test('a long one goes in several requests', async () => {
    const days = Array.from({ length: 6_001 }, (_, index) => new Date(index * 86_400_000).toISOString().slice(0, 10));
    await importing(['Date,USD,', ...days.map((day) => `${day},1.1,`)].join('\n'));
    expect(sent().map(({ rates }) => rates.length)).toEqual([5_000, 1_001]);
  });

  test('may be kept under another name', async () => {
    await importing(xml(daily), '--source', 'treasury');
    expect(sent()[0]?.source).toBe('treasury');
  });
});

test('other sources: CSV with base, quote, date and rate, and whose it is', async () => {
  const text = 'quote,base,rate,date\nUSD,KWD,3.2522,2024-01-31\n';
  expect(await importing(text)).toMatchObject({ code: 2, err: expect.stringContaining('give --source') });
  await importing(text, '--source', 'treasury');
  expect(sent()).toEqual([
    { source: 'treasury', rates: [{ base: 'KWD', quote: 'USD', date: '2024-01-31', rate: '3.2522' }] },
  ]);
});

describe('one that is wrong is named with row and column, and nothing is imported', () => {
  test.each<[string, string, string]>([
    [
      'a rate',
      'Date,USD,GBP,\n2024-01-31,1.08,0.85,\n2024-01-30,1.08,0.8.5,\n',
      'row 3, column GBP: Expected a decimal',
    ],
    ['an empty cell', 'Date,USD,GBP,\n2024-01-31,,0.85,\n', 'row 2, column USD: Expected a decimal'],
    ['not above zero', 'Date,USD,\n2024-01-31,0,\n', 'row 2, column USD: An exchange rate is above zero'],
    ['a day', 'Date,USD,\n31.01.2024,1.08,\n', 'row 2, column Date: "31.01.2024" is not a day'],
    ['a day that does not exist', 'Date,USD,\n2024-02-30,1.08,\n', 'row 2, column USD: Expected a calendar day'],
    ['a month', 'Date,USD,\n31 Januar 2024,1.08,\n', 'row 2, column Date: "31 Januar 2024" is not a day'],
    ['a currency', 'Date,USD,Euro,\n2024-01-31,1.08,1,\n', 'row 1, column 3: "Euro" is not the code of a currency'],
    ['two columns', 'Date,USD,USD,\n2024-01-31,1.08,1.09,\n', 'row 1: there are two columns USD'],
    ['a short row', 'Date,USD,GBP,\n2024-01-31,1.08\n', 'row 2: it has 2 fields, the header has 3'],
    ['a long row', 'Date,USD,\n2024-01-31,1.08,0.85,\n', 'row 2: it has 4 fields, the header has 2'],
    [
      'one day twice',
      'Date,USD,\n2024-01-31,1.08,\n2024-01-31,1.09,\n',
      'row 3, column USD: The rate from EUR to USD of 2024-01-31 is there twice',
    ],
    ['own: a rate', 'base,quote,date,rate\nEUR,USD,2024-01-31,one\n', 'row 2, column rate: Expected a decimal'],
    ['own: a code', 'base,quote,date,rate\nEUR,usd,2024-01-31,1\n', 'row 2, column quote: "usd" is not the code'],
    [
      'own: a column',
      'base,quote,day,rate\nEUR,USD,2024-01-31,1\n',
      'row 1: a file of the ECB begins with the column Date',
    ],
    [
      'XML: a rate',
      xml("<Cube time='2024-01-31'><Cube currency='USD' rate='1,08'/></Cube>"),
      'the Cube of 2024-01-31, currency USD: Expected a decimal',
    ],
    [
      'XML: an attribute',
      xml("<Cube time='2024-01-31'><Cube currency='USD'/></Cube>"),
      'the Cube of 2024-01-31, currency USD: the attribute "rate" is missing',
    ],
    ['XML: no time', xml("<Cube><Cube currency='USD' rate='1'/></Cube>"), 'day 1: the attribute "time" is missing'],
    ['XML: cut short', xml(daily).slice(0, 400), 'the file is not XML'],
    ['XML of something else', '<rss><channel/></rss>', 'the file has no <Cube time='],
    ['no rate at all', 'Date,USD,\n2024-01-31,N/A,\n', 'the file has no exchange rate'],
    [
      'only a misspelt currency',
      'base,quote,date,rate\nEUR,XXQ,2024-01-31,1.1\n',
      'the file has rates of no current currency, only of XXQ',
    ],
    [
      'own: two columns',
      'base,quote,date,rate,rate\nEUR,USD,2024-01-31,1.1,1.2\n',
      'row 1: there are two columns rate',
    ],
    ['an archive', 'PK\u0003\u0004', 'unpack it first'],
    ['an empty file', '', 'row 1: a file of the ECB begins with'],
  ])('%s', async (_what, text, message) => {
    const { code, err } = await importing(text);
    expect(err).toContain(message);
    expect(err).toMatch(/[^.]\. Nothing was imported\.\n$/);
    expect({ code, requests: api.requests.length }).toEqual({ code: 1, requests: 0 });
  });

  test('a file that is not there', async () => {
    expect(await run('rates', 'import', join(api.folder, 'none.xml'))).toMatchObject({ code: 2 });
  });
});

test('list shows what holds', async () => {
  const data = [
    { ...euro('USD', '2024-01-31', '1.0837'), source: 'ecb', imported_by: 'ada', learned_at: '2024-01-31T16:00:00Z' },
  ];
  api.answer(() => ({ body: { data, next_cursor: 'abc' } }));
  const { out, err } = await run(
    'rates',
    'list',
    '--source',
    'ecb',
    '--quote',
    'USD',
    '--on',
    '2024-02-01',
    '--limit',
    '1',
  );
  expect(out).toMatch(/2024-01-31.*ecb.*EUR.*USD.*1\.0837.*ada/);
  expect(err).toContain('--cursor abc');
  expect(api.requests[0]).toMatchObject({
    path: '/exchange-rates',
    query: { source: 'ecb', quote: 'USD', on: '2024-02-01', limit: '1' },
  });
});

test('a charge in another currency shows rate, day and source', async () => {
  const conversion = {
    ...{ from: 'USD', to: 'EUR', rate: '0.8', rate_date: '2024-01-31', source: 'ecb', amount: '94.976' },
    inputs: [{ base: 'EUR', quote: 'USD', rate: '1.25' }],
  };
  api.answer(() => ({ body: { charge_id: 'c', amount: '118.72', currency: 'USD', calculation: { conversion } } }));
  const { out } = await run('charges', 'show', 'c');
  expect(out).toMatch(/Converted +94\.976 EUR, at 0\.8 EUR for 1 USD/);
  expect(out).toMatch(/Exchange rate +1 EUR = 1\.25 USD, published on 2024-01-31 \(ecb\)/);
  const converted = { ...conversion, price: '200.00', rounding: 'half_even' };
  const calculation = { commitment: { minimum: '160.00', lines: '94.98', converted } };
  api.answer(() => ({ body: { charge_id: 'c', amount: '65.02', currency: 'EUR', calculation } }));
  const commitment = await run('charges', 'show', 'c');
  expect(commitment.out).toMatch(/Commitment +200\.00 USD, at 0\.8 EUR for 1 USD/);
  expect(commitment.out).not.toContain('Converted');
});
