/** The commands of `reckoner`, and how a run of one ends. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ApiProblem, ApiUnreachable } from './api-client.js';
import { addAuditCommands } from './commands/audit.js';
import { addBackfillCommands } from './commands/backfills.js';
import { addChargeCommands } from './commands/charges.js';
import { addCreditNoteCommands } from './commands/credit-notes.js';
import { addCreditCommands } from './commands/credits.js';
import { addDeadLetterCommands } from './commands/dead-letters.js';
import { addEvaluationCommands } from './commands/evaluations.js';
import { addLegalEntityCommands } from './commands/legal-entities.js';
import { addEventCommands } from './commands/events.js';
import { addExplainCommand } from './commands/explain.js';
import { addFindingCommands } from './commands/findings.js';
import { addImportCommand } from './commands/import.js';
import { addInvoiceCommands } from './commands/invoices.js';
import { addLedgerCommands } from './commands/ledger.js';
import { addOperationCommands } from './commands/operations.js';
import { addPeriodCommands } from './commands/periods.js';
import { addRateCommands } from './commands/rates.js';
import { addReconciliationCommands } from './commands/reconciliations.js';
import { addReferenceCommands } from './commands/reference.js';
import { addReRatingCommands } from './commands/re-ratings.js';
import { addSchemaCommands } from './commands/schemas.js';
import { addSettlementCommands } from './commands/settlement.js';
import { addTagCommands } from './commands/tags.js';
import { addVerifyCommand } from './commands/verify.js';
import type { CliDependencies } from './context.js';
import { printable } from './output.js';
import { CommandFailed, exitCodes, UsageError } from './terminal.js';
import type { ExitCode, Terminal } from './terminal.js';

const defaultUrl = 'http://127.0.0.1:8080';

/** Runs one command line (without the program's name) and answers its exit code; throws only what is a defect. */
export async function runCli(args: readonly string[], dependencies: CliDependencies): Promise<ExitCode> {
  try {
    await buildProgram(dependencies).parseAsync([...args], { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    return explain(error, dependencies.terminal);
  }
}

function buildProgram(dependencies: CliDependencies): Command {
  const { terminal } = dependencies;
  const program = new Command('reckoner')
    .description(
      'Usage billing: import usage, close periods, look at invoices and what they are made of, correct and prove them.',
    )
    .addOption(
      // Not Option.env(): the environment is the terminal's, which in tests is not the process's.
      new Option('--url <url>', 'address of the API (environment: RECKONER_URL)')
        .default(terminal.env['RECKONER_URL'] ?? defaultUrl)
        .argParser(httpUrl),
    )
    .option('--as <name>', 'in whose name to act (environment: RECKONER_ACTOR; default: the user of this computer)')
    .option('--json', 'print what the API answered, as JSON')
    .addHelpText('after', '\nExit codes: 0 done, 1 refused or failed, 2 wrongly called.')
    .showHelpAfterError('(--help shows how to call it)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
    });
  addImportCommand(program, dependencies);
  addBackfillCommands(program, dependencies);
  addEventCommands(program, dependencies);
  addInvoiceCommands(program, dependencies);
  addVerifyCommand(program, dependencies);
  addPeriodCommands(program, dependencies);
  addChargeCommands(program, dependencies);
  addExplainCommand(program, dependencies);
  addReRatingCommands(program, dependencies);
  addReconciliationCommands(program, dependencies);
  addFindingCommands(program, dependencies);
  addDeadLetterCommands(program, dependencies);
  addReferenceCommands(program, dependencies);
  addRateCommands(program, dependencies);
  addSchemaCommands(program, dependencies);
  addTagCommands(program, dependencies);
  addEvaluationCommands(program, dependencies);
  addLegalEntityCommands(program, dependencies);
  addCreditCommands(program, dependencies);
  addLedgerCommands(program, dependencies);
  addSettlementCommands(program, dependencies);
  addCreditNoteCommands(program, dependencies);
  addAuditCommands(program, dependencies);
  addOperationCommands(program, dependencies);
  return program;
}

function httpUrl(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new InvalidArgumentError('expected an http:// or https:// address');
  }
  return text;
}

function explain(error: unknown, terminal: Terminal): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof UsageError) {
    terminal.err(`error: ${error.message}\n`);
    return exitCodes.usage;
  }
  if (error instanceof ApiProblem) {
    terminal.err(`error: ${printable(error.code)}: ${printable(error.detail)}\n`);
    // The first one is the refusal itself, with its place.
    for (const { pointer, code, detail } of error.errors) {
      if (detail === error.detail && error.errors.length === 1) {
        if (pointer !== '') terminal.err(`  at ${printable(pointer)}\n`);
        continue;
      }
      terminal.err(`  ${printable(pointer === '' ? '(body)' : pointer)}: ${printable(detail)} (${printable(code)})\n`);
    }
    return exitCodes.failed;
  }
  if (error instanceof ApiUnreachable || error instanceof CommandFailed) {
    terminal.err(`error: ${error.message}\n`);
    return exitCodes.failed;
  }
  throw error;
}
