/** Dead letters: look at them, mend them in a file, try them again, discard them. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { LosslessNumber, parse, stringify } from 'lossless-json';
import { ApiProblem, isObject, objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, messageOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, printable, renderFacts } from '../output.js';
import { pagingQuery, positiveInteger, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { CommandFailed, UsageError } from '../terminal.js';

interface FilterOptions {
  readonly customer?: string;
  readonly code?: string;
  readonly since?: string;
}
interface ListOptions extends PagingOptions, FilterOptions {
  readonly status?: string;
}
interface ReplayOptions extends FilterOptions {
  readonly id?: string;
  readonly all?: boolean;
  readonly limit?: number;
  readonly reason?: string;
}

const help = `
Mend many of them in an editor:

  reckoner dead-letters export --code VALUE_PROPERTY_MISSING > letters.ndjson
  (edit "event" in the lines; delete the lines that shall stay as they are)
  reckoner dead-letters replay letters.ndjson --reason 'property renamed'`;

export function addDeadLetterCommands(program: Command, dependencies: CliDependencies): void {
  const deadLetters = program
    .command('dead-letters')
    .description('events that could not be taken')
    .addHelpText('after', help);
  filtered(withPaging(deadLetters.command('list', { isDefault: true })))
    .description('dead letters, with why each was rejected; those that are open unless said otherwise')
    .option('--status <status>', 'open, replayed, discarded or all')
    .action(async (options: ListOptions, command: Command) => list(options, contextOf(command, dependencies)));
  deadLetters
    .command('show')
    .description('a dead letter, its payload, and every decision about it')
    .argument('<id>', 'dead letter id')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/dead-letters/${segment(id)}`), describe);
    });
  filtered(deadLetters.command('export'))
    .description('open ones as NDJSON, to be mended and replayed: dead_letter_id, code, detail, event')
    .action(async (options: FilterOptions, command: Command) =>
      exportLetters(options, contextOf(command, dependencies)),
    );
  addReplay(deadLetters, dependencies);
  deadLetters
    .command('discard')
    .description('settle one without its event; it stays readable')
    .argument('<id>', 'dead letter id')
    .requiredOption('--reason <text>', 'why')
    .action(async (id: string, { reason }: { readonly reason: string }, command: Command) => {
      const context = contextOf(command, dependencies);
      const request = post({ reason });
      context.print(await context.api.json(`/dead-letters/${segment(id)}/discard`, request), describe);
    });
}

function addReplay(deadLetters: Command, dependencies: CliDependencies): void {
  filtered(deadLetters.command('replay'))
    .description('try them again: those of a mended file, one by its id, or many as they were kept')
    .argument('[file]', 'NDJSON as `export` writes it (`-`: standard input)')
    .option('--id <id>', 'this one, as it was kept')
    .option('--all', 'open ones as they were kept; --code, --customer and --since choose')
    .option('--limit <number>', 'with --all: at most so many, up to 1000', positiveInteger)
    .option('--reason <text>', 'why; kept with each decision')
    .action(async (file: string | undefined, options: ReplayOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      const { id, all } = options;
      if ([file, id, all].filter((given) => given !== undefined).length !== 1)
        throw new UsageError('give one of: a file, --id, --all');
      if (file !== undefined) await replayFile(file, options, context);
      else if (id !== undefined) await replayOne(id, options, context);
      else await replayAll(options, context);
    });
}

function filtered(command: Command): Command {
  return command
    .option('--customer <id>', 'only of this customer')
    .option('--code <code>', 'only of this kind')
    .option('--since <instant>', 'only received at or after this instant');
}

const filterOf = ({ customer, code, since }: FilterOptions) => ({ customer_id: customer, code, since });

async function list(options: ListOptions, context: CliContext): Promise<void> {
  const query = { ...filterOf(options), status: options.status, ...pagingQuery(options) };
  const columns = [
    column('Received', 'received_at'),
    column('Code', 'code'),
    column('Customer', 'customer_id'),
    column('Event', 'event_id'),
    column('Detail', 'detail'),
    column('Status', 'status'),
    column('Dead letter id', 'dead_letter_id'),
  ];
  await printList('/dead-letters', { query, columns, empty: 'There are no such dead letters.' }, context);
}

function describe(letter: JsonObject): string {
  const because = ({ reason }: JsonObject): string => (typeof reason === 'string' ? `: ${reason}` : '');
  return renderFacts([
    ['Dead letter', letter['dead_letter_id']],
    ['Status', letter['status']],
    ['Code', letter['code']],
    ['Detail', letter['detail']],
    ['Received', letter['received_at']],
    ...(typeof letter['backfill_id'] === 'string' ? [['Backfill', letter['backfill_id']] as const] : []),
    ['Payload', letter['payload']],
    ...rowsOf(letter['decisions']).map((each) => {
      const outcome = [each['outcome'], each['code']].filter((part) => typeof part === 'string').join(', ');
      const what = outcome === '' ? String(each['decision']) : `${String(each['decision'])} (${outcome})`;
      return ['Decision', `${what} by ${String(each['decided_by'])}${because(each)}`] as const;
    }),
  ]);
}

/** Always as lines, whatever --json says. */
async function exportLetters(options: FilterOptions, { api, terminal }: CliContext): Promise<void> {
  let cursor: string | undefined;
  do {
    const answer = await api.json('/dead-letters', { query: { ...filterOf(options), limit: '100', cursor } });
    for (const letter of rowsOf(answer)) terminal.out(`${lineOf(letter)}\n`);
    const next = objectOf(answer)['next_cursor'];
    cursor = typeof next === 'string' ? next : undefined;
  } while (cursor !== undefined);
}

