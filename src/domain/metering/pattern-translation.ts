/**
 * Patterns of JSON Schema (regular expressions of ECMAScript with the flag `u`) in the syntax of RE2, whose automata need a time
 * that grows with a text's length and nothing else. Nothing is passed on as it was written: each part is said in RE2's words with
 * the meaning that it has in ECMAScript (what `\s` and `.` match, where `$` is), or refused.
 */
import { RegExpParser, RegExpSyntaxError } from '@eslint-community/regexpp';
import type { AST } from '@eslint-community/regexpp';

/** How large a pattern may be: its characters and classes, with every repetition written out. docs/reference/LIMITS.md states it. */
export const patternStepsMax = 1_000;

/** A pattern as RE2 takes it. */
export interface TranslatedPattern {
  readonly re2: string;
  /** Its characters and classes, with every repetition written out: what a character of a text costs at most. */
  readonly steps: number;
}

/** A pattern that has no equivalent; the message is a sentence that names what, where, and what to write instead. */
export class UnsupportedPattern extends Error {}

/**
 * @param pattern as in a schema, without delimiters and flags
 * @throws UnsupportedPattern
 */
export function translatePattern(pattern: string): TranslatedPattern {
  const { text, steps } = alternatives(parsedPattern(pattern).alternatives);
  if (steps <= patternStepsMax) return { re2: text, steps };
  const size = Number.isSafeInteger(steps) ? `${steps}` : 'far more';
  throw new UnsupportedPattern(
    `It is too large: with its repetitions written out it has ${size} characters and classes, of ${patternStepsMax} that are taken. ` +
      'Say lengths with "minLength" and "maxLength" instead of counts.',
  );
}

// A fixed edition: what is a pattern must not depend on the Node that runs.
const parser = new RegExpParser({ ecmaVersion: 2024 });

/** @throws UnsupportedPattern for what is no pattern */
export function parsedPattern(pattern: string): AST.Pattern {
  try {
    return parser.parsePattern(pattern, 0, pattern.length, { unicode: true });
  } catch (error) {
    if (!(error instanceof RegExpSyntaxError)) throw error;
    throw new UnsupportedPattern(`${error.message} (at character ${error.index + 1}).`);
  }
}

interface Part {
  readonly text: string;
  readonly steps: number;
}

function alternatives(all: readonly AST.Alternative[]): Part {
  const parts = all.map(({ elements }) => elements.map(element));
  return {
    text: parts.map((each) => each.map(({ text }) => text).join('')).join('|'),
    // An empty alternative is a step, too.
    steps: parts.flat().reduce((sum, { steps }) => sum + steps, parts.length),
  };
}

function element(node: AST.Element): Part {
  switch (node.type) {
    case 'Assertion':
      return { text: assertion(node), steps: 1 };
    case 'Quantifier':
      return quantifier(node);
    case 'Character':
      return { text: character(node), steps: 1 };
    case 'CharacterSet':
      return { text: `[${set(node)}]`, steps: 1 };
    case 'CharacterClass':
      return { text: characterClass(node), steps: 1 };
    case 'Group':
    case 'CapturingGroup': {
      const { text, steps } = alternatives(node.alternatives);
      return { text: `(?:${text})`, steps };
    }
    case 'Backreference':
      throw unsupported(node, 'a back-reference', 'List the texts with "enum", or write the alternatives out.');
    case 'ExpressionCharacterClass':
      throw new Error('invariant broken: classes with operators need another flag');
  }
}

function assertion(node: AST.Assertion): string {
  switch (node.kind) {
    case 'start':
      return String.raw`\A`;
    case 'end':
      return String.raw`\z`;
    case 'word':
      return node.negate ? String.raw`\B` : String.raw`\b`;
    case 'lookahead':
    case 'lookbehind': {
      const instead = 'Say it with several patterns: "allOf" for what must match, too, "not" for what must not.';
      throw unsupported(node, `a ${node.kind}`, instead);
    }
  }
}

/** Whether a text matches does not depend on which of several ways is taken first, so lazy ones are like the others. */
function quantifier({ element: repeated, min, max }: AST.Quantifier): Part {
  const { text, steps } = element(repeated);
  const times = max === Infinity ? `${min},` : min === max ? `${min}` : `${min},${max}`;
  return { text: `(?:${text}){${times}}`, steps: steps * Math.max(1, max === Infinity ? min : max) };
}

function character(node: AST.Character): string {
  const { value } = node;
  // Texts have whole characters only; RE2 reads halves otherwise.
  if (value >= 0xd800 && value <= 0xdfff) {
    throw unsupported(node, 'half of a surrogate pair', String.raw`Write the whole character, as in "\u{1F600}".`);
  }
  return codePoint(value);
}

