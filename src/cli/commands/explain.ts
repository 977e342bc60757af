/** Explain: a charge, or a line of an invoice, as a text that a support engineer sends to the customer. */
import type { Command } from 'commander';
import type { ChargeExplanation, ExplainedInvoice, ExplainedLine } from '../../explanation/charge-explanation.js';
import { explainCharge } from '../../explanation/explain.js';
import { explainLine } from '../../explanation/invoice-line.js';
import type { CorrectionSince, LineOnInvoice } from '../../explanation/invoice-line.js';
import { heading, wrapped } from '../../explanation/text.js';
import { verifyCharge, verifyLine } from '../../explanation/verify.js';
import type { Check } from '../../explanation/verify.js';
import { ApiProblem, isObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { CommandFailed } from '../terminal.js';

interface ExplainOptions {
  readonly line?: string;
  readonly windows?: boolean;
  readonly verify?: boolean;
  readonly provisional?: boolean;
}

export function addExplainCommand(program: Command, dependencies: CliDependencies): void {
  program
    .command('explain')
    .description('how an amount came about, as a text for the customer; from a charge, or from a line of an invoice')
    .argument('<id>', 'charge id, or invoice id or number')
    .option('--line <line>', "the invoice's line: its number, or its line item id")
    .option('--windows', 'every window with usage, instead of a line a day')
    .option('--verify', 'also work the amount out again from the explanation alone; exit code 1 when it differs')
    .option('--provisional', 'explain an estimate, too: a charge that is not invoiced')
    .action(async (id: string, options: ExplainOptions, command: Command) =>
      explain(id, options, contextOf(command, dependencies)),
    );
}

/** What is explained: charges, and the lines that bill them. */
interface Explained {
  readonly charges: readonly ChargeExplanation[];
  readonly lines: readonly LineOnInvoice[];
}

async function explain(id: string, options: ExplainOptions, context: CliContext): Promise<void> {
  const charge = options.line === undefined ? await findCharge(context, id) : null;
  const explained = charge === null ? await ofInvoice(context, id, options) : await ofCharge(context, charge, options);
  if (context.json) {
    const answer = charge ?? { line: explained.lines[0]?.line, charges: explained.charges };
    context.terminal.out(`${JSON.stringify(answer, null, 2)}\n`);
  } else {
    const allWindows = options.windows === true;
    const { lines } = explained;
    const charges = explained.charges.map((each) => explainCharge(each, { allWindows, lines }));
    context.terminal.out([...charges, ...explained.lines.map(explainLine)].join('\n'));
    // For whoever calls the command, and not part of what the customer is sent.
    for (const { charge_id: id, calculation } of explained.charges) {
      if (calculation.source_events.count > 0) context.terminal.err(`All its events: reckoner charges events ${id}\n`);
      if ((calculation.opening_level?.event_count ?? 0) > 0)
        context.terminal.err(`All events of the level that it began with: reckoner charges events ${id} --before\n`);
    }
  }
  if (options.verify === true) verify(explained, context);
}

/** null: it is not the id of a charge. */
async function findCharge(context: CliContext, id: string): Promise<ChargeExplanation | null> {
  try {
    return await readCharge(context, id);
  } catch (error) {
    if (error instanceof ApiProblem && error.code === 'CHARGE_NOT_FOUND') return null;
    throw error;
  }
}

const readCharge = (context: CliContext, id: string): Promise<ChargeExplanation> =>
  read<ChargeExplanation>(context, `/charges/${segment(id)}`, ['calculation', 'invoice_lines']);

const readInvoice = (context: CliContext, id: string): Promise<ExplainedInvoice> =>
  read(context, `/invoices/${segment(id)}`, ['lines', 'number']);

/** The API's contract says the rest; a proxy's page or another program's answer is none. */
async function read<T>(context: CliContext, path: string, properties: readonly string[]): Promise<T> {
  const answer = await context.api.json(path);
  if (isObject(answer) && properties.every((name) => name in answer)) return answer as T;
  throw new CommandFailed(`what came from ${context.api.url}${path} is not what Reckoner's API answers there`);
}

/** @throws CommandFailed for an estimate that was not asked for */
async function ofCharge(
  context: CliContext,
  charge: ChargeExplanation,
  { provisional = false }: ExplainOptions,
): Promise<Explained> {
  if (charge.provisional && !provisional && !context.json) throw new CommandFailed(refusalOf(charge));
  const lines: LineOnInvoice[] = [];
  for (const { invoice_id: invoiceId, line_item_id: lineItemId } of charge.invoice_lines) {
    const invoice = await readInvoice(context, invoiceId);
    const line = invoice.lines.find((each) => each.line_item_id === lineItemId);
    if (line !== undefined) lines.push(await onInvoice(context, invoice, { line, known: charge }));
  }
  return { charges: [charge], lines };
}

function refusalOf({ charge_id: id, current_charge_ids: current }: ChargeExplanation): string {
  const others = current.filter((other) => other !== id);
  const what = `charge ${id} is provisional: an estimate while its period went on, which no invoice stands on`;
  return others.length === 0
    ? `${what}. Once the period is invoiced, explain the charge on its invoice; --provisional explains the estimate.`
    : `${what}. It has been replaced by ${others.join(', ')}: explain that one; --provisional explains the old estimate.`;
}

async function ofInvoice(context: CliContext, id: string, { line: wanted }: ExplainOptions): Promise<Explained> {
  const invoice = await invoiceOrRefusal(context, id);
  const on = await onInvoice(context, invoice, { line: chooseLine(invoice, wanted) });
  return { charges: on.charges, lines: [on] };
}

async function invoiceOrRefusal(context: CliContext, id: string): Promise<ExplainedInvoice> {
  try {
    return await readInvoice(context, id);
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'INVOICE_NOT_FOUND') throw error;
    throw new CommandFailed(
      `there is no charge with the id "${id}", and no invoice with that id or number. ` +
        'Charge ids are in the lines of an invoice: reckoner invoices show NUMBER --json',
    );
  }
}

