/**
 * All tests of rating as one file: Stryker runs them once a mutant, and to set up a test file and load its modules takes longer
 * than the tests in it.
 */
const { readdirSync } = require('node:fs');
const { join } = require('node:path');

const folder = join(__dirname, '..', '..', 'test');
const ofRating = readdirSync(join(folder, 'domain')).filter((name) => /^rating-.*\.test\.ts$/.test(name));
for (const name of ofRating) describe(name, () => void require(join(folder, 'domain', name)));
if (process.env.MUTATE_WITH_CASES === 'yes') require(join(folder, 'cases', 'cases.test.ts'));
