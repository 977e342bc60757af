/** What every command is given: the terminal, the API, and how to print. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { isLosslessNumber, parse, stringify } from 'lossless-json';
import { createApiClient, isObject } from './api-client.js';
import type { ApiClient, JsonObject } from './api-client.js';
import { UsageError } from './terminal.js';
import type { Terminal } from './terminal.js';

export interface CliDependencies {
  readonly terminal: Terminal;
  readonly fetcher: typeof fetch;
  readonly sleep: (ms: number) => Promise<void>;
  /** Epoch milliseconds. */
  readonly clock: () => number;
}

export interface CliContext extends CliDependencies {
  readonly api: ApiClient;
  readonly json: boolean;
  /** The answer as JSON with --json, else as `human` makes it: in lines of `width`, where a terminal has one. */
  print(answer: unknown, human: (answer: JsonObject, width: number | null) => string): void;
}

/** Reads the global options of the program that `command` belongs to. */
export function contextOf(command: Command, dependencies: CliDependencies): CliContext {
  const { url, json = false, as } = command.optsWithGlobals<{ url: string; json?: boolean; as?: string }>();
  const { terminal, fetcher } = dependencies;
  if (!URL.canParse(url)) throw new UsageError(`RECKONER_URL is not an address: ${url}`);
  return {
    ...dependencies,
    api: createApiClient(url, { fetcher, actor: actorOf(as, terminal) }),
    json,
    print: (answer, human) => {
      terminal.out(
        json
          ? `${JSON.stringify(answer, null, 2)}\n`
          : human(isObject(answer) ? answer : { answer }, terminal.columns ?? null),
      );
    },
  };
}

/** Names that the program itself acts under; the API refuses them. */
const programNames: ReadonlySet<string> = new Set(['reckoner', 'reconciliation', 'invoicing']);
/** What a header can carry. */
const actorPattern = /^[\x20-\x7e\xa0-\xff]{1,128}$/;

/**
 * In whose name the command acts: as told, else the user of the operating system, unless that name cannot be sent (then
 * the API takes the sender for anonymous).
 * @throws UsageError for a name that was told and cannot be sent
 */
function actorOf(told: string | undefined, { env, user }: Terminal): string | null {
  const given = told ?? env['RECKONER_ACTOR'];
  if (given === undefined || given.trim() === '') {
    return user === null || programNames.has(user) || !actorPattern.test(user) ? null : user;
  }
  if (actorPattern.test(given)) return given;
  throw new UsageError('--as (or RECKONER_ACTOR) has 1 to 128 printable characters (ISO 8859-1)');
}

/** The objects of a list, or of the `data` of a page of the API. */
export function rowsOf(answer: unknown): readonly JsonObject[] {
  const data = isObject(answer) ? answer['data'] : answer;
  return Array.isArray(data) ? data.filter(isObject) : [];
}

/**
 * The one JSON object in a file, as the text to send.
 * @throws UsageError as `objectsInFile`, and for a list of several
 */
export function objectInFile(path: string): string {
  const [object = '', ...more] = objectsInFile(path);
  if (more.length > 0) throw new UsageError(`${path} must hold one JSON object`);
  return object;
}

/**
 * The JSON objects in a file (`-`: standard input), one or a list, as the texts to send: numbers stay as they are
 * written.
 * @throws UsageError when the file cannot be read or holds something else
 */
export function objectsInFile(path: string): readonly string[] {
  const parsed = parseFile(path);
  const objects = Array.isArray(parsed) ? parsed : [parsed];
  if (objects.length === 0 || !objects.every((value) => isObject(value) && !isLosslessNumber(value))) {
    throw new UsageError(`${path} must hold a JSON object, or a list of them`);
  }
  return objects.map((object) => stringify(object) ?? '');
}

function parseFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${messageOf(error)}`);
  }
  try {
    return parse(text);
  } catch (error) {
    throw new UsageError(`${path} is not JSON: ${messageOf(error)}`);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export const segment = encodeURIComponent;
