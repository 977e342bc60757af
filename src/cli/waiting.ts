/** What goes on by itself after it was asked for, and waiting for it. */
import type { Command } from 'commander';
import type { JsonObject } from './api-client.js';
import type { CliContext } from './context.js';
import { renderFacts } from './output.js';
import { wholeNumber } from './paging.js';

const waitSeconds = 60;
const pauseMs = 500;

/** Seconds; true: the default; absent: nobody waits. */
export type Wait = number | true | undefined;

/** @param what `the outcome` */
export const withWait = (command: Command, what: string): Command =>
  command.option('--wait [seconds]', `wait for ${what}, ${waitSeconds} seconds unless said otherwise`, wholeNumber);

export const secondsOf = (wait: number | true): number => (wait === true ? waitSeconds : wait);

/**
 * Looks until it is done or so many seconds have passed, and answers what it saw last.
 * @param first what is known already; left out: it is looked for at once
 */
export async function until(
  { clock, sleep }: Pick<CliContext, 'clock' | 'sleep'>,
  look: () => Promise<JsonObject>,
  {
    seconds,
    isDone,
    first,
  }: {
    readonly seconds: number;
    readonly isDone: (seen: JsonObject) => boolean;
    readonly first?: JsonObject;
  },
): Promise<JsonObject> {
  const deadline = clock() + seconds * 1_000;
  let seen = first ?? (await look());
  while (!isDone(seen) && clock() < deadline) {
    await sleep(pauseMs);
    seen = await look();
  }
  return seen;
}

/** The last line about something that nobody has to do anything for. */
export const goesOn = (command: string): string => `Goes on by itself: ${command}\n`;

/**
 * A run that was just asked for, of which no more is known than its id and status.
 * @param command shows it
 */
export function startedText(
  name: string,
  { id, status }: { readonly id: unknown; readonly status: unknown },
  command: string,
): string {
  const facts = renderFacts([
    [name, id],
    ['Status', status],
  ]);
  return `${facts}\n${status === 'finished' ? `See it: ${command}\n` : goesOn(command)}`;
}

export const isFinished = ({ status }: JsonObject): boolean => status === 'finished';
