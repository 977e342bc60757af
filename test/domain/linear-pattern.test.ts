/** Patterns mean what ECMAScript says, in a time that no text can stretch. */
import { Script } from 'node:vm';
import fc from 'fast-check';
import { compileEventSchema, schemaFormats } from '../../src/api/ingest/event-schema-validator.js';
import { schemaProblems, type JsonSchemaObject, type JsonValue } from '../../src/domain/metering/json-schema.js';
import { matchesPattern, patternProblem, patternSteps } from '../../src/domain/metering/linear-pattern.js';

/** Ends what would never end, instead of hanging the run; what is linear takes a ten thousandth of it. */
const ended = new Script('run()');
function inTime<T>(run: () => T): T {
  return ended.runInNewContext({ run }, { timeout: 60_000 }) as T;
}

/**
 * As ECMA-262 has it (RegExpBuiltinExec): tried at each character in turn. V8 also tries within a surrogate pair, where `\B` holds
 * and should not be asked.
 */
function native(pattern: string, text: string): boolean {
  const expression = new RegExp(pattern, 'uy');
  let at = 0;
  for (const character of [...text, '']) {
    expression.lastIndex = at;
    if (expression.test(text)) return true;
    at += character.length;
  }
  return false;
}

/** null: there is no telling, because V8 backtracks for longer than anybody waits. */
function nativeInTime(pattern: string, texts: readonly string[]): readonly boolean[] | null {
  try {
    const run = () => texts.map((text) => native(pattern, text));
    return ended.runInNewContext({ run }, { timeout: 500 }) as readonly boolean[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null;
    throw error;
  }
}

const characters = [
  'a',
  'b',
  'A',
  'K',
  '\u212a',
  '\u017f',
  '1',
  '_',
  '-',
  '.',
  ' ',
  '\t',
  '\n',
  '\r',
  '\u000b',
  '\u0085',
];
const beyondAscii = [
  '\u00a0',
  '\u2028',
  '\u2029',
  '\ufeff',
  '\u200b',
  '\u180e',
  'é',
  'σ',
  'ß',
  '中',
  '😀',
  '𝐚',
  '\u0301',
];
const alphabet = [...characters, ...beyondAscii, '/', '\\', ']', '^', '$', '{'];

describe('the same as ECMAScript', () => {
  const escaped = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/]/u, String.raw`\$&`);
  const written = fc.constantFrom(...alphabet).chain((character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    const units = [...Array(character.length).keys()].map((at) =>
      character.charCodeAt(at).toString(16).padStart(4, '0'),
    );
    return fc.constantFrom(escaped(character), `\\u{${hex}}`, units.map((unit) => `\\u${unit}`).join(''));
  });
  const sets = [
    '\\d',
    '\\D',
    '\\w',
    '\\W',
    '\\s',
    '\\S',
    '\\p{L}',
    '\\P{Lu}',
    '\\p{Nd}',
    '\\p{Script=Greek}',
    '\\p{Letter}',
  ];
  const controls = ['\\t', '\\n', '\\v', '\\f', '\\r', '\\x00', '\\cJ', '\\x41', '\\/', '\\.'];
  const anySet = fc.constantFrom(...sets, ...controls);
  const range = fc.constantFrom('a-b', 'A-z', '0-9', '\\t-\\r', '\\u{1f600}-\\u{1f64f}', '\\u2000-\\u200f', '+--');
  const inClass = fc.oneof(
    written.filter((text) => text !== '-'),
    anySet,
    range,
    fc.constant('\\-'),
    fc.constant('\\b'),
  );
  const characterClass = fc
    .tuple(fc.boolean(), fc.array(inClass, { maxLength: 4 }))
    .map(([negated, members]) => `[${negated ? '^' : ''}${members.join('')}]`);
  const times = fc.constantFrom(
    '',
    '',
    '',
    '*',
    '+',
    '?',
    '*?',
    '+?',
    '??',
    '{0}',
    '{2}',
    '{0,1}',
    '{1,2}',
    '{2,}',
    '{2,3}?',
  );
  const { pattern } = fc.letrec<{ pattern: string; term: string; atom: string }>((tie) => ({
    atom: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      written,
      anySet,
      fc.constant('.'),
      characterClass,
      tie('pattern').map((inner) => `(${inner})`),
      tie('pattern').map((inner) => `(?:${inner})`),
    ),
    term: fc.oneof(
      { weight: 6, arbitrary: fc.tuple(tie('atom'), times).map((parts) => parts.join('')) },
      { weight: 2, arbitrary: fc.constantFrom('^', '$', '\\b', '\\B') },
    ),
    pattern: fc
      .array(fc.array(tie('term'), { maxLength: 4 }), { minLength: 1, maxLength: 3 })
      .map((branches) => branches.map((terms) => terms.join('')).join('|')),
  }));
  const text = fc.array(fc.constantFrom(...alphabet), { maxLength: 7 }).map((each) => each.join(''));

  test('for random patterns and texts', () => {
    const seen = { matched: 0, others: 0 };
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 8, maxLength: 8 }), (made, texts) => {
        if (matchesPattern(made, '') === null) {
          // Repetitions of repetitions: refused by their size, and by nothing else.
          expect(patternProblem(made)).toMatch(/too large/);
          return;
        }
        const all = ['', ...texts];
        const expected = nativeInTime(made, all);
        if (expected === null) return;
        for (const is of expected) seen[is ? 'matched' : 'others'] += 1;
        const found = all.map((each) => matchesPattern(made, each));
        expect({ made, all, found }).toEqual({ made, all, found: expected });
      }),
      { numRuns: Number(process.env['PATTERN_RUNS'] ?? 1_000) },
    );
    // Patterns that match everything, or nothing, would agree on anything.
    expect(seen.matched).toBeGreaterThan(1_000);
    expect(seen.others).toBeGreaterThan(1_000);
  });

  const sample = Array.from({ length: 0x110000 }, (_, point) => point).filter(
    (point) => point < 0xd800 || point > 0xdfff,
  );
  test.each(['.', '\\s', '\\S', '\\w', '\\W', '\\d', '\\D', '[^a]', '[^\\s]', '[\\S]', '[^]', '[]'])(
    'for every character of the first blocks: %s',
    (set) => {
      const expression = new RegExp(`^${set}$`, 'u');
      const differing = sample.filter((point) => {
        const character = String.fromCodePoint(point);
        return expression.test(character) !== matchesPattern(`^${set}$`, character);
      });
      expect(differing).toEqual([]);
    },
  );

  test.each([
    'L',
    'Lu',
    'LC',
    'Nd',
    'Decimal_Number',
    'gc=Punctuation',
    'Sc',
    'Zs',
    'Script=Han',
    'sc=Greek',
    'Any',
    'Emoji',
  ])('for every assigned character of the first blocks: \\p{%s}', (name) => {
    const expression = new RegExp(`^\\p{${name}}$`, 'u');
    const isAssigned = /\P{Cn}/u;
    const differing = sample.filter((point) => {
      const character = String.fromCodePoint(point);
      return isAssigned.test(character) && expression.test(character) !== matchesPattern(`^\\p{${name}}$`, character);
    });
    // Another edition of Unicode may have moved a few characters; ours is that of the package.
    expect(differing.length).toBeLessThan(50);
  });
});

