import { Option } from 'commander';
import type { Command } from 'commander';
import { waitingStages } from '../../domain/invoicing/waiting.js';
import { isObject, objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, daysText, groupText, lineName, property, renderFacts, renderObject, renderTable } from '../output.js';
import { pagingQuery, wholeNumber, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { CommandFailed, UsageError } from '../terminal.js';
import { until } from '../waiting.js';
import { addPeriodCloseCommands } from './period-closes.js';

interface CloseOptions {
  readonly force?: boolean;
  readonly reason?: string;
  /** Seconds. */
  readonly wait: number;
}

interface UsageOptions {
  readonly windows?: boolean;
}

interface ListOptions extends PagingOptions {
  readonly stage?: string;
}

const finalStages = new Set(['invoiced', 'held', 'skipped']);

export function addPeriodCommands(program: Command, dependencies: CliDependencies): void {
  program
    .command('usage')
    .description('what a customer used in a billing period, and what it would cost now')
    .argument('<customer>', 'customer id')
    .argument('<period>', 'first local day, or its month: 2024-01')
    .option('--windows', 'every window too, with its state: open, closing or closed')
    .action(async (customer: string, period: string, { windows = false }: UsageOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      const answer = await context.api.json(`/customers/${segment(customer)}/usage`, { query: { period } });
      context.print(answer, (usage) => describeUsage(usage, windows));
    });
  const periods = program.command('periods').description('where a billing period is; close it now');
  withPaging(
    periods
      .command('list')
      .description(
        "a customer's billing periods, the newest first; with --stage those of all customers that wait there",
      ),
  )
    .argument('[customer]', 'customer id')
    .addOption(
      new Option('--stage <stage>', 'those that have still to be invoiced, the oldest first').choices(waitingStages),
    )
    .action(async (customer: string | undefined, options: ListOptions, command: Command) =>
      listPeriods(customer, options, contextOf(command, dependencies)),
    );
  periods
    .command('show')
    .description('stage, windows and invoice of a billing period')
    .argument('<customer>', 'customer id')
    .argument('<period>', 'first local day, or its month: 2024-01')
    .action(async (customer: string, period: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(pathOf(customer, period)), renderObject);
    });
  periods
    .command('close')
    .description('close a billing period now and wait for its invoice')
    .argument('<customer>', 'customer id')
    .argument('<period>', 'first local day, or its month: 2024-01')
    .option('--force', 'also before the end of the period, or while a backfill is open in it; needs a reason')
    .option('--reason <text>', 'why it is closed by hand')
    .option('--wait <seconds>', 'how long to wait for the invoice', wholeNumber, 60)
    .action(async (customer: string, period: string, options: CloseOptions, command: Command) =>
      closePeriod(pathOf(customer, period), options, contextOf(command, dependencies)),
    );
  addPeriodCloseCommands(periods, dependencies);
}

async function listPeriods(customer: string | undefined, options: ListOptions, context: CliContext): Promise<void> {
  const { stage } = options;
  if (customer === undefined && stage === undefined) throw new UsageError('name a customer, or a --stage');
  const query = { customer_id: customer, stage, ...pagingQuery(options) };
  const columns = [
    ...(customer === undefined ? [column('Customer', 'customer_id')] : []),
    column('Period', 'period'),
    { header: 'Days', value: daysText } as const,
    { header: 'Stage', value: stageText(context.clock()) } as const,
    ...(stage === undefined ? [] : [{ header: 'Waits for', value: waitsForText } as const]),
    column('Invoice id', 'invoice_id'),
    {
      header: 'Corrections',
      align: 'right',
      value: ({ corrections }: JsonObject) => (Array.isArray(corrections) ? corrections.length : ''),
    } as const,
  ];
  await printList('/billing-periods', { query, columns, empty: 'There are no such billing periods.' }, context);
}

/** A period that begins after `now` (epoch milliseconds) is there, but nobody can read or close it. */
function stageText(now: number): (period: JsonObject) => unknown {
  return ({ stage, from }) => (stage === 'open' && Date.parse(String(from)) > now ? 'not begun' : stage);
}

/** The codes, each once: `UNPRICED_METER, DRAFT`. */
function waitsForText({ waits_for: reasons }: JsonObject): string {
  const codes = rowsOf(reasons).map(({ code }) => String(code));
  return [...new Set(codes)].join(', ');
}

function pathOf(customer: string, period: string): string {
  return `/billing-periods/${segment(customer)}/${segment(period)}`;
}

