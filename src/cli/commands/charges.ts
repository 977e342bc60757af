import type { Command } from 'commander';
import { isObject } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliDependencies } from '../context.js';
import { column, property, renderFacts, renderTable } from '../output.js';
import { pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';

export function addChargeCommands(program: Command, dependencies: CliDependencies): void {
  const charges = program
    .command('charges')
    .description('a charge in figures (explain: in words), and its source events');
  charges
    .command('show')
    .description('how a charge was computed, and from what')
    .argument('<id>', 'charge id')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/charges/${segment(id)}`), explainCharge);
    });
  withPaging(charges.command('events').description('the events that a charge was rated on'))
    .argument('<id>', 'charge id')
    .option('--before', 'of a level: the events before the period that made what it began with')
    .action(async (id: string, options: PagingOptions & { readonly before?: boolean }, command: Command) => {
      const list = options.before === true ? 'opening-events' : 'events';
      const columns = [
        column('Event time', 'event_time'),
        column('Event', 'event_id'),
        column('Source', 'source'),
        column('Type', 'event_type'),
        column('Stands for', 'stands_for', 'right'),
        column('Value', 'value', 'right'),
      ];
      const shape = { query: pagingQuery(options), columns, empty: 'There are no such events.' };
      await printList(`/charges/${segment(id)}/${list}`, shape, contextOf(command, dependencies));
    });
}

function explainCharge(charge: JsonObject): string {
  const read = (path: string): unknown => property(`calculation.${path}`)(charge);
  const superseded = charge['supersedes_charge_id'];
  const revision = String(charge['revision'] ?? 1);
  const facts = renderFacts([
    ['Charge', charge['charge_id']],
    [
      'Revision',
      superseded === null || superseded === undefined ? revision : `${revision}, supersedes ${String(superseded)}`,
    ],
    [
      'Amount',
      `${String(charge['amount'])} ${String(charge['currency'])} (not rounded: that happens at the invoice line)`,
    ],
    ['Formula', `${String(read('formula'))} = ${String(charge['amount'])}`],
    ...conversion(read('conversion')),
    ...conversion(read('commitment.converted'), 'Commitment'),
    ['Quantity', read('quantity')],
    [
      'Price',
      `${String(read('price_book'))} ${String(read('price_book_version'))}, in force from ${String(read('effective_date'))}`,
    ],
    ['Events', `${sourceEvents(read)}, digest ${String(read('source_events.digest') ?? '')}`],
    ['See', read('source_events.href')],
    ...opening(read('opening_level')),
  ]);
  return [facts, tierTable(rowsOf(read('tiers'))), windowTable(rowsOf(read('windows')))]
    .filter((part) => part !== '')
    .join('\n');
}

/** Of prices in another currency: what the amount is on the invoice, and why. */
function conversion(applied: unknown, what = 'Converted'): readonly (readonly [string, unknown])[] {
  if (!isObject(applied)) return [];
  const { from, to, rate, rate_date: date, source, price, inputs } = applied;
  // Of a commitment it is its own amount that is converted, of any other charge the charge's.
  const amount =
    price === undefined ? `${String(applied['amount'])} ${String(to)}` : `${String(price)} ${String(from)}`;
  const published = rowsOf(inputs).map(
    ({ base, quote, rate: own }) => `1 ${String(base)} = ${String(own)} ${String(quote)}`,
  );
  return [
    [what, `${amount}, at ${String(rate)} ${String(to)} for 1 ${String(from)}`],
    ['Exchange rate', `${published.join(', ')}, published on ${String(date)} (${String(source)})`],
  ];
}

/** Of a level: what was carried into the period. */
function opening(level: unknown): readonly (readonly [string, unknown])[] {
  if (!isObject(level)) return [];
  const { level: began, event_count: count, digest, href } = level;
  return [
    ['Opening level', `${String(began)}, from ${String(count)} events before the period, digest ${String(digest)}`],
    ['See', href],
  ];
}

/** Events that stand for many say for how many. */
function sourceEvents(read: (path: string) => unknown): string {
  const count = String(read('source_events.count') ?? '');
  const many = read('source_events.stands_for');
  return typeof many === 'string' && many !== count ? `${count}, standing for ${many}` : count;
}

function tierTable(tiers: readonly JsonObject[]): string {
  if (tiers.length === 0) return '';
  return renderTable(
    [
      { header: 'Tier up to', value: (tier) => tier['up_to'] ?? 'no limit', align: 'right' },
      column('Quantity', 'quantity', 'right'),
      column('Unit price', 'unit_price', 'right'),
      column('Flat fee', 'flat_fee', 'right'),
      column('Amount', 'amount', 'right'),
    ],
    tiers,
  );
}

function windowTable(windows: readonly JsonObject[]): string {
  if (windows.length === 0) return '';
  return renderTable(
    [
      column('Window from', 'window_start'),
      column('to', 'window_end'),
      column('Revision', 'revision', 'right'),
      column('Quantity', 'quantity', 'right'),
      column('Events', 'event_count', 'right'),
      column('Digest', 'digest'),
    ],
    windows,
  );
}
