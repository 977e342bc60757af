/** The tag registry: which labels events may carry in `metadata.tags`. */
import type { Command } from 'commander';
import { isObject } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { column, renderFacts, renderTable } from '../output.js';
import type { TableColumn } from '../output.js';
import { collected } from '../paging.js';
import { printList } from '../print-list.js';
import { CommandFailed } from '../terminal.js';

interface SetOptions {
  readonly description?: string;
  readonly value?: readonly string[];
  readonly requiredFor?: readonly string[];
}

const help = `
From the first registered tag on, events may carry only registered tags:

  reckoner tags set team --value search --value ads --required-for api_call
  reckoner tags set env
  reckoner dead-letters replay --all --code TAG_NOT_REGISTERED`;

export function addTagCommands(program: Command, dependencies: CliDependencies): void {
  const tags = program.command('tags').description('which tags events may carry').addHelpText('after', help);
  tags
    .command('list', { isDefault: true })
    .description('all registered tags, retired ones too')
    .action(async (_options: unknown, command: Command) => list(contextOf(command, dependencies)));
  withKey(tags.command('show'))
    .description('what is registered of a tag, and was before')
    .action(async (key: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(pathOf(key)), describe);
    });
  withKey(tags.command('set'))
    .description('register a tag, or say anew all that is registered of it; also takes a retired one into use again')
    .option('--description <text>', 'what it is for')
    .option('--value <text>', 'a value that events may have, repeatable; default: any text', collected)
    .option('--required-for <event type>', "events that must carry it, repeatable; '*': all", collected)
    .action(async (key: string, options: SetOptions, command: Command) => {
      const { description = null, value: values = null, requiredFor = [] } = options;
      await put(key, { description, values, required_for: requiredFor }, contextOf(command, dependencies));
    });
  withKey(tags.command('retire'))
    .description('events carry it no more; what is stored keeps it')
    .action(async (key: string, _options: unknown, command: Command) => retire(key, contextOf(command, dependencies)));
}

const withKey = (command: Command): Command => command.argument('<key>', 'the tag');
const pathOf = (key: string): string => `/tags/${segment(key)}`;

const columns: readonly TableColumn[] = [
  column('Tag', 'key'),
  { header: 'Values', value: ({ values }) => valuesOf(values) },
  { header: 'Required for', value: ({ required_for: types }) => textOf(types) },
  { header: 'Retired', value: ({ retired }) => (retired === true ? 'yes' : '') },
  column('Version', 'version', 'right'),
  column('Defined by', 'defined_by'),
  column('Defined at', 'defined_at'),
];

const textOf = (texts: unknown): string => (Array.isArray(texts) ? texts.join(', ') : '');
const valuesOf = (values: unknown): string => (Array.isArray(values) ? textOf(values) : '(any text)');

async function list(context: CliContext): Promise<void> {
  const shape = { columns: [...columns, column('Description', 'description')], empty: 'No tag is registered.' };
  await printList('/tags', shape, context);
}

async function put(key: string, body: object, context: CliContext): Promise<void> {
  const answer = await context.api.json(pathOf(key), { method: 'PUT', body: JSON.stringify(body) });
  context.print(answer, describe);
}

/** All that is registered stays, so that it can be read what the tag was. */
async function retire(key: string, context: CliContext): Promise<void> {
  const answer = await context.api.json(pathOf(key));
  if (!isObject(answer)) throw new CommandFailed('the API did not answer with a tag');
  const { description, values, required_for } = answer;
  await put(key, { description, values, required_for, retired: true }, context);
}

function describe(tag: JsonObject): string {
  const facts = renderFacts([
    ['Tag', tag['key']],
    ['Description', tag['description']],
    ['Values', valuesOf(tag['values'])],
    ['Required for', textOf(tag['required_for'])],
    ['Retired', tag['retired'] === true ? 'yes' : 'no'],
    ['Version', `${String(tag['version'])}, by ${String(tag['defined_by'])} at ${String(tag['defined_at'])}`],
  ]);
  const versions = rowsOf(tag['versions']);
  return versions.length < 2 ? facts : `${facts}\n${renderTable(columns.slice(1), versions)}`;
}
