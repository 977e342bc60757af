/** Customers, meters and price books. */
import type { Command } from 'commander';
import { isObject } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, objectInFile, objectsInFile, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { postText } from '../keyed.js';
import { column, printable, renderObject } from '../output.js';
import type { TableColumn } from '../output.js';
import { pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { UsageError } from '../terminal.js';

interface CustomerOptions {
  readonly file?: string;
  readonly name?: string;
  readonly currency?: string;
  readonly priceBook?: string;
  readonly timeZone?: string;
  readonly legalEntity?: string;
}

const fileOption = [
  '-f, --file <file>',
  'JSON file with one object or a list of them; - reads standard input',
] as const;

export function addReferenceCommands(program: Command, dependencies: CliDependencies): void {
  addCustomerCommands(program, dependencies);
  const meters = program.command('meters').description('what is counted, and how');
  meters
    .command('list')
    .description('all meters, each with its versions')
    .action(async (_options: unknown, command: Command) => listMeters(contextOf(command, dependencies)));
  meters
    .command('create')
    .description('create meters; the same meter again changes nothing')
    .requiredOption(...fileOption)
    .action(async (options: { file: string }, command: Command) =>
      createAll('/meters', options.file, contextOf(command, dependencies)),
    );
  const priceBooks = program.command('price-books').description('versions of price books');
  priceBooks
    .command('create')
    .description('create versions; the same version again changes nothing')
    .requiredOption(...fileOption)
    .action(async (options: { file: string }, command: Command) =>
      createAll('/price-books', options.file, contextOf(command, dependencies)),
    );
  withPaging(priceBooks.command('list').description('versions of all price books, in the order of learning'))
    .option('--code <code>', 'of this price book only')
    .action(async (options: PagingOptions & { readonly code?: string }, command: Command) => {
      const query = { code: options.code, ...pagingQuery(options) };
      const shape = { query, columns: priceBookColumns, empty: 'There are no such price books.' };
      await printList('/price-books', shape, contextOf(command, dependencies));
    });
  priceBooks
    .command('show')
    .description('the version of a price book that is, or was, in force')
    .argument('<code>', 'price book')
    .option('--at <instant>', 'RFC 3339 instant; default: now')
    .action(async (code: string, options: { at?: string }, command: Command) => {
      const context = contextOf(command, dependencies);
      const answer = await context.api.json(`/price-books/${segment(code)}`, { query: { at: options.at } });
      context.print(answer, renderObject);
    });
}

const priceBookColumns = [
  column('Price book', 'code'),
  column('Version', 'version'),
  column('Currency', 'currency'),
  column('From', 'effective_from'),
  column('Until', 'effective_until'),
  column('Supersedes', 'supersedes'),
  column('Superseded by', 'superseded_by'),
];

function addCustomerCommands(program: Command, dependencies: CliDependencies): void {
  const customers = program.command('customers').description("customers' facts");
  customers
    .command('put')
    .description('create a customer or change its facts')
    .argument('<customer>', 'customer id')
    .option('-f, --file <file>', 'JSON file with all the facts; - reads standard input')
    .option('--name <name>', 'name')
    .option('--currency <code>', 'ISO 4217 code')
    .option('--price-book <code>', 'price book')
    .option('--time-zone <zone>', 'IANA time zone; default UTC')
    .option('--legal-entity <code>', 'who issues its documents; default: the seller of the configuration')
    .action(async (customer: string, options: CustomerOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      const request = { method: 'PUT', body: customerFacts(options) } as const;
      context.print(await context.api.json(`/customers/${segment(customer)}`, request), renderObject);
    });
  const overrides = customers
    .command('price-overrides')
    .description('prices of one customer beside the assigned price book');
  overrides
    .command('list', { isDefault: true })
    .description('all versions, oldest first')
    .argument('<customer>', 'customer id')
    .action(async (customer: string, _options: unknown, command: Command) => {
      const shape = { columns: overrideColumns, empty: 'The customer has no prices of its own.' };
      await printList(`/customers/${segment(customer)}/price-overrides`, shape, contextOf(command, dependencies));
    });
  overrides
    .command('put')
    .description('the next version, which replaces the one before as a whole from its date on')
    .argument('<customer>', 'customer id')
    .requiredOption('-f, --file <file>', 'JSON file with one object; - reads standard input')
    .action(async (customer: string, options: { readonly file: string }, command: Command) => {
      const context = contextOf(command, dependencies);
      const request = { method: 'PUT', body: objectInFile(options.file) } as const;
      const path = `/customers/${segment(customer)}/price-overrides`;
      context.print(await context.api.json(path, request), renderObject);
    });
  withPaging(customers.command('list').description('all customers, in order of id')).action(
    async (options: PagingOptions, command: Command) => {
      const shape = { query: pagingQuery(options), columns: customerColumns, empty: 'There are no such customers.' };
      await printList('/customers', shape, contextOf(command, dependencies));
    },
  );
  customers
    .command('show')
    .description("a customer's facts")
    .argument('<customer>', 'customer id')
    .action(async (customer: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/customers/${segment(customer)}`), renderObject);
    });
}

const customerColumns = [
  column('Customer', 'customer_id'),
  column('Name', 'name'),
  column('Currency', 'currency'),
  column('Price book', 'price_book'),
  column('Time zone', 'time_zone'),
];

const overrideColumns = [
  column('Version', 'version', 'right'),
  column('From', 'effective_from'),
  column('Until', 'effective_until'),
  column('Reason', 'reason'),
  column('Decided by', 'decided_by'),
  column('Decided at', 'decided_at'),
];

function customerFacts(options: CustomerOptions): string {
  const { file, name, currency, priceBook, timeZone, legalEntity } = options;
  if (file !== undefined) {
    if ([name, currency, priceBook, timeZone, legalEntity].some((value) => value !== undefined)) {
      throw new UsageError('give the facts by --file or by options, not both: a PUT replaces all of them');
    }
    return objectInFile(file);
  }
  if (name === undefined || currency === undefined || priceBook === undefined) {
    throw new UsageError('--name, --currency and --price-book are needed, or --file with all the facts');
  }
  return JSON.stringify({
    name,
    currency,
    price_book: priceBook,
    ...(timeZone === undefined ? {} : { time_zone: timeZone }),
    ...(legalEntity === undefined ? {} : { legal_entity: legalEntity }),
  });
}

async function listMeters(context: CliContext): Promise<void> {
  const columns: readonly TableColumn[] = [
    column('Code', 'code'),
    column('Version', 'version', 'right'),
    { header: 'Effective from', value: ({ effective_from: from }) => from ?? 'always' },
    column('Event type', 'event_type'),
    column('Aggregation', 'aggregation'),
    { header: 'Value', value: valueText },
    { header: 'Filters', value: ({ filters }) => filtersText(filters) },
    { header: 'Group by', value: ({ group_by: names }) => (Array.isArray(names) ? names.join(', ') : '') },
    column('Window', 'window'),
    column('Allowed lateness', 'allowed_lateness'),
  ];
  await printList('/meters', { columns, empty: 'There are no meters yet.' }, context);
}

/** What the meter reads of an event; a count says that it is one, because events then stand for many. */
function valueText({ value_property: value, count_property: count }: JsonObject): unknown {
  return count === null || count === undefined ? value : `${printable(count)} (count_property)`;
}

/** `region=eu|us tags.env=prod` */
function filtersText(filters: unknown): string {
  if (!isObject(filters)) return '';
  return Object.entries(filters)
    .map(([name, texts]) => `${name}=${Array.isArray(texts) ? texts.join('|') : ''}`)
    .join(' ');
}

async function createAll(path: string, file: string, context: CliContext): Promise<void> {
  for (const body of objectsInFile(file)) {
    context.print(await context.api.json(path, postText(body)), renderObject);
  }
}
