/** What a price says of how its line is named: read, refused where it is none, written back the same. */
import { DomainFailure } from '../../src/domain/failure.js';
import { parsePriceItem, priceItemProperties, priceItemToWire } from '../../src/domain/rating/price-item.js';

const whole = { charge_code: 'API-1', display_name: 'API calls', unit: 'call', metadata: { gl: '4711' } };
const item = { chargeCode: 'API-1', displayName: 'API calls', unit: 'call', metadata: { gl: '4711' } };

function refusalOf(wire: Readonly<Record<string, unknown>>): unknown {
  try {
    return parsePriceItem(wire, '/prices/0');
  } catch (error) {
    if (!(error instanceof DomainFailure)) throw error;
    return [error.code, error.pointer, error.detail];
  }
}

test('all of it is read, and written back as the same', () => {
  expect(parsePriceItem({ ...whole, model: 'flat' }, '')).toEqual({ item });
  expect(priceItemToWire({ item })).toEqual(whole);
  expect(Object.keys(whole)).toEqual([...priceItemProperties]);
});

test.each(Object.keys(whole) as (keyof typeof whole)[])('only %s is an item of nothing else', (property) => {
  const wire = { [property]: whole[property] };
  const read = parsePriceItem(wire, '');
  expect(Object.keys(read.item ?? {})).toHaveLength(1);
  expect(priceItemToWire(read)).toEqual(wire);
});

test('none of it, nulls and empty metadata are no item at all', () => {
  const nothing = { charge_code: null, display_name: null, unit: null, metadata: null };
  for (const wire of [{}, nothing, { metadata: {} }]) expect(parsePriceItem(wire, '')).toStrictEqual({});
  expect(priceItemToWire({})).toStrictEqual({});
  expect(priceItemToWire({ item: {} })).toStrictEqual({});
});

test.each([
  ['a charge code that is no text', { charge_code: 7 }, '/prices/0/charge_code'],
  ['an empty name', { display_name: '' }, '/prices/0/display_name'],
  ['a unit that is too long', { unit: 'u'.repeat(129) }, '/prices/0/unit'],
  ['metadata that is a list', { metadata: [] }, '/prices/0/metadata'],
  ['metadata that is a text', { metadata: 'x' }, '/prices/0/metadata'],
  ['a property that is no text', { metadata: { a: 'b', gl: 4711 } }, '/prices/0/metadata/gl'],
  ['a text that is too long', { metadata: { gl: 'x'.repeat(257) } }, '/prices/0/metadata/gl'],
  ['a name that is too long', { metadata: { ['n'.repeat(257)]: 'x' } }, `/prices/0/metadata/${'n'.repeat(257)}`],
])('%s is refused, with where it is', (_, wire, pointer) => {
  expect(refusalOf(wire)).toEqual(['VALIDATION_FAILED', pointer, expect.any(String)]);
});

test('32 properties of 256 characters are taken, 33 are refused', () => {
  const of = (count: number): Readonly<Record<string, string>> =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`${index}`.padStart(256, 'n'), `${index}`.padStart(256, 'v')]),
    );
  expect(parsePriceItem({ metadata: of(32) }, '')).toEqual({ item: { metadata: of(32) } });
  expect(refusalOf({ metadata: of(33) })).toEqual([
    'VALIDATION_FAILED',
    '/prices/0/metadata',
    'At most 32 properties are allowed here.',
  ]);
});
