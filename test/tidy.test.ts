/**
 * The project's rules about its own files. Each rule is first shown to catch what it is for, so that none of them can pass
 * because it looks at nothing.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { failureCodes } from '../src/domain/failure.js';
import { unimported } from './tidy/exports.js';
import { forbiddenImports, importCycles, matrix } from './tidy/imports.js';
import { bannedUses, exportedValues, projectFiles, root, testsNotRun, textOf } from './tidy/source.js';
import type { Banned, SourceFile } from './tidy/source.js';

const files = projectFiles();
const load = (path: string): SourceFile => ({ path, text: textOf(path) });
const sources = files.filter((path) => /^src\/.*\.ts$/.test(path)).map(load);
const tests = files.filter((path) => /^test\/.*\.test\.ts$/.test(path)).map(load);
const manifest = JSON.parse(textOf('package.json')) as { dependencies: Record<string, string> };
const dependencies = Object.keys(manifest.dependencies);

const sample = (path: string, text: string): SourceFile => ({ path, text });

test('there is something to look at', () => {
  expect(sources.length).toBeGreaterThan(50);
  expect(tests.length).toBeGreaterThan(10);
});

describe('imports point down', () => {
  const catches: readonly (readonly [string, string])[] = [
    ['src/domain/a.ts', "import { x } from 'uuid';"],
    ['src/domain/a.ts', "import { x } from '../contracts/names.js';"],
    ['src/domain/a.ts', "import { x } from 'node:crypto';"],
    ['src/contracts/a.ts', "import { x } from '../domain/decimal.js';"],
    ['src/workflows/a.ts', "import { x } from '../activities/index.js';"],
    ['src/workflows/a.ts', "import { x } from '../storage/types.js';"],
    ['src/workflows/a.ts', "import { x } from '@temporalio/client';"],
    ['src/api/a.ts', "import pg from 'pg';"],
    ['src/cli/a.ts', "export { x } from '../storage/index.js';"],
    ['src/cases/a.ts', "const x = await import('../storage/index.js');"],
    ['src/api/a.ts', "import { x } from 'luxon';"],
    ['src/elsewhere/a.ts', ''],
  ];
  test.each(catches)('catches in %s: %s', (path, text) => {
    expect(forbiddenImports(sample(path, text), dependencies)).toHaveLength(1);
  });

  test('allows a workflow the types of activities', () => {
    const text = "import type { Activities } from '../activities/index.js';";
    expect(forbiddenImports(sample('src/workflows/a.ts', text), dependencies)).toEqual([]);
  });

  test('in every file of src/', () => {
    expect(sources.flatMap((file) => forbiddenImports(file, dependencies))).toEqual([]);
  });

  test('without cycles', () => {
    const circle = [sample('src/api/a.ts', "import './b.js';"), sample('src/api/b.ts', "import { a } from './a.js';")];
    expect(importCycles(circle)).toEqual(['src/api/a.ts → src/api/b.ts → src/api/a.ts']);
    expect(importCycles(sources)).toEqual([]);
  });

  test('the matrix has no folder that does not exist', () => {
    const areas = new Set(sources.map(({ path }) => (path.split('/')[1] ?? '').replace(/\.ts$/, '')));
    expect(Object.keys(matrix).filter((area) => !areas.has(area))).toEqual([]);
  });
});

test('files are short: 250 lines in the domain, 400 elsewhere', () => {
  const code = files.filter((path) => /^(src|test|scripts|bench|bin|examples)\/.*\.(ts|mjs|js)$/.test(path));
  const tooLong = code
    .map((path) => ({ path, lines: textOf(path).trimEnd().split('\n').length }))
    .filter(({ path, lines }) => lines > (path.startsWith('src/domain/') ? 250 : 400));
  expect(tooLong).toEqual([]);
});

describe('calculations depend on their arguments only', () => {
  const impure = ['process', 'Intl', 'fetch', 'performance', 'crypto'];
  const inDomain: Banned = {
    globals: [...impure, 'setTimeout', 'setInterval', 'setImmediate', 'console'],
    members: ['Date.now', 'Math.random', '.toLocaleString', '.toLocaleDateString', '.localeCompare'],
    clockFromDate: true,
  };
  /** The sandbox makes Date.now and timers deterministic; they are the one way to the clock there. */
  const inWorkflows: Banned = {
    globals: [...impure, 'console'],
    members: ['Math.random', '.toLocaleString', '.toLocaleDateString', '.localeCompare'],
    clockFromDate: true,
  };

  test.each([
    'Date.now()',
    'new Date()',
    'Math.random()',
    'process.env',
    'new Intl.NumberFormat()',
    'x.toLocaleString()',
  ])('catches %s', (expression) => {
    expect(bannedUses(sample('a.ts', `const y = ${expression};`), inDomain)).toHaveLength(1);
  });

  test('does not stumble over properties and arguments of the same name', () => {
    const text = 'const a = (process: string) => ({ crypto: 1, b: x.performance, c: new Date(0) });';
    expect(bannedUses(sample('a.ts', text), inDomain)).toEqual([]);
  });

  test.each([
    ['src/domain/', inDomain],
    ['src/workflows/', inWorkflows],
  ] as const)('in %s', (folder, banned) => {
    const inside = sources.filter(({ path }) => path.startsWith(folder));
    expect(inside.length).toBeGreaterThan(3);
    expect(inside.flatMap((file) => bannedUses(file, banned))).toEqual([]);
  });
});

