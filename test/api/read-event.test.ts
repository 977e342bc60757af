import { parseExactJson } from '../../src/api/ingest/exact-json.js';
import { isRefused, readEvent, type ReadContext } from '../../src/api/ingest/read-event.js';
import { mayHoldUnstorableText } from '../../src/api/ingest/read-metadata.js';
import { compileValueNeeds } from '../../src/api/ingest/value-needs.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { contentHashOf } from '../../src/storage/content-hash.js';

const bytesMeter: Meter = {
  meterId: '1',
  code: 'bytes_out',
  version: 1,
  eventType: 'api_call',
  aggregation: 'sum',
  valueProperty: 'bytes',
  groupBy: [],
  filters: { tier: ['premium', '1.5', 'true'] },
  windowSize: 'hour',
  allowedLateness: 'PT1H',
  allowNegative: false,
  maxGroups: 1000,
  effectiveFrom: null,
};

const valid = '"event_id":"e1","customer_id":"c1","event_type":"page_view","event_time":"2024-01-15T10:00:00Z"';
const priced = '"event_id":"e1","customer_id":"c1","event_type":"api_call","event_time":"2024-01-15T10:00:00Z"';

const contextOf = (valueNeeds: ReadContext['valueNeeds']): ReadContext => ({
  latestEventTime: '2024-02-01T00:00:00.000000Z' as Instant,
  isKnownCustomer: (id) => id === 'c1',
  valueNeeds,
  schemas: null,
  tagRules: null,
  doubtfulText: false,
});

function read(text: string) {
  const context = contextOf(compileValueNeeds([bytesMeter]));
  return readEvent(parseExactJson(text), { ...context, doubtfulText: mayHoldUnstorableText(text) });
}

const many = (count: number, of: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => of(index)).join(',');

describe('a well-formed event', () => {
  test('is read into what is stored', () => {
    expect(read(`{${valid},"source":"s","metadata":{"b":1.50,"a":"x","n":[1,{"m":null}]},"request_id":"r"}`)).toEqual({
      customerId: 'c1',
      source: 's',
      eventId: 'e1',
      eventType: 'page_view',
      eventTime: '2024-01-15T10:00:00.000000Z',
      metadataJson: '{"b":1.5,"a":"x","n":[1,{"m":null}]}',
      contentHash: contentHashOf({
        customerId: 'c1',
        source: 's',
        eventId: 'e1',
        eventType: 'page_view',
        eventTime: '2024-01-15T10:00:00.000000Z' as Instant,
        metadata: { a: 'x', b: 1.5, n: [1, { m: null }] },
      }),
      provenance: { requestId: 'r', userId: null, traceId: null },
    });
  });

  test('without metadata and source has empty ones', () => {
    expect(read(`{${valid}}`)).toMatchObject({ source: '', metadataJson: '{}' });
  });

  test.each([
    ['12345678901234567890.123456789012345678', '12345678901234567890.123456789012345678'],
    ['1e3', '1000'],
    ['1.5E-7', '0.00000015'],
    ['-0', '0'],
    ['0.1000000000000000055', null],
    ['99999999999999999999999999999999999999', '99999999999999999999999999999999999999'],
  ])('keeps the number %s exact', (number, stored) => {
    const result = read(`{${valid},"metadata":{"n":${number}}}`);
    if (stored === null) expect(result).toMatchObject({ issues: [{ code: 'NUMBER_TOO_LONG' }] });
    else expect(result).toMatchObject({ metadataJson: `{"n":${stored}}` });
  });

  test('has one content hash however its numbers, keys and instants are written', () => {
    const hashes = [
      `{${valid},"metadata":{"a":100,"b":"x"}}`,
      `{${valid},"metadata":{"b":"x","a":1e2}}`,
      `{${valid},"metadata":{"b":"x","a":100.00000000000000}}`,
      `{${valid.replace('10:00:00Z', '11:00:00.0000009+01:00')},"metadata":{"b":"x","a":1.00E+2},"trace_id":"t"}`,
    ].map((text) => {
      const result = read(text);
      return isRefused(result) ? result.issues : result.contentHash;
    });
    expect(new Set(hashes).size).toBe(1);
  });
});