describe('in time', () => {
  const host = '^(prod|dev)-([a-z0-9]+-?)+$';
  test.each([
    [host, `prod-${'a'.repeat(40)}_`],
    [host, `prod-${'a'.repeat(500)}_`],
    ['(zq9|zq9zq9)*#', 'zq9'.repeat(170)],
    ['^(a+)+$', `${'a'.repeat(500)}!`],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(512)],
    ['^(\\w+\\s?)*$', `${'word '.repeat(100)}!`],
    ['(x|x|xx)*y', 'x'.repeat(512)],
    ['.*.*.*.*.*=', 'a'.repeat(512)],
    ['^(?:a?){60}a{60}$', 'a'.repeat(59)],
    ['[ab]*a[ab]{400}c', 'ab'.repeat(256)],
  ])('%s', (pattern, text) => {
    const schema = { properties: { a: { pattern } }, patternProperties: { [pattern]: { type: 'string' } } };
    expect(inTime(() => schemaProblems(schema))).toEqual([]);
    // A property of the schema, and one of the metadata: the name is held against patterns, too.
    const named = { ...schema, properties: { ...schema.properties, [text]: true } } as JsonSchemaObject;
    const validate = inTime(() => compileEventSchema(named));
    expect(inTime(() => validate({ a: text }))).toMatchObject({ pointer: '/a' });
    expect(inTime(() => validate({ [text]: 1 }))).toBeNull();
  });

  const digits = '1'.repeat(1_000_000);
  test.each<readonly [string, string]>([
    ['date-time', `2024-01-01T00:00:00.${digits}`],
    ['date-time', `2024-01-01${'t'.repeat(1_000_000)}`],
    ['date', `${digits}-`],
    ['time', `00:00:00.${digits}!`],
    ['duration', `P${digits}`],
    ['duration', `P1Y${digits}M${digits}`],
    ['duration', `PT${digits}H${digits}`],
    ['uuid', `urn:uuid:${digits}`],
    ['ipv4', '1.'.repeat(500_000)],
    ['ipv6', '1:'.repeat(500_000)],
    ['ipv6', `${':1'.repeat(500_000)}g`],
  ])('the format %s, of a million characters that nearly match', (format, text) => {
    expect(schemaFormats).toContain(format);
    const validate = compileEventSchema({ properties: { a: { type: 'string', format } } });
    expect(inTime(() => validate({ a: text }))).toMatchObject({ pointer: '/a' });
  });
});

