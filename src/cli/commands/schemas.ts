/** The schema registry: what the metadata of an event type must be. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { compatibilityModes } from '../../domain/metering/schema-compatibility.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, objectInFile, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { postText } from '../keyed.js';
import { column, printable, renderFacts } from '../output.js';
import { pagingQuery, positiveInteger, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';

interface AddOptions {
  readonly file: string;
  readonly compatibility?: string;
}

interface ListOptions extends PagingOptions {
  readonly eventType?: string;
}

const help = `
Events are validated against the version that they name (schema_version), else against the latest:

  reckoner schemas check api_call --file schema.json
  reckoner schemas add api_call --file schema.json

Compatibility: backward, what earlier versions accept the new one accepts; forward, the other way round; full, both; none.`;

export function addSchemaCommands(program: Command, dependencies: CliDependencies): void {
  const schemas = program
    .command('schemas')
    .description('what the metadata of an event type must be, in versions (JSON Schema)')
    .addHelpText('after', help);
  for (const [name, description, dryRun] of [
    ['add', 'add the next version; the latest content again changes nothing', false],
    ['check', 'say whether a version would be accepted; nothing is stored', true],
  ] as const) {
    schemas
      .command(name)
      .description(description)
      .argument('<event-type>', 'event type')
      .requiredOption('-f, --file <file>', 'the schema: a JSON object; - reads standard input')
      .addOption(
        new Option('--compatibility <mode>', 'with earlier versions; default: that of the latest').choices(
          compatibilityModes,
        ),
      )
      .action(async (eventType: string, options: AddOptions, command: Command) =>
        send({ eventType, dryRun }, options, contextOf(command, dependencies)),
      );
  }
  withPaging(schemas.command('list').description('versions, by event type, oldest first'))
    .option('--event-type <type>', 'only of this event type')
    .action(async (options: ListOptions, command: Command) => list(options, contextOf(command, dependencies)));
  schemas
    .command('show')
    .description('one version')
    .argument('<event-type>', 'event type')
    .argument('<version>', 'number of the version', positiveInteger)
    .action(async (eventType: string, version: number, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/event-schemas/${segment(eventType)}/${version}`), describe);
    });
}

async function send(
  { eventType, dryRun }: { readonly eventType: string; readonly dryRun: boolean },
  { file, compatibility }: AddOptions,
  context: CliContext,
): Promise<void> {
  // The schema as it is written: its numbers do not pass through floats.
  const facts = JSON.stringify({ event_type: eventType, compatibility, dry_run: dryRun });
  const body = `${facts.slice(0, -1)},"schema":${objectInFile(file)}}`;
  const answer = await context.api.json('/event-schemas', postText(body));
  context.print(answer, (version) => (dryRun ? `${accepted(version)}\n` : describe(version)));
}

const accepted = ({ event_type: eventType, version, compatibility }: JsonObject): string =>
  `accepted: version ${printable(version)} of ${printable(eventType)} (${printable(compatibility)})`;

async function list(options: ListOptions, context: CliContext): Promise<void> {
  const query = { event_type: options.eventType, ...pagingQuery(options) };
  const columns = [
    column('Event type', 'event_type'),
    column('Version', 'version', 'right'),
    column('Compatibility', 'compatibility'),
    column('By', 'created_by'),
    column('Created', 'created_at'),
  ];
  await printList('/event-schemas', { query, columns, empty: 'There are no such schemas.' }, context);
}

function describe(version: JsonObject): string {
  const facts = renderFacts([
    ['Event type', version['event_type']],
    ['Version', version['version']],
    ['Compatibility', version['compatibility']],
    ['Created', `${String(version['created_at'])} by ${String(version['created_by'])}`],
  ]);
  const lines = JSON.stringify(version['schema'], null, 2).split('\n').map(printable);
  return `${facts}\n${lines.join('\n')}\n`;
}