describe('a malformed event', () => {
  test.each<[string, string, string, string]>([
    ['is no object', '[]', 'VALIDATION_FAILED', ''],
    ['is null', 'null', 'VALIDATION_FAILED', ''],
    ['is a long number', '12345678901234567890', 'VALIDATION_FAILED', ''],
    ['lacks its id', `{${valid.replace('"event_id":"e1",', '')}}`, 'VALIDATION_FAILED', '/event_id'],
    ['lacks its time', '{"event_id":"e","customer_id":"c1","event_type":"t"}', 'VALIDATION_FAILED', '/event_time'],
    ['has an empty id', `{${valid.replace('"e1"', '""')}}`, 'VALIDATION_FAILED', '/event_id'],
    ['has an id that is too long', `{${valid.replace('e1', 'x'.repeat(129))}}`, 'VALIDATION_FAILED', '/event_id'],
    ['has a number as id', `{${valid.replace('"e1"', '1')}}`, 'VALIDATION_FAILED', '/event_id'],
    ['has a long number as id', `{${valid.replace('"e1"', '12345678901234567890')}}`, 'VALIDATION_FAILED', '/event_id'],
    ['has null for a source', `{${valid},"source":null}`, 'VALIDATION_FAILED', '/source'],
    ['has a list for metadata', `{${valid},"metadata":[]}`, 'VALIDATION_FAILED', '/metadata'],
    ['has a number for metadata', `{${valid},"metadata":12345678901234567890}`, 'VALIDATION_FAILED', '/metadata'],
    ['has a number for a user id', `{${valid},"user_id":5}`, 'VALIDATION_FAILED', '/user_id'],
    ['has an unknown property', `{${valid},"colo/ur":1}`, 'UNKNOWN_PROPERTY', '/colo~1ur'],
    ['has __proto__', `{${valid},"__proto__":{"metadata":{}}}`, 'UNKNOWN_PROPERTY', '/__proto__'],
    ['has __proto__, escaped', `{${valid},"\\u005f_proto__":{"metadata":{}}}`, 'UNKNOWN_PROPERTY', '/__proto__'],
    [
      'has __proto__ in its metadata',
      `{${valid},"metadata":{"__proto__":1}}`,
      'UNKNOWN_PROPERTY',
      '/metadata/__proto__',
    ],
    [
      'has __proto__ deeper',
      `{${valid},"metadata":{"a":[{"__proto__":{}}]}}`,
      'UNKNOWN_PROPERTY',
      '/metadata/a/0/__proto__',
    ],
    ['has no instant', `{${valid.replace('2024-01-15T10', '2024-02-30T10')}}`, 'INVALID_INSTANT', '/event_time'],
    [
      'has a number for an instant',
      `{${valid.replace('"2024-01-15T10:00:00Z"', '1705312800000')}}`,
      'INVALID_INSTANT',
      '/event_time',
    ],
    [
      'has null for an instant',
      `{${valid.replace('"2024-01-15T10:00:00Z"', 'null')}}`,
      'INVALID_INSTANT',
      '/event_time',
    ],
    ['has an instant without offset', `{${valid.replace('00Z', '00')}}`, 'INSTANT_WITHOUT_OFFSET', '/event_time'],
    ['has an absurdly long number', `{${valid},"metadata":{"n":${'9'.repeat(39)}}}`, 'NUMBER_TOO_LONG', '/metadata/n'],
    ['has an absurd exponent', `{${valid},"metadata":{"a":[1e999999999]}}`, 'NUMBER_TOO_LONG', '/metadata/a/0'],
    [
      'has too many properties',
      `{${valid},"metadata":{${many(65, (index) => `"k${index}":1`)}}}`,
      'VALIDATION_FAILED',
      '/metadata',
    ],
    ['has too much metadata', `{${valid},"metadata":{"a":"${'ä'.repeat(9_000)}"}}`, 'VALIDATION_FAILED', '/metadata'],
    [
      'has metadata that is nested too deeply',
      `{${valid},"metadata":{"a":${'['.repeat(9)}${']'.repeat(9)}}}`,
      'VALIDATION_FAILED',
      '/metadata',
    ],
    ['has a nameless property', `{${valid},"metadata":{"":1}}`, 'VALIDATION_FAILED', '/metadata'],
    ['has NUL in an id', `{${valid.replace('e1', 'e\\u0000')}}`, 'VALIDATION_FAILED', '/event_id'],
    ['has half a surrogate pair in an id', `{${valid.replace('e1', '\\uD800')}}`, 'VALIDATION_FAILED', '/event_id'],
    ['has NUL in its metadata', `{${valid},"metadata":{"a":["\\u0000"]}}`, 'VALIDATION_FAILED', '/metadata/a/0'],
    ['has NUL in a name of its metadata', `{${valid},"metadata":{"a\\u0000":1}}`, 'VALIDATION_FAILED', '/metadata'],
  ])('that %s is refused with its code and place', (_name, text, code, pointer) => {
    const result = read(text);
    expect(result).toMatchObject({ malformed: true, issues: [{ code, pointer }] });
  });

  test('is told everything that is wrong with its shape', () => {
    const result = read('{"event_id":5,"colour":1,"event_type":"t","event_time":"nonsense"}');
    if (!isRefused(result)) throw new Error('it must be refused');
    expect(result.issues.map(({ code, pointer }) => [code, pointer])).toEqual([
      ['VALIDATION_FAILED', '/event_id'],
      ['UNKNOWN_PROPERTY', '/colour'],
      ['VALIDATION_FAILED', '/customer_id'],
    ]);
  });
});

