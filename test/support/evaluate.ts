/** Calls into scripts/, which are ES modules that Jest's module system does not load: each in a Node of its own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * The value of `body`, the body of an async function with `input` in scope; JSON in and out. Throws what it throws, with its
 * message. Module paths in it are relative to the project.
 */
export async function evaluate<T>(body: string, input: unknown = null): Promise<T> {
  const program = `
    const input = JSON.parse(process.argv[1]);
    const load = (path) => import(new URL(path, ${JSON.stringify(`file://${process.cwd()}/`)}).href);
    const value = await (async () => { ${body} })();
    process.stdout.write('\\n' + JSON.stringify(value ?? null), () => process.exit(0));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program, JSON.stringify(input)], {
    maxBuffer: 1 << 24,
  });
  return JSON.parse(stdout.slice(stdout.lastIndexOf('\n') + 1)) as T;
}
