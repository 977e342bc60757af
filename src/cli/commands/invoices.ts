import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { decimal, isDecimal } from '../../domain/decimal.js';
import { contextOf, messageOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { isObject, objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { addDraftCommands } from './drafts.js';
import { draftFacts, lifeTable } from './invoice-life.js';
import { keyed, post } from '../keyed.js';
import type { KeyOption, ReasonOptions } from '../keyed.js';
import { column, dayText, daysText, groupText, printable, property, renderFacts, renderTable } from '../output.js';
import type { TableColumn } from '../output.js';
import { pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { CommandFailed } from '../terminal.js';
import { addNumberCommands } from './legal-entities.js';

interface ListOptions extends PagingOptions {
  readonly customer?: string;
  readonly period?: string;
  readonly type?: string;
  readonly status?: string;
}

interface WriteOffOptions extends KeyOption {
  readonly amount?: string;
  readonly reason: string;
}

export function addInvoiceCommands(program: Command, dependencies: CliDependencies): void {
  const invoices = program.command('invoices').description('list, show, print and void invoices');
  withPaging(invoices.command('list').description('the newest invoices first'))
    .option('--customer <id>', 'only of this customer')
    .option('--period <period>', 'only of this billing period, such as 2024-01')
    .option('--type <type>', 'invoice, correction (credit notes of corrections too) or credit_note')
    .option(
      '--status <status>',
      'draft, held, issued, partly_paid, paid, overdue or void; drafts and held ones only if asked for',
    )
    .action(async (options: ListOptions, command: Command) => listInvoices(options, command, dependencies));
  invoices
    .command('show')
    .description('an invoice with its lines')
    .argument('<id>', 'invoice id or number')
    .option('--itemisation <level>', 'show sections: summary, meter, group or detailed')
    .action(async (id: string, options: { itemisation?: string }, command: Command) => {
      const context = contextOf(command, dependencies);
      const { itemisation } = options;
      const invoice = await context.api.json(`/invoices/${segment(id)}`, { query: { itemisation } });
      const names = context.json ? noNames : await namesIn(context, invoice);
      context.print(invoice, (answer) =>
        itemisation === undefined ? describeInvoice(answer, names) : describeSections(answer),
      );
    });
  invoices
    .command('pdf')
    .description('save an invoice as a PDF')
    .argument('<id>', 'invoice id or number')
    .option('-o, --output <file>', 'where to save it; - writes it to standard output (default: the invoice number)')
    .action(async (id: string, options: { output?: string }, command: Command) =>
      saveFile(
        `/invoices/${segment(id)}/pdf`,
        { output: options.output, fallback: `${segment(id)}.pdf` },
        { command, dependencies },
      ),
    );
  invoices
    .command('e-invoice')
    .description('save an invoice as a structured e-invoice (EN 16931)')
    .argument('<id>', 'invoice id or number')
    .option('--format <format>', 'ubl, cii or factur-x (a PDF with the CII in it)', 'ubl')
    .option('-o, --output <file>', 'where to save it; - writes it to standard output (default: the invoice number)')
    .action(async (id: string, options: { format: string; output?: string }, command: Command) =>
      saveFile(
        `/invoices/${segment(id)}/e-invoice?format=${encodeURIComponent(options.format)}`,
        { output: options.output, fallback: eInvoiceName(id, options.format) },
        { command, dependencies },
      ),
    );
  keyed(invoices.command('void'))
    .description('void an invoice and all its corrections; closing its period again issues the replacement')
    .argument('<id>', 'invoice id or number')
    .requiredOption('--reason <text>', 'why; kept with the invoice')
    .action(async (id: string, options: ReasonOptions, command: Command) =>
      voidInvoice(id, options, contextOf(command, dependencies)),
    );
  keyed(invoices.command('write-off'))
    .description('give up what is open of an invoice')
    .argument('<id>', 'invoice id or number')
    .option('--amount <decimal>', 'how much; default: all that is open')
    .requiredOption('--reason <text>', 'why; kept with the invoice')
    .action(async (id: string, options: WriteOffOptions, command: Command) =>
      writeOff(id, options, contextOf(command, dependencies)),
    );
  addDraftCommands(invoices, dependencies);
  addNumberCommands(invoices, dependencies);
}

const eInvoiceName = (id: string, format: string): string =>
  `${segment(id)}${format === 'factur-x' ? '.factur-x.pdf' : '.xml'}`;

async function writeOff(id: string, { idempotencyKey, ...body }: WriteOffOptions, context: CliContext): Promise<void> {
  const request = post(body, { idempotencyKey });
  context.print(await context.api.json(`/invoices/${segment(id)}/write-off`, request), (answer) =>
    describeInvoice(answer, noNames),
  );
}

async function voidInvoice(id: string, { reason, ...key }: ReasonOptions, context: CliContext): Promise<void> {
  const request = post({ reason }, key);
  context.print(await context.api.json(`/invoices/${segment(id)}/void`, request), (answer) =>
    describeInvoice(answer, noNames),
  );
}

async function listInvoices(options: ListOptions, command: Command, dependencies: CliDependencies): Promise<void> {
  const context = contextOf(command, dependencies);
  const { customer, period, type, status } = options;
  const query = { customer_id: customer, period, type, status, ...pagingQuery(options) };
  const columns: readonly TableColumn[] = [
    column('Number', 'number'),
    column('Type', 'type'),
    column('Customer', 'customer_id'),
    { header: 'Period', value: ({ period: days }) => daysText(days) },
    column('Total', 'total', 'right'),
    column('', 'currency'),
    column('Status', 'status'),
    column('Invoice id', 'invoice_id'),
  ];
  const shape = { query, columns, empty: 'There are no such invoices.' };
  mentionWaiting(context, await printList('/invoices', shape, context));
}

/** The list has issued invoices: how many are not issued yet is said beside it. */
function mentionWaiting(context: CliContext, answer: unknown): void {
  const counts = Object.entries(objectOf(objectOf(answer)['waiting'])).filter(([, count]) => Number(count) > 0);
  if (context.json || counts.length === 0) return;
  const text = counts.map(([status, count]) => `${String(count)} ${status} (--status ${status})`).join(', ');
  context.terminal.err(`Not issued yet: ${text}\n`);
}

/** What an invoice only has the ids of. */
interface Names {
  readonly corrects: string | null;
  /** By the id of the grant. */
  readonly grants: ReadonlyMap<string, string>;
}

const noNames: Names = { corrects: null, grants: new Map() };

async function namesIn({ api }: CliContext, invoice: unknown): Promise<Names> {
  if (!isObject(invoice)) return noNames;
  const nameAt = async (path: string, name: string): Promise<string | null> => {
    const value = objectOf(await api.json(path))[name];
    return typeof value === 'string' ? value : null;
  };
  const { corrects_invoice_id: corrected } = invoice;
  const corrects = typeof corrected === 'string' ? await nameAt(`/invoices/${segment(corrected)}`, 'number') : null;
  const grants = new Map<string, string>();
  for (const id of drawsIn(invoice).map(({ grant_id: id }) => String(id)))
    grants.set(id, (await nameAt(`/credit-grants/${segment(id)}`, 'name')) ?? id);
  return { corrects, grants };
}

const drawsIn = ({ credit_draws: draws }: JsonObject): readonly JsonObject[] => rowsOf(draws);

function describeInvoice(invoice: JsonObject, names: Names): string {
  const read = (path: string): unknown => property(path)(invoice);
  const corrects = invoice['type'] !== 'invoice';
  const money = (name: string): readonly [string, unknown] => [
    name.charAt(0).toUpperCase() + name.slice(1),
    `${String(invoice[name] ?? '')} ${String(invoice['currency'] ?? '')}`,
  ];
  const drawn = drawsIn(invoice).map(({ grant_id: id, amount }) => {
    const from = names.grants.get(String(id)) ?? String(id);
    return [`  ${printable(from)}`, `${String(amount)} ${String(invoice['currency'] ?? '')}`] as const;
  });
  return [
    renderFacts([
      [
        'Number',
        `${String(invoice['number'] ?? 'none yet')} (${String(invoice['type'])}, ${String(invoice['status'])})`,
      ],
      ...(corrects ? [['Corrects', names.corrects ?? invoice['corrects_invoice_id']] as const] : []),
      ['Customer', `${String(invoice['customer_id'])}  ${String(read('buyer.name') ?? '')}`],
      ['Period', `${daysText(invoice['period'])} (${String(read('period.time_zone'))})`],
      ...(isObject(invoice['draft'])
        ? draftFacts(invoice)
        : [
            ['Issued', dayText(invoice['issued_at'], read('period.time_zone'))] as const,
            ['Due', dayText(invoice['due_at'], read('period.time_zone'))] as const,
          ]),
      ...openFact(invoice),
    ]),
    renderTable(
      [
        column('No', 'line_number', 'right'),
        column('Line', 'description'),
        { header: 'Group', value: (line) => groupText(line['group']) },
        { header: 'Calculation', value: (line) => formulaText(property('calculation.formula')(line)) },
        column('Quantity', 'quantity', 'right'),
        ...(corrects
          ? [column('Original', 'original_amount', 'right'), column('Corrected', 'corrected_amount', 'right')]
          : []),
        column(corrects ? 'Difference' : 'Amount', 'amount', 'right'),
      ],
      rowsOf(invoice['lines']),
    ),
    renderFacts([money('subtotal'), money('credits'), ...drawn, money('tax'), money('total')]),
    ...lifeTable(invoice),
  ].join('\n');
}

/** What is open of it; a list does not say. */
function openFact({ settlement, currency }: JsonObject): readonly (readonly [string, unknown])[] {
  if (!isObject(settlement)) return [];
  const by = (name: string, text: string): readonly string[] => {
    const amount = property(`settled_by.${name}`)(settlement);
    return isDecimal(amount) && !decimal(amount).isZero() ? [`${amount} ${text}`] : [];
  };
  const settled = [...by('paid', 'paid'), ...by('credited', 'credited'), ...by('written_off', 'written off')];
  return [
    ['Open', `${String(settlement['open'])} ${String(currency)}`],
    ...(settled.length === 0 ? [] : [['Settled', settled.join(', ')] as const]),
  ];
}

/** As the customer reads it; everything sums to the total. */
function describeSections(invoice: JsonObject): string {
  const rows = rowsOf(invoice['sections']).flatMap((section) => [
    ...rowsOf(section['rows']).map((row) => ({ section: section['title'], ...row })),
    { section: section['title'], description: 'Sum', amount: section['amount'] },
  ]);
  return [
    renderTable(
      [
        column('Section', 'section'),
        column('Row', 'description'),
        column('Charge code', 'charge_code'),
        column('Quantity', 'quantity', 'right'),
        column('', 'unit'),
        column('Amount', 'amount', 'right'),
      ],
      rows,
    ),
    renderFacts([['Total', `${String(invoice['total'])} ${String(invoice['currency'])}`]]),
  ].join('\n');
}

/** Units are included once a period: what a later price repeats of it is left out. */
function formulaText(formula: unknown): string {
  const said = new Set<string>();
  return printable(formula).replace(/ \(\S+ included\)/g, (words) => {
    if (said.has(words)) return '';
    said.add(words);
    return words;
  });
}

export async function saveFile(
  path: string,
  { output, fallback }: { readonly output: string | undefined; readonly fallback: string },
  { command, dependencies }: { command: Command; dependencies: CliDependencies },
): Promise<void> {
  const context = contextOf(command, dependencies);
  const { bytes, filename } = await context.api.bytes(path);
  if (output === '-') {
    context.terminal.outBytes(bytes);
    return;
  }
  const file = output ?? filename ?? fallback;
  await writeFile(file, bytes).catch((error: unknown) => {
    throw new CommandFailed(`cannot write ${file}: ${messageOf(error)}`);
  });
  context.print({ file, bytes: bytes.length }, () => `${file} (${bytes.length} bytes)\n`);
}
