/** What the scripts say: one line a step, colours only on a terminal. Dependency-free. */
import process from 'node:process';

const colours = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
const paint = (code) => (text) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = paint('1');
export const dim = paint('2');
export const green = paint('32');
export const red = paint('31');
export const yellow = paint('33');
export const cyan = paint('36');

let out = process.stdout;

/** From now on steps are said on standard error: standard output belongs to the program that is run. */
export function toStandardError() {
  out = process.stderr;
}

export const say = (text) => out.write(`${text}\n`);
export const done = (text) => say(`${green('✓')} ${text}`);
export const note = (text) => say(`${yellow('!')} ${text}`);

/** An end that the user can do something about: printed as a sentence, without a stack. */
export class Stop extends Error {
  name = 'Stop';
}

/** Seconds since `startMs`, one decimal. */
export const seconds = (startMs) => `${((Date.now() - startMs) / 1000).toFixed(1)} s`;

/**
 * A line that is rewritten in place on a terminal; elsewhere a new line at most every `everyMs`, so that a log of a long
 * build shows that it lives.
 */
export function progressLine(everyMs = 30_000) {
  let last = Date.now();
  return {
    update(text) {
      if (out.isTTY === true) {
        out.write(`\r\u001b[2K${dim(`  ${text}`)}`);
      } else if (Date.now() - last >= everyMs) {
        last = Date.now();
        say(`  ${text}`);
      }
    },
    end() {
      if (out.isTTY === true) out.write('\r\u001b[2K');
    },
  };
}

/** Runs a script's main function; a `Stop` ends it with its sentence, anything else with its stack. */
export function main(work) {
  work().catch((error) => {
    process.stderr.write(`${red('✗')} ${error instanceof Stop ? error.message : (error?.stack ?? error)}\n`);
    process.exit(1);
  });
}
