/** Legal entities, and whether their number series hold. */
import type { Command } from 'commander';
import { objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { column, renderFacts, renderTable } from '../output.js';
import type { TableColumn } from '../output.js';
import { printList } from '../print-list.js';
import { CommandFailed } from '../terminal.js';

interface SetOptions {
  readonly numberPrefix: string;
  readonly name: string;
  readonly address?: string;
  readonly taxId?: string;
  readonly email?: string;
  readonly street?: string;
  readonly city?: string;
  readonly postalCode?: string;
  readonly region?: string;
  readonly country?: string;
  readonly vatId?: string;
  readonly iban?: string;
}

export function addLegalEntityCommands(program: Command, dependencies: CliDependencies): void {
  const entities = program
    .command('legal-entities')
    .description('who issues documents, each with number series of its own');
  entities
    .command('list', { isDefault: true })
    .description('all registered ones; beside them there is "default", the seller of the configuration')
    .action(async (_options: unknown, command: Command) => {
      const shape = { columns, empty: 'None is registered beside "default".' };
      await printList('/legal-entities', shape, contextOf(command, dependencies));
    });
  entities
    .command('show')
    .description('a legal entity as it is, and was before')
    .argument('<code>', 'its code')
    .action(async (code: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/legal-entities/${segment(code)}`), describe);
    });
  entities
    .command('set')
    .description('register a legal entity, or say anew all that its documents say of it')
    .argument('<code>', 'its code; customers name it as "legal_entity"')
    .requiredOption('--number-prefix <prefix>', 'what its numbers begin with, such as ACME-DE')
    .requiredOption('--name <name>', 'as printed on documents')
    .option('--address <text>', 'as printed on documents')
    .option('--tax-id <id>', 'as printed on documents')
    .option('--email <address>', 'as printed on documents; UBL e-invoices need it')
    .option('--street <text>', 'for e-invoices, as --city, --postal-code and --region')
    .option('--city <text>')
    .option('--postal-code <code>')
    .option('--region <text>')
    .option('--country <code>', 'ISO 3166-1, such as DE; tax and e-invoices need it')
    .option('--vat-id <id>', 'with its country prefix; e-invoices need it where there is VAT')
    .option('--iban <iban>', 'where it is paid; on documents and e-invoices')
    .action(async (code: string, options: SetOptions, command: Command) =>
      put(code, options, contextOf(command, dependencies)),
    );
}

/** Below `invoices`. */
export function addNumberCommands(invoices: Command, dependencies: CliDependencies): void {
  const numbers = invoices.command('numbers').description('the number series of documents');
  numbers
    .command('check', { isDefault: true })
    .description('hold every series against the documents; fails when there is a gap or a duplicate')
    .action(async (_options: unknown, command: Command) => check(contextOf(command, dependencies)));
}

const columns: readonly TableColumn[] = [
  column('Code', 'code'),
  column('Numbers begin with', 'number_prefix'),
  column('Name', 'name'),
  column('Address', 'address'),
  column('Tax id', 'tax_id'),
  column('VAT id', 'vat_id'),
  column('Country', 'country_code'),
  column('Version', 'version', 'right'),
  column('Defined by', 'defined_by'),
  column('Defined at', 'defined_at'),
];

async function put(code: string, options: SetOptions, context: CliContext): Promise<void> {
  const { numberPrefix, taxId, postalCode, country, vatId, ...same } = options;
  const body = JSON.stringify({
    ...same,
    number_prefix: numberPrefix,
    tax_id: taxId,
    postal_code: postalCode,
    country_code: country,
    vat_id: vatId,
  });
  context.print(await context.api.json(`/legal-entities/${segment(code)}`, { method: 'PUT', body }), describe);
}

function describe(entity: JsonObject): string {
  const place = ['street', 'postal_code', 'city', 'region', 'country_code']
    .flatMap((part) => entity[part] ?? [])
    .join(', ');
  const facts = renderFacts([
    ['Legal entity', entity['code']],
    ['Numbers begin with', entity['number_prefix']],
    ['Name', entity['name']],
    ['Address', entity['address']],
    ['Tax id', entity['tax_id']],
    ['VAT id', entity['vat_id']],
    ['Email', entity['email']],
    ['Place', place === '' ? undefined : place],
    ['IBAN', entity['iban']],
    ['Version', `${String(entity['version'])}, by ${String(entity['defined_by'])} at ${String(entity['defined_at'])}`],
  ]);
  const versions = rowsOf(entity['versions']);
  return versions.length < 2 ? facts : `${facts}\n${renderTable(columns.slice(1), versions)}`;
}

async function check(context: CliContext): Promise<void> {
  const answer = objectOf(await context.api.json('/number-series'));
  const series = rowsOf(answer['series']);
  context.print(answer, () =>
    renderTable(
      [
        {
          header: 'Series',
          value: ({ series: name, legal_entity: entity }) => (entity === null ? `${String(name)} (unknown)` : name),
        },
        {
          header: 'Last number',
          value: ({ numbers, last_number: last }) => `${String(numbers)}-${String(last).padStart(6, '0')}`,
        },
        column('Documents', 'documents', 'right'),
        column('Missing', 'missing', 'right'),
        { header: 'Gaps', value: ({ gaps }) => rowsOf(gaps).map(gapText).join(', ') },
        { header: 'Duplicates', value: ({ duplicates }) => (Array.isArray(duplicates) ? duplicates.join(', ') : '') },
        { header: 'Beyond the last', value: ({ beyond }) => beyond ?? '' },
        { header: '', value: ({ holds }) => (holds === true ? 'holds' : 'BROKEN') },
      ],
      series,
    ),
  );
  if (answer['holds'] === true) return;
  const broken = series.filter(({ holds }) => holds !== true).map(({ series: name }) => String(name));
  throw new CommandFailed(`the numbers of ${broken.join(', ')} do not hold`);
}

const gapText = ({ from, to }: JsonObject): string => (from === to ? String(from) : `${String(from)}–${String(to)}`);
