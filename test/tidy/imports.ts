/** Who may import whom (DESIGN 7). The arrows only point down. */
import { dirname, join, normalize } from 'node:path';
import { importsOf } from './source.js';
import type { SourceFile } from './source.js';

interface Area {
  /** Areas of src/ that may be imported; a name with ` type` only by `import type`. */
  readonly areas: readonly string[];
  /** Packages that may be imported; absent: any that package.json lists. */
  readonly packages?: readonly string[];
  readonly node: boolean;
  readonly why: string;
}

const programs = ['domain', 'calendar', 'contracts', 'storage'];

export const matrix: Readonly<Record<string, Area>> = {
  domain: {
    areas: [],
    packages: ['decimal.js', 're2js', '@eslint-community/regexpp'],
    node: false,
    why: 'the domain is pure: itself, decimal.js, and for patterns re2js and regexpp',
  },
  calendar: {
    areas: ['domain'],
    packages: ['temporal-polyfill'],
    node: false,
    why: 'the calendar computes from its arguments',
  },
  contracts: {
    areas: ['domain type'],
    packages: ['@temporalio/workflow', '@temporalio/common'],
    node: false,
    why: 'contracts are shared by all sides: types, names, define…',
  },
  documents: { areas: ['domain'], node: true, why: 'documents are made from what they are given' },
  explanation: {
    areas: ['domain', 'documents'],
    packages: ['temporal-polyfill'],
    node: false,
    why: 'explanations are made from what the API answers, and recomputed without the code that made them',
  },
  workflows: {
    areas: ['domain', 'contracts', 'activities type'],
    packages: ['@temporalio/workflow', '@temporalio/common'],
    node: false,
    why: 'workflow code runs in the sandbox; activities do I/O',
  },
  storage: { areas: ['domain', 'calendar'], node: true, why: 'storage knows tables and domain types only' },
  billing: {
    areas: ['domain', 'calendar', 'storage'],
    node: true,
    why: 'what activities and API both do with the domain and storage: price facts, proofs',
  },
  relay: { areas: [...programs, 'workflows type'], node: true, why: 'the relay reads storage and signals' },
  activities: {
    areas: [...programs, 'billing', 'relay', 'workflows type', 'config type'],
    node: true,
    why: 'activities do I/O for workflows',
  },
  api: {
    areas: [...programs, 'billing', 'documents', 'explanation type', 'workflows type', 'config type'],
    node: true,
    why: 'the API never computes money',
  },
  worker: {
    areas: [...programs, 'billing', 'relay', 'activities', 'workflows', 'config type'],
    node: true,
    why: 'the worker puts workflows and activities together',
  },
  cases: { areas: ['domain', 'calendar', 'contracts'], node: true, why: 'cases run on pure functions, or over HTTP' },
  cli: { areas: ['domain', 'explanation'], node: true, why: 'the command line speaks HTTP' },
  config: {
    areas: ['domain'],
    packages: ['zod'],
    node: false,
    why: 'settings are checked before anything else is loaded',
  },
  main: { areas: ['api', 'worker', 'storage', 'config'], node: true, why: 'main only puts the parts together' },
};

/** Only this area talks to the database. */
const database = { area: 'storage', packages: /^(pg|pg-.*|@prisma\/.*|prisma|\.prisma\/.*)$/ };

const areaOf = (path: string): string => (path.split('/')[1] ?? '').replace(/\.ts$/, '');

/** The package of a specifier: `@temporalio/common/lib/time` → `@temporalio/common`. */
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** The file that a relative specifier means, as a path from the root. */
export function targetOf(path: string, specifier: string): string {
  return normalize(join(dirname(path), specifier))
    .replaceAll('\\', '/')
    .replace(/\.js$/, '.ts');
}

/** Imports of a file below src/ that the matrix does not allow. */
export function forbiddenImports(file: SourceFile, dependencies: readonly string[]): readonly string[] {
  const area = areaOf(file.path);
  const rule = matrix[area];
  if (rule === undefined) return [`${file.path}: src/${area} is not in the import matrix (test/tidy/imports.ts)`];
  return importsOf(file).flatMap(({ specifier, typeOnly }) => {
    const complain = (what: string): readonly string[] => [`${file.path}: ${what}: ${rule.why}`];
    if (specifier.startsWith('node:')) return rule.node ? [] : complain(`imports ${specifier}`);
    if (specifier.startsWith('.')) {
      const target = areaOf(targetOf(file.path, specifier));
      const allowed =
        target === area || rule.areas.includes(target) || (typeOnly && rule.areas.includes(`${target} type`));
      return allowed ? [] : complain(`imports ${typeOnly ? '(type) ' : ''}from src/${target}`);
    }
    const name = packageOf(specifier);
    if (database.packages.test(name) && area !== database.area)
      return complain(`imports ${name}; only src/${database.area} does`);
    if (rule.packages !== undefined && !rule.packages.includes(name)) return complain(`imports ${name}`);
    return dependencies.includes(name) ? [] : complain(`imports ${name}, which is not in "dependencies"`);
  });
}

/** Cycles of value imports, each as `a → b → a`; type imports are erased and cannot make one. */
export function importCycles(files: readonly SourceFile[]): readonly string[] {
  const paths = new Set(files.map(({ path }) => path));
  const edges = new Map(
    files.map((file) => {
      const targets = importsOf(file).filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly);
      return [
        file.path,
        targets.map(({ specifier }) => targetOf(file.path, specifier)).filter((path) => paths.has(path)),
      ];
    }),
  );
  const finished = new Set<string>();
  const cycles: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start !== -1) cycles.push([...trail.slice(start), path].join(' → '));
    if (start !== -1 || finished.has(path)) return;
    for (const target of edges.get(path) ?? []) walk(target, [...trail, path]);
    finished.add(path);
  };
  for (const { path } of files) walk(path, []);
  return cycles;
}
