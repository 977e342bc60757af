/**
 * `node build-workflow-bundle.mjs WORKFLOWS OUTPUT`: bundles workflows from their TypeScript sources. A process of its
 * own, because webpack does not run inside Jest's module system.
 */
import { rename, writeFile } from 'node:fs/promises';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const [workflowsPath, output] = process.argv.slice(2);
const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
await writeFile(`${output}.${process.pid}`, code);
await rename(`${output}.${process.pid}`, output);
