/**
 * JSON with exact numbers. A number in metadata may be a quantity that is billed, so it must not pass through a float:
 * a token that a float might change is carried as its text instead. Bodies without such a token, nearly all of them,
 * take the fast way, plain `JSON.parse`.
 */

/** A number token that a float could change (or would print in exponent notation), as it was written. */
export class NumberText {
  constructor(readonly text: string) {}
}

/** Plain JSON values, with `NumberText` where a float would not do. */
export type ExactJson =
  string | number | boolean | null | NumberText | readonly ExactJson[] | { readonly [key: string]: ExactJson };

/**
 * Finds, in the position of a value, a number of 16 or more characters (a float keeps any 15 digits), with an exponent,
 * or below 0.000001 (which JavaScript prints with one). A match inside a string costs time, never correctness.
 */
const mayNeedText = /[:,[]\s*-?(?:\d[\d.]{15}|\d[\d.]*[eE]|0\.000000)|^\s*-?\d/;

/** A token that is carried as its text. */
const needsText = /^-?(?:.{16,}|.*[eE]|0\.000000)/;

/** What a number's text begins with on its way through JSON.parse; drawn once a process, so that no body can forge it. */
const marker = `number:${globalThis.crypto.randomUUID()}:`;

/**
 * In time that grows with the length of the text and nothing else, whatever is in it.
 * @throws SyntaxError when the text is not JSON
 * A key that occurs twice in an object has its last value, as JSON.parse defines it.
 */
export function parseExactJson(text: string): ExactJson {
  const value = JSON.parse(text) as ExactJson;
  // Only what is JSON is looked at further: behind a string that does not end, say, every quote might begin one.
  return mayNeedText.test(text) ? (withNumbers(JSON.parse(withMarkedNumbers(text))) as ExactJson) : value;
}

/**
 * Each number that is carried as its text becomes a string that begins with the marker. By hand: a regular expression for
 * strings keeps a place to come back to for every escape in them, and long strings have more than it can keep.
 * @param json known to be JSON
 */
function withMarkedNumbers(json: string): string {
  let marked = '';
  let taken = 0;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === quoteCode) at = endOfString(json, at);
    else if (isDigit(code) || code === minusCode) {
      const from = at;
      while (isNumberCode(json.charCodeAt(at + 1))) at += 1;
      const token = json.slice(from, at + 1);
      if (!needsText.test(token)) continue;
      marked += `${json.slice(taken, from)}"${marker}${token}"`;
      taken = at + 1;
    }
  }
  return marked + json.slice(taken);
}

const quoteCode = 34;
const backslashCode = 92;
const minusCode = 45;

/** @returns the place of the quote that ends the string that begins at `start`; -1 when none does */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end >= 0; end = json.indexOf('"', end + 1)) {
    let escapes = 0;
    while (json.charCodeAt(end - 1 - escapes) === backslashCode) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return -1;
}

/** How deep objects and lists are nested in a text, which need not be JSON, but is looked at as such up to where it is not. */
export function depthOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quoteCode) {
      at = endOfString(text, at);
      if (at < 0) return deepest;
    } else if (code === 91 || code === 123) {
      depth += 1;
      deepest = Math.max(deepest, depth);
    } else if (code === 93 || code === 125) depth -= 1;
  }
  return deepest;
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** What may follow the beginning of a number: digits, `+`, `-`, `.`, `E`, `e`. */
function isNumberCode(code: number): boolean {
  return isDigit(code) || code === 43 || code === minusCode || code === 46 || code === 69 || code === 101;
}

/** Puts the numbers in the place of the strings that stand for them. (A reviver takes several times as long, and recurses.) */
function withNumbers(value: unknown): unknown {
  const whole: Container = { value };
  const open: Container[] = [whole];
  for (let container = open.pop(); container !== undefined; container = open.pop()) {
    // for … in would look at the keys of a list as texts.
    if (Array.isArray(container)) for (let at = 0; at < container.length; at += 1) visit(container, at, open);
    else for (const key in container) visit(container, key, open);
  }
  return whole['value'];
}

type Container = Record<string | number, unknown>;

function visit(container: Container, key: string | number, open: Container[]): void {
  const member = container[key];
  if (typeof member === 'string') {
    if (member.startsWith(marker)) container[key] = new NumberText(member.slice(marker.length));
  } else if (typeof member === 'object' && member !== null) open.push(member as Container);
}

/** The JSON text of a value, every number as it was written. */
export function stringifyExactJson(value: ExactJson): string {
  if (value instanceof NumberText) return value.text;
  if (Array.isArray(value)) return `[${(value as readonly ExactJson[]).map(stringifyExactJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, member]) => `${JSON.stringify(key)}:${stringifyExactJson(member)}`,
    );
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

/** As `stringifyExactJson`, of a value nested too deeply for it: without recursion, and slower. */
export function stringifyDeepJson(value: ExactJson): string {
  let written = '';
  const left: ({ readonly text: string } | { readonly value: ExactJson })[] = [{ value }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if ('text' in next) written += next.text;
    else if (typeof next.value !== 'object' || next.value === null || next.value instanceof NumberText)
      written += stringifyExactJson(next.value);
    else {
      const isList = Array.isArray(next.value);
      written += isList ? '[' : '{';
      left.push({ text: isList ? ']' : '}' });
      const members = Object.entries(next.value as Readonly<Record<string, ExactJson>>);
      for (const [at, [key, member]] of [...members.entries()].reverse()) {
        left.push({ value: member });
        left.push({ text: `${at === 0 ? '' : ','}${isList ? '' : `${JSON.stringify(key)}:`}` });
      }
    }
  }
  return written;
}
