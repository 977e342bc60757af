/** Tests run as CommonJS (swc), the program as ES modules (tsc): Jest's own module system does not load ESM dependencies. */
const swc = { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } };
const base = {
  testEnvironment: 'node',
  transform: { '^.+\\.(t|j|mj)s$': ['@swc/jest', swc] },
  transformIgnorePatterns: ['/node_modules/(?!(temporal-polyfill|temporal-utils|uuid|content-disposition|cookie)/)'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};
/** Starts one Postgres for the run; every suite that needs it clones a database of its own. */
const postgres = {
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
};

const tests = (...folders) => folders.map((folder) => `<rootDir>/test/${folder}/**/*.test.ts`);

export default {
  // Two cores.
  maxWorkers: 2,
  // A machine that is busy takes twice as long: this is to end what hangs, not what is slow.
  testTimeout: 120_000,
  // The same for a worker that ends: half a second is soon over where two cores are busy.
  workerGracefulExitTimeout: 15_000,
  projects: [
    {
      ...base,
      displayName: 'unit',
      testMatch: [
        ...tests('domain', 'calendar', 'contracts', 'cases', 'golden', 'cli', 'documents', 'scripts'),
        '<rootDir>/test/*.test.ts',
      ],
    },
    { ...base, displayName: 'replay', testMatch: tests('replay') },
    {
      ...base,
      ...postgres,
      displayName: 'postgres',
      testMatch: tests('storage', 'api', 'relay', 'activities', 'billing', 'proofs'),
    },
    { ...base, ...postgres, displayName: 'temporal', testMatch: tests('workflows', 'worker') },
    { ...base, ...postgres, displayName: 'end-to-end', testMatch: tests('end-to-end', 'oracle') },
  ],
};