describe('what is taken', () => {
  test.each([
    ['^(?!test).*$', /lookahead, "\(\?!test\)" at character 2.*"not"/],
    ['^(?=.*[0-9])a', /lookahead.*"allOf"/],
    ['(?<=a)b', /lookbehind, "\(\?<=a\)" at character 1/],
    ['(?<!a)b', /lookbehind/],
    ['^(a|b)\\1$', /back-reference, "\\\\1" at character 7.*"enum"/],
    ['(?<x>a)\\k<x>', /back-reference/],
    ['[\\ud800-\\udbff]', /half of a surrogate pair.*\\u\{1F600\}/],
    ['\\ud83d', /half of a surrogate pair/],
    ['\\p{Script_Extensions=Greek}', /not known here.*long name/],
    ['\\p{ID_Start}', /not known here/],
    ['\\p{Nonsense}', /Invalid regular expression.*Invalid property name/],
    ['(', /Invalid regular expression.*at character 2/],
    ['a{2,1}', /numbers out of order/],
    ['\\z', /Invalid escape/],
    ['(?i:a)', /Invalid regular expression/],
    ['^.{1,1001}$', /has \d+ characters and classes, of 1000.*"maxLength"/],
    ['((a{100}){100}){100}', /too large/],
    ['((a{99999999}){99999999}){99999999}', /too large.*far more/],
    ['(?:){2000}', /too large/],
    ['((x{0,30}){0,30}){0,30}', /too large/],
  ])('not %s', (pattern, reason) => {
    expect(patternProblem(pattern)).toMatch(reason);
    expect(matchesPattern(pattern, 'a')).toBeNull();
    expect(schemaProblems({ properties: { 'a/b': { pattern } } })).toMatchObject([
      { pointer: '/properties/a~1b/pattern', detail: expect.stringContaining('cannot be taken. ') },
    ]);
    const pointer = `/patternProperties/${pattern.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    expect(schemaProblems({ patternProperties: { [pattern]: true } })).toMatchObject([{ pointer }]);
    expect(() => compileEventSchema({ properties: { a: { pattern } } })).toThrow(/cannot be evaluated/);
    expect(() => compileEventSchema({ patternProperties: { [pattern]: { type: 'null' } } })).toThrow(
      /cannot be evaluated/,
    );
  });

  test.each<readonly [string, number]>([
    ['a', 2],
    ['^[a-z0-9-]{1,63}$', 66],
    ['^.{990}$', 993],
    ['(a|bc){10}', 51],
    ['a*b{3,}', 5],
  ])('%s costs %i steps a character at most', (pattern, steps) => {
    expect(patternSteps(pattern)).toBe(steps);
  });

  test('patterns together are bounded, with references written out', () => {
    const named = (count: number): JsonSchemaObject => ({
      properties: Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${at}`, { $ref: '#/$defs/text' }])),
      $defs: { text: { pattern: '^[a-z]{1,600}$' } },
    });
    expect(schemaProblems(named(7))).toEqual([]);
    expect(schemaProblems(named(8))).toMatchObject([
      { pointer: '', detail: expect.stringMatching(/have 5427 .*at most 5000/) },
    ]);
  });

  test('thousands of patterns are not kept, and go on matching', () => {
    for (let turn = 0; turn < 2; turn += 1) {
      for (let at = 0; at < 2_500; at += 1) {
        expect(matchesPattern(`^x${at}$`, `x${at}`)).toBe(true);
        expect(matchesPattern(`^x${at}$`, `x${at}0`)).toBe(false);
      }
    }
  });

  test('properties that a pattern matches, too, hold to both', () => {
    const validate = compileEventSchema({
      properties: { ab: { type: 'number' } },
      patternProperties: { '^a': { maximum: 5 }, '^b': { type: 'string' } },
      additionalProperties: false,
    });
    const valid = (metadata: Readonly<Record<string, JsonValue>>): boolean => validate(metadata) === null;
    expect([{ ab: 5 }, { ab: 6 }, { ab: 'x' }, { ac: 'x' }, { bc: 1 }, { c: 1 }].map(valid)).toEqual([
      true,
      false,
      false,
      true,
      false,
      false,
    ]);
  });
});
