/** Where a worker finds its workflows: a bundle built beforehand, or sources that it bundles at start-up (2 to 5 s). */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { WorkerOptions } from '@temporalio/worker';

export const bundleFileName = 'workflow-bundle.js';

export type WorkflowCode =
  Required<Pick<WorkerOptions, 'workflowBundle'>> | Required<Pick<WorkerOptions, 'workflowsPath'>>;

/**
 * @param codeFolder the program's compiled folder (`dist`) or its sources; null: looked for beside the running program
 *   and in the working directory.
 */
export function findWorkflowCode(codeFolder: string | null): WorkflowCode {
  const folders = codeFolder === null ? likelyFolders() : [codeFolder];
  for (const folder of folders) {
    const codePath = join(folder, bundleFileName);
    if (existsSync(codePath)) return { workflowBundle: { codePath } };
    for (const index of ['index.js', 'index.ts']) {
      const workflowsPath = join(folder, 'workflows', index);
      if (existsSync(workflowsPath)) return { workflowsPath };
    }
  }
  throw new Error(`No workflows found in ${folders.join(', ')}: run "npm run build" first.`);
}

function likelyFolders(): readonly string[] {
  const program = process.argv[1];
  const beside = program === undefined || !existsSync(program) ? [] : [dirname(realpathSync(program))];
  return [
    ...beside,
    ...beside.map((folder) => join(folder, '..', 'dist')),
    join(process.cwd(), 'dist'),
    join(process.cwd(), 'src'),
  ];
}
