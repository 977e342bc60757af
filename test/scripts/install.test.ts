import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluate } from '../support/evaluate.js';

const folder = mkdtempSync(join(tmpdir(), 'reckoner-install-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Packages = Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>;

const reason = (project: string): Promise<string | null> =>
  evaluate("return (await load('scripts/lib/install.mjs')).installReason(input)", project);

function project(name: string, wanted: Packages, installed: Packages | null): string {
  const path = join(folder, name);
  mkdirSync(join(path, 'node_modules'), { recursive: true });
  writeFileSync(join(path, 'package-lock.json'), JSON.stringify({ packages: wanted }));
  if (installed !== null) {
    writeFileSync(join(path, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }));
  }
  return path;
}

const wanted = {
  '': {},
  'node_modules/a': { version: '1.0.0' },
  'node_modules/for-another-platform': { version: '2.0.0', optional: true },
};

describe('packages are installed', () => {
  const cases: readonly (readonly [string, Packages | null, string | null])[] = [
    ['when there are none', null, 'packages are missing'],
    ['when one is missing', {}, 'the lockfile has changed'],
    ['when one has another version', { 'node_modules/a': { version: '1.0.1' } }, 'the lockfile has changed'],
    ['but not for what this platform does not need', { 'node_modules/a': { version: '1.0.0' } }, null],
  ];
  test.each(cases)('%s', async (name, installed, expected) => {
    expect(await reason(project(name, wanted, installed))).toBe(expected);
  });

  test('but not here and now: the tests run', async () => {
    expect(await reason(process.cwd())).toBeNull();
  });
});

test.each([
  ['20.19.0', true],
  ['20.18.3', false],
  ['18.20.0', false],
  ['22.12.0', true],
])('Node %s is new enough: %s', async (version, expected) => {
  const attempt = evaluate("(await load('scripts/lib/install.mjs')).requireNode(input)", version);
  await (expected ? expect(attempt).resolves.toBeNull() : expect(attempt).rejects.toThrow('needs Node 20.19'));
});

describe('the lockfile', () => {
  const missingOf = (packages: string): string =>
    `return (await load('scripts/complete-lock.mjs')).missingEntries(${packages})`;

  test('has an entry for every optional package, or npm ci refuses it on every platform', async () => {
    const read = "JSON.parse((await import('node:fs')).readFileSync('package-lock.json', 'utf8')).packages";
    expect(await evaluate(missingOf(read))).toEqual({});
  });

  test('gets the ones that a registry did not have', async () => {
    const optionalDependencies = {
      'x-linux-x64-musl': '1.2.3',
      'x-darwin-arm64': '1.2.3',
      'x-linux-s390x-gnu': '1.2.3',
    };
    const packages = {
      '': {},
      'node_modules/x': { version: '1.2.3', dev: true, optionalDependencies },
      'node_modules/x-linux-s390x-gnu': { version: '1.2.3' },
    };
    expect(await evaluate(missingOf('input'), packages)).toEqual({
      'node_modules/x-linux-x64-musl': {
        version: '1.2.3',
        cpu: ['x64'],
        dev: true,
        libc: ['musl'],
        optional: true,
        os: ['linux'],
      },
      'node_modules/x-darwin-arm64': { version: '1.2.3', cpu: ['arm64'], dev: true, optional: true, os: ['darwin'] },
    });
  });
});
