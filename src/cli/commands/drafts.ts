/** Decisions about invoices that are not issued yet. */
import type { Command } from 'commander';
import { objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { property, renderFacts } from '../output.js';
import { CommandFailed, UsageError } from '../terminal.js';

interface DecisionOptions {
  readonly reason?: string;
  readonly hash?: string;
  readonly yes?: boolean;
}

const commands = {
  approve: 'approve a draft: it is issued now, if it still says what was seen',
  release: 'release a held invoice: it is issued now, if it still says what was seen',
  reject: 'reject a draft or a held invoice: as it is, it is not issued',
} as const;

/** @param invoices the command that they belong to */
export function addDraftCommands(invoices: Command, dependencies: CliDependencies): void {
  for (const [name, description] of Object.entries(commands)) {
    const command = invoices
      .command(name)
      .description(description)
      .argument('<id>', 'invoice id; `invoices list --status draft` (or held) shows it')
      .option('--hash <hash>', 'content hash of what was looked at, as `invoices show` prints it')
      .option('--yes', 'instead of --hash: what it says now, whatever that is');
    if (name === 'approve') command.option('--reason <text>', 'why; kept with the decision');
    else command.requiredOption('--reason <text>', 'why; kept with the decision');
    command.action(async (id: string, options: DecisionOptions, own: Command) =>
      decide(id, { ...options, name }, contextOf(own, dependencies)),
    );
  }
}

async function decide(
  id: string,
  { name, reason, hash, yes = false }: DecisionOptions & { readonly name: string },
  context: CliContext,
): Promise<void> {
  const path = `/invoices/${segment(id)}`;
  const seen = hash ?? (await contentHashOf(path, { name, yes }, context));
  const request = post({ content_hash: seen, reason });
  context.print(await context.api.json(`${path}/${name}`, request), describe);
}

/** What a person decides about is what the person has seen: without a hash it is shown first. */
async function contentHashOf(
  path: string,
  { name, yes }: { readonly name: string; readonly yes: boolean },
  { api }: CliContext,
): Promise<string> {
  const answer = objectOf(await api.json(path));
  const hash = property('draft.content_hash')(answer);
  if (typeof hash === 'string') {
    if (yes) return hash;
    const total = `${String(answer['total'])} ${String(answer['currency'])}`;
    throw new UsageError(
      `it comes to ${total} now; look at it (\`reckoner invoices show\`), then ${name} it with --hash ${hash}, or with --yes`,
    );
  }
  throw new CommandFailed('it is issued already: only a draft or a held invoice is approved, released or rejected');
}

function describe(invoice: JsonObject): string {
  const reason = property('draft.reason')(invoice);
  return renderFacts([
    ['Invoice', invoice['number'] ?? invoice['invoice_id']],
    ['Status', invoice['status']],
    ['Total', `${String(invoice['total'])} ${String(invoice['currency'])}`],
    ...(reason === undefined ? [] : ([['Why', reason]] as const)),
  ]);
}
