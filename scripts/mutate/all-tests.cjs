/**
 * All tests of rating as one file: Stryker runs them once a mutant, and to set up a test file and load its modules takes longer
 * than the tests in it.
 */
const { readdirSync } = require('node:fs');
const { join } = require('node:path');

/** The first failure kills the mutant: what comes after it need not run. */
let isKilled = false;
const untilKilled =
  (run) =>
  async (...parameters) => {
    if (isKilled) return;
    try {
      await run(...parameters);
    } catch (error) {
      isKilled = true;
      throw error;
    }
  };
const { test: whole } = globalThis;
globalThis.test = (name, run, timeout) => whole(name, untilKilled(run), timeout);
globalThis.test.each = (table) => (name, run, timeout) => whole.each(table)(name, untilKilled(run), timeout);
globalThis.it = globalThis.test;

const folder = join(__dirname, '..', '..', 'test');
/** What tests the engine directly, and what tests its callers with it: corrections, rollouts, invoices. */
const ofRating = readdirSync(join(folder, 'domain')).filter((name) =>
  /^(rating|rollout|correction|invoicing|verification|evaluation|conversion)\b.*\.test\.ts$/.test(name),
);
for (const name of ofRating) describe(name, () => void require(join(folder, 'domain', name)));
if (process.env.MUTATE_WITH_CASES === 'yes') require(join(folder, 'golden', 'cases.test.ts'));
