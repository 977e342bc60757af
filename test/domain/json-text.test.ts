import fc from 'fast-check';
import { jsonText } from '../../src/domain/json-text.js';

const text = fc.string({ unit: fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code)) });

test('is what JSON.stringify makes of a text, halves of surrogate pairs and control characters included', () => {
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), (any) => {
      expect(jsonText(any)).toBe(JSON.stringify(any));
    }),
  );
});

test.each(Array.from({ length: 0x10000 / 0x1000 }, (_, block) => block * 0x1000))(
  'character by character, from U+%i',
  (from) => {
    for (let code = from; code < from + 0x1000; code += 1) {
      const any = `a${String.fromCharCode(code)}`;
      if (jsonText(any) !== JSON.stringify(any)) throw new Error(`differs at ${code}`);
    }
  },
);

test.each(['', 'a"b', 'a\\b', 'line\nbreak', '\u2028', '😀', '\ud83d', '\ude00x', '\u007f'])('%j', (any) => {
  expect(jsonText(any)).toBe(JSON.stringify(any));
});
