import fc from 'fast-check';
import { isLosslessNumber, parse as parseLossless } from 'lossless-json';
import {
  canonicalEvent,
  type EventContent,
  type IdentifiedContent,
  sameContent,
} from '../../src/domain/metering/canonical-content.js';
import { type Metadata, numberTextOf, readScalar, readValue } from '../../src/domain/metering/metadata.js';
import { parseInstant } from '../../src/domain/time/instant.js';
import { codeOf } from './support/failures.js';

/** As the ingest parser carries numbers that a float would change. */
class NumberText {
  constructor(readonly text: string) {}
}

const time = parseInstant('2024-01-15T10:00:00Z');

function event(metadata: Metadata, rest: Partial<IdentifiedContent> = {}): IdentifiedContent {
  return { customerId: 'c', source: '', eventId: 'e', eventType: 'call', eventTime: time, metadata, ...rest };
}

function content(metadata: Metadata, rest: Partial<EventContent> = {}): EventContent {
  return { eventType: 'call', eventTime: time, metadata, ...rest };
}

const json = (text: string): Metadata => JSON.parse(text) as Metadata;
const lossless = (text: string): Metadata => parseLossless(text) as Metadata;

describe('the canonical text', () => {
  test('is the text that stored hashes were taken over: it must never change', () => {
    const metadata = lossless(
      '{"b": [1.50, "1.50", true, null], "a": {"y": 1e2, "x": -0.0}, "ü\\n": 12345678901234567890.5}',
    );
    expect(canonicalEvent(event(metadata, { customerId: 'cust "1"', source: 'api', eventId: 'evt_1' }))).toBe(
      '["cust \\"1\\"","api","evt_1","call","2024-01-15T10:00:00.000000Z",' +
        '{"a":{"x":0,"y":100},"b":[1.5,"1.50",true,null],"ü\\n":12345678901234567890.5}]',
    );
  });

  const same: readonly [string, Metadata, Metadata][] = [
    ['key order', json('{"a":1,"b":2}'), json('{"b":2,"a":1}')],
    ['key order inside', json('{"o":{"a":1,"b":2}}'), json('{"o":{"b":2,"a":1}}')],
    ['notation of a number', json('{"n":10}'), lossless('{"n":1.0e1}')],
    ['trailing zeros of a number', json('{"n":1.5}'), lossless('{"n":1.500}')],
    ['minus zero', json('{"n":0}'), json('{"n":-0}')],
    ['the parser', json('{"n":0.1}'), { n: new NumberText('0.1') }],
    ['a small number', json('{"n":1e-7}'), lossless('{"n":0.0000001}')],
  ];
  test.each(same)('does not show %s', (_name, a, b) => {
    expect(canonicalEvent(event(a))).toBe(canonicalEvent(event(b)));
    expect(sameContent(content(a), content(b), new Set())).toBe(true);
  });

  const different: readonly [string, Metadata, Metadata][] = [
    ['a number and a string', json('{"n":10}'), json('{"n":"10"}')],
    ['two notations in strings', json('{"n":"10"}'), json('{"n":"10.0"}')],
    ['null and missing', json('{"n":null}'), json('{}')],
    ['null and its name', json('{"n":null}'), json('{"n":"null"}')],
    ['true and its name', json('{"n":true}'), json('{"n":"true"}')],
    ['order in a list', json('{"n":[1,2]}'), json('{"n":[2,1]}')],
    ['nesting', json('{"n":[[1],2]}'), json('{"n":[1,[2]]}')],
    ['integers that are one float', lossless('{"n":9007199254740993}'), lossless('{"n":9007199254740992}')],
    ['a number and an object that looks like its carrier', json('{"n":1}'), json('{"n":{"text":"1"}}')],
    [
      'a number and an object that poses as lossless',
      json('{"n":1}'),
      json('{"n":{"isLosslessNumber":true,"value":"1"}}'),
    ],
    ['a number and an object with a forged prototype', json('{"n":1}'), json('{"n":{"__proto__":{"text":"1"}}}')],
    ['letters that look alike', json('{"n":"\\u00e9"}'), json('{"n":"e\\u0301"}')],
  ];
  test.each(different)('keeps apart %s', (_name, a, b) => {
    expect(canonicalEvent(event(a))).not.toBe(canonicalEvent(event(b)));
    expect(sameContent(content(a), content(b), new Set())).toBe(false);
  });

  test.each([
    ['customer', { customerId: 'd' }],
    ['source', { source: 's' }],
    ['id', { eventId: 'f' }],
    ['type', { eventType: 'other' }],
    ['time', { eventTime: parseInstant('2024-01-15T10:00:00.000001Z') }],
  ])('shows the %s', (_name, change) => {
    expect(canonicalEvent(event({}, change))).not.toBe(canonicalEvent(event({})));
  });

  test('refuses a number beyond the limits instead of shortening it', () => {
    expect(codeOf(() => canonicalEvent(event(lossless('{"n":1e400}'))))).toBe('NUMBER_TOO_LONG');
    expect(codeOf(() => canonicalEvent(event({ n: NaN })))).toBe('INVALID_DECIMAL');
  });

  test('a lossless number is recognised by the library and by us', () => {
    const { n } = lossless('{"n":1.0}');
    expect(isLosslessNumber(n)).toBe(true);
    expect(numberTextOf(n as object)).toBe('1.0');
  });
});

