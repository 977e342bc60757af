/** `npm run cases -- [--pure | --stack [--url URL]] PATH…` */
import { parseArgs } from 'node:util';
import type { StartEngine } from './engine.js';
import { PureEngine } from './pure-engine.js';
import { runCases } from './run.js';
import { stackEngine } from './stack-engine.js';

const usage = `Runs billing cases and compares what comes out with what they expect.

  npm run cases -- [--pure | --stack [--url URL]] FILE-OR-FOLDER…

  --pure    the domain alone, in memory (default)
  --stack   the running program over HTTP; it issues real, numbered invoices: name a test server
  --url     where it is; default RECKONER_URL, else http://127.0.0.1:8080`;

const casesOnStackAtOnce = 8;

interface Terminal {
  readonly print: (line: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The process's exit code: 0 all passed, 1 some failed or none found, 2 the command could not be understood. */
export async function casesCommand(args: readonly string[], { print, environment }: Terminal): Promise<number> {
  const parsed = parseCommand(args);
  if (typeof parsed === 'string') {
    print(`${parsed}\n\n${usage}`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help === true) {
    print(usage);
    return 0;
  }
  const url = values.url ?? environment['RECKONER_URL'] ?? 'http://127.0.0.1:8080';
  const start: StartEngine = values.stack === true ? stackEngine(url) : (billingCase) => new PureEngine(billingCase);
  try {
    const { passed, failed } = await runCases(positionals, {
      start,
      atOnce: values.stack === true ? casesOnStackAtOnce : 1,
      print,
    });
    return failed === 0 && passed > 0 ? 0 : 1;
  } catch (error) {
    if (!isMissingFile(error)) throw error;
    print(error.message);
    return 2;
  }
}

type Command = ReturnType<typeof readArgs>;

/** A sentence when the arguments cannot be understood. */
function parseCommand(args: readonly string[]): Command | string {
  let command: Command;
  try {
    command = readArgs(args);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (command.values.help !== true && command.positionals.length === 0)
    return 'Name at least one file or folder with cases.';
  if (command.values.pure === true && command.values.stack === true) return 'Choose one of --pure and --stack.';
  return command;
}

function readArgs(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      pure: { type: 'boolean' },
      stack: { type: 'boolean' },
      url: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

/** Not by class: an error of the file system may come from another realm. */
function isMissingFile(error: unknown): error is { readonly message: string } {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
}
