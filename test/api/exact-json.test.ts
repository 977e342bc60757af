import fc from 'fast-check';
import { NumberText, parseExactJson, stringifyExactJson } from '../../src/api/ingest/exact-json.js';

test.each([
  ['a long integer', '{"n":12345678901234567890}', { n: new NumberText('12345678901234567890') }],
  ['a long fraction', '[0.1000000000000000055]', [new NumberText('0.1000000000000000055')]],
  ['an exponent', '{"n": 1e5}', { n: new NumberText('1e5') }],
  ['a fraction that JavaScript prints with an exponent', '{"n":0.0000001}', { n: new NumberText('0.0000001') }],
  ['a negative one', '{"n":-0.0000001}', { n: new NumberText('-0.0000001') }],
  ['one that is the whole body', '12345678901234567890', new NumberText('12345678901234567890')],
  ['after white space', '{"n" :\n 1E+2 , "m":[ 2 ]}', { n: new NumberText('1E+2'), m: [2] }],
  [
    'fifteen digits, which a float holds',
    '{"n":123456789012345,"m":0.1234567890123}',
    { n: 123456789012345, m: 0.1234567890123 },
  ],
  [
    'digits inside a string',
    '{"n":"a,1e5 [12345678901234567890","m":1e5}',
    { n: 'a,1e5 [12345678901234567890', m: new NumberText('1e5') },
  ],
  [
    'quotes and backslashes inside strings',
    String.raw`{"a\"b\\":"\\\"1e5","n":1e5}`,
    { 'a"b\\': '\\"1e5', n: new NumberText('1e5') },
  ],
])('%s', (_name, text, expected) => {
  expect(parseExactJson(text)).toEqual(expected);
});

test.each([
  ['a number that JSON does not have', '{"n":0123456789012345678}'],
  ['two points', '{"n":1.5.1234567890123456}'],
  ['a number as a key', '{12345678901234567890:1}'],
  ['a number that runs into a word', '{"n":12345678901234567890x}'],
  ['a sign alone', '{"n":-}'],
  ['an unfinished exponent', '{"n":1e}'],
  ['an unfinished string', '{"n":1e5,"m":"1234567890123456'],
])('refuses %s, as JSON.parse does', (_name, text) => {
  expect(() => JSON.parse(text)).toThrow(SyntaxError);
  expect(() => parseExactJson(text)).toThrow(SyntaxError);
});

test('the sentence about a fault shows the text as it was sent, and never the marker', () => {
  const text = '{"n":1e5,}';
  const messageOf = (parse: (text: string) => unknown): string => {
    try {
      parse(text);
      return '';
    } catch (error) {
      return String(error);
    }
  };
  expect(messageOf(parseExactJson)).toBe(messageOf(JSON.parse));
  expect(messageOf(parseExactJson)).toMatch(/SyntaxError/);
});

test('a body cannot forge the marker of a number', () => {
  const text = '{"n":{"text":"5"},"m":{"number":"5"},"k":1e5}';
  const { n, m } = parseExactJson(text) as { readonly n: unknown; readonly m: unknown };
  expect(n).not.toBeInstanceOf(NumberText);
  expect(m).not.toBeInstanceOf(NumberText);
});

const numberText = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.bigInt({ min: 0n, max: 10n ** 30n }),
    fc.option(fc.stringMatching(/^\d{1,25}$/)),
    fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), fc.integer({ min: 0, max: 30 }))),
  )
  .map(
    ([sign, whole, fraction, exponent]) =>
      `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : exponent.join('')}`,
  );

test('any number is either carried as its text, or as a float that prints the same value', () => {
  fc.assert(
    fc.property(numberText, fc.constantFrom('', ' ', '\n'), (text, space) => {
      const [value] = parseExactJson(`[${space}${text}]`) as readonly unknown[];
      if (value instanceof NumberText) expect(value.text).toBe(text);
      else {
        expect(String(value)).not.toMatch(/e/);
        expect(normalised(String(value))).toBe(normalised(text));
      }
    }),
  );
});

/** A plain decimal without superfluous zeros and without the sign of zero. */
function normalised(text: string): string {
  const plain = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  return plain === '-0' ? '0' : plain;
}

test('JSON values without numbers that need it come through unchanged, and are written unchanged', () => {
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: 'small' }), (value) => {
      const text = JSON.stringify(value);
      expect(JSON.parse(stringifyExactJson(parseExactJson(text)))).toEqual(JSON.parse(text));
    }),
  );
});
