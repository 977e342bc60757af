/** What customers owe, what is overdue, and what was given up. */
import type { Command } from 'commander';
import { isObject } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { keyed, post } from '../keyed.js';
import type { ReasonOptions } from '../keyed.js';
import { column, renderFacts, renderTable } from '../output.js';
import { customerQuery, pagingQuery, withPaging } from '../paging.js';
import type { CustomerListOptions, PagingOptions } from '../paging.js';
import { printList, printRows } from '../print-list.js';
import { UsageError } from '../terminal.js';

interface ReceivableOptions extends PagingOptions {
  readonly apply?: boolean;
  readonly overdue?: boolean;
}

export function addReceivableCommands(program: Command, dependencies: CliDependencies): void {
  withPaging(
    program
      .command('receivable')
      .description('what a customer owes, and what of its credit settles nothing yet; without one: of all, by age')
      .argument('[customer]', 'customer id'),
  )
    .option('--apply', 'of one customer: settle the oldest open invoices with that credit first')
    .option('--overdue', 'of all: only customers with something overdue')
    .action(async (customer: string | undefined, options: ReceivableOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      if (customer === undefined) return listReceivables(options, context);
      if (options.overdue === true) throw new UsageError('--overdue is for all customers: leave the customer out');
      const path = `/customers/${segment(customer)}`;
      if (options.apply === true) await context.api.json(`${path}/apply-credit`, post({}));
      context.print(await context.api.json(`${path}/receivable`), describeReceivable);
    });
  addWriteOffCommands(program, dependencies);
}

async function listReceivables(options: ReceivableOptions, context: CliContext): Promise<void> {
  if (options.apply === true) throw new UsageError('--apply needs a customer');
  const query = { overdue: options.overdue === true ? 'true' : undefined, ...pagingQuery(options) };
  const answer = await context.api.json('/receivables', { query });
  const columns = [
    column('Customer', 'customer_id'),
    column('', 'currency'),
    column('Open', 'open', 'right'),
    column('Not due', 'not_due', 'right'),
    column('0-30 days', 'overdue.days_0_30', 'right'),
    column('31-60', 'overdue.days_31_60', 'right'),
    column('61-90', 'overdue.days_61_90', 'right'),
    column('over 90', 'overdue.days_over_90', 'right'),
    column('Unapplied', 'unapplied', 'right'),
    ...besideWriteOffs(rowsOf(answer)),
    column('Balance', 'balance', 'right'),
  ];
  printRows(answer, { columns, empty: 'There are no such receivables.' }, context);
}

/** Only where there is any: what makes a balance that the other columns do not explain. */
const besideWriteOffs = (rows: readonly JsonObject[]): ReturnType<typeof column>[] =>
  rows.some(({ beside_write_offs: amount }) => /[1-9]/.test(String(amount ?? '')))
    ? [column('Beside write-offs', 'beside_write_offs', 'right')]
    : [];

function addWriteOffCommands(program: Command, dependencies: CliDependencies): void {
  const writeOffs = program.command('write-offs').description('what was given up; `invoices write-off` does it');
  withPaging(writeOffs.command('list').description('write-offs, the newest first'))
    .option('--customer <id>', 'only of this customer')
    .option('--invoice <id>', 'only of this invoice')
    .action(async (options: CustomerListOptions, command: Command) => {
      const columns = [
        column('Written off', 'written_off_at'),
        column('Invoice', 'number'),
        column('Customer', 'customer_id'),
        column('Amount', 'amount', 'right'),
        column('', 'currency'),
        column('Reason', 'reason'),
        { header: 'Reversed', value: ({ reversed }: JsonObject) => (isObject(reversed) ? reversed['reason'] : '') },
        column('Write-off id', 'write_off_id'),
      ];
      const shape = { query: customerQuery(options), columns, empty: 'There are no such write-offs.' };
      await printList('/write-offs', shape, contextOf(command, dependencies));
    });
  keyed(writeOffs.command('reverse'))
    .description('take a write-off back: what it had settled is open again')
    .argument('<id>', 'write-off id')
    .requiredOption('--reason <text>', 'why; kept with the write-off')
    .action(async (id: string, options: ReasonOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      const request = post({ reason: options.reason }, options);
      context.print(await context.api.json(`/write-offs/${segment(id)}/reverse`, request), describeWriteOff);
    });
}

function describeWriteOff(writeOff: JsonObject): string {
  const { reversed } = writeOff;
  return renderFacts([
    ['Write-off', writeOff['write_off_id']],
    ['Invoice', writeOff['number']],
    ['Customer', writeOff['customer_id']],
    ['Amount', `${String(writeOff['amount'])} ${String(writeOff['currency'])}`],
    ['Reason', writeOff['reason']],
    ...(isObject(reversed) ? [['Reversed', reversed['reason']] as const] : []),
  ]);
}

function describeReceivable(answer: JsonObject): string {
  const balances = renderTable(
    [
      column('Currency', 'currency'),
      column('Open', 'open', 'right'),
      column('Unapplied', 'unapplied', 'right'),
      ...besideWriteOffs(rowsOf(answer['currencies'])),
      column('Balance', 'balance', 'right'),
    ],
    rowsOf(answer['currencies']),
  );
  const documents = renderTable(
    [
      column('Number', 'number'),
      column('Status', 'status'),
      column('Due', 'due_at'),
      column('Total', 'total', 'right'),
      column('Credited', 'credited', 'right'),
      column('Settled', 'settled', 'right'),
      column('Open', 'open', 'right'),
      column('', 'currency'),
    ],
    rowsOf(answer['open_documents']),
  );
  return [renderFacts([['Customer', answer['customer_id']]]), balances, documents].join('\n');
}
