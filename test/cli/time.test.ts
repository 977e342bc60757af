import { parseOffset, toRfc3339 } from '../../src/cli/import/time.js';
import { UsageError } from '../../src/cli/terminal.js';

describe('times of a file', () => {
  it.each([
    ['2023-11-16 18:15:46.6805900', 'Z', '2023-11-16T18:15:46.6805900Z'],
    ['2023-11-16 18:15:46', '+05:30', '2023-11-16T18:15:46+05:30'],
    ['2023-11-16T18:15:46.5Z', null, '2023-11-16T18:15:46.5Z'],
    ['2023-11-16T18:15:46z', null, '2023-11-16T18:15:46Z'],
    ['2023-11-16 18:15:46 UTC', null, '2023-11-16T18:15:46Z'],
    ['2023-11-16T18:15:46,123456789+0100', null, '2023-11-16T18:15:46.123456789+01:00'],
    ['2023-11-16 18:15:46-08', null, '2023-11-16T18:15:46-08:00'],
    ['2023-11-16 18:15', 'Z', '2023-11-16T18:15:00Z'],
    ['  2023-11-16 18:15:46 ', 'Z', '2023-11-16T18:15:46Z'],
  ])('%p with offset %p is %p', (text, offset, expected) => expect(toRfc3339(text, offset)).toBe(expected));

  it("prefer a time's own offset to the given one", () => {
    expect(toRfc3339('2023-11-16T18:15:46+01:00', 'Z')).toBe('2023-11-16T18:15:46+01:00');
  });

  it('are never guessed to be UTC', () => {
    expect(() => toRfc3339('2023-11-16 18:15:46', null)).toThrow(UsageError);
  });

  it.each(['yesterday', '16.11.2023 18:15', '', '1700158546'])('%p is left for the API to refuse', (text) => {
    expect(toRfc3339(text, null)).toBe(text);
  });
});

describe('--time-zone', () => {
  it.each([
    ['UTC', 'Z'],
    ['z', 'Z'],
    ['+01:00', '+01:00'],
    ['-0330', '-03:30'],
    ['+14', '+14:00'],
  ])('%p is %p', (text, offset) => expect(parseOffset(text)).toBe(offset));

  it.each(['Europe/Berlin', '+25:00', '+01:60', '01:00', ''])('refuses %p', (text) => {
    expect(() => parseOffset(text)).toThrow(UsageError);
  });
});
