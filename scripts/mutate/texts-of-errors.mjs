/**
 * Leaves sentences alone: what errors say to people, which tests do not go by (they go by codes and pointers), so that a text
 * may be made clearer without touching them. Formulas and line keys are no sentences.
 */
import { PluginKind, declareValuePlugin } from '@stryker-mutator/api/plugin';

function textOf(node) {
  if (node.type === 'StringLiteral') return node.value;
  if (node.type === 'TemplateLiteral') return node.quasis.map(({ value }) => value.cooked).join('…');
  return '';
}

/** Also the message of an invariant, which has no full stop. */
const isMessage = ({ key, listKey, parent }) =>
  listKey === 'arguments' && key === 1 && parent.type === 'CallExpression' && parent.callee.name === 'invariant';

const isSentence = (text) => text.includes(' ') && text.endsWith('.');

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'texts-of-errors', {
    shouldIgnore: (path) =>
      isMessage(path) || isSentence(textOf(path.node)) ? 'what an error says to people' : undefined,
  }),
];
