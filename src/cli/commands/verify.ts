/** Verify: an invoice computed again from raw events. */
import type { Command } from 'commander';
import { decimal, isDecimal } from '../../domain/decimal.js';
import { objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliDependencies } from '../context.js';
import { column, groupText, lineName, property, renderFacts, renderTable } from '../output.js';
import { CommandFailed } from '../terminal.js';

export function addVerifyCommand(program: Command, dependencies: CliDependencies): void {
  program
    .command('verify')
    .description('compute an invoice again from raw events, line by line; exit code 1 when it differs')
    .argument('<invoice>', 'invoice id or number')
    .action(async (invoice: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      const answer = await context.api.json(`/invoices/${segment(invoice)}/verify`);
      context.print(answer, describe);
      if (objectOf(answer)['verified'] !== true) throw new CommandFailed('the invoice is not what it must be');
    });
}

function describe(verification: JsonObject): string {
  const read = (path: string): unknown => property(path)(verification);
  const charges = rowsOf(verification['charges']);
  const wrong = charges.filter(({ verified }) => verified !== true);
  const problems = read('problems');
  const journalDifferences = rowsOf(read('journal.differences'));
  return [
    renderFacts([
      ['Invoice', `${String(read('number'))} (${String(read('type'))}, ${String(read('status'))})`],
      [
        'Period',
        `${String(read('customer_id'))}, ${String(read('period'))}, facts through position ${String(read('cutoff_position'))}`,
      ],
      ['Verified', read('verified') === true ? 'yes' : 'NO'],
    ]),
    lineTable(verification),
    renderFacts([
      ['Charges', `${charges.length - wrong.length} of ${charges.length} as computed from the events`],
      ['Document hash', read('document_hash.verified') === true ? 'as computed' : 'DIFFERS'],
      ['Journal', read('journal.verified') === true ? 'as the lines' : 'DIFFERS'],
      ...journalDifferences.map(({ detail }) => ['Journal', detail] as const),
      ...(Array.isArray(problems) ? problems.map((problem) => ['Problem', problem] as const) : []),
    ]),
    chargeTable(wrong),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function lineTable(verification: JsonObject): string {
  const sum = (name: string, label: string): JsonObject => ({ description: label, ...objectOf(verification[name]) });
  const isNothing = (amount: unknown): boolean => isDecimal(amount) && decimal(amount).isZero();
  const { expected, found } = sum('credits', '');
  const credits = isNothing(expected) && isNothing(found) ? [] : [sum('credits', 'Credits drawn')];
  const tax = sum('tax', 'Tax');
  const taxes = isNothing(tax.expected) && isNothing(tax.found) ? [] : [tax];
  return renderTable(
    [
      { header: 'Line', value: lineName },
      { header: 'Group', value: ({ group }) => groupText(group) },
      column('Quantity', 'found_quantity', 'right'),
      column('Expected', 'expected', 'right'),
      column('Found', 'found', 'right'),
      column('Difference', 'difference', 'right'),
    ],
    [...rowsOf(verification['lines']), ...credits, ...taxes, sum('total', 'Total')],
  );
}

/** Charges that are not what the events make them. */
function chargeTable(charges: readonly JsonObject[]): string {
  if (charges.length === 0) return '';
  const figures = (side: string) => ({
    header: side.charAt(0).toUpperCase() + side.slice(1),
    value: (charge: JsonObject) =>
      ['event_count', 'quantity', 'amount', 'digest']
        .map((name) => String(property(`${side}.${name}`)(charge)))
        .join(' / '),
    align: 'right' as const,
  });
  return renderTable(
    [
      { header: 'Charge', value: ({ charge_id: id, meter }) => id ?? `none for ${String(meter)}` },
      figures('expected'),
      figures('found'),
    ],
    charges,
  );
}
