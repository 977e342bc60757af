/**
 * Leaves alone what errors say to people: the message of `invariant` and the detail of `DomainFailure`. Tests go by codes and
 * pointers, so that a text may be made clearer without touching them.
 */
import { PluginKind, declareValuePlugin } from '@stryker-mutator/api/plugin';

const message = new Map([
  ['invariant', 1],
  ['DomainFailure', 1],
]);

function isMessage({ key, listKey, parent }) {
  if (listKey !== 'arguments' || (parent.type !== 'CallExpression' && parent.type !== 'NewExpression')) return false;
  return message.get(parent.callee.name) === key;
}

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'texts-of-errors', {
    shouldIgnore: (path) => (isMessage(path) ? 'what an error says to people' : undefined),
  }),
];
