/** The journal: balances, months, snapshots, account mappings, export. */
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { isObject } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, messageOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, property, renderFacts, renderTable } from '../output.js';
import type { TableColumn } from '../output.js';
import { customerQuery, instantOrDay, pagingQuery, withPaging } from '../paging.js';
import type { CustomerListOptions, PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { CommandFailed, UsageError } from '../terminal.js';

interface MomentOptions {
  readonly at?: string;
  readonly postedThrough?: string;
  readonly throughEntry?: string;
}

const help = `
The books now, or at a moment of the past: --at an instant of the clock, --posted-through an accounting day, or
--through-entry a place in the journal.

  reckoner ledger trial-balance --posted-through 2024-01-31
  reckoner ledger close 2024-01 --dry-run
  reckoner ledger close 2024-01 --reason "month end"
  reckoner ledger export --month 2024-01 --mapping datev --output january.csv
  reckoner ledger check && echo fine`;

export function addLedgerCommands(program: Command, dependencies: CliDependencies): void {
  const ledger = program.command('ledger').description('the journal and its books').addHelpText('after', help);
  addReadingCommands(ledger, dependencies);
  addProvingCommands(ledger, dependencies);
  addMonthCommands(ledger, dependencies);
  addExportCommands(ledger, dependencies);
}

function withMoment(command: Command): Command {
  return command
    .option('--at <instant>', 'what was posted by this instant (or day, or month, of UTC)', instantOrDay)
    .option('--posted-through <day>', 'what has a posting date up to this day')
    .option('--through-entry <number>', 'what is in the journal up to this entry');
}

const momentQuery = ({ at, postedThrough, throughEntry }: MomentOptions): Record<string, string | undefined> => ({
  at,
  posted_through: postedThrough,
  through_entry: throughEntry,
});

const sumColumns: readonly TableColumn[] = [
  column('Account', 'account'),
  column('', 'currency'),
  column('Debit', 'debit', 'right'),
  column('Credit', 'credit', 'right'),
  column('Balance', 'balance', 'right'),
];

function addReadingCommands(ledger: Command, dependencies: CliDependencies): void {
  withMoment(ledger.command('accounts').description('accounts with their balances')).action(
    async (options: MomentOptions, command: Command) => {
      const shape = { query: momentQuery(options), columns: accountColumns, empty: nothingPosted };
      await printList('/ledger/accounts', shape, contextOf(command, dependencies));
    },
  );
  withMoment(
    ledger.command('trial-balance').description('debit, credit and balance by account; it sums to zero'),
  ).action(async (options: MomentOptions, command: Command) => {
    const shape = { query: momentQuery(options), columns: sumColumns, empty: nothingPosted };
    await printList('/ledger/trial-balance', shape, contextOf(command, dependencies));
  });
  withPaging(withMoment(ledger.command('balances').description('balances by customer and account')))
    .option('--customer <id>', 'only of this customer')
    .option('--account <name>', 'only of this account')
    .action(
      async (
        options: MomentOptions & PagingOptions & { readonly customer?: string; readonly account?: string },
        command: Command,
      ) => {
        const { customer, account } = options;
        const query = { customer_id: customer, account, ...momentQuery(options), ...pagingQuery(options) };
        const columns = [column('Customer', 'customer_id'), ...sumColumns, column('Version', 'version', 'right')];
        const shape = { query, columns, empty: 'There are no such balances.' };
        await printList('/ledger/balances', shape, contextOf(command, dependencies));
      },
    );
  withPaging(ledger.command('entries').description('journal entries in the order of posting; debits are positive'))
    .option('--customer <id>', 'only of this customer')
    .option('--invoice <invoice>', 'only of this invoice (id or number)')
    .action(async (options: CustomerListOptions, command: Command) => {
      const rows = (entries: readonly JsonObject[]): readonly JsonObject[] => entries.flatMap(postingRows);
      const shape = { query: customerQuery(options), columns: entryColumns, rows, empty: 'There are no such entries.' };
      await printList('/ledger/entries', shape, contextOf(command, dependencies));
    });
}

const nothingPosted = 'Nothing was posted by then.';

const accountColumns: readonly TableColumn[] = [
  column('Account', 'account'),
  column('Name', 'name'),
  column('Kind', 'kind'),
  {
    header: 'Balance',
    align: 'right',
    value: (row) =>
      rowsOf(row['balances'])
        .map(({ amount, currency }) => `${String(amount)} ${String(currency)}`)
        .join(', '),
  },
];

const entryColumns: readonly TableColumn[] = [
  column('Entry', 'entry_order', 'right'),
  column('Posted', 'posting_date'),
  column('Customer', 'customer_id'),
  column('Description', 'description'),
  column('Account', 'account'),
  column('Product', 'product'),
  column('Amount', 'amount', 'right'),
  column('', 'currency'),
];

/** A row a posting; what they have in common stands on the first. */
function postingRows(entry: JsonObject): readonly JsonObject[] {
  return rowsOf(entry['postings']).map((posting, index) => (index === 0 ? { ...entry, ...posting } : posting));
}

const differenceColumns: readonly TableColumn[] = [
  column('Model', 'model'),
  column('Customer', 'customer_id'),
  column('Account', 'account'),
  column('', 'currency'),
  { header: 'Expected', value: sidesOf('expected'), align: 'right' },
  { header: 'Found', value: sidesOf('found'), align: 'right' },
];

function sidesOf(name: string): (row: JsonObject) => string {
  return (row) => `${String(property(`${name}.debit`)(row))} / ${String(property(`${name}.credit`)(row))}`;
}

function addProvingCommands(ledger: Command, dependencies: CliDependencies): void {
  ledger
    .command('check')
    .description('hold balances and snapshots against the journal; exit code 1 when they differ')
    .option('--customer <id>', 'only the balances of this customer')
    .action(async ({ customer }: { readonly customer?: string }, command: Command) => {
      const context = contextOf(command, dependencies);
      const answer = await context.api.json('/ledger/check', { query: { customer_id: customer } });
      const rows = rowsOf(answer);
      context.print(answer, () =>
        rows.length === 0 ? 'The books agree with the journal.\n' : renderTable(differenceColumns, rows),
      );
      if (rows.length > 0)
        throw new CommandFailed(`${rows.length} differ from the journal; \`reckoner ledger rebuild\` mends balances`);
    });
  ledger
    .command('rebuild')
    .description('make the balances again from the journal, while others go on posting')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      const answer = await context.api.json('/ledger/rebuild', post({}));
      context.print(answer, (rebuilt) => {
        const corrected = rowsOf(rebuilt['corrected']);
        const facts = renderFacts([
          ['Customers', rebuilt['customers']],
          ['Corrected', corrected.length],
          ['Unresolved', rowsOf(rebuilt['unresolved']).length],
        ]);
        return corrected.length === 0 ? facts : `${facts}${renderTable(differenceColumns, corrected)}`;
      });
    });
  ledger
    .command('snapshot')
    .description('keep what every account comes to now')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json('/ledger/snapshots', post({})), (snapshot) =>
        renderFacts([
          ['Snapshot', snapshot['snapshot_id']],
          ['Through entry', snapshot['through_entry']],
          ['Taken', `${String(snapshot['taken_at'])} by ${String(snapshot['taken_by'])}`],
        ]),
      );
    });
  withPaging(ledger.command('snapshots').description('snapshots, the newest first')).action(
    async (options: PagingOptions, command: Command) => {
      const columns = [
        column('Taken', 'taken_at'),
        column('By', 'taken_by'),
        column('Posted through', 'posted_through'),
        column('Through entry', 'through_entry', 'right'),
        column('Snapshot', 'snapshot_id'),
      ];
      const shape = { query: pagingQuery(options), columns, empty: 'There are no such snapshots.' };
      await printList('/ledger/snapshots', shape, contextOf(command, dependencies));
    },
  );
}

