/** Entry point of the build: `node dist/worker/build-bundle.js`, after tsc, writes `dist/workflow-bundle.js`. */
import { rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { bundleFileName } from './workflow-code.js';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..');
const { code } = await bundleWorkflowCode({
  workflowsPath: join(dist, 'workflows', 'index.js'),
  logger: new DefaultLogger('WARN'),
});
// In one step: a worker that starts meanwhile reads the old bundle or the new one, never half of it.
const target = join(dist, bundleFileName);
await writeFile(`${target}.new`, code);
await rename(`${target}.new`, target);
