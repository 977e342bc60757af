/** Credit notes by hand. */
import type { Command } from 'commander';
import { objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { keyed, post } from '../keyed.js';
import type { KeyOption } from '../keyed.js';
import { column, renderFacts, renderTable } from '../output.js';
import { customerQuery, withPaging } from '../paging.js';
import type { CustomerListOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { UsageError } from '../terminal.js';
import { saveFile } from './invoices.js';

interface WantedLine {
  /** Line number or line item id. */
  readonly line: string;
  readonly amount: string | null;
}

interface CreditOptions extends KeyOption {
  readonly line: readonly WantedLine[];
  readonly amount?: string;
  readonly code: string;
  readonly reason?: string;
  readonly noteReason?: string;
}

/** `2`, `2=12.50` or a line item id; may be given several times. */
function wantedLine(text: string, before: readonly WantedLine[]): readonly WantedLine[] {
  const [, line, , amount] = /^([^=]+)(=([^=]+))?$/.exec(text) ?? [];
  if (line === undefined) throw new UsageError(`expected a line, or line=amount, such as 2=12.50, and got "${text}"`);
  return [...before, { line, amount: amount ?? null }];
}

export function addCreditNoteCommands(program: Command, dependencies: CliDependencies): void {
  const notes = program.command('credit-notes').description('credit notes by hand');
  keyed(notes.command('issue'))
    .description('credit lines of an issued invoice')
    .argument('<invoice>', 'invoice id or number')
    .requiredOption(
      '--line <line[=amount]>',
      'number of a line in `invoices show`, or its line item id, with how much (without tax; default: all that is left of the line); may be given several times',
      wantedLine,
      [],
    )
    .option('--amount <decimal>', 'how much of the one line')
    .requiredOption(
      '--code <code>',
      'goodwill, billing_error, price_agreement, service_not_provided, quality_defect, dispute or cancellation',
    )
    .option('--reason <text>', 'printed with each line')
    .option('--note-reason <text>', 'printed below the lines')
    .action(async (invoice: string, options: CreditOptions, command: Command) =>
      issue(invoice, options, contextOf(command, dependencies)),
    );
  notes
    .command('show')
    .description('a credit note with its lines')
    .argument('<id>', 'id or number')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/credit-notes/${segment(id)}`), describeNote);
    });
  addFileCommands(notes, dependencies);
  withPaging(notes.command('list').description('credit notes by hand, the newest first'))
    .option('--customer <id>', 'only of this customer')
    .option('--invoice <id>', 'only of this invoice')
    .action(async (options: CustomerListOptions, command: Command) => {
      const columns = [
        column('Number', 'number'),
        column('Invoice', 'invoice_number'),
        column('Customer', 'customer_id'),
        column('Total', 'total', 'right'),
        column('', 'currency'),
        column('Status', 'status'),
        column('Issued', 'issued_at'),
      ];
      const context = contextOf(command, dependencies);
      const shape = { query: customerQuery(options), columns, empty: 'There are no such credit notes by hand.' };
      await printList('/credit-notes', shape, context);
      if (!context.json)
        context.terminal.err('Those that corrections made: reckoner invoices list --type credit_note\n');
    });
}

function addFileCommands(notes: Command, dependencies: CliDependencies): void {
  const output = 'where to save it; - writes it to standard output (default: its number)';
  notes
    .command('pdf')
    .description('save a credit note as PDF')
    .argument('<id>', 'id or number')
    .option('-o, --output <file>', output)
    .action(async (id: string, options: { output?: string }, command: Command) =>
      saveFile(
        `/credit-notes/${segment(id)}/pdf`,
        { output: options.output, fallback: `${segment(id)}.pdf` },
        { command, dependencies },
      ),
    );
  notes
    .command('e-invoice')
    .description('save a credit note as a structured e-invoice (EN 16931, type 381)')
    .argument('<id>', 'id or number')
    .option('--format <format>', 'ubl, cii or factur-x (a PDF with the CII in it)', 'ubl')
    .option('-o, --output <file>', output)
    .action(async (id: string, options: { format: string; output?: string }, command: Command) =>
      saveFile(
        `/credit-notes/${segment(id)}/e-invoice?format=${encodeURIComponent(options.format)}`,
        {
          output: options.output,
          fallback: `${segment(id)}${options.format === 'factur-x' ? '.factur-x.pdf' : '.xml'}`,
        },
        { command, dependencies },
      ),
    );
}

async function issue(
  invoice: string,
  { line: wanted, amount, code, reason, noteReason, idempotencyKey }: CreditOptions,
  context: CliContext,
): Promise<void> {
  if (wanted.length === 0) throw new UsageError('which line? --line 1, or several of them');
  if (amount !== undefined && (wanted.length > 1 || wanted[0]?.amount !== null))
    throw new UsageError('--amount is of one line; of several say --line 1=10.00 --line 2=5.00');
  const path = `/invoices/${segment(invoice)}`;
  const ids = await lineIdsOf(wanted, path, context);
  const lines = wanted.map((each, index) => {
    const own = amount ?? each.amount;
    return { line_item_id: ids[index], amount: own ?? undefined, reason_code: code, reason };
  });
  const request = post({ lines, reason: noteReason }, { idempotencyKey });
  context.print(await context.api.json(`${path}/credit-notes`, request), describeNote);
}

/** Numbers are those of the invoice's own lines; whoever credits a line that only a correction has names it by its id. */
async function lineIdsOf(wanted: readonly WantedLine[], path: string, { api }: CliContext): Promise<readonly string[]> {
  const isNumber = (line: string): boolean => /^\d{1,6}$/.test(line);
  if (!wanted.some(({ line }) => isNumber(line))) return wanted.map(({ line }) => line);
  const lines = rowsOf(objectOf(await api.json(path))['lines']);
  return wanted.map(({ line }) => {
    if (!isNumber(line)) return line;
    const found = lines.find(({ line_number: number }) => number === Number(line));
    if (found !== undefined) return String(found['line_item_id']);
    throw new UsageError(`the invoice has no line ${line}; it has ${lines.length}, see reckoner invoices show`);
  });
}

function describeNote(note: JsonObject): string {
  const facts = renderFacts([
    ['Number', `${String(note['number'])} (${String(note['status'])})`],
    ['Credits', note['invoice_number']],
    ['Customer', note['customer_id']],
    ['Tax', `${String(note['tax'])} ${String(note['currency'])}`],
    ['Total', `${String(note['total'])} ${String(note['currency'])}`],
  ]);
  const lines = renderTable(
    [
      column('Line', 'description'),
      column('Reason', 'reason_code'),
      column('Before', 'original_amount', 'right'),
      column('Credited', 'amount', 'right'),
    ],
    rowsOf(note['lines']),
  );
  return `${facts}\n${lines}`;
}
