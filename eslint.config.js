/** Lint. Rules that can be checked by the types are: a forgotten `await` of an activity is the dearest mistake there is. */
import tseslint from 'typescript-eslint';

/** Which folder of src/ may not import which other things (DESIGN 7); test/tidy.test.ts checks the same from the other side. */
const temporalPackages = ['@temporalio/*', '@temporalio/*/*'];
const nodeBuiltins = ['node:*', 'fs', 'path', 'crypto', 'os', 'child_process', 'http', 'net', 'process'];
const databasePackages = ['pg', 'pg-*', '@prisma/*', 'prisma', '.prisma/*'];

function forbid(files, groups) {
  const patterns = groups.map(({ group, message, allowTypeImports = false }) => ({ group, message, allowTypeImports }));
  return { files, rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] } };
}

const noDatabase = {
  group: databasePackages,
  message: 'Only src/storage talks to the database: use src/storage/types.ts.',
};
const noNode = { group: nodeBuiltins, message: 'This code is pure or runs in the workflow sandbox: no Node.' };
const noTemporal = { group: temporalPackages, message: 'Nothing here knows Temporal.' };

const impureGlobals = [
  ['Intl', 'Results depend on the ICU data of the host; use the ISO 4217 table and the calendar.'],
  ['fetch', 'Input and output belong in activities.'],
  ['performance', 'No clock in calculations.'],
  ['crypto', 'No randomness in calculations; hashing lives in src/storage.'],
  ['process', 'Settings come in as arguments (src/config.ts).'],
].map(([name, message]) => ({ name, message }));
const timers = ['setTimeout', 'setInterval', 'setImmediate'].map((name) => ({
  name,
  message: 'The domain does not wait.',
}));

const impureProperties = [
  { object: 'Date', property: 'now', message: 'No clock here: take the instant as an argument.' },
  { object: 'Math', property: 'random', message: 'Same inputs, same outputs.' },
  { property: 'toLocaleString', message: "Depends on the host's locale." },
];
const noClockFromDate = {
  selector: "NewExpression[callee.name='Date'][arguments.length=0]",
  message: 'No clock here: take the instant as an argument.',
};

const linesMax = (max) => ['error', { max, skipComments: true, skipBlankLines: true }];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.data/', 'coverage/', 'test/replay/histories/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{js,mjs,ts}'],
    rules: { eqeqeq: 'error', 'no-var': 'error', 'prefer-const': 'error', 'no-debugger': 'error', 'no-eval': 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/prefer-readonly': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      'no-console': 'error',
      'max-lines-per-function': linesMax(70),
    },
  },
  {
    files: ['src/{cli,cases}/**/*.ts', 'src/**/main.ts', 'src/worker/build-bundle.ts'],
    rules: { 'no-console': 'off' },
  },
  // Routes register one after the other: a list, not a flow.
  { files: ['src/api/routes/**/*.ts'], rules: { 'max-lines-per-function': linesMax(100) } },

  forbid(['src/{domain,calendar,documents,explanation}/**/*.ts'], [noDatabase, noNode, noTemporal]),
  forbid(
    ['src/contracts/**/*.ts'],
    [
      noDatabase,
      noNode,
      {
        group: ['@temporalio/*', '!@temporalio/workflow', '!@temporalio/common'],
        message: 'Contracts are shared by all sides: `workflow` (define…) and `common` only.',
      },
    ],
  ),
  forbid(
    ['src/workflows/**/*.ts'],
    [
      noDatabase,
      noNode,
      {
        group: ['@temporalio/*', '!@temporalio/workflow', '!@temporalio/common'],
        message: 'Workflow code runs in the sandbox: `workflow` and `common` only.',
      },
      {
        group: ['**/activities/*', '**/activities'],
        message: '`import type` only: a value import would pull Node into the bundle.',
        allowTypeImports: true,
      },
      { group: ['**/storage/*', '**/api/*', '**/relay/*'], message: 'Workflows decide when; activities do I/O.' },
    ],
  ),
  forbid(['src/{api,relay,activities,worker,cases,cli}/**/*.ts'], [noDatabase]),

  {
    files: ['src/domain/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...impureGlobals, ...timers],
      'no-restricted-properties': ['error', ...impureProperties],
      'no-restricted-syntax': ['error', noClockFromDate],
    },
  },
  {
    // The sandbox replaces clock, randomness and timers by deterministic ones; what it does not replace is banned.
    files: ['src/workflows/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...impureGlobals],
      'no-restricted-properties': ['error', impureProperties[1], impureProperties[2]],
    },
  },
  {
    files: ['**/*.test.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        ...['describe', 'it', 'test'].flatMap((object) =>
          ['only', 'skip', 'todo'].map((property) => ({ object, property, message: 'Every test runs.' })),
        ),
      ],
    },
  },
);
