/** Where the Temporal CLI comes from, with stand-ins for the CLI and for Go. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluate } from '../support/evaluate.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reckoner-temporal-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** An executable shell script; returns its path. */
function script(path: string, text: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const onPath = (): string => join(folder, 'bin', 'temporal');
const cached = (): string => join(folder, 'cache', 'reckoner', 'temporal', 'temporal');
const good = 'exit 0';
const broken = 'exit 1';

/** Calls `ensureTemporalCli` with these ways to get one, on a machine that has nothing but `folder`. */
function ensure(ways = '[]'): Promise<{ executable: string; source: string }> {
  const body = `
    process.env.PATH = input + '/bin';
    process.env.XDG_CACHE_HOME = input + '/cache';
    const { ensureTemporalCli, goInstall } = await load('scripts/lib/temporal-server.mjs');
    return ensureTemporalCli(${ways});`;
  return evaluate(body, folder);
}

test('the one on PATH comes first', async () => {
  script(onPath(), good);
  script(cached(), good);
  expect(await ensure()).toEqual({ executable: onPath(), source: 'on PATH' });
});

test('one that does not run is passed over for the cached copy', async () => {
  script(onPath(), broken);
  script(cached(), good);
  expect(await ensure()).toEqual({ executable: cached(), source: 'from the cache' });
});

test('a cached copy that does not run is replaced', async () => {
  script(cached(), broken);
  script(join(folder, 'bin', 'go'), `printf '#!/bin/sh\\nexit 0\\n' > "$GOBIN/temporal"; echo internal/cpu >&2`);
  expect(await ensure("[{ source: 'built', get: goInstall }]")).toEqual({ executable: cached(), source: 'built' });
  // Nothing half-made stays behind.
  expect(readdirSync(join(folder, 'cache', 'reckoner', 'temporal'))).toEqual(['temporal']);
});

test('a way that does not work leaves room for the next', async () => {
  const ways = `[
    { source: 'first', get: async () => false },
    { source: 'second', get: async () => {
      const { mkdirSync, writeFileSync } = await import('node:fs');
      mkdirSync(input + '/cache/reckoner/temporal', { recursive: true });
      writeFileSync(input + '/cache/reckoner/temporal/temporal', '#!/bin/sh', { mode: 0o755 });
      return true;
    } },
  ]`;
  expect(await ensure(ways)).toEqual({ executable: cached(), source: 'second' });
});

test('a build that fails leaves nothing, and the end says what to install', async () => {
  script(join(folder, 'bin', 'go'), 'echo "no network" >&2; exit 1');
  const attempt = ensure("[{ source: 'built', get: goInstall }]");
  await expect(attempt).rejects.toThrow(
    /No Temporal server found[^]*install the Temporal CLI[^]*install Go[^]*TEMPORAL_ADDRESS/,
  );
  expect(existsSync(cached())).toBe(false);
});
