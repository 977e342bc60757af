/** Events: finding them, what became of one, and voiding or amending one. */
import type { Command } from 'commander';
import { isSafeNumber, LosslessNumber, parse, stringify } from 'lossless-json';
import { ApiProblem, isObject } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, messageOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, renderObject } from '../output.js';
import { instantOrDay, pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printRows } from '../print-list.js';
import { UsageError } from '../terminal.js';

interface ListOptions extends PagingOptions {
  readonly type?: string;
  readonly from?: string;
  readonly to?: string;
}
interface IdentityOptions {
  readonly source?: string;
}
interface AdjustOptions extends IdentityOptions {
  readonly reason?: string;
}
interface AmendOptions extends AdjustOptions {
  readonly eventType: string;
  readonly time: string;
  readonly metadata: string;
}

export function addEventCommands(program: Command, dependencies: CliDependencies): void {
  const events = program.command('events').description('find events and look at them; void or amend one');
  withPaging(events.command('list').description('events of a customer as they were sent, by event time'))
    .argument('<customer>', 'customer id')
    .option('--type <type>', 'only of this event type')
    .option('--from <instant>', 'event time from here on; a day or month: from its beginning in UTC', instantOrDay)
    .option('--to <instant>', 'event time before this one', instantOrDay)
    .action(async (customer: string, options: ListOptions, command: Command) =>
      listEvents(customer, options, contextOf(command, dependencies)),
    );
  identified(events.command('show').description('an event, what it counts as now, and what became of it')).action(
    async (customer: string, event: string, { source }: IdentityOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      const path = `/events/${segment(customer)}/${segment(event)}`;
      context.print(await context.api.json(path, { query: { source } }), renderObject);
    },
  );
  adjusting(events.command('void').description('take an event out; it stays readable')).action(
    async (customer: string, event: string, options: AdjustOptions, command: Command) => {
      const body = { ...identityOf(customer, event, options), type: 'void', reason: options.reason };
      await adjust(body, contextOf(command, dependencies));
    },
  );
  adjusting(events.command('amend').description('replace what an event says; the original stays readable'))
    .requiredOption('--event-type <type>', 'event type of the replacement')
    .requiredOption('--time <instant>', 'RFC 3339 event time of the replacement')
    .option('--metadata <json>', 'metadata of the replacement, a JSON object; numbers stay as they are written', '{}')
    .action(async (customer: string, event: string, options: AmendOptions, command: Command) => {
      const replacement = {
        event_type: options.eventType,
        event_time: options.time,
        metadata: metadataOf(options.metadata),
      };
      const body = { ...identityOf(customer, event, options), type: 'amend', replacement, reason: options.reason };
      await adjust(body, contextOf(command, dependencies));
    });
}

async function listEvents(customer: string, options: ListOptions, context: CliContext): Promise<void> {
  const { type, from, to } = options;
  const query = { customer_id: customer, event_type: type, from, to, ...pagingQuery(options) };
  const answer = await exactJson(context, '/events', query);
  if (context.json) {
    context.terminal.out(`${stringify(answer, undefined, 2)}\n`);
    return;
  }
  const columns = [
    column('Event time', 'event_time'),
    column('Event', 'event_id'),
    column('Source', 'source'),
    column('Type', 'event_type'),
    { header: 'Metadata', value: ({ metadata }: JsonObject) => stringify(metadata) } as const,
    column('Learned', 'ingestion_time'),
    column('Backfill', 'backfill_id'),
  ];
  printRows(answer, { columns, empty: 'There are no such events.' }, context);
}

/** Numbers that no float holds stay as they are written: they may be billed. */
async function exactJson(
  { api }: CliContext,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
): Promise<unknown> {
  const { bytes } = await api.bytes(path, { query });
  try {
    return parse(new TextDecoder().decode(bytes), undefined, (text) =>
      isSafeNumber(text) ? Number(text) : new LosslessNumber(text),
    );
  } catch {
    throw new ApiProblem(200, 'UNEXPECTED_ANSWER', `an answer that is not JSON came from ${api.url}`);
  }
}

function identified(command: Command): Command {
  return command
    .argument('<customer>', 'customer id')
    .argument('<event>', 'event id')
    .option('--source <source>', 'the source of the event, if it has one');
}

function adjusting(command: Command): Command {
  return identified(command).option('--reason <text>', 'why; kept with the adjustment');
}

function identityOf(customer: string, event: string, { source }: IdentityOptions): object {
  return { customer_id: customer, event_id: event, source };
}

/** Numbers as they are written: they may be billed. */
function metadataOf(text: string): JsonObject {
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch (error) {
    throw new UsageError(`--metadata is not JSON: ${messageOf(error)}`);
  }
  if (isObject(parsed) && !(parsed instanceof LosslessNumber)) return parsed;
  throw new UsageError('--metadata must be a JSON object, such as {"region":"eu"}');
}

async function adjust(body: object, context: CliContext): Promise<void> {
  context.print(await context.api.json('/event-adjustments', post(body)), renderObject);
}
