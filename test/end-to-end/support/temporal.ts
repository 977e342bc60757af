/** What the stack's Temporal server knows of workflows. */
import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { until } from '../../support/stack.js';

export type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

export class TemporalWatch {
  private constructor(
    readonly client: Client,
    private readonly connection: Connection,
  ) {}

  static async connect(address: string): Promise<TemporalWatch> {
    const connection = await Connection.connect({ address });
    return new TemporalWatch(new Client({ connection }), connection);
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** The pid of the worker that runs the workflow's only activity, once one does that is none of `except`. */
  async workerOf(workflowId: string, except: readonly number[] = []): Promise<number> {
    return until(
      async () => {
        const { raw } = await this.client.workflow.getHandle(workflowId).describe();
        const [activity] = raw.pendingActivities ?? [];
        return Number(activity?.lastWorkerIdentity?.split('@')[0]);
      },
      (pid) => pid > 0 && !except.includes(pid),
    );
  }

  /** The histories of all runs of a workflow, oldest first, once none of them is open. */
  async histories(workflowId: string): Promise<readonly History[]> {
    const query = `WorkflowId = '${workflowId}'`;
    const runs = await until(
      async () => {
        const found: { readonly runId: string; readonly startTime: Date; readonly isOpen: boolean }[] = [];
        for await (const { runId, startTime, status } of this.client.workflow.list({ query }))
          found.push({ runId, startTime, isOpen: status.name === 'RUNNING' });
        return found;
      },
      (found) => found.length > 0 && found.every(({ isOpen }) => !isOpen),
    );
    const ordered = runs.toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime());
    return Promise.all(ordered.map(({ runId }) => this.client.workflow.getHandle(workflowId, runId).fetchHistory()));
  }
}