const codePoint = (value: number): string => `\\x{${value.toString(16)}}`;

type Range = readonly [first: number, last: number];

/** Inside of a class; of those that are negated the others. */
function ranges(own: readonly Range[], negate = false): string {
  return (negate ? complement(own) : own).map(([first, last]) => `${codePoint(first)}-${codePoint(last)}`).join('');
}

const lastCodePoint = 0x10ffff;

function complement(own: readonly Range[]): readonly Range[] {
  const starts = [0, ...own.map(([, last]) => last + 1)];
  const ends = [...own.map(([first]) => first - 1), lastCodePoint];
  return starts.map((start, index): Range => [start, ends[index] ?? lastCodePoint]).filter(([a, b]) => a <= b);
}

const one = (value: number): Range => [value, value];
/** ECMAScript's line terminators. */
const lineEnds = [one(0x0a), one(0x0d), [0x2028, 0x2029]] as const;
/** Sorted. `space` is WhiteSpace and LineTerminator of ECMAScript (RE2's `\s` has the ASCII ones only); words are ASCII in both. */
const escapeSets: Readonly<Record<'digit' | 'space' | 'word', readonly Range[]>> = {
  digit: [[0x30, 0x39]],
  space: [
    ...([[0x09, 0x0d], one(0x20), one(0xa0), one(0x1680), [0x2000, 0x200a], [0x2028, 0x2029]] as const),
    ...[0x202f, 0x205f, 0x3000, 0xfeff].map(one),
  ],
  word: [[0x30, 0x39], [0x41, 0x5a], one(0x5f), [0x61, 0x7a]],
};

function set(node: AST.CharacterSet): string {
  switch (node.kind) {
    case 'any':
      return ranges(lineEnds, true);
    case 'property':
      return property(node);
    default:
      return ranges(escapeSets[node.kind], node.negate);
  }
}

function characterClass(node: AST.CharacterClass): string {
  const inside = node.elements.map((each) => {
    if (each.type === 'Character') return character(each);
    if (each.type === 'CharacterSet') return set(each);
    if (each.type === 'CharacterClassRange') return `${character(each.min)}-${character(each.max)}`;
    throw new Error('invariant broken: classes with operators need another flag');
  });
  // RE2 has no class without members.
  if (inside.length === 0) return `[${node.negate ? '' : '^'}${ranges([[0, lastCodePoint]])}]`;
  return `[${node.negate ? '^' : ''}${inside.join('')}]`;
}

/** RE2 knows categories by their short names. */
const categories: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{ L: 'Letter', LC: 'Cased_Letter', Lu: 'Uppercase_Letter', Ll: 'Lowercase_Letter', Lt: 'Titlecase_Letter' },
    ...{ Lm: 'Modifier_Letter', Lo: 'Other_Letter', M: 'Mark', Mn: 'Nonspacing_Mark', Mc: 'Spacing_Mark' },
    ...{ Me: 'Enclosing_Mark', N: 'Number', Nd: 'Decimal_Number', Nl: 'Letter_Number', No: 'Other_Number' },
    ...{ P: 'Punctuation', Pc: 'Connector_Punctuation', Pd: 'Dash_Punctuation', Ps: 'Open_Punctuation' },
    ...{ Pe: 'Close_Punctuation', Pi: 'Initial_Punctuation', Pf: 'Final_Punctuation', Po: 'Other_Punctuation' },
    ...{ S: 'Symbol', Sm: 'Math_Symbol', Sc: 'Currency_Symbol', Sk: 'Modifier_Symbol', So: 'Other_Symbol' },
    ...{ Z: 'Separator', Zs: 'Space_Separator', Zl: 'Line_Separator', Zp: 'Paragraph_Separator', C: 'Other' },
    ...{ Cc: 'Control', Cf: 'Format', Cs: 'Surrogate', Co: 'Private_Use', Cn: 'Unassigned' },
  }).map(([short, long]) => [long, short]),
);

function property(node: AST.UnicodePropertyCharacterSet): string {
  const { key, value, negate } = node;
  if (key === 'Script_Extensions' || key === 'scx') {
    throw unsupported(
      node,
      'a property that is not known here',
      String.raw`Use "\p{Script=…}" with the script's long name.`,
    );
  }
  const name = value ?? key;
  return `\\${negate ? 'P' : 'p'}{${categories.get(name) ?? name}}`;
}

function unsupported({ raw, start }: AST.Node, what: string, instead: string): UnsupportedPattern {
  const detail = `It has ${what}, ${JSON.stringify(raw.slice(0, 60))} at character ${start + 1}, which cannot be matched in a time that grows with the text's length only.`;
  return new UnsupportedPattern(`${detail} ${instead}`);
}
