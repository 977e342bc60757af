import fc from 'fast-check';
import { addDigests, digestOf, emptyDigest, isDigest } from '../../src/domain/metering/digest.js';
import { compareGroups, groupKeyText, noGroup, projectGroup } from '../../src/domain/metering/group-key.js';
import type { Digest, GroupKey } from '../../src/domain/values.js';

describe('digests', () => {
  test.each([
    ['none', [], '0000000000000000'],
    ['one', ['255'], '00000000000000ff'],
    ['some', ['1', 2n, '3'], '0000000000000006'],
    ['the greatest hash', ['9223372036854775807'], '7fffffffffffffff'],
    ['beyond 2^64', ['9223372036854775807', '9223372036854775807', '3'], '0000000000000001'],
  ])('of %s', (_name, hashes, expected) => {
    expect(digestOf(hashes)).toBe(expected);
  });

  test('a text of another shape is a defect', () => {
    expect(isDigest('00000000000000FF')).toBe(false);
    expect(() => addDigests(emptyDigest, '12' as Digest)).toThrow(/invariant/);
  });

  const hashes = fc.array(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), { maxLength: 30 });

  test('law: the digest of a union is the sum, in any order, and the empty set is neutral', () => {
    fc.assert(
      fc.property(hashes, hashes, hashes, (a, b, c) => {
        const [digestA, digestB, digestC] = [digestOf(a), digestOf(b), digestOf(c)];
        expect(digestOf([...c.map(String), ...a, ...b])).toBe(addDigests(digestA, digestB, digestC));
        expect(addDigests(digestB, digestA)).toBe(addDigests(digestA, digestB));
        expect(addDigests(digestA, addDigests(digestB, digestC))).toBe(
          addDigests(addDigests(digestA, digestB), digestC),
        );
        expect(addDigests(digestA, emptyDigest)).toBe(digestA);
        expect(isDigest(digestA)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('group keys', () => {
  test.each<[GroupKey, string]>([
    [{}, '{}'],
    [{ region: 'eu' }, '{"region":"eu"}'],
    [{ b: '1', a: null }, '{"a":null,"b":"1"}'],
    [{ 10: 'x', 9: 'y' }, '{"10":"x","9":"y"}'],
    [{ 'a"b': 'c"d' }, '{"a\\"b":"c\\"d"}'],
  ])('%j', (group, text) => {
    expect(groupKeyText(group)).toBe(text);
  });

  test('null is not "null", and no separator can be forged', () => {
    const groups: GroupKey[] = [
      { a: null },
      { a: 'null' },
      { a: '' },
      {},
      { a: '1","b":"2' },
      { a: '1', b: '2' },
      { 'a":"1","b': '2' },
    ];
    expect(new Set(groups.map(groupKeyText)).size).toBe(groups.length);
  });

  test.each<[string, GroupKey, readonly string[] | null, GroupKey]>([
    ['null keeps all', { region: 'eu', tier: 'a' }, null, { region: 'eu', tier: 'a' }],
    ['a subset', { region: 'eu', tier: 'a' }, ['tier'], { tier: 'a' }],
    ['[] pools all', { region: 'eu', tier: 'a' }, [], noGroup],
    ['a missing property is null', { region: 'eu' }, ['tier'], { tier: null }],
    ['also one that every object inherits', { region: 'eu' }, ['constructor'], { constructor: null }],
  ])('projection: %s', (_name, group, priceBy, expected) => {
    expect(projectGroup(group, priceBy)).toEqual(expected);
  });

  const groups = fc.dictionary(fc.string(), fc.option(fc.string()), { maxKeys: 4 });

  test('law: texts are equal exactly for equal groups, and the order is total', () => {
    fc.assert(
      fc.property(groups, groups, (a, b) => {
        const equal = JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
        expect(groupKeyText(a) === groupKeyText(b)).toBe(equal);
        expect(compareGroups(a, b)).toBe(equal ? 0 : -compareGroups(b, a));
        expect(groupKeyText(Object.fromEntries(Object.entries(a).reverse()))).toBe(groupKeyText(a));
        expect(Object.entries(JSON.parse(groupKeyText(a)) as object).sort()).toEqual(Object.entries(a).sort());
      }),
      { numRuns: 1000 },
    );
  });
});
