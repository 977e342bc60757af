/** Options that several commands have, and how they travel. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { isObject } from './api-client.js';
import type { CliContext } from './context.js';

export interface PagingOptions {
  readonly limit?: string;
  readonly cursor?: string;
}

export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('expected a whole number above zero');
  return Number(text);
}
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

/** For an option that may be given several times. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** An RFC 3339 instant as it is; a day or month alone is its beginning in UTC. */
export function instantOrDay(text: string): string {
  if (/^\d{4}-\d{2}$/.test(text)) return `${text}-01T00:00:00Z`;
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
}

export function withPaging(command: Command): Command {
  return command
    .option('--limit <number>', 'how many to show', (text) => String(positiveInteger(text)))
    .option('--cursor <cursor>', 'continue after an earlier page');
}

export function pagingQuery({ limit, cursor }: PagingOptions): Record<string, string | undefined> {
  return { limit, cursor };
}

/** Of lists of what concerns customers and their invoices. */
export interface CustomerListOptions extends PagingOptions {
  readonly customer?: string;
  /** Id or number. */
  readonly invoice?: string;
}

export function customerQuery(options: CustomerListOptions): Record<string, string | undefined> {
  return { customer_id: options.customer, invoice_id: options.invoice, ...pagingQuery(options) };
}

/** On standard error, so that a table in a pipe stays a table. */
export function mentionNextPage(context: CliContext, answer: unknown): void {
  const next = isObject(answer) ? answer['next_cursor'] : null;
  if (!context.json && typeof next === 'string') context.terminal.err(`More: repeat with --cursor ${next}\n`);
}
