import fc from 'fast-check';
import { groupBy } from '../../src/domain/group-by.js';

test('keys are in the order in which they first came, the values of each as they came', () => {
  const groups = groupBy(['b1', 'a1', 'b2', 'a2', 'b3'], (value) => value.slice(0, 1));
  expect([...groups]).toEqual([
    ['b', ['b1', 'b2', 'b3']],
    ['a', ['a1', 'a2']],
  ]);
});

test('every value is in the group of its key, once; none is empty', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -9, max: 9 })), (values) => {
      const keyOf = (value: number): string => String(Math.abs(value));
      const groups = groupBy(values, keyOf);
      expect([...groups.values()].reduce((sum, { length }) => sum + length, 0)).toBe(values.length);
      for (const [key, own] of groups) expect(own).toEqual(values.filter((value) => keyOf(value) === key));
    }),
  );
});
