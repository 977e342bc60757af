/** Whether texts match the patterns of a schema, in a time that grows with the text's length and the pattern's size (RULES 75). */
import { RE2JSException, RE2Set } from 're2js';
import { Lru } from '../lru.js';
import { patternStepsMax, translatePattern, UnsupportedPattern } from './pattern-translation.js';

/** So many compiled patterns are remembered; their automata, each up to so many bytes, are what makes most texts cheap. */
const rememberedMax = 2_000;
const automatonBytesMax = 64 * 1024;

/** A longer text matches no pattern of a schema: part of what a version means, so it stays, though no text is slow any more. */
export const patternTextMax = 512;

interface Compiled {
  readonly matches: (text: string) => boolean;
  readonly steps: number;
}

const remembered = new Lru<string, Compiled | UnsupportedPattern>(rememberedMax);

/**
 * Whether the pattern is found anywhere in the text, as `new RegExp(pattern, 'u').test(text)` says; null: the pattern is none
 * that can be evaluated (`patternProblem`).
 */
export function matchesPattern(pattern: string, text: string): boolean | null {
  const found = compiled(pattern);
  return found instanceof UnsupportedPattern ? null : found.matches(text);
}

/** Whether a text of metadata satisfies the keyword `pattern`, as `matchesPattern` says: a longer one than `patternTextMax` never does. */
export function satisfiesPattern(pattern: string, text: string): boolean | null {
  return text.length <= patternTextMax && matchesPattern(pattern, text);
}

/** Why a pattern cannot be evaluated: sentences about it, with what to write instead; null: it can. */
export function patternProblem(pattern: string): string | null {
  const found = compiled(pattern);
  return found instanceof UnsupportedPattern ? found.message : null;
}

/** What a character of a text costs at most, in characters and classes; a pattern that cannot be evaluated costs as much as any. */
export function patternSteps(pattern: string): number {
  const found = compiled(pattern);
  return found instanceof UnsupportedPattern ? patternStepsMax : found.steps;
}

function compiled(pattern: string): Compiled | UnsupportedPattern {
  const known = remembered.get(pattern);
  if (known !== undefined) return known;
  const made = compile(pattern);
  remembered.set(pattern, made);
  return made;
}

function compile(pattern: string): Compiled | UnsupportedPattern {
  try {
    const { re2, steps } = translatePattern(pattern);
    // A set of one: only sets bound what their automaton may take up (8 MiB a pattern otherwise).
    const set = new RE2Set(RE2Set.UNANCHORED, 0, automatonBytesMax);
    set.add(re2);
    set.compile();
    return { matches: (text) => set.match(text).length > 0, steps };
  } catch (error) {
    if (error instanceof UnsupportedPattern) return error;
    if (!(error instanceof RE2JSException)) throw error;
    // All else was translated: what is left are names of properties.
    const detail = String.raw`It has a property "\p{…}" that is not known here. Write a category ("\p{L}"), or a script by its long name ("\p{Script=Greek}").`;
    return new UnsupportedPattern(detail);
  }
}
