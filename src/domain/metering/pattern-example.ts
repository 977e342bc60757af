/** Texts of certain characters that a pattern may match: a guess at one, or the certainty that there is none. */
import type { AST } from '@eslint-community/regexpp';
import { matchesPattern } from './linear-pattern.js';
import { parsedPattern } from './pattern-translation.js';

/**
 * The text of the first way through the pattern on which every character can be one of these. What it says of a text's ends and of
 * words is passed over, so the text need not match.
 * @param pattern one that can be evaluated
 * @param characters those tried first stand first
 * @param optional how often what need not be there is repeated
 * @returns null: it matches no text of these characters alone, for certain
 */
export function exampleOf(pattern: string, characters: string, optional: 0 | 1): string | null {
  const ofOne = (part: string): string | null => [...characters].find((each) => matchesPattern(part, each)) ?? null;

  const ofElement = (node: AST.Element): string | null => {
    switch (node.type) {
      case 'Assertion':
        return '';
      case 'Group':
      case 'CapturingGroup':
        return ofAlternatives(node.alternatives);
      case 'Quantifier': {
        const { min, max } = node;
        const text = ofElement(node.element);
        return text === null ? (min === 0 ? '' : null) : text.repeat(Math.max(min, Math.min(max, optional)));
      }
      default:
        return ofOne(node.raw);
    }
  };

  const ofAlternatives = (alternatives: readonly AST.Alternative[]): string | null => {
    for (const { elements } of alternatives) {
      const texts = elements.map(ofElement);
      if (!texts.includes(null)) return texts.join('');
    }
    return null;
  };

  return ofAlternatives(parsedPattern(pattern).alternatives);
}
