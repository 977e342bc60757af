/** The tag registry, and how groups and filters read tags. */
import fc from 'fast-check';
import { type Metadata, readDimension } from '../../src/domain/metering/metadata.js';
import { groupOf, takes } from '../../src/domain/metering/reading.js';
import {
  compileTagRules,
  normalizedTag,
  sameTag,
  type TagDefinition,
  type TagProblem,
  tagKeyPattern,
  tagProblem,
} from '../../src/domain/metering/tags.js';

const tag = (key: string, fields: Partial<TagDefinition> = {}): TagDefinition => ({
  key,
  description: null,
  values: null,
  requiredFor: [],
  retired: false,
  ...fields,
});

const problem = (
  metadata: Metadata,
  definitions: readonly TagDefinition[],
  eventType = 'api_call',
): TagProblem | null => {
  const rules = compileTagRules(definitions);
  if (rules === null) throw new Error('there are rules once a tag is registered');
  return tagProblem(metadata, eventType, rules);
};

/** A number as a parser carries it that keeps its digits. */
class LongNumber {
  constructor(readonly text: string) {}
}

describe('dimensions', () => {
  const metadata: Metadata = {
    region: 'eu',
    'tags.team': 'flat',
    tags: { team: 'search', size: 1.5, paid: true, none: null, list: ['a'], 'cost/centre.1': 'x' },
  };

  test.each([
    ['region', 'eu'],
    ['tags.team', 'search'],
    ['tags.size', '1.5'],
    ['tags.paid', 'true'],
    ['tags.cost/centre.1', 'x'],
    ['tags.none', null],
    ['tags.list', null],
    ['tags.missing', null],
    ['tags.', null],
    ['tags', null],
    ['tagsteam', null],
    ['tags.toString', null],
  ])('%s reads %j', (dimension, expected) => {
    expect(readDimension(metadata, dimension)?.text ?? null).toBe(expected);
  });

  test.each([
    ['nothing', {}],
    ['a text', { tags: 'search' }],
    ['a list', { tags: ['team', 'search'] }],
    ['null', { tags: null }],
    ['a number that carries its digits', { tags: new LongNumber('12345678901234567890') }],
  ])('tags that are %s have none', (_what, without) => {
    for (const dimension of ['tags.team', 'tags.text', 'tags.0', 'tags.length']) {
      expect(readDimension(without as Metadata, dimension)).toBeNull();
    }
  });

  test('a meter filters and groups by tags', () => {
    const meter = { eventType: 'e', filters: { 'tags.env': ['prod'] }, groupBy: ['tags.team', 'region'] };
    expect(takes(meter, 'e', { tags: { env: 'prod' } })).toBe(true);
    expect(takes(meter, 'e', { tags: { env: 'test' } })).toBe(false);
    expect(takes(meter, 'e', { env: 'prod', 'tags.env': 'prod' })).toBe(false);
    expect(groupOf(meter, { region: 'eu', tags: { team: 'search' } })).toEqual({ 'tags.team': 'search', region: 'eu' });
    expect(groupOf(meter, { region: 'eu' })).toEqual({ 'tags.team': null, region: 'eu' });
  });
});

