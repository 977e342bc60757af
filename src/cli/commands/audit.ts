/** The audit log: who wrote what, and the proof that it is still what was written. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { type Anchor, parseAnchor } from '../../domain/audit/anchors.js';
import { checkpointText, signedText, type SignedHead } from '../../domain/audit/texts.js';
import { isObject, newIdempotencyKey, objectOf } from '../api-client.js';
import type { JsonObject } from '../api-client.js';
import { contextOf, messageOf, rowsOf, segment } from '../context.js';
import type { CliContext, CliDependencies } from '../context.js';
import { post } from '../keyed.js';
import { column, printable, property, renderFacts, renderTable } from '../output.js';
import { collected, customerQuery, positiveInteger, withPaging } from '../paging.js';
import type { CustomerListOptions } from '../paging.js';
import { printList } from '../print-list.js';
import { CommandFailed, UsageError } from '../terminal.js';

interface VerifyOptions {
  readonly customer?: string;
  readonly anchor?: string;
  readonly key?: readonly string[];
  readonly all?: boolean;
}

export function addAuditCommands(program: Command, dependencies: CliDependencies): void {
  const audit = program.command('audit').description('who wrote what, and the proof that it is still what was written');
  audit
    .command('verify')
    .description(
      'hold everything that is stored against the audit log; exit code 1 where something is not what was written',
    )
    .option('--customer <id>', 'only this customer’s chain')
    .option('--all', 'list up to 10,000 problems, not 20')
    .option('--anchor <file>', 'also hold it against the lines that were written outside the database')
    .option('--key <id>', 'a key that may have signed the anchors; may be repeated; default: any', collected)
    .action(async (options: VerifyOptions, command: Command) => verifyAll(options, contextOf(command, dependencies)));
  withPaging(
    audit
      .command('list')
      .description('what was written, the newest first; without a customer or invoice, what has none'),
  )
    .option('--customer <id>', 'of this customer')
    .option('--invoice <invoice>', 'of this invoice (id or number) and its period')
    .action(async (options: CustomerListOptions, command: Command) => list(options, contextOf(command, dependencies)));
  audit
    .command('show')
    .description('an entry of a chain with all rows that it speaks of')
    .argument('<chain>', 'customer/ID, or deployment')
    .argument('<sequence>', 'its number in the chain', positiveInteger)
    .action(async (scope: string, sequence: number, _options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json(`/audit/entries/${segment(scope)}/${sequence}`), describeEntry);
    });
  audit
    .command('seal')
    .description('seal the usage ledger now; with --sign also sign the heads of all chains')
    .option('--sign', 'sign, with the key that the API is configured with')
    .action(async ({ sign = false }: { readonly sign?: boolean }, command: Command) => {
      const context = contextOf(command, dependencies);
      context.print(await context.api.json('/audit/seal', post({ sign })), describeSeal);
    });
  audit
    .command('anchor')
    .description('seal, sign and write the anchor file now, as the worker does every hour')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      const request = { method: 'POST', idempotencyKey: newIdempotencyKey() } as const;
      context.print(await context.api.json('/audit/anchor', request), describeAnchored);
    });
  audit
    .command('keys')
    .description('the public keys that have signed')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, dependencies);
      const columns = [column('Key', 'key_id'), column('Since', 'added_at'), column('Public key', 'public_key')];
      await printList('/audit/keys', { columns, empty: 'No key has signed yet.' }, context);
    });
}

async function list(options: CustomerListOptions, context: CliContext): Promise<void> {
  const query = customerQuery(options);
  const columns = [
    column('At', 'at'),
    column('No.', 'sequence', 'right'),
    { header: 'Actor', value: actorText },
    { header: 'Written', value: writtenText },
    column('Chain', 'scope'),
  ];
  await printList('/audit', { query, columns, empty: 'There are no such entries.' }, context);
}

/** What nobody asked for by name the program did by itself: relay, worker, schedules. */
const actorText = ({ actor }: JsonObject): string => (typeof actor === 'string' ? actor : '(the program)');

/** `2 invoice_line_items, 1 invoices` */
function writtenText(entry: JsonObject): string {
  return rowsOf(entry['changes'])
    .map(({ table, rows, kind }) => `${rowsOf(rows).length} ${String(table)}${kind === 'genesis' ? ' (genesis)' : ''}`)
    .join(', ');
}