/** @throws CommandFailed naming the lines there are */
function chooseLine({ number, lines }: ExplainedInvoice, wanted: string | undefined): ExplainedLine {
  const [only] = lines;
  if (wanted === undefined && only !== undefined && lines.length === 1) return only;
  const found = lines.find((line) => String(line.line_number) === wanted || line.line_item_id === wanted);
  if (found !== undefined) return found;
  if (lines.length === 0) throw new CommandFailed(`${number} has no lines: nothing was used in its period`);
  const list = lines.map((line) => `  ${line.line_number}  ${line.description}  ${line.amount}`).join('\n');
  const what = wanted === undefined ? `which line of ${number}? Say it with --line` : `${number} has no line ${wanted}`;
  throw new CommandFailed(`${what}. It has these:\n${list}`);
}

/** The line with all its charges. */
async function onInvoice(
  context: CliContext,
  invoice: ExplainedInvoice,
  { line, known }: { readonly line: ExplainedLine; readonly known?: ChargeExplanation },
): Promise<LineOnInvoice> {
  const charges: ChargeExplanation[] = [];
  for (const id of line.charge_ids) {
    charges.push(known?.charge_id === id ? known : await readCharge(context, id));
  }
  const { corrects_invoice_id: corrected } = invoice;
  const corrects = corrected === null ? null : (await readInvoice(context, corrected)).number;
  const isCurrent = charges.every((charge) => charge.current_charge_ids.includes(charge.charge_id));
  const correctedSince = isCurrent ? [] : await correctionsSince(context, invoice, line);
  return { invoice, line, charges, corrects, correctedSince };
}

/** What has changed the line since, by corrections that stand. */
async function correctionsSince(
  context: CliContext,
  invoice: ExplainedInvoice,
  { line_key: key }: ExplainedLine,
): Promise<readonly CorrectionSince[]> {
  const query = { customer_id: invoice.customer_id, period: invoice.period.name, type: 'correction', limit: '100' };
  const answer = await context.api.json('/invoices', { query });
  const root = invoice.corrects_invoice_id ?? invoice.invoice_id;
  const later = (rowsOf(answer) as unknown as readonly ExplainedInvoice[]).filter(
    (other) => other.corrects_invoice_id === root && other.chain_place > invoice.chain_place && other.status !== 'void',
  );
  return [...later]
    .sort((a, b) => a.chain_place - b.chain_place)
    .flatMap(({ number, lines }) =>
      lines.filter((own) => own.line_key === key).map(({ amount }) => ({ number, amount })),
    );
}

/** On standard error with --json, so that what is printed stays JSON. */
function verify({ charges, lines }: Explained, { terminal, json }: CliContext): void {
  const checks: readonly Check[] = [...charges.flatMap(verifyCharge), ...lines.flatMap(verifyLine)];
  const text = checks
    .map(({ what, holds, detail }) =>
      wrapped(`${what}: ${detail}`, { first: holds ? '  yes  ' : '  NO   ', rest: '       ' }),
    )
    .join('');
  const write = json ? terminal.err.bind(terminal) : terminal.out.bind(terminal);
  write(`\n${heading('Worked out again from the explanation alone')}${text}`);
  if (checks.some(({ holds }) => !holds)) throw new CommandFailed('the explanation does not give the amount');
}
