/** Re-ratings: ask for one, look at it, decide about it. */
import type { Command } from 'commander';
import { isObject, newIdempotencyKey } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { column, groupText, property, renderFacts, renderTable } from '../output.js';
import { collected, instantOrDay, mentionNextPage, pagingQuery, wholeNumber, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { CommandFailed } from '../terminal.js';
import { versionOf } from '../version-name.js';

interface CreateOptions {
  readonly reason: string;
  readonly customer?: readonly string[];
  readonly meter?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly priceBook?: string;
  readonly dryRun?: boolean;
  /** Seconds; true: the default. */
  readonly wait?: number | true;
}

interface ListOptions extends PagingOptions {
  readonly customer?: string;
  readonly status?: string;
  readonly reason?: string;
}

const endStatuses = new Set(['completed', 'no_difference', 'rejected']);
/** Where waiting ends: what comes next is a person's. */
const restStatuses = new Set([...endStatuses, 'awaiting_approval']);
const waitSeconds = 60;

export function addReRatingCommands(program: Command, dependencies: CliDependencies): void {
  program
    .command('re-rate')
    .description('rate invoiced periods again, and correct what differs')
    .requiredOption(
      '--reason <reason>',
      'late_usage, usage_correction, price_correction, rating_defect, dispute or manual',
    )
    .option('--customer <id>', 'only of this customer; may be repeated', collected)
    .option('--meter <code>', 'only lines of this meter; may be repeated', collected)
    .option('--from <instant>', 'only periods that end after this instant (or day, or month, of UTC)', instantOrDay)
    .option('--to <instant>', 'only periods that begin before this instant (or day, or month, of UTC)', instantOrDay)
    .option('--price-book <code@version>', 'price by this version of a price book')
    .option('--dry-run', 'only compare')
    .option('--wait [seconds]', `wait for the outcome, ${waitSeconds} seconds unless said otherwise`, wholeNumber)
    .action(async (options: CreateOptions, command: Command) => reRate(options, contextOf(command, dependencies)));
  const reRatings = program.command('re-ratings').description('look at re-ratings, and decide about them');
  withPaging(reRatings.command('list', { isDefault: true }).description('re-ratings, the newest first'))
    .option('--customer <id>', 'only of this customer')
    .option('--status <status>', 'such as awaiting_approval')
    .option('--reason <reason>', 'such as late_usage')
    .action(async (options: ListOptions, command: Command) => list(options, contextOf(command, dependencies)));
  reRatings
    .command('show')
    .description('a re-rating with its differences')
    .argument('<id>', 're-rating id')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/re-ratings/${segment(id)}`), describe);
    });
  addDecisions(reRatings, dependencies);
}

function addDecisions(reRatings: Command, dependencies: CliDependencies): void {
  const decisions = [
    ['approve', 'let the corrections be issued; not for whoever asked for it'],
    ['reject', 'issue nothing'],
  ] as const;
  for (const [name, description] of decisions) {
    reRatings
      .command(name)
      .description(description)
      .argument('<id>', 're-rating id')
      .option('--reason <text>', 'why; kept with the decision')
      .action(async (id: string, { reason }: { readonly reason?: string }, command: Command) => {
        const context = contextOf(command, dependencies);
        const body = JSON.stringify(reason === undefined ? {} : { reason });
        const request = { method: 'POST', body, idempotencyKey: newIdempotencyKey() } as const;
        context.print(await context.api.json(`/re-ratings/${segment(id)}/${name}`, request), describe);
      });
  }
}

async function reRate(options: CreateOptions, context: CliContext): Promise<void> {
  const { reason, customer, meter, from, to, priceBook, dryRun = false, wait } = options;
  const scope = {
    ...(customer === undefined ? {} : { customer_ids: customer }),
    ...(meter === undefined ? {} : { meters: meter }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
  const named = priceBook === undefined ? {} : { price_book: versionOf(priceBook) };
  const body = JSON.stringify({ reason, scope, ...named, dry_run: dryRun });
  const request = { method: 'POST', body, idempotencyKey: newIdempotencyKey() } as const;
  let answer = await context.api.json('/re-ratings', request);
  if (wait !== undefined) answer = await settled(answer, wait === true ? waitSeconds : wait, context);
  context.print(answer, describe);
  const status = statusOf(answer);
  if (wait !== undefined && !restStatuses.has(status)) {
    throw new CommandFailed(
      `still ${status}; see \`reckoner re-ratings show ${String(property('re_rating_id')(objectOf(answer)))}\``,
    );
  }
  if (listIn(answer, 'held').length > 0) throw new CommandFailed('periods are held: see `reckoner findings`');
}