/** The event as it was sent, digit by digit; what is no JSON as a text, to be replaced by an event. */
function lineOf(letter: JsonObject): string {
  const { dead_letter_id, code, detail } = letter;
  const payload = String(letter['payload']);
  let event: unknown;
  try {
    event = parse(payload);
  } catch {
    event = payload;
  }
  return stringify({ dead_letter_id, code, detail, event }) ?? '';
}

interface MendedLetter {
  readonly id: string;
  readonly event: unknown;
}

function mendedIn(file: string): readonly MendedLetter[] {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${messageOf(error)}`);
  }
  return text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : mendedOf(line, `${file}:${index + 1}`)));
}

function mendedOf(line: string, where: string): MendedLetter {
  let value: unknown;
  try {
    value = parse(line);
  } catch (error) {
    throw new UsageError(`${where} is not JSON: ${messageOf(error)}`);
  }
  const { dead_letter_id: id, event } = objectOf(value);
  if (typeof id !== 'string') throw new UsageError(`${where} has no dead_letter_id`);
  if (!isObject(event) || event instanceof LosslessNumber) throw new UsageError(`${where} has no object in "event"`);
  return { id, event };
}

interface Tally {
  accepted: number;
  duplicate: number;
  rejected: number;
  settled: number;
}

/** The whole file is read before anything is sent. One that was settled before is passed over, so a repetition is safe. */
async function replayFile(file: string, options: ReplayOptions, context: CliContext): Promise<void> {
  const letters = mendedIn(file);
  const tally: Tally = { accepted: 0, duplicate: 0, rejected: 0, settled: 0 };
  for (const { id, event } of letters) await replayMended({ id, event }, { options, context, tally });
  const { accepted, duplicate: duplicates, rejected, settled } = tally;
  const summary = { replayed: letters.length, accepted, duplicates, rejected, already_settled: settled };
  context.print(summary, renderCounts);
  if (rejected > 0)
    throw new CommandFailed(
      rejected === 1 ? '1 was rejected again and stays open' : `${rejected} were rejected again and stay open`,
    );
}

async function replayMended(
  { id, event }: MendedLetter,
  { options, context, tally }: { readonly options: ReplayOptions; readonly context: CliContext; readonly tally: Tally },
): Promise<void> {
  try {
    const answer = await context.api.json(
      `/dead-letters/${segment(id)}/replay`,
      post({ event, reason: options.reason }),
    );
    const { outcome, rejection } = objectOf(answer);
    if (outcome === 'accepted' || outcome === 'duplicate') tally[outcome] += 1;
    else {
      tally.rejected += 1;
      const { code, detail } = objectOf(rejection);
      context.terminal.err(`${printable(id)}: ${printable(String(code))}: ${printable(String(detail))}\n`);
    }
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'DEAD_LETTER_NOT_OPEN') throw error;
    tally.settled += 1;
  }
}

async function replayOne(id: string, options: ReplayOptions, context: CliContext): Promise<void> {
  const answer = await context.api.json(`/dead-letters/${segment(id)}/replay`, post({ reason: options.reason }));
  context.print(answer, describe);
  if (objectOf(answer)['outcome'] === 'rejected') throw new CommandFailed('it was rejected again and stays open');
}

async function replayAll(options: ReplayOptions, context: CliContext): Promise<void> {
  const body = { ...filterOf(options), limit: options.limit, reason: options.reason };
  context.print(await context.api.json('/dead-letters/replay', post(body)), renderCounts);
}

function renderCounts(counts: JsonObject): string {
  const { rejected_by_code: byCode, ...others } = counts;
  const codes = isObject(byCode) ? Object.entries(byCode).map(([code, count]) => [`  ${code}`, count] as const) : [];
  return renderFacts([
    ...Object.entries(others).map(([name, count]) => [name.replaceAll('_', ' '), count] as const),
    ...codes,
  ]);
}