const monthColumns: readonly TableColumn[] = [
  column('Month', 'month'),
  column('Closed', 'closed_at'),
  column('By', 'closed_by'),
  column('Through entry', 'through_entry', 'right'),
  column('Reason', 'reason'),
];

interface CloseOptions {
  readonly reason?: string;
  readonly dryRun?: boolean;
}

const openColumns: readonly TableColumn[] = [
  column('Open', 'kind'),
  column('Customer', 'customer_id'),
  column('Period', 'period'),
  column('Stage', 'detail'),
  { header: 'Held by', value: ({ held_by: codes }) => (Array.isArray(codes) ? codes.join(', ') : '') },
  column('Id', 'id'),
];

/** A warning: the month closes all the same, and what comes later is posted to the first open month. */
function checklistText(checklist: JsonObject): string {
  const { month, drafts, unbilled, held, unapplied_payments: payments } = checklist;
  const items = rowsOf(checklist);
  if (items.length === 0) return `${String(month)}: nothing is open.\n`;
  const counts = `${String(month)}: ${String(drafts)} documents waiting (drafts, held), ${String(unbilled)} ended periods without invoice (${String(held)} held), ${String(payments)} payments not applied.`;
  return `${counts}\n${renderTable(openColumns, items)}`;
}

function addMonthCommands(ledger: Command, dependencies: CliDependencies): void {
  ledger
    .command('months')
    .description('closed accounting months')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      const answer = await context.api.json('/ledger/months');
      context.print(answer, (months) =>
        months['closed_through'] === null
          ? 'No month is closed.\n'
          : `${renderFacts([['First open', months['first_open']]])}${renderTable(monthColumns, rowsOf(answer))}`,
      );
    });
  ledger
    .command('checklist')
    .description('what of an accounting month is not in the books yet; as `close --dry-run`')
    .argument('<month>', 'such as 2024-01')
    .action(async (month: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/ledger/months/${segment(month)}/checklist`), checklistText);
    });
  ledger
    .command('close')
    .description('close an accounting month for ever; with the first one all before it')
    .argument('<month>', 'such as 2024-01')
    .option('--reason <text>', 'why; kept with the closing (required without --dry-run)')
    .option('--dry-run', 'only say what of the month is not in the books yet')
    .action(async (month: string, { reason, dryRun }: CloseOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      if (dryRun !== true && reason === undefined)
        throw new UsageError('give --reason, or --dry-run to see what is open');
      const checklist = await context.api.json(`/ledger/months/${segment(month)}/checklist`);
      if (dryRun === true) {
        context.print(checklist, checklistText);
        return;
      }
      if (isObject(checklist) && rowsOf(checklist).length > 0) context.terminal.err(checklistText(checklist));
      const answer = await context.api.json(`/ledger/months/${segment(month)}/close`, post({ reason }));
      context.print(answer, () => renderTable(monthColumns, rowsOf([answer])));
    });
}

interface MapOptions {
  readonly product?: string;
  readonly from?: string;
  readonly reason?: string;
}

interface ExportOptions {
  readonly month?: string;
  readonly fromEntry?: string;
  readonly toEntry?: string;
  readonly mapping?: string;
  readonly output?: string;
}

function addExportCommands(ledger: Command, dependencies: CliDependencies): void {
  ledger
    .command('map')
    .description('say which account of another system an account is')
    .argument('<mapping>', 'name of the mapping, such as datev')
    .argument('<account>', 'our account, such as revenue')
    .argument('<external>', 'account of the other system')
    .option('--product <name>', 'only for this meter or fee; without it the default of the account')
    .option('--from <day>', 'from this posting date on; without it from the beginning')
    .option('--reason <text>', 'why; kept with it')
    .action(async (mapping: string, account: string, external: string, options: MapOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      const { product, from, reason } = options;
      const row = { account, external_account: external, product, effective_from: from };
      const body = { mapping, accounts: [row], reason };
      const answer = await context.api.json('/ledger/account-mappings', post(body));
      context.print(answer, () => renderTable(mappingColumns, rowsOf(answer)));
    });
  ledger
    .command('mappings')
    .description('account mappings: their names, or what one says')
    .argument('[mapping]', 'name of the mapping')
    .action(async (mapping: string | undefined, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      const answer = await context.api.json('/ledger/account-mappings', { query: { mapping } });
      context.print(answer, ({ mappings }) =>
        mapping === undefined
          ? renderTable([column('Mapping', 'mapping'), column('Rows', 'rows', 'right')], rowsOf(mappings))
          : renderTable(mappingColumns, rowsOf(answer)),
      );
    });
  ledger
    .command('export')
    .description('postings as CSV: of a month by posting date, or of a stretch of the journal')
    .option('--month <month>', 'such as 2024-01')
    .option('--from-entry <number>', 'from this place in the journal on')
    .option('--to-entry <number>', 'up to this one')
    .option('--mapping <name>', 'with the accounts of another system')
    .option('-o, --output <file>', 'where to; without it, or with -, to standard output')
    .action(async (options: ExportOptions, command: Command) => exportTo(options, contextOf(command, dependencies)));
}

const mappingColumns: readonly TableColumn[] = [
  column('Account', 'account'),
  { header: 'Product', value: ({ product }) => product ?? '(default)' },
  column('External', 'external_account'),
  { header: 'From', value: ({ effective_from: from }) => from ?? 'the beginning' },
  column('By', 'mapped_by'),
  column('Reason', 'reason'),
];

async function exportTo(options: ExportOptions, { api, terminal }: CliContext): Promise<void> {
  const { month, fromEntry, toEntry, mapping, output } = options;
  const query = { month, from_entry: fromEntry, to_entry: toEntry, mapping };
  const { bytes } = await api.bytes('/ledger/export', { query });
  if (output === undefined || output === '-') {
    terminal.outBytes(bytes);
    return;
  }
  await writeFile(output, bytes).catch((error: unknown) => {
    throw new CommandFailed(`cannot write ${output}: ${messageOf(error)}`);
  });
  terminal.err(`${output}\n`);
}
