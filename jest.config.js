/** Tests run as CommonJS (swc), the program as ES modules (tsc): Jest's own module system does not load ESM dependencies. */
const transform = {
  '^.+\\.(t|j|mj)s$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } }],
};
const base = {
  testEnvironment: 'node',
  transform,
  transformIgnorePatterns: ['/node_modules/(?!(temporal-polyfill|temporal-utils|uuid)/)'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};

export default {
  // Two cores; every suite that needs Postgres clones a database of its own.
  maxWorkers: 2,
  testTimeout: 60_000,
  projects: [
    { ...base, displayName: 'unit', testMatch: ['<rootDir>/test/{domain,calendar,contracts,cases,cli,scripts}/**/*.test.ts', '<rootDir>/test/*.test.ts'] },
    { ...base, displayName: 'postgres', testMatch: ['<rootDir>/test/{storage,api,relay,activities}/**/*.test.ts'] },
    { ...base, displayName: 'temporal', testMatch: ['<rootDir>/test/{workflows,replay}/**/*.test.ts'] },
    { ...base, displayName: 'end-to-end', testMatch: ['<rootDir>/test/end-to-end/**/*.test.ts'] },
  ],
};
