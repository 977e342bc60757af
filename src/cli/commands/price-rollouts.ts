/** Rollouts of a price: to named customers, then a percentage, then all. */
import type { Command } from 'commander';
import { isObject, objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, printable, renderFacts, renderTable } from '../output.js';
import type { TableColumn } from '../output.js';
import { collected, instantOrDay, pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { CommandFailed, UsageError } from '../terminal.js';
import { versionOf } from '../version-name.js';
import { isFinished, secondsOf, startedText, until, withWait } from '../waiting.js';
import type { Wait } from '../waiting.js';

interface DecisionOptions {
  readonly reason: string;
  readonly from?: string;
}
interface WidenOptions extends DecisionOptions {
  readonly canary?: readonly string[];
  readonly percentage?: string;
  readonly all?: boolean;
  readonly override?: boolean;
}
interface StartOptions extends DecisionOptions {
  readonly canary: readonly string[];
}

interface CompareOptions {
  readonly from?: string;
  readonly to?: string;
  readonly wait?: Wait;
}

export function addRolloutCommands(prices: Command, dependencies: CliDependencies): void {
  const rollout = prices.command('rollout').description('give a price to some customers first');
  const decision = (command: Command): Command =>
    command
      .requiredOption('--reason <text>', 'why; it is kept')
      .option('--from <time>', 'a full hour of UTC, or a local date; the next full hour unless said otherwise');

  decision(rollout.command('start'))
    .description('begin with named customers; the version was created with "rollout": true')
    .argument('<code@version>', 'the candidate')
    .requiredOption('--canary <customer>', 'who has it first; may be repeated', collected)
    .action(async (name: string, options: StartOptions, command: Command) => {
      const body = { price_book: versionOf(name), customers: options.canary, ...decided(options) };
      await send(contextOf(command, dependencies), '/price-rollouts', body);
    });
  withPaging(rollout.command('list').description('rollouts, the newest first')).action(
    async (options: PagingOptions, command: Command) => list(options, contextOf(command, dependencies)),
  );
  rollout
    .command('status')
    .description('its stages, how many it includes, and what they would pay under both versions')
    .argument('<id>', 'rollout id')
    .option('--customer <id>', 'whether this customer has the candidate, since when and why')
    .action(async (id: string, options: { readonly customer?: string }, command: Command) => {
      const context = contextOf(command, dependencies);
      const path = `/price-rollouts/${segment(id)}`;
      if (options.customer === undefined) context.print(await context.api.json(path), describe);
      else context.print(await context.api.json(`${path}/customers/${segment(options.customer)}`), describeMember);
    });
  const compareCommand = rollout
    .command('compare')
    .description('what those who are in would have paid under the candidate, and without it')
    .argument('<id>', 'rollout id')
    .option('--from <instant>', 'only periods that end after this instant (or day, or month, of UTC)', instantOrDay)
    .option('--to <instant>', 'only periods that begin before this instant (or day, or month, of UTC)', instantOrDay);
  withWait(compareCommand, 'the comparison').action(async (id: string, options: CompareOptions, command: Command) =>
    compare(id, options, contextOf(command, dependencies)),
  );
  decision(rollout.command('widen'))
    .description('include more customers; a percentage, and all, after a comparison')
    .argument('<id>', 'rollout id')
    .option('--canary <customer>', 'one more by name; may be repeated', collected)
    .option('--percentage <number>', 'so many per cent of all customers, the same ones for ever')
    .option('--all', 'everybody')
    .option('--override', 'without a comparison; it is kept')
    .action(async (id: string, options: WidenOptions, command: Command) => {
      const path = `/price-rollouts/${segment(id)}/stages`;
      await send(contextOf(command, dependencies), path, { ...wider(options), ...decided(options) });
    });
  const stops = [
    ['halt', 'include nobody new; who is in stays in'],
    ['resume', 'go on after a halt'],
    ['rollback', 'end it for everybody: the version before holds again, and what is issued stays'],
  ] as const;
  for (const [name, description] of stops) {
    decision(rollout.command(name))
      .description(description)
      .argument('<id>', 'rollout id')
      .action(async (id: string, options: DecisionOptions, command: Command) => {
        const path = `/price-rollouts/${segment(id)}/${name}`;
        await send(contextOf(command, dependencies), path, decided(options));
      });
  }
}

async function compare(id: string, { wait, ...span }: CompareOptions, context: CliContext): Promise<void> {
  const path = `/price-rollouts/${segment(id)}`;
  const asked = objectOf(await context.api.json(`${path}/comparison`, post(span)));
  const evaluation = String(asked['evaluation_id']);
  const command = `reckoner prices rollout status ${printable(id)}`;
  if (wait === undefined) {
    context.print(asked, ({ status }) => startedText('Comparison', { id: evaluation, status }, command));
    return;
  }
  const seconds = secondsOf(wait);
  const look = async (): Promise<JsonObject> =>
    objectOf(await context.api.json(`/price-book-evaluations/${segment(evaluation)}`));
  const run = await until(context, look, { seconds, isDone: isFinished });
  context.print(await context.api.json(path), describe);
  if (!isFinished(run)) throw new CommandFailed(`still running after ${seconds} s; see \`${command}\``);
}

const decided = ({ reason, from }: DecisionOptions): object => ({ reason, effective_from: from });

function wider({ canary, percentage, all = false, override = false }: WidenOptions): object {
  const given = [canary !== undefined, percentage !== undefined, all].filter((each) => each);
  if (given.length !== 1) throw new UsageError('give exactly one of --canary, --percentage and --all');
  const stage =
    canary !== undefined
      ? { kind: 'canary', customers: canary }
      : percentage !== undefined
        ? { kind: 'percentage', percentage }
        : { kind: 'all' };
  return { ...stage, ...(override && { override }) };
}

async function send(context: CliContext, path: string, body: object): Promise<void> {
  context.print(await context.api.json(path, post(body)), describe);
}

function describe(rollout: JsonObject): string {
  const facts = renderFacts([
    ['Rollout', rollout['rollout_id']],
    ['Price book', versionText(rollout)],
    ['State', rollout['state']],
    ['Members', `${String(rollout['members'])} of ${String(rollout['customers'])} customers`],
  ]);
  return [facts, renderTable(stageColumns, rowsOf(rollout['stages'])), comparisonOf(rollout), offerOf(rollout)]
    .filter((part) => part !== '')
    .join('\n');
}

const stageColumns: readonly TableColumn[] = [
  column('Stage', 'sequence', 'right'),
  column('Kind', 'kind'),
  column('From', 'effective_from'),
  { header: 'Who', value: whoOf },
  {
    header: 'Rests on',
    value: ({ evaluation_id: id, override }) => (override === true ? 'nothing (override)' : (id ?? '')),
  },
  column('By', 'decided_by'),
  column('Why', 'reason'),
];

function whoOf({ percentage, customers }: JsonObject): string {
  if (typeof percentage === 'string') return `${percentage} %`;
  return Array.isArray(customers) ? customers.join(', ') : '';
}

/** Both amounts, side by side, before anybody widens it. */
function comparisonOf({ comparison }: JsonObject): string {
  if (!isObject(comparison)) return '';
  const columns: readonly TableColumn[] = [
    column('', 'currency'),
    column('Members', 'customers', 'right'),
    column('Do not compare', 'not_comparable', 'right'),
    column('Without it', 'current', 'right'),
    column('Under it', 'evaluated', 'right'),
    column('Pay less', 'winners', 'right'),
    column('Pay more', 'losers', 'right'),
    column('The same', 'unchanged', 'right'),
  ];
  const facts = renderFacts([
    ['Comparison', `${String(comparison['evaluation_id'])} (${String(comparison['status'])})`],
  ]);
  return `${facts}${renderTable(columns, rowsOf(comparison['totals']))}`;
}

/** Nothing is re-rated by itself; the bodies are there with --json. */
function offerOf({ re_rating_offer: offer }: JsonObject): string {
  if (!isObject(offer) || offer['periods'] === 0) return '';
  const bodies = rowsOf(offer['re_ratings']).map((body) => `${JSON.stringify(body)}\n`);
  return `Issued under it: ${String(offer['periods'])} periods. To take them back, POST /re-ratings:\n${bodies.join('')}`;
}

function describeMember(member: JsonObject): string {
  return renderFacts([
    ['Customer', member['customer_id']],
    ['Has the candidate', member['included'] === true ? 'yes' : 'no'],
    ['Version', member['version'] ?? '–'],
    ['Why', member['reason'] === 'DEFAULT' ? 'not included' : member['reason']],
    ['Since', member['since'] ?? '–'],
    ['Until', member['until'] ?? '–'],
    ['Stage', member['stage'] ?? '–'],
    ['Bucket', member['bucket']],
  ]);
}

async function list(options: PagingOptions, context: CliContext): Promise<void> {
  const columns: readonly TableColumn[] = [
    column('Started', 'started_at'),
    column('By', 'started_by'),
    { header: 'Price book', value: versionText },
    column('State', 'state'),
    column('Rollout id', 'rollout_id'),
  ];
  const query = pagingQuery(options);
  await printList('/price-rollouts', { query, columns, empty: 'There are no such rollouts.' }, context);
}

function versionText({ price_book: priceBook }: JsonObject): string {
  const { code, version } = objectOf(priceBook);
  return `${String(code)} ${String(version)}`;
}
