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

/** Strings are matched only to step over them. */
const stringsAndNumbers = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const needsText = /^-?(?:.{16,}|.*[eE]|0\.000000)/;

/** The key under which a number's text crosses JSON.parse; drawn once a process, so that no body can forge it. */
const marker = `number:${globalThis.crypto.randomUUID()}`;

/**
 * @throws SyntaxError when the text is not JSON.
 * A key that occurs twice in an object has its last value, as JSON.parse defines it.
 */
export function parseExactJson(text: string): ExactJson {
  if (!mayNeedText.test(text)) return JSON.parse(text) as ExactJson;
  // Where JSON allows a number it allows an object, and nowhere else: what was invalid stays invalid.
  const marked = text.replace(stringsAndNumbers, (token) =>
    token.startsWith('"') || !needsText.test(token) ? token : `{"${marker}":"${token}"}`,
  );
  try {
    return JSON.parse(marked, reviveNumber) as ExactJson;
  } catch (error) {
    // Speaks of the text as it was sent; the marker must not get out.
    if (error instanceof SyntaxError) JSON.parse(text);
    throw error;
  }
}

function reviveNumber(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, marker)) return value;
  return new NumberText((value as Readonly<Record<string, string>>)[marker] ?? '');
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