describe('a well-formed event that cannot be taken', () => {
  test.each<[string, string, string, string]>([
    ['from the future', valid.replace('2024-01-15', '2024-02-02'), 'EVENT_TIME_IN_FUTURE', '/event_time'],
    ['of an unknown customer', valid.replace('"c1"', '"c2"'), 'UNKNOWN_CUSTOMER', '/customer_id'],
    ['without its value', `${priced},"metadata":{"tier":"premium"}`, 'VALUE_PROPERTY_MISSING', '/metadata/bytes'],
    [
      'with a word as its value',
      `${priced},"metadata":{"tier":"premium","bytes":"many"}`,
      'VALUE_PROPERTY_NOT_DECIMAL',
      '/metadata/bytes',
    ],
    [
      'with an exponent in a text',
      `${priced},"metadata":{"tier":"premium","bytes":"1e3"}`,
      'VALUE_PROPERTY_NOT_DECIMAL',
      '/metadata/bytes',
    ],
    [
      'with null as its value',
      `${priced},"metadata":{"tier":"premium","bytes":null}`,
      'VALUE_PROPERTY_NOT_DECIMAL',
      '/metadata/bytes',
    ],
    [
      'with an absurdly long value',
      `${priced},"metadata":{"tier":"premium","bytes":"${'9'.repeat(39)}"}`,
      'NUMBER_TOO_LONG',
      '/metadata/bytes',
    ],
    ['with a filtered number', `${priced},"metadata":{"tier":1.50}`, 'VALUE_PROPERTY_MISSING', '/metadata/bytes'],
    ['with a filtered boolean', `${priced},"metadata":{"tier":true}`, 'VALUE_PROPERTY_MISSING', '/metadata/bytes'],
  ])('%s is refused with its code and place', (_name, properties, code, pointer) => {
    expect(read(`{${properties}}`)).toMatchObject({ malformed: false, issues: [{ code, pointer }] });
  });

  test.each([
    ['a number', '{"tier":"premium","bytes":5}'],
    ['a long number', '{"tier":"premium","bytes":5000000000000000000}'],
    ['a decimal text', '{"tier":"premium","bytes":"5.50"}'],
    ['nothing, where the meter’s filter lets the event pass by', '{"tier":"basic"}'],
    ['nothing, where the filtered property is missing', '{}'],
  ])('but not one with %s for a value', (_name, metadata) => {
    expect(isRefused(read(`{${priced},"metadata":${metadata}}`))).toBe(false);
  });
});