describe('the rules', () => {
  const team = tag('team', { values: ['search', 'ads'], requiredFor: ['api_call'] });
  const env = tag('env', { requiredFor: ['*'] });
  const old = tag('old', { retired: true, requiredFor: ['*'] });
  const registry = [team, env, old];

  test('there are none while nothing is registered', () => {
    expect(compileTagRules([])).toBeNull();
  });

  test.each<[string, Metadata, string]>([
    ['all that is required', { tags: { team: 'ads', env: 'prod' } }, 'api_call'],
    ['what every type requires', { tags: { env: 'prod' } }, 'upload'],
    ['a tag beyond what is required', { tags: { env: 'prod', team: 'ads' } }, 'upload'],
    ['other properties', { team: 'nobody', tags: { env: 'x'.repeat(256) } }, 'upload'],
  ])('%s is taken', (_what, metadata, eventType) => {
    expect(problem(metadata, registry, eventType)).toBeNull();
  });

  test('without a requirement an event needs no tags', () => {
    expect(problem({}, [tag('team'), tag('old', { retired: true, requiredFor: ['*'] })])).toBeNull();
    expect(problem({ tags: {} }, [tag('team')])).toBeNull();
  });

  test.each<[string, unknown, TagProblem['code'], string, RegExp]>([
    [
      'a tag nobody registered',
      { x: 'y' },
      'TAG_NOT_REGISTERED',
      '/x',
      /"x" is not registered.*PUT \/tags.*"team", "env"/,
    ],
    ['a retired tag', { old: 'y' }, 'TAG_NOT_REGISTERED', '/old', /"old" is retired.*PUT \/tags\/old/],
    ['a name of Object', { toString: 'y' }, 'TAG_NOT_REGISTERED', '/toString', /"toString" is not registered/],
    ['another value', { team: 'nobody' }, 'TAG_VALUE_NOT_ALLOWED', '/team', /one of "ads", "search"; it is "nobody"/],
    ['a number', { team: 7 }, 'TAG_VALUE_NOT_ALLOWED', '/team', /it is 7/],
    [
      'a long number',
      { env: new LongNumber('12345678901234567890') },
      'TAG_VALUE_NOT_ALLOWED',
      '/env',
      /1234567890123/,
    ],
    ['null', { env: null }, 'TAG_VALUE_NOT_ALLOWED', '/env', /a text of 1 to 256 characters; it is null/],
    ['an empty text', { env: '' }, 'TAG_VALUE_NOT_ALLOWED', '/env', /1 to 256 characters; it is ""/],
    ['a text too long', { env: 'x'.repeat(257) }, 'TAG_VALUE_NOT_ALLOWED', '/env', /it is "x{59}…/],
    ['a list', { env: ['prod'] }, 'TAG_VALUE_NOT_ALLOWED', '/env', /it is \["prod"\]/],
    ['tags that are a text', 'team', 'TAG_VALUE_NOT_ALLOWED', '', /must be a JSON object/],
    ['tags that are a list', ['team'], 'TAG_VALUE_NOT_ALLOWED', '', /must be a JSON object/],
    ['tags that are null', null, 'TAG_VALUE_NOT_ALLOWED', '', /must be a JSON object/],
    [
      'tags that are a number',
      new LongNumber('12345678901234567890'),
      'TAG_VALUE_NOT_ALLOWED',
      '',
      /must be a JSON object/,
    ],
    ['one of two missing', { env: 'prod' }, 'TAG_REQUIRED', '/team', /"api_call" need the tag "team"/],
    ['both missing', {}, 'TAG_REQUIRED', '/team', /the tags "team", "env"/],
    ['no tags at all', undefined, 'TAG_REQUIRED', '/team', /the tags "team", "env"/],
    ['a key with / and ~', { 'a/b~c': 'y' }, 'TAG_NOT_REGISTERED', '/a~1b~0c', /"a\/b~c"/],
  ])('%s is refused', (_what, tags, code, place, detail) => {
    const metadata = tags === undefined ? {} : { tags };
    const found = problem(metadata as Metadata, [normalizedTag(team), env, old]);
    expect(found).toEqual({ code, pointer: `/metadata/tags${place}`, detail: expect.stringMatching(detail) });
  });

  test('at most ten allowed values are listed', () => {
    const values = Array.from({ length: 13 }, (_, index) => `team-${String(index).padStart(2, '0')}`);
    const found = problem({ tags: { team: 'x' } }, [tag('team', { values })]);
    expect(found?.detail).toContain('"team-09" and 3 more');
    expect(found?.detail).not.toContain('team-10');
  });

  test('of all tags retired none is listed, and every tag is refused', () => {
    expect(problem({ tags: { x: 'y' } }, [old])?.detail).toBe(
      'The tag "x" is not registered. Leave it out, or register it with PUT /tags/{key}.',
    );
  });

  test('law: what is refused says so of the first wrong tag; what is taken has only registered texts', () => {
    const value = fc.constantFrom<unknown>('ads', 'search', 'x', '', 7, null);
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('team', 'env', 'old', 'new'), value), (tags) => {
        const found = problem({ tags } as Metadata, registry);
        const isRight = ([key, text]: [string, unknown]): boolean =>
          (key === 'team' && (text === 'ads' || text === 'search')) ||
          (key === 'env' && typeof text === 'string' && text !== '');
        const entries = Object.entries(tags);
        const wrong = entries.find((entry) => !isRight(entry));
        if (wrong !== undefined) expect(found?.pointer).toBe(`/metadata/tags/${wrong[0]}`);
        else if ('team' in tags && 'env' in tags) expect(found).toBeNull();
        else expect(found?.code).toBe('TAG_REQUIRED');
      }),
    );
  });
});

describe('definitions', () => {
  test.each(['team', 'a', 'x'.repeat(64), 'cost/centre:1.a_b-c', '...', '/', 'Team2', '__proto__2', 'constructor'])(
    '%j is a key',
    (key) => {
      expect(tagKeyPattern.test(key)).toBe(true);
    },
  );

  test.each(['', 'x'.repeat(65), 'a b', 'ü', '.', '..', '__proto__', 'a\n', 'a~b'])('%j is no key', (key) => {
    expect(tagKeyPattern.test(key)).toBe(false);
  });

  test('lists are sets: order and repetition mean nothing, and * stands for all', () => {
    const definition = tag('team', { values: ['b', 'a', 'b'], requiredFor: ['y', '*', 'x'] });
    expect(normalizedTag(definition)).toEqual({ ...definition, values: ['a', 'b'], requiredFor: ['*'] });
    expect(sameTag(definition, { ...definition, values: ['a', 'b'], requiredFor: ['*'] })).toBe(true);
  });

  test.each<[string, Partial<TagDefinition>]>([
    ['description', { description: 'whose it is' }],
    ['values', { values: ['a'] }],
    ['required_for', { requiredFor: ['api_call'] }],
    ['retired', { retired: true }],
  ])('another %s is another definition', (_what, fields) => {
    expect(sameTag(tag('team'), tag('team', fields))).toBe(false);
  });
});