function describeEntry(entry: JsonObject): string {
  const rows = rowsOf(entry['changes']).flatMap((change) =>
    rowsOf(change['rows']).map((row) => ({ ...row, table: change['table'], actor: change['actor'] })),
  );
  const columns = [
    column('Table', 'table'),
    column('Key', 'key'),
    { header: 'Actor', value: actorText },
    column('Digest', 'digest'),
  ];
  return [
    renderFacts([
      ['Chain', entry['scope']],
      ['Entry', entry['sequence']],
      ['At', entry['at']],
      ['Actor', actorText(entry)],
      ['Hash', entry['hash']],
      ['Follows', entry['previous_hash'] === '' ? 'nothing: it is the first' : entry['previous_hash']],
    ]),
    renderTable(columns, rows),
  ].join('\n');
}

function describeSeal(answer: JsonObject): string {
  const blocks = rowsOf(answer['blocks']);
  const facts = blocks.reduce((sum, block) => sum + Number(block['facts']), 0);
  const checkpoints = rowsOf(answer['checkpoints']);
  return renderFacts([
    ['Blocks', `${blocks.length} new, of ${facts} facts`],
    ['Checkpoints', checkpoints.length === 0 ? 'none' : checkpoints.map(property('checkpoint')).join(', ')],
    ...checkpoints.slice(-1).map((last) => ['Signed by', last['key_id']] as const),
    ...(checkpoints.length > 0 ? [['Anchored', 'within the hour; now: reckoner audit anchor'] as const] : []),
  ]);
}

function describeAnchored(answer: JsonObject): string {
  const read = (path: string): unknown => property(path)(answer);
  if (read('done') !== true)
    return `still under way: workflow ${String(read('workflow_id') ?? 'of the schedule audit-anchor')}`;
  const written = read('written');
  return renderFacts([
    ['Blocks', `${String(read('blocks'))} new`],
    ['Checkpoints', `${String(read('checkpoints'))} new`],
    [
      'Last',
      read('last_checkpoint.checkpoint') ?? 'none: the worker has no key to sign with (RECKONER_AUDIT_KEY_FILE)',
    ],
    ...(isObject(answer['last_checkpoint']) ? [['Hash', read('last_checkpoint.hash')] as const] : []),
    [
      'Anchor file',
      written === null ? 'none: set RECKONER_AUDIT_ANCHOR_FILE for the workers' : `${String(written)} lines written`,
    ],
    ['Workflow', read('workflow_id') ?? 'not known'],
  ]);
}

async function verifyAll(options: VerifyOptions, context: CliContext): Promise<void> {
  const anchors = options.anchor === undefined ? null : await foldAnchors(options.anchor, options.key);
  let result: JsonObject | null = null;
  const query = { customer_id: options.customer, problems_max: options.all === true ? '10000' : undefined };
  for await (const line of context.api.lines('/audit/verify', { query })) {
    if (!isObject(line)) continue;
    if (line['kind'] === 'result') result = line;
    else if (context.terminal.interactive) context.terminal.err(`\r\u001B[K${progressText(line)}`);
  }
  if (context.terminal.interactive) context.terminal.err('\r\u001B[K');
  if (result === null) throw new CommandFailed('the verification broke off; look into the log of the API');
  const anchored = anchors === null || result['verified'] !== true ? null : await holdAgainst(anchors, context);
  const answer =
    anchored === null
      ? result
      : {
          ...result,
          verified: anchored.problem === null,
          problem: anchored.problem,
          problems: anchored.problem === null ? [] : [anchored.problem],
          anchor: anchored,
        };
  context.print(answer, (of) => describeResult(of, options.customer));
  if (answer['verified'] !== true) throw new CommandFailed('something is not what was written');
}

function progressText({ stage, counts }: JsonObject): string {
  const { entries, rows, facts } = objectOf(counts);
  return `${String(stage)}: ${String(entries)} entries, ${String(rows)} rows, ${String(facts)} facts`;
}

