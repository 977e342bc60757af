/** Findings: what needs a person, and the decision. */
import type { Command } from 'commander';
import { contextOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, renderObject } from '../output.js';
import { pagingQuery, withPaging } from '../paging.js';
import type { PagingOptions } from '../paging.js';
import { printList } from '../print-list.js';

interface ListOptions extends PagingOptions {
  readonly customer?: string;
  readonly code?: string;
  readonly period?: string;
  readonly class?: string;
  readonly open?: boolean;
}

interface ResolveOptions {
  readonly resolution: string;
  readonly reason: string;
}

export function addFindingCommands(program: Command, dependencies: CliDependencies): void {
  const findings = program.command('findings').description('what needs a person');
  withPaging(findings.command('list', { isDefault: true }).description('findings, the newest first'))
    .option('--customer <id>', 'only of this customer')
    .option('--code <code>', 'only of this kind')
    .option('--period <period>', 'only of this billing period')
    .option('--class <class>', 'only of this class: rounding, missing, duplicate, disagreement or large_gap')
    .option('--open', 'only those that nobody has resolved')
    .action(async (options: ListOptions, command: Command) => listFindings(options, contextOf(command, dependencies)));
  findings
    .command('resolve')
    .description('keep a decision about a finding; the first one stands')
    .argument('<id>', 'finding id')
    .requiredOption('--resolution <resolution>', 'fixed, accepted or not_a_problem')
    .requiredOption('--reason <text>', 'why')
    .action(async (id: string, options: ResolveOptions, command: Command) =>
      resolveFinding(id, options, contextOf(command, dependencies)),
    );
}

async function listFindings(options: ListOptions, context: CliContext): Promise<void> {
  const { customer, code, period, class: findingClass, open } = options;
  const resolved = open === true ? 'false' : undefined;
  const query = { customer_id: customer, code, period, class: findingClass, resolved, ...pagingQuery(options) };
  const columns = [
    column('Found', 'found_at'),
    column('Code', 'code'),
    column('Class', 'class'),
    column('Customer', 'customer_id'),
    column('Period', 'period'),
    column('Detail', 'detail'),
    column('Resolution', 'resolution.resolution'),
    column('Finding id', 'finding_id'),
  ];
  await printList('/findings', { query, columns, empty: 'There are no such findings.' }, context);
}

async function resolveFinding(id: string, options: ResolveOptions, context: CliContext): Promise<void> {
  const { resolution, reason } = options;
  const request = post({ resolution, reason });
  context.print(await context.api.json(`/findings/${segment(id)}/resolve`, request), renderObject);
}
