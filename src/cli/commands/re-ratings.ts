/** Re-ratings: ask for one, look at it, decide about it. */
import type { Command } from 'commander';
import { hasEnded } from '../../domain/correction/reasons.js';
import type { ReRatingStatus } from '../../domain/correction/reasons.js';
import { isObject, objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { addDecisionCommands, post } from '../keyed.js';
import { column, groupText, printable, renderFacts, renderTable } from '../output.js';
import { collected, instantOrDay, pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { CommandFailed } from '../terminal.js';
import { versionOf } from '../version-name.js';
import { goesOn, secondsOf, until, withWait } from '../waiting.js';
import type { Wait } from '../waiting.js';

interface CreateOptions {
  readonly reason: string;
  readonly customer?: readonly string[];
  readonly meter?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly priceBook?: string;
  readonly dryRun?: boolean;
  readonly wait?: Wait;
}

interface ListOptions extends PagingOptions {
  readonly customer?: string;
  readonly status?: string;
  readonly reason?: string;
}

export function addReRatingCommands(program: Command, dependencies: CliDependencies): void {
  const reRateCommand = program
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
    .option('--dry-run', 'only compare');
  withWait(reRateCommand, 'the outcome').action(async (options: CreateOptions, command: Command) =>
    reRate(options, contextOf(command, dependencies)),
  );
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
  const decisions = [
    ['approve', 'let the corrections be issued; not for whoever asked for it'],
    ['reject', 'issue nothing'],
  ] as const;
  addDecisionCommands(reRatings, decisions, { thing: 're-rating', path: '/re-ratings', describe }, dependencies);
}

async function reRate(options: CreateOptions, context: CliContext): Promise<void> {
  const { reason, customer, meter, from, to, priceBook, dryRun = false, wait } = options;
  const scope = { customer_ids: customer, meters: meter, from, to };
  const named = priceBook === undefined ? undefined : versionOf(priceBook);
  const request = post({ reason, scope, price_book: named, dry_run: dryRun });
  let reRating = objectOf(await context.api.json('/re-ratings', request));
  const path = `/re-ratings/${segment(String(reRating['re_rating_id']))}`;
  if (wait !== undefined) {
    const look = async (): Promise<JsonObject> => objectOf(await context.api.json(path));
    reRating = await until(context, look, { seconds: secondsOf(wait), isDone: isAtRest, first: reRating });
  }
  context.print(reRating, describe);
  if (wait !== undefined && !isAtRest(reRating)) {
    const { status, re_rating_id: id } = reRating;
    throw new CommandFailed(`still ${String(status)}; see \`reckoner re-ratings show ${String(id)}\``);
  }
  if (rowsOf(reRating['held']).length > 0) throw new CommandFailed('periods are held: see `reckoner findings`');
}

/** Where waiting ends: what comes next, if anything, is a person's. */
const isAtRest = ({ status }: JsonObject): boolean =>
  status === 'awaiting_approval' || hasEnded(status as ReRatingStatus);

async function list(options: ListOptions, context: CliContext): Promise<void> {
  const { customer, status, reason } = options;
  const query = { customer_id: customer, status, reason, ...pagingQuery(options) };
  const columns = [
    column('Requested', 'requested_at'),
    column('By', 'requested_by'),
    column('Reason', 'reason'),
    column('Periods', 'periods', 'right'),
    column('Dry run', 'dry_run'),
    column('Status', 'status'),
    column('Re-rating id', 're_rating_id'),
  ];
  await printList('/re-ratings', { query, columns, empty: 'There are no such re-ratings.' }, context);
}

function describe(reRating: JsonObject): string {
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
    ...rowsOf(reRating['decisions']).map((each) => ['Decision', decisionText(each)] as const),
    ...correctionsOf(reRating).map((id) => ['Correction', id] as const),
  ]);
  return [
    facts,
    differenceTable(rowsOf(reRating['differences'])),
    heldTable(rowsOf(reRating['held'])),
    truncatedNote(reRating),
    nextStep(reRating),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

const correctionsOf = ({ corrections }: JsonObject): readonly unknown[] =>
  Array.isArray(corrections) ? corrections : [];

/** What comes now, and whose it is to do. */
function nextStep(reRating: JsonObject): string {
  const { re_rating_id: id, requested_by: by, status } = reRating;
  if (status === 'awaiting_approval')
    return `Waits for somebody other than ${printable(by)}: reckoner re-ratings approve|reject ${printable(id)}\n`;
  if (!hasEnded(status as ReRatingStatus)) return goesOn(`reckoner re-ratings show ${printable(id)}`);
  if (status === 'no_difference') return 'Nothing differs, nothing is issued\n';
  const corrections = correctionsOf(reRating);
  if (corrections.length === 0) return 'Nothing was issued\n';
  return corrections.map((each) => `See the correction: reckoner invoices show ${printable(each)}\n`).join('');
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
