import { userInfo } from 'node:os';

/** Where the command line reads and writes; tests bring their own. */
export interface Terminal {
  out(text: string): void;
  outBytes(bytes: Uint8Array): void;
  err(text: string): void;
  /** Whether a person watches standard error: only then a progress bar is drawn. */
  readonly interactive: boolean;
  /** Characters in a line of standard output; null or absent where nobody watches it (a file, a pipe). */
  readonly columns?: number | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Name of the operating system's user; null when there is none (a container with a bare number). */
  readonly user: string | null;
}

/** How a command ends: 0 done; 1 refused, failed, or something in it was; 2 wrongly called. */
export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The command was called wrongly: the message says how to call it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command could not be carried out; the message is all that the caller needs. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

export function processTerminal(): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    outBytes: (bytes) => void process.stdout.write(bytes),
    err: (text) => void process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    columns: process.stdout.isTTY ? process.stdout.columns : null,
    env: process.env,
    user: userName(),
  };
}

function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null; // the user's number has no entry in the list of users
  }
}
