/** Dead letters, health. */
import type { Command } from 'commander';
import { ApiProblem } from '../api-client.js';
import { contextOf, rowsOf } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { column, renderFacts, renderTable } from '../output.js';
import { mentionNextPage, pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { CommandFailed } from '../terminal.js';

export function addOperationCommands(program: Command, dependencies: CliDependencies): void {
  const deadLetters = program.command('dead-letters').description('events that could not be taken');
  const list = deadLetters.command('list', { isDefault: true });
  withPaging(list.description('dead letters, with why each was rejected')).action(
    async (options: PagingOptions, command: Command) => listDeadLetters(options, contextOf(command, dependencies)),
  );
  program
    .command('health')
    .description('whether the API lives and is ready; exit code 1 when not')
    .action(async (_options: unknown, command: Command) => showHealth(contextOf(command, dependencies)));
}

async function listDeadLetters(options: PagingOptions, context: CliContext): Promise<void> {
  const answer = await context.api.json('/dead-letters', { query: pagingQuery(options) });
  const columns = [
    column('Received', 'received_at'),
    column('Code', 'code'),
    column('Customer', 'customer_id'),
    column('Event', 'event_id'),
    column('Detail', 'detail'),
  ];
  context.print(answer, () => renderTable(columns, rowsOf(answer)));
  mentionNextPage(context, answer);
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