async function settled(first: unknown, seconds: number, context: CliContext): Promise<unknown> {
  const deadline = context.clock() + seconds * 1_000;
  const path = `/re-ratings/${segment(String(objectOf(first)['re_rating_id']))}`;
  let answer = first;
  while (!restStatuses.has(statusOf(answer)) && context.clock() < deadline) {
    await context.sleep(500);
    answer = await context.api.json(path);
  }
  return answer;
}

async function list(options: ListOptions, context: CliContext): Promise<void> {
  const { customer, status, reason } = options;
  const query = { customer_id: customer, status, reason, ...pagingQuery(options) };
  const answer = await context.api.json('/re-ratings', { query });
  const columns = [
    column('Requested', 'requested_at'),
    column('By', 'requested_by'),
    column('Reason', 'reason'),
    column('Periods', 'periods', 'right'),
    column('Dry run', 'dry_run'),
    column('Status', 'status'),
    column('Re-rating id', 're_rating_id'),
  ];
  context.print(answer, () => renderTable(columns, rowsOf(answer)));
  mentionNextPage(context, answer);
}

function describe(reRating: JsonObject): string {
  const differences = listIn(reRating, 'differences');
  const held = listIn(reRating, 'held');
  const decisions = listIn(reRating, 'decisions');
  const corrections = reRating['corrections'];
  const priceBook = reRating['price_book'];
  const facts = renderFacts([
    ['Re-rating', reRating['re_rating_id']],
    ['Status', `${String(reRating['status'])}${reRating['dry_run'] === true ? ' (dry run: nothing is issued)' : ''}`],
    ['Reason', reRating['reason']],
    ['Requested', `${String(reRating['requested_at'])} by ${String(reRating['requested_by'])}`],
    ...(isObject(priceBook)
      ? [['Price book', `${String(priceBook['code'])} ${String(priceBook['version'])}`] as const]
      : []),
    ['Periods', reRating['periods']],
    ['Attempt', reRating['attempt']],
    ...decisions.map((each) => ['Decision', decisionText(each)] as const),
    ...(Array.isArray(corrections) ? corrections.map((id) => ['Correction', id] as const) : []),
  ]);
  return [facts, differenceTable(differences), heldTable(held), truncatedNote(reRating)]
    .filter((part) => part !== '')
    .join('\n');
}

function decisionText(decision: JsonObject): string {
  const reason = decision['reason'];
  const why = reason === null || reason === undefined ? '' : `: ${String(reason)}`;
  return `${String(decision['decision'])} by ${String(decision['decided_by'])}, attempt ${String(decision['attempt'])}${why}`;
}

function differenceTable(differences: readonly JsonObject[]): string {
  if (differences.length === 0) return '';
  return renderTable(
    [
      column('Customer', 'customer_id'),
      column('Period', 'period'),
      column('Meter', 'meter'),
      { header: 'Group', value: (row) => groupText(row['group']) },
      column('Original', 'original_amount', 'right'),
      column('Corrected', 'corrected_amount', 'right'),
      column('Difference', 'difference', 'right'),
      column('', 'currency'),
    ],
    differences,
  );
}

function heldTable(held: readonly JsonObject[]): string {
  if (held.length === 0) return '';
  return renderTable([column('Held', 'customer_id'), column('Period', 'period'), column('Why', 'detail')], held);
}

function truncatedNote(reRating: JsonObject): string {
  return reRating['differences_truncated'] === true ? 'There are more differences than are shown here.\n' : '';
}

const objectOf = (answer: unknown): JsonObject => (isObject(answer) ? answer : {});
const statusOf = (answer: unknown): string => String(objectOf(answer)['status'] ?? '');

function listIn(answer: unknown, name: string): readonly JsonObject[] {
  const value = objectOf(answer)[name];
  return Array.isArray(value) ? value.filter(isObject) : [];
}
