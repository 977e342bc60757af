/** What-if: usage under prices that nobody is billed by. */
import type { Command } from 'commander';
import { objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, objectInFile, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { postText } from '../keyed.js';
import { column, groupText, printable, renderFacts, renderTable } from '../output.js';
import type { TableColumn } from '../output.js';
import { collected, instantOrDay, pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { quantityOf } from '../quantity.js';
import { CommandFailed, UsageError } from '../terminal.js';
import { versionOf } from '../version-name.js';
import { goesOn, isFinished, secondsOf, startedText, until, withWait } from '../waiting.js';
import type { Wait } from '../waiting.js';
import { addRolloutCommands } from './price-rollouts.js';

interface EvaluateOptions {
  readonly file?: string;
  readonly priceBook?: string;
  readonly quantity?: readonly string[];
  readonly customer?: readonly string[];
  readonly period?: string;
  readonly all?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly wait?: Wait;
}

export function addEvaluationCommands(program: Command, dependencies: CliDependencies): void {
  const prices = program
    .command('prices')
    .description('what other prices would come to, and how a price goes to customers');
  const evaluateCommand = prices
    .command('evaluate')
    .description('what quantities, or real usage, would cost under a price book version')
    .option('-f, --file <file>', 'JSON file with a whole version, which is not stored; - reads standard input')
    .option('--price-book <code@version>', 'price by this version of a price book')
    .option(
      '--quantity <meter=quantity>',
      'a quantity to price, of a group as egress[region=eu]=100; may be repeated; for a percentage each one is an event',
      collected,
    )
    .option('--customer <id>', "a customer's real usage; may be repeated", collected)
    .option('--period <period>', 'with one --customer: this billing period, answered at once')
    .option('--all', "all customers' real usage")
    .option('--from <instant>', 'only periods that end after this instant (or day, or month, of UTC)', instantOrDay)
    .option('--to <instant>', 'only periods that begin before this instant (or day, or month, of UTC)', instantOrDay);
  withWait(evaluateCommand, 'the run').action(async (options: EvaluateOptions, command: Command) =>
    evaluate(options, contextOf(command, dependencies)),
  );
  withPaging(prices.command('evaluations').description('runs, the newest first')).action(
    async (options: PagingOptions, command: Command) => list(options, contextOf(command, dependencies)),
  );
  prices
    .command('evaluation')
    .description('what a run has found so far')
    .argument('<id>', 'evaluation id')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/price-book-evaluations/${segment(id)}`), describeRun);
    });
  addRolloutCommands(prices, dependencies);
}

async function evaluate(options: EvaluateOptions, context: CliContext): Promise<void> {
  const answer = objectOf(await context.api.json('/price-books/evaluate', postText(bodyOf(options))));
  const id = answer['evaluation_id'];
  const { wait } = options;
  if (typeof id !== 'string') context.print(answer, 'customer_id' in answer ? describePeriod : describeQuantities);
  else if (wait === undefined)
    context.print(answer, ({ status }) => startedText('Evaluation', { id, status }, showing(id)));
  else await waitFor(id, secondsOf(wait), context);
}

async function waitFor(id: string, seconds: number, context: CliContext): Promise<void> {
  const look = async (): Promise<JsonObject> =>
    objectOf(await context.api.json(`/price-book-evaluations/${segment(id)}`));
  const run = await until(context, look, { seconds, isDone: isFinished });
  context.print(run, describeRun);
  if (!isFinished(run)) throw new CommandFailed(`still running after ${seconds} s; see \`${showing(id)}\``);
}

const showing = (id: unknown): string => `reckoner prices evaluation ${printable(id)}`;

/** As text, because the numbers of a version in a file stay as they are written. */
function bodyOf(options: EvaluateOptions): string {
  const { quantity, customer = [], period, all = false, from, to } = options;
  const priceBook = priceBookOf(options);
  const asked = [quantity !== undefined, customer.length > 0, all].filter((given) => given).length;
  if (asked !== 1) throw new UsageError('give one of --quantity, --customer and --all');
  if (period !== undefined && customer.length !== 1) throw new UsageError('--period goes with one --customer');
  if ((from ?? to) !== undefined && (quantity !== undefined || period !== undefined))
    throw new UsageError('--from and --to go with --customer or --all, without --period');
  const [only] = customer;
  const rest =
    quantity !== undefined
      ? { quantities: quantity.map(quantityOf) }
      : period !== undefined
        ? { customer_id: only, period }
        : { customers: all ? 'all' : customer, from, to };
  return `{"price_book":${priceBook},${JSON.stringify(rest).slice(1)}`;
}

function priceBookOf({ file, priceBook }: EvaluateOptions): string {
  if (file === undefined) {
    if (priceBook === undefined) throw new UsageError('name a version by --price-book, or give a whole one by --file');
    return JSON.stringify(versionOf(priceBook));
  }
  if (priceBook !== undefined) throw new UsageError('give the version by --file or by --price-book, not both');
  return objectInFile(file);
}

const lineColumns: readonly TableColumn[] = [
  { header: 'Line', value: ({ meter, name }) => meter ?? name },
  { header: 'Group', value: ({ group }) => groupText(group) },
  column('Quantity', 'quantity', 'right'),
];

function describeQuantities(answer: JsonObject): string {
  const lines = renderTable(
    [...lineColumns, column('Formula', 'formula'), column('Amount', 'amount', 'right')],
    rowsOf(answer['lines']),
  );
  const facts = renderFacts([
    ['Price book', versionText(answer['price_book'])],
    ['Total', `${String(answer['total'])} ${String(answer['currency'])}`],
  ]);
  return [facts, lines, problemsOf(answer)].filter((part) => part !== '').join('\n');
}

function describePeriod(answer: JsonObject): string {
  const currency = String(answer['currency']);
  const amount = (name: string): string => (answer[name] === null ? '–' : `${String(answer[name])} ${currency}`);
  const facts = renderFacts([
    ['Price book', versionText(answer['price_book'])],
    ['Customer', answer['customer_id']],
    ['Period', objectOf(answer['period'])['period']],
    ['Costs now', amount('current')],
    ['Invoiced', amount('invoiced')],
    ['Would cost', answer['comparable'] === true ? amount('evaluated') : `${amount('evaluated')} (does not compare)`],
    ['Difference', answer['comparable'] === true ? amount('difference') : '–'],
  ]);
  const lines = renderTable(
    [
      ...lineColumns,
      column('Now', 'current_amount', 'right'),
      column('Would cost', 'evaluated_amount', 'right'),
      column('Difference', 'difference', 'right'),
      column('Formula', 'evaluated_formula'),
    ],
    rowsOf(answer['lines']),
  );
  return [facts, lines, problemsOf(answer)].filter((part) => part !== '').join('\n');
}

function describeRun(run: JsonObject): string {
  const { periods, of } = objectOf(run['progress']);
  const facts = renderFacts([
    ['Evaluation', run['evaluation_id']],
    ['Price book', versionText(run['price_book'])],
    ['Status', run['status']],
    ['Periods', `${String(periods)} of ${String(of)}`],
    ['Requested', `${String(run['requested_at'])} by ${String(run['requested_by'])}`],
  ]);
  const totals = rowsOf(run['totals']).map(describeTotals);
  const customers = renderTable(
    [
      column('Customer', 'customer_id'),
      column('Periods', 'periods', 'right'),
      column('Do not compare', 'not_comparable', 'right'),
      column('Now', 'current', 'right'),
      column('Would cost', 'evaluated', 'right'),
      column('Difference', 'difference', 'right'),
      column('', 'currency'),
    ],
    rowsOf(run['customers']),
  );
  const parts = [facts, ...totals, customers, isFinished(run) ? '' : goesOn(showing(run['evaluation_id']))];
  return parts.filter((part) => part !== '').join('\n');
}

function describeTotals(totals: JsonObject): string {
  const difference = objectOf(totals['difference']);
  const named = (list: unknown): string =>
    rowsOf(list)
      .map((each) => `${String(each['customer_id'])} ${String(each['difference'])}`)
      .join(', ');
  const distribution = ['min', 'median', 'p90', 'max'].map((name) => `${name} ${String(difference[name] ?? '–')}`);
  return renderFacts([
    ['Currency', totals['currency']],
    ['Customers', `${String(totals['customers'])} (and ${String(totals['not_comparable'])} that do not compare)`],
    ['Cost now', totals['current']],
    ['Would cost', totals['evaluated']],
    ['Difference', difference['sum']],
    ['A customer', distribution.join(', ')],
    ['Pay less', `${String(totals['winners'])}: ${named(totals['top_winners'])}`],
    ['Pay more', `${String(totals['losers'])}: ${named(totals['top_losers'])}`],
    ['The same', totals['unchanged']],
  ]);
}

/** What has no price on one side is told, never left out. */
function problemsOf(answer: JsonObject): string {
  return rowsOf(answer['problems'])
    .map(
      ({ side, code, detail }) =>
        `${side === undefined ? '' : `${String(side)}: `}${String(code)}: ${String(detail)}\n`,
    )
    .join('');
}

function versionText(priceBook: unknown): string {
  const { code, version } = objectOf(priceBook);
  return `${String(code)} ${String(version)}`;
}

async function list(options: PagingOptions, context: CliContext): Promise<void> {
  const columns: readonly TableColumn[] = [
    column('Requested', 'requested_at'),
    column('By', 'requested_by'),
    column('Status', 'status'),
    { header: 'Price book', value: ({ price_book: priceBook }) => versionText(priceBook) },
    { header: 'Periods', value: ({ progress }) => objectOf(progress)['periods'], align: 'right' },
    column('Evaluation id', 'evaluation_id'),
  ];
  const query = pagingQuery(options);
  await printList('/price-book-evaluations', { query, columns, empty: 'There are no such evaluations.' }, context);
}
