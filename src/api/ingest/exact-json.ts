/**
 * JSON with exact numbers. A number in metadata may be a quantity that is billed, so it must not pass through a float:
 * a token that a float might change is carried as its text instead. Bodies without such a token, nearly all of them,
 * take the fast way, plain `JSON.parse`.
 */

import { jsonText } from '../../domain/json-text.js';
import { endOfString, quoteCode, readKnownJson } from './read-known-json.js';

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

/**
 * In time that grows with the length of the text and nothing else, whatever is in it.
 * @throws SyntaxError when the text is not JSON
 * A key that occurs twice in an object has its last value, as JSON.parse defines it.
 */
export function parseExactJson(text: string): ExactJson {
  const value = JSON.parse(text) as ExactJson;
  // Only what is JSON is looked at further: behind a string that does not end, say, every quote might begin one.
  return mayNeedText.test(text) ? (readKnownJson(text, exactNumber) as ExactJson) : value;
}

function exactNumber(token: string): number | NumberText {
  return needsText.test(token) ? new NumberText(token) : Number(token);
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

/** As `stringifyExactJson`, but only so much of it, or little more. Without recursion. */
export function beginningOfJson(value: ExactJson, characters: number): string {
  let written = '';
  const open: { readonly members: Members; readonly keys: readonly string[] | null; next: number }[] = [];
  const write = (member: ExactJson): void => {
    if (typeof member !== 'object' || member === null || member instanceof NumberText) {
      written += typeof member === 'string' ? jsonText(member) : stringifyExactJson(member);
      return;
    }
    const keys = Array.isArray(member) ? null : Object.keys(member);
    written += keys === null ? '[' : '{';
    open.push({ members: member as Members, keys, next: 0 });
  };
  write(value);
  for (let top = open.at(-1); top !== undefined && written.length < characters; top = open.at(-1)) {
    const { members, keys, next } = top;
    if (next === (keys ?? (members as unknown as readonly ExactJson[])).length) {
      written += keys === null ? ']' : '}';
      open.pop();
      continue;
    }
    top.next += 1;
    const key = keys?.[next] ?? next;
    written += `${next === 0 ? '' : ','}${keys === null ? '' : `${jsonText(String(key))}:`}`;
    write(members[key] ?? null);
  }
  return written;
}

type Members = Readonly<Record<string | number, ExactJson>>;