async function closePeriod(path: string, options: CloseOptions, context: CliContext): Promise<void> {
  const { force = false, reason, wait } = options;
  if (force && reason === undefined) throw new UsageError('--force needs a --reason');
  const request = post({ force: force ? true : undefined, reason });
  const first = objectOf(await context.api.json(`${path}/close`, request));
  const look = async (): Promise<JsonObject> => objectOf(await context.api.json(path));
  const isDone = (period: JsonObject): boolean => finalStages.has(stageOf(period));
  const period = await until(context, look, { seconds: wait, isDone, first });
  context.print(period, renderObject);
  const stage = stageOf(period);
  if (stage === 'held' && (await mentionDraft(path, context))) return;
  if (stage === 'held') throw new CommandFailed('the invoice is held: see `reckoner findings list`');
  if (!isDone(period)) throw new CommandFailed(`still ${stage} after ${wait} s; see \`reckoner periods show\``);
}

/** Whether it is a draft, which waits as it should, or a held invoice: both say what for. */
async function mentionDraft(path: string, { api, terminal }: CliContext): Promise<boolean> {
  const [, , customer = '', period = ''] = path.split('/');
  const query = { customer_id: decodeURIComponent(customer), period: decodeURIComponent(period) };
  for (const status of ['draft', 'held'] as const) {
    const [draft] = rowsOf(await api.json('/invoices', { query: { ...query, status } }));
    if (draft === undefined) continue;
    const id = String(draft['invoice_id']);
    const reason = String(property('draft.reason')(draft) ?? '');
    const dueAt = property('draft.due_at')(draft);
    if (status === 'held')
      throw new CommandFailed(`the invoice is held: ${reason} See \`reckoner invoices show ${id}\``);
    const until = typeof dueAt === 'string' ? ` until ${dueAt}` : '';
    terminal.err(`a draft waits${until} (${reason}): reckoner invoices show ${id}\n`);
    return true;
  }
  return false;
}

const windowsOf = ({ windows }: JsonObject): readonly JsonObject[] =>
  Array.isArray(windows) ? windows.filter(isObject) : [];

/** How many there are, and how many of them in each state: `31 (29 closed, 1 closing, 1 open)`. */
function windowsText(meter: JsonObject): string {
  const windows = windowsOf(meter);
  const counts = ['closed', 'closing', 'open'].flatMap((state) => {
    const count = windows.filter((window) => window['state'] === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  });
  return counts.length === 0 ? String(windows.length) : `${windows.length} (${counts.join(', ')})`;
}

function windowTable(meters: readonly JsonObject[]): string {
  return renderTable(
    [
      column('Meter', 'meter'),
      { header: 'Group', value: (row) => groupText(row['group']) },
      column('Window', 'window_start'),
      column('Until', 'window_end'),
      column('Quantity', 'quantity', 'right'),
      column('Events', 'event_count', 'right'),
      column('State', 'state'),
    ],
    meters.flatMap((row) => windowsOf(row).map((window) => ({ meter: row['meter'], group: row['group'], ...window }))),
  );
}

function describeUsage(usage: JsonObject, withWindows: boolean): string {
  const read = (path: string): unknown => property(path)(usage);
  const list = (path: string): readonly JsonObject[] => {
    const value = read(path);
    return Array.isArray(value) ? value.filter(isObject) : [];
  };
  const problems = list('cost.problems');
  return [
    renderFacts([
      ['Customer', usage['customer_id']],
      ['Period', daysText(usage['period'])],
      ['As of', `${String(usage['as_of'])} (${String(usage['finality'])})`],
      ['Watermark', usage['watermark']],
      ['Closes next', usage['next_close_at']],
    ]),
    renderTable(
      [
        column('Meter', 'meter'),
        { header: 'Group', value: (row) => groupText(row['group']) },
        column('Quantity', 'quantity', 'right'),
        column('Events', 'event_count', 'right'),
        { header: 'Windows', value: windowsText, align: 'right' },
      ],
      list('meters'),
    ),
    ...(withWindows ? [windowTable(list('meters'))] : []),
    renderTable(
      [
        { header: 'Would cost', value: lineName },
        { header: 'Group', value: (row) => groupText(row['group']) },
        column('Calculation', 'formula'),
        column('Amount', 'amount', 'right'),
      ],
      list('cost.lines'),
    ),
    renderFacts([
      ['Total', `${String(read('cost.total'))} ${String(usage['currency'])}`],
      ...problems.map((problem) => ['Problem', `${String(problem['code'])}: ${String(problem['detail'])}`] as const),
    ]),
  ].join('\n');
}

const stageOf = ({ stage }: JsonObject): string => String(stage);
