/** The tests of rating alone, for `npm run mutate`: one project, because Stryker runs it in its own workers. */
import config from './jest.config.js';

const unit = config.projects.find(({ displayName }) => displayName === 'unit');

export default {
  ...unit,
  rootDir: '.',
  testTimeout: config.testTimeout,
  testMatch: ['<rootDir>/test/domain/rating-*.test.ts', '<rootDir>/test/cases/cases.test.ts'],
};