function describeResult(result: JsonObject, customer?: string): string {
  const read = (path: string): unknown => property(path)(result);
  const keys = read('key_ids');
  const { anchor, problem } = result;
  const facts: (readonly [string, unknown])[] = [
    ['Verified', read('verified') === true ? 'yes' : 'NO'],
    [
      'Log',
      `${String(read('counts.entries'))} entries, ${String(read('counts.rows'))} rows, of which ${String(read('counts.genesis_rows'))} from before the log`,
    ],
    customer === undefined
      ? ['Usage ledger', `${String(read('counts.facts'))} facts in ${String(read('counts.blocks'))} blocks`]
      : ['Not looked at', `usage facts, reference data, other customers, triggers: verify without --customer`],
  ];
  const checkpoints = Number(read('counts.checkpoints'));
  if (read('verified') === true || checkpoints > 0) {
    const by = Array.isArray(keys) && keys.length > 0 ? keys.join(', ') : 'nobody';
    facts.push(['Signed', `${checkpoints} checkpoints by ${by}`]);
  }
  if (read('verified') === true) {
    const notYet = `${String(read('not_yet_signed.entries'))} entries, ${String(read('not_yet_signed.facts'))} facts`;
    facts.push(['Not signed yet', notYet]);
  }
  if (Number(read('counts.erased_rows')) > 0)
    facts.push(['Erased', `personal data of ${String(read('counts.erased_rows'))} rows`]);
  if (isObject(anchor))
    facts.push(['Anchor', `${String(anchor['lines'])} lines through checkpoint ${String(anchor['checkpoint'])}`]);
  if (isObject(problem)) {
    facts.push(
      ['Problem', `${String(problem['what'])}: ${String(problem['detail'])}`],
      ['Table', problem['table']],
      ['Row', problem['key'] ?? 'not known'],
      ['Chain', problem['scope'] ?? 'none'],
      ['Number', problem['sequence'] ?? 'none'],
    );
  }
  return [renderFacts(facts), furtherProblems(rowsOf(result['problems']).slice(1))]
    .filter((part) => part !== '')
    .join('\n');
}

function furtherProblems(problems: readonly JsonObject[]): string {
  if (problems.length === 0) return '';
  const columns = [
    column('Also', 'what'),
    column('Table', 'table'),
    column('Row', 'key'),
    column('Chain', 'scope'),
    column('No.', 'sequence', 'right'),
    column('Detail', 'detail'),
  ];
  return renderTable(columns, problems);
}

// Anchors -------------------------------------------------------------------------------------------------------------

/** The latest head of every chain in the file. */
interface FoldedAnchors {
  readonly lines: number;
  readonly last: Anchor;
  readonly heads: readonly SignedHead[];
}

/** Reads the file line by line; its lines must follow on each other and be signed. @throws UsageError, CommandFailed */
async function foldAnchors(file: string, keys: readonly string[] | undefined): Promise<FoldedAnchors> {
  const heads = new Map<string, SignedHead>();
  let last: Anchor | null = null;
  let lines = 0;
  for await (const line of linesOf(file)) {
    const anchor = parseAnchor(line);
    // What a crash has cut off is followed by the whole line.
    if (anchor === null) continue;
    const wrong = problemOfAnchor(anchor, last, keys);
    if (wrong !== null) throw new CommandFailed(`the anchor of checkpoint ${anchor.checkpoint} in ${file} ${wrong}`);
    for (const head of anchor.heads) heads.set(head.scope, head);
    last = anchor;
    lines += 1;
  }
  if (last === null) throw new UsageError(`${file} has no anchor`);
  return { lines, last, heads: [...heads.values()] };
}

async function* linesOf(file: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${messageOf(error)}`);
  }
}

function problemOfAnchor(anchor: Anchor, last: Anchor | null, keys: readonly string[] | undefined): string | null {
  if (last !== null && (anchor.checkpoint !== last.checkpoint + 1 || anchor.previousHash !== last.hash)) {
    return `does not follow on that of checkpoint ${last.checkpoint}`;
  }
  const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
  if (sha256(checkpointText(anchor)) !== anchor.hash) return 'has another content than its hash says';
  if (keys !== undefined && !keys.includes(anchor.keyId))
    return `is signed by the key ${printable(anchor.keyId)}, which is not one of --key`;
  return isSigned(anchor, sha256) ? null : `is not signed by the key ${printable(anchor.keyId)}`;
}

function isSigned({ publicKey, keyId, hash, signature }: Anchor, sha256: (content: Buffer) => string): boolean {
  try {
    const key = createPublicKey(publicKey);
    const isItsKey = sha256(key.export({ type: 'spki', format: 'der' })).startsWith(keyId) && keyId.length === 16;
    return isItsKey && verify(null, Buffer.from(signedText(hash)), key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

const headsAtOnce = 1_000;

interface Anchored {
  readonly lines: number;
  readonly checkpoint: number;
  readonly problem: unknown;
}

/** Asks whether the database still has the latest of everything that the file has. */
async function holdAgainst({ lines, last, heads }: FoldedAnchors, { api }: CliContext): Promise<Anchored> {
  const { checkpoint, hash, block } = last;
  let problem: unknown = null;
  for (let at = 0; problem === null && (at === 0 || at < heads.length); at += headsAtOnce) {
    const body = JSON.stringify({ checkpoint, hash, block, heads: heads.slice(at, at + headsAtOnce) });
    const answer = await api.json('/audit/anchors/verify', { method: 'POST', body });
    problem = objectOf(answer)['problem'] ?? null;
  }
  return { lines, checkpoint, problem };
}
