import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStubApi } from './support/stub-api.js';

/** The command as a process of its own, from its source. */
function reckoner(
  args: readonly string[],
  entry = ['--import', 'tsx', 'src/cli/main.ts'],
): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...entry, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

describe('the reckoner command', () => {
  it('ends with the exit code of what it did', async () => {
    const api = await startStubApi();
    api.answer(() => ({ body: { data: [{ code: 'api_calls' }] } }));
    try {
      const done = await reckoner(['meters', 'list', '--url', api.url]);
      expect(done).toMatchObject({ code: 0, err: '' });
      expect(done.out).toContain('api_calls');
      api.answer(() => ({ status: 500, body: { code: 'INTERNAL_ERROR', detail: 'oh' } }));
      expect(await reckoner(['meters', 'list', '--url', api.url])).toMatchObject({
        code: 1,
        out: '',
        err: 'error: INTERNAL_ERROR: oh\n',
      });
    } finally {
      await api.close();
    }
    expect(await reckoner(['meters', 'frobnicate'])).toMatchObject({ code: 2, out: '' });
  });

  it('says what to do when it is not built', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'reckoner-bin-'));
    try {
      cpSync('bin', join(folder, 'bin'), { recursive: true });
      cpSync('package.json', join(folder, 'package.json'));
      const result = await reckoner([], [join(folder, 'bin', 'reckoner.js')]);
      expect(result.code).toBe(1);
      expect(result.err).toContain('npm run build');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
