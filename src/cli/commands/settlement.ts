/** Payments, credit notes, refunds, write-offs, and what a customer owes. */
import type { Command } from 'commander';
import { isObject, newIdempotencyKey } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { column, renderFacts, renderObject, renderTable } from '../output.js';
import { instantOrDay, mentionNextPage, pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { UsageError } from '../terminal.js';

interface PaymentOptions {
  readonly customer: string;
  readonly amount: string;
  readonly currency: string;
  readonly received: string;
  readonly method: string;
  readonly reference?: string;
  readonly allocate: readonly Part[];
}

interface Part {
  readonly invoice_id: string;
  readonly amount: string;
}

interface ListOptions extends PagingOptions {
  readonly customer?: string;
  readonly invoice?: string;
}

const post = (body: object) =>
  ({ method: 'POST', body: JSON.stringify(body), idempotencyKey: newIdempotencyKey() }) as const;

/** `INV-000001=12.50`; may be given several times. */
function part(text: string, before: readonly Part[]): readonly Part[] {
  const [, invoice, amount] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
  if (invoice === undefined || amount === undefined)
    throw new UsageError(`expected invoice=amount, such as INV-000001=12.50, and got "${text}"`);
  return [...before, { invoice_id: invoice, amount }];
}

const partHelp = 'what it settles, such as INV-000001=12.50; may be given several times';

export function addSettlementCommands(program: Command, dependencies: CliDependencies): void {
  addPaymentCommands(program, dependencies);
  addRefundCommands(program, dependencies);
  addCreditNoteCommands(program, dependencies);
  program
    .command('receivable')
    .description('what a customer owes, and what of its credit settles nothing yet')
    .argument('<customer>', 'customer id')
    .option('--apply', 'settle the oldest open invoices with that credit first')
    .action(async (customer: string, { apply }: { readonly apply?: boolean }, command: Command) => {
      const context = contextOf(command, dependencies);
      const path = `/customers/${segment(customer)}`;
      const request = { method: 'POST', idempotencyKey: newIdempotencyKey() } as const;
      if (apply === true) await context.api.json(`${path}/apply-credit`, request);
      context.print(await context.api.json(`${path}/receivable`), describeReceivable);
    });
}

function addPaymentCommands(program: Command, dependencies: CliDependencies): void {
  const payments = program.command('payments').description('payments, and what they settle');
  payments
    .command('record')
    .description('record a payment; what it is not allocated stays with the customer for the next invoice')
    .requiredOption('--customer <id>', 'of whom')
    .requiredOption('--amount <decimal>', 'how much')
    .requiredOption('--currency <code>', 'in which currency')
    .requiredOption('--received <instant>', 'when (an instant, or a day of UTC)', instantOrDay)
    .requiredOption('--method <text>', 'how, such as bank_transfer')
    .option('--reference <text>', 'what the bank or provider calls it')
    .option('--allocate <invoice=amount>', partHelp, part, [])
    .action(async (options: PaymentOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      const body = {
        customer_id: options.customer,
        amount: options.amount,
        currency: options.currency,
        received_at: options.received,
        method: options.method,
        ...(options.reference !== undefined && { reference: options.reference }),
        allocations: options.allocate,
      };
      context.print(await context.api.json('/payments', post(body)), describePayment);
    });
  payments
    .command('allocate')
    .description('say what the rest of a payment settles')
    .argument('<id>', 'payment id')
    .requiredOption('--allocate <invoice=amount>', partHelp, part, [])
    .action(async (id: string, { allocate }: Pick<PaymentOptions, 'allocate'>, command: Command) => {
      const context = contextOf(command, dependencies);
      const request = post({ allocations: allocate });
      context.print(await context.api.json(`/payments/${segment(id)}/allocations`, request), describePayment);
    });
  payments
    .command('reverse')
    .description('a payment has bounced: what it settled is open again')
    .argument('<id>', 'payment id')
    .requiredOption('--reason <text>', 'why; kept with the payment')
    .action(async (id: string, { reason }: { readonly reason: string }, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/payments/${segment(id)}/reverse`, post({ reason })), describePayment);
    });
  payments
    .command('show')
    .description('a payment and what it settles')
    .argument('<id>', 'payment id')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/payments/${segment(id)}`), describePayment);
    });
  withPaging(payments.command('list').description('payments, the newest first'))
    .option('--customer <id>', 'only of this customer')
    .action(async (options: ListOptions, command: Command) => {
      const columns = [
        column('Received', 'received_at'),
        column('Customer', 'customer_id'),
        column('Amount', 'amount', 'right'),
        column('Unallocated', 'unallocated', 'right'),
        column('', 'currency'),
        column('Method', 'method'),
        column('Reference', 'reference'),
        { header: 'Reversed', value: ({ reversed }: JsonObject) => (isObject(reversed) ? reversed['reason'] : '') },
        column('Payment id', 'payment_id'),
      ];
      await list('/payments', { options, columns }, contextOf(command, dependencies));
    });
}

