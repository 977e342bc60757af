/** Customers, meters and price books. */
import type { Command } from 'commander';
import { isObject, newIdempotencyKey } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, objectsInFile, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { column, printable, renderObject, renderTable } from '../output.js';
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
  customers
    .command('show')
    .description("a customer's facts")
    .argument('<customer>', 'customer id')
    .action(async (customer: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/customers/${segment(customer)}`), renderObject);
    });
}

function customerFacts(options: CustomerOptions): string {
  const { file, name, currency, priceBook, timeZone, legalEntity } = options;
  if (file !== undefined) {
    if ([name, currency, priceBook, timeZone, legalEntity].some((value) => value !== undefined)) {
      throw new UsageError('give the facts by --file or by options, not both: a PUT replaces all of them');
    }
    const [body = '', ...more] = objectsInFile(file);
    if (more.length > 0) throw new UsageError(`${file} must hold one JSON object`);
    return body;
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
  const answer = await context.api.json('/meters');
  context.print(answer, () =>
    renderTable(
      [
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
      ],
      rowsOf(answer),
    ),
  );
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
    const request = { method: 'POST', body, idempotencyKey: newIdempotencyKey() } as const;
    context.print(await context.api.json(path, request), renderObject);
  }
}
