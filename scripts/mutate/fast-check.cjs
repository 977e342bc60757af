/**
 * fast-check for mutants. The tests run once a mutant, and one that a law's first examples do not kill seldom dies of its
 * last ones: fewer examples, and no search for the smallest counterexample.
 */
const fastCheck = require('unlimited-fast-check');

const examplesMax = 40;

const assert = (property, parameters) =>
  fastCheck.assert(property, {
    ...parameters,
    endOnFailure: true,
    numRuns: Math.min(parameters?.numRuns ?? examplesMax, examplesMax),
  });

module.exports = { __esModule: true, ...fastCheck, assert, default: { ...fastCheck.default, assert } };