describe('sameContent with value properties', () => {
  const values = new Set(['bytes']);
  test.each([
    ['strings by value', '{"bytes":"10"}', '{"bytes":"10.0"}', true],
    ['string and number', '{"bytes":"10.0"}', '{"bytes":10}', true],
    ['other values', '{"bytes":"10"}', '{"bytes":"11"}', false],
    ['strings that are no plain decimals', '{"bytes":"1e1"}', '{"bytes":"10"}', false],
    ['other properties stay strings', '{"bytes":"1","n":"10"}', '{"bytes":"1","n":"10.0"}', false],
    ['nested ones of that name stay strings', '{"o":{"bytes":"10"}}', '{"o":{"bytes":"10.0"}}', false],
  ])('%s', (_name, a, b, expected) => {
    expect(sameContent(content(json(a)), content(json(b)), values)).toBe(expected);
  });

  test('type and time still count', () => {
    expect(sameContent(content({}), content({}, { eventType: 'other' }), values)).toBe(false);
    expect(sameContent(content({}), content({}, { eventTime: parseInstant('2024-01-15T10:00:01Z') }), values)).toBe(
      false,
    );
  });
});

describe('reading a property', () => {
  const metadata: Metadata = {
    text: 'eu',
    plain: '1024',
    padded: '010',
    float: 1.5,
    whole: 3,
    carried: new NumberText('1.50'),
    huge: new NumberText('1e400'),
    flag: false,
    nothing: null,
    list: [1],
    object: { text: '1' },
  };
  test.each([
    ['text', { kind: 'string', text: 'eu' }, null],
    ['plain', { kind: 'string', text: '1024' }, '1024'],
    ['padded', { kind: 'string', text: '010' }, null],
    ['float', { kind: 'number', text: '1.5' }, '1.5'],
    ['whole', { kind: 'number', text: '3' }, '3'],
    ['carried', { kind: 'number', text: '1.5' }, '1.5'],
    ['huge', null, null],
    ['flag', { kind: 'boolean', text: 'false' }, null],
    ['nothing', null, null],
    ['list', null, null],
    ['object', null, null],
    ['missing', null, null],
    ['constructor', null, null],
    ['__proto__', null, null],
  ])('%s', (property, scalar, value) => {
    expect(readScalar(metadata, property)).toEqual(scalar);
    expect(readValue(metadata, property)).toBe(value);
  });
});

describe('laws', () => {
  test('the text is a function of the parsed value: any spelling of one JSON value gives one text, another value another', () => {
    const values = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3, noUnicodeString: false }).filter(bounded), {
      maxKeys: 5,
    });
    fc.assert(
      fc.property(values, values, (a, b) => {
        const textA = canonicalEvent(event(a as Metadata));
        expect(canonicalEvent(event(json(JSON.stringify(shuffled(a), null, 1))))).toBe(textA);
        expect(canonicalEvent(event(lossless(JSON.stringify(a))))).toBe(textA);
        const equal =
          JSON.stringify(JSON.parse(canonicalEvent(event(b as Metadata)))) === JSON.stringify(JSON.parse(textA));
        expect(canonicalEvent(event(b as Metadata)) === textA).toBe(equal);
      }),
      { numRuns: 1000 },
    );
  });

  test('identity does not run into content: the text is injective over its parts', () => {
    const parts = fc.tuple(fc.string(), fc.string(), fc.string(), fc.string());
    const text = ([customerId, source, eventId, eventType]: readonly string[]): string =>
      canonicalEvent(
        event(
          {},
          { customerId: customerId ?? '', source: source ?? '', eventId: eventId ?? '', eventType: eventType ?? '' },
        ),
      );
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(text(a) === text(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
        expect((JSON.parse(text(a)) as unknown[]).slice(0, 4)).toEqual(a);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Numbers that ingest accepts; `__proto__` is a key that no event may have. */
function bounded(value: unknown): boolean {
  if (typeof value === 'number')
    return value === 0 || (Math.abs(value) < 1e37 && Math.abs(value) > 1e-2 && !/e/.test(String(value)));
  if (typeof value !== 'object' || value === null) return true;
  return !Object.hasOwn(value, '__proto__') && Object.values(value).every(bounded);
}

function shuffled(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(shuffled);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, shuffled(member)]),
  );
}