function addRefundCommands(program: Command, dependencies: CliDependencies): void {
  const refunds = program.command('refunds').description('money that goes back to customers');
  refunds
    .command('pay')
    .description('pay back credit that settles nothing')
    .requiredOption('--customer <id>', 'to whom')
    .requiredOption('--amount <decimal>', 'how much')
    .requiredOption('--currency <code>', 'in which currency')
    .requiredOption('--method <text>', 'how, such as bank_transfer')
    .option('--reference <text>', 'what the bank or provider calls it')
    .requiredOption('--reason <text>', 'why; kept with the refund')
    .action(
      async (
        { customer, ...options }: Omit<PaymentOptions, 'received' | 'allocate'> & { readonly reason: string },
        command: Command,
      ) => {
        const context = contextOf(command, dependencies);
        const request = post({ customer_id: customer, ...options });
        context.print(await context.api.json('/refunds', request), renderObject);
      },
    );
  withPaging(refunds.command('list').description('refunds, the newest first'))
    .option('--customer <id>', 'only of this customer')
    .action(async (options: ListOptions, command: Command) => {
      const columns = [
        column('Refunded', 'refunded_at'),
        column('Customer', 'customer_id'),
        column('Amount', 'amount', 'right'),
        column('', 'currency'),
        column('Reason', 'reason'),
        column('Refund id', 'refund_id'),
      ];
      await list('/refunds', { options, columns }, contextOf(command, dependencies));
    });
}

interface CreditOptions {
  readonly line: string;
  readonly amount?: string;
  readonly code: string;
  readonly reason?: string;
}

function addCreditNoteCommands(program: Command, dependencies: CliDependencies): void {
  const notes = program.command('credit-notes').description('credit notes by hand');
  notes
    .command('issue')
    .description('credit a line of an issued invoice')
    .argument('<invoice>', 'invoice id or number')
    .requiredOption('--line <id>', 'line item id, as `invoices show --json` has it')
    .option('--amount <decimal>', 'without tax; default: all that is left of the line')
    .requiredOption(
      '--code <code>',
      'goodwill, billing_error, price_agreement, service_not_provided, quality_defect, dispute or cancellation',
    )
    .option('--reason <text>', 'printed with the line')
    .action(async (invoice: string, { line, amount, code, reason }: CreditOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      const lines = [
        {
          line_item_id: line,
          ...(amount !== undefined && { amount }),
          reason_code: code,
          ...(reason !== undefined && { reason }),
        },
      ];
      const answer = await context.api.json(`/invoices/${segment(invoice)}/credit-notes`, post({ lines }));
      context.print(answer, describeNote);
    });
  notes
    .command('show')
    .description('a credit note with its lines')
    .argument('<id>', 'id or number')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/credit-notes/${segment(id)}`), describeNote);
    });
  withPaging(notes.command('list').description('credit notes, the newest first'))
    .option('--customer <id>', 'only of this customer')
    .option('--invoice <id>', 'only of this invoice')
    .action(async (options: ListOptions, command: Command) => {
      const columns = [
        column('Number', 'number'),
        column('Invoice', 'invoice_number'),
        column('Customer', 'customer_id'),
        column('Total', 'total', 'right'),
        column('', 'currency'),
        column('Status', 'status'),
        column('Issued', 'issued_at'),
      ];
      await list('/credit-notes', { options, columns }, contextOf(command, dependencies));
    });
}

async function list(
  path: string,
  { options, columns }: { readonly options: ListOptions; readonly columns: Parameters<typeof renderTable>[0] },
  context: CliContext,
): Promise<void> {
  const query = { customer_id: options.customer, invoice_id: options.invoice, ...pagingQuery(options) };
  const answer = await context.api.json(path, { query });
  context.print(answer, () => renderTable(columns, rowsOf(answer)));
  mentionNextPage(context, answer);
}

function describePayment(payment: JsonObject): string {
  const money = (name: string): string => `${String(payment[name])} ${String(payment['currency'])}`;
  const { reversed } = payment;
  const facts = renderFacts([
    ['Payment', payment['payment_id']],
    ['Customer', payment['customer_id']],
    ['Amount', money('amount')],
    ['Unallocated', money('unallocated')],
    ['Received', payment['received_at']],
    ['Method', payment['method']],
    ['Reference', payment['reference']],
    ...(isObject(reversed) ? [['Reversed', reversed['reason']] as const] : []),
  ]);
  const settles = rowsOf(payment['settles']);
  if (settles.length === 0) return facts;
  const what = {
    header: 'Settles',
    value: ({ number, refund_id: id }: JsonObject) => number ?? `refund ${String(id)}`,
  };
  return `${facts}\n${renderTable([what, column('Amount', 'amount', 'right')], settles)}`;
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

function describeReceivable(answer: JsonObject): string {
  const balances = renderTable(
    [
      column('Currency', 'currency'),
      column('Open', 'open', 'right'),
      column('Unapplied', 'unapplied', 'right'),
      column('Balance', 'balance', 'right'),
    ],
    rowsOf(answer['currencies']),
  );
  const documents = renderTable(
    [
      column('Number', 'number'),
      column('Status', 'status'),
      column('Due', 'due_at'),
      column('Total', 'total', 'right'),
      column('Credited', 'credited', 'right'),
      column('Settled', 'settled', 'right'),
      column('Open', 'open', 'right'),
      column('', 'currency'),
    ],
    rowsOf(answer['open_documents']),
  );
  return [renderFacts([['Customer', answer['customer_id']]]), balances, documents].join('\n');
}
