/** Prepaid and promotional credits. */
import type { Command } from 'commander';
import { isObject } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, printable, renderFacts, renderTable } from '../output.js';
import type { TableColumn } from '../output.js';
import { customerQuery, instantOrDay, wholeNumber, withPaging } from '../paging.js';
import type { CustomerListOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { UsageError } from '../terminal.js';

interface GrantOptions {
  readonly customer: string;
  readonly amount: string;
  readonly currency: string;
  readonly name: string;
  readonly promotional?: boolean;
  readonly priority?: number;
  readonly from?: string;
  readonly expires?: string;
  readonly rollOverCap?: string;
  readonly rollOverValidity?: string;
  readonly reason?: string;
}

const help = `
Invoices of periods that end after --from and by --expires draw on a grant, the lowest priority first. --from is now
unless said otherwise: for periods of the past, or an --expires of the past, say it. Between the two a period must end:
--from 2024-03 --expires 2024-03-15 is drawn by no monthly period, --expires 2024-04 by March.

  reckoner credits grant --customer acme --amount 500.00 --currency USD --name "Spring package" --expires 2025-01-01
  reckoner credits balance acme
  reckoner credits show ID`;

export function addCreditCommands(program: Command, dependencies: CliDependencies): void {
  const credits = program.command('credits').description('prepaid and promotional credits').addHelpText('after', help);
  credits
    .command('grant')
    .description('grant credits to a customer')
    .requiredOption('--customer <id>', 'to whom')
    .requiredOption('--amount <decimal>', 'how much')
    .requiredOption('--currency <code>', "that of the customer's invoices")
    .requiredOption('--name <text>', 'what the grant is called')
    .option('--promotional', 'given away, not paid for')
    .option('--priority <number>', 'lower is drawn first, from 0 to 100; default 50', wholeNumber)
    .option(
      '--from <instant>',
      'for periods that end after this instant (or day, or month, of UTC); default: now',
      instantOrDay,
    )
    .option('--expires <instant>', 'for periods that end by this instant (or day, or month, of UTC)', instantOrDay)
    .option('--roll-over-cap <decimal>', 'how much of the remainder goes on as a new grant')
    .option('--roll-over-validity <duration>', 'for how long, such as P90D')
    .option('--reason <text>', 'why; kept with it')
    .action(async (options: GrantOptions, command: Command) => grant(options, contextOf(command, dependencies)));
  withPaging(credits.command('list').description('grants, the newest first'))
    .option('--customer <id>', 'only of this customer')
    .action(async (options: CustomerListOptions, command: Command) => list(options, contextOf(command, dependencies)));
  credits
    .command('show')
    .description('a grant with all that happened to it')
    .argument('<id>', 'grant id')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/credit-grants/${segment(id)}`), describeHistory);
    });
  credits
    .command('balance')
    .description('what a customer has left, and what of it a period that ends at an instant may draw')
    .argument('<customer>', 'customer id')
    .option('--at <instant>', 'the end of a period; default: now', instantOrDay)
    .action(async (customer: string, { at }: { readonly at?: string }, command: Command) => {
      const context = contextOf(command, dependencies);
      const answer = await context.api.json(`/customers/${segment(customer)}/credits`, { query: { at } });
      context.print(answer, describeBalance);
    });
  credits
    .command('void')
    .description('take back what is left of a grant; it is never drawn again')
    .argument('<id>', 'grant id')
    .requiredOption('--reason <text>', 'why; kept with the grant')
    .action(async (id: string, { reason }: { readonly reason: string }, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/credit-grants/${segment(id)}/void`, post({ reason })), describe);
    });
}

async function grant(options: GrantOptions, context: CliContext): Promise<void> {
  const { rollOverCap: cap, rollOverValidity: validity } = options;
  if ((cap === undefined) !== (validity === undefined)) {
    throw new UsageError('--roll-over-cap and --roll-over-validity go together');
  }
  const body = {
    customer_id: options.customer,
    type: options.promotional === true ? 'promotional' : 'prepaid',
    currency: options.currency,
    amount: options.amount,
    name: options.name,
    priority: options.priority,
    effective_from: options.from,
    expires_at: options.expires,
    roll_over: cap === undefined ? undefined : { cap, validity },
    reason: options.reason,
  };
  context.print(await context.api.json('/credit-grants', post(body)), describe);
}

