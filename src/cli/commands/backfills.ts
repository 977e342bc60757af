/** Backfills: bulk imports of the past, each one transaction. */
import type { Command } from 'commander';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { addDecisionCommands, post } from '../keyed.js';
import { column, renderFacts } from '../output.js';
import { collected, instantOrDay, pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';

interface CreateOptions {
  readonly customer: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly replace?: boolean;
  readonly reason?: string;
}

interface ListOptions extends PagingOptions {
  readonly customer?: string;
  readonly status?: string;
}

const help = `
The events of a backfill count from its closing on, all at once, until it is reverted:

  reckoner backfill create --customer acme --from 2024-01 --to 2024-02
  reckoner import january.csv --backfill ID …
  reckoner backfill close ID

While it is open, the windows and periods of its range are not closed by themselves.`;

export function addBackfillCommands(program: Command, dependencies: CliDependencies): void {
  const backfill = program
    .command('backfill')
    .description('bulk imports of the past, each one transaction')
    .addHelpText('after', help);
  backfill
    .command('create')
    .description('open a backfill; its id is for import --backfill')
    .requiredOption('--customer <id>', 'whose events; may be repeated', collected)
    .requiredOption('--from <instant>', 'events from this instant on (or day, or month, of UTC)', instantOrDay)
    .requiredOption('--to <instant>', 'events before this instant (or day, or month, of UTC)', instantOrDay)
    .option('--replace', 'while it is in force, no other event of its range and customers counts')
    .option('--reason <text>', 'why; kept with it')
    .action(async (options: CreateOptions, command: Command) => create(options, contextOf(command, dependencies)));
  withPaging(backfill.command('list').description('backfills, the newest first'))
    .option('--customer <id>', 'only of this customer')
    .option('--status <status>', 'open, closed or reverted')
    .action(async (options: ListOptions, command: Command) => list(options, contextOf(command, dependencies)));
  backfill
    .command('show')
    .description('a backfill, with how many events are stored for it')
    .argument('<id>', 'backfill id')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/backfills/${segment(id)}`), describe);
    });
  const decisions = [
    ['close', 'count its events, all at once; repeating it changes nothing'],
    ['revert', 'take its events out again, for ever; also of one that was never closed'],
  ] as const;
  addDecisionCommands(backfill, decisions, { thing: 'backfill', path: '/backfills', describe }, dependencies);
}

async function create(options: CreateOptions, context: CliContext): Promise<void> {
  const { customer, from, to, replace, reason } = options;
  const mode = replace === true ? 'replace' : 'add';
  const request = post({ customer_ids: customer, from, to, mode, reason });
  context.print(await context.api.json('/backfills', request), describe);
}

async function list(options: ListOptions, context: CliContext): Promise<void> {
  const { customer, status } = options;
  const query = { customer_id: customer, status, ...pagingQuery(options) };
  const columns = [
    column('Created', 'created_at'),
    column('By', 'created_by'),
    column('From', 'from'),
    column('To', 'to'),
    { header: 'Customers', value: customersOf },
    column('Mode', 'mode'),
    column('Status', 'status'),
    column('Backfill id', 'backfill_id'),
  ];
  await printList('/backfills', { query, columns, empty: 'There are no such backfills.' }, context);
}

function describe(backfill: JsonObject): string {
  const decisions = backfill['decisions'];
  return renderFacts([
    ['Backfill', backfill['backfill_id']],
    ['Status', backfill['status']],
    ['Mode', backfill['mode']],
    ['From', backfill['from']],
    ['To', backfill['to']],
    ['Customers', customersOf(backfill)],
    ...(backfill['events'] === undefined ? [] : [['Events', backfill['events']] as const]),
    ['Created', `${String(backfill['created_at'])} by ${String(backfill['created_by'])}${because(backfill)}`],
    ...rowsOf(decisions).map(
      (each) => ['Decision', `${String(each['decision'])} by ${String(each['decided_by'])}${because(each)}`] as const,
    ),
  ]);
}

const because = ({ reason }: JsonObject): string => (typeof reason === 'string' ? `: ${reason}` : '');

/** A few by name, many by number. */
function customersOf(backfill: JsonObject): string {
  const ids = backfill['customer_ids'];
  if (!Array.isArray(ids)) return '';
  return ids.length > 3 ? `${ids.length} customers` : ids.map(String).join(', ');
}
