/**
 * Reads JSON whose numbers may need their text. Only what is known to be JSON: nothing is checked here. Without recursion, since a
 * body may be nested as deeply as it is long, and by hand: anything that goes through JSON.parse a second time, with marks in it,
 * takes several times as long where there are many such numbers.
 */

export type Container = Record<string | number, unknown>;

/** A number's token as it is written, to the value that stands for it. */
export type ReadNumber = (token: string) => unknown;

/**
 * @param json known to be JSON
 * @returns what JSON.parse would, but for numbers, which are what `readNumber` makes of them
 */
export function readKnownJson(json: string, readNumber: ReadNumber): unknown {
  const whole: unknown[] = [];
  /** What is open around `container`. */
  const around: Place[] = [];
  let place: Place = { container: whole, key: null };
  const put = (value: unknown): void => {
    const { container, key } = place;
    if (key === null) (container as unknown[]).push(value);
    else {
      setMember(container as Container, key, value);
      place.key = null;
    }
  };
  const open = (container: Place['container']): void => {
    put(container);
    around.push(place);
    place = { container, key: null };
  };
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === quoteCode) {
      const end = endOfString(json, at);
      const text = textBetween(json, at, end);
      at = end;
      if (place.key === null && !Array.isArray(place.container)) place.key = text;
      else put(text);
    } else if (isDigit(code) || code === minusCode) {
      const from = at;
      while (isNumberCode(json.charCodeAt(at + 1))) at += 1;
      put(readNumber(json.slice(from, at + 1)));
    } else if (code === 91) open([]);
    else if (code === 123) open({});
    else if (code === 93 || code === 125) place = around.pop() ?? place;
    else if (words.has(code)) {
      const word = words.get(code);
      put(word?.value);
      at += (word?.length ?? 1) - 1;
    }
  }
  return whole[0];
}

/**
 * The names of an object's own members, as often as they are there.
 * @param json known to be JSON, an object
 */
export function memberNames(json: string): readonly string[] {
  const names: string[] = [];
  let depth = 0;
  let isName = true;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === quoteCode) {
      const end = endOfString(json, at);
      if (depth === 1 && isName) names.push(textBetween(json, at, end));
      at = end;
      isName = false;
    } else if (code === 91 || code === 123) depth += 1;
    else if (code === 93 || code === 125) depth -= 1;
    else if (code === 44) isName = true;
    else if (code === 58) isName = false;
  }
  return names;
}

interface Place {
  readonly container: unknown[] | Container;
  /** Of the member whose value is read next; null in a list, and where a key or an end is. */
  key: string | null;
}

/** By their first letter. */
const words: ReadonlyMap<number, { readonly value: unknown; readonly length: number }> = new Map([
  [116, { value: true, length: 4 }],
  [102, { value: false, length: 5 }],
  [110, { value: null, length: 4 }],
]);

function setMember(object: Container, key: string, value: unknown): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function textBetween(json: string, start: number, end: number): string {
  const text = json.slice(start + 1, end);
  return text.includes('\\') ? (JSON.parse(json.slice(start, end + 1)) as string) : text;
}

export const quoteCode = 34;
const backslashCode = 92;
const minusCode = 45;

/** @returns the place of the quote that ends the string that begins at `start`; -1 when none does */
export function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end >= 0; end = json.indexOf('"', end + 1)) {
    let escapes = 0;
    while (json.charCodeAt(end - 1 - escapes) === backslashCode) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return -1;
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** What may follow the beginning of a number: digits, `+`, `-`, `.`, `E`, `e`. */
function isNumberCode(code: number): boolean {
  return isDigit(code) || code === 43 || code === minusCode || code === 46 || code === 69 || code === 101;
}
