/** Reconciliations: the chain from events to journal. */
import type { Command } from 'commander';
import { isObject, objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, printable, property, renderFacts, renderTable } from '../output.js';
import { collected, instantOrDay, pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { CommandFailed } from '../terminal.js';
import { goesOn, isFinished, secondsOf, startedText, until, withWait } from '../waiting.js';
import type { Wait } from '../waiting.js';

interface RunOptions {
  readonly customer?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly wait?: Wait;
}

export function addReconciliationCommands(program: Command, dependencies: CliDependencies): void {
  const reconcileCommand = program
    .command('reconcile')
    .description('hold events, aggregates, charges, lines and journal against each other; exit code 1 when they differ')
    .option('--customer <id>', 'only of this customer; may be repeated', collected)
    .option('--from <instant>', 'only periods that end after this instant (or day, or month, of UTC)', instantOrDay)
    .option('--to <instant>', 'only periods that begin before this instant (or day, or month, of UTC)', instantOrDay);
  withWait(reconcileCommand, 'the result').action(async (options: RunOptions, command: Command) =>
    reconcile(options, contextOf(command, dependencies)),
  );
  const reconciliations = program.command('reconciliations').description('look at reconciliations');
  withPaging(
    reconciliations.command('list', { isDefault: true }).description('reconciliations, the newest first'),
  ).action(async (options: PagingOptions, command: Command) => list(options, contextOf(command, dependencies)));
  reconciliations
    .command('show')
    .description('what a reconciliation found; exit code 1 when something differs')
    .argument('<id>', 'run id')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      const answer = await context.api.json(`/reconciliations/${segment(id)}`);
      await show(objectOf(answer), context);
    });
}

async function reconcile({ customer, from, to, wait }: RunOptions, context: CliContext): Promise<void> {
  const request = post({ customer_ids: customer, from, to });
  const started = objectOf(await context.api.json('/reconciliations', request));
  const id = String(started['run_id']);
  const command = `reckoner reconciliations show ${printable(id)}`;
  if (wait === undefined) {
    context.print(started, ({ status }) => startedText('Run', { id, status }, command));
    return;
  }
  const seconds = secondsOf(wait);
  const look = async (): Promise<JsonObject> => objectOf(await context.api.json(`/reconciliations/${segment(id)}`));
  const run = await until(context, look, { seconds, isDone: isFinished });
  await show(run, context);
  if (!isFinished(run)) throw new CommandFailed(`still running after ${seconds} s; see \`${command}\``);
}

/** The run with the periods that differ; where all are equal, with the stages of the first ones. */
async function show(run: JsonObject, context: CliContext): Promise<void> {
  const isDifferent = run['different'] !== 0;
  const path = `/reconciliations/${segment(String(run['run_id']))}/results`;
  const results = isDifferent ? await context.api.json(path, { query: { result: 'different' } }) : run['results'];
  context.print(run, () => describe(run, rowsOf(results)));
  if (isDifferent) throw new CommandFailed(`${String(run['different'])} of ${String(run['periods'])} periods differ`);
}

function describe(run: JsonObject, results: readonly JsonObject[]): string {
  const findings = Object.entries(objectOf(run['findings'])).map(([name, count]) => `${name} ${String(count)}`);
  const facts = renderFacts([
    ['Run', run['run_id']],
    ['Status', run['status']],
    ['Requested', `${String(run['requested_at'])} by ${String(run['requested_by'])}`],
    ['Periods', run['periods']],
    ['Different', run['different']],
    ...(findings.length === 0 ? [] : [['Findings', findings.join(', ')] as const]),
  ]);
  const stages = results.flatMap((result) => reportRows(result, 'stages')).filter(saysSomething);
  const differences = results.flatMap((result) => reportRows(result, 'differences'));
  const nextStep = isFinished(run) ? '' : goesOn(`reckoner reconciliations show ${printable(run['run_id'])}`);
  return [facts, stageTable(stages), differenceTable(differences), nextStep].filter((part) => part !== '').join('\n');
}

/** Every meter of the server is held against every period; those that nothing was ever stored for say nothing. */
function saysSomething(row: JsonObject): boolean {
  return row['result'] === 'different' || stageNames.some((stage) => !isNothing(row[stage]));
}

const stageNames = ['events', 'aggregates', 'charges', 'lines', 'journal'];

function isNothing(figures: unknown): boolean {
  const { stored, count, quantity, amount } = objectOf(figures);
  return [stored, count, quantity, amount].every((figure) => Number(figure ?? 0) === 0);
}

/** Entries of a list of the report, each with the customer and period that it is about. */
function reportRows(result: JsonObject, name: string): readonly JsonObject[] {
  return rowsOf(objectOf(result['report'])[name]).map((row) => ({
    ...row,
    customer_id: result['customer_id'],
    period: result['period'],
    result: result['result'],
  }));
}

function stageTable(stages: readonly JsonObject[]): string {
  if (stages.length === 0) return '';
  const figure = (stage: string) => ({
    header: stage.charAt(0).toUpperCase() + stage.slice(1),
    value: (row: JsonObject) => figuresText(property(stage)(row)),
    align: 'right' as const,
  });
  return renderTable(
    [
      column('Customer', 'customer_id'),
      column('Period', 'period'),
      column('Meter', 'meter'),
      ...stageNames.map(figure),
      column('', 'result'),
    ],
    stages,
  );
}

/** `1,234 events, 1234 units, 118.72`: what the stage has of it. */
function figuresText(figures: unknown): string {
  if (!isObject(figures)) return '–';
  const { count, quantity, amount } = figures;
  return [
    ...(count === undefined ? [] : [`${String(count)} events`]),
    ...(quantity === undefined ? [] : [`quantity ${String(quantity)}`]),
    ...(amount === undefined ? [] : [String(amount)]),
  ].join(', ');
}

function differenceTable(differences: readonly JsonObject[]): string {
  if (differences.length === 0) return '';
  return renderTable(
    [
      column('Customer', 'customer_id'),
      column('Period', 'period'),
      column('Stage', 'stage'),
      column('Class', 'class'),
      { header: 'Expected', value: ({ expected }) => figuresText(expected), align: 'right' },
      { header: 'Found', value: ({ found }) => figuresText(found), align: 'right' },
      column('Detail', 'detail'),
    ],
    differences,
  );
}

async function list(options: PagingOptions, context: CliContext): Promise<void> {
  const columns = [
    column('Requested', 'requested_at'),
    column('By', 'requested_by'),
    column('Status', 'status'),
    column('Periods', 'periods', 'right'),
    column('Different', 'different', 'right'),
    column('Run id', 'run_id'),
  ];
  const query = pagingQuery(options);
  await printList('/reconciliations', { query, columns, empty: 'There are no such reconciliations.' }, context);
}