describe('a meter that begins later', () => {
  /** Whether an event of the time, with neither value, is taken beside the meters. */
  const isTaken = (time: string, ...meters: readonly Partial<Meter>[]): boolean => {
    const versions = meters.map((meter): Meter => ({ ...bytesMeter, filters: {}, ...meter }));
    const event = parseExactJson(`{${priced.replace('2024-01-15T10:00:00Z', time)}}`);
    return !isRefused(readEvent(event, contextOf(compileValueNeeds(versions))));
  };
  const instant = { effectiveFrom: '2024-01-16T00:00:00.000000Z' as Instant };
  const date = { effectiveFrom: '2024-01-16' as LocalDate };

  test('needs nothing of events before it, and its value of those from then on', () => {
    expect(isTaken('2024-01-15T23:59:59.999999Z', instant)).toBe(true);
    expect(isTaken('2024-01-16T00:00:00Z', instant)).toBe(false);
  });

  test('on a local date needs it once the day has begun everywhere', () => {
    expect(isTaken('2024-01-16T11:59:59.999999Z', date)).toBe(true);
    expect(isTaken('2024-01-16T12:00:00Z', date)).toBe(false);
  });

  test('begins with the first of its versions, in whatever order they are known', () => {
    const later = { effectiveFrom: '2024-01-20T00:00:00.000000Z' as Instant, version: 2 };
    for (const versions of [
      [instant, later],
      [later, instant],
    ]) {
      expect(isTaken('2024-01-15T10:00:00Z', ...versions)).toBe(true);
      expect(isTaken('2024-01-16T10:00:00Z', ...versions)).toBe(false);
    }
    expect(isTaken('2024-01-15T10:00:00Z', later, {})).toBe(false);
  });

  test('does not excuse another one', () => {
    expect(isTaken('2024-01-15T10:00:00Z', instant, { code: 'other' })).toBe(false);
  });

  test.each(['min', 'max', 'latest', 'unique_count'] as const)('%s: as a sum', (aggregation) => {
    expect(isTaken('2024-01-15T10:00:00Z', { ...instant, aggregation })).toBe(true);
    expect(isTaken('2024-01-16T10:00:00Z', { ...instant, aggregation })).toBe(false);
  });

  test('a level is made of all that ever changed it', () => {
    expect(isTaken('2024-01-15T10:00:00Z', { ...instant, aggregation: 'weighted_sum' })).toBe(false);
  });
});

test('of several reasons the first in the order of precedence is given', () => {
  const steps: readonly (readonly [repair: (text: string) => string, code: string])[] = [
    [(text) => text, 'UNKNOWN_PROPERTY'],
    [(text) => text.replace(',"colour":1', ''), 'INSTANT_WITHOUT_OFFSET'],
    [(text) => text.replace('10:00:00', '10:00:00Z'), 'NUMBER_TOO_LONG'],
    [(text) => text.replace('9'.repeat(39), '9'), 'EVENT_TIME_IN_FUTURE'],
    [(text) => text.replace('2024-03-15', '2024-01-15'), 'UNKNOWN_CUSTOMER'],
    [(text) => text.replace('"c2"', '"c1"'), 'VALUE_PROPERTY_MISSING'],
  ];
  let text = `{"event_id":"e1","customer_id":"c2","event_type":"api_call","event_time":"2024-03-15T10:00:00","metadata":{"tier":"premium","n":${'9'.repeat(39)}},"colour":1}`;
  for (const [repair, code] of steps) {
    text = repair(text);
    expect(read(text)).toMatchObject({ issues: [{ code }] });
  }
  expect(isRefused(read(text.replace('"tier":"premium",', '"tier":"premium","bytes":1,')))).toBe(false);
});