const columns: readonly TableColumn[] = [
  column('Name', 'name'),
  column('Type', 'type'),
  column('Priority', 'priority', 'right'),
  column('Amount', 'amount', 'right'),
  column('Left', 'balance', 'right'),
  column('', 'currency'),
  column('From', 'effective_from'),
  { header: 'Expires', value: ({ expires_at: at }) => at ?? 'never' },
  { header: 'Void', value: ({ void: isVoid }) => (isVoid === true ? 'yes' : '') },
];

async function list(options: CustomerListOptions, context: CliContext): Promise<void> {
  const all = [column('Customer', 'customer_id'), ...columns, column('Grant id', 'grant_id')];
  const shape = { query: customerQuery(options), columns: all, empty: 'There are no such grants.' };
  await printList('/credit-grants', shape, context);
}

function describe(grant: JsonObject): string {
  const { roll_over: rollOver, currency } = grant;
  const money = (amount: unknown): string => `${String(amount)} ${String(currency)}`;
  return renderFacts([
    ['Grant', grant['grant_id']],
    ['Customer', grant['customer_id']],
    ['Name', grant['name']],
    ['Type', grant['type']],
    ['Amount', money(grant['amount'])],
    ['Left', `${money(grant['balance'])}${grant['void'] === true ? ' (void)' : ''}`],
    ['Priority', grant['priority']],
    ['From', grant['effective_from']],
    ['Expires', grant['expires_at'] ?? 'never'],
    ...(isObject(rollOver)
      ? ([['Rolls over', `${money(rollOver['cap'])} for ${String(rollOver['validity'])}`]] as const)
      : []),
    ...(grant['rolled_over_from'] === null ? [] : ([['Rolled over from', grant['rolled_over_from']]] as const)),
    ['Granted', `${String(grant['granted_at'])} by ${String(grant['granted_by'])}`],
    ...(grant['reason'] === null ? [] : ([['Reason', grant['reason']]] as const)),
  ]);
}

function describeHistory(grant: JsonObject): string {
  const draws = renderTable(
    [
      column('Drawn at', 'at'),
      column('Document', 'number'),
      column('Event', 'entry'),
      column('Amount', 'amount', 'right'),
    ],
    rowsOf(grant['draws']),
  );
  const expiries = renderTable(
    [
      column('Expired at', 'at'),
      column('Amount', 'amount', 'right'),
      column('Rolled over', 'rolled_over', 'right'),
      column('To', 'rolled_over_to'),
    ],
    rowsOf(grant['expiries']),
  );
  const voids = renderTable(
    [
      column('Taken back at', 'at'),
      column('Amount', 'amount', 'right'),
      column('By', 'voided_by'),
      column('Reason', 'reason'),
    ],
    rowsOf(grant['voids']),
  );
  const has = (name: string): boolean => rowsOf(grant[name]).length > 0;
  return [
    describe(grant),
    ...(has('draws') ? [draws] : []),
    ...(has('expiries') ? [expiries] : []),
    ...(has('voids') ? [voids] : []),
  ].join('\n');
}

function describeBalance(answer: JsonObject): string {
  const balances = renderTable(
    [
      column('Currency', 'currency'),
      column('Left', 'balance', 'right'),
      column('Available', 'available', 'right'),
      column('Available prepaid', 'prepaid', 'right'),
      column('Available promotional', 'promotional', 'right'),
    ],
    rowsOf(answer['currencies']),
  );
  const available: TableColumn = {
    header: 'May be drawn',
    value: (grant) => (grant['available'] === true ? 'yes' : ''),
  };
  const grants = renderTable([...columns, available, column('Grant id', 'grant_id')], rowsOf(answer['grants']));
  const facts = renderFacts([
    ['Customer', answer['customer_id']],
    ['Period ends', answer['at']],
  ]);
  const hint = `Used up, void or expired grants: reckoner credits list --customer ${printable(answer['customer_id'])}\n`;
  return [facts, balances, grants, hint].join('\n');
}
