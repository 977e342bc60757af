/** Health. */
import type { Command } from 'commander';
import { ApiProblem } from '../api-client.js';
import { contextOf } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { renderFacts } from '../output.js';
import { CommandFailed } from '../terminal.js';

export function addOperationCommands(program: Command, dependencies: CliDependencies): void {
  program
    .command('health')
    .description('whether the API lives and is ready; exit code 1 when not')
    .action(async (_options: unknown, command: Command) => showHealth(contextOf(command, dependencies)));
}

async function showHealth(context: CliContext): Promise<void> {
  const live = await check(context, '/health/live');
  const ready = await check(context, '/health/ready');
  context.print({ url: context.api.url, live, ready }, () =>
    renderFacts([
      ['API', context.api.url],
      ['live', live],
      ['ready', ready],
    ]),
  );
  if (live !== 'yes' || ready !== 'yes') throw new CommandFailed('the API is not ready');
}

/** `yes`, or what is wrong. Somebody listens there, but is not well: that is an answer, not an error. */
async function check(context: CliContext, path: string): Promise<string> {
  try {
    await context.api.json(path);
    return 'yes';
  } catch (error) {
    if (error instanceof ApiProblem) return `no: ${error.detail} (${error.code})`;
    throw error;
  }
}
