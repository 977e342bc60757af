/** Entry of the `reckoner` command; bin/reckoner.js loads its compiled form. */
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli } from './program.js';
import { exitCodes, processTerminal } from './terminal.js';

const terminal = processTerminal();

// A reader that has seen enough (`reckoner invoices list | head`) closes the pipe; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.done : exitCodes.failed);
});

try {
  process.exitCode = await runCli(process.argv.slice(2), {
    terminal,
    fetcher: fetch,
    sleep: (ms) => sleep(ms),
    clock: () => Date.now(),
  });
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  terminal.err(`error: ${text}\nThis is a defect of reckoner; RECKONER_DEBUG=1 shows where.\n`);
  if (terminal.env['RECKONER_DEBUG'] === '1' && error instanceof Error) terminal.err(`${error.stack ?? ''}\n`);
  process.exitCode = exitCodes.failed;
}
