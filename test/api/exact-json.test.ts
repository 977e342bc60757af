import fc from 'fast-check';
import {
  beginningOfJson,
  depthOf,
  NumberText,
  parseExactJson,
  stringifyDeepJson,
  stringifyExactJson,
} from '../../src/api/ingest/exact-json.js';

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
  [
    'words beside numbers',
    '[true,1e5,false,-1E-5,null,0.0000001,true]',
    [true, new NumberText('1e5'), false, new NumberText('-1E-5'), null, new NumberText('0.0000001'), true],
  ],
])('%s', (_name, text, expected) => {
  expect(parseExactJson(text)).toEqual(expected);
});

describe('the time grows with the length of the text, not with its square', () => {
  const refused = (work: () => unknown): void => {
    expect(work).toThrow(SyntaxError);
  };
  test.each<[string, (size: number) => string, (text: string) => void]>([
    [
      'of a string that does not end',
      (size) => `[1e1,"${'\\"'.repeat(size)}`,
      (text) => refused(() => parseExactJson(text)),
    ],
    ['of many strings', (size) => `[1e1${',"a\\\\"'.repeat(size)}]`, (text) => void parseExactJson(text)],
    ['of backslashes', (size) => `[1e1,"${'\\\\'.repeat(size)}"]`, (text) => void parseExactJson(text)],
    ['of escaped quotes', (size) => `[1e1,"${'\\"'.repeat(size)}"]`, (text) => void parseExactJson(text)],
    ['of numbers', (size) => `[${'1e1,'.repeat(size)}1]`, (text) => void parseExactJson(text)],
    ['of a long number', (size) => `[1${'0'.repeat(size)}]`, (text) => void parseExactJson(text)],
    ['of white space', (size) => `[1e1,${' '.repeat(size)}1]`, (text) => void parseExactJson(text)],
    ['of the depth, too', (size) => `["${'\\"'.repeat(size)}`, (text) => void depthOf(text)],
  ])('%s', (_name, textOf, work) => {
    // Of the processor, since others use it as well.
    const best = (size: number, times: number): number => {
      const text = textOf(size);
      const once = (): number => {
        const begin = process.cpuUsage();
        for (let time = 0; time < times; time += 1) work(text);
        return process.cpuUsage(begin).user;
      };
      return Math.min(...Array.from({ length: 5 }, once));
    };
    // As much text at once as in 64 pieces: that is as long, against 64 times as long.
    const inPieces = Math.max(best(2_000, 64), 2_000);
    expect(best(128_000, 1) / inPieces).toBeLessThan(16);
  });
});

test('a long string full of escapes is no deep nesting', () => {
  const string = '\\"'.repeat(2_500_000);
  expect(parseExactJson(`[1e1,"${string}"]`)).toEqual([new NumberText('1e1'), '"'.repeat(2_500_000)]);
});

test('nesting costs no stack', () => {
  const levels = 1_000_000;
  let value = parseExactJson(`${'['.repeat(levels)}1e1${']'.repeat(levels)}`);
  let depth = 0;
  for (; Array.isArray(value); value = (value as readonly (typeof value)[])[0] ?? null) depth += 1;
  expect([depth, value]).toEqual([levels, new NumberText('1e1')]);
});

test('what is nested too deeply to be written with the stack is written without it', () => {
  const text = `[{"a":1e1,"b":${'[{"c":'.repeat(100_000)}"d"${'}]'.repeat(100_000)}},1,{}]`;
  const value = parseExactJson(text);
  expect(() => stringifyExactJson(value)).toThrow(RangeError);
  expect(stringifyDeepJson(value)).toBe(text);
});

test('a number in a property named __proto__ stays there', () => {
  const value = parseExactJson('{"__proto__":1e5}');
  expect(Object.entries(value as object)).toEqual([['__proto__', new NumberText('1e5')]]);
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
});

test.each([
  ['[[{"a":[]}],[]]', 4],
  ['"[[["', 0],
  [String.raw`["\\"[[`, 3],
  [String.raw`["\"[[`, 1],
])('depth of %s', (text, depth) => {
  expect(depthOf(text)).toBe(depth);
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

test.each([
  ['{"a":"x","b":[1,{"c":null}],"d":1e5}', 1_000],
  ['[]', 10],
  ['{"":[[],{}],"\\u00e9\\"":[true,1e400]}', 100],
])('the beginning of %s', (text, length) => {
  const value = parseExactJson(text);
  const whole = stringifyExactJson(value);
  expect(beginningOfJson(value, length)).toBe(whole);
  for (let some = 1; some < whole.length; some += 1) {
    const beginning = beginningOfJson(value, some);
    expect(beginning.length).toBeGreaterThanOrEqual(some);
    expect(whole.startsWith(beginning)).toBe(true);
  }
});

test('a member named __proto__ is one like any other', () => {
  const value = parseExactJson('{"__proto__":{"a":1},"n":1e5}') as Readonly<Record<string, unknown>>;
  expect(Object.keys(value)).toEqual(['__proto__', 'n']);
  expect(value['a']).toBeUndefined();
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
      expect(stringifyDeepJson(parseExactJson(text))).toBe(stringifyExactJson(parseExactJson(text)));
    }),
  );
});
