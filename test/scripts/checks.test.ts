/** What runs a check is ended with all that it has started. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Until the process is gone: the test's own time limit ends what hangs. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a signal to the check ends what it runs, and then the check by that signal', async () => {
  const inner = 'console.log(process.pid); setInterval(() => {}, 1000);';
  const outer = `const { inherit } = await import(${JSON.stringify(`file://${process.cwd()}/scripts/lib/checks.mjs`)});
    await inherit(['--eval', ${JSON.stringify(inner)}]); console.log('not ended by the signal');`;
  const check = spawn(process.execPath, ['--input-type=module', '--eval', outer], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  const lines = createInterface({ input: check.stdout });
  lines.on('line', (line) => said.push(line));
  await once(lines, 'line');
  check.kill('SIGTERM');
  const [, signal] = (await once(check, 'close')) as [number | null, NodeJS.Signals | null];
  expect(signal).toBe('SIGTERM');
  await gone(Number(said[0]));
  expect(said).toHaveLength(1);
});
