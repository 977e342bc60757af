/** Exchange rates: what prices in another currency are converted at. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { objectOf } from '../api-client.js';
import { contextOf, messageOf } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, renderFacts } from '../output.js';
import { pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { readRates } from '../rates/read-rates.js';
import { CommandFailed, UsageError } from '../terminal.js';

interface ListOptions extends PagingOptions {
  readonly source?: string;
  readonly base?: string;
  readonly quote?: string;
  readonly on?: string;
}

/** The history of the ECB has some 200,000 rates; a request carries so many. */
const ratesPerRequest = 5_000;

const help = `
Files of the ECB (eurofxref-daily.xml, eurofxref-hist.xml, eurofxref-hist.csv, …) as they are; of other sources CSV with the
columns base, quote, date and rate. The same file again changes nothing:

  reckoner rates import eurofxref-daily.xml
  reckoner rates import treasury.csv --source treasury
  reckoner rates list --source ecb --quote USD --on 2024-01-31`;

export function addRateCommands(program: Command, dependencies: CliDependencies): void {
  const rates = program.command('rates').description('exchange rates').addHelpText('after', help);
  rates
    .command('import')
    .description('add the exchange rates of a file: all of them, or none when one is wrong')
    .argument('<file>', 'a file of the ECB, or CSV with base, quote, date and rate')
    .option('--source <name>', 'whose rates they are; a file of the ECB is "ecb" by itself')
    .action(async (file: string, options: { readonly source?: string }, command: Command) =>
      importRates(file, options.source, contextOf(command, dependencies)),
    );
  withPaging(rates.command('list', { isDefault: true }).description('rates that hold, the newest day first'))
    .option('--source <name>', 'only of this source')
    .option('--base <currency>', 'only with this base')
    .option('--quote <currency>', 'only of this currency')
    .option('--on <day>', 'of each pair the one published last on or before that day')
    .action(async (options: ListOptions, command: Command) => listRates(options, contextOf(command, dependencies)));
}

async function importRates(file: string, given: string | undefined, context: CliContext): Promise<void> {
  const { rates, leftOut, ...found } = inFile(file);
  const source = given ?? found.source;
  if (source === null) throw new UsageError(`${file} does not say whose rates it has: give --source`);
  const counts = { added: 0, changed: 0, unchanged: 0 };
  for (let at = 0; at < rates.length; at += ratesPerRequest) {
    const request = post({ source, rates: rates.slice(at, at + ratesPerRequest) });
    const answer = objectOf(await context.api.json('/exchange-rates', request));
    for (const count of ['added', 'changed', 'unchanged'] as const) {
      counts[count] += Number(answer[count] ?? 0);
    }
  }
  const none = 'none: all of them are current';
  context.print({ source, ...counts, left_out: leftOut }, () =>
    renderFacts([
      ['Source', source],
      ['Added', counts.added],
      ['Changed', counts.changed],
      ['Known already', counts.unchanged],
      ['Left out', leftOut.length === 0 ? none : leftOutText(leftOut)],
    ]),
  );
}

const leftOutText = (codes: readonly string[]): string =>
  codes.length === 1
    ? `${String(codes[0])}: it is no current currency`
    : `${codes.join(', ')}: they are no current currencies`;

function inFile(file: string): ReturnType<typeof readRates> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${messageOf(error)}`);
  }
  try {
    return readRates(text);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    const sentence = error.message.endsWith('.') ? error.message : `${error.message}.`;
    throw new CommandFailed(`${file}: ${sentence} Nothing was imported.`);
  }
}

async function listRates(options: ListOptions, context: CliContext): Promise<void> {
  const { source, base, quote, on } = options;
  const query = { source, base, quote, on, ...pagingQuery(options) };
  const columns = [
    column('Date', 'date'),
    column('Source', 'source'),
    column('Base', 'base'),
    column('Quote', 'quote'),
    column('Rate', 'rate', 'right'),
    column('Imported by', 'imported_by'),
    column('Learned at', 'learned_at'),
  ];
  await printList('/exchange-rates', { query, columns, empty: 'There are no such rates.' }, context);
}
