/** docs/guides/PRICES.md: what it shows is accepted as it stands there, and comes to what it says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { quantityOf } from '../src/cli/quantity.js';
import { rateQuantities } from '../src/domain/evaluation/rate-quantities.js';
import type { AskedQuantity } from '../src/domain/evaluation/rate-quantities.js';
import type { Meter } from '../src/domain/metering/meter.js';
import { parsePriceBook, requireMetersOf } from '../src/domain/rating/parse-price-book.js';
import type { PriceBookContent } from '../src/domain/rating/parse-price-book.js';
import { instant, january, meter } from './support/rating-input.js';

const guide = readFileSync(join(process.cwd(), 'docs/guides/PRICES.md'), 'utf8');
const [wireMeters, wireBook] = [...guide.matchAll(/^```json\n(.*?)^```/gms)].map(
  ([, json = '']) => JSON.parse(json) as unknown,
);
const meters = (wireMeters as { code: string; group_by?: string[] }[]).map(({ code, group_by: groupBy = [] }): Meter =>
  meter({ code, groupBy }),
);

function accepted(wire: unknown): PriceBookContent {
  const book = parsePriceBook(wire);
  requireMetersOf(book, meters, wire);
  return book;
}

test('its price book prices the quantities as it says', () => {
  const [command = ''] = /^reckoner prices evaluate .*$/m.exec(guide) ?? [];
  const quantities = [...command.matchAll(/--quantity '?([^\s']+)/g)].map(([, text = '']) => ({
    group: {},
    ...(quantityOf(text) as Omit<AskedQuantity, 'group'>),
  }));
  const next = { from: january.to, to: instant('2024-03-01T00:00:00.000000Z') };
  const book = { ...accepted(wireBook), priceBookId: 'team/2024-01', learnedOrder: 1 };
  const { lines, problems } = rateQuantities(book, quantities, { meters, period: january, next });
  expect(problems).toEqual([]);
  const amounts = lines.map(({ meter: code, name, group, amount }) => [code ?? name, group['region'], Number(amount)]);
  expect(amounts).toEqual([
    ['api_calls', undefined, 118.8],
    ['egress', 'eu', 8],
    ['egress', 'us', 10],
    ['payments', undefined, 0],
    ['Platform fee', undefined, 30],
  ]);
  expect(guide).toContain('comes to 166.80');
});

test('its override is accepted', () => {
  const [, json = ''] = /-d '(.*?)'/s.exec(guide) ?? [];
  const { reason, ...terms } = JSON.parse(json) as { readonly reason: string };
  expect(reason).not.toBe('');
  expect(accepted({ ...terms, code: 'override', version: '1', currency: 'USD' }).prices).toHaveLength(2);
});
