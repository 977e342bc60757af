/** Payments, refunds, write-offs, and what a customer owes. */
import type { Command } from 'commander';
import { isObject } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliDependencies } from '../context.js';
import { column, renderFacts, renderObject, renderTable } from '../output.js';
import { keyed, post } from '../keyed.js';
import type { KeyOption, ReasonOptions } from '../keyed.js';
import { customerQuery, instantOrDay, withPaging } from '../paging.js';
import type { CustomerListOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { UsageError } from '../terminal.js';
import { addReceivableCommands } from './receivable.js';

interface PaymentOptions extends KeyOption {
  readonly customer: string;
  readonly amount: string;
  readonly currency: string;
  readonly received: string;
  readonly method: string;
  readonly reference?: string;
  readonly allocate: readonly Part[];
  readonly allowDuplicate?: boolean;
}

interface Part {
  readonly invoice_id: string;
  readonly amount: string;
}

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
  addReceivableCommands(program, dependencies);
}

function addPaymentCommands(program: Command, dependencies: CliDependencies): void {
  const payments = program.command('payments').description('payments, and what they settle');
  keyed(payments.command('record'))
    .description('record a payment; what it is not allocated stays with the customer for the next invoice')
    .requiredOption('--customer <id>', 'of whom')
    .requiredOption('--amount <decimal>', 'how much')
    .requiredOption('--currency <code>', 'in which currency')
    .requiredOption('--received <instant>', 'when (an instant, or a day of UTC)', instantOrDay)
    .requiredOption('--method <text>', 'how, such as bank_transfer')
    .option('--reference <text>', 'what the bank or provider calls it')
    .option('--allocate <invoice=amount>', partHelp, part, [])
    .option('--allow-duplicate', 'record it though one with the same reference, amount and day is on record')
    .action(async (options: PaymentOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      const body = {
        customer_id: options.customer,
        amount: options.amount,
        currency: options.currency,
        received_at: options.received,
        method: options.method,
        reference: options.reference,
        allocations: options.allocate,
        allow_duplicate: options.allowDuplicate,
      };
      context.print(await context.api.json('/payments', post(body, options)), describePayment);
    });
  keyed(payments.command('allocate'))
    .description('say what the rest of a payment settles')
    .argument('<id>', 'payment id')
    .requiredOption('--allocate <invoice=amount>', partHelp, part, [])
    .action(async (id: string, options: Pick<PaymentOptions, 'allocate'> & KeyOption, command: Command) => {
      const context = contextOf(command, dependencies);
      const request = post({ allocations: options.allocate }, options);
      context.print(await context.api.json(`/payments/${segment(id)}/allocations`, request), describePayment);
    });
  keyed(payments.command('reverse'))
    .description('a payment has bounced: what it settled is open again')
    .argument('<id>', 'payment id')
    .requiredOption('--reason <text>', 'why; kept with the payment')
    .action(async (id: string, options: ReasonOptions, command: Command) => {
      const context = contextOf(command, dependencies);
      const request = post({ reason: options.reason }, options);
      context.print(await context.api.json(`/payments/${segment(id)}/reverse`, request), describePayment);
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
    .action(async (options: CustomerListOptions, command: Command) => {
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
      const shape = { query: customerQuery(options), columns, empty: 'There are no such payments.' };
      await printList('/payments', shape, contextOf(command, dependencies));
    });
}

function addRefundCommands(program: Command, dependencies: CliDependencies): void {
  const refunds = program.command('refunds').description('money that goes back to customers');
  keyed(refunds.command('pay'))
    .description('pay back credit that settles nothing')
    .requiredOption('--customer <id>', 'to whom')
    .requiredOption('--amount <decimal>', 'how much')
    .requiredOption('--currency <code>', 'in which currency')
    .requiredOption('--method <text>', 'how, such as bank_transfer')
    .option('--reference <text>', 'what the bank or provider calls it')
    .requiredOption('--reason <text>', 'why; kept with the refund')
    .action(
      async (
        { customer, idempotencyKey, ...options }: Omit<PaymentOptions, 'received' | 'allocate'> & ReasonOptions,
        command: Command,
      ) => {
        const context = contextOf(command, dependencies);
        const request = post({ customer_id: customer, ...options }, { idempotencyKey });
        context.print(await context.api.json('/refunds', request), renderObject);
      },
    );
  withPaging(refunds.command('list').description('refunds, the newest first'))
    .option('--customer <id>', 'only of this customer')
    .action(async (options: CustomerListOptions, command: Command) => {
      const columns = [
        column('Refunded', 'refunded_at'),
        column('Customer', 'customer_id'),
        column('Amount', 'amount', 'right'),
        column('', 'currency'),
        column('Reason', 'reason'),
        column('Refund id', 'refund_id'),
      ];
      const shape = { query: customerQuery(options), columns, empty: 'There are no such refunds.' };
      await printList('/refunds', shape, contextOf(command, dependencies));
    });
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
