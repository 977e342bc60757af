import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { workflowTypes } from '../../src/contracts/names.js';
import { quietRuntime, workflowBundle } from '../support/temporal.js';

const folder = join(process.cwd(), 'test', 'replay', 'histories');
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

beforeAll(quietRuntime);

async function replay(file: string, codePath: string): Promise<void> {
  const history = historyFromJSON(JSON.parse(readFileSync(join(folder, file), 'utf8')));
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, history);
}

test('every workflow type has recorded histories, each with the flags of the SDK that ran it', () => {
  const types = new Set(files.map((file) => file.split('.')[0]));
  expect([...types].sort()).toEqual(Object.values(workflowTypes).sort());
  for (const file of files) {
    expect(file).toMatch(/^[a-zA-Z]+\.[a-z0-9-]+\.\d+\.\d+\.\d+\.json$/);
    // Without them replay does not even notice a renamed activity.
    expect(readFileSync(join(folder, file), 'utf8')).toContain('UsedFlags');
  }
});

test.each(files)('%s replays', async (file) => {
  await replay(file, await workflowBundle());
});

test.each(files.filter((file) => !file.startsWith('periodSweep')))(
  '%s does not replay on changed workflows',
  async (file) => {
    const changed = await workflowBundle(join(process.cwd(), 'test', 'replay', 'changed-workflows.ts'));
    await expect(replay(file, changed)).rejects.toThrow(DeterminismViolationError);
  },
);
