/** Closing many customers' periods at once: below `periods`. */
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, property, renderFacts, renderTable } from '../output.js';
import { collected, pagingQuery, wholeNumber, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { CommandFailed, UsageError } from '../terminal.js';
import { until } from '../waiting.js';

interface CloseAllOptions {
  readonly period?: string;
  readonly endedOn?: string;
  readonly customer?: readonly string[];
  readonly legalEntity?: string;
  /** Seconds. */
  readonly wait: number;
}

const help = `
Ended periods only; what is not ready is listed with its reason:

  reckoner periods close-all --period 2024-01
  reckoner periods close-all --ended-on 2024-01-31 --legal-entity acme-de      (January of calendar months)
  reckoner periods closes show <id>`;

export function addPeriodCloseCommands(periods: Command, dependencies: CliDependencies): void {
  periods
    .command('close-all')
    .description("close many customers' ended periods, and follow until each is decided")
    .option('--period <period>', 'the periods of this name: first local day, or its month')
    .option('--ended-on <day>', 'in place of it: all periods whose last local day this is')
    .option('--customer <id>', 'only of this customer, repeatable; default: all', collected)
    .option('--legal-entity <code>', 'only of customers of this legal entity')
    .option('--wait <seconds>', 'how long to follow; the close goes on by itself', wholeNumber, 3_600)
    .addHelpText('after', help)
    .action(async (options: CloseAllOptions, command: Command) => closeAll(options, contextOf(command, dependencies)));
  const closes = periods.command('closes').description('closes of many periods');
  withPaging(closes.command('list', { isDefault: true }).description('the newest first')).action(
    async (options: PagingOptions, command: Command) => list(options, contextOf(command, dependencies)),
  );
  withId(closes.command('show'))
    .description('how far it is, and what was not ready')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      await show(context, objectOf(await context.api.json(pathOf(id))));
    });
  withId(closes.command('cancel'))
    .description('hand over nothing more; what was handed over is issued')
    .requiredOption('--reason <text>', 'why; kept with the close')
    .action(async (id: string, { reason }: { readonly reason: string }, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`${pathOf(id)}/cancel`, post({ reason })), describe);
    });
}

const withId = (command: Command): Command => command.argument('<id>', 'id of the close');
const pathOf = (id: string): string => `/period-closes/${segment(id)}`;
const hasEnded = ({ status }: JsonObject): boolean => status === 'finished' || status === 'cancelled';

async function closeAll(options: CloseAllOptions, context: CliContext): Promise<void> {
  const { period, endedOn, customer, legalEntity, wait } = options;
  if ((period === undefined) === (endedOn === undefined)) throw new UsageError('give --period or --ended-on');
  const request = post({ period, ended_on: endedOn, customer_ids: customer, legal_entity: legalEntity });
  const first = objectOf(await context.api.json('/period-closes', request));
  const close = await followed(first, wait, context);
  await show(context, close);
  const { hint, status } = close;
  if (typeof hint === 'string') context.terminal.err(`${hint}\n`);
  const held = countOf(close, 'held');
  if (!hasEnded(close))
    throw new CommandFailed(`still ${String(status)} after ${wait} s; see \`reckoner periods closes show\``);
  if (held > 0) throw new CommandFailed(`${held} held: see \`reckoner findings list\``);
}

async function followed(first: JsonObject, seconds: number, context: CliContext): Promise<JsonObject> {
  const bar = progressBar(context.terminal.interactive && !context.json);
  const look = async (): Promise<JsonObject> => {
    const close = objectOf(await context.api.json(pathOf(String(first['close_id']))));
    bar.update(close);
    return close;
  };
  try {
    bar.update(first);
    return await until(context, look, { seconds, isDone: hasEnded, first });
  } finally {
    bar.stop();
  }
}

/** Decided of planned, for a person who watches. */
function progressBar(shown: boolean): { update(close: JsonObject): void; stop(): void } {
  if (!shown) return { update: () => undefined, stop: () => undefined };
  const format = '{bar} {value}/{total} | {issued} issued, {held} held | {duration_formatted}';
  const bar = new SingleBar({ format, barCompleteChar: '█', barIncompleteChar: '░', hideCursor: true });
  bar.start(0, 0, { issued: 0, held: 0 });
  return {
    update: (close) => {
      const planned = countOf(close, 'planned');
      bar.setTotal(planned);
      bar.update(planned - countOf(close, 'remaining'), {
        issued: countOf(close, 'issued'),
        held: countOf(close, 'held'),
      });
    },
    stop: () => bar.stop(),
  };
}

const countOf = (close: JsonObject, name: string): number => Number(property(`progress.${name}`)(close)) || 0;

/** With the first periods that were not ready, and why. */
async function show(context: CliContext, close: JsonObject): Promise<void> {
  const notReady = countOf(close, 'not_ready') + countOf(close, 'left');
  const query = { state: 'not_ready' };
  const left =
    context.json || notReady === 0
      ? []
      : rowsOf(await context.api.json(`${pathOf(String(close['close_id']))}/targets`, { query }));
  context.print(close, (answer) =>
    left.length === 0
      ? describe(answer)
      : [describe(answer), renderTable([...customerColumns, column('Not ready', 'reason')], left)].join('\n'),
  );
}

const customerColumns = [column('Customer', 'customer_id'), column('Period', 'period')] as const;

function describe(close: JsonObject): string {
  const count = (name: string): string => String(countOf(close, name));
  return renderFacts([
    ['Close', close['close_id']],
    ['Periods', scopeText(close)],
    ['Status', close['status']],
    ['Planned', `${count('planned')} (and ${count('not_ready')} not ready)`],
    ['Handed over', `${count('requested')} (${count('left')} left)`],
    ['Issued', count('issued')],
    ['Held', count('held')],
    ['Skipped', count('skipped')],
    ['Invoiced meanwhile', count('already_invoiced')],
    ['Remaining', count('remaining')],
    ['Requested', `${String(close['requested_at'])} by ${String(close['requested_by'])}`],
  ]);
}

function scopeText(close: JsonObject): string {
  const read = (name: string): unknown => property(`scope.${name}`)(close);
  const [period, day, customers, entity] = ['period', 'ended_on', 'customer_ids', 'legal_entity'].map(read);
  return [
    typeof period === 'string' ? period : `that ended on ${String(day)}`,
    ...(Array.isArray(customers) ? [`of ${customers.length} customers`] : []),
    ...(typeof entity === 'string' ? [`of ${entity}`] : []),
  ].join(', ');
}

async function list(options: PagingOptions, context: CliContext): Promise<void> {
  const columns = [
    column('Requested', 'requested_at'),
    column('By', 'requested_by'),
    { header: 'Periods', value: scopeText } as const,
    column('Status', 'status'),
    column('Issued', 'progress.issued', 'right'),
    column('Remaining', 'progress.remaining', 'right'),
    column('Close', 'close_id'),
  ];
  const query = pagingQuery(options);
  await printList('/period-closes', { query, columns, empty: 'There are no such closes.' }, context);
}
