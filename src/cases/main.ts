import { casesCommand } from './command.js';

process.exitCode = await casesCommand(process.argv.slice(2), {
  print: (line) => process.stdout.write(`${line}\n`),
  environment: process.env,
});