test('every test runs', () => {
  const text = "describe.only('x', f); it.skip('y', f); test.todo('z'); xit('w', f); other.skip(1);";
  expect(testsNotRun(sample('a.test.ts', text))).toHaveLength(4);
  expect(tests.flatMap(testsNotRun)).toEqual([]);
});

describe('files that anybody may read', () => {
  // Put together from pieces, or this file would be caught by its own rule.
  const machine = new RegExp(
    [
      `/${'work'}/(main|shared)`,
      `\\.\\./${'shared'}\\b`,
      `/${'root'}/`,
      `/${'home'}/[a-z]+/`,
      `/${'Users'}/[A-Za-z]+/`,
      `registry\\.${'npmjs'}`,
      `${'proxy'}\\.golang\\.org`,
      `repo1?\\.${'maven'}`,
      `${'artif'}actory`,
    ].join('|'),
  );
  const text = (path: string): string => (textOf(path).includes('\0') ? '' : textOf(path));

  test('name no folder of a machine and no package registry', () => {
    expect(machine.test(`see /${'work'}/main/README.md`)).toBe(true);
    const found = files.filter((path) => machine.test(text(path)));
    expect(found).toEqual([]);
  });

  test('have no unfinished ends', () => {
    const unfinished = new RegExp(
      `\\b(${['TO', 'FIX'].map((half, index) => half + ['DO', 'ME'][index]).join('|')})\\b`,
    );
    const code = files.filter(
      (path) => /\.(ts|mjs|js|sql|prisma|ya?ml)$/.test(path) && !path.startsWith('test/replay/histories/'),
    );
    expect(code.filter((path) => unfinished.test(text(path)))).toEqual([]);
  });

  test('link to files that exist', () => {
    const broken = files
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) => {
        const links = [...textOf(path).matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)/g)].map((match) => match[1] ?? '');
        return links.filter((link) => !existsSync(join(root, dirname(path), link))).map((link) => `${path}: ${link}`);
      });
    expect(broken).toEqual([]);
  });
});

test('the changelog begins with what is not released', () => {
  const headings = [...textOf('CHANGELOG.md').matchAll(/^## (.*)$/gm)].map((match) => match[1]);
  expect(headings[0]).toBe('[Unreleased]');
});

describe('what src/ exports', () => {
  // The worker's bundle takes workflows by their names.
  const modules = sources.filter(({ path }) => path !== 'src/workflows/index.ts');
  const filesOf = (folders: string) =>
    files.filter((path) => new RegExp(`^(${folders})/.*\\.ts$`).test(path)).map(load);
  /** For tests, and not theirs. */
  const kept = [
    // For other programs: an OpenFeature provider.
    'src/billing/rollout-flags.ts: PriceRolloutProvider',
    // Made of what its file keeps to itself; test/cases/case.schema.json is it.
    'src/cases/format.ts: caseJsonSchema',
  ];

  test('catches what nobody imports, or tests alone', () => {
    const a = sample(
      'src/a.ts',
      'export const b = 1;\nexport function c() { b; }\nexport class D {}\nexport type E = 1;',
    );
    const taking = (text: string) => unimported([a], [a, sample('src/f/g.ts', text)]);
    const [b, c, d] = [
      { value: 'src/a.ts: b', isUsed: true },
      { value: 'src/a.ts: c', isUsed: false },
      { value: 'src/a.ts: D', isUsed: false },
    ];
    expect(taking('')).toEqual([b, c, d]);
    expect(taking("import { b as x } from '../a.js'; import type { D } from '../a.js';")).toEqual([c]);
    expect(taking("export { c } from '../a.js'; const { D } = await import('../a.js');")).toEqual([]);
  });

  test('is imported, and not for tests alone', () => {
    const beyondTests = unimported(modules, filesOf('src|bench'));
    const notByTests = new Set(unimported(modules, filesOf('test')).map(({ value }) => value));
    expect(beyondTests.filter(({ value }) => notByTests.has(value))).toEqual([]);
    expect(beyondTests.filter(({ isUsed }) => !isUsed).map(({ value }) => value)).toEqual(kept);
  });
});

test('every workflow has a recorded history that replays', () => {
  const workflows = exportedValues(load('src/workflows/index.ts'));
  expect(workflows.length).toBeGreaterThan(2);
  const recorded = files.map((path) => /^test\/replay\/histories\/([A-Za-z]+)\.[^/]+\.json$/.exec(path)?.[1]);
  expect(workflows.filter((workflow) => !recorded.includes(workflow))).toEqual([]);
});

test('every failure code is documented, and no other', () => {
  const documented = [...textOf('docs/reference/errors.md').matchAll(/^\|\s*`([A-Z_]+)`/gm)].map((match) => match[1]);
  expect([...documented].sort()).toEqual([...failureCodes].sort());
});
