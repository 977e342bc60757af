/** All versions of price books. */
import { exampleOfAllTests, examplePriceBook } from './support/test-api.js';

const api = exampleOfAllTests();

test('GET /price-books lists versions in the order of learning, page by page, with what corrects what; not customers’ own', async () => {
  const versions = [
    { ...examplePriceBook, code: 'other', version: 'a' },
    { ...examplePriceBook, version: 'wrong', effective_from: '2024-06-01' },
    { ...examplePriceBook, version: 'right', effective_from: '2024-06-01', supersedes: 'wrong' },
  ];
  for (const body of versions) await api.expect(201, 'POST', '/price-books', body);
  const override = { effective_from: '2024-02-01T00:00:00Z', currency: 'USD', prices: examplePriceBook.prices };
  await api.expect(201, 'PUT', '/customers/cust_1/price-overrides', { ...override, reason: 'negotiated' });
  const said: unknown[] = [];
  let cursor: unknown = '';
  while (cursor !== null) {
    const more = cursor === '' ? '' : `&cursor=${encodeURIComponent(String(cursor))}`;
    const page = await api.expect(200, 'GET', `/price-books?limit=2${more}`);
    for (const each of page['data'] as Record<string, unknown>[]) {
      said.push([each['code'], each['version'], each['supersedes'], each['superseded_by']]);
    }
    cursor = page['next_cursor'];
  }
  expect(said.slice(-3)).toEqual([
    ['other', 'a', null, null],
    ['standard', 'wrong', null, 'right'],
    ['standard', 'right', 'wrong', null],
  ]);
  expect(said.filter((each) => String((each as unknown[])[0]).startsWith('override'))).toEqual([]);
  const { data } = await api.expect(200, 'GET', '/price-books?code=other');
  expect(data).toMatchObject([{ code: 'other', version: 'a', prices: examplePriceBook.prices }]);
  await api.refused('INVALID_CURSOR', 400, 'GET', '/price-books?cursor=x');
});
