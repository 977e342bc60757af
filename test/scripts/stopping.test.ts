import { evaluate } from '../support/evaluate.js';

const started = (stopping: boolean): Promise<unknown> =>
  evaluate(
    `const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
     const { identityOf } = await load('scripts/lib/processes.mjs');
     const folder = mkdtempSync('/tmp/reckoner-stopping-');
     const script = { pid: process.pid, identity: identityOf(process.pid) };
     writeFileSync(folder + '/stack.json', JSON.stringify({ script, apiUrl: 'http://a', stopping: input, parts: [] }));
     try {
       return await (await load('scripts/lib/stack.mjs')).clearLeftOvers(folder).then(() => 'cleared', (error) => error.message);
     } finally {
       rmSync(folder, { recursive: true });
     }`,
    stopping,
  );

test('who starts while an earlier start is stopping is told so, and not that it runs', async () => {
  expect(await started(true)).toMatch(/is stopping on these data \(pid \d+\)/);
  expect(await started(false)).toMatch(/runs already on these data \(pid \d+\), at http:\/\/a/);
});
