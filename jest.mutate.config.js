/** The tests of rating alone, for `npm run mutate`: Stryker runs them once a mutant, so nothing else may be looked at. */
import { createRequire } from 'node:module';
import config from './jest.config.js';

const unit = config.projects.find(({ displayName }) => displayName === 'unit');
/** The second pass, over what the first has left. */
const withCases = process.env.MUTATE_WITH_CASES === 'yes';
const roots = [
  'src/domain',
  'test/domain',
  'test/support',
  'scripts/mutate',
  ...(withCases ? ['src/calendar', 'src/cases', 'test/cases', 'test/golden'] : []),
];

export default {
  ...unit,
  testTimeout: config.testTimeout,
  moduleNameMapper: {
    ...unit.moduleNameMapper,
    '^fast-check$': '<rootDir>/scripts/mutate/fast-check.cjs',
    '^unlimited-fast-check$': createRequire(import.meta.url).resolve('fast-check'),
  },
  roots: roots.map((root) => `<rootDir>/${root}`),
  testMatch: ['<rootDir>/scripts/mutate/all-tests.cjs'],
};
